"""Marked values in files that no YAML parser reads, Helm templates above all.

The rule: marker and value stand on one line, the value is a plain or quoted word without a
template in it, and the marker is one of ours. Flux markers there are left alone, as Flux
itself leaves the file alone (rules of detail, 5).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.rewrite.fields import Style
from bot.rewrite.marker import AlmostMarker, FluxMarker, InlineMarker, read_marker

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE = re.compile(
    r"[ \t]*(?:-[ \t]+)*"
    r"(?:(?P<key>\"[^\"\n]*\"|'[^'\n]*'|[\w./$-]+)[ \t]*:[ \t]+)?"
    r"(?P<value>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\n]|'')*'|[^\s\"'#&*!|>{}\[\],%@`][^\s\"'{}]*)"
    r"[ \t]+(?P<comment>#.*)"
)
_SOPS = re.compile(
    r"^sops:[ \t]*(?:#.*)?\r?\n(?:[ \t].*\n|\r?\n)*?[ \t]+(?:mac|lastmodified):", re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedLine:
    """A line that holds one of our markers; `start` is -1 where its value cannot be told.

    `start` and `end` are characters, quotes included; `line` and `column` count from 1.
    """

    line: int
    column: int
    start: int
    end: int
    key: str
    value: str
    style: Style
    marker: InlineMarker | FluxMarker | AlmostMarker


def marked_lines(text: str) -> Iterator[MarkedLine]:
    """Yield every line of `text` with a marker, or with what nearly is one."""
    start = 0
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if "pilotfish" in line or "$imagepolicy" in line:
            found = _read(line.rstrip("\r\n"), number, start)
            if found is not None:
                yield found
        start += len(line)


def _read(line: str, number: int, offset: int) -> MarkedLine | None:
    found = _LINE.fullmatch(line)
    comment = found["comment"] if found else line[line.find("#") :] if "#" in line else ""
    marker = read_marker(comment)
    if not isinstance(marker, InlineMarker | FluxMarker | AlmostMarker):
        return None
    if found is None:
        return MarkedLine(
            line=number,
            column=1,
            start=-1,
            end=-1,
            key="",
            value="",
            style=Style.LINE,
            marker=marker,
        )
    written = found["value"]
    return MarkedLine(
        line=number,
        column=found.start("value") + 1,
        start=offset + found.start("value"),
        end=offset + found.end("value"),
        key=(found["key"] or "").strip("\"'"),
        value=unquoted(written),
        style=Style.LINE,
        marker=marker,
    )


def unquoted(written: str) -> str:
    """Return what a value of the line rule says; escapes other than quotes stay as they are."""
    if written[:1] == '"':
        return written[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if written[:1] == "'":
        return written[1:-1].replace("''", "'")
    return written


def is_sops(text: str) -> bool:
    """Return whether an unparsable text holds a SOPS block."""
    return _SOPS.search(text) is not None
