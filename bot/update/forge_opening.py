"""Opens the forge of a repository with one credential, whichever kind it is.

A host that needs a token and has none is an error, never a silent plain branch
(`product.md` 10.10). Each adapter is imported only when it is used.
"""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.errors import ConfigError, ProductError
from bot.update.dashboard import find_dashboard
from bot.update.forge_rule import place_of_forge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager, AsyncExitStack

    from bot.clock import Clock
    from bot.config.model import Config
    from bot.config.secret_refs import Secret
    from bot.forges.forge import Forge, Issue
    from bot.forges.github import GitHubForge
    from bot.forges.github_auth import AppTokens
    from bot.forges.sync_door import Gate
    from bot.planning.plan import PlannedProposal
    from bot.planning.release_notes import NotesOf
    from bot.proposals.automerge import Verdict
    from bot.proposals.wishes import Wishes
    from bot.release_notes.finding import ReleaseNotes
    from bot.release_notes.forge_releases import OwnForge
    from bot.update.forge_rule import ForgePlace
    from bot.update.report import World
    from bot.update.survey import Asker


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


class Gates:
    """What credentials keep from one run to the next: paces, limits, and an App's tokens.

    Paces and limits are shared by all repositories that a credential opens.
    """

    def __init__(self) -> None:
        self._gates: dict[tuple[str, str], Gate] = {}
        self._tokens: dict[tuple[str, str, str], AppTokens] = {}

    def of(self, place: ForgePlace, credential: ForgeCredential, clock: Clock) -> Gate:
        """Return the gate of a credential; what keeps them apart is a digest, never the token."""
        from bot.forges.sync_door import Gate

        pace_s = _GITHUB_PACE_S if place.kind == "github" else 0.0
        key = (place.host_url, _digest(credential))
        return self._gates.setdefault(key, Gate(clock, pace_s=pace_s))

    def tokens_of(self, place: ForgePlace, credential: ForgeCredential) -> AppTokens:
        """Return what a GitHub App was given for a repository."""
        from bot.forges.github_auth import AppTokens

        key = (place.host_url, place.path, _digest(credential))
        return self._tokens.setdefault(key, AppTokens())


def _digest(credential: ForgeCredential) -> str:
    text = credential.token.reveal() if credential.token else credential.app_id
    return hashlib.sha256(text.encode()).hexdigest()


_GITHUB_PACE_S = 1.0  # between two writes, as GitHub asks for (its rules of secondary limits)
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
class Shared:
    """What the bases of one run share: the dashboard, what was asked, who merges what."""

    dashboard: Issue | None = None
    wishes: list[Wishes] = field(default_factory=list)
    verdicts: dict[str, Verdict] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class ForgeDoor:
    """The forge of one remote, opened when it is first needed and closed with the run."""

    remote_url: str
    config: Config
    world: World
    asker: Asker
    doors: AsyncExitStack
    shows_dashboard: bool = False
    shared: Shared = field(default_factory=Shared)
    _place: ForgePlace | None = None
    _forge: Forge | None = None
    _notes: ReleaseNotes | None = None

    async def open(self) -> Forge | None:
        """Return the forge, `None` where plain Git was chosen.

        Raises:
            ConfigError: Nobody said which forge it is, or there is no token for it.
        """
        if self._forge is None:
            place = place_in(self.world, self.config, self.remote_url)
            if place is None:
                return None
            self._forge = await self.doors.enter_async_context(
                forge_in(self.world, self.config, place)
            )
            self._place = place
            if self.shows_dashboard:
                self.shared.dashboard = await find_dashboard(self._forge)
        return self._forge

    @property
    def opened(self) -> Forge | None:
        """Return the forge where a base needed it."""
        return self._forge

    async def notes_of(self, planned: PlannedProposal) -> tuple[NotesOf, ...]:
        """Look up what is released between the old and the new tag of each image."""
        if self._place is None:
            return ()
        if self._notes is None:
            self._notes = await self.doors.enter_async_context(self._open_notes(self._place))
        found: dict[tuple[str, str, str], NotesOf] = {}
        for one in planned.updates:
            moves = (one.binding.image, one.from_tag, one.to_tag)
            if one.to_tag and moves not in found:
                found[moves] = await self._notes.find(
                    image=one.binding.image,
                    old_tag=one.from_tag,
                    old_digest="",
                    new_tag=one.to_tag,
                    new_digest=one.digest,
                )
        return tuple(found.values())

    @asynccontextmanager
    async def _open_notes(self, place: ForgePlace) -> AsyncIterator[ReleaseNotes]:
        import os

        from bot.http_client.client import HttpClient
        from bot.http_client.proxies import Proxies
        from bot.release_notes.finding import ReleaseNotes

        credential = self.world.credential_for(self.config.forge, place)
        own = await own_forge(place, credential, clock=self.world.clock, gates=self.world.gates)
        proxies = Proxies.from_environment(os.environ)
        async with HttpClient(clock=self.world.clock, proxies=proxies) as http:
            yield ReleaseNotes(http, self.asker, sources=self.config.sources, forge=own)


