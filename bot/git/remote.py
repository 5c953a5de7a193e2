"""One remote repository, open for the length of a run: read it, build commits, push them.

Git is the memory of this product, so everything here is safe to repeat, and nothing becomes
visible to others before `push`. There is no work tree: paths of a repository never become
paths of this machine. A damaged cache is set aside and fetched anew once, unseen by the caller.

Must not know policies, markers or proposals.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.git.cache import open_cache
from bot.git.command import open_git
from bot.git.faults import BranchMissingError, EmptyRemoteError
from bot.git.history import Change, Commit, is_ancestor, merge_base, read_commits
from bot.git.names import EntryKind, Identity, RefName, Sha, TreeEntry
from bot.git.pushing import PushResult
from bot.git.reading import (
    below,
    regular,
)
from bot.git.remote_url import Transport, parse_remote_url
from bot.git.session import TOO_LARGE, Session
from bot.git.settings import GitAccess
from bot.git.signing import Signer, Signing, open_signer
from bot.git.writing import Draft, build_commit

if TYPE_CHECKING:
    from bot.clock import Clock

NOTES_REF = "refs/notes/pilotfish"
NOTES_FILE = "holds.yaml"
NOTES_AUTHOR = Identity(name="pilotfish", email="pilotfish@localhost")
MAX_HISTORY = 10_000  # commits that one call looks back over, at most; arbitrary


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
        yield Remote(Session(git, cache, clock), stack)


class Remote:
    """One remote and its cache; made by `open_remote`.

    Methods raise `GitAccessError`, `HostKeyError`, `GitUnavailableError`, `DiskFullError` and
    `CorruptCacheError` besides what they name.
    """

    def __init__(self, session: Session, stack: contextlib.AsyncExitStack) -> None:
        self._session = session
        self._stack = stack
        self._signers: dict[int, tuple[Signing, Signer]] = {}

    @property
    def passed_over(self) -> dict[str, str]:
        """Return the paths that `marked_files` and `read` left out, and why."""
        return self._session.passed_over

    @property
    def url(self) -> str:
        """Return the address, which holds no secret."""
        return self._session.git.where

    # What is there

    async def default_branch(self) -> str:
        """Return the name of the branch that the remote calls its own.

        Raises:
            EmptyRemoteError: It has no commit yet.
            BranchMissingError: It names none that exists; there is no guess (FG23).
        """
        refs = await self._session.list_refs()
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
        return (await self._session.list_refs()).heads(prefix)

    def look_again(self) -> None:
        """Take nothing for granted that was seen of branches: another door moved one."""
        self._session.forget_refs()

    async def fetch(self, *branches: str) -> dict[str, Sha]:
        """Return the commits of `branches`, all here now; a branch that is gone is left out."""
        names = {RefName(branch).ref: branch for branch in branches}
        found = await self._session.healed(lambda: self._session.fetch(list(names)))
        return {names[ref]: sha for ref, sha in found.items()}

    async def files(self, commit: Sha, paths: Sequence[str] = ()) -> list[TreeEntry]:
        """Return the entries at or below `paths`, or all: files, links and submodules.

        Raises:
            InvalidName: A path leaves the repository.
        """
        return below(await self._session.tree(commit), paths)

    async def read(self, commit: Sha, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the content of regular files; paths that are none are left out.

        Left out as well, with the reason in `passed_over`, are files beyond 32 MiB.
        """
        wanted = set(paths)
        entries = [e for e in await self._session.tree(commit) if e.path in wanted]
        entries = regular(entries, lambda _path: True)
        contents = await self.read_blobs([e.sha for e in entries])
        for entry in entries:
            if entry.sha not in contents:
                self._session.passed_over[entry.path] = TOO_LARGE
        return {e.path: contents[e.sha] for e in entries if e.sha in contents}

    async def read_blobs(self, blobs: Sequence[Sha]) -> dict[Sha, bytes]:
        """Return contents by blob id; those that are not here come in one request.

        Blobs beyond 32 MiB are left out.
        """
        return await self._session.healed(lambda: self._session.read_all(blobs))

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
        return await self._session.healed(lambda: self._session.search(entries, needles))

    # What was

    async def first_parents(
        self, commit: Sha, *, limit: int, with_changes: bool = False, paths: Sequence[str] = ()
    ) -> list[Commit]:
        """Return `commit` and up to `limit - 1` first parents, newest first.

        With `with_changes` each carries what it changed against its first parent; with
        `paths` only commits and changes that touch one of them. History that is not here is
        fetched; on a server that cannot leave blobs out at most 1,250 commits further back.
        """
        return await self._session.healed(
            lambda: self._first_parents(commit, min(limit, MAX_HISTORY), with_changes, paths)
        )

    async def commits_between(self, base: Sha, tip: Sha) -> list[Commit]:
        """Return the commits that `tip` has and `base` has not, newest first."""
        await self.merge_base(base, tip)  # deepens as far as the two need
        return await self._session.healed(
            lambda: read_commits(self._session.git, [tip, f"^{base}"], limit=MAX_HISTORY)
        )

    async def changes(self, commit: Sha) -> Mapping[str, Change]:
        """Return what `commit` changed against its first parent, by path."""
        (found,) = await self.first_parents(commit, limit=1, with_changes=True)
        return found.changes

    async def message(self, commit: Sha) -> str:
        """Return the message of `commit`."""
        (found,) = await self._session.healed(
            lambda: read_commits(self._session.git, [commit], limit=1)
        )
        return found.message

    async def is_ancestor(self, old: Sha, new: Sha) -> bool:
        """Tell whether `old` is `new` or one of its ancestors; a no within the bound above."""
        return await self._session.healed(
            lambda: self._session.deepened(
                lambda: is_ancestor(self._session.git, old, new), lambda yes: yes
            )
        )

    async def merge_base(self, one: Sha, other: Sha) -> Sha | None:
        """Return the best common ancestor, None when there is none within the bound above."""
        return await self._session.healed(
            lambda: self._session.deepened(
                lambda: merge_base(self._session.git, one, other), lambda sha: sha is not None
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
        tree = await self._session.tree(parent)
        signer = await self._signer(signing) if signing is not None else None
        return await build_commit(self._session.git, draft, tree, signer=signer)

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
        return await self._session.move(RefName(branch).ref, expected, new)

    async def delete(self, branch: str, *, expected: Sha) -> PushResult:
        """Delete `branch` if it is still at `expected`; gone already is as good.

        Raises:
            MovedError: The branch is elsewhere; it was left alone.
            PushRefusedError: A hook or a rule of the remote refuses.
        """
        return await self._session.move(RefName(branch).ref, expected, None)

    # What people said

    async def notes_tip(self) -> Sha | None:
        """Return the commit of the notes, None when there are none."""
        return (await self._session.list_refs()).commits.get(NOTES_REF)

    async def read_notes(self) -> bytes | None:
        """Return the text of the notes' one file, None when there is none."""
        found = await self._session.healed(lambda: self._session.fetch([NOTES_REF]))
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
            await self._session.healed(lambda: self._session.fetch([NOTES_REF]))
        tree = await self._session.tree(expected) if expected is not None else ()
        draft = Draft(
            parent=expected,
            edits={NOTES_FILE: text},
            message=message,
            author=author,
            when=when or self._session.clock.now(),
        )
        new = await build_commit(self._session.git, draft, tree, signer=None)
        if new is None:
            assert expected is not None  # noqa: S101  # without a parent every edit is new
            return expected
        await self._session.move(NOTES_REF, expected, new)
        return new

    async def _first_parents(
        self, commit: Sha, limit: int, with_changes: bool, paths: Sequence[str]
    ) -> list[Commit]:
        session = self._session

        def is_whole(found: list[Commit]) -> bool:
            # The last commit of a cut history looks like a root that added everything.
            return len(found) == limit and not session.is_cut_at(found[-1].sha)

        found = await session.deepened(
            lambda: read_commits(
                session.git,
                [commit],
                limit=limit,
                first_parents=True,
                with_changes=with_changes,
                paths=paths,
            ),
            is_whole,
        )
        if with_changes and found and session.is_cut_at(found[-1].sha):
            return found[:-1]
        return found

    async def _signer(self, signing: Signing) -> Signer:
        kept = self._signers.get(id(signing))
        if kept is None:
            kept = (
                signing,
                await self._stack.enter_async_context(open_signer(self._session.git, signing)),
            )
            self._signers[id(signing)] = kept
        return kept[1]


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
