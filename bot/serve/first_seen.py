"""Asks registries, and remembers when a tag without any date was first seen.

The last of the dates that a minimum age may go by (`product.md` 10.12): kept in the store by
image, tag and digest, so that a tag that moves is young again. A store that fails costs the
date, which makes a tag younger and never older.

Must not know policies, nor SQL.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.store.memory import StoreUnavailableError
from bot.store.records import Sighting
from policies.policy import Fact, Facts

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.registry.scan import Scanner
    from bot.store.memory import Memory

_log = logging.getLogger(__name__)


class RememberingAsker:
    """A scanner with a memory of first sightings."""

    def __init__(self, scanner: Scanner, memory: Memory, clock: Clock) -> None:
        self._scanner = scanner
        self._memory = memory
        self._clock = clock

    async def tags(self, image: str) -> list[str]:
        """Return every tag of `image`."""
        return await self._scanner.tags(image)

    async def described(
        self, image: str, reference: str
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return annotations and labels of what a tag or digest names."""
        return await self._scanner.described(image, reference)

    async def facts(self, image: str, wanted: Mapping[str, frozenset[Fact]]) -> Mapping[str, Facts]:
        """Return what is known of each tag, with the first sighting where no push date is."""
        found = await self._scanner.facts(image, wanted)
        undated = [
            tag
            for tag, needs in wanted.items()
            if Fact.PUSHED in needs and Fact.PUSHED in found[tag].unavailable
        ]
        if not undated:
            return found
        named = await self._scanner.facts(image, dict.fromkeys(undated, frozenset({Fact.DIGEST})))
        sightings = {
            tag: Sighting(image=image, tag=tag, digest=named[tag].digest or "") for tag in undated
        }
        try:
            seen = await self._memory.see(list(sightings.values()), self._clock.now())
        except StoreUnavailableError as fault:
            _log.warning("first sighting not remembered", extra={"why": str(fault)})
            return found
        return {
            **found,
            **{tag: replace(found[tag], first_seen=seen[one]) for tag, one in sightings.items()},
        }
