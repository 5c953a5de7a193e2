"""What was found to read about the versions between the old one and the new one.

Texts, titles and addresses are foreign: they stand here as they came, and are made harmless
where they are shown (`bot.planning.foreign_markdown`). `looked_for` says in one line what was
looked for, so that a proposal without notes says why (`peers.md` 3.2, 6).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseNote:
    """One release as its forge tells it, unescaped."""

    version: str
    title: str
    text: str
    url: str
    published: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesOf:
    """The notes of one image, newest first, and where its source and its changes are shown.

    `source_url` and `compare_url` are empty where they are not known.
    """

    image: str
    source_url: str
    compare_url: str
    notes: tuple[ReleaseNote, ...]
    looked_for: str
