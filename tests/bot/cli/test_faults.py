"""Problems at the terminal: what has one cause is told once."""

import pytest

from bot.cli.faults import report, tell_problems
from bot.errors import Problem, RefusedError, Severity, by_cause


def unasked(number: int, *, cause: str = "its name cannot be resolved", fields: int = 2) -> Problem:
    return Problem(
        severity=Severity.ERROR,
        message=f"{cause}; left as they are: deploy/{number}.yaml:4",
        file="registry.example",
        hint="Check the name",
        cause=cause,
        fields=fields,
    )


def test_a_registry_that_is_down_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    tell_problems([unasked(number) for number in range(9)], every=False)

    assert capsys.readouterr().err == (
        "error: registry.example: its name cannot be resolved; 9 images not asked,"
        " 18 fields left as they are\n  Check the name\n"
    )


def test_every_problem_is_shown_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    tell_problems([unasked(number) for number in range(9)])

    assert capsys.readouterr().err.count("deploy/") == 9


def test_no_field_is_told_where_none_is_marked() -> None:
    (told,) = by_cause([unasked(number, fields=0) for number in range(3)])

    assert told.message == "its name cannot be resolved; 3 images not asked"


def test_what_stands_alone_or_has_another_cause_stays_as_it_is() -> None:
    problems = [
        unasked(1),
        Problem(severity=Severity.ERROR, message="no", file="registry.example"),
        unasked(2, cause="it answered 503"),
        Problem(severity=Severity.ERROR, message="no", file="registry.example"),
    ]

    assert by_cause(problems) == problems


def test_nothing_in_a_name_or_a_text_steers_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    steering = "a\x1b[31m\u202e\r\nb"
    tell_problems(
        [Problem(severity=Severity.ERROR, message=steering, file=steering, line=1, hint=steering)]
    )
    report(RefusedError(steering, where=steering, hint=steering), verbose=False)
    report(KeyError(steering), verbose=False)

    told = capsys.readouterr().err
    assert not set("\x1b\u202e\r") & set(told)
    assert "error: a\\x1b[31m\\u202e b:1: a" in told
