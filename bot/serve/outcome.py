"""What became of one errand, and how a run over a repository is told as events.

Everything a repository's run decided is one event each, with its reason in the words that the
plan gave it; log, metrics and the store's log of runs are made from the same values.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.errors import Severity
from bot.events import Event, Kind, Weight
from bot.proposals.lifecycle import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.errors import Problem
    from bot.planning.plan import HeldTag, Update
    from bot.planning.remembered import HoldRecord
    from bot.proposals.carry_out import Outcome as StepOutcome
    from bot.update.report import Report


class Result(Enum):
    """How an errand ended."""

    DONE = "done"
    PARTLY = "partly"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an errand ended, what it decided, and the figures that metrics show.

    `gauges` are set and `counts` added, by the name of the metric.
    """

    result: Result
    summary: str
    events: tuple[Event, ...] = ()
    gauges: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    counts: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


_KINDS = {
    Operation.OPENED: Kind.PROPOSAL_OPENED,
    Operation.PUSHED: Kind.PROPOSAL_PUSHED,
    Operation.MERGED: Kind.PROPOSAL_MERGED,
    Operation.REFRESHED: Kind.PROPOSAL_REFRESHED,
    Operation.CLOSED: Kind.PROPOSAL_CLOSED,
    Operation.UNCHANGED: Kind.PROPOSAL_UNCHANGED,
    Operation.WAITING: Kind.PROPOSAL_WAITING,
    Operation.IGNORED: Kind.PROPOSAL_IGNORED,
    Operation.LEFT: Kind.PROPOSAL_LEFT,
    Operation.PAUSED: Kind.PROPOSAL_PAUSED,
    Operation.REFUSED: Kind.PROPOSAL_REFUSED,
}
_OPEN = {
    Operation.OPENED,
    Operation.REFRESHED,
    Operation.UNCHANGED,
    Operation.LEFT,
    Operation.PAUSED,
}
_WEIGHTS = {
    Severity.ERROR: Weight.COPED,
    Severity.WARNING: Weight.COPED,
    Severity.NOTE: Weight.DETAIL,
}
_MOST_UPDATES_TOLD = 5  # of one proposal in one line; arbitrary


def of_report(where: str, report: Report) -> Outcome:
    """Return the outcome of one run over the repository that is called `where`."""
    events = [_of_step(where, one) for one in report.steps if one.problem is None]
    events += [_of_merge(where, one) for one in report.steps if one.automerge == "merged"]
    events += [
        Event(
            kind=Kind.COMMIT_MADE,
            where=where,
            subject=one.update,
            reason=f"{one.sha[:12]} on {one.branch}",
            facts=MappingProxyType({"commit": one.sha, "branch": one.branch}),
        )
        for one in report.commits
    ]
    events += [_of_held(where, one) for one in report.held]
    events += [_of_hold(where, one) for one in report.holds]
    events += of_problems(where, report.problems)
    failed = sum(one.severity is Severity.ERROR for one in report.problems)
    still_open = sum(one.step.operation in _OPEN for one in report.steps if one.problem is None)
    return Outcome(
        result=Result.PARTLY if failed else Result.DONE,
        summary=_summary(report, failed),
        events=tuple(events),
        gauges=MappingProxyType(
            {
                "pilotfish_proposals_open": still_open,
                "pilotfish_tags_held": len(report.held) + len(report.holds),
                "pilotfish_images_failed": report.failed,
            }
        ),
    )


def of_problems(where: str, problems: Iterable[Problem]) -> list[Event]:
    """Return an event for each problem."""
    return [
        Event(
            kind=Kind.PROBLEM,
            where=where,
            reason=f"{one.where}: {one.message}" if one.where else one.message,
            weight=_WEIGHTS[one.severity],
            facts=MappingProxyType({"hint": one.hint} if one.hint else {}),
        )
        for one in problems
    ]


def _of_step(where: str, outcome: StepOutcome) -> Event:
    step = outcome.step
    updates = step.planned.updates if step.planned else ()
    moves = _moves(updates)
    facts = {"branch": step.branch}
    if outcome.head:
        facts["head"] = outcome.head
    return Event(
        kind=_KINDS[step.operation],
        where=where,
        subject=step.key or step.branch,
        reason=f"{step.reason}; {moves}" if moves else step.reason,
        facts=MappingProxyType(facts),
    )


def _what_comes(one: Update) -> str:
    return one.to_tag if one.to_tag != one.from_tag else "its new digest"


def _of_merge(where: str, outcome: StepOutcome) -> Event:
    facts = {"branch": outcome.step.branch, "head": outcome.head}
    return Event(
        kind=Kind.PROPOSAL_MERGED,
        where=where,
        subject=outcome.step.key,
        reason=f"its checks passed; {_moves(outcome.updates)}",
        facts=MappingProxyType(facts),
    )


def _moves(updates: tuple[Update, ...]) -> str:
    told = dict.fromkeys(
        f"{one.binding.policy_name} {one.from_tag or one.from_text} to {_what_comes(one)}"
        for one in updates
    )
    words = list(told)[:_MOST_UPDATES_TOLD]
    more = len(told) - len(words)
    return ", ".join(words) + (f" and {more} more" if more else "")


def _of_held(where: str, held: HeldTag) -> Event:
    until = f"; until {held.until.isoformat(timespec='minutes')}" if held.until else ""
    needs = f"; it needs {held.needs}" if held.needs else ""
    return Event(
        kind=Kind.TAG_HELD,
        where=where,
        subject=f"{held.policy} {held.tag}",
        reason=f"{held.reason}{until}{needs}",
        facts=MappingProxyType({"policy": held.policy, "tag": held.tag, "place": held.where}),
    )


def _of_hold(where: str, hold: HoldRecord) -> Event:
    return Event(
        kind=Kind.TAG_HELD,
        where=where,
        subject=f"{hold.policy} {hold.what}",
        reason=f"{hold.reason} (held by {hold.who or 'somebody'})",
        facts=MappingProxyType({"policy": hold.policy}),
    )


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"


def _summary(report: Report, failed: int) -> str:
    counts: dict[str, int] = {}
    for one in report.steps:
        if one.problem is None:
            counts[one.step.operation.value] = counts.get(one.step.operation.value, 0) + 1
    parts = [_counted(report.asked, "image") + " asked"]
    parts += [f"{_counted(count, 'proposal')} {word}" for word, count in counts.items()]
    parts += [_counted(len(report.commits), "commit")] if report.commits else []
    parts += [_counted(len(report.held), "tag") + " held"] if report.held else []
    parts += [_counted(failed, "problem")] if failed else []
    return ", ".join(parts)
