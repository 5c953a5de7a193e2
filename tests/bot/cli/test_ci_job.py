"""What a CI job is to do: by its inputs, its runner, and whose change it runs for."""

from typing import Any

import pytest

from bot.cli.ci_job import Mode, Runner, read_job
from bot.cli.places import outermost
from bot.errors import FaultsError

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "acme/fleet",
    "GITHUB_SERVER_URL": "https://ghe.example.org",
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_PROJECT_URL": "https://git.example.org/acme/fleet",
    "CI_SERVER_URL": "https://git.example.org",
}


def change(head: str | None, author: str = "kim") -> dict[str, Any]:
    repository = {"full_name": head} if head else None
    return {"pull_request": {"head": {"repo": repository}, "user": {"login": author}}}


def followed(head: str, event: str) -> dict[str, Any]:
    return {"workflow_run": {"event": event, "head_repository": {"full_name": head}}}


OWN, FORK, BOT = change("Acme/Fleet"), change("eve/fleet"), change("acme/fleet", "dependabot[bot]")


@pytest.mark.parametrize(
    ("name", "event", "mode", "writes", "stranger"),
    [
        ("schedule", {}, Mode.PR, True, False),
        ("workflow_dispatch", {}, Mode.PR, True, False),
        ("push", {}, Mode.PR, True, False),
        ("pull_request", OWN, Mode.PR, True, False),
        ("pull_request", FORK, Mode.CHECK, False, True),
        ("pull_request", change(None), Mode.CHECK, False, True),
        ("pull_request", {}, Mode.CHECK, False, True),
        ("pull_request", {"pull_request": "odd"}, Mode.CHECK, False, True),
        ("pull_request", BOT, Mode.CHECK, False, True),
        ("pull_request_review", FORK, Mode.CHECK, False, True),
        ("pull_request_target", OWN, Mode.PR, True, False),
        ("pull_request_target", FORK, Mode.PR, False, True),
        ("pull_request_target", BOT, Mode.CHECK, False, True),
        ("workflow_run", followed("acme/fleet", "pull_request"), Mode.PR, True, False),
        ("workflow_run", followed("eve/fleet", "pull_request"), Mode.PR, False, True),
        ("workflow_run", followed("acme/fleet", "push"), Mode.PR, True, False),
    ],
)
def test_only_a_change_of_our_own_is_written_for(
    *, name: str, event: dict[str, Any], mode: Mode, writes: bool, stranger: bool
) -> None:
    job = read_job(GITHUB | {"GITHUB_EVENT_NAME": name, "GITHUB_ACTOR": "kim"}, event)

    assert (job.mode, job.stranger) == (mode, stranger)
    assert (job.mode is Mode.PR and not job.refused) is writes
    assert bool(job.refused or job.degraded) is not writes


def test_dependabot_is_known_by_who_started_the_run() -> None:
    given = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_ACTOR": "dependabot[bot]"}

    assert read_job(GITHUB | given, OWN).mode is Mode.CHECK


@pytest.mark.parametrize("asked", ["check", "test"])
def test_what_only_reads_is_done_for_everybody(asked: str) -> None:
    given = {"GITHUB_EVENT_NAME": "pull_request_target", "PILOTFISH_MODE": asked}

    job = read_job(GITHUB | given, FORK)

    assert (job.mode.value, job.refused, job.degraded) == (asked, "", "")
    assert job.stranger


def test_a_plan_for_a_fork_becomes_a_check_and_a_dry_run_too() -> None:
    given = GITHUB | {"GITHUB_EVENT_NAME": "pull_request_target"}

    for more in ({"PILOTFISH_MODE": "plan"}, {"PILOTFISH_DRY_RUN": "true"}):
        job = read_job(given | more, FORK)
        assert (job.mode, job.refused) == (Mode.CHECK, "")


@pytest.mark.parametrize(("source", "mode"), [("7", Mode.PR), ("8", Mode.CHECK)])
def test_a_merge_request_from_a_fork_is_checked(source: str, mode: Mode) -> None:
    given = {"CI_MERGE_REQUEST_PROJECT_ID": "7", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": source}

    assert read_job(GITLAB | given, {}).mode is mode


@pytest.mark.parametrize(
    ("environment", "runner", "web"),
    [
        (GITHUB, Runner.GITHUB, "https://ghe.example.org/acme/fleet"),
        (GITHUB | {"GITEA_ACTIONS": "true"}, Runner.GITEA, "https://ghe.example.org/acme/fleet"),
        (GITHUB | {"FORGEJO_ACTIONS": "true"}, Runner.GITEA, "https://ghe.example.org/acme/fleet"),
        (GITLAB, Runner.GITLAB, "https://git.example.org/acme/fleet"),
        ({}, Runner.NONE, ""),
    ],
)
def test_the_runner_tells_the_repository(
    environment: dict[str, str], runner: Runner, web: str
) -> None:
    job = read_job(environment, {})

    assert (job.runner, job.web) == (runner, web)


@pytest.mark.parametrize(
    ("asked", "address"),
    [
        ("acme/other", "https://ghe.example.org/acme/other"),
        ("https://git.example.org/x.git", "https://git.example.org/x.git"),
        ("git@git.example.org:x.git", "git@git.example.org:x.git"),
        ("/srv/x.git", "/srv/x.git"),
        ("", ""),
    ],
)
def test_a_bare_name_is_a_repository_of_the_same_server(asked: str, address: str) -> None:
    assert read_job(GITHUB | {"PILOTFISH_REPOSITORY": asked}, {}).repository == address


def test_inputs_are_read_and_empty_ones_are_none() -> None:
    given = {
        "PILOTFISH_MODE": "commit",
        "PILOTFISH_PATHS": " a \n\n b/c.yaml\n",
        "PILOTFISH_DRY_RUN": "True",
        "PILOTFISH_MAX_PROPOSALS": "0",
        "PILOTFISH_ONLY": "",
    }

    job = read_job(given, {})

    assert (job.mode, job.paths, job.dry_run) == (Mode.COMMIT, ("a", "b/c.yaml"), True)
    assert (job.max_open, job.only, job.fail_on) == (0, "", "error")


def test_every_wrong_input_is_named_at_once() -> None:
    given = {"MODE": "x", "FAIL_ON": "x", "DRY_RUN": "x", "MAX_PROPOSALS": "²", "DASHBOARD": "x"}

    with pytest.raises(FaultsError) as caught:
        read_job({f"PILOTFISH_{key}": value for key, value in given.items()}, {})

    named = [one.message.split()[2] for one in caught.value.problems]
    assert sorted(named) == ["dashboard", "dry-run", "fail-on", "max-prs", "mode"]


@pytest.mark.parametrize(
    ("paths", "kept"),
    [
        (["a", "a/b", "ab"], ("a", "ab")),
        (["a/b", "a"], ("a",)),
        (["a", ""], ()),
        (["."], ()),
        (["/a/"], ("a",)),
    ],
)
def test_a_path_inside_another_is_not_looked_at_twice(
    paths: list[str], kept: tuple[str, ...]
) -> None:
    assert outermost(paths) == kept
