"""Comments that are made once: a hidden mark says which, and foreign words in them do nothing."""

import pytest
from hypothesis import given, settings

from bot.planning.remembered import ChangeRecord
from bot.planning.said_once import (
    approved_then_refreshed,
    closed_by_person,
    edited_by_person,
    rollout_failed,
)
from tests.bot.planning.signs import NASTY, signs_in

OLD, NEW = "chore(images): web 1.4.1 → 1.4.2", "chore(images): web 1.4.1 → 1.4.3"


def changed(value: str) -> ChangeRecord:
    return ChangeRecord(file="a.yaml", line=1, policy=value, old="", new=value)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        (edited_by_person("pull request"), "edited"),
        (closed_by_person([changed("web:1")], "pull request"), "closed"),
        (approved_then_refreshed(OLD, NEW, head="a1b2"), "refreshed a1b2"),
        (rollout_failed("1.4.3", "it does not start"), "rollout 1.4.3"),
    ],
)
def test_each_comment_begins_with_its_mark(text: str, mark: str) -> None:
    assert text.startswith(f"<!-- pilotfish:note {mark} -->\n")
    assert text.endswith("\n")


def test_who_approved_reads_what_it_was_and_is() -> None:
    text = approved_then_refreshed(OLD, NEW, head="a1b2")
    assert text.splitlines()[1] == (
        f"This was approved as `{OLD}` and is `{NEW}` now; please look at it again."
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("acme/web:1.4.2", "acme/web:2.0.0", ", nor another tag of this major"),
        ("1.4.2@sha256:" + "a" * 64, "2.0.0@sha256:" + "b" * 64, ", nor another tag of this major"),
        ("localhost:5000/web:1.4.2", "localhost:5000/web:1.5.0", ""),
        ("sha256:" + "1" * 64, "sha256:" + "2" * 64, ""),
        ("", "2.0.0", ""),
    ],
)
def test_a_close_of_a_major_says_that_it_refuses_all_of_it(old: str, new: str, said: str) -> None:
    change = ChangeRecord(file="a.yaml", line=1, policy="web", old=old, new=new)
    assert f"\n- `{new}` for `web`{said}\n" in closed_by_person([change], "pull request")


@settings(max_examples=50)
@given(NASTY, NASTY)
def test_no_foreign_word_acts_in_a_comment(one: str, other: str) -> None:
    for text in (
        approved_then_refreshed(one, other, head="a1b2"),
        closed_by_person([changed(one), changed(other)], "pull request"),
    ):
        mark, _, rest = text.partition("\n")
        assert "-->" not in mark.removesuffix("-->")
        assert signs_in(rest) == []
