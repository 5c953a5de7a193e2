"""What a run is asked, which doors it may use, and what it answers.

The report is the one value that text, JSON, log and exit code are made from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.config.native import Trust
from bot.planning.remembered import HoldRecord, Remembered
from bot.update.forge_opening import Gates

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from bot.clock import Clock
    from bot.config.model import Config, Delivery, ForgeSettings
    from bot.errors import Problem
    from bot.git.names import Sha
    from bot.git.remote import Remote
    from bot.planning.plan import HeldTag, Update, UpdatePlan
    from bot.planning.remembered import ChangeRecord
    from bot.proposals.carry_out import Outcome
    from bot.update.forge_opening import ForgeCredential
    from bot.update.forge_rule import ForgePlace
    from bot.update.survey import Asker, Bound, Progress, Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for: where to look, what to keep, how to deliver, whether to write.

    `below` (files and folders, none of them inside another) and `only` narrow the run; proposals
    that it does not look at stay as they are. `config` is another file than `.pilotfish.yaml`,
    relative to the repository; `max_open` counts instead of its `limits.open`. `dashboard`: keep
    the dashboard issue, whatever the configuration says.
    """

    base: str = ""
    below: tuple[str, ...] = ()
    only: str = ""
    deliver: Delivery | None = None
    dry_run: bool = False
    config: str = ""
    max_open: int | None = None
    dashboard: bool = False


def _as_written(config: Config) -> Config:
    return config


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The doors that a run needs, built once by the command.

    `credential_for` gives what counts at a forge, and `forge_kinds` are kinds of forges by host,
    as the surroundings tell them. `trust` says who runs it; `counts` makes of a repository's own
    configuration what counts of it on an operator's server. `folder` is where relative files of
    secrets start from. `gates` keep what one credential sends at its pace.
    """

    asker_for: Callable[[Config], AbstractAsyncContextManager[Asker]]
    credential_for: Callable[[ForgeSettings, ForgePlace], ForgeCredential]
    forge_kinds: Mapping[str, str] = field(default_factory=dict)
    gates: Gates = field(default_factory=Gates)
    clock: Clock
    progress: Progress | None = None
    trust: Trust = Trust.PERSON
    counts: Callable[[Config], Config] = _as_written
    folder: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitMade:
    """A commit on the base or on a branch of the update's own."""

    branch: str
    sha: str
    update: str


@dataclass(slots=True, kw_only=True, repr=False)  # asyncio prints a task's result when it ends
class Report:
    """What a run did, or would do: the value that text, JSON and exit code are made from."""

    where: str = ""
    base: str = ""
    configured: tuple[str, ...] = ()
    updates: list[Update] = field(default_factory=list)
    held: list[HeldTag] = field(default_factory=list)
    steps: list[Outcome] = field(default_factory=list)
    commits: list[CommitMade] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    holds: list[HoldRecord] = field(default_factory=list)
    reverts: list[HoldRecord] = field(default_factory=list)
    plans: list[UpdatePlan] = field(default_factory=list)
    answered: int = 0
    said: int = 0
    notes_written: int = 0
    dashboard_written: bool = False
    marked: int = 0
    asked: int = 0
    failed: int = 0

    def add(self, found: Survey, bound: Bound) -> None:
        """Add what one base's survey found."""
        self.updates += found.plan.updates
        self.held += found.plan.held
        self.problems += found.plan.problems
        self.plans.append(found.plan)
        self.marked += bound.marked
        self.asked += found.asked
        self.failed += found.failed

    def join(self, part: Report) -> None:
        """Add what another base's run found and did."""
        for name in _LISTS:
            getattr(self, name).extend(getattr(part, name))
        self.marked += part.marked
        self.asked += part.asked
        self.failed += part.failed
        self.answered += part.answered
        self.said += part.said

    @property
    def wrote(self) -> bool:
        """Return whether anything at all was written."""
        return bool(
            self.commits
            or self.files
            or self.answered
            or self.said
            or self.notes_written
            or self.dashboard_written
            or any(one.rewritten or one.automerge for one in self.steps)
            or any(one.step.operation.writes and one.problem is None for one in self.steps)
        )


_LISTS = ("updates", "held", "steps", "commits", "files", "problems", "holds", "reverts", "plans")


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What people decided before: history to look for reverts in, and the notes.

    `recorded_by` tells what our merged proposals recorded that brought a commit to the base.
    """

    history: tuple[Remote, Sha] | None = None
    remembered: Remembered = field(default_factory=Remembered)
    recorded_by: Callable[[Sha], Awaitable[frozenset[ChangeRecord]]] | None = None
