"""A label by which a person has a proposal of ours stand as it is, until they take it off.

While it is on, nothing is pushed to its branch, its text is not written again, and it is neither
closed nor merged by us; a forge that was told to merge it is told not to. What it changes is
proposed nowhere else meanwhile (`peers.md` 2, demand 40; invariant I5). Only persons put the
label on and off.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.config.model import PAUSED_LABEL
from bot.proposals.steps import Operation, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.planning.plan import PlannedProposal
    from bot.proposals.steps import OpenBranch

WHY = f"paused by the label {PAUSED_LABEL}, until a person takes it off"


def is_paused(labels: Iterable[str]) -> bool:
    """Return whether the label is among these; forges hold names alike but for their case."""
    return any(one.casefold() == PAUSED_LABEL for one in labels)


def steps_of_paused(
    planned: Mapping[str, PlannedProposal], branches: Mapping[str, OpenBranch]
) -> list[Step]:
    """Return the step of each paused branch: nothing is done."""
    return [
        Step(
            operation=Operation.PAUSED,
            branch=branch,
            key=found.key,
            reason=WHY,
            planned=planned.get(branch),
            expected=found.head,
            number=found.number,
        )
        for branch, found in sorted(branches.items())
        if found.paused
    ]


def beside_paused(
    planned: Iterable[PlannedProposal], branches: Mapping[str, OpenBranch]
) -> list[PlannedProposal]:
    """Return what is planned beside the paused branches, without the fields that those change."""
    paused = {branch: found for branch, found in branches.items() if found.paused}
    theirs = {(one.file, one.policy) for found in paused.values() for one in found.changes}
    beside: list[PlannedProposal] = []
    for one in planned:
        left = tuple(u for u in one.updates if (u.file, u.binding.policy_name) not in theirs)
        if left and one.branch not in paused:
            beside.append(one if left == one.updates else replace(one, updates=left))
    return beside
