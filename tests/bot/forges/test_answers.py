"""Answers are read by type: what is missing or something else is an error with its place."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from bot.forges.answers import NotUnderstoodError, Row, read_row, read_rows

WHOLE = (
    '{"text": "a", "none": null, "number": 3, "flag": false, "when": "2026-03-04T05:06:07Z",'
    ' "row": {"x": "y"}, "rows": [{"x": "y"}], "texts": ["a", "b"], "mixed": ["a", 1]}'
)


@pytest.fixture
def row() -> Row:
    return read_row(WHOLE, place="forge.test")


def test_what_is_promised_is_read(row: Row) -> None:
    assert (row.text("text"), row.number("number"), row.flag("flag")) == ("a", 3, False)
    assert row.moment("when") == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert row.row("row").text("x") == row.rows("rows")[0].text("x") == "y"
    assert row.texts("texts") == ["a", "b"]


def test_null_is_read_where_it_may_be(row: Row) -> None:
    assert row.text_or_none("none") is None
    assert row.moment_or_none("none") is None
    assert row.row_or_none("none") is None
    assert not row.has("none")
    assert not row.has("absent")


@pytest.mark.parametrize(
    "read",
    [
        lambda row: row.text("absent"),
        lambda row: row.text_or_none("absent"),
        lambda row: row.text("none"),
        lambda row: row.text("number"),
        lambda row: row.number("flag"),
        lambda row: row.number("text"),
        lambda row: row.flag("number"),
        lambda row: row.moment("text"),
        lambda row: row.row("rows"),
        lambda row: row.rows("row"),
        lambda row: row.rows("texts"),
        lambda row: row.texts("mixed"),
    ],
)
def test_anything_else_is_an_error_with_its_place(row: Row, read: Callable[[Row], object]) -> None:
    with pytest.raises(NotUnderstoodError, match=r"^forge\.test: the forge's answer is not unders"):
        read(row)


@pytest.mark.parametrize("text", ["<!DOCTYPE html>", "", "[]", "3", "[" * 100_000])
def test_a_page_is_no_object(text: str) -> None:
    with pytest.raises(NotUnderstoodError):
        read_row(text, place="forge.test")


@pytest.mark.parametrize("text", ["<!DOCTYPE html>", "{}", '["a"]', "null"])
def test_a_page_is_no_list(text: str) -> None:
    with pytest.raises(NotUnderstoodError):
        read_rows(text, place="forge.test")
