"""Minimum age where no registry dates a tag: our first sight counts, and is remembered in Git."""

import re

from bot.git.remote import NOTES_REF
from tests.journeys.fleet import FILE, PERSON, Fleet, deployment

AGED = "pilotfish: semver ^1.2 min-age=1h"


def undated(fleet: Fleet, tag: str) -> None:
    """Push a tag whose image is of a reproducible build: it states no date that counts."""
    fleet.registry.push_image("shop/web", tag, created="1970-01-01T00:00:00Z")


def notes(fleet: Fleet) -> str:
    """Return the memory as it stands on the remote."""
    return fleet.remote.git("show", f"{NOTES_REF}:holds.yaml")


def test_a_tag_without_a_date_counts_from_our_first_sight(fleet: Fleet) -> None:
    text = deployment(f"{fleet.image}:1.0.0", AGED)
    fleet.remote.commit({FILE: text}, "Wait an hour", author=PERSON)
    undated(fleet, "1.2.0")
    first = fleet.go()
    assert first.moves() == []
    assert [one["tag"] for one in first.json["held"]][:1] == ["1.2.0"]
    (seen,) = re.findall(r"tag: 1\.2\.0\n.*\n  when: '?([^'\n]+)", notes(fleet))
    tip = fleet.remote.git("rev-parse", NOTES_REF)

    again = fleet.go()
    assert again.moves() == []
    assert fleet.remote.git("rev-parse", NOTES_REF) == tip

    long_ago = notes(fleet).replace(seen, "2026-01-01T00:00:00+00:00")
    remember(fleet, long_ago)
    later = fleet.go()
    assert fleet.proposed() == {fleet.branch: "1.2.0"}
    assert later.moves() == [(FILE, "1.0.0", "1.2.0")]


def test_a_tag_set_anew_begins_again(fleet: Fleet) -> None:
    text = deployment(f"{fleet.image}:1.0.0", AGED)
    fleet.remote.commit({FILE: text}, "Wait an hour", author=PERSON)
    undated(fleet, "1.2.0")
    fleet.go()
    (seen,) = re.findall(r"tag: 1\.2\.0\n.*\n  when: '?([^'\n]+)", notes(fleet))
    remember(fleet, notes(fleet).replace(seen, "2026-01-01T00:00:00+00:00"))
    fleet.registry.push_image(
        "shop/web", "1.2.0", created="1970-01-01T00:00:00Z", content="something else"
    )

    assert fleet.go().moves() == []
    assert fleet.proposed() == {}


def test_plan_writes_nothing_of_what_it_saw(fleet: Fleet) -> None:
    text = deployment(f"{fleet.image}:1.0.0", AGED)
    fleet.remote.commit({FILE: text}, "Wait an hour", author=PERSON)
    undated(fleet, "1.2.0")

    fleet.run.json("plan")

    assert NOTES_REF not in fleet.remote.git("for-each-ref")


def remember(fleet: Fleet, text: str) -> None:
    """Set the memory on the remote to `text`, as a commit on top of what is there."""
    fleet.remote.commit({"holds.yaml": text}, "Set the memory", branch="scratch")
    fleet.remote.git("update-ref", NOTES_REF, "refs/heads/scratch")
    fleet.remote.delete_branch("scratch")
