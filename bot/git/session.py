"""What is known of a remote while it is open: its refs, fetched commits, trees; and its healing.

Refs are asked for again after five seconds and after every push. Damage of the cache found by
any reading is healed here, once: the cache is set aside, fetched anew, and the reading repeated.

Must not know what the caller is reading for.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from bot.git.faults import CorruptCacheError, MovedError
from bot.git.fetching import (
    DEEPEN_STEPS,
    Refs,
    deepen,
    fetch_blobs,
    fetch_refs,
    kept_commits,
    list_refs,
)
from bot.git.pushing import Move, PushResult, move_ref
from bot.git.reading import MAX_BLOB_BYTES, blob_sizes, list_tree, read_blobs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bot.clock import Clock
    from bot.git.cache import Cache
    from bot.git.command import Git
    from bot.git.names import Sha, TreeEntry

TOO_LARGE = "larger than 32 MiB"

_REFS_FRESH_S = 5.0
_KEPT_TREES = 4

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class Session:
    """One git, one cache, and what was learned since they were opened."""

    def __init__(self, git: Git, cache: Cache, clock: Clock) -> None:
        self.git = git
        self.clock = clock
        self.passed_over: dict[str, str] = {}
        self._cache = cache
        self._refs: tuple[float, Refs] | None = None
        self._fetched: dict[str, Sha] = {}
        self._trees: dict[Sha, tuple[TreeEntry, ...]] = {}
        self._steps = list(DEEPEN_STEPS)
        self._was_healed = False

    async def list_refs(self) -> Refs:
        """Return the remote's refs as they were at most five seconds ago."""
        now = self.clock.monotonic_s()
        if self._refs is None or now - self._refs[0] > _REFS_FRESH_S:
            refs = await self.healed(lambda: list_refs(self.git, self._cache, self.clock))
            self._refs = (self.clock.monotonic_s(), refs)
        return self._refs[1]

    def forget_refs(self) -> None:
        """Have the refs listed anew when they are asked for next."""
        self._refs = None

    async def fetch(self, names: list[str]) -> dict[str, Sha]:
        """Return the commits of refs by full name, all here now; a ref that is gone is left out."""
        refs = await self.list_refs()
        wanted = {name: refs.commits[name] for name in names if name in refs.commits}
        if wanted:
            found = await kept_commits(self.git, list(wanted))
            if found != wanted:
                try:
                    found = await fetch_refs(self.git, self._cache, self.clock, wanted)
                except MovedError:
                    self._refs = None  # one went away since the refs were listed
                    left = (await self.list_refs()).commits
                    wanted = {name: left[name] for name in wanted if name in left}
                    found = await fetch_refs(self.git, self._cache, self.clock, wanted)
            self._fetched |= found
            return found
        return {}

    async def tree(self, commit: Sha) -> tuple[TreeEntry, ...]:
        """Return the entries of `commit`; the last few trees are kept."""
        if commit not in self._trees:
            tree = await self.healed(lambda: list_tree(self.git, commit))
            while len(self._trees) >= _KEPT_TREES:
                del self._trees[next(iter(self._trees))]
            self._trees[commit] = tree
        return self._trees[commit]

    async def _have(self, blobs: Sequence[Sha]) -> dict[Sha, int]:
        """Return the sizes of `blobs` once they are here, without those that are too large."""
        sizes, missing = await blob_sizes(self.git, blobs)
        if missing:
            await fetch_blobs(self.git, self.clock, missing)
            more, still_missing = await blob_sizes(self.git, missing)
            if still_missing:
                raise CorruptCacheError(
                    f"{len(still_missing)} objects are missing from the cached copy",
                    where=self.git.where,
                    hint="It is fetched anew; if this stays, look at the server's repository",
                )
            sizes |= more
        return {sha: size for sha, size in sizes.items() if size <= MAX_BLOB_BYTES}

    async def read_all(self, blobs: Sequence[Sha]) -> dict[Sha, bytes]:
        """Return contents by blob id, without those that are too large."""
        sizes = await self._have(blobs)
        return {sha: content async for sha, content in read_blobs(self.git, sizes)}

    async def search(
        self, entries: Sequence[TreeEntry], needles: Sequence[bytes]
    ) -> list[tuple[str, bytes]]:
        """Return path and content of the entries that hold one of `needles`."""
        known = self._cache.unmarked(needles)
        sizes = await self._have([e.sha for e in entries if e.sha not in known])
        marked: dict[Sha, bytes] = {}
        learned: set[Sha] = set()
        async for sha, content in read_blobs(self.git, sizes):
            if any(needle in content for needle in needles):
                marked[sha] = content
            else:
                learned.add(sha)
        if learned:
            self._cache.remember_unmarked(needles, known | learned)
        for entry in entries:
            if entry.sha not in known and entry.sha not in sizes:
                self.passed_over[entry.path] = TOO_LARGE
        return [(e.path, marked[e.sha]) for e in entries if e.sha in marked]

    async def deepened(
        self, work: Callable[[], Awaitable[_T]], is_enough: Callable[[_T], bool]
    ) -> _T:
        """Repeat `work` on a longer history until it is enough, complete, or at the bound."""
        found = await work()
        while self._steps and self._cache.is_shallow and not is_enough(found):
            await deepen(self.git, self.clock, self._fetched, by=self._steps.pop(0))
            found = await work()
        return found

    async def move(self, ref: str, expected: Sha | None, new: Sha | None) -> PushResult:
        """Move a ref of the remote as `bot.git.pushing.move_ref` does."""
        self._refs = None
        try:
            return await move_ref(self.git, self.clock, Move(ref=ref, expected=expected, new=new))
        except CorruptCacheError as fault:
            # What was to be pushed is gone with the cache; it is planned and built again.
            await self._start_over()
            raise MovedError(
                "the cached copy was damaged before the push", where=self.git.where, hint=fault.hint
            ) from fault

    async def healed(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Return what `work` returns; a damaged cache is fetched anew, once."""
        try:
            return await work()
        except CorruptCacheError as fault:
            if self._was_healed:
                raise
            _log.warning(
                "cache damaged, fetching anew", extra={"remote": self.git.where, "why": fault.what}
            )
            await self._start_over()
            return await work()

    async def _start_over(self) -> None:
        self._was_healed = True
        self._refs = None
        self._trees.clear()
        can_filter = self._cache.can_filter
        self._cache.set_aside()
        self._cache.prepare()
        if can_filter is not None:
            self._cache.remember_filter(can_filter)
        if self._fetched:
            await self.fetch(list(self._fetched))

    def is_cut_at(self, commit: Sha) -> bool:
        """Tell whether `commit` has parents that were not fetched."""
        return commit in self._cache.shallow_commits()
