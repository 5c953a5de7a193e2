"""What people asked of proposals, in the form that the life cycle takes.

Each wish names the branch of a proposal. A wish only moves a proposal forward in the queue: no
gate is skipped for it (`reliability-security.md` 1.3 B3, P4).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Branches whose proposals somebody with write permission asked something of.

    `rebase`: put the same changes on today's base. `recreate`: as `rebase`, and also where a
    person pushed. `approve`: it may be merged by itself once its checks have passed. `open`: it
    is approved to be opened, and the next one where it waits for its turn; `open_all` is that
    for every one that waits. `ticked`: what was ticked in these bodies is taken; they are to be
    written anew.
    """

    rebase: frozenset[str] = frozenset()
    recreate: frozenset[str] = frozenset()
    approve: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()
    open_all: bool = False
    ticked: frozenset[str] = frozenset()


NOTHING_ASKED = Wishes()
