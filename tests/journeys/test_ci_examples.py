"""The example workflows do what they say: their steps are run as each forge's runner would.

GitHub and GitLab are the test servers, Gitea is a real one. What an example leaves to its reader
(OWNER, COMMIT, the image) is all that is filled in.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.journeys.ci_runner import ROOT, Runner, watch_processes
from tests.journeys.commands import Pilotfish
from tests.journeys.fleet import FILE, deployment, tag_in
from tests.journeys.forge_fleet import ForgeFleet, forge_fleet
from tests.servers.gitea import Gitea
from tests.servers.github import GitHub
from tests.servers.github_repository import GitHubRepository
from tests.servers.gitlab import GitLab
from tests.servers.odd_registry import OddRegistry

EXAMPLES = ROOT / ".github" / "examples"
CONFIG = "version: 1\n"
BRANCH = "pilotfish/shop-web"


def example(name: str) -> dict[Any, Any]:
    """Return an example; YAML 1.1 reads its key `on` as true."""
    found: dict[Any, Any] = yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))
    return found


def steps(name: str, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = example(name)["jobs"][job]["steps"]
    return found


@pytest.fixture(scope="session")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a runner's temporary folder, which keeps what the first step installed."""
    return tmp_path_factory.mktemp("runner")


@pytest.fixture
def runner(tmp_path: Path, temporary: Path) -> Runner:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    environment = {"PILOTFISH_CACHE": str(tmp_path / "cache")}
    return Runner(temporary=temporary, workspace=workspace, environment=environment)


@pytest.fixture
def on_github(
    github: GitHub, odd_registry: OddRegistry, unique_name: str, runner: Runner
) -> tuple[Runner, GitHubRepository]:
    """Return a runner of GitHub's for a repository that is one version behind."""
    for tag in ("1.0.0", "1.1.0"):
        odd_registry.push_image("shop/web", tag)
        odd_registry.push_image("shop/api", tag)
    files = {
        FILE: deployment(f"{odd_registry.host}/shop/web:1.0.0"),
        "apps/api.yaml": deployment(f"{odd_registry.host}/shop/api:1.0.0"),
        ".pilotfish.yaml": CONFIG,
    }
    made = github.create_repository(unique_name, files)
    made.settings.actions_may_open = True
    runner.server_url = github.url
    runner.repository = made.full_name
    runner.clone_url = made.url_http
    runner.token = github.make_actions_token(made).value
    return runner, made


def test_github_opens_pull_requests_and_hands_them_on(
    on_github: tuple[Runner, GitHubRepository],
) -> None:
    runner, made = on_github

    ran = runner.job(steps("github.yml", "update"))

    assert ran.code == 0, ran.log
    opened = {one.number: one for one in made.open_pulls()}
    rows = ran.json("pull-requests")
    assert sorted(one["number"] for one in rows) == sorted(opened)
    assert {one["operation"] for one in rows} == {"opened"}
    assert all(one["url"].startswith(made.url) for one in rows)
    assert {one["head"] for one in rows} == {made.branch(one["branch"]) for one in rows}
    assert BRANCH in ran.summary
    assert runner.token not in ran.everything()
    assert "start no workflows" in ran.summary, "preflight says what the default token cannot do"


def test_github_is_told_the_setting_that_is_in_the_way(
    on_github: tuple[Runner, GitHubRepository],
) -> None:
    runner, made = on_github
    made.settings.actions_may_open = False

    ran = runner.job(steps("github.yml", "update"))

    assert ran.code in {1, 4}
    assert ran.outputs["changed"] == "false"
    assert all("Allow GitHub Actions to create" in one.text for one in ran.marks[:2])
    assert "Allow GitHub Actions to create" in ran.summary


def test_a_github_app_pushes_and_opens_by_itself(
    on_github: tuple[Runner, GitHubRepository], github: GitHub
) -> None:
    runner, made = on_github
    may = dict.fromkeys(("contents", "pull_requests", "issues", "statuses"), "write")
    app = github.create_app(
        f"bot-{made.name}", permissions=may | {"metadata": "read"}, repositories=[made]
    )
    runner.clone_url = made.url_http
    runner.job([{"uses": "actions/checkout@COMMIT"}])

    ran = runner.use(app_id=str(app.id), app_private_key=app.private_key)

    assert ran.code == 0, ran.log
    assert {one.author.login for one in made.open_pulls()} == {app.account.login}
    assert len(ran.json("pull-requests")) == 2
    for line in app.private_key.splitlines()[1:-1]:
        assert line not in ran.everything()
    assert not any("ghs_" in one for one in ran.everything().split() if "pilotfish" in one)


