"""What may be left out of a body that is too long, and in which order.

Texts of releases go first, the last one before the others; then what is folded. Sentence, table,
controls and metadata stay (`peers.md` 3.2, 10). What may go stands between two hidden marks,
which are taken away once it is known what stays.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.planning.markdown import html_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOTE, _DETAIL = "note", "detail"
_END = "<!-- pilotfish:cut-end -->"
_PIECE = re.compile(
    r"<!-- pilotfish:cut (?P<kind>note|detail) -->\n(?P<text>.*?)\n" + re.escape(_END), re.DOTALL
)
_LEFT_OUT = "*Left out: there is no room for it here.*"


def note(text: str) -> list[str]:
    """Return the lines of a release's text, which goes first."""
    return [f"<!-- pilotfish:cut {_NOTE} -->", text, _END]


def detail(summary: str, lines: Sequence[str]) -> list[str]:
    """Return folded lines, which go second; the summary stays."""
    inside = [f"<!-- pilotfish:cut {_DETAIL} -->", *lines, _END]
    return [f"<details><summary>{html_text(summary)}</summary>", "", *inside, "", "</details>", ""]


def fit(text: str, max_chars: int) -> str:
    """Return `text` without marks, and with as much left out as it takes to fit.

    It may still be longer when nothing is left that may go.
    """
    pieces = list(_PIECE.finditer(text))
    gone: set[int] = set()
    size = len(_without(text, pieces, gone))
    for kind in (_NOTE, _DETAIL):
        for number in reversed(range(len(pieces))):
            if size <= max_chars:
                break
            saved = len(pieces[number]["text"]) - len(_LEFT_OUT)
            if pieces[number]["kind"] == kind and saved > 0:
                gone.add(number)
                size -= saved
    return _without(text, pieces, gone)


def _without(text: str, pieces: Sequence[re.Match[str]], gone: set[int]) -> str:
    made: list[str] = []
    place = 0
    for number, piece in enumerate(pieces):
        made += [text[place : piece.start()], _LEFT_OUT if number in gone else piece["text"]]
        place = piece.end()
    return "".join([*made, text[place:]])
