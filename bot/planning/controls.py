"""The boxes that a reviewer may tick in a proposal's body; each is equal to a command.

A box is a list item with a marker of ours right behind it, below the heading of the controls
and outside code; nothing else is read as a wish (`peers.md` 3.2, 8).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HEADING = "### Controls"
_BOX = re.compile(r"^- \[(?P<tick>[ xX])\] <!-- pilotfish:(?P<marker>[a-z0-9-]+) -->")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One box: the marker that a run reads, and what a person reads for one or several images."""

    marker: str
    one: str
    several: str

    def line(self, *, several: bool) -> str:
        """Return the box, not ticked."""
        return f"- [ ] <!-- pilotfish:{self.marker} -->{self.several if several else self.one}"


CONTROLS = (
    Control(
        marker="rebase",
        one="Rebase: put the change onto the base as it is now",
        several="Rebase: put the changes onto the base as it is now",
    ),
    Control(
        marker="recreate",
        one="Recreate: the same, and throw away what others committed here",
        several="Recreate: the same, and throw away what others committed here",
    ),
    Control(
        marker="hold",
        one="Hold this version: do not propose it again",
        several="Hold these versions: do not propose them again",
    ),
    Control(
        marker="hold-30d",
        one="Hold this image for 30 days",
        several="Hold these images for 30 days",
    ),
    Control(
        marker="approve",
        one="Approve: let it merge by itself once its checks have passed",
        several="Approve: let it merge by itself once its checks have passed",
    ),
)
_MARKERS = frozenset(one.marker for one in CONTROLS)


def ticked(body: str) -> frozenset[str]:
    """Return the markers of the boxes that are ticked in the section of the controls."""
    found: set[str] = set()
    inside = False
    fence = ""
    for line in body.splitlines():
        opened = _FENCE.match(line)
        if fence:
            if opened and opened[1].startswith(fence) and not line.strip(" `~"):
                fence = ""
        elif opened:
            fence = opened[1]
        elif line.startswith("#"):
            inside = line.rstrip() == HEADING
        elif inside and (box := _BOX.match(line)) and box["tick"] != " ":
            found.add(box["marker"])
    return frozenset(found & _MARKERS)
