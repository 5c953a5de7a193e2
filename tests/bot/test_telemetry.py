"""What goes out to people and logs holds no secret, in whatever form it was written."""

import base64

import pytest

from bot.config.secret_refs import Secret
from bot.telemetry import redact, shown

CANARY = "c4nary+of/the=shop"


@pytest.mark.parametrize(
    "said",
    [
        CANARY,
        "c4nary%2Bof%2Fthe%3Dshop",
        base64.b64encode(CANARY.encode()).decode(),
    ],
)
def test_a_secret_is_masked_in_every_usual_spelling(said: str) -> None:
    Secret(CANARY)

    assert said not in redact(f"the server said: {said}!")


def test_a_login_in_an_address_is_masked_though_nobody_named_it() -> None:
    text = "fatal: https://bot:hunter22@git.example.org/team/fleet: gone, and https://x.org/a:b@c"

    assert redact(text) == (
        "fatal: https://***@git.example.org/team/fleet: gone, and https://x.org/a:b@c"
    )


def test_what_a_terminal_would_obey_is_shown_escaped() -> None:
    assert shown("red \x1b[31malert\u202e") == "red \\x1b[31malert\\u202e"


def test_long_text_is_cut() -> None:
    assert shown("a" * 300, max_chars=10) == "aaaaaaaaa…"
