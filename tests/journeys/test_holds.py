"""A person's "not this one": said by command, by reverting, and lifted again."""

import subprocess

import pytest

from bot.git.remote import NOTES_REF
from tests.journeys.commands import Pilotfish
from tests.journeys.fleet import FILE, PERSON, PLAIN, Fleet, deployment, tag_in

DELIVERIES = ["commit", "branch", "pull-request"]


def carried(fleet: Fleet, deliver: str) -> str:
    """Run once and let what it delivers reach the base; return the tag that stands there."""
    fleet.go("--deliver", deliver)
    for branch in [name for name in fleet.remote.branches() if name != "main"]:
        fleet.remote.merge(branch)
        fleet.remote.delete_branch(branch)
    return fleet.tag()


@pytest.mark.parametrize("deliver", DELIVERIES)
def test_a_revert_becomes_a_hold_and_ends_with_a_newer_tag(fleet: Fleet, deliver: str) -> None:
    assert carried(fleet, deliver) == "1.1.0"
    fleet.publish("1.0.5")
    fleet.write("1.0.0", "Back to 1.0.0: login is broken")
    heads = fleet.remote.branches()
    answer = fleet.go("--deliver", deliver)
    assert answer.moves() == []
    held = {one["tag"]: one for one in answer.json["held"]}
    assert set(held) == {"1.1.0", "1.0.5"}
    assert "Kim Person" in held["1.1.0"]["reason"]
    assert fleet.remote.branches() == heads
    (seen,) = fleet.run.json("holds").json["holds"]
    assert seen["what"] == "above 1.0.0 up to 1.1.0"
    fleet.publish("1.1.1")
    assert carried(fleet, deliver) == "1.1.1"


def test_a_revert_of_the_merge_commit_is_a_fall_by_a_person(fleet: Fleet) -> None:
    fleet.go()
    merged = fleet.remote.merge(fleet.branch)
    fleet.go()
    fleet.remote.git("tag", "keep", merged)
    fleet.write("1.0.0", f'Revert "Merge branch"\n\nThis reverts commit {merged}.')
    answer = fleet.go()
    assert [one["tag"] for one in answer.json["held"]] == ["1.1.0"]
    assert answer.moves() == []


def test_a_revert_is_found_again_with_an_empty_cache(fleet: Fleet) -> None:
    carried(fleet, "commit")
    fleet.write("1.0.0")
    fleet.run.cache = fleet.run.cache.with_name("another")
    assert fleet.go("--deliver", "commit").moves() == []


def test_an_unhold_lifts_what_a_revert_holds(fleet: Fleet) -> None:
    carried(fleet, "commit")
    fleet.write("1.0.0")
    assert fleet.go("--deliver", "commit").moves() == []
    assert fleet.run("unhold", "shop/web").code == 0
    assert fleet.go("--deliver", "commit").moves() == [(FILE, "1.0.0", "1.1.0")]
    fleet.write("1.0.0", "Back again", date="2090-01-01T00:00:00Z")
    assert fleet.go("--deliver", "commit").moves() == []


def test_a_hold_is_kept_on_the_remote_with_who_and_why(fleet: Fleet) -> None:
    answer = fleet.run("hold", f"{fleet.image}@1.1.0", "--reason", "breaks login, #12")
    assert (answer.code, answer.err) == (0, "")
    assert NOTES_REF in fleet.remote.git("for-each-ref")
    (one,) = fleet.run.json("holds").json["holds"]
    assert one["reason"] == "breaks login, #12"
    assert one["who"] == "Test Person <person@example.test>"
    planned = fleet.run.json("plan")
    assert planned.moves() == []
    assert planned.json["held"][0]["tag"] == "1.1.0"
    assert fleet.run("unhold", f"{fleet.image}@1.1.0").code == 0
    assert fleet.run.json("holds").json == {"holds": []}
    assert fleet.run.json("plan").moves() == [(FILE, "1.0.0", "1.1.0")]


