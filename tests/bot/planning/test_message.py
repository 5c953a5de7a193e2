"""The commit's text, and the trailers by which we know our own commits again."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.git.trailers import read_trailers, with_trailers
from bot.planning.message import (
    body,
    default_message,
    read_trailers_of_ours,
    recorded_changes,
    subject,
    trailers,
)
from bot.planning.plan import PassedOver
from bot.planning.remembered import ChangeRecord
from tests.bot.planning.situations import ONE, TWO, chosen

WEB = "image: acme/web:1.0.0 # pilotfish: semver ^1\n"
CHANGE = ChangeRecord(file="a.yaml", line=1, policy="web", old="web:1", new="web:2")
CHANGES = st.builds(
    ChangeRecord,
    file=st.text(min_size=1),
    line=st.integers(0, 9999),
    policy=st.text(),
    old=st.text(),
    new=st.text(),
)


def test_one_image_names_its_versions() -> None:
    assert subject("acme/web", chosen(WEB, ["1.1.0"]).updates) == "chore(images): web 1.0.0 → 1.1.0"


def test_a_digest_names_its_tag() -> None:
    line = f"image: acme/web:1.0.0@{ONE} # pilotfish: digest\n"
    updates = chosen(line, ["1.0.0"], digests={"1.0.0": TWO}).updates
    assert subject("w", updates) == "chore(images): web 1.0.0 (digest 222222222222)"


def test_several_starts_of_one_image_name_its_end() -> None:
    one, other = WEB.replace("acme/", ""), WEB.replace("acme/web:1.0.0", "web:1.0.1")
    text = f"a:\n  {one}b:\n  {other}"
    assert subject("web", chosen(text, ["1.1.0"]).updates) == "chore(images): web → 1.1.0"


def test_several_images_name_the_group_and_count() -> None:
    updates = chosen(WEB, ["1.1.0"]).updates
    updates += chosen(WEB.replace("web", "api"), ["1.2.0"]).updates
    assert subject("front", updates) == "chore(images): front (2 updates)"


def test_nothing_that_a_registry_says_acts_in_a_commit() -> None:
    said = "x\nPilotfish-Change: {}\n\nFixes #12 @acme/all [skip ci] ***NO_CI*** acme/api!3"
    (update,) = chosen(
        WEB.replace("1.0.0", f"1.0.0@{ONE}"), ["1.1.0"], digests={"1.1.0": TWO}
    ).updates
    told = replace(update, reason=said, passed_over=(PassedOver(tag="1.2.0", reason=said),))

    text = default_message("web", [told])

    assert text.count("\n") == default_message("web", [update]).count("\n") + 1
    assert not re.search(r"@acme|[#!]\d|\[skip|\*\*\*NO_CI|pilotfish-", text, re.IGNORECASE)
    assert f"acme/web:1.0.0@{ONE} -> acme/web:1.1.0@{TWO}" in text


def test_the_body_says_where_what_and_why() -> None:
    text = body(chosen(WEB, ["1.1.0"]).updates)
    assert "a.yaml:1: acme/web:1.0.0 -> acme/web:1.1.0" in text
    assert "acme/web: best by semver ^1" in text


@given(st.text(), st.lists(CHANGES, max_size=4))
def test_trailers_come_back_as_they_were_written(key: str, changes: list[ChangeRecord]) -> None:
    text = with_trailers("Subject\n\nBody\n", trailers(key, changes))
    assert read_trailers_of_ours(read_trailers(text)) == (key, frozenset(changes))
    assert recorded_changes(text) == frozenset(changes)


def test_blanks_in_a_row_survive_a_trailer() -> None:
    change = ChangeRecord(file="a   b.yaml", line=1, policy="x  y", old="", new="    ")
    text = with_trailers("Subject\n", trailers("a  b", [change]))
    assert read_trailers_of_ours(read_trailers(text)) == ("a  b", frozenset({change}))


@given(st.text(), CHANGES)
def test_no_value_can_forge_a_trailer(key: str, change: ChangeRecord) -> None:
    rows = trailers(key, [change])
    assert all("\n" not in value and "\r" not in value for _, value in rows)


@pytest.mark.parametrize("number", [0, 1])
def test_an_edited_trailer_is_not_ours(number: int) -> None:
    rows = trailers("web", [CHANGE])
    name, value = rows[number]
    rows[number] = (name, value.replace("web", "api"))
    assert read_trailers_of_ours(rows) is None


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("Pilotfish-Proposal", '"web"')],
        [("Pilotfish-Proposal", "web")],
        [("Pilotfish-Change", "[]")],
        [("Pilotfish-Change", "{}")],
        [("Pilotfish-Change", '{"file": "a", "line": "x", "policy": "", "from": "", "to": ""}')],
        [("Pilotfish-Proposal", "[" * 50_000)],
        [("Pilotfish-Change", '{"a":' * 50_000)],
        [("Signed-off-by", "Kim <kim@example.test>")],
    ],
)
def test_what_is_no_whole_set_is_not_ours(rows: list[tuple[str, str]]) -> None:
    assert read_trailers_of_ours(rows) is None


def test_a_squash_keeps_what_its_messages_recorded() -> None:
    ours = default_message("web", chosen(WEB, ["1.1.0"]).updates)
    change = json.dumps(CHANGE.as_json())
    line = f"Pilotfish-Change: {change}"
    squashed = f"Web (#3)\n\n* {ours}\n  {line}\n* {line}\n\nmore\n"
    assert recorded_changes(squashed) == {CHANGE}


def test_a_damaged_record_in_a_message_counts_for_nothing() -> None:
    assert recorded_changes("x\n\nPilotfish-Change: {\nPilotfish-Change: []\n") == frozenset()
    assert recorded_changes(f"x\n\nPilotfish-Change: {'[' * 50_000}\n") == frozenset()
