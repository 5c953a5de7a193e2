"""Our one comment that answers commands: read back, added to, written in place.

A proposal gets at most one such comment, newest answer first (`peers.md` 3.7, threat P9). Which
comments were answered stands hidden in it, so that each is answered once; what waits for a
schedule or a limit is written down as waiting, and is asked again by the next run.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MARKER = "<!-- pilotfish:answers -->"
MOST_ROWS = 20  # answers that stay readable; the older ones go, arbitrary
MOST_IDS = 200  # answered comments that are named one by one; older ones go by their date
_HEADING = "**What was asked by comments**, newest first:"
_ROW = re.compile(r"^- <!-- pilotfish:answer ([\w.:-]{1,40}) (done|waits) -->(.*)$", re.MULTILINE)
_ANSWERED = re.compile(r"<!-- pilotfish:answered ([\w.:,-]*)(?: before (\S+))? -->")
_FOLDED_START, _FOLDED_END = "<!-- pilotfish:folded -->", "<!-- /pilotfish:folded -->"
_FOLDED = re.compile(f"{re.escape(_FOLDED_START)}\n(.*?){re.escape(_FOLDED_END)}", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was said about one comment: its id, one line of Markdown, and whether it is settled."""

    id: str
    text: str
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """All that our comment says: rows newest first, who was answered, what is folded below.

    Whatever was written at or before `before` is answered too.
    """

    rows: tuple[Answer, ...] = ()
    answered: tuple[str, ...] = ()
    before: datetime | None = None
    folded: str = ""

    def has_answered(self, comment: str, created: datetime) -> bool:
        """Return whether a comment needs no answer any more."""
        return comment in self.answered or (self.before is not None and created <= self.before)

    def with_answers(self, new: Iterable[Answer], created: Mapping[str, datetime]) -> Answers:
        """Return this with `new`, oldest first; `created` dates every comment that is there."""
        rows = list(self.rows)
        answered = list(self.answered)
        for one in new:
            rows = [one, *(row for row in rows if row.id != one.id)]
            if not one.waits and one.id not in answered:
                answered.append(one.id)
        before = self.before
        if len(answered) > MOST_IDS:
            dated = sorted((one for one in answered if one in created), key=created.__getitem__)
            dropped, answered = dated[:-MOST_IDS], dated[-MOST_IDS:]
            before = max([created[one] for one in dropped] + ([before] if before else []))
        return replace(self, rows=tuple(rows[:MOST_ROWS]), answered=tuple(answered), before=before)


def read_answers(body: str) -> Answers:
    """Return what our comment says; what a person damaged is left out."""
    found = _ANSWERED.findall(body)
    ids, before = found[-1] if found else ("", "")
    folded = _FOLDED.search(body)
    return Answers(
        rows=tuple(
            Answer(id=row[0], waits=row[1] == "waits", text=row[2]) for row in _ROW.findall(body)
        ),
        answered=tuple(one for one in ids.split(",") if one),
        before=_time(before),
        folded=folded[1] if folded else "",
    )


def _time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def write_answers(answers: Answers, *, max_chars: int) -> str:
    """Return the comment; what is folded is left out first, then the oldest rows."""
    until = f" before {answers.before.isoformat()}" if answers.before else ""
    end = f"<!-- pilotfish:answered {','.join(answers.answered)}{until} -->\n"
    start = f"{MARKER}\n{_HEADING}\n\n"
    rows = [
        f"- <!-- pilotfish:answer {one.id} {'waits' if one.waits else 'done'} -->{one.text}\n"
        for one in answers.rows
    ]
    folded = f"\n{_FOLDED_START}\n{answers.folded}{_FOLDED_END}\n" if answers.folded else ""
    if len(start) + sum(map(len, rows)) + len(folded) + len(end) + 1 > max_chars:
        folded = ""
    while rows and len(start) + sum(map(len, rows)) + len(end) + 1 > max_chars:
        rows.pop()
    return f"{start}{''.join(rows)}{folded}\n{end}"
