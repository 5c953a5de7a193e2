"""GitHub, and Enterprise hosts, as a forge: one method, one request wherever that can be.

Endpoints and fields follow GitHub's REST description of 2022-11-28. PyGithub carries the requests
(`github_library.py`); its object layer is not used, because it asks more often than it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.forges.forge import Abilities, Links
from bot.forges.github_auth import AppTokens, GitHubAuth
from bot.forges.github_merging import GitHubMerging
from bot.forges.github_proposals import GitHubProposals
from bot.forges.github_session import GitHubSession
from bot.forges.github_talk import GitHubTalk
from bot.forges.sync_door import Gate

if TYPE_CHECKING:
    from bot.clock import Clock

__all__ = ["AppTokens", "GitHubAuth", "GitHubForge", "open_github"]


class GitHubForge(GitHubProposals, GitHubTalk, GitHubMerging):
    """A `Forge`."""

    kind = "github"
    abilities = Abilities()

    def __init__(self, session: GitHubSession, *, links: Links, clock: Clock) -> None:
        super().__init__(session, clock=clock)
        self.links = links


def open_github(
    host_url: str,
    path: str,
    *,
    auth: GitHubAuth,
    clock: Clock,
    api_url: str = "",
    ca: str | None = None,
    pace_s: float = 1.0,
    gate: Gate | None = None,
    tokens: AppTokens | None = None,
) -> GitHubForge:
    """Return the repository `path` (owner/name) of the GitHub at `host_url`.

    `pace_s` is how far apart writes are kept; GitHub asks for at least a second. Forges that
    share a credential share a `gate`, which then says the pace. `tokens` are what an App was given
    for this repository before.

    Raises:
        ConfigError: `path` is no repository of GitHub's, or `auth` holds nothing.
    """
    host_url = host_url.rstrip("/")
    path = path.strip("/").removesuffix(".git")
    session = GitHubSession(
        host_url=host_url,
        path=path,
        auth=auth,
        api_url=api_url,
        ca=ca,
        clock=clock,
        gate=gate or Gate(clock, pace_s=pace_s),
        tokens=tokens or AppTokens(),
    )
    return GitHubForge(session, links=Links(web=f"{host_url}/{path}", style="github"), clock=clock)
