"""Foreign values in our Markdown: shown as they are, and found by nobody."""

import html
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.planning.foreign_markdown import harmless
from bot.planning.markdown import (
    ZERO_WIDTH,
    address,
    code,
    html_text,
    link,
    one_line,
    plain,
    short_address,
    without_unseen,
    worded,
)
from tests.bot.planning.signs import NASTY, seen, signs_in
from tests.bot.planning.situations import ONE

TABLE = MarkdownIt("commonmark").enable("table")


@given(NASTY)
def test_a_value_as_text_shows_itself_and_no_sign(value: str) -> None:
    shown = f"before {plain(value)} after\n"
    assert signs_in(shown) == []
    assert seen(shown).count("before") >= 1
    assert "\n" not in plain(value)


@given(NASTY)
def test_a_value_as_code_is_one_code_span(value: str) -> None:
    shown = f"before {code(value)} after\n"
    assert signs_in(shown) == []
    (paragraph,) = [one for one in TABLE.parse(shown) if one.type == "inline"]
    kinds = [one.type for one in paragraph.children or []]
    assert kinds in (["text", "code_inline", "text"], ["text"])  # the text: "(empty)"


@given(NASTY, NASTY)
def test_a_value_in_a_table_stays_in_its_cell(one: str, other: str) -> None:
    rows = f"| a | b |\n|---|---|\n| {plain(one)} | {code(other, in_table=True)} |\n\nafter\n"
    kinds = [token.type for token in TABLE.parse(rows)]
    assert kinds.count("td_open") == 2
    assert kinds.count("paragraph_open") == 1


@given(st.text())
def test_no_text_of_any_kind_is_refused(value: str) -> None:
    for shown in (plain(value), code(value), code(value, in_table=True), link("x", value)):
        assert "\n" not in shown


@pytest.mark.parametrize(
    "sign",
    ["\u061c", "\u200f", "\u202e", "\u2067", "\u180e", "\u3164", "\U000e0041", "\ufeff", "\xad"],
)
def test_what_is_not_seen_or_turns_text_round_is_left_out(sign: str) -> None:
    assert one_line(f"1.2{sign}.0") == without_unseen(f"1.2{sign}.0") == "1.2.0"


@pytest.mark.parametrize("shown", [plain, html_text])
@pytest.mark.parametrize("value", ["www.example.org/x", "WWW.example.org", "ftp://example.org"])
def test_an_address_in_a_text_is_no_link(shown: Callable[[str], str], value: str) -> None:
    assert not re.search(r"://|www\.", shown(value), re.IGNORECASE)
    assert shown(value).replace(ZERO_WIDTH, "") == value


@pytest.mark.parametrize("shown", [plain, html_text, code, harmless])
@pytest.mark.parametrize("value", ["[issue:12]", "[work_item:acme/web]", "[EPIC:3]"])
def test_a_reference_in_brackets_is_none(shown: Callable[[str], str], value: str) -> None:
    drawn = html.unescape(shown(value)).replace("\\", "").strip("`")
    assert drawn == f"[{ZERO_WIDTH}{value[1:]}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("`pilotfish unhold`", "`pilotfish unhold`"),
        ("a tag above 1_2, or `pilotfish unhold`", "a tag above 1\\_2, or `pilotfish unhold`"),
        ("`a|b` for @kim", f"`a\\|b` for @{ZERO_WIDTH}kim"),
        ("one ` alone", "one \\` alone"),
        ("", ""),
    ],
)
def test_a_command_in_words_of_ours_is_code(text: str, shown: str) -> None:
    assert worded(text, in_table=True) == shown


@given(NASTY)
def test_words_hold_no_sign_whatever_stands_in_them(value: str) -> None:
    assert signs_in(f"- needs {worded(value)}") == []


def test_a_digest_can_be_copied() -> None:
    assert code(f"acme/web:1.0@{ONE}") == f"`acme/web:1.0@{ONE}`"


def test_a_backtick_makes_the_fence_longer() -> None:
    assert code("a`b") == "``a`b``"
    assert code("`") == "`` ` ``"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//example.org/x",
        "../x",
        "ftp://example.org/x",
        "https://user@example.org/x",
        "https://example.org:port/",
        "https://ex ample.org/",
        "https://git.example.org/acme/web/-/issues/3",
        "https://git.example.org/acme/web/pulls/3",
        "https://git.example.org/acme/web/commit/abcdef1",
        "https://git.example.org/acme/web/%69ssues/3",
        "",
    ],
)
def test_an_address_that_may_not_be_linked_is_none(url: str) -> None:
    assert address(url) == ""
    assert link("label", url) == "label"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/a(b)|c", "https://example.org/a%28b%29%7Cc"),
        ("HTTPS://Example.org:443/x", "https://example.org/x"),
        ("https://example.org:8443/x?a=1#b", "https://example.org:8443/x?a=1#b"),
        ("https://example.org/x#12", "https://example.org/x#%312"),
        ("https://example.org/@kim", "https://example.org/%40kim"),
        (
            "https://github.com/acme/web/issues/3",
            "https://redirect.github.com/acme/web/issues/3",
        ),
        (
            "http://www.github.com/acme/web/commit/abcdef1",
            "http://redirect.github.com/acme/web/commit/abcdef1",
        ),
        ("https://github.com/acme/web/%70ull/3", "https://redirect.github.com/acme/web/%70ull/3"),
        (
            "https://github.com/acme/web/compare/v1...v2",
            "https://github.com/acme/web/compare/v1...v2",
        ),
    ],
)
def test_an_address_is_written_so_that_it_notifies_nobody(url: str, shown: str) -> None:
    assert address(url) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://github.com/acme/web/pull/3", "acme/web, pull 3"),
        ("https://github.com/acme/web/issues/3", "acme/web, issue 3"),
        ("https://git.example.org/acme/web/", "git.example.org/acme/web"),
        ("javascript:x", ""),
    ],
)
def test_an_address_has_a_short_name(url: str, shown: str) -> None:
    assert short_address(url) == shown
