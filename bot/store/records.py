"""What the server remembers, as values.

Memory, not truth (`house.md` 1.2): losing all of it costs requests and time, never a decision.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrandRecord:
    """How the last run of one errand went.

    `ended` is `None` while it runs, and after a run that was cut off. `failures` counts those
    in a row.
    """

    key: str
    started: datetime
    run: str
    ended: datetime | None = None
    result: str = ""
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run of an errand and what it decided, a line each."""

    run: str
    errand: str
    started: datetime
    ended: datetime
    result: str
    decisions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A tag of an image and what it named; the digest is empty where it was not asked for."""

    image: str
    tag: str
    digest: str = ""
