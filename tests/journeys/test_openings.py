"""When a pull request is opened on a real Gitea: after checks, after an approval, or never."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.forges.forge import CheckState
from tests.journeys.commands import Pilotfish
from tests.journeys.forge_fleet import ForgeFleet, forge_fleet
from tests.servers.gitea import Gitea
from tests.servers.odd_registry import OddRegistry

pytestmark = [pytest.mark.journey, pytest.mark.servers]
BRANCH = "pilotfish/prod-shop-web"
MakeFleet = Callable[..., ForgeFleet]


@pytest.fixture
def make(
    gitea: Gitea,
    odd_registry: OddRegistry,
    pilotfish: Pilotfish,
    unique_name: str,
    tmp_path: Path,
) -> MakeFleet:
    """Return what makes the fleet of this test, with something newer, of an update's rule."""

    def made(rule: str, more: str = "") -> ForgeFleet:
        config = f"{more}updates:\n  - {{name: prod, {rule}}}\n"
        fleet = forge_fleet(
            gitea, odd_registry, pilotfish, unique_name, config=config, folder=tmp_path
        )
        fleet.publish("1.1.0")
        return fleet

    return made


def dashboard(fleet: ForgeFleet) -> Any:
    """Return the dashboard issue."""
    (issue,) = fleet.face.api("GET", "/issues?type=issues&state=open")
    return issue


@pytest.mark.parametrize("state", [CheckState.PASSED, CheckState.FAILED])
def test_nobody_is_asked_before_the_checks_on_the_branch_ended(
    make: MakeFleet, state: CheckState
) -> None:
    fleet = make("open: after-checks")
    assert fleet.go().operations() == {BRANCH: "pushed"}
    assert (fleet.pulls(), fleet.tag(BRANCH)) == ([], "1.1.0")
    head = fleet.face.head(BRANCH)
    before = fleet.state()
    answer = fleet.go()
    assert answer.operations() == {BRANCH: "waiting"}
    assert answer.json["proposals"][0]["head"] is None
    assert "nothing was written" in fleet.run("run").out
    fleet.face.set_check(head, "ci/test", CheckState.PENDING)
    fleet.go()
    assert fleet.state() == before
    fleet.face.set_check(head, "ci/test", state)
    assert fleet.go().operations() == {BRANCH: "opened"}
    assert fleet.pull()["head"]["sha"] == head
    assert fleet.go().operations() == {BRANCH: "unchanged"}


def test_something_newer_replaces_what_waits_for_its_checks(make: MakeFleet) -> None:
    fleet = make("open: after-checks")
    fleet.go()
    first = fleet.face.head(BRANCH)
    fleet.publish("1.2.0")
    assert fleet.go().operations() == {BRANCH: "pushed"}
    fleet.face.set_check(first, "ci/test", CheckState.PASSED)
    assert fleet.go().operations() == {BRANCH: "waiting"}
    assert (fleet.pulls(), fleet.tag(BRANCH)) == ([], "1.2.0")


def test_a_tick_on_the_dashboard_opens_and_nothing_before(make: MakeFleet) -> None:
    fleet = make("open: approval", "dashboard: true\n")
    answer = fleet.go()
    assert answer.operations() == {BRANCH: "waiting"}
    assert "approval" in answer.json["proposals"][0]["reason"]
    assert set(fleet.face.made.branches()) == {"main"}
    issue = dashboard(fleet)
    assert "**1** need an approval" in issue["body"]
    ticked = issue["body"].replace(
        f"- [ ] <!-- pilotfish:open {BRANCH}", f"- [x] <!-- pilotfish:open {BRANCH}"
    )
    assert ticked != issue["body"]
    fleet.face.api("PATCH", f"/issues/{issue['number']}", {"body": ticked}, by="wanda")
    assert fleet.go().operations() == {BRANCH: "opened"}
    assert "approve" not in fleet.pull()["body"].partition("What happens next")[0]
    assert "**1** open" in dashboard(fleet)["body"]
    fleet.publish("1.2.0")
    assert fleet.go().operations() == {BRANCH: "refreshed"}
    assert fleet.tag() == "1.0.0"


def test_it_merges_without_a_pull_request_once_its_checks_passed(make: MakeFleet) -> None:
    fleet = make("automerge: {minor: quiet}")
    assert fleet.go().operations() == {BRANCH: "pushed"}
    head = fleet.face.head(BRANCH)
    assert fleet.go().operations() == {BRANCH: "waiting"}
    assert fleet.tag() == "1.0.0"
    fleet.face.set_check(head, "ci/test", CheckState.PASSED)
    answer = fleet.run("run")
    assert "1 branch merged quietly" in answer.out
    assert (fleet.tag(), fleet.face.head("main")) == ("1.1.0", head)
    assert BRANCH not in fleet.face.made.branches()
    assert fleet.pulls("all") == []
    before = fleet.state()
    fleet.go()
    assert fleet.state() == before


def test_a_base_that_moved_has_the_checks_run_again(make: MakeFleet) -> None:
    fleet = make("automerge: {minor: quiet}")
    fleet.go()
    fleet.face.set_check(fleet.face.head(BRANCH), "ci/test", CheckState.PASSED)
    tip = fleet.face.commit("main", {"other.md": b"x\n"})
    assert fleet.go().operations() == {BRANCH: "pushed"}
    head = fleet.face.head(BRANCH)
    assert fleet.face.parents(head) == (tip,)
    assert fleet.go().operations() == {BRANCH: "waiting"}
    assert fleet.tag() == "1.0.0"


def test_a_failed_check_asks_a_person(make: MakeFleet) -> None:
    fleet = make("automerge: {minor: quiet}")
    fleet.go()
    fleet.face.set_check(fleet.face.head(BRANCH), "ci/test", CheckState.FAILED)
    answer = fleet.go()
    assert answer.operations() == {BRANCH: "opened"}
    assert "failed" in answer.json["proposals"][0]["reason"]
    assert len(fleet.pulls()) == 1


def test_a_base_that_takes_no_push_gets_a_pull_request(make: MakeFleet) -> None:
    fleet = make("automerge: {minor: quiet}")
    fleet.face.api("POST", "/branch_protections", {"rule_name": "main", "enable_push": False})
    fleet.go()
    fleet.face.set_check(fleet.face.head(BRANCH), "ci/test", CheckState.PASSED)
    answer = fleet.go()
    assert answer.operations() == {BRANCH: "opened"}
    assert fleet.pull()["head"]["ref"] == BRANCH
    assert fleet.tag() == "1.0.0"


def test_what_was_taken_back_is_not_merged_quietly_again(make: MakeFleet) -> None:
    fleet = make("automerge: {minor: quiet}")
    fleet.go()
    fleet.face.set_check(fleet.face.head(BRANCH), "ci/test", CheckState.PASSED)
    fleet.go()
    assert fleet.tag() == "1.1.0"
    fleet.write("1.0.0", message="Back to what worked")
    assert fleet.go().operations() == {}
    fleet.publish("1.2.0")
    assert fleet.go().operations() == {BRANCH: "opened"}
    assert len(fleet.pulls()) == 1
