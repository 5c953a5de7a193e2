"""The demo's screen folds long lines and keeps their colours; long commands can be copied."""

import shlex

import pytest

from bot.cli.demo_screen import fold, on_lines

APPLY = tuple(shlex.split("pilotfish apply apps --name demo --context far-away-east-1 --prune"))


def test_a_line_that_fits_stays_as_it_is() -> None:
    assert fold("  image: web:1", 20) == ["  image: web:1"]


def test_a_long_line_is_folded_at_a_space_and_indented_by_two_more() -> None:
    assert fold("  one two three four", 12) == ["  one two", "    three", "    four"]


def test_a_long_word_is_cut_where_the_line_ends() -> None:
    assert fold("abcdefghij", 6) == ["abcdef", "  ghij"]


def test_colours_take_no_room() -> None:
    line = "\x1b[32mgreen\x1b[0m \x1b[1mbold\x1b[0m"
    assert fold(line, 10) == [line]


@pytest.mark.parametrize("width", [8, 13, 21, 40])
def test_no_part_is_wider_than_asked_and_no_letter_is_lost(width: int) -> None:
    line = "  \x1b[36mapps/web.yaml:11\x1b[0m  127.0.0.1:43725/shop/web  \x1b[1m1.5.0\x1b[0m minor"
    plain = [part.replace("\x1b[36m", "").replace("\x1b[0m", "") for part in fold(line, width)]
    plain = [part.replace("\x1b[1m", "") for part in plain]
    assert all(len(part) <= width for part in plain)
    wanted = "apps/web.yaml:11127.0.0.1:43725/shop/web1.5.0minor"
    assert "".join("".join(plain).split()) == wanted


@pytest.mark.parametrize("width", [40, 60, 98])
def test_a_long_command_is_one_command_on_several_lines(width: int) -> None:
    lines = on_lines(APPLY, width)
    assert all(len(line) <= width for line in lines)
    pasted = "\n".join(lines).removeprefix("$ ").replace("\\\n", "")
    assert tuple(shlex.split(pasted)) == APPLY


def test_an_option_stays_with_its_value() -> None:
    lines = on_lines(APPLY, 40)
    assert any("--name demo" in line for line in lines)
    assert any("--context far-away-east-1" in line for line in lines)


def test_a_short_command_stays_on_its_line() -> None:
    assert on_lines(("git", "log", "--format=%s %b"), 60) == ["$ git log '--format=%s %b'"]