async def own_forge(
    place: ForgePlace, credential: ForgeCredential, *, clock: Clock, gates: Gates
) -> OwnForge:
    """Return the forge of the proposals as release notes ask it, without a token if need be."""
    from bot.http_client.exchange import Access
    from bot.release_notes.forge_releases import OwnForge

    token = credential.token
    if token is None and place.kind == "github" and credential.app_key:
        with suppress(ProductError):  # told where proposals are opened
            token = await app_token(place, credential, clock=clock, gates=gates)
    return OwnForge(
        kind=place.kind,
        url=place.host_url,
        path=place.path,
        token=token,
        token_header="JOB-TOKEN" if credential.job else "",
        access=Access(ca=credential.ca),
    )


def place_in(world: World, config: Config, remote_url: str) -> ForgePlace | None:
    """Return where proposals of this repository are opened, `None` on plain Git.

    Raises:
        ConfigError: Nobody said which forge it is.
    """
    return place_of_forge(config.forge, remote_url, kinds=world.forge_kinds)


def forge_in(world: World, config: Config, place: ForgePlace) -> AbstractAsyncContextManager[Forge]:
    """Give the forge with the credential that counts there."""
    credential = world.credential_for(config.forge, place)
    return open_forge(place, credential, clock=world.clock, gates=world.gates)


@asynccontextmanager
async def open_forge(
    place: ForgePlace,
    credential: ForgeCredential,
    *,
    clock: Clock,
    gates: Gates | None = None,
) -> AsyncIterator[Forge]:
    """Give the forge; nothing is asked of it yet. `gates` are shared with other repositories.

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
    open_one = _github if place.kind == "github" else _gitlab
    opened = open_one(place, credential, clock, gates or Gates())
    try:
        yield opened
    finally:
        await opened.aclose()


async def app_token(
    place: ForgePlace, credential: ForgeCredential, *, clock: Clock, gates: Gates | None = None
) -> Secret:
    """Return a token of the App for Git, narrowed to the one repository.

    It lives for twelve minutes more at least, an hour where `gates` knew of none.

    Raises:
        AccessError: The App is not installed there, or its key is wrong.
    """
    from bot.config.secret_refs import Secret

    only = replace(credential, token=None)
    forge = _github(place, only, clock, gates or Gates())
    try:
        return Secret(await forge.git_token())
    finally:
        await forge.aclose()


def _github(
    place: ForgePlace, credential: ForgeCredential, clock: Clock, gates: Gates
) -> GitHubForge:
    from bot.forges.github import GitHubAuth, open_github

    auth = GitHubAuth(
        token=credential.token, app_id=credential.app_id, private_key=credential.app_key
    )
    return open_github(
        place.host_url,
        place.path,
        auth=auth,
        ca=credential.ca,
        clock=clock,
        gate=gates.of(place, credential, clock),
        tokens=gates.tokens_of(place, credential),
    )


def _gitlab(place: ForgePlace, credential: ForgeCredential, clock: Clock, gates: Gates) -> Forge:
    from bot.forges.gitlab import GitLabAuth, open_gitlab

    if credential.token is None:
        raise no_token(place)
    auth = GitLabAuth(token=credential.token, kind="job" if credential.job else "private")
    gate = gates.of(place, credential, clock)
    return open_gitlab(
        place.host_url, place.path, auth=auth, ca=credential.ca, clock=clock, gate=gate
    )


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
            kind=place.kind,
            clock=clock,
        )
        try:
            yield forge
        finally:
            await forge.aclose()
