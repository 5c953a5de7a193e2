"""What happened, as frozen records: the one language of log, metrics and, later, pages.

An event is a fact about the past. Its `kind` is a constant, what varies stands in its fields,
and `sentence` is what an operator would tell a colleague (`house.md` 5, "Log").

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType


class Weight(Enum):
    """How much an event asks of a person."""

    DETAIL = "debug"
    NEWS = "info"
    COPED = "warning"
    ACT = "error"


class Kind(Enum):
    """What happened; the value is the log's constant message."""

    PROPOSAL_OPENED = "proposal opened"
    PROPOSAL_PUSHED = "proposal pushed"
    PROPOSAL_MERGED = "proposal merged"
    PROPOSAL_REFRESHED = "proposal refreshed"
    PROPOSAL_CLOSED = "proposal closed"
    PROPOSAL_UNCHANGED = "proposal unchanged"
    PROPOSAL_WAITING = "proposal waiting"
    PROPOSAL_IGNORED = "proposal ignored"
    PROPOSAL_LEFT = "proposal left alone"
    PROPOSAL_PAUSED = "proposal paused"
    PROPOSAL_REFUSED = "proposal refused"
    COMMIT_MADE = "commit made"
    TAG_HELD = "tag held back"
    HOLD_SET = "hold set"
    HOLD_NOT_SET = "hold not set"
    PROBLEM = "problem"
    TARGET_APPLIED = "target applied"
    TARGET_UNCHANGED = "target unchanged"
    TARGET_UNHEALTHY = "target unhealthy"
    TARGET_FAILED = "target failed"
    OBJECT_CHANGED = "object changed"
    ERRAND_ENDED = "errand ended"
    ERRAND_FAILED = "errand failed"
    ERRAND_SKIPPED = "errand skipped"
    ERRAND_STOPPED = "errand stopped"
    CONFIG_LOADED = "configuration loaded"
    CONFIG_REFUSED = "configuration refused"
    CLOCK_JUMPED = "clock jumped"
    STORE_FAILED = "store failed"
    SERVER_STARTED = "server started"
    SERVER_STOPPING = "server stopping"
    SERVER_STOPPED = "server stopped"


_WEIGHTS = {
    Kind.PROPOSAL_UNCHANGED: Weight.DETAIL,
    Kind.TARGET_UNCHANGED: Weight.DETAIL,
    Kind.ERRAND_SKIPPED: Weight.NEWS,
    Kind.PROPOSAL_REFUSED: Weight.ACT,
    Kind.HOLD_NOT_SET: Weight.COPED,
    Kind.PROBLEM: Weight.COPED,
    Kind.TARGET_UNHEALTHY: Weight.ACT,
    Kind.TARGET_FAILED: Weight.ACT,
    Kind.ERRAND_FAILED: Weight.COPED,
    Kind.CLOCK_JUMPED: Weight.COPED,
    Kind.CONFIG_REFUSED: Weight.ACT,
    Kind.STORE_FAILED: Weight.ACT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened: to whom (`where`), to what, and why in plain words.

    `where` is a repository's or target's name, `subject` a proposal, tag or object. `facts` are
    further fields for programs that read the log.
    """

    kind: Kind
    where: str = ""
    subject: str = ""
    reason: str = ""
    weight: Weight | None = None
    facts: Mapping[str, str | int | float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def heavy(self) -> Weight:
        """Return how much this asks of a person."""
        return self.weight or _WEIGHTS.get(self.kind, Weight.NEWS)

    @property
    def sentence(self) -> str:
        """Return it in one line that a person reads."""
        what = f"{self.kind.value}, {self.subject}" if self.subject else self.kind.value
        said = f"{what}: {self.reason}" if self.reason else what
        return f"{self.where}: {said}" if self.where else said
