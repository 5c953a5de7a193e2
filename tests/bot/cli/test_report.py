"""How a run ends: its exit code, by what failed and what was carried out."""

import pytest

from bot.cli.report import exit_code
from bot.errors import Problem, Severity
from bot.update.report import CommitMade, Report

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