def test_a_hold_closes_the_open_proposal_and_the_next_best_comes(fleet: Fleet) -> None:
    fleet.publish("1.0.7")
    fleet.go()
    fleet.run("hold", "shop/web@1.1.0")
    fleet.go()
    assert fleet.proposed() == {fleet.branch: "1.0.7"}
    fleet.run("hold", "shop/web")
    assert fleet.go().operations() == {fleet.branch: "closed"}


def test_hold_unhold_hold_within_a_moment_ends_held(fleet: Fleet) -> None:
    for command in ("hold", "unhold", "hold"):
        assert fleet.run(command, "shop/web").code == 0
    assert fleet.run.json("plan").moves() == []


def test_the_last_part_of_a_name_is_enough(fleet: Fleet) -> None:
    answer = fleet.run("hold", "web@1.1.0")
    assert (answer.code, answer.err) == (0, "")
    (held,) = fleet.run.json("holds").json["holds"]
    assert held["policy"].endswith("/shop/web")
    assert fleet.run.json("plan").moves() == []
    assert "1.1.0" in fleet.run("explain", "web").out


def test_a_name_that_nothing_goes_by_is_a_warning(fleet: Fleet) -> None:
    answer = fleet.run("hold", "shop/wbe")
    assert answer.code == 0
    assert "nothing on the base branch is followed by the name shop/wbe" in answer.err
    assert "shop/web" in answer.err


@pytest.mark.parametrize("until", ["yesterday", "2001-01-01", "9999999d", "999999w"])
def test_an_end_that_is_none_is_refused_before_anything_is_written(
    fleet: Fleet, until: str
) -> None:
    answer = fleet.run("hold", "shop/web", "--until", until)
    assert answer.code == 2
    assert "--until" in answer.err
    assert fleet.host.pushes() == 0


def test_holds_of_two_people_at_once_both_count(fleet: Fleet) -> None:
    other = Pilotfish(
        folder=fleet.run.folder,
        cache=fleet.run.cache.with_name("o"),
        repository=fleet.run.repository,
    )
    fleet.host.before_push(lambda: other("hold", "shop/api@9"))
    assert fleet.run("hold", "shop/web@1.1.0").code == 0
    assert len(fleet.run.json("holds").json["holds"]) == 2


def test_files_know_the_reverts_of_their_clone_and_the_holds_of_its_origin(
    fleet: Fleet, pilotfish: Pilotfish
) -> None:
    carried(fleet, "commit")
    fleet.write("1.0.0")
    _clone(fleet, pilotfish)
    answer = pilotfish.json("run", "--deliver", "files")
    assert answer.json["files"] == []
    assert [one["tag"] for one in answer.json["held"]] == ["1.1.0"]
    fleet.publish("1.1.1", "1.1.2")
    assert pilotfish("hold", "shop/web@1.1.2").code == 0
    assert pilotfish.json("run", "--deliver", "files").json["files"] == [FILE]
    assert tag_in((pilotfish.folder / FILE).read_bytes()) == "1.1.1"


def test_a_fall_on_an_earlier_line_of_the_files_is_one_too(fleet: Fleet) -> None:
    carried(fleet, "commit")
    text = "# rolled back, see the incident\n" + deployment(
        f"{fleet.image}:1.0.0", "pilotfish: semver >=1.0 <2"
    )
    fleet.remote.commit({FILE: text, ".pilotfish.yaml": PLAIN}, "Roll back", author=PERSON)
    assert fleet.go("--deliver", "commit").moves() == []


def _clone(fleet: Fleet, pilotfish: Pilotfish) -> None:
    pilotfish.repository = ""
    pilotfish.folder = pilotfish.folder.parent / "clone"
    assert fleet.remote.url_http is not None
    subprocess.run(["git", "clone", "-q", fleet.remote.url_http, str(pilotfish.folder)], check=True)
