"""How a run ends: its exit code, by what failed and what was carried out, and its last words."""

import pytest

from bot.cli.options import Display
from bot.cli.report import exit_code, sentence, show_report
from bot.errors import Problem, Severity
from bot.proposals.carry_out import Outcome
from bot.proposals.steps import Operation, Step
from bot.update.report import CommitMade, Report
from tests.bot.planning.situations import chosen

ERROR = Problem(severity=Severity.ERROR, message="no")
WARNING = Problem(severity=Severity.WARNING, message="hm")
COMMIT = CommitMade(branch="main", sha="1", update="default")


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (Report(), 0),
        (Report(asked=3, problems=[WARNING]), 0),
        (Report(asked=3, failed=1, problems=[ERROR]), 4),
        (Report(asked=1, failed=1, problems=[ERROR]), 1),
        (Report(problems=[ERROR]), 1),
        (Report(problems=[ERROR], commits=[COMMIT]), 4),
    ],
)
def test_only_errors_count_and_some_is_not_none(report: Report, code: int) -> None:
    assert exit_code(report) == code


def stands(operation: Operation, automerge: str = "", problem: Problem | None = None) -> Outcome:
    step = Step(operation=operation, branch="pilotfish/web", key="web", reason="so")
    return Outcome(step=step, automerge=automerge, problem=problem)


@pytest.mark.parametrize(
    ("report", "end"),
    [
        (Report(steps=[stands(Operation.OPENED)]), "`pilotfish run` carries it out"),
        (Report(steps=[stands(Operation.UNCHANGED)]), "nothing was written"),
        (Report(files=["web.yaml"]), "`pilotfish run` carries it out"),
        (
            Report(steps=[stands(Operation.OPENED)], problems=[ERROR]),
            "`pilotfish run` carries out what no error stops",
        ),
    ],
)
def test_a_plan_promises_no_more_than_a_run_does(report: Report, end: str) -> None:
    report.marked = 1
    found = chosen("image: web:1.0.0 # pilotfish: semver >=1\n", ["1.1.0"])
    report.updates = list(found.updates)
    assert sentence(report, dry_run=True).endswith(end)


def test_what_was_merged_is_not_called_unchanged(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [stands(Operation.UNCHANGED, "merged")]
    display = Display(json=False, colour=False, quiet=True, verbosity=0)
    show_report(Report(steps=steps, marked=1), display, dry_run=False)
    assert "pilotfish/web  merged" in capsys.readouterr().out
