"""Why each tag was chosen, held or rejected, as Markdown in a comment."""

import html
from datetime import timedelta

from bot.planning.explanation import candidate_rows, explanation
from bot.planning.holds import HoldBook
from bot.planning.remembered import HoldRecord
from tests.bot.planning.situations import NOW, chosen

WEB = "image: acme/web:1.0.0 # pilotfish: semver ^1\n"
SLOW = HoldRecord(
    policy="acme/web", tag="1.2.0", reason="slow | @kim", who="kim", when=NOW - timedelta(hours=1)
)


def test_every_tag_stands_with_what_decided_about_it() -> None:
    made = chosen(WEB, ["1.0.0", "1.1.0", "1.2.0", "2.0.0"], holds=HoldBook(records=(SLOW,)))
    (one,) = made.considered
    rows = candidate_rows(one)
    assert [(tag, verdict) for tag, _, verdict, _ in rows] == [
        ("1.1.0", "chosen"),
        ("1.2.0", "held"),
        ("1.0.0", "admitted"),
        ("2.0.0", "rejected"),
    ]


def test_foreign_text_is_neither_a_cell_nor_a_mention() -> None:
    made = chosen(WEB, ["1.1.0", "1.2.0"], holds=HoldBook(records=(SLOW,)))
    text = explanation(made.considered, "acme/web")
    (row,) = [line for line in text.splitlines() if "1.2.0" in line]
    assert row.count("|") - row.count("\\|") == 4
    assert "@kim" not in text


def test_a_files_name_is_shown_as_it_is_in_the_fold() -> None:
    file = "apps/a\\b_*c*_<b>`.yaml"
    text = explanation(chosen({file: WEB}, ["1.1.0"]).considered, "acme/web")
    summary = text.splitlines()[1]
    assert f"in <code>{file}</code>:1" in html.unescape(summary)
    assert not set("\\_*`") & set(summary)


def test_long_lists_are_cut_with_their_number() -> None:
    tags = [f"1.{n}.0" for n in range(40)]
    text = explanation(chosen(WEB, tags).considered, "acme/web")
    assert "40 candidates" in text
    assert "and 25 more" in text


def test_of_another_policy_nothing_is_said() -> None:
    assert explanation(chosen(WEB, ["1.1.0"]).considered, "acme/api") == ""
