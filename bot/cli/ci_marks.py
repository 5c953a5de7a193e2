"""Marks on lines: commands of GitHub's runner, GitLab's code quality, and how both are escaped.

A runner reads commands out of whatever is printed, so foreign text is escaped inside of our own
commands, and everything else is printed while commands are stopped (threat S6).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from bot.errors import Severity
from bot.planning.markdown import one_line, without_unseen
from bot.planning.message import short_digest, short_name

if TYPE_CHECKING:
    from bot.cli.ci_told import Told
    from bot.errors import Problem
    from bot.planning.plan import Update

MAX_MARKS = 100  # a runner shows ten of each kind; the rest is in the summary and the report
_WORDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_WEIGHTS = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTE: "info"}
_IN_TEXT = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def command(word: str, text: str, **properties: object) -> str:
    """Return one command of GitHub's runner; properties that are empty are left out."""
    given = ",".join(
        f"{key}={str(value).translate(_IN_PROPERTY)}" for key, value in properties.items() if value
    )
    return f"::{word}{' ' if given else ''}{given}::{text.translate(_IN_TEXT)}"


def _seen(text: str) -> str:
    """Return a text as its lines, without what would steer the terminal of a log."""
    return without_unseen(text).strip("\n")


def move(update: Update) -> str:
    """Return what moves, in a few words: `web 1.2.0 → 1.3.0`."""
    old, new = update.from_tag or update.from_text, update.to_tag or update.value
    if old == new and update.digest:
        new = f"{new} (digest {short_digest(update.digest)})"
    return one_line(f"{short_name(update.binding.image)} {old} → {new}")


def commands(told: Told) -> list[str]:
    """Return the marks of a job as commands: faults first, then what is behind its policy."""
    here = not told.job.elsewhere  # a mark on a line is one on a line of the job's own files
    marks = [_of_problem(one, here=here) for one in sorted(told.problems, key=_weight)]
    if told.job.degraded:
        marks.insert(0, command("notice", told.job.degraded, title="Pilotfish"))
    marks += [
        command(
            "notice",
            _seen(f"{move(one)} ({one.update_type}): {one.reason}"),
            file=one.file if here else "",
            line=one.binding.field.line if here else 0,
            title=f"behind: {move(one)}",
        )
        for one in told.behind
    ]
    left = len(marks) - MAX_MARKS
    if left > 0:
        marks[MAX_MARKS:] = [command("notice", f"{left} more are in the report")]
    return marks


def _weight(one: Problem) -> tuple[int, str, int]:
    return list(_WORDS).index(one.severity), one.file, one.line


def _of_problem(one: Problem, *, here: bool) -> str:
    text = _seen(f"{one.message}. {one.hint}" if one.hint else one.message)
    if one.line and here:
        return command(_WORDS[one.severity], text, file=one.file, line=one.line, col=one.column)
    where = f"{one_line(one.where)}: " if one.where else ""
    return command(_WORDS[one.severity], where + text)


def code_quality(told: Told) -> list[dict[str, object]]:
    """Return GitLab's form of the same marks; only what stands on a line can be in it."""
    rows = [
        _row(
            "problem" if one.severity is not Severity.ERROR else "fault",
            f"{one.message}. {one.hint}" if one.hint else one.message,
            _WEIGHTS[one.severity],
            (one.file, one.line),
        )
        for one in told.problems_of_files
    ]
    rows += [
        _row(
            "behind",
            f"{move(one)} ({one.update_type}): {one.reason}",
            "info",
            (one.file, one.binding.field.line),
        )
        for one in told.behind
    ]
    return rows


def _row(rule: str, text: str, severity: str, place: tuple[str, int]) -> dict[str, object]:
    file, line = place
    return {
        "check_name": f"pilotfish/{rule}",
        "description": one_line(text),
        "severity": severity,
        "fingerprint": fingerprint(rule, file, line, text),
        "location": {"path": file, "lines": {"begin": line}},
    }


def fingerprint(*parts: object) -> str:
    """Return what tells one finding from another, the same in every run."""
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()
