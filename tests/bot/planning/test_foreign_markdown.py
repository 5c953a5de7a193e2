"""Release notes made harmless: they read as they did, and nothing in them acts."""

import pytest
from hypothesis import given, settings

from bot.planning.foreign_markdown import cut, harmless
from tests.bot.planning.signs import NASTY, blocks, seen, signs_in

CASES = [
    ("thanks @octocat", "thanks @\u200boctocat"),
    ("team@example.org", "team@\u200bexample.org"),
    ("&#64;octocat", "@\u200boctocat"),
    ("fixes #12, acme/api#4, GH-9", "fixes #\u200b12, acme/api#\u200b4, GH-\u200b9"),
    ("ABC-12 and CVE-2024-1234", "ABC-\u200b12 and CVE-2024-1234"),
    ("- [ ] a\n- [x] b", "- \\[ ] a\n- \\[x] b"),
    ("a <!-- b\nc --> d", "a  d"),
    ("<!-- never closed", "&lt;!-- never closed"),
    ("List<String>", "List&lt;String>"),
    ("`List<String>` stays", "`List<String>` stays"),
    ("a ` b", "a \\` b"),
    ("# Big", "#### Big"),
    ("#### Small ####", "##### Small"),
    ("/merge", "\\/merge"),
    ("> - /merge", "> - \\/merge"),
    ("a /merge", "a /merge"),
    ("[skip ci]", "\\[\u200bskip ci]"),
    ("[x](javascript:alert(1))", "x"),
    ("[x](data:text/html,y)", "x"),
    ("[x](docs/y.md)", "x"),
    ("[x](https://example.org/y)", "[x](https://example.org/y)"),
    ('[x](<https://example.org/y> "title")', "[x](https://example.org/y)"),
    ("![shot](https://example.org/y.png)", "[shot](https://example.org/y.png)"),
    ("![](https://example.org/y.png)", "[picture](https://example.org/y.png)"),
    ("[![ci](https://b.example/i.svg)](https://example.org)", "[ci](https://example.org)"),
    (
        "by @kim in https://github.com/acme/web/pull/12",
        "by @\u200bkim in [acme/web, pull 12](https://redirect.github.com/acme/web/pull/12)",
    ),
    (
        "[#12](https://github.com/acme/web/issues/12)",
        "[#\u200b12](https://redirect.github.com/acme/web/issues/12)",
    ),
    (
        "https://git.example.org/a/b/-/merge_requests/3.",
        "`git.example.org/a/b/-/merge_requests/3`.",
    ),
    ("[x](https://git.example.org/a/b/issues/3)", "x (`git.example.org/a/b/issues/3`)"),
    ("(https://example.org/a)", "([example.org/a](https://example.org/a))"),
    ("[1]: https://example.org", "\\[1]: [example.org](https://example.org)"),
]


@pytest.mark.parametrize(("text", "shown"), CASES)
def test_a_sign_is_still_read_and_no_longer_acts(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_what_is_only_form_stays() -> None:
    text = "- **a** and *b*\n  - ~~c~~\n\n1. d\n\n| e | f |\n| --- | --- |\n| 1 | 2 |"
    assert harmless(text) == text


def test_code_is_fenced_anew_and_closed() -> None:
    text = "~~~yaml\na: 1\n````\n/merge\n@kim"
    assert harmless(text) == "`````yaml\na: 1\n````\n\u200b/merge\n@\u200bkim\n`````"


def test_a_language_that_would_be_drawn_is_left_out() -> None:
    assert harmless("```mermaid\ngraph\n```") == "```\ngraph\n```"


def test_a_title_with_a_line_below_makes_no_heading() -> None:
    kinds = [kind for kind, _ in blocks(harmless("Title\n===\nOther\n---\n"))]
    assert "heading_open" not in kinds


@settings(max_examples=400)
@given(NASTY)
def test_nothing_in_a_harmless_text_acts(text: str) -> None:
    assert signs_in(harmless(text)) == []


@settings(max_examples=400)
@given(NASTY)
def test_nothing_is_left_open_behind_a_harmless_text(text: str) -> None:
    whole = f"{harmless(text)}\n\n</details>\n\nafter\n"
    assert [one for one in blocks(whole) if one[0] == "html_block"][-1][1].startswith("</details>")
    assert seen(whole).rstrip().endswith("after")
    assert blocks(whole)[-1][0] == "paragraph_close"


@pytest.mark.parametrize("sign", ["[", "`", "![", "<", "&", "\\", "[a](", "<!--", "h", "@", "> "])
def test_many_signs_in_a_row_take_no_long_time(sign: str) -> None:
    assert signs_in(harmless(sign * 4_000)) == []


def test_a_text_is_cut_between_lines() -> None:
    assert cut("one\ntwo\nthree", 9) == ("one\ntwo", True)
    assert cut("one\ntwo", 7) == ("one\ntwo", False)
    assert cut("abcdef", 3) == ("abc", True)
