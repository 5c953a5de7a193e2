"""A fall that we wrote ourselves is no person's word, however it reached the base."""

import pytest

from tests.journeys.fleet import FILE, PERSON, Fleet, deployment

MARKER = "pilotfish: semver ^1 allow-downgrade=true"


@pytest.fixture
def ahead(fleet: Fleet) -> Fleet:
    """The fleet on 1.5.0, which its registry no longer has, allowed to fall."""
    text = deployment(f"{fleet.image}:1.5.0", MARKER)
    fleet.remote.commit({FILE: text}, "Go ahead", author=PERSON)
    return fleet


@pytest.mark.parametrize("how", ["merge", "squash", "fast-forward", "cherry-pick", "commit"])
def test_a_fall_of_ours_holds_nothing(ahead: Fleet, how: str) -> None:
    ahead.go("--deliver", "commit" if how == "commit" else "pull-request")
    if how == "merge":
        ahead.remote.merge(ahead.branch)
    elif how == "squash":
        ours = ahead.remote.log(ahead.branch)[0].message
        ahead.remote.squash_merge(ahead.branch, message=f"Web (#3)\n\n* {ours}")
    elif how == "fast-forward":
        ahead.remote.fast_forward(ahead.branch)
    elif how == "cherry-pick":
        ours = ahead.remote.log(ahead.branch)[0].message
        ahead.remote.commit({"notes.md": "x\n"}, "Go on", author=PERSON)
        text = ahead.remote.read(FILE, ahead.branch)
        ahead.remote.commit({FILE: text}, ours, author=PERSON)
    assert ahead.tag() == "1.1.0"
    ahead.publish("1.4.0")
    answer = ahead.run.json("plan")
    assert answer.json["holds"] == []
    assert answer.moves() == [(FILE, "1.1.0", "1.4.0")]


def test_a_stale_trailer_on_a_persons_fall_excuses_nothing(fleet: Fleet) -> None:
    fleet.go("--deliver", "commit")
    rise = fleet.remote.log()[0].message
    fleet.write("1.0.0", f"Back\n\n{rise}")
    answer = fleet.run.json("plan")
    assert answer.moves() == []
    assert [one["tag"] for one in answer.json["held"]] == ["1.1.0"]
