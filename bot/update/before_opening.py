"""What is looked at before a proposal is opened: the checks on its branch, and who merges it.

Only branches that stand without a proposal are asked about, one request each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.config.model import Opening
from bot.errors import Problem, ProductError, Severity
from bot.forges.forge import CheckState, RateLimitedError
from bot.git.names import Sha
from bot.proposals.automerge import QUIET, checks_passed, merges_quietly, of_others
from bot.proposals.lifecycle import Standing, changes_of
from bot.proposals.steps import BranchChecks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from bot.forges.forge import BaseRules, Check, Forge
    from bot.git.remote import Remote
    from bot.planning.plan import PlannedProposal
    from bot.planning.remembered import HoldRecord
    from bot.proposals.lifecycle import OpenBranch


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeOpening:
    """What was found, by branch; `quiet` are those that may be merged without a proposal."""

    quiet: frozenset[str] = frozenset()
    checks: Mapping[str, BranchChecks] = field(default_factory=dict)
    problems: Sequence[Problem] = ()


@dataclass(slots=True, kw_only=True)
class ChecksOnBranches:
    """The checks on branches that have no proposal yet; each is asked for once in a run.

    Checks that cannot be read are as good as none, and told.
    """

    forge: Forge
    remote: Remote
    rules: Callable[[], Awaitable[BaseRules]]
    problems: list[Problem] = field(default_factory=list)
    _found: dict[tuple[str, str], BranchChecks] = field(default_factory=dict)

    async def on(self, branch: str, head: str) -> BranchChecks:
        """Return what the checks on `head` say."""
        if (branch, head) not in self._found:
            self._found[branch, head] = await self._read(branch, head)
        return self._found[branch, head]

    async def are_pending(self, branch: str, head: str) -> bool:
        """Return whether they have neither all passed nor failed."""
        return (await self.on(branch, head)).state is CheckState.PENDING

    async def _read(self, branch: str, head: str) -> BranchChecks:
        (commit,) = await self.remote.first_parents(Sha(head), limit=1)
        try:
            checks = await self.forge.checks(head)
        except RateLimitedError:
            raise
        except ProductError as fault:
            self.problems.append(_unread(branch, fault))
            checks = ()
        return said_by(checks, (await self.rules()).required_checks, since=commit.when)


def said_by(checks: Sequence[Check], required: Sequence[str], *, since: datetime) -> BranchChecks:
    """Return what checks say; those that the base requires must be there to have passed."""
    state = checks_passed(checks)
    if state is CheckState.PASSED and set(required) - {one.name for one in checks}:
        state = CheckState.PENDING
    return BranchChecks(state=state, reported=bool(of_others(checks)), since=since)


def asks_for_checks(planned: PlannedProposal) -> bool:
    """Return whether its update may want checks before anything is opened."""
    rule = planned.update
    return rule.open is Opening.AFTER_CHECKS or QUIET in rule.automerge.values()


async def look_before_opening(
    checks: ChecksOnBranches,
    planned: Sequence[PlannedProposal],
    standing: Mapping[str, OpenBranch],
    *,
    rules: BaseRules,
    reverts: Sequence[HoldRecord],
) -> BeforeOpening:
    """Return who merges quietly, and the checks of every branch that waits for them."""
    quiet = frozenset(one.branch for one in planned if merges_quietly(one, rules, reverts))
    found: dict[str, BranchChecks] = {}
    for one in planned:
        stands = standing.get(one.branch)
        first = one.update.open is Opening.AFTER_CHECKS or one.branch in quiet
        if stands is None or not first or stands.standing is not Standing.UNPROPOSED:
            continue
        if stands.changes == changes_of(one):
            found[one.branch] = await checks.on(one.branch, stands.head)
    return BeforeOpening(quiet=quiet, checks=found, problems=tuple(checks.problems))


def _unread(branch: str, fault: ProductError) -> Problem:
    return Problem(
        severity=Severity.WARNING,
        message=f"the checks on {branch} could not be read: {fault.what}",
        file=fault.where or branch,
        hint=fault.hint or "Let the token read checks and statuses, or set `open: immediate`",
    )
