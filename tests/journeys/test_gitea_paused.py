"""A label by which a person has a pull request on a real Gitea stand as it is."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.forges.forge import CheckState
from tests.journeys.commands import Pilotfish
from tests.journeys.forge_fleet import BRANCH, WEB, ForgeFleet, forge_fleet
from tests.servers.gitea import Gitea
from tests.servers.odd_registry import OddRegistry

pytestmark = [pytest.mark.journey, pytest.mark.servers]
MakeFleet = Callable[..., ForgeFleet]
LABEL = "pilotfish/paused"


@pytest.fixture
def make(
    gitea: Gitea,
    odd_registry: OddRegistry,
    pilotfish: Pilotfish,
    unique_name: str,
    tmp_path: Path,
) -> MakeFleet:
    """Return what makes the fleet of this test, with the proposal of 1.1.0 open."""

    def made(config: str = "") -> ForgeFleet:
        fleet = forge_fleet(
            gitea, odd_registry, pilotfish, unique_name, config=config, folder=tmp_path
        )
        fleet.publish("1.1.0")
        fleet.go()
        return fleet

    return made


def labels(pull: Any) -> set[str]:
    """Return the labels of a pull request."""
    return {one["name"] for one in pull["labels"]}


def test_a_paused_pull_request_is_left_alone_until_the_label_goes(make: MakeFleet) -> None:
    fleet = make()
    number = fleet.pull()["number"]
    fleet.face.label(number, [LABEL])
    fleet.publish("1.2.0")
    fleet.face.commit("main", {WEB: b"# first\n" + fleet.face.made.read_file(WEB)})
    before = fleet.state()
    answer = fleet.go()
    assert answer.operations() == {BRANCH: "paused"}
    assert LABEL in answer.json["proposals"][0]["reason"]
    assert "nothing was written" in fleet.run("run").out
    assert fleet.state() == before
    fleet.face.unlabel(number, LABEL)
    assert fleet.go().operations() == {BRANCH: "refreshed"}
    assert (fleet.tag(BRANCH), fleet.pull()["number"]) == ("1.2.0", number)


def test_the_label_is_nothing_that_we_take_off(make: MakeFleet) -> None:
    fleet = make()
    number = fleet.pull()["number"]
    fleet.face.label(number, [LABEL])
    fleet.publish("2.0.0")
    fleet.go()
    assert labels(fleet.pull()) == {"images", "minor", LABEL}


def test_what_the_base_got_meanwhile_ends_it_only_afterwards(make: MakeFleet) -> None:
    fleet = make()
    number = fleet.pull()["number"]
    fleet.face.label(number, [LABEL])
    fleet.write("1.1.0")
    assert fleet.go().operations() == {BRANCH: "paused"}
    assert fleet.pull()["number"] == number
    fleet.face.unlabel(number, LABEL)
    assert fleet.go().operations() == {BRANCH: "closed"}
    assert fleet.pulls() == []


def test_a_person_may_still_merge_it(make: MakeFleet) -> None:
    fleet = make()
    number = fleet.pull()["number"]
    fleet.face.label(number, [LABEL])
    fleet.face.merge(number)
    assert fleet.go().operations() == {BRANCH: "closed"}
    assert fleet.tag() == "1.1.0"


def test_what_is_asked_of_a_paused_one_is_answered_and_waits_for_the_label(
    make: MakeFleet,
) -> None:
    fleet = make()
    pull = fleet.pull()
    number = pull["number"]
    box = "- [ ] <!-- pilotfish:hold -->"
    assert box in pull["body"]
    fleet.face.edit_body(number, pull["body"].replace(box, box.replace("[ ]", "[x]")))
    fleet.face.label(number, [LABEL])
    fleet.face.comment(number, "/rebase")
    assert fleet.go().operations() == {BRANCH: "paused"}
    (said,) = [one for one in fleet.comments(number) if one["user"]["login"] == "pilotfish-bot"]
    assert "it is paused" in said["body"]
    before = fleet.state()
    assert fleet.go().operations() == {BRANCH: "paused"}
    assert fleet.state() == before
    fleet.face.unlabel(number, LABEL)
    assert fleet.go().operations() == {BRANCH: "closed"}
    assert "1.1.0" in fleet.run("holds").out


def test_the_dashboard_says_what_is_paused(make: MakeFleet) -> None:
    fleet = make("dashboard: true\n")
    fleet.face.label(fleet.pull()["number"], [LABEL])
    fleet.go()
    (issue,) = fleet.face.api("GET", "/issues?type=issues&state=open")
    assert "### Paused by a label" in issue["body"]
    before = fleet.state()
    fleet.go()
    assert fleet.state() == before


def test_a_forge_that_was_to_merge_it_is_told_not_to(make: MakeFleet) -> None:
    fleet = make("updates:\n  - {name: prod, automerge: {minor: after-checks}}\n")
    fleet.face.protect("main", checks=["ci/test"])
    assert [one["automerge"] for one in fleet.go().json["proposals"]] == ["asked"]
    pull = fleet.pull()
    number, head = pull["number"], pull["head"]["sha"]
    fleet.face.label(number, [LABEL])
    assert [one["automerge"] for one in fleet.go().json["proposals"]] == ["cancelled"]
    before = fleet.state()
    fleet.go()
    assert fleet.state() == before
    fleet.face.set_check(head, "ci/test", CheckState.PASSED)
    time.sleep(1)  # so long Gitea would take to merge it
    assert fleet.pull()["number"] == number
    fleet.face.unlabel(number, LABEL)
    fleet.go()
    deadline = time.monotonic() + 30
    while not fleet.face.api("GET", f"/pulls/{number}")["merged"]:
        assert time.monotonic() < deadline, "Gitea did not merge it"
        time.sleep(0.05)
    assert fleet.tag() == "1.1.0"


def test_what_we_would_merge_ourselves_is_not_merged(make: MakeFleet) -> None:
    fleet = make("updates:\n  - {name: prod, automerge: {minor: after-checks}}\n")
    pull = fleet.pull()
    fleet.face.set_check(pull["head"]["sha"], "ci/test", CheckState.PASSED)
    fleet.face.label(pull["number"], [LABEL])
    fleet.go()
    assert fleet.tag() == "1.0.0"
    fleet.face.unlabel(pull["number"], LABEL)
    fleet.go()
    assert fleet.tag() == "1.1.0"
