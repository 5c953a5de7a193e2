"""What a CI job says: marks on lines, summary, SARIF, code quality, the rule when it fails."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from bot.cli.ci_files import keep_all, masked, read_event
from bot.cli.ci_job import Job, Mode, Runner
from bot.cli.ci_marks import MAX_MARKS, code_quality, command, commands
from bot.cli.ci_summary import summary
from bot.cli.ci_told import Told
from bot.cli.sarif import sarif
from bot.cli.verdict import judged, keep
from bot.errors import ConfigError, Problem, Severity
from bot.planning.plan import HeldTag, Update
from bot.telemetry import remember_secret
from tests.bot.planning.situations import chosen

JOB = Job(mode=Mode.PLAN, runner=Runner.GITHUB, web="https://github.com/acme/fleet", commit="abc1")
EVIL = "x`|\n::error::<b>@kim #12 pilotfish:"
FAULT = Problem(severity=Severity.ERROR, message="no", file="a.yaml", line=3, column=7, hint="Do")
HOST = Problem(severity=Severity.WARNING, message="down", file="ghcr.io")


def an_update(file: str = "apps/a b.yaml") -> Update:
    text = "image: ghcr.io/acme/web:1.0.0  # pilotfish: semver ^1\n"
    (update,) = chosen({file: text}, ["1.0.0", "1.1.0"]).updates
    return update


def told(*updates: Update, problems: tuple[Problem, ...] = (), job: Job = JOB) -> Told:
    return Told(job=job, code=0, updates=updates, behind=updates, problems=problems)


def test_foreign_text_ends_no_command_and_starts_none() -> None:
    line = command("error", "a\nb%\r", file="x,y:z\n", line=0, col=4)

    assert line == "::error file=x%2Cy%3Az%0A,col=4::a%0Ab%25%0D"


@pytest.mark.parametrize(
    ("proposal", "shown"),
    [
        ({"number": 7, "head": "h", "state": "unchanged"}, True),
        ({"number": None, "head": "h", "state": "opened"}, True),  # on plain Git
        ({"number": None, "head": "h", "state": "pushed"}, False),
        ({"number": None, "head": "h", "state": "merged"}, False),
        ({"number": None, "head": None, "state": "waiting"}, False),
    ],
)
def test_a_branch_without_a_proposal_is_no_pull_request(
    proposal: dict[str, object], shown: bool
) -> None:
    found = dataclasses.replace(told(), proposals=(proposal,)).shown_proposals
    assert found == [proposal] * shown


def test_a_mark_holds_nothing_that_steers_a_terminal() -> None:
    steering = "a\x1b[31m\u202eb\r\nc"
    problem = Problem(severity=Severity.ERROR, message=steering, hint=steering, file=steering)

    (line,) = commands(told(problems=(problem,)))

    assert line == "::error::a[31mb c: a[31mb%0Ac. a[31mb%0Ac"


def test_faults_come_before_what_is_behind() -> None:
    lines = commands(told(an_update(), problems=(HOST, FAULT)))

    assert [one.split(" ")[0].split("::")[1] for one in lines] == ["error", "warning", "notice"]
    assert lines[0] == "::error file=a.yaml,line=3,col=7::no. Do"
    assert lines[1] == "::warning::ghcr.io: down"


def test_of_another_repository_no_line_of_the_jobs_own_is_marked() -> None:
    job = dataclasses.replace(JOB, repository="https://github.com/acme/other")

    lines = commands(told(an_update(), problems=(FAULT,), job=job))

    assert lines[0] == "::error::a.yaml:3:7: no. Do"
    assert lines[1].startswith("::notice title=behind%3A web 1.0.0 → 1.1.0::web 1.0.0 → 1.1.0")
    own = dataclasses.replace(JOB, repository=f"{JOB.web}.git")
    assert "file=a.yaml,line=3" in commands(told(problems=(FAULT,), job=own))[0]


def test_there_are_never_more_marks_than_anyone_would_look_at() -> None:
    problems = tuple(
        Problem(severity=Severity.ERROR, message="no", file="a.yaml", line=n) for n in range(1, 300)
    )

    lines = commands(told(problems=problems))

    assert len(lines) == MAX_MARKS + 1
    assert lines[-1] == "::notice::199 more are in the report"


def test_the_summary_shows_the_table_of_a_proposal_with_links() -> None:
    text = summary(told(an_update()))

    assert "In `apps`:" in text
    assert "[`a b.yaml:1`](https://github.com/acme/fleet/blob/abc1/apps/a%20b.yaml#L1)" in text
    assert "| minor |" in text


def test_of_another_repository_proposals_are_linked_and_no_lines() -> None:
    other = "https://github.com/acme/other"
    proposals = (
        {"branch": "pilotfish/web", "number": 3, "url": f"{other}/pull/3", "state": "opened"},
    )
    job = dataclasses.replace(JOB, repository=f"{other}.git")

    text = summary(dataclasses.replace(told(an_update(), job=job), proposals=proposals))

    assert "blob/abc1" not in text
    assert "`apps/a b.yaml:1`" in text
    assert f"[`pilotfish/web` (3)]({other}/pull/3)" in text


def test_foreign_text_breaks_no_cell_and_calls_nobody() -> None:
    held = HeldTag(
        policy=EVIL, tag=EVIL, reason=EVIL, until=None, needs=EVIL, update="", where="a.yaml"
    )
    problem = Problem(severity=Severity.ERROR, message=EVIL, file=EVIL, hint=EVIL)
    proposal = {"branch": EVIL, "state": "opened", "reason": EVIL, "number": 1, "url": "http://x"}

    text = summary(
        Told(
            job=JOB, code=1, held=(held,), problems=(problem,), proposals=(proposal,), good=(EVIL,)
        )
    )

    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 3 * 3
    for sign in ("@kim", "#12", "pilotfish:", "\n::error"):
        assert sign not in text
    outside_of_code = re.sub(r"(`+) ?.*?[^`]\1(?!`)", "", text)
    assert "<b>" not in outside_of_code
    assert "http://x" not in text


def test_a_long_table_is_cut_with_its_count() -> None:
    problems = tuple(
        Problem(severity=Severity.NOTE, message=f"m{n}", file="a.yaml", line=n + 1)
        for n in range(250)
    )

    assert "… and 50 more, in the report" in summary(told(problems=problems))


def test_sarif_gives_each_result_a_place_and_keeps_the_rest_as_notifications() -> None:
    (run,) = json.loads(json.dumps(sarif(told(an_update(), problems=(FAULT, HOST)))))["runs"]

    rules = [one["id"] for one in run["tool"]["driver"]["rules"]]
    assert [one["ruleId"] for one in run["results"]] == ["broken-binding", "outdated"]
    assert [rules[one["ruleIndex"]] for one in run["results"]] == ["broken-binding", "outdated"]
    first, second = (one["locations"][0]["physicalLocation"] for one in run["results"])
    assert first["region"] == {"startLine": 3, "startColumn": 7}
    assert second["artifactLocation"] == {"uri": "apps/a%20b.yaml", "uriBaseId": "%SRCROOT%"}
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note == {"level": "warning", "message": {"text": "ghcr.io: down"}}


def test_no_message_of_sarif_holds_a_link_or_steers_a_terminal() -> None:
    foreign = "see [fix](https://evil.example)\x1b[31m\u202e"
    at_line = Problem(severity=Severity.ERROR, message=foreign, file="a.yaml", line=1)
    of_host = Problem(severity=Severity.ERROR, message=foreign, file="ghcr.io")
    (run,) = json.loads(json.dumps(sarif(told(problems=(at_line, of_host)))))["runs"]

    texts = [one["message"]["text"] for one in run["results"]]
    texts += [o["message"]["text"] for o in run["invocations"][0]["toolExecutionNotifications"]]
    assert texts == [
        "see [fix]\u200b(https://evil.example)[31m",
        "ghcr.io: see [fix]\u200b(https://evil.example)[31m",
    ]


def test_a_finding_is_the_same_one_when_its_new_tag_changes() -> None:
    text = {"a.yaml": "image: ghcr.io/acme/web:1.0.0  # pilotfish: semver ^1\n"}
    marks = set()
    for tag in ("1.1.0", "1.2.0"):
        (update,) = chosen(text, ["1.0.0", tag]).updates
        (run,) = json.loads(json.dumps(sarif(told(update))))["runs"]
        marks.add(json.dumps(run["results"][0]["partialFingerprints"]))

    assert len(marks) == 1


def test_code_quality_has_only_what_stands_on_a_line() -> None:
    rows = code_quality(told(an_update("a.yaml"), problems=(FAULT, HOST)))

    assert [(one["check_name"], one["severity"]) for one in rows] == [
        ("pilotfish/fault", "major"),
        ("pilotfish/behind", "info"),
    ]
    assert len({one["fingerprint"] for one in rows}) == 2


@pytest.mark.parametrize(
    ("code", "fail_on", "after"),
    [
        (0, "error", 0),
        (0, "outdated", 3),
        (0, "never", 0),
        (4, "error", 4),
        (4, "outdated", 4),
        (4, "never", 0),
        (3, "error", 3),  # mode test: a policy that selects nothing
        (3, "never", 0),
        (1, "never", 1),
        (2, "never", 2),
    ],
)
def test_when_a_job_fails(code: int, fail_on: str, after: int) -> None:
    assert judged(code, [object()], fail_on=fail_on) == after
    assert judged(0, [], fail_on="outdated") == 0


def test_no_file_that_is_kept_holds_a_known_secret(tmp_path: Path) -> None:
    secret = 'canary"of\\the/files'
    remember_secret(secret)
    problem = Problem(severity=Severity.ERROR, message=secret, file="a.yaml", line=1, hint=secret)
    names = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
    environment = {"RUNNER_TEMP": str(tmp_path)} | {one: str(tmp_path / one) for one in names}

    keep_all(masked(told(problems=(problem,))), environment)

    kept = [one.read_text() for one in tmp_path.iterdir()]
    assert len(kept) == 5
    assert not any("canary" in one for one in kept)


def test_outputs_stay_below_what_a_runner_takes(tmp_path: Path) -> None:
    many = tuple(an_update(f"apps/{'x' * 200}-{n}.yaml") for n in range(400))
    output = tmp_path / "output"

    keep_all(told(*many), {"RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(output)})

    assert 100_000 < len(output.read_text()) < 500_000
    assert len(json.loads((tmp_path / "pilotfish-report.json").read_text())["updates"]) == 400


def test_a_summary_that_is_too_long_is_cut_between_lines(tmp_path: Path) -> None:
    page = tmp_path / "page"
    long = dataclasses.replace(told(), good=tuple("é" * 5_000 + str(n) for n in range(200)))

    keep_all(long, {"RUNNER_TEMP": str(tmp_path), "GITHUB_STEP_SUMMARY": str(page)})

    shown = page.read_text()
    assert 900_000 < len(shown.encode()) < 1 << 20
    assert shown.startswith("### Pilotfish: plan\n")
    assert re.search(r"\n- é+\d+\n\nCut here; the report has the rest\.\n\Z", shown)


def test_a_report_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="cannot be written"):
        keep(str(tmp_path / "file" / "report.json"), {})


@pytest.mark.parametrize("text", ["[]", "{", "\x00", None])
def test_an_event_that_cannot_be_read_says_nothing(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "event.json"
    if text is not None:
        file.write_text(text)

    assert read_event({"GITHUB_EVENT_PATH": str(file)}) == {}
