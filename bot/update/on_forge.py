"""A run's part that needs a forge: what stands there, what is done about it.

Reads first and shares what it read over the run: one listing of proposals, one look at the
base's rules. `plan` reads the same and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.forges.forge import State
from bot.planning.proposal_text import ProposalFacts
from bot.proposals.automerge import (
    Circumstance,
    Verdict,
    is_approved,
    may_merge,
    merges_taken_back,
)
from bot.proposals.carry_out import Outcome
from bot.proposals.lifecycle import OpenBranch, Operation, Standing
from bot.proposals.proposing import LAG_S, Proposer
from bot.proposals.standing import (
    OnForge,
    on_their_branches,
    our_proposals,
    standing_on_forge,
    with_commits,
)
from bot.proposals.wishes import Wishes
from bot.update.automerging import candidates_of, merge_by_itself
from bot.update.before_opening import (
    BeforeOpening,
    ChecksOnBranches,
    asks_for_checks,
    look_before_opening,
)
from bot.update.dashboard import write_dashboard
from bot.update.requests import Requests, answer_requests, read_requests

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from bot.clock import Clock
    from bot.config.model import Config
    from bot.errors import Problem
    from bot.forges.forge import BaseRules, Forge, Proposal
    from bot.git.names import Sha
    from bot.git.remote import Remote
    from bot.planning.plan import Binding, Considered, HeldTag, PlannedProposal
    from bot.planning.release_notes import NotesOf
    from bot.planning.remembered import ChangeRecord, HoldRecord, Remembered
    from bot.proposals.carry_out import Writing
    from bot.proposals.lifecycle import Step
    from bot.proposals.notes import NoteBook
    from bot.update.forge_opening import ForgeDoor, Shared
    from bot.update.report import Report, Request


@dataclass(slots=True, kw_only=True)
class Desk:
    """One base of a repository on its forge, for the length of a run."""

    forge: Forge
    remote: Remote
    base: str
    clock: Clock
    shared: Shared
    workflow: str = ""
    known: OnForge = field(default_factory=lambda: our_proposals((), base=""))
    requests: Requests = field(default_factory=Requests)
    off: frozenset[str] = frozenset()
    said: int = 0
    _proposals: dict[int, Proposal] = field(default_factory=dict)
    _complete: bool = False
    _rules: BaseRules | None = None
    checks: ChecksOnBranches = field(init=False)

    def __post_init__(self) -> None:
        """Read checks by the same doors."""
        self.checks = ChecksOnBranches(forge=self.forge, remote=self.remote, rules=self.rules)

    async def look(self) -> None:
        """Read what stands on the forge."""
        found = await self.forge.listing()
        self._proposals = {one.number: one for one in found.proposals}
        self._complete = found.complete
        self.known = our_proposals(self._proposals.values(), base=self.base)

    @property
    def wishes(self) -> Wishes:
        """Return what people asked of proposals on this base."""
        return self.requests.wishes

    async def read_requests(
        self,
        notes: NoteBook,
        bindings: Sequence[Binding],
        *,
        heads: Mapping[str, Sha],
    ) -> list[Problem]:
        """Read what people asked by comments and boxes, and keep what is to be remembered.

        `heads` are the branches as they were fetched.
        """
        self.requests = await read_requests(
            self.forge,
            notes,
            self.known.open.values(),
            bindings,
            now=self.clock.now(),
            dashboard=self.shared.dashboard,
            theirs=await self._commits_of_others(heads),
        )
        self.shared.wishes.append(self.requests.wishes)
        return self.requests.problems

    async def _commits_of_others(self, heads: Mapping[str, Sha]) -> dict[str, datetime]:
        """Return when the head of each open proposal was made, where it is not the one we made.

        No forge tells when it was pushed; a commit that says it is of the future tells nothing.
        """
        found: dict[str, datetime] = {}
        for branch, one in self.known.open.items():
            head = heads.get(branch)
            if head is None or (one.metadata is not None and one.metadata.head == head):
                continue
            (newest,) = await self.remote.first_parents(head, limit=1)
            if newest.when <= self.clock.now():
                found[branch] = newest.when
        return found

    def heed_reverts(self, reverts: Sequence[HoldRecord], bindings: Sequence[Binding]) -> None:
        """Merge nothing by itself of what was merged so before and taken back."""
        self.off = merges_taken_back(self.known.everything, reverts, bindings)

    async def look_at(
        self, planned: Sequence[PlannedProposal], standing: Mapping[str, OpenBranch]
    ) -> tuple[PlannedProposal, ...]:
        """Read the past of each planned proposal that the listing does not have, and return them.

        Each then stands on the branch where it is open already. A branch of ours that nothing
        listed knows is asked for twice: the list may lag behind what it lists, and what a person
        closed meanwhile must not be opened anew (FF3). Where its checks are under way nothing is
        going to be opened, and once is enough.
        """
        listed = {one.branch for one in self._proposals.values()}
        unknown: list[str] = []
        for one in planned:
            stands = standing.get(one.branch)
            head = self._unknown_head(stands)
            if head or (not self._complete and one.branch not in listed):
                await self._ask_about(one.branch)
            if self._unknown_head(stands) and not (
                asks_for_checks(one) and await self.checks.are_pending(one.branch, head)
            ):
                unknown.append(one.branch)
        if unknown:
            await self.clock.sleep(LAG_S)
        for branch in unknown:
            await self._ask_about(branch)
        known = our_proposals(self._proposals.values(), base=self.base)
        self.known = with_commits(known, standing.values())
        return on_their_branches(planned, self.known)

    async def _ask_about(self, branch: str) -> None:
        found = await self.forge.proposals_of(branch)
        self._proposals |= {one.number: one for one in found}

    async def heed_deleted(self, standing: Mapping[str, OpenBranch], *, dry_run: bool) -> None:
        """Close what is open on a branch that a person deleted, where the forge leaves it open.

        To delete the branch is to close the proposal (FF8), and a closed one is remembered.
        """
        known = [one.proposal for one in self.known.open.values()]
        gone = [one for one in known if one.branch not in standing]
        if not gone:
            return
        self.remote.look_again()  # another run may have pushed and opened it a moment ago
        heads = await self.remote.heads()
        for one in gone:
            if one.branch in heads:
                continue
            if not dry_run:
                await self.forge.close(one.number)
            ended = replace(one, state=State.CLOSED, closed=self.clock.now())
            self._proposals[one.number] = ended
        self.known = our_proposals(self._proposals.values(), base=self.base)

    def _unknown_head(self, stands: OpenBranch | None) -> str:
        """Return the head of a branch of ours of which no proposal is known, else nothing."""
        if stands is None or stands.standing is not Standing.OURS:
            return ""
        of_it = [one for one in self._proposals.values() if one.branch == stands.branch]
        is_known = any(one.state is State.OPEN or one.head == stands.head for one in of_it)
        return "" if is_known else stands.head

    async def rules(self) -> BaseRules:
        """Return what the base demands; asked once."""
        if self._rules is None:
            self._rules = await self.forge.rules(self.base)
        return self._rules

    async def before_opening(
        self,
        planned: Sequence[PlannedProposal],
        standing: Mapping[str, OpenBranch],
        reverts: Sequence[HoldRecord],
    ) -> BeforeOpening:
        """Return what checks on branches say; nothing is asked where no update waits for any."""
        wanted = [one for one in planned if asks_for_checks(one)]
        if not wanted:
            return BeforeOpening()
        return await look_before_opening(
            self.checks, wanted, standing, rules=await self.rules(), reverts=reverts
        )

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
        behind = any(
            one.behind and one.standing is Standing.OURS and not one.paused
            for one in standing.values()
        )
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
        writing: Writing,
        held: Sequence[HeldTag],
        notes_of: Callable[[PlannedProposal], Awaitable[tuple[NotesOf, ...]]],
    ) -> list[Outcome]:
        """Do the steps."""
        proposer = Proposer(
            forge=self.forge,
            remote=self.remote,
            writing=writing,
            known=self.known,
            base=self.base,
            clock=self.clock,
            rules=self.rules,
            facts_of=lambda step, head: self.facts_of(step, head, held),
            notes_of=notes_of,
            merges_alone=self._merges_alone,
            workflow=self.workflow,
            wishes=self.wishes,
        )
        try:
            return await proposer.carry_out(steps)
        finally:
            self.said += proposer.said

    def _merges_alone(self, branch: str) -> bool:
        verdict = self.shared.verdicts.get(branch)
        return verdict is not None and verdict.allowed

    async def verdict_on(self, step: Step, planned: PlannedProposal, head: str) -> Verdict:
        """Return whether a proposal may be merged without a person, and by whom."""
        known = self.known.open.get(step.branch)
        recorded = known.metadata if known is not None else None
        approved = (recorded is not None and recorded.head == head and is_approved(recorded)) or (
            step.branch in self.wishes.approve and step.operation is Operation.UNCHANGED
        )
        around = Circumstance(
            approved=approved,
            draft=known is not None and known.proposal.draft,
            off=self.off,
        )
        verdict = may_merge(planned, await self.rules(), self.forge.abilities, around)
        self.shared.verdicts[step.branch] = verdict
        return verdict

    async def merge_what_may(self, outcomes: Sequence[Outcome]) -> list[Problem]:
        """Merge, or have merged, what may be; at most one of a base is merged by us in a run."""
        found = candidates_of(outcomes, self.known, self.shared.verdicts, base=self.base)
        done = await merge_by_itself(self.forge, found)
        words = {"asked": done.asked, "cancelled": done.cancelled, "merged": done.merged}
        for one in outcomes:
            one.rewritten = one.rewritten or one.number in done.people
            for word, numbers in words.items():
                if one.number and one.number in numbers:
                    one.automerge = word
        return done.problems

    async def answer(
        self,
        outcomes: Sequence[Outcome],
        *,
        considered: Sequence[Considered],
        holds: Sequence[HoldRecord],
    ) -> list[Problem]:
        """Answer every comment that was read, once."""
        waiting = frozenset(
            one.step.branch for one in outcomes if one.step.operation is Operation.WAITING
        )
        return await answer_requests(
            self.forge, self.requests, considered=considered, holds=holds, waiting=waiting
        )

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
        verdict = await self.verdict_on(step, planned, head) if planned else None
        return ProposalFacts(
            place=f"{self.forge.where} ({self.base})",
            base=self.base,
            head=head,
            word=self.forge.abilities.word,
            links=self.forge.links,
            max_chars=min(self.forge.abilities.max_body_chars, MOST_BODY_CHARS),
            held=tuple(one for one in held if one.policy in names),
            automerge=verdict.reason if verdict else "",
            needs_up_to_date=(await self.rules()).requires_up_to_date,
            ignored=tuple(f"{one.binding.image} {one.to_tag}" for one in step.ignored),
            schedule=f"It is opened and refreshed within {schedule.within} ({schedule.timezone})."
            if schedule
            else "",
        )


MOST_BODY_CHARS = 60_000  # below the least limit of a forge, 65,536 (threat P9)


def shows_dashboard(config: Config, request: Request) -> bool:
    """Return whether this run reads and writes the dashboard: a narrowed one knows too little."""
    narrowed = bool(request.only or request.below)
    return (config.dashboard or request.dashboard) and not request.dry_run and not narrowed


async def bring_dashboard_up_to_date(door: ForgeDoor, report: Report) -> None:
    """Write the dashboard when its text changed; several bases share one."""
    forge = door.opened
    if forge is None or not door.shows_dashboard:
        return
    asked = door.shared.wishes
    wishes = Wishes(
        open=frozenset(branch for one in asked for branch in one.open),
        open_all=any(one.open_all for one in asked),
    )
    report.dashboard_written, problems = await write_dashboard(
        forge, report, door.shared.dashboard, verdicts=door.shared.verdicts, wishes=wishes
    )
    report.problems += problems
