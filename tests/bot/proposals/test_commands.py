"""What a comment asks of us: the grammar of commands, and what is none of ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.proposals.commands import (
    USAGES,
    WORDS,
    BadCommand,
    Command,
    list_of_commands,
    parse,
)


@pytest.mark.parametrize(
    ("comment", "command"),
    [
        ("/hold web@1.2.0", Command(word="hold", image="web", version="1.2.0")),
        ("/hold", Command(word="hold")),
        ("/hold @1.2.0", Command(word="hold", version="1.2.0")),
        ("/hold web", Command(word="hold", image="web")),
        (
            "/hold ghcr.io/acme/web@1.2.0 until 2027-01-31 breaks  login, #12",
            Command(
                word="hold",
                image="ghcr.io/acme/web",
                version="1.2.0",
                until="2027-01-31",
                reason="breaks login, #12",
            ),
        ),
        (
            "/hold web@1.2.0 slow",
            Command(word="hold", image="web", version="1.2.0", reason="slow"),
        ),
        (
            "/hold web@1.2.0 30d breaks login",
            Command(word="hold", image="web", version="1.2.0", until="30d", reason="breaks login"),
        ),
        (
            "/hold major web 2027-01-31",
            Command(word="hold", level="major", image="web", until="2027-01-31"),
        ),
        ("/hold web 30 days", Command(word="hold", image="web", reason="30 days")),
        ("/hold for 30d", Command(word="hold", until="30d")),
        ("/hold major web", Command(word="hold", level="major", image="web")),
        ("/hold minor", Command(word="hold", level="minor")),
        (
            "/hold patch localhost:5000/a/web until 14d freeze",
            Command(
                word="hold",
                level="patch",
                image="localhost:5000/a/web",
                until="14d",
                reason="freeze",
            ),
        ),
        ("/unhold web", Command(word="unhold", image="web")),
        (
            "/resume flux-system:web@1.2",
            Command(word="unhold", image="flux-system:web", version="1.2"),
        ),
        ("/unhold", Command(word="unhold")),
        ("/holds", Command(word="holds")),
        ("/rebase", Command(word="rebase")),
        ("  /recreate \t", Command(word="recreate")),
        ("/explain web\r\nthanks", Command(word="explain", image="web")),
        ("/split web", Command(word="split", image="web")),
        ("/group front", Command(word="group", group="front")),
        ("/group front web", Command(word="group", group="front", image="web")),
        ("/approve\n/hold web@1", Command(word="approve")),
        ("/pilotfish rebase", Command(word="rebase")),
        ("/pilotfish hold web for 2d", Command(word="hold", image="web", until="2d")),
        ("/pilotfish resume web", Command(word="unhold", image="web")),
        ("/pilotfish hold cancel", Command(word="hold", image="cancel")),
    ],
)
def test_a_command_is_read(comment: str, command: Command) -> None:
    assert parse(comment) == command


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "please /rebase",
        "thanks\n/rebase",
        "\n/rebase",
        "> /rebase",
        "`/rebase`",
        "```\n/rebase\n```",
        "    /rebase",
        "\t/rebase",
        "<!-- -->/rebase",
        "<!--\n/rebase\n-->",
        "- /rebase",
        "/ rebase",
        "//rebase",
        "/usr/bin/rebase",
        "/rebase/now",
        "/lgtm",
        "/test all",
        "/retest",
        "/assign @kim",
        "/label bug",
        "/close",
        "/merge",
        "/release 1.2",
        "/hold cancel",
        "/approve cancel",
        "/approve no-issue",
    ],
)
def test_what_is_none_of_ours_is_silent(comment: str) -> None:
    assert parse(comment) is None


@pytest.mark.parametrize(
    ("comment", "why"),
    [
        ("/Rebase", "no command"),
        ("/pilotfish", "no command"),
        ("/pilotfish dance", "no command"),
        ("/pilotfish `x`", "no command"),
        ("/unhol web", "no command"),
        ("/approved", "no command"),
        ("/rebase now", "nothing may follow"),
        ("/holds web", "nothing may follow"),
        ("/explain web api", "one image"),
        ("/explain web@1.2.0", "without a version"),
        ("/split -web", "one image"),
        ("/hold web@", "no IMAGE@VERSION"),
        ("/hold @", "no IMAGE@VERSION"),
        ("/hold web@sha256:12", "no IMAGE@VERSION"),
        ("/hold major web@1.2.0", "one version"),
        ("/hold web until", "a date must follow"),
        ("/hold web for ever", "a span"),
        ("/group", "a name"),
        ("/group a/b", "a name"),
        ("/group front web api", "a name"),
        ("/group front @web", "no image"),
        ("/hold web <!-- pilotfish:answered 1 -->", "not seen"),
        ("/hold web\u202egnol", "not seen"),
        ("/hold web\u200b", "not seen"),
        ("/hold web " + "x" * 600, "longer than"),
    ],
)
def test_a_slip_of_the_pen_is_told(comment: str, why: str) -> None:
    found = parse(comment)
    assert isinstance(found, BadCommand)
    assert why in found.why


@pytest.mark.parametrize(
    "text",
    [
        "/hold web@1.2.0 until 30d",
        "/hold major web",
        "/unhold web@1.2.0",
        "/group front web",
        "/explain a/b",
        "/rebase",
    ],
)
def test_a_command_is_shown_as_one_would_write_it(text: str) -> None:
    found = parse(text)
    assert isinstance(found, Command)
    assert found.text == text


@given(st.text(max_size=40), st.sampled_from(WORDS))
def test_any_text_behind_a_command_is_read_or_told(text: str, word: str) -> None:
    found = parse(f"/{word} {text}")
    if isinstance(found, Command):
        again = parse(found.text)
        assert isinstance(again, Command)
        assert again.text == found.text
        assert "<" not in found.text
        assert "`" not in found.text


@given(st.text())
def test_no_text_is_too_much(text: str) -> None:
    parse(text)


def test_the_list_names_every_command() -> None:
    assert list_of_commands().count("\n") == len(USAGES)
