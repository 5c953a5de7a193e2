"""A run's part that needs a forge: what stands there, what is done about it.

Reads first and shares what it read over the run: one listing of proposals, one look at the
base's rules. `plan` reads the same and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.planning.proposal_text import ProposalFacts
from bot.proposals.carry_out import Outcome
from bot.proposals.lifecycle import OpenBranch, Operation, Standing
from bot.proposals.proposing import Proposer
from bot.proposals.standing import (
    OnForge,
    on_their_branches,
    our_proposals,
    standing_on_forge,
)
from bot.proposals.wishes import NOTHING_ASKED, Wishes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from bot.clock import Clock
    from bot.forges.forge import BaseRules, Forge, Proposal
    from bot.git.names import Sha
    from bot.git.remote import Remote
    from bot.planning.plan import HeldTag, PlannedProposal
    from bot.planning.release_notes import NotesOf
    from bot.planning.remembered import ChangeRecord, Remembered
    from bot.proposals.carry_out import Writing
    from bot.proposals.lifecycle import Step


@dataclass(slots=True, kw_only=True)
class Desk:
    """One base of a repository on its forge, for the length of a run."""

    forge: Forge
    base: str
    clock: Clock
    known: OnForge = field(default_factory=lambda: our_proposals((), base=""))
    wishes: Wishes = NOTHING_ASKED
    _proposals: dict[int, Proposal] = field(default_factory=dict)
    _complete: bool = False
    _rules: BaseRules | None = None

    async def look(self) -> None:
        """Read what stands on the forge."""
        found = await self.forge.listing()
        self._proposals = {one.number: one for one in found.proposals}
        self._complete = found.complete
        self.known = our_proposals(self._proposals.values(), base=self.base)

    async def look_at(self, planned: Sequence[PlannedProposal]) -> tuple[PlannedProposal, ...]:
        """Read the past of each planned proposal that the listing cannot have, and return them.

        Each then stands on the branch where it is open already.
        """
        if not self._complete:
            listed = {one.branch for one in self._proposals.values()}
            for one in planned:
                if one.branch not in listed:
                    found = await self.forge.proposals_of(one.branch)
                    self._proposals |= {proposal.number: proposal for proposal in found}
            self.known = our_proposals(self._proposals.values(), base=self.base)
        return on_their_branches(planned, self.known)

    async def rules(self) -> BaseRules:
        """Return what the base demands; asked once."""
        if self._rules is None:
            self._rules = await self.forge.rules(self.base)
        return self._rules

    def memory(self, remembered: Remembered) -> Remembered:
        """Return the memory with what the forge tells in place of what plain Git keeps."""
        return replace(remembered, proposals=self.known.records, closed=self.known.closed)

    def standing(self, branches: Mapping[str, OpenBranch]) -> dict[str, OpenBranch]:
        """Return what each branch is, with the forge's word beside Git's."""
        return {
            name: standing_on_forge(one, self.known, base=self.base)
            for name, one in branches.items()
        }

    async def takes_only_its_tip(self, standing: Mapping[str, OpenBranch]) -> bool:
        """Return whether the base asks for branches made on its tip; asked where one is not."""
        behind = any(one.behind and one.standing is Standing.OURS for one in standing.values())
        return behind and (await self.rules()).requires_up_to_date

    async def recorded_by(self, commit: Sha) -> frozenset[ChangeRecord]:
        """Return the changes of our merged proposals that brought a commit to the base.

        A squash or a rebase may have lost our trailers (`product.md` 10.11).
        """
        found = our_proposals(await self.forge.proposals_with(str(commit)), base=self.base)
        return frozenset(change for one in found.everything for change in one.changes)

    async def carry_out(
        self,
        steps: Sequence[Step],
        *,
        remote: Remote,
        writing: Writing,
        held: Sequence[HeldTag],
        notes_of: Callable[[PlannedProposal], Awaitable[tuple[NotesOf, ...]]],
    ) -> list[Outcome]:
        """Do the steps."""
        proposer = Proposer(
            forge=self.forge,
            remote=remote,
            writing=writing,
            known=self.known,
            base=self.base,
            clock=self.clock,
            rules=self.rules,
            facts_of=lambda step, head: self.facts_of(step, head, held),
            notes_of=notes_of,
        )
        return await proposer.carry_out(steps)

    def undone(self, step: Step) -> Outcome:
        """Return what a plan tells of a step that it does not do."""
        return Outcome(
            step=step,
            head=step.expected,
            number=step.number,
            url=self.forge.links.proposal(step.number) if step.number else "",
            updates=step.planned.updates if step.planned else (),
        )

    async def facts_of(self, step: Step, head: str, held: Sequence[HeldTag]) -> ProposalFacts:
        """Return what the text of a proposal shows beside the plan."""
        planned = step.planned
        names = {one.binding.policy_name for one in planned.updates} if planned else set()
        schedule = planned.update.schedule if planned else None
        return ProposalFacts(
            place=f"{self.forge.where} ({self.base})",
            base=self.base,
            head=head,
            word=self.forge.abilities.word,
            links=self.forge.links,
            max_chars=min(self.forge.abilities.max_body_chars, MOST_BODY_CHARS),
            held=tuple(one for one in held if one.policy in names),
            ignored=tuple(f"{one.binding.image} {one.to_tag}" for one in step.ignored),
            schedule=f"It is opened and refreshed within {schedule.within} ({schedule.timezone})."
            if schedule
            else "",
        )


MOST_BODY_CHARS = 60_000  # below the least limit of a forge, 65,536 (threat P9)


def opened_or_open(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes whose proposal is open now and as planned."""
    return [
        one
        for one in outcomes
        if one.number
        and one.problem is None
        and one.step.operation
        in {Operation.OPENED, Operation.REFRESHED, Operation.UNCHANGED, Operation.WAITING}
    ]
