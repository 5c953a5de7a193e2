"""What a reviewer sees of a proposal: title, body and labels, and when they must be rewritten.

The order and the rules are those of `peers.md` 3.2. Everything that came from a registry, a
file or a release is foreign and goes through `bot.planning.markdown`. The text is a function of
its arguments, and `generation` digests what was decided, never what moves by itself, so that an
unchanged proposal is not rewritten (invariant I9).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from bot.planning.controls import CONTROLS, ticked
from bot.planning.message import subject
from bot.planning.metadata import write_metadata
from bot.planning.proposal_facts import LinksTo, ProposalFacts

if TYPE_CHECKING:
    from bot.planning.metadata import Metadata
    from bot.planning.plan import HeldTag, PlannedProposal

__all__ = [
    "CONTROLS",
    "LinksTo",
    "ProposalFacts",
    "body",
    "generation",
    "labels",
    "ticked",
    "title",
    "with_metadata",
]

SEVERITY = ("major", "other", "minor", "patch", "digest")  # what differs unknowably may be much
_FIRST_SIGHT = "to have been seen"  # how a wait begins whose end moves with the clock


def title(planned: PlannedProposal, *, prefix: str = "chore(images)") -> str:
    """Return one line of at most 255 characters, below 72 where its names are not too long."""
    return subject(planned.title_name, planned.updates, prefix=prefix)


def labels(planned: PlannedProposal) -> tuple[str, ...]:
    """Return `images`, the most severe type among the updates, then the configured labels."""
    types = {one.update_type for one in planned.updates if one.to_tag}
    worst = next((one for one in SEVERITY if one in types), "other")
    return tuple(dict.fromkeys(["images", worst, *planned.update.labels]))


def generation(planned: PlannedProposal, facts: ProposalFacts) -> str:
    """Return a digest of all that was decided; candidates and dates that only age are none."""
    row = {
        "key": planned.key,
        "base": facts.base,
        "head": facts.head,
        "place": facts.place,
        "changes": sorted(
            [one.file, one.binding.field.line, one.binding.policy_name, one.from_text, one.value]
            for one in planned.updates
        ),
        "held": sorted(_held_row(one) for one in facts.held),
        "automerge": facts.automerge,
        "schedule": facts.schedule,
        "ignored": sorted(facts.ignored),
        "previous": facts.previous,
        "settings": [facts.needs_up_to_date, facts.controls, facts.word],
        "labels": list(labels(planned)),
    }
    text = json.dumps(row, ensure_ascii=True, sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _held_row(held: HeldTag) -> list[str]:
    fixed = held.until is not None and not held.needs.startswith(_FIRST_SIGHT)
    until = held.until.isoformat() if held.until and fixed else ""
    return [held.policy, held.tag, held.needs, until]


def body(planned: PlannedProposal, facts: ProposalFacts) -> str:
    """Return everything but the metadata comment; it ends with a line end."""
    rows = [f"- {one.file}: {one.from_text} -> {one.value}" for one in planned.updates]
    boxes = [one.line(several=len(rows) > 1) for one in CONTROLS] if facts.controls else []
    return "\n".join([title(planned), "", *rows, "", "### Controls", *boxes]) + "\n"


def with_metadata(body: str, metadata: Metadata, *, max_chars: int) -> str:
    """Return the body with the metadata at its end, cut to `max_chars`."""
    end = f"\n{write_metadata(metadata)}\n"
    return body[: max_chars - len(end)] + end
