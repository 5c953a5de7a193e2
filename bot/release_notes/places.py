"""Where sources live: an address as labels write it, read into a repository on a known server.

A label is foreign text, so it never says whom we ask: only servers of a fixed list are asked,
GitHub, GitLab and Codeberg and the forge that was configured, and every address is built from
ours (threats C11 and R4). What leads elsewhere is at most a link, where it is plain https.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from bot.forges.github_address import api_url_of

_MAX_ADDRESS = 500  # characters of a label that is read at all
_SEGMENT = re.compile(r"(?!\.+$)[A-Za-z0-9_.+~-]{1,100}")
_MOST_SEGMENTS = 21  # GitLab nests groups twenty deep
_SCP = re.compile(r"(?:[\w.-]+@)?([A-Za-z0-9.-]+):(?!\d+/|/)(\S+)")
_SCHEMES = {"https": True, "http": True, "git": False, "ssh": False}  # does its port count?
_SSH_HOSTS = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
_PATH = re.compile(r"[A-Za-z0-9_.+~/-]*")
_NOT_PUBLIC = (".local", ".internal", ".localhost", ".localdomain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A forge that may be asked: `kind` is github, gitlab or gitea, `web` where people go."""

    kind: str
    web: str
    api: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A repository on a server; `path` is owner and name, groups between them on GitLab."""

    server: Server
    path: str

    @property
    def web(self) -> str:
        """Return its address for people."""
        return f"{self.server.web}/{self.path}"

    @property
    def api(self) -> str:
        """Return its address for programs."""
        if self.server.kind == "gitlab":
            return f"{self.server.api}/projects/{quote(self.path, safe='')}"
        return f"{self.server.api}/repos/{self.path}"

    @property
    def owner(self) -> str:
        """Return the account or top group that it belongs to."""
        return self.path.partition("/")[0]

    @property
    def name(self) -> str:
        """Return its name without what stands before it."""
        return self.path.rpartition("/")[2]

    def release(self, tag: str) -> str:
        """Return where people see a release."""
        middle = "-/releases" if self.server.kind == "gitlab" else "releases/tag"
        return f"{self.web}/{middle}/{quote(tag, safe='')}"


PUBLIC = (
    Server(kind="github", web="https://github.com", api="https://api.github.com"),
    Server(kind="gitlab", web="https://gitlab.com", api="https://gitlab.com/api/v4"),
    Server(kind="gitea", web="https://codeberg.org", api="https://codeberg.org/api/v1"),
)


def server_of(kind: str, url: str) -> Server | None:
    """Return the server that a configured forge is, `None` where that kind has no releases."""
    kind = "gitea" if kind == "forgejo" else kind
    web = url.rstrip("/")
    for known in PUBLIC:
        if known.kind == kind and web.lower() == known.web:
            return known
    if kind == "github":
        return Server(kind=kind, web=web, api=api_url_of(web))
    ends = {"gitlab": "/api/v4", "gitea": "/api/v1"}
    return Server(kind=kind, web=web, api=web + ends[kind]) if kind in ends else None


def find_place(text: str, servers: Iterable[Server]) -> Place | None:
    """Return the repository that an address names on one of `servers`.

    Addresses for people, for git (`git@host:path`, `ssh://`, `git+https://`) and without a
    scheme are read; what follows the repository (`.git`, `/tree/main`) does not count.
    """
    parts = _split(text)
    if parts is None:
        return None
    for server in servers:
        path = _path_on(server, parts)
        if path:
            return Place(server=server, path=path)
    return None


def fit_to_link(text: str) -> str:
    """Return an address that people may be sent to, empty where it is none.

    It is https to a public name, without login, port, query or fragment.
    """
    parts = _split(text)
    if parts is None or parts.scheme != "https" or "@" in parts.netloc or ":" in parts.netloc:
        return ""
    host = (parts.hostname or "").rstrip(".")
    sane = _NAME.fullmatch(host) and not host.endswith(_NOT_PUBLIC) and not _is_address(host)
    if not sane or not _PATH.fullmatch(parts.path) or {".", ".."} & set(parts.path.split("/")):
        return ""
    return f"https://{host}{parts.path}".rstrip("/")


def _split(text: str) -> SplitResult | None:
    text = text.strip()
    if not text or len(text) > _MAX_ADDRESS or not text.isprintable() or " " in text:
        return None
    text = text.removeprefix("git+")
    scp = _SCP.fullmatch(text)
    if "://" not in text:
        text = f"ssh://{scp[1]}/{scp[2]}" if scp else f"https://{text}"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme in _SCHEMES and parts.hostname else None


def _path_on(server: Server, parts: SplitResult) -> str:
    """Return owner and name where `parts` lead to `server`, empty where they do not."""
    home = urlsplit(server.web)
    host = (parts.hostname or "").lower().removeprefix("www.").rstrip(".")
    if _SSH_HOSTS.get(host, host) != home.hostname:
        return ""
    if _SCHEMES[parts.scheme] and parts.port not in _ports_of(home, parts.scheme):
        return ""
    prefix, path = home.path.strip("/"), parts.path.strip("/")
    if prefix and path.startswith(f"{prefix}/"):
        path = path.removeprefix(f"{prefix}/")
    elif prefix and _SCHEMES[parts.scheme]:
        return ""  # over ssh the forge's folder does not show
    segments = [one for one in path.split("/") if one]
    if server.kind == "gitlab":
        segments = segments[: segments.index("-")] if "-" in segments else segments
    else:
        segments = segments[:2]
    if len(segments) > 1:
        segments[-1] = segments[-1].removesuffix(".git")
    good = 1 < len(segments) <= _MOST_SEGMENTS and all(map(_SEGMENT.fullmatch, segments))
    return "/".join(segments) if good else ""


def _ports_of(home: SplitResult, scheme: str) -> set[int | None]:
    """Return the ports that an address of `scheme` may have to mean this server."""
    usual = {"https": 443, "http": 80}
    own = home.port or usual[home.scheme]
    if own == usual[home.scheme]:
        return {None, usual[scheme]}  # `http://` in a label of old times means the same server
    return {own}


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
