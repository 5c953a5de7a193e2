"""The text of the dashboard: one issue that shows everything that is followed, and waits.

Counts first, details folded, overflow cut with its number (`peers.md` 3.8). The text is a
function of what was decided and of nothing that moves by itself, so that it is written only
when something changed. Boxes are equal to commands; their markers hold names, quoted.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from bot.planning.markdown import code, plain, worded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bot.planning.plan import HeldTag
    from bot.planning.remembered import HoldRecord

TITLE = "Pilotfish dashboard"
_MOST_LINES = (10_000, 200, 100, 50, 20, 10, 5, 2, 0)  # lines of a section, until all fits
_BY_FIRST_SIGHT = "to have been seen"  # such a moment moves with every look
_BOX = re.compile(
    r"^- \[(?P<tick>[ xX])\] <!-- pilotfish:(?P<what>open-all|open|approve|unhold)"
    r"(?: (?P<first>[^\s]+))?(?: (?P<second>[^\s]+))? -->"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A proposal on the board: its branch, title, where it is shown, and why it stands so.

    `box` is what a tick before it means: `approve` lets it be merged by itself, `open` lets it
    be opened, or be the next one; empty for no box. Reasons are whole clauses of ours; the
    title is foreign text.
    """

    branch: str
    title: str
    link: str = ""
    reason: str = ""
    box: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """A marked field: where it stands, its policy's rule, the image and what is written."""

    place: str
    rule: str
    image: str
    written: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Everything that the dashboard shows.

    `checked` are those whose branch waits for its checks, `ticked` the branches that were ticked
    to be opened and still wait.
    """

    place: str
    word: str = "pull request"
    open: tuple[Entry, ...] = ()
    needs_approval: tuple[Entry, ...] = ()
    limited: tuple[Entry, ...] = ()
    scheduled: tuple[Entry, ...] = ()
    checked: tuple[Entry, ...] = ()
    edited: tuple[Entry, ...] = ()
    paused: tuple[Entry, ...] = ()
    ignored: tuple[Entry, ...] = ()
    errors: tuple[str, ...] = ()
    held: tuple[HeldTag, ...] = ()
    holds: tuple[HoldRecord, ...] = ()
    fields: tuple[FieldRow, ...] = ()
    ticked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """What is ticked on the dashboard: branches, all of them, and holds by policy and tag."""

    approve: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()
    open_all: bool = False
    unhold: frozenset[tuple[str, str]] = frozenset()


def ticked_on_dashboard(body: str) -> Boxes:
    """Return the boxes that a person ticked."""
    branches: dict[str, set[str]] = {"approve": set(), "open": set()}
    unhold: set[tuple[str, str]] = set()
    open_all = False
    for line in body.splitlines():
        box = _BOX.match(line)
        if box is None or box["tick"] == " ":
            continue
        first, second = unquote(box["first"] or ""), unquote(box["second"] or "")
        if box["what"] == "open-all":
            open_all = True
        elif box["what"] == "unhold" and first:
            unhold.add((first, second))
        elif first:
            branches[box["what"]].add(first)
    return Boxes(
        approve=frozenset(branches["approve"]),
        open=frozenset(branches["open"]),
        open_all=open_all,
        unhold=frozenset(unhold),
    )


def dashboard_text(board: Board, *, max_chars: int) -> str:
    """Return the issue's body, of at most `max_chars` characters."""
    for most in _MOST_LINES:
        text = _text(board, most)
        if len(text) <= max_chars:
            return text
    return text[:max_chars]


def _text(board: Board, most: int) -> str:
    parts = [
        f"Everything that is followed in {plain(board.place)}. This text is edited in place; "
        "commands in comments are answered here, `/holds` and `/explain IMAGE` among them.",
        "",
        _counts(board),
        "",
    ]
    for title, says, lines in _sections(board):
        parts += _section(title, says, lines, most)
    parts += _folded_fields(board.fields, most)
    return "\n".join(parts)


def _counts(board: Board) -> str:
    named = (
        (len(board.open), "open"),
        (len(board.needs_approval), "need an approval"),
        (len(board.limited), "wait for their turn"),
        (len(board.scheduled), "wait for their schedule"),
        (len(board.checked), "wait for their checks"),
        (len(board.edited), "edited by a person"),
        (len(board.paused), "paused by a label"),
        (len(board.ignored), "closed by a person"),
        (len(board.holds), "held by people"),
        (len(_held_back(board)), "held back"),
        (len(board.errors), "errors"),
        (len(board.fields), "marked fields"),
    )
    return (
        " · ".join(f"**{count}** {word}" for count, word in named if count) or "Nothing is marked."
    )


