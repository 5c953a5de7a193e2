"""Lays a table out in columns that fit a width, so that no terminal breaks its lines.

Where the rows are too wide, the widest column is folded at its spaces if a few lines will do;
else it moves below its row, with its heading. Nothing is cut: what a person needs to copy is
whole. The first column always stays.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP = "  "
_INDENT = 4  # of what stands below a row
_NARROWEST = 20  # a column folded any further reads badly; arbitrary
_ROOMY = 40
_FOLDS, _FOLDS_ROOMY = 2, 3  # lines a cell may take before its column moves below; arbitrary
_LEAST_WIDTH = 20  # of text below a row, in a terminal too narrow for anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Text of one column in one line; `column` is its number, `None` for what has no style."""

    text: str
    column: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Widths of the columns that stay beside each other, and those that move below."""

    widths: dict[int, int]
    below: tuple[int, ...]


def lay_out(
    headings: Sequence[str], rows: Sequence[Sequence[str]], width: int | None
) -> tuple[list[list[Piece]], list[list[Piece]]]:
    """Return the lines of the heading, and those of the rows.

    `width` is in characters; with `None` every row is one line, however long.
    """
    made = _fit(headings, rows, width)
    body: list[list[Piece]] = []
    for row in rows:
        body += _beside(row, made)
        body += _below(headings, row, made, width or 0)
    return _beside(headings, made), body


def _fit(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> _Layout:
    widths = {
        number: max(len(heading), *(len(row[number]) for row in rows), 0)
        for number, heading in enumerate(headings)
    }
    moved: list[int] = []
    while width is not None and len(widths) > 1 and _total(widths) > width:
        widest = max(list(widths)[1:], key=lambda number: widths[number])
        room = width - (_total(widths) - widths[widest])
        if all(_folds_well(row[widest], room) for row in rows):
            widths[widest] = room
            break
        del widths[widest]
        moved.append(widest)
    return _Layout(widths=widths, below=tuple(sorted(moved)))


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + len(_GAP) * (len(widths) - 1)


def _folds_well(text: str, room: int) -> bool:
    """Return whether a column of `room` holds `text` in a few lines, broken at spaces alone."""
    longest_word = max((len(word) for word in text.split()), default=0)
    folds = _FOLDS_ROOMY if room >= _ROOMY else _FOLDS
    return longest_word <= room and room >= _NARROWEST and len(_folded(text, room)) <= folds


def _folded(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def _beside(row: Sequence[str], made: _Layout) -> list[list[Piece]]:
    numbers = list(made.widths)
    cells = [_folded(row[number], made.widths[number]) for number in numbers]
    lines: list[list[Piece]] = []
    for texts in zip_longest(*cells, fillvalue=""):
        used = max((i for i, text in enumerate(texts) if text), default=0) + 1
        line: list[Piece] = []
        for i, text in enumerate(texts[:used]):
            last = i == used - 1
            line.append(Piece(text=text, column=numbers[i]))
            if not last:
                line.append(
                    Piece(text=" " * (made.widths[numbers[i]] - len(text)) + _GAP, column=None)
                )
        lines.append(line)
    return lines


def _below(
    headings: Sequence[str], row: Sequence[str], made: _Layout, width: int
) -> list[list[Piece]]:
    label = max((len(headings[number]) for number in made.below), default=0)
    start = _INDENT + (label + len(_GAP) if label else 0)
    lines: list[list[Piece]] = []
    for number in made.below:
        if not row[number]:
            continue
        heading = headings[number].ljust(label) + _GAP if label else ""
        for i, text in enumerate(_folded(row[number], max(width - start, _LEAST_WIDTH))):
            lead = " " * _INDENT + heading if i == 0 else " " * start
            lines.append([Piece(text=lead, column=None), Piece(text=text, column=number)])
    return lines
