"""What people ask on a real Gitea: commands, boxes, the dashboard, and merges by themselves."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.forges.forge import CheckState
from tests.journeys.commands import Pilotfish
from tests.journeys.forge_fleet import BRANCH, ForgeFleet, forge_fleet
from tests.servers.gitea import Gitea
from tests.servers.odd_registry import OddRegistry

pytestmark = [pytest.mark.journey, pytest.mark.servers]
MakeFleet = Callable[..., ForgeFleet]


@pytest.fixture
def make(
    gitea: Gitea,
    odd_registry: OddRegistry,
    pilotfish: Pilotfish,
    unique_name: str,
    tmp_path: Path,
) -> MakeFleet:
    """Return what makes the fleet of this test, with 1.1.0 of the web published."""

    def made(config: str = "") -> ForgeFleet:
        fleet = forge_fleet(
            gitea, odd_registry, pilotfish, unique_name, config=config, folder=tmp_path
        )
        fleet.publish("1.1.0")
        return fleet

    return made


@pytest.fixture
def fleet(make: MakeFleet) -> ForgeFleet:
    """Return a fleet whose proposal is open."""
    made = make()
    made.go()
    return made


def answer_on(fleet: ForgeFleet, number: int) -> str:
    """Return the text of our one comment."""
    (said,) = [one for one in fleet.comments(number) if one["user"]["login"] == "pilotfish-bot"]
    return str(said["body"])


def tick(fleet: ForgeFleet, pull: Any, marker: str) -> None:
    """Let a person tick a box in the body."""
    box = f"- [ ] <!-- pilotfish:{marker} -->"
    assert box in pull["body"]
    fleet.face.edit_body(pull["number"], pull["body"].replace(box, box.replace("[ ]", "[x]")))


def test_a_hold_by_comment_ends_the_proposal_and_is_answered_once(fleet: ForgeFleet) -> None:
    number = fleet.pull()["number"]
    image = f"{fleet.registry.host}/shop/web"
    fleet.face.comment(number, f"/hold {image}@1.1.0 breaks login")
    assert fleet.go().operations() == {BRANCH: "closed"}
    said = answer_on(fleet, number)
    assert "/hold" in said
    assert "wanda" in said
    assert "breaks login" in fleet.run("holds").out
    before = fleet.state()
    assert fleet.go().json["proposals"] == []
    assert fleet.state() == before
    fleet.publish("1.2.0")
    assert fleet.go().operations() == {BRANCH: "opened"}


@pytest.mark.parametrize("who", ["reader", "outsider"])
def test_who_may_not_push_is_told_so_and_nothing_happens(fleet: ForgeFleet, who: str) -> None:
    number = fleet.pull()["number"]
    fleet.face.comment(number, "/hold", by=who)  # type: ignore[arg-type]  # one of two words
    assert fleet.go().operations() == {BRANCH: "unchanged"}
    assert "only who may push" in answer_on(fleet, number)
    before = fleet.state()
    assert fleet.go().operations() == {BRANCH: "unchanged"}
    assert fleet.state() == before


def test_an_explanation_is_answered_in_a_fold(fleet: ForgeFleet) -> None:
    number = fleet.pull()["number"]
    fleet.publish("2.0.0")
    fleet.face.comment(number, "/explain")
    fleet.go()
    said = answer_on(fleet, number)
    assert "<details>" in said
    assert "2.0.0" in said


def test_rebase_and_recreate_are_done_on_the_base_as_it_is(fleet: ForgeFleet) -> None:
    number = fleet.pull()["number"]
    fleet.face.commit("main", {"README.md": b"more\n"})
    fleet.face.comment(number, "/rebase")
    assert fleet.go().operations() == {BRANCH: "refreshed"}
    assert fleet.face.parents(fleet.face.head(BRANCH)) == (fleet.face.head("main"),)
    fleet.face.commit(BRANCH, {"mine.txt": b"mine\n"})
    assert fleet.go().operations() == {BRANCH: "left"}
    fleet.face.comment(number, "/recreate")
    assert fleet.go().operations() == {BRANCH: "refreshed"}
    assert "mine.txt" not in fleet.face.files(fleet.face.head(BRANCH))
    assert fleet.go().operations() == {BRANCH: "unchanged"}


def test_a_box_is_equal_to_a_command(fleet: ForgeFleet) -> None:
    pull = fleet.pull()
    fleet.face.commit("main", {"README.md": b"more\n"})
    tick(fleet, pull, "rebase")
    assert fleet.go().operations() == {BRANCH: "refreshed"}
    assert "[x]" not in fleet.pull()["body"]
    before = fleet.state()
    assert fleet.go().operations() == {BRANCH: "unchanged"}
    assert fleet.state() == before


def test_a_group_is_split_and_joined(make: MakeFleet) -> None:
    fleet = make("updates:\n  - {name: prod, group: all}\n")
    fleet.publish("1.1.0", name="api")
    fleet.go()
    image = f"{fleet.registry.host}/shop/api"
    fleet.face.comment(fleet.pull()["number"], f"/split {image}")
    states = fleet.go().operations()
    assert states["pilotfish/prod-all"] == "refreshed"
    assert sorted(states.values()) == ["opened", "refreshed"]
    assert len(fleet.pulls()) == 2
    before = fleet.state()
    fleet.go()
    assert fleet.state() == before


def test_it_merges_by_itself_once_every_check_has_passed(make: MakeFleet) -> None:
    fleet = make("updates:\n  - {name: prod, automerge: {minor: after-checks}}\n")
    branch = "pilotfish/prod-shop-web"
    assert fleet.go().operations() == {branch: "opened"}
    pull = fleet.pull()
    assert "merged by itself" in pull["body"]
    fleet.go()
    assert fleet.tag() == "1.0.0"
    fleet.face.set_check(pull["head"]["sha"], "ci/test", CheckState.PENDING)
    fleet.go()
    assert fleet.tag() == "1.0.0"
    fleet.face.set_check(pull["head"]["sha"], "ci/test", CheckState.PASSED)
    answer = fleet.go()
    assert [one["automerge"] for one in answer.json["proposals"]] == ["merged"]
    assert fleet.tag() == "1.1.0"
    fleet.go()
    assert branch not in fleet.face.made.branches()


def test_the_forge_merges_after_a_required_status(make: MakeFleet) -> None:
    fleet = make("updates:\n  - {name: prod, automerge: {minor: after-checks}}\n")
    fleet.face.protect("main", checks=["ci/test"])
    answer = fleet.go()
    assert [one["automerge"] for one in answer.json["proposals"]] == ["asked"]
    pull = fleet.pull()
    before = fleet.state()
    fleet.go()
    assert fleet.state() == before
    fleet.face.set_check(pull["head"]["sha"], "ci/test", CheckState.PASSED)
    deadline = time.monotonic() + 30  # Gitea merges a moment after the status came
    while not fleet.face.api("GET", f"/pulls/{pull['number']}")["merged"]:
        assert time.monotonic() < deadline, "Gitea did not merge it"
        time.sleep(0.05)
    assert fleet.tag() == "1.1.0"


def test_a_merge_by_itself_that_was_taken_back_is_left_to_a_person(make: MakeFleet) -> None:
    fleet = make("updates:\n  - {name: prod, automerge: {minor: after-checks}}\n")
    fleet.go()
    fleet.face.set_check(fleet.pull()["head"]["sha"], "ci/test", CheckState.PASSED)
    fleet.go()
    assert fleet.tag() == "1.1.0"
    fleet.write("1.0.0", message="Back to what worked")
    fleet.publish("1.2.0")
    fleet.go()
    pull = fleet.pull()
    assert "taken back" in pull["body"]
    fleet.face.set_check(pull["head"]["sha"], "ci/test", CheckState.PASSED)
    fleet.go()
    assert fleet.tag() == "1.0.0"


def test_the_dashboard_shows_everything_and_is_written_only_when_it_changed(
    make: MakeFleet,
) -> None:
    fleet = make("dashboard: true\nlimits: {open: 1}\n")
    fleet.publish("1.0.1", name="api")
    fleet.go()
    (issue,) = fleet.face.api("GET", "/issues?type=issues&state=open")
    assert issue["title"] == "Pilotfish dashboard"
    assert re.search(r"open", issue["body"], re.IGNORECASE)
    assert "the limit" in issue["body"]
    assert "shop/web" in issue["body"]
    fleet.go()
    (again,) = fleet.face.api("GET", "/issues?type=issues&state=open")
    assert again["updated_at"] == issue["updated_at"]
