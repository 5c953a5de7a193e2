"""Merges without a person: the forge is told to, or we merge when every check has passed.

Done after proposals were opened and refreshed. The forge is told once for each head, and told
otherwise when it is no longer allowed; we merge at most one proposal of a base in a run, because
each merge leaves the others behind. Head and base are read again before anything is merged
(`reliability-security.md` 1.3 B3, P6 and P7), and never is a rule of the base passed over.

Who is to look at a proposal is asked once: when it is opened, or, where it was to merge by
itself, once its checks failed or it may not any more (`peers.md` 3.2, point 12).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.errors import Problem, ProductError, Severity
from bot.forges.forge import CheckState, HeadMovedError, State
from bot.git.trailers import with_trailers
from bot.planning.message import default_message, trailers
from bot.planning.metadata import ASKED_PEOPLE, read_metadata, with_replaced
from bot.proposals.automerge import Verdict, checks_passed, is_asked, with_word, without_word
from bot.proposals.lifecycle import Operation, changes_of
from bot.proposals.paused import is_paused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.forges.forge import Forge, Proposal
    from bot.planning.plan import PlannedProposal
    from bot.proposals.carry_out import Outcome
    from bot.proposals.standing import Known, OnForge

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An open proposal of ours and the verdict on it.

    `head` is what we pushed and `base` where it is to be merged. `known` is the proposal as it
    was listed before this run wrote to it, `None` where it was opened just now.
    """

    number: int
    head: str
    base: str
    verdict: Verdict
    planned: PlannedProposal | None = None
    known: Known | None = None

    @property
    def people_wait(self) -> bool:
        """Return whether somebody is to be asked, was not yet, and nobody made it a draft."""
        if self.planned is None or self.known is None or self.known.proposal.draft:
            return False
        rule, recorded = self.planned.update, self.known.metadata
        asked = recorded is not None and ASKED_PEOPLE in recorded.told
        return bool(rule.reviewers or rule.assignees) and not asked

    @property
    def is_new(self) -> bool:
        """Return whether its head was pushed in this run, so that no check can have passed."""
        recorded = self.known.metadata if self.known else None
        return recorded is None or recorded.head != self.head

    def is_on(self, forge: Forge) -> bool:
        """Return whether the forge was told to merge it, and may still be about to.

        It is told once for each head: what a person switched off, or a merge queue gave back, is
        not switched on again.
        """
        if self.known is None or not is_asked(self.known.metadata):
            return False
        if not self.is_new:
            return True
        if forge.abilities.automerge_keeps_head:
            return False
        return self.known.proposal.automerge or not forge.abilities.tells_automerge


@dataclass(slots=True, kw_only=True)
class Merges:
    """What was done, by the numbers of the proposals; `people` were asked to look at some."""

    asked: list[int] = field(default_factory=list)
    people: list[int] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    merged: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def candidates_of(
    outcomes: Sequence[Outcome], known: OnForge, verdicts: Mapping[str, Verdict], *, base: str
) -> list[Candidate]:
    """Return what is open and something may have to be done about.

    Where a person changed or paused a proposal, a forge that was told to merge it is told not to.
    """
    found: list[Candidate] = []
    for one in outcomes:
        left = _LEFT_ALONE.get(one.step.operation) if one.number else None
        if left is None and not _is_as_planned(one):
            continue
        before = known.open.get(one.step.branch)
        verdict = left or verdicts.get(one.step.branch)
        if verdict is None:
            continue
        candidate = Candidate(
            number=one.number,
            head=one.head,
            base=base,
            verdict=verdict,
            planned=None if left else one.step.planned,
            known=before,
        )
        asked = before is not None and is_asked(before.metadata)
        if verdict.allowed or asked or candidate.people_wait:
            found.append(candidate)
    return found


_LEFT_ALONE = {
    Operation.LEFT: Verdict(allowed=False, reason="Somebody else changed it."),
    Operation.PAUSED: Verdict(allowed=False, reason="It is paused."),
}
_AS_PLANNED = {
    Operation.OPENED,
    Operation.REFRESHED,
    Operation.UNCHANGED,
    Operation.WAITING,
}


def _is_as_planned(one: Outcome) -> bool:
    return bool(one.number) and one.problem is None and one.step.operation in _AS_PLANNED


