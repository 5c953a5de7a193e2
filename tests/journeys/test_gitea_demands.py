"""What users of other tools miss, on a real Gitea: one place for a change, few digests, reasons."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.commands import Pilotfish
from tests.journeys.fleet import deployment
from tests.journeys.forge_fleet import API, BRANCH, WEB, ForgeFleet, forge_fleet
from tests.servers.gitea import Gitea
from tests.servers.images import build_image, build_index
from tests.servers.odd_registry import OddRegistry

pytestmark = [pytest.mark.journey, pytest.mark.servers]
MakeFleet = Callable[..., ForgeFleet]
GROUPED = "updates:\n  - {name: prod, group: all}\n"


@pytest.fixture
def make(
    gitea: Gitea,
    odd_registry: OddRegistry,
    pilotfish: Pilotfish,
    unique_name: str,
    tmp_path: Path,
) -> MakeFleet:
    """Return what makes the fleet of this test."""

    def made(config: str = "", files: dict[str, str] | None = None) -> ForgeFleet:
        return forge_fleet(
            gitea, odd_registry, pilotfish, unique_name, config=config, files=files, folder=tmp_path
        )

    return made


def test_what_moved_to_another_request_is_closed_with_a_link_to_it(make: MakeFleet) -> None:
    fleet = make("updates:\n  - {name: prod}\n")
    fleet.publish("1.1.0")
    fleet.publish("1.1.0", name="api")
    fleet.go()
    older = {one["number"] for one in fleet.pulls()}
    assert len(older) == 2
    config = fleet.face.made.read_file(".pilotfish.yaml").replace(
        b"{name: prod}", b"{name: prod, group: all}"
    )
    fleet.face.commit("main", {".pilotfish.yaml": config})
    states = fleet.go().operations()
    assert sorted(states.values()) == ["closed", "closed", "opened"]
    new = fleet.pull()
    ended = {one["number"]: one["body"] for one in fleet.pulls("closed")}
    assert set(ended) == older
    assert all(f"superseded by #{new['number']}" in body for body in ended.values())
    branches = {one for one in fleet.face.made.branches() if one.startswith("pilotfish/")}
    assert branches == {"pilotfish/prod-all"}


def test_a_group_is_one_commit_by_one_push(make: MakeFleet) -> None:
    fleet = make(GROUPED)
    fleet.publish("1.1.0")
    fleet.publish("1.1.0", name="api")
    before = len(pushes(fleet))
    fleet.go()
    assert len(pushes(fleet)) - before == 1
    head = fleet.pull()["head"]["sha"]
    assert fleet.face.parents(head) == (fleet.face.head("main"),)
    assert (fleet.tag("pilotfish/prod-all"), fleet.tag("pilotfish/prod-all", API)) == (
        "1.1.0",
        "1.1.0",
    )


def pushes(fleet: ForgeFleet) -> list[str]:
    """Return our pushes so far."""
    return [str(one) for one in fleet.gitea.writes("pilotfish-bot") if "git-receive" in str(one)]


def test_what_a_person_closed_is_named_in_what_comes_after_it(make: MakeFleet) -> None:
    fleet = make(GROUPED)
    fleet.publish("1.1.0")
    fleet.publish("1.1.0", name="api")
    fleet.go()
    fleet.face.close(fleet.pull()["number"])
    fleet.publish("1.2.0", name="api")
    fleet.go()
    pull = fleet.pull()
    assert "api 1.0.0 → 1.2.0" in pull["title"]
    assert "as a person closed" in pull["body"]
    assert f"{fleet.registry.host}/shop/web 1.1.0" in pull["body"].replace("`", "")


def test_a_revert_is_shown_wherever_people_look(make: MakeFleet) -> None:
    fleet = make("dashboard: true\n")
    fleet.publish("1.1.0")
    fleet.go()
    fleet.face.merge(fleet.pull()["number"])
    fleet.write("1.0.0", message="Back to what worked")
    answer = fleet.go()
    (held,) = answer.json["held"]
    assert held["tag"] == "1.1.0"
    (issue,) = fleet.face.api("GET", "/issues?type=issues&state=open")
    held_there = issue["body"].partition("### Held")[2].partition("###")[0]
    assert "1.1.0" in held_there
    shown = fleet.run("run").out
    assert "1.1.0" in shown
    image = f"{fleet.registry.host}/shop/web"
    fleet.face.comment(issue["number"], f"/unhold {image}")
    assert fleet.go().operations() == {BRANCH: "opened"}


def test_new_digests_share_one_request_and_unchanged_platforms_ask_for_none(
    make: MakeFleet,
) -> None:
    fleet = make()
    host = fleet.registry.host
    images = {one: build_image(platform=f"linux/{one}") for one in ("amd64", "arm64")}
    index = build_index(list(images.values()))
    for name in ("web", "api"):
        fleet.registry.push(f"shop/{name}", "stable", index)
    marker = "pilotfish: digest platforms=linux/amd64"
    written = {
        file: deployment(f"{host}/shop/{name}:stable@{index.digest}", marker).encode()
        for name, file in (("web", WEB), ("api", API))
    }
    fleet.face.commit("main", written)
    other = build_image(platform="linux/arm64", created="2026-01-09T00:00:00Z")
    for name in ("web", "api"):
        fleet.registry.push(f"shop/{name}", "stable", build_index([images["amd64"], other]))
    before = fleet.state()
    assert fleet.go().json["proposals"] == []
    assert fleet.state() == before
    rebuilt = build_image(platform="linux/amd64", created="2026-01-09T00:00:00Z")
    for name in ("web", "api"):
        fleet.registry.push(f"shop/{name}", "stable", build_index([rebuilt, other]))
    assert fleet.go().operations() == {"pilotfish/digests": "opened"}
    assert "(2 updates)" in fleet.pull()["title"]
