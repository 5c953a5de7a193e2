"""One remote repository, open for the length of a run: read it, build commits, push them.

Git is the memory of this product, so everything here is safe to repeat, and nothing becomes
visible to others before `push`. There is no work tree: paths of a repository never become
paths of this machine. A damaged cache is set aside and fetched anew once, unseen by the caller.

Must not know policies, markers or proposals.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bot.errors import ConfigError
from bot.git.cache import Cache, open_cache
from bot.git.command import Git, open_git
from bot.git.faults import BranchMissingError, CorruptCacheError, EmptyRemoteError, MovedError
from bot.git.fetching import (
    DEEPEN_STEPS,
    Refs,
    deepen,
    fetch_blobs,
    fetch_refs,
    kept_commits,
    list_refs,
)
from bot.git.history import Change, Commit, has_commit, is_ancestor, merge_base, read_commits
from bot.git.names import EntryKind, Identity, RefName, Sha, TreeEntry
from bot.git.pushing import Move, PushResult, move_ref
from bot.git.reading import (
    MAX_BLOB_BYTES,
    below,
    blob_sizes,
    list_tree,
    read_blobs,
    regular,
)
from bot.git.remote_url import Transport, parse_remote_url
from bot.git.settings import GitAccess
from bot.git.signing import Signer, Signing, open_signer
from bot.git.writing import Draft, build_commit

if TYPE_CHECKING:
    from bot.clock import Clock

NOTES_REF = "refs/notes/pilotfish"
NOTES_FILE = "holds.yaml"
NOTES_AUTHOR = Identity(name="pilotfish", email="pilotfish@localhost")
MAX_HISTORY = 10_000  # commits that one call looks back over, at most; arbitrary

_REFS_FRESH_S = 5.0
_KEPT_TREES = 4

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def open_remote(
    url: str,
    *,
    access: GitAccess,
    cache_folder: Path | None,
    allow_file: bool,
    clock: Clock,
    import_person: bool,
    person_folder: Path | None = None,
) -> AsyncIterator[Remote]:
    """Give the remote at `url`, with its cache locked for us alone until it is closed.

    Nothing is fetched yet. `allow_file` is for an address from the command line;
    `import_person` for commands that a person or CI job runs, who stands in `person_folder`.

    Raises:
        InvalidRemoteUrl: An address we do not speak to.
        GitTooOldError: git is older than 2.34.
        GitUnavailableError: Another process keeps the cache.
        DiskFullError: The cache cannot be written.
    """
    address = parse_remote_url(url)
    if address.kind is Transport.FILE and not allow_file:
        raise ConfigError(
            "a path cannot be a remote here",
            where=address.text,
            hint="Paths and file:// work for --repository on the command line only",
        )
    async with contextlib.AsyncExitStack() as stack:
        cache = await stack.enter_async_context(
            open_cache(address, cache_folder=cache_folder, clock=clock)
        )
        git = await stack.enter_async_context(
            open_git(
                cache.git,
                address,
                access=access,
                allow_file=allow_file,
                import_person=import_person,
                person_folder=person_folder,
            )
        )
        yield Remote(git, cache, clock, stack)


class Remote:
    """One remote and its cache; made by `open_remote`.

    Methods raise `GitAccessError`, `HostKeyError`, `GitUnavailableError`, `DiskFullError` and
    `CorruptCacheError` besides what they name.
    """

    def __init__(
        self, git: Git, cache: Cache, clock: Clock, stack: contextlib.AsyncExitStack
    ) -> None:
        self._git = git
        self._cache = cache
        self._clock = clock
        self._stack = stack
        self._refs: tuple[float, Refs] | None = None
        self._fetched: dict[str, Sha] = {}
        self._trees: dict[Sha, tuple[TreeEntry, ...]] = {}
        self._signers: dict[int, tuple[Signing, Signer]] = {}
        self._was_healed = False
        self.passed_over: dict[str, str] = {}
        """Paths that `marked_files` and `read` left out, and why."""

    @property
    def url(self) -> str:
        """Return the address, which holds no secret."""
        return self._git.where

    # What is there

    async def default_branch(self) -> str:
        """Return the name of the branch that the remote calls its own.

        Raises:
            EmptyRemoteError: It has no commit yet.
            BranchMissingError: It names none that exists; there is no guess (FG23).
        """
        refs = await self._list_refs()
        heads = refs.heads()
        if not heads:
            raise EmptyRemoteError(
                "the repository has no commits",
                where=self.url,
                hint="Push a first commit, then run this again",
            )
        if refs.default is None or refs.default not in heads:
            raise BranchMissingError(
                "the repository's default branch does not exist",
                where=self.url,
                hint="Set the default branch on the server, or name a branch",
            )
        return str(refs.default)

    async def heads(self, prefix: str = "") -> dict[str, Sha]:
        """Return the branches that begin with `prefix`, as seen in the last five seconds."""
        return (await self._list_refs()).heads(prefix)

    async def fetch(self, *branches: str) -> dict[str, Sha]:
        """Return the commits of `branches`, all here now; a branch that is gone is left out."""
        names = {RefName(branch).ref: branch for branch in branches}
        found = await self._healed(lambda: self._fetch(list(names)))
        return {names[ref]: sha for ref, sha in found.items()}

    async def files(self, commit: Sha, paths: Sequence[str] = ()) -> list[TreeEntry]:
        """Return the entries at or below `paths`, or all: files, links and submodules.

        Raises:
            InvalidName: A path leaves the repository.
        """
        return below(await self._tree(commit), paths)

    async def read(self, commit: Sha, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the content of regular files; paths that are none are left out.

        Left out as well, with the reason in `passed_over`, are files beyond 32 MiB.
        """
        wanted = set(paths)
        entries = [e for e in await self._tree(commit) if e.path in wanted]
        entries = regular(entries, lambda _path: True)
        contents = await self.read_blobs([e.sha for e in entries])
        for entry in entries:
            if entry.sha not in contents:
                self.passed_over[entry.path] = "larger than 32 MiB"
        return {e.path: contents[e.sha] for e in entries if e.sha in contents}

    async def read_blobs(self, blobs: Sequence[Sha]) -> dict[Sha, bytes]:
        """Return contents by blob id; those that are not here come in one request.

        Blobs beyond 32 MiB are left out.
        """
        return await self._healed(lambda: self._read_all(blobs))

    async def marked_files(
        self,
        commit: Sha,
        paths: Sequence[str],
        needles: Sequence[bytes],
        accepts: Callable[[str], bool],
    ) -> list[tuple[str, bytes]]:
        """Return path and content of the accepted regular files that hold one of `needles`.

        In the order of the tree. Which blobs hold none is remembered between runs.
        """
        entries = regular(await self.files(commit, paths), accepts)
        return await self._healed(lambda: self._search(entries, needles))

    # What was

    async def first_parents(
        self, commit: Sha, *, limit: int, with_changes: bool = False, paths: Sequence[str] = ()
    ) -> list[Commit]:
        """Return `commit` and up to `limit - 1` first parents, newest first.

        With `with_changes` each carries what it changed against its first parent; with
        `paths` only commits and changes that touch one of them. History that is not here is
        fetched; on a server that cannot leave blobs out at most 1,250 commits further back.
        """
        return await self._healed(
            lambda: self._first_parents(commit, min(limit, MAX_HISTORY), with_changes, paths)
        )

    async def commits_between(self, base: Sha, tip: Sha) -> list[Commit]:
        """Return the commits that `tip` has and `base` has not, newest first."""
        await self.merge_base(base, tip)  # deepens as far as the two need
        return await self._healed(
            lambda: read_commits(self._git, [tip, f"^{base}"], limit=MAX_HISTORY)
        )

    async def changes(self, commit: Sha) -> Mapping[str, Change]:
        """Return what `commit` changed against its first parent, by path."""
        (found,) = await self.first_parents(commit, limit=1, with_changes=True)
        return found.changes

    async def has(self, commit: Sha) -> bool:
        """Tell whether `commit` is here, without fetching anything.

        Reading a commit that is not counts as damage of the cache and fetches it all anew, so
        ask first where an id comes from elsewhere (a trailer, say).
        """
        return await self._healed(lambda: has_commit(self._git, commit))

    async def message(self, commit: Sha) -> str:
        """Return the message of `commit`."""
        (found,) = await self._healed(lambda: read_commits(self._git, [commit], limit=1))
        return found.message

    async def is_ancestor(self, old: Sha, new: Sha) -> bool:
        """Tell whether `old` is `new` or one of its ancestors; a no within the bound above."""
        return await self._healed(
            lambda: self._deepened(lambda: is_ancestor(self._git, old, new), lambda yes: yes)
        )

    async def merge_base(self, one: Sha, other: Sha) -> Sha | None:
        """Return the best common ancestor, None when there is none within the bound above."""
        return await self._healed(
            lambda: self._deepened(
                lambda: merge_base(self._git, one, other), lambda sha: sha is not None
            )
        )

    # What shall be

    async def commit(
        self,
        parent: Sha,
        edits: Mapping[str, bytes],
        *,
        message: str,
        author: Identity,
        when: datetime,
        signing: Signing | None = None,
    ) -> Sha | None:
        """Build a commit on `parent` in the cache; None when no byte would change.

        Nothing is published. Author and committer are the same.

        Raises:
            UnsafeEditError: An edit names a link, a submodule, or a path outside.
            SigningError: It must be signed and cannot be.
        """
        draft = Draft(parent=parent, edits=edits, message=message, author=author, when=when)
        tree = await self._tree(parent)
        signer = await self._signer(signing) if signing is not None else None
        return await build_commit(self._git, draft, tree, signer=signer)

    async def verify(self, commit: Sha, signing: Signing) -> None:
        """Return when git finds a good signature by the key of `signing` on `commit`.

        Raises:
            SigningError: There is none.
        """
        await (await self._signer(signing)).verify(commit)

    async def push(self, branch: str, new: Sha, *, expected: Sha | None) -> PushResult:
        """Move `branch` from `expected`, or create it when that is None.

        Safe to repeat with the same commit, whatever happened the first time.

        Raises:
            MovedError: The branch is elsewhere; it was left alone.
            PushRefusedError: A hook or a rule of the remote refuses.
        """
        return await self._move(RefName(branch).ref, expected, new)

    async def delete(self, branch: str, *, expected: Sha) -> PushResult:
        """Delete `branch` if it is still at `expected`; gone already is as good.

        Raises:
            MovedError: The branch is elsewhere; it was left alone.
            PushRefusedError: A hook or a rule of the remote refuses.
        """
        return await self._move(RefName(branch).ref, expected, None)

    # What people said

    async def notes_tip(self) -> Sha | None:
        """Return the commit of the notes, None when there are none."""
        return (await self._list_refs()).commits.get(NOTES_REF)

    async def read_notes(self) -> bytes | None:
        """Return the text of the notes' one file, None when there is none."""
        found = await self._healed(lambda: self._fetch([NOTES_REF]))
        tip = found.get(NOTES_REF)
        return (await self.read(tip, [NOTES_FILE])).get(NOTES_FILE) if tip else None

    async def write_notes(
        self,
        text: bytes,
        *,
        message: str,
        expected: Sha | None,
        author: Identity = NOTES_AUTHOR,
        when: datetime | None = None,
    ) -> Sha:
        """Replace the notes' text on top of `expected` (`notes_tip`) and push it.

        Returns the new tip, or `expected` when the text is the same.

        Raises:
            MovedError: Someone else wrote meanwhile; read again and repeat.
            PushRefusedError: The remote takes no such ref.
        """
        if expected is not None:
            await self._healed(lambda: self._fetch([NOTES_REF]))
        tree = await self._tree(expected) if expected is not None else ()
        draft = Draft(
            parent=expected,
            edits={NOTES_FILE: text},
            message=message,
            author=author,
            when=when or self._clock.now(),
        )
        new = await build_commit(self._git, draft, tree, signer=None)
        if new is None:
            assert expected is not None  # noqa: S101  # without a parent every edit is new
            return expected
        await self._move(NOTES_REF, expected, new)
        return new

    # How

    async def _list_refs(self) -> Refs:
        now = self._clock.monotonic_s()
        if self._refs is None or now - self._refs[0] > _REFS_FRESH_S:
            refs = await self._healed(lambda: list_refs(self._git, self._cache, self._clock))
            self._refs = (self._clock.monotonic_s(), refs)
        return self._refs[1]

    async def _fetch(self, names: list[str]) -> dict[str, Sha]:
        refs = await self._list_refs()
        wanted = {name: refs.commits[name] for name in names if name in refs.commits}
        if wanted:
            found = await kept_commits(self._git, list(wanted))
            if found != wanted:
                found = await fetch_refs(self._git, self._cache, self._clock, wanted)
            self._fetched |= found
            return found
        return {}

    async def _tree(self, commit: Sha) -> tuple[TreeEntry, ...]:
        if commit not in self._trees:
            tree = await self._healed(lambda: list_tree(self._git, commit))
            while len(self._trees) >= _KEPT_TREES:
                del self._trees[next(iter(self._trees))]
            self._trees[commit] = tree
        return self._trees[commit]

    async def _have(self, blobs: Sequence[Sha]) -> dict[Sha, int]:
        """Return the sizes of `blobs` once they are here, without those that are too large."""
        sizes, missing = await blob_sizes(self._git, blobs)
        if missing:
            await fetch_blobs(self._git, self._clock, missing)
            more, still_missing = await blob_sizes(self._git, missing)
            if still_missing:
                raise CorruptCacheError(
                    f"{len(still_missing)} objects are missing from the cached copy",
                    where=self.url,
                    hint="It is fetched anew; if this stays, look at the server's repository",
                )
            sizes |= more
        return {sha: size for sha, size in sizes.items() if size <= MAX_BLOB_BYTES}

    async def _read_all(self, blobs: Sequence[Sha]) -> dict[Sha, bytes]:
        sizes = await self._have(blobs)
        return {sha: content async for sha, content in read_blobs(self._git, sizes)}

    async def _search(
        self, entries: Sequence[TreeEntry], needles: Sequence[bytes]
    ) -> list[tuple[str, bytes]]:
        known = self._cache.unmarked(needles)
        sizes = await self._have([e.sha for e in entries if e.sha not in known])
        marked: dict[Sha, bytes] = {}
        learned: set[Sha] = set()
        async for sha, content in read_blobs(self._git, sizes):
            if any(needle in content for needle in needles):
                marked[sha] = content
            else:
                learned.add(sha)
        if learned:
            self._cache.remember_unmarked(needles, known | learned)
        for entry in entries:
            if entry.sha not in known and entry.sha not in sizes:
                self.passed_over[entry.path] = "larger than 32 MiB"
        return [(e.path, marked[e.sha]) for e in entries if e.sha in marked]

    async def _first_parents(
        self, commit: Sha, limit: int, with_changes: bool, paths: Sequence[str]
    ) -> list[Commit]:
        def is_whole(found: list[Commit]) -> bool:
            # The last commit of a cut history looks like a root that added everything.
            return len(found) == limit and found[-1].sha not in self._cache.shallow_commits()

        found = await self._deepened(
            lambda: read_commits(
                self._git,
                [commit],
                limit=limit,
                first_parents=True,
                with_changes=with_changes,
                paths=paths,
            ),
            is_whole,
        )
        if with_changes and found and found[-1].sha in self._cache.shallow_commits():
            return found[:-1]
        return found

    async def _deepened(
        self, work: Callable[[], Awaitable[_T]], is_enough: Callable[[_T], bool]
    ) -> _T:
        """Repeat `work` on a longer history until it is enough, complete, or at the bound."""
        found = await work()
        for step in DEEPEN_STEPS:
            if not self._cache.is_shallow or is_enough(found):
                break
            await deepen(self._git, self._clock, self._fetched, by=step)
            found = await work()
        return found

    async def _signer(self, signing: Signing) -> Signer:
        kept = self._signers.get(id(signing))
        if kept is None:
            kept = (signing, await self._stack.enter_async_context(open_signer(self._git, signing)))
            self._signers[id(signing)] = kept
        return kept[1]

    async def _move(self, ref: str, expected: Sha | None, new: Sha | None) -> PushResult:
        self._refs = None
        try:
            return await move_ref(self._git, self._clock, Move(ref=ref, expected=expected, new=new))
        except CorruptCacheError as fault:
            # What was to be pushed is gone with the cache; it is planned and built again.
            await self._start_over()
            raise MovedError(
                "the cached copy was damaged before the push", where=self.url, hint=fault.hint
            ) from fault

    async def _healed(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Return what `work` returns; a damaged cache is fetched anew, once."""
        try:
            return await work()
        except CorruptCacheError as fault:
            if self._was_healed:
                raise
            _log.warning(
                "cache damaged, fetching anew", extra={"remote": self.url, "why": fault.what}
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
            await self._fetch(list(self._fetched))


__all__ = [
    "NOTES_REF",
    "Change",
    "Commit",
    "EntryKind",
    "GitAccess",
    "Identity",
    "PushResult",
    "RefName",
    "Remote",
    "Sha",
    "Signing",
    "TreeEntry",
    "open_remote",
]
