"""One errand: a repository looked after once, with the operator's word and nobody else's.

The journey is the same as that of `pilotfish run`; what differs is who is trusted
(`product.md` 10.13 and 10.14): git imports nothing of a person, no path is a remote, a
repository's own file names no credential, and what the operator bounds is bounded.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot.config.bounds import narrowed
from bot.config.native import Trust
from bot.git.remote import open_remote
from bot.registry.scan import Scanner
from bot.serve.first_seen import RememberingAsker
from bot.serve.generation import access_for, forge_credential
from bot.serve.outcome import Outcome, of_report
from bot.update.forge_opening import Gates, app_token
from bot.update.forge_rule import place_of_forge
from bot.update.journey import run_on_remote
from bot.update.report import Request, World

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.config.model import Config, ForgeSettings
    from bot.config.server_model import RepositoryEntry
    from bot.git.names import Sha
    from bot.git.remote import Remote
    from bot.git.settings import GitAccess
    from bot.serve.generation import Generation
    from bot.store.memory import Memory
    from bot.update.forge_opening import ForgeCredential
    from bot.update.forge_rule import ForgePlace


class Repositories:
    """Opens and runs over the repositories of a configuration."""

    def __init__(
        self,
        *,
        memory: Memory,
        clock: Clock,
        cache_folder: Path,
        moved: Callable[[str, Sha], None],
    ) -> None:
        """Take the doors; `moved` hears of a base that is elsewhere than at the run before."""
        self._moved = moved
        self._gates = Gates()
        self._tips: dict[str, Sha] = {}
        self._memory = memory
        self._clock = clock
        self._cache_folder = cache_folder

    async def run(self, entry: RepositoryEntry, generation: Generation) -> Outcome:
        """Bring one repository up to date with its registries.

        Raises:
            ProductError: It could not be read, planned or written at all.
        """
        async with self.open(entry, generation) as remote:
            report = await run_on_remote(
                remote, Request(base=entry.branch), self.world(entry, generation)
            )
            if any(one.repository == entry.name for one in generation.config.targets):
                await self._look_at_tip(entry, remote)
        return of_report(entry.name, report)

    async def _look_at_tip(self, entry: RepositoryEntry, remote: Remote) -> None:
        branch = entry.branch or await remote.default_branch()
        tip = (await remote.heads()).get(branch)
        before = self._tips.get(entry.name)
        if tip is not None:
            self._tips[entry.name] = tip
            if before not in {None, tip}:
                self._moved(entry.name, tip)

    @contextlib.asynccontextmanager
    async def open(self, entry: RepositoryEntry, generation: Generation) -> AsyncIterator[Remote]:
        """Open a repository with the operator's credentials."""
        async with open_remote(
            entry.url,
            access=await self._access(entry, generation),
            cache_folder=self._cache_folder / "git",
            allow_file=False,
            clock=self._clock,
            import_person=False,
        ) as remote:
            yield remote

    async def _access(self, entry: RepositoryEntry, generation: Generation) -> GitAccess:
        access = access_for(entry, generation.folder)
        settings = entry.forge
        if settings is None or not settings.app_id or access.token is not None:
            return access
        place = place_of_forge(settings, entry.url)
        if place is None or place.kind != "github":
            return access
        credential = forge_credential(entry, settings, generation.folder)
        token = await app_token(place, credential, clock=self._clock, gates=self._gates)
        return replace(access, username="x-access-token", token=token)

    def world(self, entry: RepositoryEntry, generation: Generation) -> World:
        """Return the doors of a run over `entry`."""

        @contextlib.asynccontextmanager
        async def asker_for(_: Config) -> AsyncIterator[RememberingAsker]:
            scanner = Scanner(generation.client, self._clock, cache=generation.cache)
            yield RememberingAsker(scanner, self._memory, self._clock)

        def counts(own: Config) -> Config:
            return narrowed(
                own,
                limits=entry.limits,
                bounds=entry.bounds,
                registries=generation.config.registries,
                forge=entry.forge,
                commit=entry.commit,
            )

        def credential_for(settings: ForgeSettings, _: ForgePlace) -> ForgeCredential:
            return forge_credential(entry, settings, generation.folder)

        return World(
            asker_for=asker_for,
            credential_for=credential_for,
            gates=self._gates,
            clock=self._clock,
            trust=Trust.SERVER,
            counts=counts,
            folder=generation.folder,
        )
