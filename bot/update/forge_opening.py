"""Opens the forge of a repository with one credential, whichever kind it is.

A host that needs a token and has none is an error, never a silent plain branch
(`product.md` 10.10). Each adapter is imported only when it is used.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.update.forge_rule import place_of_forge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AsyncExitStack

    from bot.clock import Clock
    from bot.config.model import ForgeSettings
    from bot.config.secret_refs import Secret
    from bot.forges.forge import Forge
    from bot.update.forge_rule import ForgePlace
    from bot.update.report import World


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeCredential:
    """What we show to a forge: a token, or a GitHub App's number and private key (PEM).

    `job`: the token is that of a GitLab CI job. `ca` is a PEM file of a private authority.
    """

    token: Secret | None = None
    app_id: str = ""
    app_key: Secret | None = None
    job: bool = False
    ca: str | None = None


_VARIABLES = {"github": "GITHUB_TOKEN", "gitlab": "GITLAB_TOKEN"}


def no_token(place: ForgePlace) -> ConfigError:
    """Return the error for a forge whose token nobody gave, with every way out."""
    variable = _VARIABLES.get(place.kind, "GITEA_TOKEN")
    return ConfigError(
        f"pull requests are to be opened on {place.host}, and there is no token for it",
        where=f"{place.host_url}/{place.path}",
        hint=f"Set PILOTFISH_FORGE_TOKEN or {variable}, or write `forge: {{token: {{env: …}}}}` "
        "into .pilotfish.yaml; without a forge: `forge: {kind: plain}`, --deliver branch or "
        "--deliver commit",
    )


@dataclass(slots=True, kw_only=True)
class ForgeDoor:
    """The forge of one remote, opened when it is first needed and closed with the run."""

    remote_url: str
    settings: ForgeSettings
    world: World
    doors: AsyncExitStack
    _forge: Forge | None = None

    async def open(self) -> Forge | None:
        """Return the forge, `None` where plain Git was chosen.

        Raises:
            ConfigError: Nobody said which forge it is, or there is no token for it.
        """
        if self._forge is None:
            place = place_of_forge(self.settings, self.remote_url, kinds=self.world.forge_kinds)
            if place is None:
                return None
            self._forge = await self.doors.enter_async_context(
                self.world.forge_for(self.settings, place)
            )
        return self._forge


@asynccontextmanager
async def open_forge(
    place: ForgePlace, credential: ForgeCredential, *, clock: Clock
) -> AsyncIterator[Forge]:
    """Give the forge; nothing is asked of it yet.

    Raises:
        ConfigError: There is no credential, or it does not fit the kind of forge.
    """
    has_app = bool(credential.app_id and credential.app_key)
    if not credential.token and not (has_app and place.kind == "github"):
        raise no_token(place)
    if place.kind in {"gitea", "forgejo"}:
        async with _gitea(place, credential, clock=clock) as forge:
            yield forge
        return
    opened = (
        _github(place, credential, clock)
        if place.kind == "github"
        else _gitlab(place, credential, clock)
    )
    try:
        yield opened
    finally:
        await opened.aclose()


def _github(place: ForgePlace, credential: ForgeCredential, clock: Clock) -> Forge:
    from bot.forges.github import GitHubAuth, open_github

    auth = GitHubAuth(
        token=credential.token, app_id=credential.app_id, private_key=credential.app_key
    )
    return open_github(place.host_url, place.path, auth=auth, ca=credential.ca, clock=clock)


def _gitlab(place: ForgePlace, credential: ForgeCredential, clock: Clock) -> Forge:
    from bot.forges.gitlab import GitLabAuth, open_gitlab

    if credential.token is None:
        raise no_token(place)
    auth = GitLabAuth(token=credential.token, kind="job" if credential.job else "private")
    return open_gitlab(place.host_url, place.path, auth=auth, ca=credential.ca, clock=clock)


@asynccontextmanager
async def _gitea(
    place: ForgePlace, credential: ForgeCredential, *, clock: Clock
) -> AsyncIterator[Forge]:
    import os

    from bot.forges.gitea import GiteaAuth, open_gitea
    from bot.http_client.client import HttpClient
    from bot.http_client.exchange import Access
    from bot.http_client.proxies import Proxies

    if credential.token is None:
        raise no_token(place)
    async with HttpClient(clock=clock, proxies=Proxies.from_environment(os.environ)) as http:
        forge = open_gitea(
            http,
            place.host_url,
            place.path,
            auth=GiteaAuth(token=credential.token),
            access=Access(ca=credential.ca),
        )
        try:
            yield forge
        finally:
            await forge.aclose()
