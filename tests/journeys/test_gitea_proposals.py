"""Pull requests on a real Gitea, by the installed command: their whole life, person by person."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.forges.forge import CheckState
from bot.planning.metadata import read_metadata
from tests.journeys.commands import Pilotfish
from tests.journeys.forge_fleet import API, BRANCH, WEB, ForgeFleet, forge_fleet
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
    """Return what makes the fleet of this test."""

    def made(config: str = "") -> ForgeFleet:
        return forge_fleet(
            gitea, odd_registry, pilotfish, unique_name, config=config, folder=tmp_path
        )

    return made


@pytest.fixture
def fleet(make: MakeFleet) -> ForgeFleet:
    """Return a fleet as it comes, with 1.1.0 of the web published."""
    made = make()
    made.publish("1.1.0")
    return made


def test_something_newer_is_proposed_as_a_pull_request(fleet: ForgeFleet) -> None:
    answer = fleet.go()
    assert answer.operations() == {BRANCH: "opened"}
    pull = fleet.pull()
    (told,) = answer.json["proposals"]
    assert told["number"] == pull["number"]
    assert told["url"] == pull["html_url"]
    assert told["head"] == pull["head"]["sha"]
    assert "web 1.0.0 → 1.1.0" in pull["title"]
    assert {one["name"] for one in pull["labels"]} == {"images", "minor"}
    metadata = read_metadata(pull["body"])
    assert metadata is not None
    assert metadata.head == pull["head"]["sha"]
    assert (fleet.tag(BRANCH), fleet.tag()) == ("1.1.0", "1.0.0")


def test_a_second_run_with_nothing_new_writes_nothing_and_says_so(fleet: ForgeFleet) -> None:
    fleet.go()
    before = fleet.state()
    assert fleet.go().operations() == {BRANCH: "unchanged"}
    assert fleet.state() == before
    answer = fleet.run("run")
    assert "nothing was written" in answer.out
    assert fleet.state() == before


def test_a_newer_tag_refreshes_the_same_pull_request(fleet: ForgeFleet) -> None:
    fleet.go()
    first = fleet.pull()
    fleet.publish("1.2.0")
    assert fleet.go().operations() == {BRANCH: "refreshed"}
    pull = fleet.pull()
    assert pull["number"] == first["number"]
    assert "1.2.0" in pull["title"]
    assert pull["head"]["sha"] != first["head"]["sha"]
    assert fleet.tag(BRANCH) == "1.2.0"
    assert len(fleet.face.parents(pull["head"]["sha"])) == 1


def test_a_persons_commit_is_respected_and_said_once(fleet: ForgeFleet) -> None:
    fleet.go()
    number = fleet.pull()["number"]
    theirs = fleet.face.commit(BRANCH, {"note.txt": b"mine\n"})
    fleet.publish("1.2.0")
    assert fleet.go().operations() == {BRANCH: "left"}
    assert fleet.face.head(BRANCH) == theirs
    (said,) = fleet.comments(number)
    assert "theirs" in said["body"]
    before = fleet.state()
    assert fleet.go().operations() == {BRANCH: "left"}
    assert fleet.state() == before


def test_a_close_means_no_and_only_something_new_comes_again(fleet: ForgeFleet) -> None:
    fleet.go()
    number = fleet.pull()["number"]
    fleet.face.close(number)
    assert fleet.go().operations() == {BRANCH: "ignored"}
    assert fleet.pulls() == []
    (said,) = fleet.comments(number)
    assert "1.1.0" in said["body"]
    assert "/unhold" in said["body"]
    before = fleet.state()
    assert fleet.go().operations() == {BRANCH: "ignored"}
    assert fleet.state() == before
    fleet.publish("1.2.0")
    assert fleet.go().operations() == {BRANCH: "opened"}
    assert fleet.pull()["number"] != number


def test_of_a_closed_group_only_what_is_new_is_proposed(make: MakeFleet) -> None:
    fleet = make("updates:\n  - {name: prod, group: all}\n")
    fleet.publish("1.1.0")
    fleet.publish("1.1.0", name="api")
    branch = "pilotfish/prod-all"
    assert fleet.go().operations() == {branch: "opened"}
    assert "(2 updates)" in fleet.pull()["title"]
    fleet.face.close(fleet.pull()["number"])
    assert fleet.go().operations() == {branch: "ignored"}
    fleet.publish("1.2.0", name="api")
    assert fleet.go().operations() == {branch: "opened"}
    assert (fleet.tag(branch), fleet.tag(branch, API)) == ("1.0.0", "1.2.0")


def test_a_deleted_branch_is_a_close(fleet: ForgeFleet) -> None:
    fleet.go()
    fleet.face.delete_branch(BRANCH)
    assert fleet.go().operations() == {BRANCH: "ignored"}
    assert fleet.pulls() == []
    assert BRANCH not in fleet.face.made.branches()


def test_a_reopened_pull_request_is_kept_current_again(fleet: ForgeFleet) -> None:
    fleet.go()
    number = fleet.pull()["number"]
    fleet.face.close(number)
    fleet.go()
    fleet.face.reopen(number)
    assert fleet.go().operations() == {BRANCH: "unchanged"}
    fleet.publish("1.2.0")
    assert fleet.go().operations() == {BRANCH: "refreshed"}
    assert fleet.pull()["number"] == number


def test_a_closed_major_stays_closed_and_smaller_steps_come(make: MakeFleet) -> None:
    fleet = make()
    text = fleet.face.made.read_file(WEB).replace(b"semver ^1", b"semver >=1")
    fleet.face.commit("main", {WEB: text})
    fleet.publish("2.0.0")
    fleet.go()
    fleet.face.close(fleet.pull()["number"])
    fleet.publish("1.1.0", "2.1.0")
    answer = fleet.go()
    assert answer.operations() == {BRANCH: "opened"}
    assert fleet.tag(BRANCH) == "1.1.0"
    assert {one["tag"] for one in answer.json["held"]} == {"2.0.0", "2.1.0"}
    fleet.publish("3.0.0")
    assert fleet.go().operations() == {BRANCH: "refreshed"}
    assert fleet.tag(BRANCH) == "3.0.0"


@pytest.mark.parametrize("squash", [False, True])
def test_a_merge_deletes_the_branch(fleet: ForgeFleet, squash: bool) -> None:
    fleet.go()
    fleet.face.merge(fleet.pull()["number"], squash=squash)
    assert fleet.tag() == "1.1.0"
    assert fleet.go().operations() == {BRANCH: "closed"}
    assert BRANCH not in fleet.face.made.branches()
    before = fleet.state()
    assert fleet.go().json["proposals"] == []
    assert fleet.state() == before


def test_a_revert_by_a_person_holds_until_something_newer(fleet: ForgeFleet) -> None:
    fleet.go()
    fleet.face.merge(fleet.pull()["number"])
    fleet.write("1.0.0", message="Back to what worked")
    answer = fleet.go()
    assert [one["tag"] for one in answer.json["held"]] == ["1.1.0"]
    assert fleet.pulls() == []
    fleet.publish("1.2.0")
    assert fleet.go().operations() == {BRANCH: "opened"}
    assert "1.1.0" in fleet.pull()["body"] or "1.2.0" in fleet.pull()["title"]


def test_what_the_base_got_by_itself_ends_the_proposal_with_the_reason(fleet: ForgeFleet) -> None:
    fleet.go()
    number = fleet.pull()["number"]
    fleet.write("1.1.0")
    assert fleet.go().operations() == {BRANCH: "closed"}
    pull = fleet.face.api("GET", f"/pulls/{number}")
    assert pull["state"] == "closed"
    assert "Closed by Pilotfish" in pull["body"]
    assert BRANCH not in fleet.face.made.branches()
    fleet.write("1.0.0", message="Back again")
    fleet.publish("1.2.0")
    assert fleet.go().operations() == {BRANCH: "opened"}


def test_limits_let_the_rest_wait_and_say_for_what(make: MakeFleet) -> None:
    fleet = make("limits: {open: 1}\n")
    fleet.publish("1.1.0")
    fleet.publish("1.0.1", name="api")
    answer = fleet.go()
    assert answer.operations() == {"pilotfish/shop-api": "opened", BRANCH: "waiting"}
    waiting = next(one for one in answer.json["proposals"] if one["branch"] == BRANCH)
    assert "the limit" in waiting["reason"]
    assert len(fleet.pulls()) == 1


def test_a_hold_on_the_command_line_ends_the_proposal(fleet: ForgeFleet) -> None:
    fleet.go()
    image = f"{fleet.registry.host}/shop/web"
    held = fleet.run("hold", f"{image}@1.1.0", "--reason", "breaks login")
    assert held.code == 0, held.err
    assert fleet.go().operations() == {BRANCH: "closed"}
    assert "breaks login" in fleet.run("holds").out
    assert fleet.run("unhold", image).code == 0
    assert fleet.go().operations() == {BRANCH: "opened"}


def test_a_base_that_demands_up_to_date_branches_gets_them(fleet: ForgeFleet) -> None:
    fleet.go()
    first = fleet.pull()["head"]["sha"]
    fleet.face.commit("main", {"README.md": b"more\n"})
    assert fleet.go().operations() == {BRANCH: "unchanged"}
    fleet.face.protect("main", up_to_date=True)
    assert fleet.go().operations() == {BRANCH: "refreshed"}
    head = fleet.pull()["head"]["sha"]
    assert head != first
    assert fleet.face.parents(head) == (fleet.face.head("main"),)


@pytest.mark.parametrize("deliver", ["commit", "branch"])
def test_a_run_that_delivers_in_another_way_closes_no_pull_request(
    make: MakeFleet, deliver: str
) -> None:
    fleet = make()
    fleet.publish("1.1.0", "2.0.0")
    fleet.go()
    opened = fleet.pull()
    fleet.face.protect("main")
    fleet.face.api("PATCH", "/branch_protections/main", {"enable_push": False})
    fleet.go("--deliver", deliver, code=4 if deliver == "commit" else 0)
    assert fleet.pull()["number"] == opened["number"]
    assert fleet.go().operations()[BRANCH] == "unchanged"


@pytest.mark.parametrize("is_up", [True, False])
def test_what_is_delivered_in_another_way_from_now_on_ends_with_the_reason(
    fleet: ForgeFleet, is_up: bool
) -> None:
    fleet.go()
    opened = fleet.pull()
    text = fleet.face.made.read_file(".pilotfish.yaml").decode()
    text += "updates:\n  - {name: default, deliver: commit}\n"
    if not is_up:
        fleet.run.environment["PILOTFISH_GIT_USERNAME"] = "fleet-admin"
        text = text.replace("kind: gitea", "kind: gitea, url: https://127.0.0.1:9")
    fleet.face.commit("main", {".pilotfish.yaml": text.encode()})
    answer = fleet.go()
    assert fleet.tag() == "1.1.0"
    now = fleet.face.api("GET", f"/pulls/{opened['number']}")
    was_ended = (now["state"] == "closed", "Closed by Pilotfish" in now["body"])
    assert was_ended == (is_up, is_up)
    assert ("are left as they stand" in str(answer.json["problems"])) is not is_up


def test_a_protected_base_is_proposed_to_like_any_other(fleet: ForgeFleet) -> None:
    fleet.face.protect("main", checks=["ci/test"], approvals=1)
    assert fleet.go().operations() == {BRANCH: "opened"}
    fleet.face.set_check(fleet.pull()["head"]["sha"], "ci/test", CheckState.PENDING)
    before = fleet.state()
    assert fleet.go().operations() == {BRANCH: "unchanged"}
    assert fleet.state() == before


def test_a_branch_of_our_name_that_we_did_not_make_is_refused(fleet: ForgeFleet) -> None:
    theirs = fleet.face.commit(BRANCH, {"x.txt": b"theirs\n"})
    answer = fleet.go(code=4)
    assert answer.operations() == {BRANCH: "refused"}
    assert fleet.face.head(BRANCH) == theirs
    assert fleet.pulls() == []


def test_without_a_token_it_is_an_error_and_nothing_is_pushed(fleet: ForgeFleet) -> None:
    del fleet.run.environment["GITEA_TOKEN"]
    answer = fleet.run("run", "-o", "json")
    assert answer.code in {1, 2}
    assert "there is no token" in answer.err
    assert "GITEA_TOKEN" in answer.err
    assert BRANCH not in fleet.face.made.branches()


def test_a_plan_reads_and_writes_nothing(fleet: ForgeFleet) -> None:
    before = fleet.state()
    answer = fleet.run.json("plan")
    assert answer.operations() == {BRANCH: "opened"}
    assert fleet.state() == before


def test_the_token_appears_nowhere(fleet: ForgeFleet, tmp_path: Path) -> None:
    answers = [fleet.run("run", "-v"), fleet.run("run", "-o", "json"), fleet.run("check")]
    pull = fleet.pull()
    shown = [one.out + one.err for one in answers] + [pull["body"], pull["title"]]
    assert not any(fleet.token in text for text in shown)
    cached = [one for one in fleet.run.cache.rglob("*") if one.is_file()]
    assert not any(fleet.token.encode() in one.read_bytes() for one in cached)


def test_gates_are_shown_as_a_status_of_the_commit(make: MakeFleet) -> None:
    fleet = make()
    text = fleet.face.made.read_file(WEB)
    marked = text.replace(b"semver ^1", b"semver ^1 platforms=linux/amd64")
    fleet.face.commit("main", {WEB: marked})
    fleet.publish("1.1.0")
    fleet.go()
    found = fleet.face.status_of(fleet.pull()["head"]["sha"], "pilotfish/gates")
    assert found is not None
    assert found[0] is CheckState.PASSED
    assert "linux/amd64" in found[1]


def test_a_marker_that_went_ends_its_proposal_with_the_reason(fleet: ForgeFleet) -> None:
    fleet.go()
    number = fleet.pull()["number"]
    text = fleet.face.made.read_file(WEB).replace(b"  # pilotfish: semver ^1", b"")
    bare = fleet.face.made.read_file(API).replace(b"  # pilotfish: semver ^1", b"")
    fleet.face.commit("main", {WEB: text, API: bare})
    assert fleet.go().operations() == {BRANCH: "closed"}
    pull = fleet.face.api("GET", f"/pulls/{number}")
    assert (pull["state"], "Closed by Pilotfish" in pull["body"]) == ("closed", True)
    assert BRANCH not in fleet.face.made.branches()


def test_what_needs_no_forge_goes_on_without_one(make: MakeFleet) -> None:
    fleet = make(
        "updates:\n  - {name: web, paths: [apps/web.yaml]}\n"
        "  - {name: api, paths: [apps/api.yaml], deliver: commit}\n"
    )
    fleet.publish("1.1.0")
    fleet.publish("1.1.0", name="api")
    fleet.run.environment["PILOTFISH_GIT_USERNAME"] = "fleet-admin"
    config = fleet.face.made.read_file(".pilotfish.yaml")
    fleet.face.commit(
        "main",
        {
            ".pilotfish.yaml": config.replace(
                b"kind: gitea", b"kind: gitea, url: https://127.0.0.1:9"
            )
        },
    )
    answer = fleet.go(code=4)
    assert [one["update"] for one in answer.json["commits"]] == ["api"]
    assert fleet.tag(file=API) == "1.1.0"
    assert answer.json["proposals"] == []
    assert "pilotfish/web-shop-web" not in fleet.face.made.branches()


PEOPLE = (
    "updates:\n  - name: prod\n    reviewers: [wanda]\n    assignees: [wanda, nobody-has-this]\n"
    "    automerge: {patch: after-checks}\n"
)
ASKED: tuple[set[str], set[str]] = ({"wanda"}, {"wanda"})
NOBODY: tuple[set[str], set[str]] = (set(), set())


def people(fleet: ForgeFleet) -> dict[str, tuple[set[str], set[str]]]:
    """Return who is asked and assigned, by the image of each open proposal."""
    return {one["title"].split()[1]: fleet.face.people_on(one["number"]) for one in fleet.pulls()}


def test_people_are_asked_where_a_person_is_to_merge(make: MakeFleet) -> None:
    fleet = make(PEOPLE)
    fleet.publish("1.1.0")
    fleet.publish("1.0.1", name="api")
    fleet.go()
    assert people(fleet) == {"web": ASKED, "api": NOBODY}


@pytest.mark.parametrize("required", [False, True])
def test_people_are_asked_once_the_checks_of_what_merges_alone_failed(
    make: MakeFleet, required: bool
) -> None:
    fleet = make(PEOPLE)
    if required:
        fleet.face.protect("main", checks=["ci/test"])
    fleet.publish("1.0.1")
    fleet.go()
    head = fleet.pull()["head"]["sha"]
    fleet.face.set_check(head, "ci/test", CheckState.PENDING)
    fleet.go()
    assert people(fleet) == {"web": NOBODY}
    fleet.face.set_check(head, "ci/test", CheckState.FAILED)
    assert "1 text rewritten" in fleet.run("run").out
    assert people(fleet) == {"web": ASKED}
    before = fleet.state()
    assert "nothing was written" in fleet.run("run").out
    assert fleet.state() == before


def test_titles_and_subjects_begin_as_configured(make: MakeFleet) -> None:
    fleet = make("commit: {prefix: 'build(deps)'}\n")
    fleet.publish("1.1.0")
    fleet.go()
    pull = fleet.pull()
    assert pull["title"] == "build(deps): web 1.0.0 → 1.1.0"
    assert fleet.face.message(pull["head"]["sha"]).splitlines()[0] == pull["title"]
