"""Tables fit the terminal: columns fold or move below their row, and nothing is cut."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.columns import Piece, lay_out

HEADINGS = ("file", "policy", "to", "why")
ROW = ("apps/web.yaml:11", "flux-system:web", "1.5.0", "best by semver ^1.4 with 3 held back")


def _texts(lines: Sequence[Sequence[Piece]]) -> list[str]:
    return ["".join(piece.text for piece in line).rstrip() for line in lines]


def test_without_a_width_every_row_is_one_line() -> None:
    head, body = lay_out(HEADINGS, [ROW, ("a", "b", "c", "d" * 500)], None)
    assert len(head) == 1
    assert len(body) == 2


def test_a_table_that_fits_stands_in_columns() -> None:
    _, body = lay_out(("tag", "value"), [("1", "one"), ("1000", "thousand")], 40)
    assert _texts(body) == ["1     one", "1000  thousand"]


def test_a_wide_reason_is_folded_at_a_space() -> None:
    _, body = lay_out(HEADINGS, [ROW], 66)
    assert _texts(body) == [
        "apps/web.yaml:11  flux-system:web  1.5.0  best by semver ^1.4 with",
        "                                          3 held back",
    ]


def test_a_reason_with_too_little_room_moves_below_its_row_with_its_heading() -> None:
    head, body = lay_out(HEADINGS, [ROW], 50)
    assert _texts(head) == ["file              policy           to"]
    assert _texts(body) == [
        "apps/web.yaml:11  flux-system:web  1.5.0",
        "    why  best by semver ^1.4 with 3 held back",
    ]


def test_an_empty_cell_leaves_no_line_below_its_row() -> None:
    _, body = lay_out(HEADINGS, [ROW, ("b", "c", "d", "")], 50)
    assert _texts(body)[-1].split() == ["b", "c", "d"]


def test_a_column_keeps_its_number_wherever_it_stands() -> None:
    _, body = lay_out(HEADINGS, [ROW], 50)
    assert [piece.column for line in body for piece in line if piece.column is not None] == [
        0,
        1,
        2,
        3,
    ]


_WORDS = st.lists(st.text("abc:/.", min_size=1, max_size=12), max_size=12).map(" ".join)


@pytest.mark.parametrize("width", [40, 80, 100])
@given(rows=st.lists(st.tuples(_WORDS, _WORDS, _WORDS, _WORDS), max_size=4))
def test_nothing_is_cut_at_any_width(width: int, rows: list[tuple[str, ...]]) -> None:
    _, body = lay_out(("a", "b", "c", "d"), rows, width)
    for number in range(4):
        shown = "".join(piece.text for line in body for piece in line if piece.column == number)
        assert shown.replace(" ", "") == "".join(row[number] for row in rows).replace(" ", "")


@given(rows=st.lists(st.tuples(st.just("apps/web.yaml:1"), _WORDS, _WORDS), max_size=4))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, ...]]) -> None:
    head, body = lay_out(("file", "policy", "why"), rows, 60)
    assert all(len(text) <= 60 for text in _texts(head) + _texts(body))
