"""Addresses of remotes: https, ssh, scp-like and file forms parsed, all else refused.

Rules C2, G1, G4 and S2 of the threat model: no other transport (`ext::`, `git://`), plain
http on the loopback interface alone, no control characters, nothing that begins with `-`,
and no password or token inside the address, where it would show in lists and logs.

Must not know git: no address is opened here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address

from bot.errors import ConfigError
from bot.telemetry import remember_secret

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:(?P<userinfo>[^/]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^/:@\[\]]*)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/.*)?\Z"
)
_SCP = re.compile(
    r"(?:(?P<user>[A-Za-z0-9._-]+)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]+):(?P<path>.+)\Z"
)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]*\Z")
_PLAIN_PATH = re.compile(r"[^\s\x00-\x1f\x7f]*\Z")


class InvalidRemoteUrl(ConfigError):
    """An address we do not speak to, or one that holds a secret."""


class Transport(Enum):
    """How a remote is reached."""

    HTTPS = "https"
    HTTP = "http"
    SSH = "ssh"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteUrl:
    """A parsed address. `text` is what git is given and what may be printed.

    `host` is empty for files; `path` is as written, for files a path of this machine;
    `user` is empty when none was written.
    """

    kind: Transport
    host: str
    path: str
    text: str
    user: str = ""
    port: int | None = None

    @property
    def web_host(self) -> str:
        """Return the host that a forge's pages and API would have, with a web port."""
        if self.kind in {Transport.HTTP, Transport.HTTPS} and self.port is not None:
            return f"{self.host}:{self.port}"
        return self.host

    @property
    def project(self) -> str:
        """Return `owner/name`: the path without slashes around it and `.git`."""
        return self.path.strip("/").removesuffix(".git").strip("/")

    @property
    def is_loopback(self) -> bool:
        """Tell whether the host is this machine's loopback interface."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Tell whether `host` names the loopback interface, without asking any resolver."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def parse_remote_url(text: str) -> RemoteUrl:
    """Return the parts of an address as `git clone` takes it.

    Relative file paths stay relative; whoever opens them knows from where.

    Raises:
        InvalidRemoteUrl: Another transport, a host or path we refuse, http elsewhere than
            on the loopback interface, or a secret inside the address (which is not shown).
    """
    if not text or text.startswith("-") or any(not c.isprintable() for c in text):
        raise InvalidRemoteUrl(
            "an address of a repository is empty, begins with '-' or holds control characters",
            hint=_FORMS,
        )
    if "::" in text.split("/", 1)[0] and not text.startswith("["):
        raise _refused(text, "remote helpers such as 'ext::' are not used")
    if match := _URL.match(text):
        return _with_scheme(text, match)
    if "://" in text:
        raise _refused(text, "it cannot be read")
    if (
        text.startswith(("/", "./", "../", "~"))
        or ":" not in text
        or "/" in text.split(":", maxsplit=1)[0]
    ):
        return RemoteUrl(kind=Transport.FILE, host="", path=text, text=text)
    if match := _SCP.match(text):
        return _ssh(text, match["user"] or "", match["host"], None, match["path"])
    raise _refused(text, "it cannot be read")


_FORMS = "Use https://HOST/PATH, ssh://git@HOST/PATH or git@HOST:PATH"


def _refused(text: str, why: str) -> InvalidRemoteUrl:
    shown = re.sub(r"//[^/]*@", "//", text)[:120]
    return InvalidRemoteUrl(f"the address {shown!r} is refused: {why}", hint=_FORMS)


def _with_scheme(text: str, match: re.Match[str]) -> RemoteUrl:
    scheme, host, path = match["scheme"].lower(), match["host"], match["path"] or ""
    userinfo = match["userinfo"] or ""
    port = int(match["port"]) if match["port"] else None
    user, colon, password = userinfo.partition(":")
    if colon:
        remember_secret(password)
        raise InvalidRemoteUrl(
            "the address holds a password or token",
            where=f"{scheme}://{host}{path}",
            hint="Take it out (git remote set-url origin …) and give the token by "
            "PILOTFISH_FORGE_TOKEN or a credential helper",
        )
    if scheme == "file":
        if host not in {"", "localhost"} or not path:
            raise _refused(text, "a file address has no host")
        return RemoteUrl(kind=Transport.FILE, host="", path=path, text=f"file://{path}")
    if scheme == "ssh":
        return _ssh(text, user, host, port, path)
    if scheme not in {"https", "http"}:
        raise _refused(text, f"{scheme}:// is not spoken")
    _check(text, user, host, path)
    if scheme == "http" and not is_loopback(host):
        raise _refused(text, "plain http is for the loopback interface only")
    if "?" in path or "#" in path:
        raise _refused(text, "it has a query or a fragment")
    _refuse_token_as_user(user, f"{scheme}://{host}{path}")
    where = f"{host}:{port}" if port is not None else host
    return RemoteUrl(
        kind=Transport(scheme),
        host=host.lower(),
        path=path,
        text=f"{scheme}://{where}{path}",
        user=user,
        port=port,
    )


def _refuse_token_as_user(user: str, where: str) -> None:
    """Refuse a user name that is shaped like a token: `https://ghp_…@host/` is common."""
    if len(user) >= _TOKEN_CHARS or user.startswith(
        ("ghp_", "ghs_", "gho_", "github_pat_", "glpat-")
    ):
        remember_secret(user)
        raise InvalidRemoteUrl(
            "the address holds what looks like a token",
            where=where,
            hint="Take it out (git remote set-url origin …) and give the token by "
            "PILOTFISH_FORGE_TOKEN or a credential helper",
        )


_TOKEN_CHARS = 30  # longer than user names are, shorter than tokens are; arbitrary


def _ssh(text: str, user: str, host: str, port: int | None, path: str) -> RemoteUrl:
    _check(text, user, host, path)
    return RemoteUrl(
        kind=Transport.SSH, host=host.lower(), path=path, text=text, user=user, port=port
    )


def _check(text: str, user: str, host: str, path: str) -> None:
    bare = host.strip("[]")
    if not (_HOST.match(host) or (host != bare and re.fullmatch(r"[0-9A-Fa-f:.]+", bare))):
        raise _refused(text, "its host name cannot be one")
    if user and not _USER.match(user):
        raise _refused(text, "its user name cannot be one")
    if not path.strip("/") or path.startswith("-") or not _PLAIN_PATH.match(path):
        raise _refused(text, "it names no repository")
