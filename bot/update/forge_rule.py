"""Which forge a remote is on, by what was said, by its host, or by plain Git's choice.

Rule `product.md` 10.10: pull requests to a host whose forge is unknown are an error with the
way out; they never become mere branches in silence. Plain Git is chosen by
`forge: {kind: plain}`, or by a file path as the remote.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.forges.github_address import TENANTS
from bot.git.remote_url import Transport, parse_remote_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.config.model import ForgeSettings
    from bot.git.remote_url import RemoteUrl

PLAIN = "plain"
_KINDS = ("github", "gitlab", "gitea", "forgejo")
_KIND_BY_HOST = {"codeberg.org": "forgejo"}
_WEB_HOST_OF_SSH = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}
WAY_OUT = (
    "Write `forge: {kind: github}` (gitlab, gitea, forgejo) into .pilotfish.yaml, or "
    "`forge: {kind: plain}` to have branches as proposals, or use --deliver branch or "
    "--deliver commit"
)
_NOBODY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgePlace:
    """Where a repository is on a forge: its kind, the forge's address, the repository's path.

    `host_url` has no final slash; `path` is `owner/name`, on GitLab with every group.
    """

    kind: str
    host_url: str
    path: str

    @property
    def host(self) -> str:
        """Return the forge's host, with its port."""
        return self.host_url.partition("://")[2].partition("/")[0]


def place_of_forge(
    forge: ForgeSettings, remote_url: str, *, kinds: Mapping[str, str] = _NOBODY
) -> ForgePlace | None:
    """Return where proposals are opened, `None` for plain Git.

    `kinds` are kinds that the surroundings tell, a CI job's own server for one, by host and the
    path at which it is served: `git.example.test/gitlab`.

    Raises:
        ConfigError: Nobody said which forge it is, or its address is needed.
    """
    address = parse_remote_url(remote_url)
    if forge.kind == PLAIN or (not forge.kind and address.kind is Transport.FILE):
        return None
    host_url = (forge.url or _web_address(address) + _path_around(kinds, address)).rstrip("/")
    host = host_url.partition("://")[2].partition("/")[0]
    around = {server.partition("/")[0]: kind for server, kind in kinds.items()}
    kind = forge.kind or around.get(host, "") or kind_of_host(host)
    if not kind:
        raise ConfigError(
            f"pull requests are to be opened, and which forge {host} is, nobody said",
            where=remote_url,
            hint=WAY_OUT,
        )
    if not host_url:
        raise ConfigError(
            f"this is said to be {kind}, and a file path tells no address of it",
            where=remote_url,
            hint="Write `forge: {url: …}`, or name the repository by its https address",
        )
    return ForgePlace(kind=kind, host_url=host_url, path=_path_below(host_url, address))


def _path_around(kinds: Mapping[str, str], address: RemoteUrl) -> str:
    """Return the path at which the server of an address is served, as far as it is known."""
    for server in kinds:
        host, slash, path = server.partition("/")
        shown = address.kind is Transport.SSH or address.project.startswith(f"{path}/")
        if slash and shown and address.web_host == host:
            return f"/{path}"
    return ""


def _web_address(address: RemoteUrl) -> str:
    if address.kind is Transport.FILE:
        return ""
    if address.kind is Transport.SSH:
        return f"https://{_WEB_HOST_OF_SSH.get(address.host, address.host)}"
    return f"{address.kind.value}://{address.web_host}"


def _path_below(host_url: str, address: RemoteUrl) -> str:
    """Return the repository's path without the path at which the forge itself is served."""
    prefix = host_url.partition("://")[2].partition("/")[2]
    path = address.project
    if prefix and address.kind is not Transport.SSH and path.startswith(f"{prefix}/"):
        return path[len(prefix) + 1 :]
    return path


def kind_of_host(host: str) -> str:
    """Return the kind of forge that a host's name tells, empty where it tells none."""
    name = host.lower().partition(":")[0]
    if name in _KIND_BY_HOST:
        return _KIND_BY_HOST[name]
    if name.endswith(TENANTS):
        return "github"
    first, _, rest = name.partition(".")
    return first if first in _KINDS and rest else ""
