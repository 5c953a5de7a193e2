"""The forge action does what it says: its own steps are run, on a real repository.

The `run:` texts of action.yml are given to bash as a runner gives them; proposals are branches of
plain Git here, and pull requests on the test GitHub.
"""

import json
import os
from pathlib import Path

import pytest

from bot.version import __version__
from tests.journeys.ci_runner import ACTION, Ran, Runner, path_with_uv
from tests.journeys.fleet import FILE, PLAIN, Fleet, deployment
from tests.servers.distribution import Distribution

_FAULTY = """\
image: ghcr.io/acme/api:1.4.2  # pilotfish: semver ^^1
image: ghcr.io/acme/web:1.4.2  # pilotfish: nonsense "::error::100%|<b>"
"""
_STAND_IN_FOR_DOCKER = """\
#!{python}
# Takes the place of an engine: does what `docker run` would, with no more than was handed in.
import json, os, sys
words = sys.argv[1:]
with open({log!r}, "a") as file:
    file.write(json.dumps(words) + "\\n")
if words[0] == "build":
    sys.exit(0)
names = [words[n + 1] for n, word in enumerate(words) if word == "--env"]
image = words.index("pilotfish-of-this-commit")
kept = {{name: os.environ[name] for name in names if name in os.environ and "=" not in name}}
kept["PATH"], kept["HOME"] = os.environ["PATH"], os.environ["HOME"]
program = [{python!r}, "-I", {program!r}, *words[image + 1:]]
os.execve(program[0], program, kept)
"""


@pytest.fixture(scope="session")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a runner's temporary folder, which keeps what the first step installed."""
    return tmp_path_factory.mktemp("runner")


@pytest.fixture
def runner(tmp_path: Path, temporary: Path) -> Runner:
    """Return a runner with a checkout that holds a decoy of ours."""
    workspace = tmp_path / "workspace"
    (workspace / "bot").mkdir(parents=True)
    (workspace / "bot" / "__init__.py").write_text("raise SystemExit('the decoy ran')\n")
    environment = {"PILOTFISH_CACHE": str(tmp_path / "cache")}
    return Runner(temporary=temporary, workspace=workspace, environment=environment)


@pytest.fixture
def checkout(runner: Runner, fleet: Fleet) -> Runner:
    """Return a runner whose workspace is a checkout of the fleet."""
    runner.clone_url = fleet.remote.url_http
    runner.job([{"uses": "actions/checkout@COMMIT"}])
    return runner


def of_fork(runner: Runner, name: str) -> Runner:
    runner.event_name = name
    runner.event = {
        "pull_request": {"head": {"repo": {"full_name": "evil/fleet"}}, "user": {"login": "eve"}}
    }
    return runner


def annotations(ran: Ran) -> list[tuple[str, str, str]]:
    return [
        (one.word, one.properties.get("file", ""), one.properties.get("line", ""))
        for one in ran.marks
    ]


def test_pr_proposes_and_says_so_everywhere(checkout: Runner, fleet: Fleet) -> None:
    ran = checkout.use()

    assert ran.code == 0, ran.log
    assert fleet.proposed() == {fleet.branch: "1.1.0"}
    assert ran.outputs["changed"] == "true"
    (proposal,) = ran.json("pull-requests")
    assert (proposal["operation"], proposal["branch"]) == ("opened", fleet.branch)
    assert proposal["head"] == fleet.remote.branches()[fleet.branch]
    assert [one["toTag"] for one in proposal["items"]] == ["1.1.0"]
    assert [one["toTag"] for one in ran.json("updates")] == ["1.1.0"]
    assert annotations(ran) == [("notice", FILE, "9")]
    assert "web 1.0.0 → 1.1.0 (minor)" in ran.marks[0].text
    assert all(one in ran.summary for one in ("`1.0.0`", "`1.1.0`", "Proposals"))
    assert ran.summary == Path(ran.outputs["summary"]).read_text()


def test_a_second_run_changes_nothing_and_says_so(checkout: Runner, fleet: Fleet) -> None:
    checkout.use()
    before = fleet.remote.branches()

    ran = checkout.use()

    assert (ran.code, ran.outputs["changed"]) == (0, "false")
    assert [one["operation"] for one in ran.json("pull-requests")] == ["unchanged"]
    assert fleet.remote.branches() == before


