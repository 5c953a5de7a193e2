"""What people decided: holds kept on the remote, and versions they took back in history.

Reads only; what it finds is judged by `bot/planning/`. History is read along the first
parents of the base, for the files that are marked now, and no further than `HISTORY_COMMITS`
commits that touch them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.git.names import Sha
from bot.planning.message import recorded_changes
from bot.planning.reverts import FieldMove, PastCommit, moves_between, reverted
from bot.rewrite.tree import find_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.git.remote import Commit, Remote
    from bot.planning.plan import Binding
    from bot.planning.remembered import ChangeRecord, HoldRecord
    from bot.rewrite.fields import Field

HISTORY_COMMITS = 300  # commits that touch a marked file; a revert further back is forgotten
_MAX_ASKED = 20  # falls whose proposal is asked for; the others count as a person's

RecordedBy = Callable[["Sha"], Awaitable[frozenset["ChangeRecord"]]]


async def find_reverts(
    remote: Remote,
    tip: Sha,
    bindings: Sequence[Binding],
    recorded_by: RecordedBy | None = None,
) -> list[HoldRecord]:
    """Return a hold for every version that a person took back on the base's own line.

    `recorded_by` is asked about commits that let a version fall without a word of ours: a forge
    that squashes may have lost it.
    """
    past = await read_past(remote, tip, bindings)
    if recorded_by is not None:
        past = await _with_proposals(past, bindings, recorded_by)
    return reverted(past, bindings)


async def _with_proposals(
    past: list[PastCommit], bindings: Sequence[Binding], recorded_by: RecordedBy
) -> list[PastCommit]:
    asked = 0
    told: list[PastCommit] = []
    for commit in past:
        if asked < _MAX_ASKED and reverted([commit], bindings):
            asked += 1
            more = await recorded_by(Sha(commit.sha))
            told.append(replace(commit, recorded=commit.recorded | more))
        else:
            told.append(commit)
    return told


async def read_past(remote: Remote, tip: Sha, bindings: Sequence[Binding]) -> list[PastCommit]:
    """Return the commits on the base's own line that moved a marked field, newest first."""
    files = sorted({one.field.file for one in bindings})
    if not files:
        return []
    commits = await remote.first_parents(tip, limit=HISTORY_COMMITS, with_changes=True, paths=files)
    texts = await _texts(remote, commits)
    parsed: dict[tuple[str, Sha], tuple[Field, ...]] = {}

    def fields(file: str, blob: Sha) -> tuple[Field, ...]:
        if (file, blob) not in parsed:
            parsed[file, blob] = find_fields([(file, texts[blob])]).fields
        return parsed[file, blob]

    past: list[PastCommit] = []
    for commit in commits:
        moves: list[FieldMove] = []
        for path, change in commit.changes.items():
            if change.old in texts and change.new in texts and change.old and change.new:
                before, after = fields(path, change.old), fields(path, change.new)
                moves += moves_between(path, before, after)
        if moves:
            past.append(await _past(remote, commit, moves))
    return past


async def _texts(remote: Remote, commits: Iterable[Commit]) -> dict[Sha, bytes]:
    wanted = {
        blob
        for commit in commits
        for change in commit.changes.values()
        if change.old and change.new
        for blob in (change.old, change.new)
    }
    return await remote.read_blobs(sorted(wanted))


async def _past(remote: Remote, commit: Commit, moves: list[FieldMove]) -> PastCommit:
    recorded: set[ChangeRecord] = set(recorded_changes(commit.message))
    for side in commit.parents[1:]:
        for merged in await remote.commits_between(commit.parents[0], side):
            recorded |= recorded_changes(merged.message)
    return PastCommit(
        sha=commit.sha,
        author=commit.author,
        when=commit.when,
        moves=tuple(moves),
        recorded=frozenset(recorded),
    )
