"""The dashboard issue: made from a run's report, written only when its text changed.

Where the forge has issues and the repository asks for it (`dashboard: true`). Plain Git has
none; `pilotfish plan` shows the same there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.errors import Problem, ProductError, Severity, by_cause
from bot.planning.dashboard import TITLE, Board, Entry, FieldRow, dashboard_text
from bot.planning.message import subject
from bot.proposals.lifecycle import Operation
from bot.proposals.steps import Wait
from bot.proposals.wishes import NOTHING_ASKED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.forges.forge import Abilities, Forge, Issue
    from bot.proposals.automerge import Verdict
    from bot.proposals.carry_out import Outcome
    from bot.proposals.wishes import Wishes
    from bot.update.report import Report

MOST_CHARS = 60_000  # below the least limit of a forge, 65,536 (threat P9)
_OPEN = {Operation.OPENED, Operation.REFRESHED, Operation.UNCHANGED}


async def find_dashboard(forge: Forge) -> Issue | None:
    """Return our dashboard; to be read before a run decides, for what is ticked there."""
    return await forge.find_issue(TITLE) if forge.abilities.issues else None


async def write_dashboard(
    forge: Forge,
    report: Report,
    found: Issue | None,
    *,
    verdicts: Mapping[str, Verdict] | None = None,
    wishes: Wishes = NOTHING_ASKED,
) -> tuple[bool, list[Problem]]:
    """Bring the issue up to date; return whether it was written, and what went wrong.

    `found` is what `find_dashboard` returned, `verdicts` say by branch who merges, `wishes`
    what was ticked and may wait still.
    """
    if not forge.abilities.issues:
        return False, []
    board = board_of(report, forge.abilities, forge.where, verdicts or {}, wishes)
    text = dashboard_text(board, max_chars=min(MOST_CHARS, forge.abilities.max_body_chars))
    try:
        if found is None:
            await forge.open_issue(TITLE, text)
        elif _same(found.body, text):
            return False, []
        else:
            await forge.edit_issue(found.number, text)
    except ProductError as fault:
        return False, [_unwritten(forge, fault)]
    return True, []


def _same(there: str, text: str) -> bool:
    """Return whether a forge that trims texts or turns line ends holds this one."""
    return there.replace("\r\n", "\n").strip() == text.strip()


def board_of(
    report: Report,
    abilities: Abilities,
    place: str,
    verdicts: Mapping[str, Verdict],
    wishes: Wishes,
) -> Board:
    """Return what the dashboard shows of a run."""
    base = f" ({report.base})" if report.base else ""
    considered = [one.binding for plan in report.plans for one in plan.considered]
    waiting = {one.step.branch for one in report.steps if one.step.operation is Operation.WAITING}
    board = Board(
        place=f"{place}{base}",
        word=abilities.word,
        errors=_errors(report),
        held=tuple(sorted(report.held, key=lambda one: (one.policy, one.tag, one.where))),
        holds=tuple(report.holds),
        fields=tuple(
            FieldRow(
                place=one.field.where.rpartition(":")[0],
                rule=one.policy.text if one.inline else f"{one.policy_name}: {one.policy.text}",
                image=one.image,
                written=one.field.value,
            )
            for one in sorted(considered, key=lambda b: (b.field.file, b.field.start))
        ),
        ticked=frozenset(waiting) & (frozenset(waiting) if wishes.open_all else wishes.open),
    )
    for outcome in sorted(report.steps, key=lambda one: one.step.branch):
        board = _with(board, outcome, abilities, verdicts.get(outcome.step.branch))
    return board


def _errors(report: Report) -> tuple[str, ...]:
    """Return each error with its place; what has one cause is one, as at the terminal."""
    found = by_cause(one for one in report.problems if one.severity is Severity.ERROR)
    told = (f"{one.where}: {one.message}" if one.where else one.message for one in found)
    return tuple(sorted(set(told)))


def _with(board: Board, outcome: Outcome, abilities: Abilities, verdict: Verdict | None) -> Board:
    """Put one proposal into the section that it belongs to."""
    step, operation = outcome.step, outcome.step.operation
    if outcome.problem is not None and operation is not Operation.LEFT:
        return board  # it is among the errors
    entry = Entry(
        branch=step.branch,
        title=subject(step.planned.title_name, step.planned.updates, prefix="")
        if step.planned
        else step.key or step.branch,
        link=f"{abilities.sign}{outcome.number}" if outcome.number else "",
        reason=step.reason,
    )
    if operation in _OPEN:
        allowed = verdict is not None and verdict.allowed
        reason = verdict.reason.rstrip(".") if verdict is not None else ""
        asks = verdict is not None and not allowed
        entry = replace(entry, reason=reason, box="approve" if asks else "")
        return replace(board, open=(*board.open, entry))
    match operation:
        case Operation.PUSHED:
            return replace(board, checked=(*board.checked, entry))
        case Operation.WAITING:
            return _with_waiting(board, entry, step.waits_for)
        case Operation.LEFT:
            return replace(board, edited=(*board.edited, entry))
        case Operation.PAUSED:
            return replace(board, paused=(*board.paused, entry))
        case Operation.IGNORED:
            return replace(board, ignored=(*board.ignored, entry))
        case _:
            return board


def _with_waiting(board: Board, entry: Entry, waits_for: Wait | None) -> Board:
    ticked = replace(entry, box="open")
    match waits_for:
        case Wait.CHECKS:
            return replace(board, checked=(*board.checked, entry))
        case Wait.APPROVAL:
            return replace(board, needs_approval=(*board.needs_approval, ticked))
        case Wait.SCHEDULE:
            return replace(board, scheduled=(*board.scheduled, ticked))
        case _:
            return replace(board, limited=(*board.limited, ticked))


def _unwritten(forge: Forge, fault: ProductError) -> Problem:
    return Problem(
        severity=Severity.WARNING,
        message=f"the dashboard could not be written: {fault.what}",
        file=fault.where or forge.where,
        hint=fault.hint or "Allow the token to write issues, or set `dashboard: false`",
    )
