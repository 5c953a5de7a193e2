"""A run over a repository, told as events with their reasons."""

from bot.events import Kind
from bot.proposals.carry_out import Outcome
from bot.proposals.lifecycle import Operation, Step
from bot.serve.outcome import of_report
from bot.update.report import Report
from tests.bot.update.forge_stage import BRANCH, plan_of


def test_a_merge_by_us_is_told_when_it_happens() -> None:
    planned = plan_of()
    step = Step(operation=Operation.UNCHANGED, branch=BRANCH, key="web", reason="", planned=planned)
    merged = Outcome(step=step, head="h", number=7, automerge="merged", updates=planned.updates)
    asked = Outcome(step=step, head="h", number=7, automerge="asked", updates=planned.updates)
    told = of_report("fleet", Report(steps=[merged])).events
    assert [one.kind for one in told] == [Kind.PROPOSAL_UNCHANGED, Kind.PROPOSAL_MERGED]
    assert "its checks passed" in told[1].reason
    assert len(of_report("fleet", Report(steps=[asked])).events) == 1


def test_every_operation_has_its_kind() -> None:
    for operation in Operation:
        step = Step(operation=operation, branch=BRANCH, key="web", reason="so")
        (told,) = of_report("fleet", Report(steps=[Outcome(step=step)])).events
        assert told.reason == "so"