def test_commit_writes_the_base_and_leaves_nothing_behind(checkout: Runner, fleet: Fleet) -> None:
    ran = checkout.use(mode="commit", fail_on="outdated")

    assert ran.code == 0, ran.log
    assert fleet.tag() == "1.1.0"
    assert (ran.outputs["changed"], ran.json("pull-requests")) == ("true", [])
    assert annotations(ran) == []


@pytest.mark.parametrize("inputs", [{"mode": "plan"}, {"mode": "pr", "dry_run": "true"}])
def test_plan_and_dry_run_write_nothing(
    checkout: Runner, fleet: Fleet, inputs: dict[str, str]
) -> None:
    before = fleet.remote.branches()

    ran = checkout.use(**inputs)

    assert (ran.code, ran.outputs["changed"]) == (0, "false")
    assert [one["toTag"] for one in ran.json("updates")] == ["1.1.0"]
    assert fleet.remote.branches() == before


def test_outdated_fails_the_job_only_where_asked(checkout: Runner) -> None:
    codes = {
        fail_on: checkout.use(mode="plan", fail_on=fail_on).code
        for fail_on in ("never", "error", "outdated")
    }

    assert codes == {"never": 0, "error": 0, "outdated": 3}


def test_what_failed_in_part_is_four_and_never_lets_it_pass(checkout: Runner, fleet: Fleet) -> None:
    fleet.remote.commit({"apps/gone.yaml": deployment(f"{fleet.registry.host}/no/such:1.0.0")}, "x")

    codes = [checkout.use(mode="plan", fail_on=one).code for one in ("error", "never")]

    assert codes == [4, 0]


def test_only_paths_and_limits_narrow_a_run(checkout: Runner, fleet: Fleet) -> None:
    other = deployment(f"{fleet.image}:1.0.0").replace("name: web", "name: other")
    fleet.remote.commit({"other/web.yaml": other, "third/web.yaml": other}, "More of it")
    checkout.job([{"uses": "actions/checkout@COMMIT"}])

    ran = checkout.use(mode="plan", paths="other\nother/web.yaml\napps\n")
    limited = checkout.use(mode="plan", max_prs="0")
    nothing = checkout.use(mode="plan", only="nobody")

    assert sorted(one["file"] for one in ran.json("updates")) == [FILE, "other/web.yaml"]
    assert "limit" in limited.log
    assert nothing.json("updates") == []


def test_another_configuration_file_counts_where_it_is_named(
    checkout: Runner, fleet: Fleet
) -> None:
    fleet.remote.commit(
        {"ci/p.yaml": "version: 1\nforge: {kind: plain}\nupdates: [{name: x, paths: [nowhere]}]\n"},
        "Another configuration",
    )

    ran = checkout.use(mode="plan", config="ci/p.yaml")
    missing = checkout.use(mode="plan", config="ci/q.yaml")

    assert ran.json("updates") == []
    assert missing.code == 2
    assert "there is no such configuration file" in missing.marks[0].text


def test_a_repository_that_is_not_checked_out_can_be_named(runner: Runner, fleet: Fleet) -> None:
    server, _, name = fleet.remote.url_http.rpartition("/")
    runner.server_url = server

    ran = runner.use(mode="plan", repository=name)

    assert ran.code == 0, ran.log
    assert [one["toTag"] for one in ran.json("updates")] == ["1.1.0"]


def test_check_says_what_the_change_would_select(checkout: Runner) -> None:
    ran = checkout.use(mode="check", version=__version__)

    assert ran.code == 0, ran.log
    assert annotations(ran) == [("notice", FILE, "9")]
    assert "markers: 1 field, 1 followed" in ran.summary
    assert "`1.1.0`" in ran.summary


def test_faults_fail_check_and_are_marked_on_their_lines(runner: Runner) -> None:
    (runner.workspace / "a.yaml").write_text(_FAULTY)

    ran = runner.use(mode="check", offline="true")

    assert ran.code == 2
    assert annotations(ran) == [("error", "a.yaml", "1"), ("error", "a.yaml", "2")]
    assert sorted(one["line"] for one in ran.json("problems")) == [1, 2]


