"""The words of a proposal's life: what stands, what is done, and what a run knows beside it.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from bot.planning.remembered import ChangeRecord
from bot.proposals.wishes import Wishes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bot.config.model import Limits
    from bot.forges.forge import CheckState
    from bot.planning.plan import PlannedProposal, Update


class Standing(Enum):
    """What the branch of a proposal is found to be."""

    ABSENT = "absent"
    OURS = "ours"  # its head is our recorded commit and reproduces the recorded plan
    EDITED = "edited"  # grown on ours: a person pushed to it
    FOREIGN = "foreign"  # of our name, and not ours
    MERGED = "merged"  # its head is in the base, or the forge merged it
    UNPROPOSED = "unproposed"  # ours, and the forge has no open proposal for it
    REFUSED = "refused"  # ours as it was when a person closed its proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBranch:
    """A branch under our prefix as it stands on the remote.

    `changes` are those recorded in its trailers; `conflicts` is true where the base has moved
    what stands at or near them since it was made, `behind` where it has moved at all. `number` is
    that of its open proposal on a forge; `paused`: a person put the label for that on it.
    """

    branch: str
    head: str
    standing: Standing
    key: str = ""
    changes: frozenset[ChangeRecord] = frozenset()
    conflicts: bool = False
    behind: bool = False
    number: int = 0
    paused: bool = False


class Operation(Enum):
    """What is done, in the words of the command's JSON.

    `PUSHED`: its branch alone, so that checks run there before anybody is asked. `MERGED`: its
    branch, without a proposal.
    """

    OPENED = "opened"
    PUSHED = "pushed"
    MERGED = "merged"
    REFRESHED = "refreshed"
    CLOSED = "closed"
    UNCHANGED = "unchanged"
    WAITING = "waiting"
    IGNORED = "ignored"
    LEFT = "left"
    PAUSED = "paused"
    REFUSED = "refused"

    @property
    def writes(self) -> bool:
        """Return whether something is written to do it."""
        return self in _WRITES


_WRITES = frozenset(
    {
        Operation.OPENED,
        Operation.PUSHED,
        Operation.MERGED,
        Operation.REFRESHED,
        Operation.CLOSED,
    }
)


class Wait(Enum):
    """What a step that waits is waiting for."""

    TURN = "turn"  # a limit, or the pace of digests
    SCHEDULE = "schedule"
    CHECKS = "checks"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchChecks:
    """What the checks on a branch without a proposal say, and since when they could.

    `reported` is false while there is none at all, which is pending too.
    """

    state: CheckState
    reported: bool
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do to one proposal, with the reason.

    `waits_for` is set where the operation is `WAITING`. `number` is that of the open proposal on
    a forge, `ignored` what a person closed before and is left out, `successor` the branch that
    its changes moved to. `stands`: the branch holds exactly what is planned already, so that
    nothing is to be pushed.
    """

    operation: Operation
    branch: str
    key: str
    reason: str
    planned: PlannedProposal | None = None
    expected: str = ""
    remember_closed: frozenset[ChangeRecord] = frozenset()
    number: int = 0
    ignored: tuple[Update, ...] = ()
    successor: str = ""
    stands: bool = False
    waits_for: Wait | None = None


def changes_of(planned: PlannedProposal) -> frozenset[ChangeRecord]:
    """Return what a proposal changes, as it is recorded."""
    return frozenset(
        ChangeRecord(
            file=one.file,
            line=one.binding.field.line,
            policy=one.binding.policy_name,
            old=one.binding.field.value,
            new=one.value,
        )
        for one in planned.updates
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a run knows beside the plan and the branches.

    `unknown_keys` are the proposals whose plan could not be made in this run; they stay as they
    are. `opened` are the moments at which proposals were opened lately, where the memory's own
    do not tell, and `pushed` when each branch was pushed last.
    `held` says by policy what is held and why. `up_to_date`: the base takes only
    what is made on its tip. `has_checks`: a forge is there, whose checks on branches can be
    read; `checks` are those of branches that stand without a proposal, and `quiet` the branches
    that are merged without one once they passed.
    """

    limits: Limits
    now: datetime
    unknown_keys: frozenset[str] = frozenset()
    opened: tuple[datetime, ...] = ()
    pushed: Mapping[str, datetime] = field(default_factory=dict)
    held: Mapping[str, str] = field(default_factory=dict)
    wishes: Wishes = field(default_factory=Wishes)
    up_to_date: bool = False
    has_checks: bool = False
    checks: Mapping[str, BranchChecks] = field(default_factory=dict)
    quiet: frozenset[str] = frozenset()