async def merge_by_itself(forge: Forge, candidates: Sequence[Candidate]) -> Merges:
    """Do what the verdicts say; nothing is written where all was said before.

    A head or base that moved meanwhile is left for the next run.
    """
    done = Merges()
    for one in candidates:
        try:
            await _do(forge, one, done)
        except HeadMovedError:
            _log.info("the head moved before it was merged", extra={"number": one.number})
        except ProductError as fault:
            done.problems.append(_not_merged(forge, one, fault))
    return done


async def _do(forge: Forge, one: Candidate, done: Merges) -> None:
    is_on = one.is_on(forge)
    if is_on and one.verdict.how != "forge":
        await _cancel(forge, one, done)
    state = await _checks(forge, one, done)
    if one.verdict.how == "forge" and not (is_on and not one.is_new):
        await _ask(forge, one, done, is_on=is_on)
    elif one.verdict.how == "bot" and state is CheckState.PASSED:
        await _merge(forge, one, done)
    if one.people_wait and (not one.verdict.allowed or state is CheckState.FAILED):
        await _ask_people(forge, one, done)


async def _checks(forge: Forge, one: Candidate, done: Merges) -> CheckState:
    """Return what the checks say where something hangs on it, else that they are awaited."""
    by_us = one.verdict.how == "bot" and not done.merged
    if one.is_new or not (by_us or (one.verdict.allowed and one.people_wait)):
        return CheckState.PENDING
    return checks_passed(await forge.checks(one.head))


async def _cancel(forge: Forge, one: Candidate, done: Merges) -> None:
    now = await forge.proposal(one.number)
    if now.state is not State.OPEN:
        return
    await forge.automerge(now, wanted=False)
    await _record(forge, now, asked=False)
    done.cancelled.append(one.number)


async def _ask(forge: Forge, one: Candidate, done: Merges, *, is_on: bool) -> None:
    now = await _as_expected(forge, one)
    if now is None:
        return
    if not is_on:
        await forge.automerge(now, wanted=True)
    await _record(forge, now, asked=True)
    done.asked.append(one.number)


async def _merge(forge: Forge, one: Candidate, done: Merges) -> None:
    if done.merged:
        return
    now = await _as_expected(forge, one)
    if now is None:
        return
    await _record(forge, now, asked=True)  # first, so that a merge of ours is known as one
    await forge.merge(now, title=now.title, message=_message(one))
    done.merged.append(one.number)


async def _ask_people(forge: Forge, one: Candidate, done: Merges) -> None:
    """Ask who is to look at it; written down first, so that it is done once."""
    now = await _as_expected(forge, one)
    recorded = read_metadata(now.body) if now is not None else None
    if now is None or recorded is None or one.planned is None:
        return
    told = replace(recorded, told=tuple(dict.fromkeys([*recorded.told, ASKED_PEOPLE])))
    await forge.edit(now.number, title=now.title, body=with_replaced(now.body, told))
    done.people.append(one.number)
    rule = one.planned.update
    await forge.ask_people(now.number, reviewers=rule.reviewers, assignees=rule.assignees)


async def _as_expected(forge: Forge, one: Candidate) -> Proposal | None:
    """Return the proposal as it is now, `None` where it is not what the verdict is about."""
    now = await forge.proposal(one.number)
    same = (now.head, now.base) == (one.head, one.base)
    ready = now.state is State.OPEN and now.ours and now.own_repository and not now.draft
    return now if same and ready and not is_paused(now.labels) else None


async def _record(forge: Forge, now: Proposal, *, asked: bool) -> None:
    """Write into the body that the forge was told, or is told no more."""
    recorded = read_metadata(now.body)
    if recorded is None or is_asked(recorded) is asked:
        return
    words = (with_word if asked else without_word)(recorded.automerge, "asked")
    body = with_replaced(now.body, replace(recorded, automerge=words))
    await forge.edit(now.number, title=now.title, body=body)


def _message(one: Candidate) -> str:
    """Return what a squash or merge commit says, our trailers in it: a revert is found by them."""
    planned = one.planned
    if planned is None:
        return ""
    text = default_message(planned.title_name, planned.updates).partition("\n")[2].lstrip()
    return with_trailers(text, trailers(planned.key, changes_of(planned)))


def _not_merged(forge: Forge, one: Candidate, fault: ProductError) -> Problem:
    return Problem(
        severity=Severity.WARNING,
        message=f"it could not be merged by itself: {fault.what}",
        file=forge.links.proposal(one.number),
        hint=fault.hint or "A person may merge it; the next run tries again",
    )
