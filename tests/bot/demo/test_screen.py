"""The demo's screen folds long lines and keeps their colours."""

import pytest

from bot.cli.demo_screen import fold


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
