"""What a branch is on a forge: what Git says of it, and what became of its proposals.

Git alone says whether the head is a commit of ours (`bot/proposals/branches.py`); the forge
says whether a proposal is open, was closed by a person or by us, or was merged in a way that
leaves another commit on the base. A total table (`product.md` 10.9, `peers.md` 3.4):

| Git, then forge | none, or closed by us | open | closed by a person | merged |
| --- | --- | --- | --- | --- |
| absent | absent | absent, the close is a person's | absent | absent |
| ours | unproposed | ours | refused | merged |
| edited | edited | edited | edited | merged |
| foreign | foreign | edited, or ours by its record | foreign | foreign |
| in the base | merged | merged | merged | merged |

A proposal that is open under a person's label is paused, whatever stands there
(`bot/proposals/paused.py`). "Closed" and "merged" count for the head that was closed or merged;
a branch that moved on since is `unproposed`.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.forges.forge import State
from bot.planning.metadata import Metadata, read_metadata
from bot.planning.remembered import ClosedRecord, ProposalRecord
from bot.proposals.lifecycle import OpenBranch, Standing
from bot.proposals.paused import is_paused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bot.forges.forge import Proposal
    from bot.planning.plan import PlannedProposal
    from bot.planning.remembered import ChangeRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A proposal of ours with what its body recorded; `metadata` is `None` where nothing sound.

    `committed` is what its own commit recorded, as far as that was looked at: a body may be
    damaged, or behind by a push after which a run ended.
    """

    proposal: Proposal
    metadata: Metadata | None
    committed: frozenset[ChangeRecord] = frozenset()

    @property
    def closed_by_person(self) -> bool:
        """Return whether it was closed, and not by us: we write why before we close."""
        said_why = self.metadata is not None and bool(self.metadata.closed_why)
        return self.proposal.state is State.CLOSED and not said_why

    @property
    def paused(self) -> bool:
        """Return whether a person had it stand as it is."""
        return is_paused(self.proposal.labels)

    @property
    def changes(self) -> frozenset[ChangeRecord]:
        """Return what it changes, as its body and its commit recorded."""
        told = self.metadata.changes if self.metadata is not None else frozenset()
        return told | self.committed


@dataclass(frozen=True, slots=True, kw_only=True)
class OnForge:
    """Our proposals on one base: the open one of each branch, and the newest ended one."""

    open: dict[str, Known]
    ended: dict[str, Known]
    everything: tuple[Known, ...]

    @property
    def closed(self) -> tuple[ClosedRecord, ...]:
        """Return what persons closed."""
        return tuple(
            ClosedRecord(
                key=one.metadata.key if one.metadata else one.proposal.branch,
                when=one.proposal.closed or one.proposal.opened,
                changes=tuple(sorted(one.changes)),
            )
            for one in self.everything
            if one.closed_by_person
        )

    @property
    def records(self) -> tuple[ProposalRecord, ...]:
        """Return what is open, in the form of the memory on plain Git."""
        return tuple(
            ProposalRecord(
                key=one.metadata.key if one.metadata else branch,
                branch=branch,
                head=one.proposal.head,
                opened=one.proposal.opened,
                pushed=one.metadata.pushed if one.metadata else (),
                changes=tuple(sorted(one.changes)),
            )
            for branch, one in sorted(self.open.items())
        )

    @property
    def pushed(self) -> dict[str, datetime]:
        """Return when each branch was pushed last, whatever became of its proposals."""
        found: dict[str, datetime] = {}
        for one in self.everything:
            for moment in one.metadata.pushed if one.metadata else ():
                branch = one.proposal.branch
                found[branch] = max(moment, found.get(branch, moment))
        return found

    @property
    def opened(self) -> tuple[datetime, ...]:
        """Return when each was opened, whatever became of it."""
        return tuple(one.proposal.opened for one in self.everything)


def our_proposals(found: Iterable[Proposal], *, base: str) -> OnForge:
    """Return those that we opened from this repository; of a fork's branch none is ours (P2).

    A proposal that a person turned to another base is theirs, and what was closed there
    says nothing about this one.
    """
    ours = [
        Known(proposal=one, metadata=read_metadata(one.body))
        for one in found
        if one.ours and one.own_repository
    ]
    here = [one for one in ours if (one.metadata.base if one.metadata else base) == base]
    newest_last = sorted(here, key=lambda one: (one.proposal.opened, one.proposal.number))
    return OnForge(
        open={o.proposal.branch: o for o in newest_last if o.proposal.state is State.OPEN},
        ended={o.proposal.branch: o for o in newest_last if o.proposal.state is not State.OPEN},
        everything=tuple(newest_last),
    )


def with_commits(known: OnForge, branches: Iterable[OpenBranch]) -> OnForge:
    """Return the same, with what the branches' commits record of proposals that persons closed.

    Only a branch that stands where it was closed tells it.
    """
    recorded = {
        (one.branch, one.head): one.changes for one in branches if one.standing is Standing.OURS
    }

    def told(one: Known) -> Known:
        committed = recorded.get((one.proposal.branch, one.proposal.head), frozenset())
        return replace(one, committed=committed) if one.closed_by_person else one

    return OnForge(
        open=known.open,
        ended={branch: told(one) for branch, one in known.ended.items()},
        everything=tuple(told(one) for one in known.everything),
    )


def on_their_branches(
    planned: Iterable[PlannedProposal], known: OnForge
) -> tuple[PlannedProposal, ...]:
    """Return the plan with each proposal on the branch where it is open already.

    A proposal is found by what its body says first, by its branch second, so that another
    prefix or another slug never makes a second one.
    """
    by_key: dict[str, list[str]] = {}
    for branch, one in known.open.items():
        if one.metadata is not None:
            by_key.setdefault(one.metadata.key, []).append(branch)
    return tuple(
        replace(one, branch=by_key[one.key][0])
        if len(by_key.get(one.key, [])) == 1 and one.branch not in known.open
        else one
        for one in planned
    )


def standing_on_forge(found: OpenBranch, known: OnForge, *, base: str) -> OpenBranch:
    """Return what the branch is, with the forge's word beside Git's."""
    opened, ended = known.open.get(found.branch), known.ended.get(found.branch)
    if opened is not None:
        return replace(_with_open(found, opened, base), paused=opened.paused)
    match found.standing:
        case Standing.OURS | Standing.EDITED if _ended_so(ended, State.MERGED, found.head):
            return replace(found, standing=Standing.MERGED)
        case Standing.OURS if (
            ended is not None and ended.closed_by_person and ended.proposal.head == found.head
        ):
            return replace(found, standing=Standing.REFUSED)
        case Standing.OURS:
            return replace(found, standing=Standing.UNPROPOSED)
        case _:
            return found


def _with_open(found: OpenBranch, opened: Known, base: str) -> OpenBranch:
    number = opened.proposal.number
    if opened.proposal.base != base and found.standing is not Standing.ABSENT:
        return replace(found, standing=Standing.EDITED, number=number)
    if found.standing is Standing.FOREIGN:
        recorded = opened.metadata
        if recorded is None or recorded.head != found.head:
            return replace(found, standing=Standing.EDITED, number=number)
        return replace(
            found,
            standing=Standing.OURS,
            number=number,
            key=recorded.key,
            changes=recorded.changes,
        )
    return replace(found, number=number)


def _ended_so(ended: Known | None, state: State, head: str) -> bool:
    return ended is not None and ended.proposal.state is state and ended.proposal.head == head
