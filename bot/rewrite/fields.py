"""The vocabulary of rewriting: one marked scalar in one file, and what a search found.

A field says where its scalar stands to the byte, what it holds, which marker bound it and
which repository it is about. Nothing here reads or writes.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from bot.rewrite.marker import Part

if TYPE_CHECKING:
    from bot.errors import Problem
    from bot.rewrite.marker import FluxMarker, InlineMarker


class Style(Enum):
    """How a scalar is written; the values are YAML's indicators."""

    PLAIN = ""
    SINGLE = "'"
    DOUBLE = '"'
    LITERAL = "|"
    FOLDED = ">"
    LINE = "line"  # in a file that no YAML parser reads: found by the line rule


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectIdentity:
    """Which object of a file a field belongs to; empty texts where there is none."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the four fields of the `set` contract."""
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One scalar that a marker binds to a policy.

    `start` and `end` are byte offsets of the scalar's text in its file, quotes and block
    header included, anchor and tag excluded. `line` and `column` count from 1, in
    characters. `value` is the decoded text, a block's line ends included. `image` is the
    repository the field is about: its own text, `image=` of the marker, or what the keys
    beside it say; None when nothing says so. `companion` is the `digest:` key beside a
    bound tag: it wins when the image is pulled, so it is written with the tag or the tag
    is not written at all.
    """

    file: str
    line: int
    column: int
    start: int
    end: int
    value: str
    style: Style
    part: Part
    marker: FluxMarker | InlineMarker
    identity: ObjectIdentity = ObjectIdentity()
    image: str | None = None
    companion: Field | None = None

    @property
    def where(self) -> str:
        """Return `file:line:column`."""
        return f"{self.file}:{self.line}:{self.column}"

    @property
    def holds_digest(self) -> bool:
        """Return whether a digest stands here or beside it: then a new tag needs a new one."""
        return "@sha" in self.value or self.part is Part.DIGEST or self.companion is not None


@dataclass(frozen=True, slots=True)
class FieldSearch:
    """The marked fields of some files, by file and place, and what could not be read."""

    fields: tuple[Field, ...]
    problems: tuple[Problem, ...]
