"""Docker's configuration and Kubernetes' pull secrets: text to entries, and which entry fits.

Keys are read with and without scheme, path, trailing slash and port, as people write them
(`peers.md` 6.3, row 25); hosts match exactly, port and all, or by the kubelet's wildcards, one
`*` within one label; the longest path wins. A look-alike of a host fits nothing (threat R19).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.config.secret_refs import Secret
from bot.errors import ConfigError

HUB = "index.docker.io"
HUB_HELPER_KEY = "https://index.docker.io/v1/"
_HUB_NAMES = frozenset({"docker.io", HUB, "registry-1.docker.io", "registry.hub.docker.com"})
_HOST = re.compile(r"(?P<name>[a-z0-9*?._\[\]:-]*?)(?::(?P<port>\d{1,5}))?")
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DEFAULT_PORT = "443"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Something that proves who we are; `entry` says where it stands, and is no secret.

    An identity token is traded for access tokens; a registry token is one already.
    """

    entry: str
    username: str = ""
    password: Secret | None = field(default=None, repr=False)
    identity_token: Secret | None = field(default=None, repr=False)
    registry_token: Secret | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HelperUse:
    """A credential helper that must be asked: its name, and the key it is asked for."""

    entry: str
    helper: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One `auths` entry: a host, maybe with wildcards, a port and a path."""

    host: str
    port: str
    path: str
    credential: Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerConfig:
    """What one file said. `faults` are entries that could not be read, in words."""

    source: str
    entries: tuple[Entry, ...] = ()
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str = ""
    faults: tuple[str, ...] = ()


def read_docker_config(text: bytes, *, source: str) -> DockerConfig:
    """Return the entries of `config.json`, `.dockerconfigjson` or the old `.dockercfg`.

    Raises:
        ConfigError: It is no such document at all.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise ConfigError(
            "this is not Docker's configuration",
            where=source,
            hint='It should be JSON such as {"auths": {"ghcr.io": {"auth": "…"}}}',
        )
    known = {"auths", "credHelpers", "credsStore"}
    if not known & set(fields) and all(isinstance(value, dict) for value in fields.values()):
        fields = {"auths": fields}
    entries: list[Entry] = []
    faults: list[str] = []
    for key, value in _pairs(fields.get("auths")):
        try:
            entry = _entry(key, value, source)
        except ValueError as error:
            faults.append(f"entry {key!r} of {source}: {error}")
            continue
        if entry is not None:
            entries.append(entry)
    helpers = {
        ":".join(canonical_host(_without_scheme(key))): name
        for key, name in _pairs(fields.get("credHelpers"))
        if isinstance(name, str) and _HELPER.fullmatch(name)
    }
    store = fields.get("credsStore")
    return DockerConfig(
        source=source,
        entries=tuple(entries),
        helpers=helpers,
        store=store if isinstance(store, str) and _HELPER.fullmatch(store) else "",
        faults=tuple(faults),
    )


def canonical_host(text: str) -> tuple[str, str]:
    """Return host and port of `text`, in lower case; no port is 443, and Hub has one name."""
    match = _HOST.fullmatch(text.lower())
    if match is None:
        return text.lower(), ""
    name = HUB if match["name"] in _HUB_NAMES else match["name"]
    return name, match["port"] or _DEFAULT_PORT


def fitting(config: DockerConfig, host: str, path: str) -> list[Credential | HelperUse]:
    """Return what `config` offers for a repository, best first.

    Entries with a path before the host's helper, that before entries for the whole host, then
    wildcards, then the store of all.
    """
    name, port = canonical_host(host)
    found: list[tuple[int, int, Credential | HelperUse]] = []
    for entry in config.entries:
        if entry.port != port or not _path_fits(entry.path, path):
            continue
        if entry.host == name:
            found.append((0 if entry.path else 2, -len(entry.path), entry.credential))
        elif _wildcard_fits(entry.host, name):
            found.append((3, -len(entry.path), entry.credential))
    key = HUB_HELPER_KEY if name == HUB else host
    if helper := config.helpers.get(f"{name}:{port}"):
        what = f"credHelpers[{host}] of {config.source} (docker-credential-{helper})"
        found.append((1, 0, HelperUse(entry=what, helper=helper, key=key)))
    if config.store:
        what = f"credsStore of {config.source} (docker-credential-{config.store})"
        found.append((4, 0, HelperUse(entry=what, helper=config.store, key=key)))
    return [each for _, _, each in sorted(found, key=lambda item: item[:2])]


def read_helper_answer(text: bytes, *, entry: str) -> Credential | None:
    """Return what a credential helper printed; `None` when it is no credential."""
    try:
        fields = json.loads(text)
        username, secret = fields["Username"], fields["Secret"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if not isinstance(username, str) or not isinstance(secret, str) or not secret:
        return None
    if username == "<token>":
        return Credential(entry=entry, identity_token=Secret(secret))
    return Credential(entry=entry, username=username, password=Secret(secret))


def _pairs(value: object) -> list[tuple[str, object]]:
    return list(value.items()) if isinstance(value, dict) else []


def _entry(key: str, value: object, source: str) -> Entry | None:
    """Return one entry; `None` when it is empty, as a credential store leaves it."""
    if not isinstance(value, dict):
        raise ValueError("it is no mapping")  # noqa: TRY004 - a fault of the file, not a bug
    credential = _credential(value, f"auths[{key}] of {source}")
    if credential is None:
        return None
    rest = _without_scheme(key)
    if "@" in rest:
        raise ValueError("its key names a user")
    host, _, path = rest.partition("/")
    name, port = canonical_host(host)
    path = path.strip("/")
    return Entry(
        host=name,
        port=port,
        path="" if path in {"v1", "v2"} else path,
        credential=credential,
    )


def _without_scheme(key: str) -> str:
    return key.strip().removeprefix("https://").removeprefix("http://")


def _credential(fields: Mapping[str, object], entry: str) -> Credential | None:
    def text(name: str) -> str:
        value = fields.get(name)
        return value.strip("\0") if isinstance(value, str) else ""

    username, password = text("username"), text("password")
    if auth := text("auth"):
        try:
            decoded = base64.b64decode(auth, validate=True).decode("utf-8").strip("\0")
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError("its auth is not Base64 of user:password") from None
        name, colon, secret = decoded.partition(":")
        if not colon:
            raise ValueError("its auth holds no colon between user and password")
        username, password = name, secret
        if secret:
            Secret(auth)  # known from now on, so that it is masked as well
    identity, token = text("identitytoken"), text("registrytoken")
    if not (password or identity or token):
        return None
    return Credential(
        entry=entry,
        username=username,
        password=Secret(password) if password else None,
        identity_token=Secret(identity) if identity else None,
        registry_token=Secret(token) if token else None,
    )


def _path_fits(entry_path: str, path: str) -> bool:
    return not entry_path or path == entry_path or path.startswith(f"{entry_path}/")


def _wildcard_fits(pattern: str, host: str) -> bool:
    labels, parts = pattern.split("."), host.split(".")
    return (
        "*" in pattern
        and len(labels) == len(parts)
        and all(fnmatch.fnmatchcase(p, label) for label, p in zip(labels, parts, strict=True))
    )
