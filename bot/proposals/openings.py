"""When a proposal is opened: at once, after the checks on its branch, after an approval, or never.

`open: after-checks` pushes the branch first and opens once no check is under way, passed or not,
so that nobody is asked to look at what nobody has checked. `open: approval` pushes nothing until
a person ticked it on the dashboard. `automerge: quiet` merges a branch whose checks passed
without ever opening it; whatever speaks against that opens it (`peers.md` 3.4 to 3.6).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.config.model import Opening
from bot.forges.forge import CheckState
from bot.proposals.steps import Operation, Standing, Wait

if TYPE_CHECKING:
    from bot.proposals.steps import BranchChecks, Circumstances, OpenBranch, Step

NO_CHECK_WITHIN = timedelta(hours=1)  # then none is going to come; arbitrary
CHECKS_END_WITHIN = timedelta(days=1)  # then a person had better look; arbitrary


def at_its_gate(step: Step, found: OpenBranch, around: Circumstances) -> Step:
    """Let a step that would open a proposal wait for what its update asks for first."""
    if step.operation is not Operation.OPENED or step.planned is None:
        return step
    opening = step.planned.update.open
    if opening is Opening.APPROVAL and found.standing is not Standing.UNPROPOSED:
        return _approved(step, around)
    if not _on_its_branch_first(step, around):
        return step
    if found.behind and step.branch in around.quiet:
        return replace(step, stands=False)  # only what is made on the tip can be merged so
    return _checked(step, around) if step.stands else step


def pushed_first(step: Step, around: Circumstances) -> Step:
    """Push alone where checks are to run before the proposal is opened."""
    waits = step.operation is Operation.OPENED and not step.stands
    if not waits or not _on_its_branch_first(step, around):
        return step
    why = "its branch's checks come first"
    return replace(step, operation=Operation.PUSHED, reason=f"{step.reason}; {why}")


def one_merge(steps: list[Step]) -> list[Step]:
    """Let one branch at most be merged in a run, last: it leaves the others behind the base."""
    merges = [step for step in steps if step.operation is Operation.MERGED]
    others = [step for step in steps if step.operation is not Operation.MERGED]
    later = [
        replace(
            step,
            operation=Operation.WAITING,
            waits_for=Wait.TURN,
            reason="another is merged in this run; its checks run once more on what that leaves",
        )
        for step in merges[1:]
    ]
    return [*others, *later, *merges[:1]]


def _on_its_branch_first(step: Step, around: Circumstances) -> bool:
    if step.planned is None or not around.has_checks:
        return False
    return step.branch in around.quiet or step.planned.update.open is Opening.AFTER_CHECKS


def _approved(step: Step, around: Circumstances) -> Step:
    if around.wishes.open_all or step.branch in around.wishes.open:
        return replace(step, reason=f"{step.reason}; a person approved it")
    where = "tick it on the dashboard" if around.has_checks else "only a forge's dashboard takes it"
    return replace(
        step,
        operation=Operation.WAITING,
        waits_for=Wait.APPROVAL,
        reason=f"it needs an approval: {where}",
    )


def _checked(step: Step, around: Circumstances) -> Step:
    """Decide about a branch that stands as planned by what its checks say."""
    checks = around.checks.get(step.branch)
    if checks is None:
        return step
    quiet = step.branch in around.quiet
    match checks.state:
        case CheckState.PASSED if quiet:
            return replace(
                step, operation=Operation.MERGED, reason="its checks passed: merged quietly"
            )
        case CheckState.PASSED:
            return replace(step, reason="the checks on its branch passed")
        case CheckState.FAILED:
            return replace(step, reason="a check on its branch failed")
        case _ if why := _waited_enough(checks, around):
            return replace(step, reason=why)
        case _:
            return replace(
                step,
                operation=Operation.WAITING,
                waits_for=Wait.CHECKS,
                reason="the checks on its branch have not passed yet",
            )


def _waited_enough(checks: BranchChecks, around: Circumstances) -> str:
    waited = around.now - checks.since
    if not checks.reported and waited >= NO_CHECK_WITHIN:
        return "no check reported on its branch within an hour"
    if waited >= CHECKS_END_WITHIN:
        return "the checks on its branch did not end within a day"
    return ""
