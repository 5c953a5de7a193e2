"""What the branches under our prefix are: ours, edited, foreign, merged.

With plain Git a branch is ours when its head carries our trailers and the recorded plan
reproduces its diff (`product.md` 10.9); never by anything that we remember.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.config.slugs import slug
from bot.errors import RefusedError
from bot.planning.message import read_trailers_of_ours
from bot.proposals.lifecycle import OpenBranch, Standing
from bot.rewrite.splice import edit_file
from bot.rewrite.tree import find_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.git.names import Sha
    from bot.git.remote import Commit, Remote
    from bot.planning.remembered import ChangeRecord
    from bot.rewrite.fields import Field

_MAX_BASE_COMMITS = 300  # how far back a merge is looked for; further back it is foreign
_CONTEXT_LINES = 3  # git merges what is one line apart; three as its diffs show
_MAX_SIDE_COMMITS = 200  # a person's commits on a proposal that we look through; arbitrary


async def examine(remote: Remote, base: Sha, heads: Mapping[str, Sha]) -> dict[str, OpenBranch]:
    """Return what each branch of `heads` is; all must have been fetched."""
    return {
        branch: await _examine_one(remote, base, branch, head) for branch, head in heads.items()
    }


async def _examine_one(remote: Remote, base: Sha, branch: str, head: Sha) -> OpenBranch:
    (commit,) = await remote.first_parents(head, limit=1, with_changes=True)
    recorded = read_trailers_of_ours(commit.trailers)
    if await remote.is_ancestor(head, base):
        # A branch that a person made at the base's own head is theirs, not a merged one.
        key = recorded[0] if recorded else await _key_of_merged_side(remote, base, branch, head)
        standing = Standing.FOREIGN if key is None else Standing.MERGED
        return OpenBranch(branch=branch, head=head, standing=standing, key=key or "")
    if recorded is not None and await _reproduces(remote, commit, recorded[1]):
        key, changes = recorded
        return OpenBranch(
            branch=branch,
            head=head,
            standing=Standing.OURS,
            key=key,
            changes=changes,
            conflicts=await _conflicts(remote, base, commit, changes),
            behind=commit.parents[0] != base,
        )
    return await _not_as_made(remote, base, branch, head)


async def _key_of_merged_side(remote: Remote, base: Sha, branch: str, head: Sha) -> str | None:
    """Return the key of a proposal that a person pushed to before it was merged.

    Its head is not on the base's own line, and one of our commits lies between the two.
    """
    line = {one.sha for one in await remote.first_parents(base, limit=_MAX_BASE_COMMITS)}
    for earlier in await remote.first_parents(head, limit=_MAX_SIDE_COMMITS):
        if earlier.sha in line:
            return None
        ours = read_trailers_of_ours(earlier.trailers)
        if ours is not None and branch.endswith(f"/{slug(ours[0])}"):
            return ours[0]
    return None


async def _not_as_made(remote: Remote, base: Sha, branch: str, head: Sha) -> OpenBranch:
    """Tell a branch of ours that a person pushed to from one that we never made."""
    side = await remote.commits_between(base, head)
    for earlier in side[:_MAX_SIDE_COMMITS]:
        ours = read_trailers_of_ours(earlier.trailers)
        if ours is not None:
            return OpenBranch(
                branch=branch, head=head, standing=Standing.EDITED, key=ours[0], changes=ours[1]
            )
    return OpenBranch(branch=branch, head=head, standing=Standing.FOREIGN)


async def _reproduces(remote: Remote, commit: Commit, changes: frozenset[ChangeRecord]) -> bool:
    """Return whether making `changes` on the commit's parent gives exactly the commit."""
    if len(commit.parents) != 1:
        return False
    touched = set(commit.changes)
    files = {one.file for one in changes}
    if touched != files:
        return False
    before = await remote.read(commit.parents[0], sorted(files))
    after = await remote.read(commit.sha, sorted(files))
    for file in files:
        if file not in before or file not in after:
            return False
        edits = _edits(file, before[file], [one for one in changes if one.file == file])
        if edits is None:
            return False
        try:
            made = edit_file(file, before[file], edits)
        except RefusedError:
            return False
        if made != after[file]:
            return False
    return True


def _edits(file: str, text: bytes, changes: list[ChangeRecord]) -> list[tuple[Field, str]] | None:
    """Return the edits that `changes` name, `None` where one names no field."""
    found = find_fields([(file, text)]).fields
    fields = [*found, *(one.companion for one in found if one.companion is not None)]
    edits: list[tuple[Field, str]] = []
    for change in changes:
        field = next(
            (one for one in fields if (one.line, one.value) == (change.line, change.old)), None
        )
        if field is None:
            return None
        fields.remove(field)
        edits.append((field, change.new))
    return edits


async def _conflicts(
    remote: Remote, base: Sha, commit: Commit, changes: frozenset[ChangeRecord]
) -> bool:
    """Return whether the base moved what stands at a change, or near it, since it was made.

    Many images stand in one file, and each merge of one of them moves it: where git merges the
    rest by itself it stays as it is, with the checks and approvals that it has.
    """
    parent = commit.parents[0]
    if parent == base:
        return False
    files = sorted({one.file for one in changes})
    before, now = await remote.read(parent, files), await remote.read(base, files)
    return any(
        before.get(file) != now.get(file)
        and not _stands_apart(before.get(file), now.get(file), lines)
        for file in files
        if (lines := [one.line for one in changes if one.file == file])
    )


def _stands_apart(before: bytes | None, now: bytes | None, lines: Iterable[int]) -> bool:
    """Return whether only lines far from `lines`, counted from 1, changed in place."""
    if before is None or now is None:
        return False
    old, new = before.split(b"\n"), now.split(b"\n")
    return len(old) == len(new) and all(
        old[max(0, line - 1 - _CONTEXT_LINES) : line + _CONTEXT_LINES]
        == new[max(0, line - 1 - _CONTEXT_LINES) : line + _CONTEXT_LINES]
        for line in lines
    )
