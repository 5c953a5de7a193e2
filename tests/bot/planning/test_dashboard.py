"""The text of the dashboard: what it shows, what can be ticked, and that it always fits."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.planning.dashboard import (
    Board,
    Boxes,
    Entry,
    FieldRow,
    dashboard_text,
    ticked_on_dashboard,
)
from bot.planning.plan import HeldTag
from bot.planning.remembered import HoldRecord
from tests.bot.planning.situations import NOW

PLENTY = 60_000
WEB = Entry(branch="pilotfish/web", title="web 1.0.0 → 1.1.0", link="#12", box="approve")
API = Entry(branch="pilotfish/api", title="api 1.0.0 → 1.1.0", box="open")
HOLD = HoldRecord(policy="acme/web", tag="1.2.0", reason="slow", who="kim", when=NOW)
YOUNG = HeldTag(
    policy="acme/web",
    tag="1.3.0",
    reason="younger than 3d",
    until=NOW + timedelta(days=3),
    needs="",
    update="default",
    where="a.yaml:1",
)
FIELD = FieldRow(place="a.yaml:1", rule="semver ^1", image="acme/web", written="1.0.0")
FULL = Board(
    place="acme/fleet (main)",
    open=(WEB,),
    limited=(API,),
    scheduled=(Entry(branch="pilotfish/db", title="db", reason="its schedule opens at 8"),),
    edited=(Entry(branch="pilotfish/x", title="x", reason="a person pushed"),),
    errors=("registry.example.org does not answer",),
    held=(YOUNG,),
    holds=(HOLD,),
    fields=(FIELD,),
)


def text(board: Board, most: int = PLENTY) -> str:
    """Return the text of a board."""
    return dashboard_text(board, max_chars=most)


def tick(body: str, marker: str) -> str:
    """Return the body as it is after a person ticked the box with `marker`."""
    assert f"- [ ] <!-- pilotfish:{marker}" in body
    return body.replace(f"- [ ] <!-- pilotfish:{marker}", f"- [x] <!-- pilotfish:{marker}")


def test_counts_stand_before_everything_else() -> None:
    line = text(FULL).splitlines()[2]
    assert line.startswith("**1** open · **1** wait for their turn · **1** wait for their schedule")
    assert line.endswith("**1** errors · **1** marked fields")


def test_an_empty_board_says_that_nothing_is_marked() -> None:
    assert "Nothing is marked." in text(Board(place="acme/fleet"))


@pytest.mark.parametrize(
    ("marker", "boxes"),
    [
        ("approve pilotfish/web", Boxes(approve=frozenset({"pilotfish/web"}))),
        ("open-all", Boxes(open_all=True)),
        ("unhold", Boxes(unhold=frozenset({("acme/web", "1.2.0")}))),
    ],
)
def test_a_tick_is_read_from_what_is_written(marker: str, boxes: Boxes) -> None:
    body = text(FULL)
    assert ticked_on_dashboard(body) == Boxes()
    assert ticked_on_dashboard(tick(body, marker)) == boxes


def test_one_box_approves_everything_that_waits_and_stands_in_its_first_section() -> None:
    body = text(Board(place="x", needs_approval=(API,), limited=(WEB,), scheduled=(WEB,)))
    assert body.count("pilotfish:open-all") == 1
    assert body.index("Needs an approval") < body.index("open-all") < body.index("Waits for its")
    assert "open-all" not in text(Board(place="x", needs_approval=(API,)))


def test_a_tick_that_still_waits_stays_ticked() -> None:
    board = Board(place="x", limited=(API, WEB), ticked=frozenset({"pilotfish/api"}))
    assert ticked_on_dashboard(text(board)).open == {"pilotfish/api"}


def test_what_a_person_holds_is_shown_once_and_counted_apart() -> None:
    hold = HoldRecord(policy="acme/web", reason="too early", who="kim", when=NOW, tag="1.4.0")
    by_hold = replace(YOUNG, tag="1.4.0", by_hold=True)
    body = text(Board(place="x", holds=(hold,), held=(YOUNG, by_hold)))
    assert "**1** held by people · **1** held back" in body
    assert body.count("1.4.0") == 2  # its box and its line


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_name_comes_back_from_its_box(name: str) -> None:
    board = Board(place="x", holds=(HoldRecord(policy=name, reason="", who="", when=NOW),))
    assert ticked_on_dashboard(tick(text(board), "unhold")).unhold == {(name, "")}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_no_foreign_text_is_a_box_or_a_mention(foreign: str) -> None:
    entry = Entry(branch="b", title=foreign, reason=foreign)
    held = HoldRecord(policy="p", reason=foreign, who=foreign, when=NOW)
    field = FieldRow(place=foreign, rule=foreign, image=foreign, written=foreign)
    board = Board(
        place="x",
        open=(entry,),
        errors=(foreign, "- [x] <!-- pilotfish:open-all -->"),
        holds=(held,),
        fields=(field,),
    )
    assert ticked_on_dashboard(text(board)) == Boxes()
    assert "<!-- pilotfish:approve" not in text(board)


def test_a_text_that_is_too_long_is_cut_with_its_numbers() -> None:
    many = tuple(
        Entry(branch=f"pilotfish/{n}", title=f"image{n} 1.0.0 → 1.1.0", box="approve")
        for n in range(500)
    )
    body = text(Board(place="x", open=many, fields=(FIELD,) * 900), 9_000)
    assert len(body) <= 9_000
    assert "**500** open" in body
    assert "and 450 more" in body


@pytest.mark.parametrize("most", [0, 10, 300, 900, 1_200])
def test_it_always_fits(most: int) -> None:
    assert len(text(FULL, most)) <= most


def test_a_moment_that_moves_with_every_look_is_not_shown() -> None:
    def board(days: int) -> Board:
        until = NOW + timedelta(days=days)
        needs = "to have been seen for 3d"
        held = HeldTag(
            policy="p", tag="t", reason="r", until=until, needs=needs, update="", where=""
        )
        return Board(place="x", held=(held,))

    assert text(board(1)) == text(board(2))


def test_what_lifts_a_hold_is_shown_as_a_command() -> None:
    held = replace(YOUNG, until=None, needs="a tag above 1.3.0, or `pilotfish unhold`")
    assert "; needs a tag above 1.3.0, or `pilotfish unhold`\n" in text(replace(FULL, held=(held,)))


def test_a_tick_that_lifts_more_than_its_line_says_so() -> None:
    every = replace(HOLD, tag="", level="major")
    lines = text(replace(FULL, holds=(HOLD, every))).splitlines()
    said = [line for line in lines if "pilotfish:unhold" in line]
    assert [line.endswith("the tick lifts all that is held of it") for line in said] == [
        False,
        True,
    ]
    assert "lifts all" not in text(replace(FULL, holds=(every,)))
