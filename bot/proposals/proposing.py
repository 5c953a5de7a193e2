"""Does the steps on a forge: push, open, edit, close; each safe to repeat.

Git comes first and the forge second, so that a run that ends in between leaves a branch of ours
without a proposal, which the next run opens, or a body that is behind, which it writes. After a
lost answer the forge is asked what became of it before anything is created again (faults FF1 to
FF3). What the body shows is written only when its digest changed (invariant I9).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.config.model import UpdateRule
from bot.errors import ConflictError, ProductError, UnavailableError
from bot.forges.forge import (
    AlreadyOpenError,
    Proposal,
    RateLimitedError,
    State,
    Text,
)
from bot.git.faults import PushRefusedError
from bot.git.names import Sha
from bot.planning.markdown import plain
from bot.planning.metadata import ASKED_PEOPLE, Metadata, with_notice, with_replaced
from bot.planning.proposal_text import (
    ProposalFacts,
    body,
    generation,
    labels,
    title,
    with_metadata,
)
from bot.proposals.automerge import with_word
from bot.proposals.carry_out import Outcome, Writing, failed, refused
from bot.proposals.heads import HeadWriter
from bot.proposals.lifecycle import Operation, Step, changes_of
from bot.proposals.telling import Teller
from bot.proposals.wishes import NOTHING_ASKED, Wishes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from bot.clock import Clock
    from bot.forges.forge import BaseRules, Forge
    from bot.git.remote import Remote
    from bot.planning.plan import PlannedProposal
    from bot.planning.release_notes import NotesOf
    from bot.proposals.standing import Known, OnForge

_log = logging.getLogger(__name__)
_HOUR_S = 3600
_NOBODY = UpdateRule()  # asks and assigns nobody
LAG_S = 5.0  # a list may lag behind what it lists (FF3); asked once more after this


@dataclass(slots=True, kw_only=True)
class Proposer:
    """One base of one repository on one forge, for the length of a run.

    `facts_of` gives what the text shows beside the plan; `notes_of` looks release notes up and
    is asked only when a text is to be written. `rules` is what the base demands. `merges_alone`
    says of a branch, once its facts were given, whether nobody needs to look at it.
    """

    forge: Forge
    remote: Remote
    writing: Writing
    known: OnForge
    base: str
    clock: Clock
    rules: Callable[[], Awaitable[BaseRules]]
    facts_of: Callable[[Step, str], Awaitable[ProposalFacts]]
    notes_of: Callable[[PlannedProposal], Awaitable[tuple[NotesOf, ...]]]
    merges_alone: Callable[[str], bool] = lambda _: False
    wishes: Wishes = NOTHING_ASKED
    workflow: str = ""
    _stopped: RateLimitedError | None = field(default=None)
    _teller: Teller = field(init=False)
    _heads: HeadWriter = field(init=False)

    def __post_init__(self) -> None:
        """Take up what speaks beside the texts."""
        self._teller = Teller(
            forge=self.forge, known=self.known, clock=self.clock, workflow=self.workflow
        )
        self._heads = HeadWriter(
            forge=self.forge,
            remote=self.remote,
            writing=self.writing,
            known=self.known,
            base=self.base,
            rules=self.rules,
        )

    @property
    def said(self) -> int:
        """Return how many comments were made so far."""
        return self._teller.said

    async def carry_out(self, steps: Iterable[Step]) -> list[Outcome]:
        """Do `steps` in order; one that fails is told and the others go on.

        Raises:
            ConflictError: A branch moved under us; the plan is to be made again.
        """
        outcomes: list[Outcome] = []
        for step in steps:
            try:
                if self._stopped is not None:
                    raise self._stopped
                outcomes.append(await self._do(step))
            except ConflictError:
                raise
            except ProductError as fault:
                if isinstance(fault, RateLimitedError):
                    self._stopped = fault
                _log.info("step failed", extra={"branch": step.branch})
                outcomes.append(Outcome(step=step, number=step.number, problem=failed(step, fault)))
        await self._link_successors(outcomes)
        await self._teller.closes()
        return [self._with_url(one) for one in outcomes]

    def _with_url(self, outcome: Outcome) -> Outcome:
        if outcome.number:
            outcome.url = self.forge.links.proposal(outcome.number)
        outcome.verified = outcome.head in self._heads.signed
        return outcome

    async def _do(self, step: Step) -> Outcome:
        match step.operation:
            case Operation.CLOSED:
                return await self._close(step)
            case Operation.REFUSED:
                return Outcome(step=step, problem=refused(step))
            case Operation.OPENED if step.planned is not None:
                return await self._open(step, step.planned)
            case Operation.PUSHED if step.planned is not None:
                return await self._push(step, step.planned)
            case Operation.MERGED if step.planned is not None:
                return await self._merge(step, step.planned)
            case Operation.REFRESHED if step.planned is not None:
                return await self._refresh(step, step.planned)
            case Operation.UNCHANGED if step.planned is not None and step.number:
                return await self._rewrite_if_stale(step, step.planned, step.expected)
            case Operation.LEFT if step.number:
                await self._teller.edited(step.branch)
        updates = step.planned.updates if step.planned else ()
        alone = step.operation is Operation.WAITING and not step.number
        head = "" if alone else step.expected  # of a branch that waits, nothing is proposed yet
        return Outcome(step=step, head=head, number=step.number, updates=updates)

    # Proposals

    async def _push(self, step: Step, planned: PlannedProposal) -> Outcome:
        """Put it on its branch alone; it is opened by a later run, or merged."""
        head = await self._heads.write(step, planned)
        if head is None:
            return Outcome(step=step)
        await self._teller.gates(str(head), planned)
        await self._teller.checks(step.branch)
        return Outcome(step=step, head=str(head), updates=planned.updates)

    async def _merge(self, step: Step, planned: PlannedProposal) -> Outcome:
        """Move the base to the branch's head; where that is refused, a person is asked."""
        head = Sha(step.expected)
        try:
            await self.remote.push(self.base, head, expected=self.writing.base)
        except PushRefusedError as fault:
            _log.warning("the base refuses a quiet merge", extra={"why": fault.what})
            reason = f"{self.base} takes no push: {fault.what}"
            asked = replace(step, operation=Operation.OPENED, reason=reason)
            return await self._open(asked, planned)
        await self.remote.delete(step.branch, expected=head)
        return Outcome(step=step, head=str(head), updates=planned.updates)

    async def _open(self, step: Step, planned: PlannedProposal) -> Outcome:
        head = await self._heads.write(step, planned)
        if head is None:
            return Outcome(step=step)
        text, metadata = await self._text(step, planned, str(head), pushed=True)
        opened = await self._open_once(step.branch, text)
        if metadata.labels and not self.forge.abilities.labels_on_open:
            await self._decorate(opened.number, metadata.labels)
        await self._teller.gates(str(head), planned)
        await self._teller.checks(step.branch)
        return Outcome(step=step, head=str(head), number=opened.number, updates=planned.updates)

    async def _open_once(self, branch: str, text: Text) -> Proposal:
        """Open it, or find the one that a lost answer or another run opened."""
        try:
            return await self.forge.open(branch, self.base, text)
        except AlreadyOpenError as fault:
            found = await self._look_up(branch, patient=True)
            if found is None:
                raise UnavailableError(fault.what, where=fault.where, hint=fault.hint) from fault
        except UnavailableError as fault:
            if isinstance(fault, RateLimitedError):
                raise
            found = await self._look_up(branch, patient=False)
            if found is None:
                raise
        await self.forge.edit(found.number, title=text.title, body=text.body)
        await self.forge.ask_people(
            found.number, reviewers=text.reviewers, assignees=text.assignees
        )
        return found

    async def _look_up(self, branch: str, *, patient: bool) -> Proposal | None:
        for wait_s in (0.0, LAG_S) if patient else (0.0,):
            if wait_s:
                await self.clock.sleep(wait_s)
            for one in await self.forge.proposals_of(branch):
                if one.state is State.OPEN and one.ours and one.own_repository:
                    return one
        return None

    async def _decorate(self, number: int, names: Iterable[str]) -> None:
        """Set labels; a proposal without them is a proposal all the same (FF14)."""
        try:
            await self.forge.set_labels(number, add=tuple(names))
        except RateLimitedError:
            raise
        except ProductError as fault:
            _log.warning("labels were not set", extra={"number": number, "why": fault.what})

    async def _refresh(self, step: Step, planned: PlannedProposal) -> Outcome:
        approvers = await self.forge.approvers(step.number)
        head = await self._heads.write(step, planned)
        if head is None:
            return Outcome(step=step, number=step.number)
        text, metadata = await self._text(step, planned, str(head), pushed=True)
        await self.forge.edit(step.number, title=text.title, body=text.body)
        await self._relabel(step, metadata)
        await self._teller.gates(str(head), planned)
        await self._teller.checks(step.branch)
        if approvers:
            await self._teller.approvers(step.branch, planned, text.title, str(head))
        return Outcome(step=step, head=str(head), number=step.number, updates=planned.updates)

    async def _rewrite_if_stale(self, step: Step, planned: PlannedProposal, head: str) -> Outcome:
        """Write the body again when what it shows is no longer so."""
        before = self._recorded(step)
        facts = await self.facts_of(step, head)
        outcome = Outcome(step=step, head=head, number=step.number, updates=planned.updates)
        if before is not None and before.head == head:
            approved = self._automerge(step, before, head) != before.automerge
            untick = step.branch in self.wishes.ticked
            if before.generation == generation(planned, facts) and not (approved or untick):
                return outcome
        text, metadata = await self._text(step, planned, head, pushed=False)
        await self.forge.edit(step.number, title=text.title, body=text.body)
        await self._relabel(step, metadata)
        outcome.rewritten = True
        return outcome

    async def _relabel(self, step: Step, metadata: Metadata) -> None:
        before = self._recorded(step)
        was, wanted = set(before.labels if before else ()), set(metadata.labels)
        if was != wanted:
            await self.forge.set_labels(
                step.number, add=sorted(wanted - was), remove=sorted(was - wanted)
            )

    def _recorded(self, step: Step) -> Metadata | None:
        known = self.known.open.get(step.branch)
        return known.metadata if known is not None else None

    async def _text(
        self, step: Step, planned: PlannedProposal, head: str, *, pushed: bool
    ) -> tuple[Text, Metadata]:
        """Return what the proposal shows for `head`, with what the next run must know."""
        facts = await self.facts_of(step, head)
        before = self._recorded(step)
        now = self.clock.now()
        earlier = before.pushed if before else ()
        # The newest stays whatever its age: commands that were written before it are told apart.
        recent = (
            *(one for one in earlier[:-1] if (now - one).total_seconds() < _HOUR_S),
            *earlier[-1:],
        )
        names = tuple(
            dict.fromkeys(one[: self.forge.abilities.max_label_chars] for one in labels(planned))
        )
        metadata = Metadata(
            key=planned.key,
            base=self.base,
            branch=step.branch,
            head=head,
            changes=changes_of(planned),
            generation=generation(planned, facts),
            pushed=(*recent, now) if pushed else recent,
            labels=names,
            automerge=self._automerge(step, before, head),
            told=before.told if before else (),
        )
        shown = body(planned, replace(facts, notes=await self.notes_of(planned)))
        asks = step.operation is Operation.OPENED and not self.merges_alone(step.branch)
        people = planned.update if asks else _NOBODY
        if people.reviewers or people.assignees:
            metadata = replace(metadata, told=(*metadata.told, ASKED_PEOPLE))
        prefix = self.writing.prefix(planned.update)
        heading = title(planned, prefix=prefix)[: self.forge.abilities.max_title_chars]
        whole = with_metadata(shown, metadata, max_chars=facts.max_chars)
        text = Text(title=heading, body=whole, labels=names)
        text = replace(text, reviewers=people.reviewers, assignees=people.assignees)
        return text, metadata

    def _automerge(self, step: Step, before: Metadata | None, head: str) -> str:
        """Return what is recorded of merging by itself: it belongs to one head."""
        if before is None or before.head != head:
            return ""
        approved = step.branch in self.wishes.approve
        return with_word(before.automerge, "approved") if approved else before.automerge

    # Ends

    async def _close(self, step: Step) -> Outcome:
        """Say why in the body, close, delete the branch: in this order, each safe to repeat."""
        known = self.known.open.get(step.branch)
        if step.number and known is not None:
            await self._write_end(
                known, step.reason, notice=f"Closed by Pilotfish: {plain(step.reason)}."
            )
            await self.forge.close(step.number)
        if step.expected:
            await self.remote.delete(step.branch, expected=Sha(step.expected))
        return Outcome(step=step, number=step.number)

    async def _write_end(self, known: Known, why: str, *, notice: str) -> None:
        one = known.proposal
        recorded = known.metadata or self._bare(known)
        ended = replace(recorded, closed_why=why)
        text = with_replaced(with_notice(one.body, notice), ended)
        await self.forge.edit(one.number, title=one.title, body=text)

    def _bare(self, known: Known) -> Metadata:
        one = known.proposal
        return Metadata(
            key=one.branch, base=self.base, branch=one.branch, head=one.head, changes=frozenset()
        )

    async def _link_successors(self, outcomes: list[Outcome]) -> None:
        """Name the proposal that took a closed one's place, once it has a number."""
        numbers = {one.step.branch: one.number for one in outcomes if one.number}
        for outcome in outcomes:
            step = outcome.step
            number = numbers.get(step.successor, 0)
            known = self.known.open.get(step.branch)
            if not number or known is None or outcome.problem is not None:
                continue
            notice = f"Closed by Pilotfish: superseded by {self.forge.abilities.sign}{number}."
            try:
                await self._write_end(known, step.reason, notice=notice)
            except ProductError as fault:
                _log.warning("the successor was not named", extra={"why": fault.what})
