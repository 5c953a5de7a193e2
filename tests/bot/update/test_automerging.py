"""Merges without a person on a forge: its own way once told, ours after the checks, never twice."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from bot.forges.forge import CheckState, State
from bot.planning.plan import PlannedProposal
from bot.proposals.automerge import Circumstance, Verdict, is_asked, may_merge
from bot.proposals.standing import Known
from bot.update.automerging import Candidate, Merges, merge_by_itself
from tests.bot.update.forge_stage import Stage, plan_of

ALLOWED = plan_of("updates:\n  - {name: all, automerge: {minor: after-checks}}\n")
WITH_PEOPLE = plan_of(
    "updates:\n"
    "  - {name: all, automerge: {minor: after-checks}, reviewers: [wanda], assignees: [wanda]}\n"
)
BY_BOT = Verdict(allowed=True, how="bot")
BY_FORGE = Verdict(allowed=True, how="forge")
NOT = Verdict(allowed=False)


def candidate(known: Known, verdict: Verdict) -> Candidate:
    """Return an unchanged proposal with its verdict."""
    assert known.metadata is not None
    return Candidate(
        number=known.proposal.number,
        head=known.metadata.head,
        base="main",
        verdict=verdict,
        planned=ALLOWED,
        known=known,
    )


async def eventually(found: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> bool:
    """Return whether something comes true: a forge merges a moment after the last check."""
    end = asyncio.get_running_loop().time() + seconds
    while not await found():
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(0.05)
    return True


async def done(
    stage: Stage, known: Known, verdict: Verdict, planned: PlannedProposal = ALLOWED
) -> tuple[Merges, int]:
    """Do what a verdict says; return what was done and how many requests it took."""
    before = stage.forge.requests
    one = replace(candidate(known, verdict), planned=planned)
    merges = await merge_by_itself(stage.forge, [one])
    return merges, stage.forge.requests - before


async def test_the_forge_is_told_once_and_merges_after_the_required_check(stage: Stage) -> None:
    stage.people.protect("main", checks=["ci"])
    known = await stage.propose(ALLOWED)
    number = known.proposal.number
    verdict = may_merge(
        ALLOWED, await stage.forge.rules("main"), stage.forge.abilities, Circumstance()
    )
    assert verdict.how == "forge"
    merges, _ = await done(stage, known, verdict)
    assert (merges.asked, merges.problems) == ([number], [])
    told = await stage.known(number)
    assert is_asked(told.metadata)
    assert (await done(stage, told, verdict)) == (Merges(), 0)
    stage.people.set_check(known.proposal.head, "ci", CheckState.PASSED)

    async def merged() -> bool:
        return (await stage.forge.proposal(number)).state is State.MERGED

    assert await eventually(merged)


async def test_the_forge_is_told_otherwise_when_it_is_allowed_no_more(stage: Stage) -> None:
    stage.people.protect("main", checks=["ci"])
    known = await stage.propose(ALLOWED)
    await done(stage, known, BY_FORGE)
    told = await stage.known(known.proposal.number)
    merges, _ = await done(stage, told, NOT)
    assert (merges.cancelled, merges.problems) == ([known.proposal.number], [])
    quiet = await stage.known(known.proposal.number)
    assert not is_asked(quiet.metadata)
    assert await done(stage, quiet, NOT) == (Merges(), 0)
    stage.people.set_check(known.proposal.head, "ci", CheckState.PASSED)
    await asyncio.sleep(1)
    assert (await stage.forge.proposal(known.proposal.number)).state is State.OPEN


async def test_what_was_switched_off_meanwhile_is_not_switched_on_again(stage: Stage) -> None:
    stage.people.protect("main", checks=["ci"])
    known = await stage.propose(ALLOWED)
    await done(stage, known, BY_FORGE)
    told = await stage.known(known.proposal.number)
    await stage.forge.automerge(told.proposal, wanted=False)  # as a person does, in silence
    off = await stage.known(known.proposal.number)
    assert await done(stage, off, BY_FORGE) == (Merges(), 0)


async def test_we_merge_once_every_check_has_passed(stage: Stage) -> None:
    known = await stage.propose(ALLOWED)
    head = known.proposal.head
    for state in (None, CheckState.PENDING, CheckState.FAILED):
        if state is not None:
            stage.people.set_check(head, "ci", state)
        merges, requests = await done(stage, known, BY_BOT)
        assert merges == Merges()
        assert requests <= 2  # checks, and statuses where a forge tells them apart
    stage.people.set_check(head, "ci", CheckState.PASSED)
    merges, _ = await done(stage, known, BY_BOT)
    assert (merges.merged, merges.problems) == ([known.proposal.number], [])
    merged = await stage.known(known.proposal.number)
    assert merged.proposal.state is State.MERGED
    assert is_asked(merged.metadata)


async def test_only_one_is_merged_into_a_base_in_a_run(stage: Stage) -> None:
    known = await stage.propose(ALLOWED)
    stage.people.set_check(known.proposal.head, "ci", CheckState.PASSED)
    one = candidate(known, BY_BOT)
    before = stage.forge.requests
    alone = await merge_by_itself(stage.forge, [one, replace(one, number=10_000)])
    assert alone.merged == [known.proposal.number]
    assert alone.problems == []
    assert stage.forge.requests > before


async def test_what_was_pushed_in_this_run_is_not_even_looked_at(stage: Stage) -> None:
    known = await stage.propose(ALLOWED)
    fresh = replace(candidate(known, BY_BOT), known=None)
    before = stage.forge.requests
    assert await merge_by_itself(stage.forge, [fresh]) == Merges()
    assert stage.forge.requests == before


@pytest.mark.parametrize("verdict", [BY_BOT, BY_FORGE])
async def test_what_a_person_pushed_to_is_not_merged(stage: Stage, verdict: Verdict) -> None:
    known = await stage.propose(ALLOWED)
    stage.people.set_check(known.proposal.head, "ci", CheckState.PASSED)
    pushed = stage.people.commit(known.proposal.branch, {"more.yaml": b"a: 1\n"})
    stage.people.set_check(pushed, "ci", CheckState.PASSED)
    merges, _ = await done(stage, known, verdict)
    assert merges == Merges()
    assert (await stage.forge.proposal(known.proposal.number)).state is State.OPEN


async def test_what_was_paused_a_moment_ago_is_not_merged(stage: Stage) -> None:
    known = await stage.propose(ALLOWED)
    stage.people.set_check(known.proposal.head, "ci", CheckState.PASSED)
    stage.people.label(known.proposal.number, ["pilotfish/paused"])
    for verdict in (BY_BOT, BY_FORGE):
        assert (await done(stage, known, verdict))[0] == Merges()
    assert (await stage.forge.proposal(known.proposal.number)).state is State.OPEN


async def test_what_the_base_refuses_is_told_and_stays_open(stage: Stage) -> None:
    stage.people.protect("main", approvals=1)
    known = await stage.propose(ALLOWED)
    stage.people.set_check(known.proposal.head, "ci", CheckState.PASSED)
    merges, _ = await done(stage, known, BY_BOT)
    assert merges.merged == []
    assert len(merges.problems) == 1
    assert (await stage.forge.proposal(known.proposal.number)).state is State.OPEN


# Who is to look at it


@pytest.mark.parametrize("verdict", [BY_BOT, BY_FORGE])
async def test_people_are_asked_once_and_only_after_a_check_failed(
    stage: Stage, verdict: Verdict
) -> None:
    stage.people.protect("main", checks=["ci"])
    known = await stage.propose(WITH_PEOPLE)
    number, head = known.proposal.number, known.proposal.head
    await done(stage, known, verdict, WITH_PEOPLE)
    known = await stage.known(number)
    merges, requests = await done(stage, known, verdict, WITH_PEOPLE)
    assert (merges, requests <= 2) == (Merges(), True)
    assert stage.people.people_on(number) == (set(), set())
    stage.people.set_check(head, "ci", CheckState.FAILED)
    merges, _ = await done(stage, known, verdict, WITH_PEOPLE)
    assert merges.people == [number]
    assert stage.people.people_on(number) == ({"wanda"}, {"wanda"})
    merges, _ = await done(stage, await stage.known(number), verdict, WITH_PEOPLE)
    assert merges == Merges()


async def test_what_may_be_merged_alone_no_more_gets_its_people(stage: Stage) -> None:
    known = await stage.propose(WITH_PEOPLE)
    number = known.proposal.number
    merges, _ = await done(stage, known, NOT, WITH_PEOPLE)
    assert merges.people == [number]
    assert stage.people.people_on(number) == ({"wanda"}, {"wanda"})
    assert await done(stage, await stage.known(number), NOT, WITH_PEOPLE) == (Merges(), 0)


async def test_what_asks_for_nobody_takes_no_request_for_it(stage: Stage) -> None:
    known = await stage.propose(ALLOWED)
    assert await done(stage, known, NOT) == (Merges(), 0)