@pytest.mark.parametrize("demanded", [True, False])
def test_commits_are_verified_where_the_base_demands_it(
    on_github: tuple[Runner, GitHubRepository], *, demanded: bool
) -> None:
    runner, made = on_github
    if demanded:
        made.rule("main", required_signatures={})

    ran = runner.job(steps("github.yml", "update"))

    assert ran.code == 0, ran.log
    assert ran.outputs["commits-verified"] == str(demanded).lower()


def test_github_can_be_started_for_one_image_and_dry(
    on_github: tuple[Runner, GitHubRepository], odd_registry: OddRegistry
) -> None:
    runner, made = on_github
    image = f"{odd_registry.host}/shop/api"
    runner.event = {"inputs": {"only": image, "dry-run": "true"}}
    dry = runner.job(steps("github.yml", "update"))
    runner.event_name, runner.event = (
        "repository_dispatch",
        {"client_payload": {"image": image}},
    )

    ran = runner.job(steps("github.yml", "update"))

    assert (dry.code, dry.outputs["changed"]) == (0, "false"), dry.log
    assert [one["image"] for one in dry.json("updates")] == [image]
    assert [one["branch"] for one in ran.json("pull-requests")] == ["pilotfish/shop-api"]
    assert list(made.branches()) == ["main", "pilotfish/shop-api"]


def test_github_checks_a_forks_pull_request_without_a_secret(
    on_github: tuple[Runner, GitHubRepository], github: GitHub
) -> None:
    runner, made = on_github
    runner.token = github.make_actions_token(made, {"contents": "read"}).value
    runner.event_name = "pull_request"
    runner.event = {
        "pull_request": {"head": {"repo": {"full_name": "evil/x"}}, "user": {"login": "eve"}}
    }

    ran = runner.job(steps("github.yml", "check"))

    assert ran.code == 0, ran.log
    assert {(one.word, one.properties["file"]) for one in ran.marks} == {
        ("notice", FILE),
        ("notice", "apps/api.yaml"),
    }
    assert list(made.branches()) == ["main"]


def test_github_gets_the_sarif_of_a_check(on_github: tuple[Runner, GitHubRepository]) -> None:
    runner, _ = on_github

    ran = runner.job(steps("github.yml", "check"))

    ((name, given),) = ran.used
    assert name.startswith("github/codeql-action/upload-sarif@")
    found = json.loads(Path(given["sarif_file"]).read_text())
    assert len(found["runs"][0]["results"]) == 2


@pytest.mark.parametrize("name", ["github.yml", "gitea.yml"])
def test_an_example_is_careful(name: str) -> None:
    found = example(name)
    starts = found[True]
    minutes = [one["cron"].split()[0] for one in starts["schedule"]]

    assert "concurrency" in found
    assert "0" not in minutes
    assert "only" in starts["workflow_dispatch"]["inputs"]
    assert "pull_request_target" not in starts


def test_github_grants_only_what_a_job_needs() -> None:
    found = example("github.yml")
    jobs = found["jobs"]

    assert found["permissions"] == {}
    assert jobs["check"]["permissions"]["contents"] == "read"
    assert set(jobs["update"]["permissions"]) == {
        "contents",
        "pull-requests",
        "issues",
        "statuses",
        "packages",
    }


