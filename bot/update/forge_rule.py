"""May a proposal be opened on this remote? Plain Git only where a person said so.

Rule `product.md` 10.10: pull requests to a host whose forge is unknown, or known and not yet
spoken to, are an error with the way out; they never become mere branches in silence. Plain
Git is chosen by `forge: {kind: plain}`, or by a file path as the remote.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.git.remote_url import Transport, parse_remote_url

if TYPE_CHECKING:
    from bot.config.model import ForgeSettings

PLAIN = "plain"
_KINDS = ("github", "gitlab", "gitea", "forgejo")
_KIND_BY_HOST = {
    "codeberg.org": "forgejo",
    "ssh.github.com": "github",
    "altssh.gitlab.com": "gitlab",
}
_WAY_OUT = (
    "Write `forge: {kind: plain}` into .pilotfish.yaml to have branches as proposals, "
    "or use --deliver branch or --deliver commit"
)


def no_proposals_here(forge: ForgeSettings, remote_url: str) -> ConfigError | None:
    """Return why no pull request can be opened at `remote_url`, `None` where one can."""
    address = parse_remote_url(remote_url)
    if forge.kind == PLAIN or (not forge.kind and address.kind is Transport.FILE):
        return None
    kind = forge.kind or kind_of_host(address.host)
    if kind:
        return ConfigError(
            f"this version opens pull requests on plain Git only, and this is {kind}",
            where=remote_url,
            hint=_WAY_OUT,
        )
    return ConfigError(
        f"pull requests are to be opened, and which forge {address.host} is, nobody said",
        where=remote_url,
        hint=_WAY_OUT,
    )


def kind_of_host(host: str) -> str:
    """Return the kind of forge that a host's name tells, empty where it tells none."""
    name = host.lower()
    if name in _KIND_BY_HOST:
        return _KIND_BY_HOST[name]
    first, _, rest = name.partition(".")
    return first if first in _KINDS and rest else ""
