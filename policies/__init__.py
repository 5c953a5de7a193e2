"""Which tag should run? Pure decisions, nothing else.

The story of a selection: `read_policy` turns what a person wrote into a `TagPolicy`;
`select` drops excluded and filtered tags, lets the policy's rule rank the others and gives a
reason for every one; `decide` holds the ranking against what is written in one field, the
holds and the gates, and says what to write now, or what waits and until when. Where a
costly fact is needed both say so in `missing`; the caller finds it out and asks again.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.comparison import Newest, compare, newest_like, update_type
    from policies.gates import Decision, Held, Rejected, TagHold, decide
    from policies.policy import (
        Candidate,
        Deny,
        DigestMode,
        Fact,
        Facts,
        Gates,
        InvalidPolicy,
        SelectionError,
        TagPolicy,
    )
    from policies.reference import (
        InvalidReference,
        Reference,
        Repository,
        is_digest,
        is_tag,
        parse_reference,
        parse_repository,
    )
    from policies.selection import Selection, Verdict, select
    from policies.spec import ALLOWED_OPTIONS, read_policy

__all__ = [
    "ALLOWED_OPTIONS",
    "Candidate",
    "Decision",
    "Deny",
    "DigestMode",
    "Fact",
    "Facts",
    "Gates",
    "Held",
    "InvalidPolicy",
    "InvalidReference",
    "Newest",
    "Reference",
    "Rejected",
    "Repository",
    "Selection",
    "SelectionError",
    "TagHold",
    "TagPolicy",
    "Verdict",
    "compare",
    "decide",
    "is_digest",
    "is_tag",
    "newest_like",
    "parse_reference",
    "parse_repository",
    "read_policy",
    "select",
    "update_type",
]

_HOMES = {
    "ALLOWED_OPTIONS": "policies.spec",
    "Candidate": "policies.policy",
    "Decision": "policies.gates",
    "Deny": "policies.policy",
    "DigestMode": "policies.policy",
    "Fact": "policies.policy",
    "Facts": "policies.policy",
    "Gates": "policies.policy",
    "Held": "policies.gates",
    "InvalidPolicy": "policies.policy",
    "InvalidReference": "policies.reference",
    "Newest": "policies.comparison",
    "Reference": "policies.reference",
    "Rejected": "policies.gates",
    "Repository": "policies.reference",
    "Selection": "policies.selection",
    "SelectionError": "policies.policy",
    "TagHold": "policies.gates",
    "TagPolicy": "policies.policy",
    "Verdict": "policies.selection",
    "compare": "policies.comparison",
    "decide": "policies.gates",
    "is_digest": "policies.reference",
    "is_tag": "policies.reference",
    "newest_like": "policies.comparison",
    "parse_reference": "policies.reference",
    "parse_repository": "policies.reference",
    "read_policy": "policies.spec",
    "select": "policies.selection",
    "update_type": "policies.comparison",
}


def __getattr__(name: str) -> object:
    """Import a public name's module when it is first asked for: commands need one or two."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'policies' has no attribute {name!r}")
    return getattr(import_module(home), name)