def test_gitea_opens_a_pull_request(  # noqa: PLR0917  # each is a fixture
    gitea: Gitea,
    odd_registry: OddRegistry,
    pilotfish: Pilotfish,
    unique_name: str,
    runner: Runner,
    tmp_path: Path,
) -> None:
    fleet: ForgeFleet = forge_fleet(gitea, odd_registry, pilotfish, unique_name, folder=tmp_path)
    fleet.publish("1.1.0")
    runner.server_url = gitea.url
    runner.repository = fleet.face.made.url.removesuffix(".git").split("/", 3)[3]
    runner.clone_url = fleet.face.made.url
    runner.token = fleet.token
    runner.environment |= {
        "GITEA_ACTIONS": "true",
        "GIT_SSL_CAINFO": str(gitea.ca_file),
        "PILOTFISH_GIT_CA": str(gitea.ca_file),
        "PILOTFISH_TOKEN": fleet.token,
    }
    os.environ["GIT_SSL_CAINFO"] = str(gitea.ca_file)
    try:
        ran = runner.job(steps("gitea.yml", "update"))
    finally:
        del os.environ["GIT_SSL_CAINFO"]

    assert ran.code == 0, ran.log
    (row,) = ran.json("pull-requests")
    assert row["number"] == fleet.pull()["number"]
    assert row["url"] == fleet.pull()["html_url"]
    assert fleet.tag(BRANCH) == "1.1.0"
    assert fleet.token not in ran.everything()


def gitlab_job(
    name: str, checkout: Path, environment: dict[str, str], seen: set[str]
) -> subprocess.CompletedProcess[str]:
    """Run the script of a job, its variables and those that it extends included."""
    found = example("gitlab-ci.yml")
    job = found[name]
    parent = found[job["extends"]]
    variables = found["variables"] | parent["variables"] | job["variables"]
    script = "\n".join(parent["script"]).replace("/opt/venv/bin", str(Path(sys.executable).parent))
    given = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]} | environment
    for key, value in variables.items():
        given[key] = value.replace("$CI_PROJECT_DIR", str(checkout))
    with watch_processes(seen):
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=checkout,
            env=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )


def test_gitlab_opens_merge_requests_and_keeps_artefacts(
    gitlab: GitLab, odd_registry: OddRegistry, unique_name: str, tmp_path: Path
) -> None:
    for tag in ("1.0.0", "1.1.0"):
        odd_registry.push_image("shop/web", tag)
    text = deployment(f"{odd_registry.host}/shop/web:1.0.0")
    project = gitlab.create_project(f"team/{unique_name}", {FILE: text, ".pilotfish.yaml": CONFIG})
    bot = gitlab.add_project_token(project)
    job_token = gitlab.add_job_token(project, gitlab.add_person("kim", project))
    checkout = tmp_path / "builds"
    origin = project.remote.url_http.replace("://", f"://gitlab-ci-token:{job_token}@")
    subprocess.run(["git", "clone", "-q", origin, str(checkout)], check=True)
    environment = {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_JOB_TOKEN": job_token,
        "CI_PIPELINE_SOURCE": "schedule",
        "CI_PROJECT_DIR": str(checkout),
        "CI_PROJECT_PATH": project.path,
        "CI_PROJECT_URL": f"{gitlab.url}/{project.path}",
        "CI_SERVER_URL": gitlab.url,
        "GITLAB_TOKEN": bot.token,
    }
    seen: set[str] = set()

    ran = gitlab_job("pilotfish", checkout, environment, seen)
    checked = gitlab_job("pilotfish-check", checkout, environment, seen)

    assert (ran.returncode, checked.returncode) == (0, 0), ran.stdout + checked.stdout
    (request,) = project.merge_requests
    assert request.source == BRANCH
    assert tag_in(project.remote.read(FILE, BRANCH)) == "1.1.0"
    kept = example("gitlab-ci.yml")[".pilotfish"]["artifacts"]
    for name in [*kept["paths"], *kept["reports"].values()]:
        assert (checkout / name).exists(), name
    (row,) = json.loads((checkout / "gl-code-quality-report.json").read_text())
    assert row["location"] == {"path": FILE, "lines": {"begin": 9}}
    assert "PILOTFISH_BEHIND=1\n" in (checkout / "pilotfish.env").read_text()
    texts = "".join(
        one.read_text() for one in checkout.iterdir() if one.is_file() and one.name != ".git"
    )
    for token in (bot.token, job_token):
        assert token not in ran.stdout + checked.stdout + texts
    assert not any(bot.token in one for one in seen)


def test_gitlab_starts_by_hand_on_schedules_and_on_merge_requests() -> None:
    found = example("gitlab-ci.yml")

    assert found["pilotfish"]["resource_group"]
    assert "merge_request_event" in found["pilotfish-check"]["rules"][0]["if"]
    assert "merge_request_event" not in found["pilotfish"]["rules"][0]["if"]
