"""What a pass did, or would do, to each object, and how it went: the values it hands back.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from bot.errors import Problem, Severity
from reconciler.health import Health, Status

if TYPE_CHECKING:
    from reconciler.diff import ObjectDiff
    from reconciler.objects import Identity
    from reconciler.ownership import Owner

_WORST_FIRST = (
    Status.FAILED,
    Status.NOT_FOUND,
    Status.TERMINATING,
    Status.UNKNOWN,
    Status.IN_PROGRESS,
)


class Action(Enum):
    """What becomes of one object."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChange:
    """One object and what became of it; `reason` says why it was skipped or kept."""

    identity: Identity
    action: Action
    reason: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the form of the contract, with the reason."""
        return {
            "object": str(self.identity),
            "action": self.action.value,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One object that is not healthy: its state, the likeliest cause in one line, as it stood."""

    identity: Identity
    health: Health
    cause: str = ""
    live: Mapping[str, Any] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Return state and cause as one sentence."""
        parts = [f"{self.health.status.value}: {self.health.message}", self.cause]
        return "; ".join(part for part in parts if part)

    def as_json(self) -> dict[str, str]:
        """Return the state of this object."""
        return {
            "object": str(self.identity),
            "status": self.health.status.value,
            "message": self.health.message,
            "cause": self.cause,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one pass over one set ended.

    `health` is the worst state among its objects; `inventory` how many objects it holds now.
    `wrote` tells whether anything in the cluster was changed, `waited` whether health counts.
    `requests` is how many calls the pass took.
    """

    owner: Owner
    changes: tuple[ObjectChange, ...]
    problems: tuple[Problem, ...]
    health: Status
    inventory: int
    verdicts: tuple[Verdict, ...] = ()
    differences: tuple[ObjectDiff, ...] = field(default=(), repr=False)
    wrote: bool = False
    waited: bool = False
    requests: int = 0

    @property
    def failed(self) -> bool:
        """Return whether something that was asked for could not be done."""
        return any(one.severity is Severity.ERROR for one in self.problems)


def worst(states: list[Status]) -> Status:
    """Return the worst of many states; without any, there is nothing to wait for."""
    return next((state for state in _WORST_FIRST if state in states), Status.CURRENT)


def problem_of(identity: Identity, message: str, hint: str = "") -> Problem:
    """Return an error about one object."""
    return Problem(severity=Severity.ERROR, message=message, file=str(identity), hint=hint)


def note_of(identity: Identity, message: str, hint: str = "") -> Problem:
    """Return something about one object that counts for nothing, but should be known."""
    return Problem(severity=Severity.NOTE, message=message, file=str(identity), hint=hint)
