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
import re
from typing import TYPE_CHECKING

from bot.errors import RefusedError
from bot.planning.controls import CONTROLS, ticked
from bot.planning.message import subject
from bot.planning.metadata import write_metadata
from bot.planning.proposal_cuts import fit
from bot.planning.proposal_facts import LinksTo, ProposalFacts
from bot.planning.proposal_rows import rows_of
from bot.planning.proposal_sections import (
    checked,
    controls,
    fixed_until,
    next_steps,
    release_notes,
    why,
)
from bot.planning.proposal_table import first_sentence, table, warnings

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

_BLANKS = re.compile(r"\n{3,}")
SEVERITY = ("major", "other", "minor", "patch", "digest")  # what differs unknowably may be much


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
        "settings": [facts.needs_up_to_date, facts.controls, facts.word],
        "labels": list(labels(planned)),
    }
    text = json.dumps(row, ensure_ascii=True, sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _held_row(held: HeldTag) -> list[str]:
    return [held.policy, held.tag, held.needs, fixed_until(held)]


def body(planned: PlannedProposal, facts: ProposalFacts) -> str:
    """Return everything but the metadata comment; it ends with a line end.

    It holds the marks of `bot.planning.proposal_cuts` until `with_metadata` takes them away.
    """
    rows = rows_of(planned.updates)
    lines = [
        first_sentence(planned, facts, rows),
        "",
        *warnings(rows),
        *table(rows, facts),
        *why(rows, facts),
        *checked(rows, facts),
        *release_notes(facts),
        *next_steps(rows, facts, branch=planned.branch),
        *controls(rows, facts),
    ]
    return _BLANKS.sub("\n\n", "\n".join(lines).strip("\n")) + "\n"


def with_metadata(body: str, metadata: Metadata, *, max_chars: int) -> str:
    """Return the body with the metadata as its end, in at most `max_chars` characters.

    What is cut and in which order is a rule of `bot.planning.proposal_cuts`.

    Raises:
        RefusedError: Sentence, table and metadata alone are longer than that.
    """
    end = f"\n{write_metadata(metadata)}\n"
    shown = fit(body, max_chars - len(end)) + end
    if len(shown) > max_chars:
        raise RefusedError(
            f"what {len(metadata.changes)} changes must say takes {len(shown)} characters, "
            f"and {max_chars} are allowed",
            where=metadata.branch,
            hint="Make smaller groups, so that each proposal holds fewer changes",
        )
    return shown