def test_policies_are_tested_against_the_real_tags(checkout: Runner, fleet: Fleet) -> None:
    good = checkout.use(mode="test")
    nobody = deployment(f"{fleet.image}:1.0.0", "pilotfish: semver ^7")
    (checkout.workspace / FILE).write_text(nobody)
    bad = checkout.use(mode="test")

    assert (good.code, bad.code) == (0, 3)
    assert "| `1.1.0` | 3 |" in good.summary
    assert "nothing" in bad.summary


def test_the_login_of_a_registry_comes_from_an_input(
    runner: Runner, registry_htpasswd: Distribution, unique_name: str, tmp_path: Path
) -> None:
    registry_htpasswd.push_tags(unique_name, ["1.0.0", "1.1.0"])
    image = f"{registry_htpasswd.host}/{unique_name}:1.0.0"
    (runner.workspace / "a.yaml").write_text(deployment(image))
    registry_htpasswd.docker_config(tmp_path)
    login = (tmp_path / "config.json").read_text()

    given = runner.use(mode="check", registry_auth=login)
    without = runner.use(mode="check")

    assert (given.code, without.code) == (0, 1), given.log
    assert [one["toTag"] for one in given.json("updates")] == ["1.1.0"]
    assert json.loads(login)["auths"][registry_htpasswd.host]["auth"] not in given.everything()


def test_a_report_and_sarif_tell_the_same(checkout: Runner) -> None:
    ran = checkout.use(mode="plan", report="out/answer.json")

    report = json.loads((checkout.workspace / "out/answer.json").read_text())
    (found,) = json.loads((checkout.workspace / "out/answer.sarif").read_text())["runs"]
    assert [one["toTag"] for one in report["updates"]] == ["1.1.0"]
    (result,) = found["results"]
    place = result["locations"][0]["physicalLocation"]
    assert (result["ruleId"], place["artifactLocation"]["uri"]) == ("outdated", FILE)
    assert place["region"]["startLine"] == 9
    assert (ran.outputs["report"], ran.outputs["sarif"]) == ("out/answer.json", "out/answer.sarif")


def test_a_fork_and_dependabot_get_a_check(checkout: Runner, fleet: Fleet) -> None:
    before = fleet.remote.branches()
    fork = of_fork(checkout, "pull_request").use()
    checkout.event["pull_request"]["head"]["repo"]["full_name"] = checkout.repository
    checkout.event["pull_request"]["user"]["login"] = "dependabot[bot]"
    dependabot = checkout.use()

    assert (fork.code, fork.outputs["mode"]) == (0, "check"), fork.log
    assert (dependabot.code, dependabot.outputs["mode"]) == (0, "check")
    assert "a pull request from a fork, so `pr` became `check`" in fork.marks[0].text
    assert fleet.remote.branches() == before


def test_a_fork_with_a_token_that_may_write_is_refused(checkout: Runner, fleet: Fleet) -> None:
    before = fleet.remote.branches()

    ran = of_fork(checkout, "pull_request_target").use(mode="commit")

    assert ran.code == 1
    assert "nothing is written for a pull request from a fork" in ran.marks[0].text
    assert fleet.remote.branches() == before


def test_what_a_fork_configures_sends_no_secret_anywhere(checkout: Runner, fleet: Fleet) -> None:
    stolen = "{username: x, password: {env: PILOTFISH_FORGE_TOKEN}}"
    (checkout.workspace / ".pilotfish.yaml").write_text(
        f"{PLAIN}registries: {{'{fleet.registry.host}': {{auth: {stolen}}}}}\n"
    )

    ran = of_fork(checkout, "pull_request_target").use(mode="check")

    assert ran.code == 0, ran.log
    assert all("authorization" not in one.headers for one in fleet.registry.requests)


