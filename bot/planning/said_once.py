"""What is said in a comment on a proposal, each once: it was edited, it was closed.

Everything else stands in the body, which is edited in place (`peers.md` 3.4: never comment when
the body can be edited). A hidden mark says which comment it is.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.planning.closed_majors import major_of
from bot.planning.markdown import code
from bot.rewrite.marker import Part

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.planning.remembered import ChangeRecord

_MOST_ROWS = 20
_MOST_QUOTED = 2_000


def edited_by_person(word: str) -> str:
    """Say that a branch with a person's commit is left alone from now on."""
    return (
        "<!-- pilotfish:note edited -->\n"
        f"Somebody else committed to this branch, so it is theirs now: Pilotfish writes nothing "
        f"more to it, and this {word} is not brought up to date. To give it back, comment "
        "`/recreate` (those commits are thrown away). To close it says no to what it changes.\n"
    )


def closed_by_person(changes: Iterable[ChangeRecord], word: str) -> str:
    """Say what a close recorded and how to undo it."""
    rows = sorted({_refused(one) for one in changes})
    shown = rows[:_MOST_ROWS]
    if len(rows) > len(shown):
        shown.append(f"- and {len(rows) - len(shown)} more")
    listed = "\n".join(shown)
    return (
        "<!-- pilotfish:note closed -->\n"
        f"Closed without merging, so exactly this is not proposed again:\n\n{listed}\n\n"
        f"Something newer is. To take it back, reopen this {word}, or comment `/unhold IMAGE` on "
        "an open one (`pilotfish unhold` does the same).\n"
    )


def _refused(change: ChangeRecord) -> str:
    """Return what one change's close refuses: of a major, every tag (`peers.md` 3.4)."""
    is_major = major_of(change, (Part.IMAGE, Part.TAG))
    more = ", nor another tag of this major" if is_major else ""
    return f"- {code(change.new)} for {code(change.policy)}{more}"


def approved_then_refreshed(old: str, new: str, *, head: str) -> str:
    """Say to who approved that it is another change now; `old` and `new` are the two titles.

    Said once for each head, and only where somebody had approved (`peers.md` 3.4).
    """
    return (
        f"<!-- pilotfish:note refreshed {_plain(head)} -->\n"
        f"This was approved as {code(old)} and is {code(new)} now; please look at it again.\n"
    )


def rollout_failed(tag: str, why: str) -> str:
    """Say that what a merged proposal brought does not roll out, and that it is held."""
    return (
        f"{rollout_mark(tag)}\n"
        f"`{_plain(tag)}` was applied and does not roll out, so it is held until something newer "
        f"appears:\n\n{_quoted(why)}\n\n"
        "To have it proposed again, `pilotfish unhold`; to go back, revert this change.\n"
    )


def rollout_mark(tag: str) -> str:
    """Return the hidden mark of the comment about one tag."""
    return f"<!-- pilotfish:note rollout {_plain(tag)} -->"


def _quoted(text: str) -> str:
    """Return foreign words as a block of code, which nothing in them can end."""
    lines = "".join(sign if sign.isprintable() else " " for sign in text)[:_MOST_QUOTED]
    return f"    {lines}"


def _plain(text: str) -> str:
    """Return a value of a file or registry as it may stand in Markdown, in code or outside."""
    return "".join(sign if sign.isalnum() or sign in ".:/_+-" else "?" for sign in text)
