"""Proposals of many images: nothing that grows with them stands in a body without a bound."""

import re

import pytest

from bot.planning.metadata import read_metadata
from bot.planning.plan import PlannedProposal
from bot.planning.proposal_text import ProposalFacts, body
from tests.bot.planning.shown_proposals import Shown, facts_of, notes_of, planned_of, release
from tests.bot.planning.situations import chosen

MANY = 300
MAX_CHARS = 60_000
ALL = "updates:\n  - {name: all, group: all}\n"


def of_many(new: str, rule: str, **more: object) -> tuple[PlannedProposal, ProposalFacts]:
    """Return a proposal of many images, in a body as long as we ever write one."""
    choices = [
        chosen(
            {
                f"clusters/prod-eu/apps/web-{n:03}.yaml": (
                    f"image: acme/web-{n:03}:1.0.0 # pilotfish: semver {rule}\n"
                )
            },
            ["1.0.0", new],
            config=ALL,
        )
        for n in range(MANY)
    ]
    return planned_of(*choices), facts_of((), max_chars=MAX_CHARS, **more)


@pytest.mark.parametrize("releases", [0, 5])
def test_it_fits_whatever_was_found_and_left_out(releases: int) -> None:
    text = "- a line of a release\n" * 20
    notes = tuple(
        notes_of(
            f"web-{n:03}",
            "v1.0.0",
            "v1.1.0",
            *(release(f"v1.{n}.{one}", text, name=f"web-{n:03}") for one in range(releases)),
        )
        for n in range(MANY)
    )
    ignored = tuple(f"acme/web-{n:03} 1.2.0" for n in range(MANY))
    planned, facts = of_many("1.1.0", "^1", notes=notes, ignored=ignored)
    shown = Shown(name="many", planned=planned, facts=facts)

    written = shown.markdown()

    assert len(written) <= MAX_CHARS
    assert written.startswith("Update 300 images in ")
    assert re.search(r"and \d+ more rows, which the difference shows", written)
    assert re.search(r"\d+ more are left out|Nothing was found for 300 images", written)
    assert "300 are left out, as a person closed them before" in written
    assert read_metadata(written) == shown.metadata()


def test_images_that_are_released_together_are_named_in_part() -> None:
    one = release("v1.1.0", "- a line")
    notes = tuple(notes_of(f"web-{n:03}", "v1.0.0", "v1.1.0", one) for n in range(MANY))
    text = body(*of_many("1.1.0", "^1", notes=notes))

    assert "<b>web-000, web-001, web-002, web-003, web-004, web-005 and 294 more</b>" in text


def test_warnings_and_majors_are_counted() -> None:
    text = body(*of_many("4.0.0", ">=1"))

    assert text.count("goes up 3 majors at once") == 20
    assert "> - and 280 more\n" in text
    assert "of web-000, web-001, web-002, web-003, web-004, web-005 and 294 more. To undo" in text
