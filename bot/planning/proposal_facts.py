"""What a proposal's text says besides the plan: where it is, and what happens to it next.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bot.planning.plan import HeldTag
    from bot.planning.release_notes import NotesOf


class LinksTo(Protocol):
    """Addresses for people, as a forge builds them."""

    def file(self, commit: str, path: str, line: int) -> str:
        """Return where a line of a file is shown at a commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalFacts:
    """What the text needs to know beside the plan.

    `place` is repository and base as people call them, `word` what the forge calls a proposal.
    `automerge` and `schedule` are whole sentences of ours, empty where there is nothing to say.
    `ignored` are items that a person closed before, which are left out. `controls`: boxes can be
    ticked and comments are read.
    """

    place: str
    base: str
    head: str
    word: str
    links: LinksTo | None
    max_chars: int
    notes: tuple[NotesOf, ...] = ()
    automerge: str = ""
    schedule: str = ""
    held: tuple[HeldTag, ...] = ()
    ignored: tuple[str, ...] = ()
    needs_up_to_date: bool = False
    controls: bool = True
