"""The dashboard issue on a forge: opened once, edited in place, silent while nothing changes."""

from dataclasses import replace

import pytest

from bot.errors import Problem, Severity
from bot.forges.forge import Abilities
from bot.planning.dashboard import ticked_on_dashboard
from bot.planning.plan import UpdatePlan
from bot.proposals.automerge import Verdict
from bot.proposals.carry_out import Outcome
from bot.proposals.lifecycle import Operation, Step
from bot.proposals.steps import Wait
from bot.proposals.wishes import Wishes
from bot.update.dashboard import board_of, find_dashboard, write_dashboard
from bot.update.report import Report
from tests.bot.planning.situations import chosen
from tests.bot.update.forge_stage import BRANCH, FILE, LINE, TAGS, Stage, plan_of

LIMIT = "10 proposals are open, the limit"
WINDOW = "its schedule opens at 2026-03-05T08:00+00:00"


def report_of(
    operation: Operation, reason: str = "", branch: str = BRANCH, *, waits_for: Wait | None = None
) -> Report:
    """Return a run that did one thing to the proposal of web."""
    made = chosen({FILE: LINE}, TAGS)
    planned = replace(plan_of(), branch=branch)
    step = Step(
        operation=operation,
        branch=branch,
        key="web",
        reason=reason,
        planned=planned,
        waits_for=waits_for,
    )
    plan = UpdatePlan(
        updates=(), held=(), proposals=(), considered=tuple(made.considered), problems=()
    )
    number = 0 if operation is Operation.WAITING else 7
    return Report(base="main", plans=[plan], steps=[Outcome(step=step, number=number)])


async def test_it_is_opened_once_and_written_only_when_it_changed(stage: Stage) -> None:
    forge = stage.forge
    report = report_of(Operation.OPENED)
    assert await find_dashboard(forge) is None
    assert await write_dashboard(forge, report, None) == (True, [])
    found = await find_dashboard(forge)
    assert found is not None
    before = forge.requests
    again = report_of(Operation.UNCHANGED, "it is up to date")
    assert await write_dashboard(forge, again, found) == (False, [])
    assert forge.requests == before
    waiting = report_of(Operation.WAITING, LIMIT)
    assert await write_dashboard(forge, waiting, found) == (True, [])
    changed = await find_dashboard(forge)
    assert changed is not None
    assert changed.number == found.number
    assert "Waits for its turn" in changed.body


@pytest.mark.parametrize(
    ("operation", "waits_for", "section"),
    [
        (Operation.OPENED, None, "open"),
        (Operation.REFRESHED, None, "open"),
        (Operation.UNCHANGED, None, "open"),
        (Operation.WAITING, Wait.TURN, "limited"),
        (Operation.WAITING, Wait.SCHEDULE, "scheduled"),
        (Operation.WAITING, Wait.CHECKS, "checked"),
        (Operation.WAITING, Wait.APPROVAL, "needs_approval"),
        (Operation.PUSHED, None, "checked"),
        (Operation.LEFT, None, "edited"),
        (Operation.PAUSED, None, "paused"),
        (Operation.IGNORED, None, "ignored"),
        (Operation.CLOSED, None, ""),
        (Operation.MERGED, None, ""),
    ],
)
def test_every_state_has_its_section(
    operation: Operation, waits_for: Wait | None, section: str
) -> None:
    report = report_of(operation, waits_for=waits_for)
    board = board_of(report, Abilities(), "fleet", {}, Wishes())
    sections = (
        "open",
        "needs_approval",
        "limited",
        "scheduled",
        "checked",
        "edited",
        "paused",
        "ignored",
    )
    assert {name for name in sections if getattr(board, name)} == ({section} - {""})
    assert [(one.place, one.image) for one in board.fields] == [(f"{FILE}:1", "example.test/web")]


def test_a_proposal_that_waits_for_a_person_can_be_approved() -> None:
    no = {BRANCH: Verdict(allowed=False, reason="A person merges it.")}
    yes = {BRANCH: Verdict(allowed=True, how="bot", reason="It is merged by itself.")}
    report = report_of(Operation.UNCHANGED)
    (asks,) = board_of(report, Abilities(), "fleet", no, Wishes()).open
    (merges,) = board_of(report, Abilities(), "fleet", yes, Wishes()).open
    assert (asks.box, merges.box) == ("approve", "")
    assert (asks.reason, merges.reason) == ("A person merges it", "It is merged by itself")


async def test_a_tick_stays_while_what_it_asks_for_waits(stage: Stage) -> None:
    report = report_of(Operation.WAITING, WINDOW, waits_for=Wait.SCHEDULE)
    await write_dashboard(stage.forge, report, None)
    found = await find_dashboard(stage.forge)
    assert found is not None
    body = found.body.replace("- [ ] <!-- pilotfish:open ", "- [x] <!-- pilotfish:open ")
    await stage.forge.edit_issue(found.number, body)
    ticked = (await stage.asked()).wishes
    assert ticked.open == {BRANCH}
    assert not ticked.approve
    now = await find_dashboard(stage.forge)
    assert await write_dashboard(stage.forge, report, now, wishes=ticked) == (False, [])
    opened = report_of(Operation.OPENED)
    assert await write_dashboard(stage.forge, opened, now, wishes=ticked) == (True, [])
    left = await find_dashboard(stage.forge)
    assert left is not None
    assert ticked_on_dashboard(left.body).open == frozenset()


def test_an_error_names_its_place_and_one_cause_is_one_error() -> None:
    cause = "it does not answer"
    report = report_of(Operation.UNCHANGED)
    report.problems += [
        Problem(severity=Severity.ERROR, message="no", file="a.yaml", line=3),
        Problem(severity=Severity.WARNING, message="left alone", file="b.yaml"),
        Problem(severity=Severity.ERROR, message="web", file="ghcr.io", cause=cause),
        Problem(severity=Severity.ERROR, message="api", file="ghcr.io", cause=cause),
    ]

    board = board_of(report, Abilities(), "acme/fleet", {}, Wishes())

    assert board.errors == ("a.yaml:3: no", f"ghcr.io: {cause}; 2 images not asked")
    assert board.open[0].title == "web 1.0.0 → 1.1.0"
