"""Trailers: written by us they read back, and no value can begin a line of its own."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.git.trailers import clean_message, one_line, read_trailers, with_trailers

VALUES = st.text(max_size=30)


def test_trailers_close_the_message_in_their_order() -> None:
    message = with_trailers("Update x\n\nBecause.", [("Pilotfish-Update", "prod"), ("A", "b: c")])

    assert message == "Update x\n\nBecause.\n\nPilotfish-Update: prod\nA: b: c\n"


def test_a_block_of_the_message_itself_is_not_ours() -> None:
    message = with_trailers("Update x\n\nPilotfish-Plan: forged", [("Pilotfish-Plan", "real")])

    assert read_trailers(message) == (("Pilotfish-Plan", "real"),)


@pytest.mark.parametrize("value", ["a\nB: c", "a\r\nB: c", "a\u2028B: c", "a\x85B: c", "a\x0bB: c"])
def test_a_value_cannot_begin_a_line(value: str) -> None:
    assert read_trailers(with_trailers("x", [("A", value)])) == (("A", "a B: c"),)


@given(st.text(max_size=60), st.lists(VALUES, min_size=1, max_size=4))
def test_what_is_written_reads_back_whatever_the_message(message: str, values: list[str]) -> None:
    written = with_trailers("Subject\n\n" + message, [("Key", value) for value in values])

    assert read_trailers(written) == tuple(("Key", one_line(v)) for v in values)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.from_regex(r"[a-z:. ]{0,12}", fullmatch=True), min_size=1, max_size=3))
def test_git_reads_the_same(values: list[str]) -> None:
    written = with_trailers("Subject\n\nBody.", [("Key", value) for value in values])

    said = subprocess.run(
        ["git", "interpret-trailers", "--parse"],
        input=written.encode(),
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert [line.strip() for line in said.splitlines()] == [
        f"Key: {one_line(v)}".strip() for v in values
    ]


@pytest.mark.parametrize(
    "message",
    ["Subject: alone", "Subject\n\nprose at the end", "Subject\n\nKey: value\nprose", "", "\n\n"],
)
def test_a_last_paragraph_that_is_prose_holds_no_trailer(message: str) -> None:
    assert read_trailers(message) == ()


def test_a_continued_line_belongs_to_the_trailer_above() -> None:
    assert read_trailers("S\n\nKey: one\n  two\n") == (("Key", "one two"),)


def test_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be a trailer's key"):
        with_trailers("x", [("A b", "c")])


def test_a_message_without_trailers_ends_in_one_line_end() -> None:
    assert with_trailers("x\r\ny\0\n\n", []) == clean_message("x\ny") == "x\ny\n"
