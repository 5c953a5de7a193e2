"""What is said beside a proposal's text, each once: comments, and a status on its head.

Everything else stands in the body. What is said is written down in the metadata first, so that
a run which ends in between says it not at all rather than twice.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.errors import ProductError
from bot.forges.forge import CheckState, RateLimitedError, Status
from bot.planning.metadata import with_replaced
from bot.planning.said_once import approved_then_refreshed, closed_by_person, edited_by_person
from bot.proposals.lifecycle import changes_of

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.forges.forge import Forge
    from bot.planning.plan import PlannedProposal, Update
    from bot.proposals.standing import Known, OnForge

_log = logging.getLogger(__name__)
_TOLD_WITHIN = timedelta(days=7)  # an older close is not answered any more; arbitrary
GATES = "pilotfish/gates"  # the context of our commit status
_STATUS_CHARS = 140  # the least limit of a forge


@dataclass(slots=True, kw_only=True)
class Teller:
    """Says things on the proposals of one base; `workflow` is started on what was pushed.

    `said` counts the comments that were made.
    """

    forge: Forge
    known: OnForge
    clock: Clock
    workflow: str = ""
    said: int = 0

    async def edited(self, branch: str) -> None:
        """Say that a branch with a person's commit is left alone from now on."""
        known = self.known.open.get(branch)
        if known is not None:
            await self._once(known, "edited", edited_by_person(self.forge.abilities.word))

    async def closes(self) -> None:
        """Say on each proposal that a person closed of late what that recorded."""
        now = self.clock.now()
        for known in self.known.everything:
            when = known.proposal.closed
            if not known.closed_by_person or when is None or now - when > _TOLD_WITHIN:
                continue
            says = closed_by_person(known.changes, self.forge.abilities.word)
            try:
                await self._once(known, "closed", says)
            except ProductError as fault:
                _log.warning("a close was not answered", extra={"why": fault.what})

    async def approvers(self, branch: str, planned: PlannedProposal, title: str, head: str) -> None:
        """Say what changed since somebody approved; the only comment that a refresh makes."""
        known = self.known.open.get(branch)
        before = known.metadata if known is not None else None
        if known is None or before is None or before.changes == changes_of(planned):
            return  # the same versions on a newer base
        says = approved_then_refreshed(known.proposal.title, title, head=head)
        try:
            await self.forge.comment(known.proposal.number, says)
            self.said += 1
        except RateLimitedError:
            raise
        except ProductError as fault:
            _log.warning("approvers were not told", extra={"why": fault.what})

    async def gates(self, head: str, planned: PlannedProposal) -> None:
        """Put what the gates found as a commit status on the head, where there are gates."""
        status = gates_status(planned)
        if status is None or not self.forge.abilities.statuses:
            return
        try:
            await self.forge.set_status(head, status)
        except RateLimitedError:
            raise
        except ProductError as fault:
            _log.warning("a status was not set", extra={"head": head, "why": fault.what})

    async def checks(self, branch: str) -> None:
        """Start the configured workflow on a branch that was pushed; its checks run on the head."""
        if not self.workflow:
            return
        try:
            await self.forge.start_workflow(self.workflow, branch)
        except RateLimitedError:
            raise
        except ProductError as fault:
            _log.warning("the workflow was not started", extra={"why": fault.what})

    async def _once(self, known: Known, what: str, says: str) -> None:
        recorded = known.metadata
        if recorded is None or what in recorded.told:
            return
        one = known.proposal
        text = with_replaced(one.body, replace(recorded, told=(*recorded.told, what)))
        await self.forge.edit(one.number, title=one.title, body=text)
        self.said += 1  # from here on something is written, whatever becomes of the comment
        await self.forge.comment(one.number, says)


def gates_status(planned: PlannedProposal) -> Status | None:
    """Return what minimum age and platforms were found to be, `None` where nobody asks for them."""
    gated = [one for one in planned.updates if _has_gates(one)]
    found = dict.fromkeys(check for one in gated for check in one.evidence.checks)
    if not found:
        return None
    return Status(name=GATES, state=CheckState.PASSED, says="; ".join(found)[:_STATUS_CHARS])


def _has_gates(update: Update) -> bool:
    gates = update.binding.policy.gates
    return gates.min_age is not None or bool(gates.platforms)
