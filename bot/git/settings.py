"""git's configuration for our runs: ours alone, plus what a person's may add.

Every run sees one file, written here (rules C3 to C5, G1 and product rule 14): no hooks, no
file-system monitor, no attributes, no redirects, no submodules, objects checked on arrival.
One-shot commands import `user.*`, `credential.*`, `http.*` and `url.*.insteadOf` from the
person's configuration; from the clone they stand in only what is about headers and names,
because whoever made that folder could otherwise name a program to run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.telemetry import remember_secret

if TYPE_CHECKING:
    from bot.config.secret_refs import Secret

Setting = tuple[str, str]

# Old histories are full of these; none of them can hurt a reader without a work tree.
_HARMLESS_FAULTS = (
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badName",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "multipleAuthors",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)

OWN_SETTINGS: tuple[Setting, ...] = (
    ("core.hookspath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.attributesfile", "/dev/null"),
    ("core.excludesfile", "/dev/null"),
    ("core.protecthfs", "true"),
    ("core.protectntfs", "true"),
    ("core.autocrlf", "false"),
    ("core.quotepath", "false"),
    ("core.commitgraph", "false"),
    ("core.logallrefupdates", "false"),
    ("fetch.fsckobjects", "true"),
    ("transfer.fsckobjects", "true"),
    *((f"fetch.fsck.{fault}", "ignore") for fault in _HARMLESS_FAULTS),
    ("fetch.writecommitgraph", "false"),
    ("submodule.recurse", "false"),
    ("fetch.recursesubmodules", "false"),
    ("push.recursesubmodules", "no"),
    ("push.followtags", "false"),
    ("push.gpgsign", "false"),
    ("commit.gpgsign", "false"),
    ("http.followredirects", "false"),
    ("http.lowspeedlimit", "100"),
    ("http.lowspeedtime", "60"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("protocol.version", "2"),
    ("i18n.logoutputencoding", "UTF-8"),
    ("i18n.commitencoding", "UTF-8"),
    ("log.showsignature", "false"),
    ("credential.interactive", "never"),
    ("advice.pushupdaterejected", "false"),
    ("init.defaultbranch", "main"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitAccess:
    """What opens a remote. Everything may be left out.

    `token` goes with `username` to the address's own host, over https (http on the
    loopback interface); with a token no credential helper is asked. `ssh_key` is a private
    key file, `ssh_passphrase` opens it, `known_hosts` replaces the person's file. `ca_file`
    is trusted besides nothing else. `proxy` is a URL, `client_certificate` and
    `client_key` are files.
    """

    username: str = ""
    token: Secret | None = None
    ssh_key: Path | None = None
    ssh_passphrase: Secret | None = None
    known_hosts: Path | None = None
    ca_file: Path | None = None
    proxy: str = ""
    client_certificate: Path | None = None
    client_key: Path | None = None


def access_settings(access: GitAccess) -> list[Setting]:
    """Return the settings that `access` adds; none of them is a secret but `proxy`."""
    found: list[Setting] = []
    if access.token is not None:
        found += [("credential.helper", ""), ("credential.usehttppath", "false")]
    for key, file in (
        ("http.sslcainfo", access.ca_file),
        ("http.sslcert", access.client_certificate),
        ("http.sslkey", access.client_key),
    ):
        if file is not None:
            if not file.is_file():
                raise ConfigError(
                    f"the file {file} cannot be read", where=key, hint="Check its path and rights"
                )
            found.append((key, str(file.absolute())))
    if access.proxy:
        found.append(("http.proxy", access.proxy))
    return found


def imported_settings(listing: bytes, *, with_credentials: bool) -> list[Setting]:
    """Return what is taken over of `git config --list --show-scope -z`.

    `with_credentials` is off when a token was given: no helper is to see or store it.
    Secrets among the values are made known to the redactor.
    """
    fields = listing.decode("utf-8", "surrogateescape").split("\0")
    found: list[Setting] = []
    for scope, entry in zip(fields[0::2], fields[1::2], strict=False):
        key, _, value = entry.partition("\n")
        if _is_imported(key.lower(), from_clone=scope not in {"system", "global", "command"}):
            if not with_credentials and _is_secret(key.lower()):
                continue
            _learn(key.lower(), value)
            found.append((key, value))
    return found


def _is_imported(key: str, *, from_clone: bool) -> bool:
    section, name = key.split(".", 1)[0], key.rsplit(".", 1)[-1]
    if section == "user":
        return name in {"name", "email"}
    if from_clone:
        return section == "http" and name == "extraheader"
    if section == "http":
        return name not in {"followredirects", "lowspeedlimit", "lowspeedtime"}
    return section == "credential" or (section == "url" and name == "insteadof")


def _is_secret(key: str) -> bool:
    return key.startswith("credential.") or key.endswith(".extraheader")


def _learn(key: str, value: str) -> None:
    if key.endswith(".extraheader"):
        remember_secret(value)
        remember_secret(value.partition(":")[2].strip())
        remember_secret(value.rsplit(" ", 1)[-1])
    for text in (key, value):
        userinfo = text.partition("://")[2].partition("/")[0].rpartition("@")[0]
        if userinfo:
            remember_secret(userinfo)
            remember_secret(userinfo.rpartition(":")[2])


def config_file(settings: Iterable[Setting]) -> bytes:
    """Return a configuration file that sets `settings` in this order."""
    lines = []
    for key, value in settings:
        section, _, rest = key.partition(".")
        subsection, dot, name = rest.rpartition(".")
        quoted = subsection.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'[{section} "{quoted}"]' if dot else f"[{section}]")
        text = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines.append(f'\t{name} = "{text}"')
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")