def _sections(board: Board) -> Iterable[tuple[str, str, list[str]]]:
    merge = f"A tick lets the {board.word} be merged by itself once its checks have passed."
    yield "Open", merge, [_line(one, board) for one in board.open]
    yield from _waiting(board)
    yield "Waits for its checks", "", [_line(one, board) for one in board.checked]
    yield "Edited by a person", "", [_line(one, board) for one in board.edited]
    yield "Paused by a label", "", [_line(one, board) for one in board.paused]
    yield "Closed by a person", "", [_line(one, board) for one in board.ignored]
    yield "Errors", "", [f"- {plain(one)}" for one in board.errors]
    holds = _sorted(board.holds)
    yield "Held by people", "A tick lifts it.", [_hold_line(one, holds) for one in holds]
    yield "Held back", "", _held_back(board)


def _waiting(board: Board) -> Iterator[tuple[str, str, list[str]]]:
    """Return the sections that a tick moves on; the first one also has the box for them all."""
    turn = "A tick makes it the next one; the limits and the schedule still count."
    sections = (
        ("Needs an approval", "A tick lets it be opened.", board.needs_approval),
        ("Waits for its turn", turn, board.limited),
        ("Waits for its schedule", turn, board.scheduled),
    )
    several = sum(len(entries) for _, _, entries in sections) > 1
    all_of_them = _box("open-all", (), ticked=False) + "Approve all that wait below"
    for title, says, entries in sections:
        lines = [_line(one, board) for one in entries]
        if several and lines:
            lines, several = [all_of_them, *lines], False
        yield title, says, lines


def _held_back(board: Board) -> list[str]:
    """Return a line for each tag that a gate holds; those of a hold are told by the hold."""
    return list(dict.fromkeys(_held_line(one) for one in board.held if not one.by_hold))


def _sorted(holds: Iterable[HoldRecord]) -> list[HoldRecord]:
    return sorted(holds, key=lambda one: (one.policy, one.when, one.what, one.update))


def _section(title: str, says: str, lines: Sequence[str], most: int) -> list[str]:
    if not lines:
        return []
    shown = list(lines[:most])
    if len(shown) < len(lines):
        shown.append(f"- … and {len(lines) - len(shown)} more; `pilotfish plan` shows all")
    return [f"### {title}", *([says, ""] if says else []), *shown, ""]


def _box(what: str, names: Iterable[str], *, ticked: bool) -> str:
    quoted = "".join(f" {quote(name, safe='/:.@')}" for name in names if name)
    return f"- [{'x' if ticked else ' '}] <!-- pilotfish:{what}{quoted} -->"


def _line(one: Entry, board: Board) -> str:
    start = "- "
    if one.box:
        ticked = one.box == "open" and one.branch in board.ticked
        start = _box(one.box, (one.branch,), ticked=ticked)
    named = f"{one.link} " if one.link else ""
    reason = f": {worded(one.reason)}" if one.reason else ""
    return f"{start}{named}{plain(one.title)}{reason}"


def _hold_line(one: HoldRecord, holds: Sequence[HoldRecord]) -> str:
    """Return a hold; what lifts one of no single tag lifts every other of its policy."""
    until = f", until {one.until:%Y-%m-%d %H:%M} UTC" if one.until else ""
    what = code(one.what) if one.tag else plain(one.what)
    box = _box("unhold", (one.policy, one.tag or one.up_to), ticked=False)
    said = f"{plain(one.reason)}, by {plain(one.who) or 'somebody'}, {one.when:%Y-%m-%d}"
    several = sum(1 for other in holds if other.policy == one.policy) > 1
    wide = (
        "; the tick lifts all that is held of it" if several and not (one.tag or one.up_to) else ""
    )
    return f"{box}{code(one.policy)} {what}: {said}{until}{wide}"


def _held_line(one: HeldTag) -> str:
    fixed = one.until is not None and not one.needs.startswith(_BY_FIRST_SIGHT)
    until = f", until {one.until:%Y-%m-%d %H:%M} UTC" if fixed and one.until else ""
    needs = f"; needs {worded(one.needs)}" if one.needs and not until else ""
    reason = plain(one.reason)
    return f"- {code(one.policy)} {code(one.tag)}: {reason}{until}{needs}"


def _folded_fields(fields: Sequence[FieldRow], most: int) -> list[str]:
    if not fields:
        return []
    rows = [_field_line(one) for one in fields[:most]]
    left = len(fields) - len(rows)
    return [
        "<details>",
        f"<summary>All {len(fields)} marked fields</summary>",
        "",
        *(["| Where | Image | Written | Policy |", "|---|---|---|---|", *rows] if rows else []),
        *(["", f"… and {left} more; `pilotfish plan` shows all"] if left else []),
        "",
        "</details>",
        "",
    ]


def _field_line(one: FieldRow) -> str:
    cells = [code(cell, in_table=True) for cell in (one.place, one.image, one.written)]
    return f"| {' | '.join(cells)} | {plain(one.rule)} |"