def test_what_files_and_registries_say_is_no_command_to_the_runner(runner: Runner) -> None:
    (runner.workspace / "a%0A::stop-commands::x,y.yaml").write_text(_FAULTY)
    (runner.workspace / "##[set-env name=X]b.yaml").write_text(_FAULTY)

    ran = runner.use(mode="check", offline="true")

    assert [one.word for one in ran.marks] == ["error"] * 4
    assert {one.properties["file"] for one in ran.marks} == {
        "a%0A::stop-commands::x,y.yaml",
        "##[set-env name=X]b.yaml",
    }
    assert "<b>" not in ran.summary
    assert ran.set_for_others == ""


def test_an_output_cannot_be_ended_by_its_value(runner: Runner) -> None:
    (runner.workspace / "a.yaml").write_text(
        'image: ghcr.io/acme/web:1  # pilotfish: "EOF\\nchanged=true\\npilotfish-0"\n'
    )

    ran = runner.use(mode="check", offline="true")

    assert ran.outputs["changed"] == "false"
    assert set(ran.outputs) == {*ACTION["outputs"]}


def test_an_input_is_only_ever_a_value(runner: Runner) -> None:
    ran = runner.use(mode="check", paths='--help"; touch owned; "', offline="true")

    assert ran.code == 2
    assert not (runner.workspace / "owned").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("mode", "all"), ("fail_on", "sometimes"), ("max_prs", "-1"), ("dry_run", "perhaps")],
)
def test_a_wrong_input_is_named(runner: Runner, name: str, value: str) -> None:
    ran = runner.use(**{name: value})

    assert ran.code == 2
    assert f"the input {name.replace('_', '-')} may not be {value!r}" in ran.marks[0].text


def test_another_version_than_asked_for_stops_it(runner: Runner) -> None:
    ran = runner.use(version="99.0.0", mode="check", offline="true")

    assert ran.code == 2
    assert f"holds pilotfish {__version__}" in ran.log


def test_no_secret_is_seen_anywhere(checkout: Runner, fleet: Fleet) -> None:
    key = "-----BEGIN KEY-----\n" + "canary0line0of0a0private0key0000000000000\n" * 2
    login = json.dumps({"auths": {fleet.registry.host: {"auth": "Y2FuYXJ5OmNhbmFyeXBhc3M="}}})

    runs = [
        checkout.use(registry_auth=login, app_private_key=key),
        checkout.use(registry_auth=login, app_private_key=key, mode="check"),
        checkout.use(registry_auth="no json", app_private_key=key, config="nowhere.yaml"),
    ]

    for ran in runs:
        text = ran.everything()
        for canary in (checkout.token, "canary0line", "Y2FuYXJ5", "canarypass"):
            assert canary not in text
        assert any("pilotfish" in one for one in ran.seen)


def test_in_a_container_it_gets_what_it_needs_by_name(
    checkout: Runner, fleet: Fleet, tmp_path: Path
) -> None:
    log = tmp_path / "docker.jsonl"
    engine = tmp_path / "bin" / "docker"
    engine.parent.mkdir()
    program = checkout.temporary / "pilotfish" / "bin" / "pilotfish"
    checkout.use(mode="check", offline="true")
    python = program.parent / "python"
    engine.write_text(
        _STAND_IN_FOR_DOCKER.format(python=str(python), program=str(program), log=str(log))
    )
    engine.chmod(0o755)
    checkout.path = f"{engine.parent}{os.pathsep}{path_with_uv()}"

    ran = checkout.use(runtime="container", version=__version__)

    assert ran.code == 0, ran.log
    assert fleet.proposed() == {fleet.branch: "1.1.0"}
    assert ran.json("pull-requests")[0]["operation"] == "opened"
    *_, words = [json.loads(line) for line in log.read_text().splitlines()]
    assert "--read-only" in words
    assert checkout.token not in " ".join(words)


def test_no_script_has_an_expression_inside() -> None:
    assert [step for step in ACTION["runs"]["steps"] if "${{" in step["run"]] == []


def test_every_input_reaches_a_step_and_every_output_comes_from_one() -> None:
    given = "".join(str(step["env"]) for step in ACTION["runs"]["steps"])

    assert [name for name in ACTION["inputs"] if f"inputs.{name} " not in given] == []
    assert {one["value"] for one in ACTION["outputs"].values()} == {
        "${{ steps.run.outputs." + name + " }}" for name in ACTION["outputs"]
    }
