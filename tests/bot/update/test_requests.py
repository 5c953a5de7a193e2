"""What people ask by comments and boxes on a forge: taken from those who may, answered once."""

import pytest

from bot.planning.dashboard import TITLE, Board, dashboard_text
from bot.planning.holds import with_hold
from bot.planning.remembered import HoldRecord, UnholdRecord
from bot.proposals.answers import read_answers
from bot.proposals.effects import WHO_TICKED
from bot.proposals.wishes import NOTHING_ASKED
from bot.update.requests import read_requests
from tests.bot.update.forge_stage import BRANCH, NAME, Stage


async def test_where_nothing_is_asked_one_listing_is_read_and_nothing_written(
    stage: Stage,
) -> None:
    known = await stage.propose()
    stage.people.comment(known.proposal.number, "Looks good.")
    opened = await stage.open_ones()
    before = stage.forge.requests
    found = await read_requests(
        stage.forge, stage.notes, opened, stage.bindings, now=stage.under_test.clock.now()
    )
    await stage.answer(found)
    assert (found.wishes, found.pages) == (NOTHING_ASKED, [])
    assert stage.forge.requests - before == 1
    assert await stage.answers(known.proposal.number) == []


async def test_a_hold_is_kept_and_answered_once(stage: Stage) -> None:
    number = (await stage.propose()).proposal.number
    said = stage.people.comment(number, "/hold until 2099-01-01 slow start\n\nSorry.")
    await stage.run()
    (kept,) = stage.notes.remembered.holds
    assert (kept.policy, kept.tag, kept.reason, kept.who) == (
        NAME,
        "1.1.0",
        "slow start",
        stage.under_test.writer,
    )
    (answer,) = await stage.answers(number)
    assert "`1.1.0` of" in answer
    assert "is held until 2099-01-01" in answer
    assert len(stage.people.reactions(number, said)) == 1
    tip = stage.notes.tip
    assert (await stage.run()).pages == []
    assert await stage.answers(number) == [answer]
    assert stage.notes.tip == tip


async def test_commands_of_several_runs_share_one_comment_newest_first(stage: Stage) -> None:
    number = (await stage.propose()).proposal.number
    stage.people.comment(number, "/hold major")
    await stage.run()
    stage.people.comment(number, "/unhold")
    stage.people.comment(number, "/pilotfish rebase")
    stage.people.comment(number, "/explain")
    stage.people.comment(number, "/holds")
    found = await stage.run()
    assert found.wishes.rebase == {BRANCH}
    (answer,) = await stage.answers(number)
    rows = [row.text.split(" by ")[0] for row in read_answers(answer).rows]
    assert rows == ["`/holds`", "`/explain`", "`/rebase`", "`/unhold`", "`/hold major`"]
    assert "3 candidates" in answer
    assert stage.notes.remembered.holds == ()
    assert isinstance(stage.notes.remembered.unholds[0], UnholdRecord)


async def test_who_may_not_push_is_refused_once_and_changes_nothing(stage: Stage) -> None:
    number = (await stage.propose()).proposal.number
    said = stage.people.comment(number, "/hold", by="reader")
    stage.people.comment(number, "/recreate", by="outsider")
    found = await stage.run()
    assert found.wishes == NOTHING_ASKED
    assert stage.notes.remembered.holds == ()
    (answer,) = await stage.answers(number)
    assert answer.count("only who may push") == 2
    assert len(stage.people.reactions(number, said)) == 1
    assert (await stage.run()).pages == []


async def test_what_is_no_command_is_silent(stage: Stage) -> None:
    number = (await stage.propose()).proposal.number
    for text in ("> /rebase", "`/rebase`", "<!-- /rebase -->", "Please:\n/rebase", "/lgtm"):
        stage.people.comment(number, text)
    assert (await stage.run()).pages == []
    assert await stage.answers(number) == []


async def test_an_edited_comment_and_our_own_are_no_commands(stage: Stage) -> None:
    number = (await stage.propose()).proposal.number
    said = stage.people.comment(number, "Thanks.")
    stage.people.edit_comment(number, said, "/recreate")
    await stage.forge.comment(number, "/rebase")
    found = await stage.run()
    assert (found.wishes, found.pages) == (NOTHING_ASKED, [])


async def test_a_slip_of_the_pen_is_answered_with_the_commands(stage: Stage) -> None:
    number = (await stage.propose()).proposal.number
    stage.people.comment(number, "/rebased")
    await stage.run()
    (answer,) = await stage.answers(number)
    assert "it is no command of mine" in answer
    assert "`/explain IMAGE`" in answer


async def test_a_run_that_ended_before_it_answered_is_repeated_harmlessly(stage: Stage) -> None:
    number = (await stage.propose()).proposal.number
    stage.people.comment(number, "/hold")
    await stage.asked()
    tip = stage.notes.tip
    await stage.run()
    assert stage.notes.tip == tip
    assert len(stage.notes.remembered.holds) == 1
    (answer,) = await stage.answers(number)
    assert len(read_answers(answer).rows) == 1


async def test_a_wish_that_waits_is_told_and_asked_again_until_it_is_done(stage: Stage) -> None:
    number = (await stage.propose()).proposal.number
    said = stage.people.comment(number, "/pilotfish rebase")
    await stage.answer(await stage.asked(), waiting=frozenset({BRANCH}))
    (waits,) = await stage.answers(number)
    assert "waits for its turn" in waits
    assert stage.people.reactions(number, said) == []
    before = stage.forge.requests
    again = await stage.asked()
    assert again.wishes.rebase == {BRANCH}
    reads = stage.forge.requests - before
    await stage.answer(again, waiting=frozenset({BRANCH}))
    assert stage.forge.requests - before == reads
    await stage.answer(await stage.asked())
    (done,) = await stage.answers(number)
    assert "waits" not in read_answers(done).rows[0].text
    assert len(stage.people.reactions(number, said)) == 1


async def test_a_box_is_equal_to_a_command(stage: Stage) -> None:
    known = await stage.propose()
    body = known.proposal.body
    for marker in ("recreate", "hold-30d"):
        body = body.replace(f"- [ ] <!-- pilotfish:{marker} ", f"- [x] <!-- pilotfish:{marker} ")
    stage.people.edit_body(known.proposal.number, body)
    found = await stage.run()
    assert found.wishes.recreate == {BRANCH}
    assert found.wishes.ticked == {BRANCH}
    (kept,) = stage.notes.remembered.holds
    assert (kept.what, kept.who) == ("everything", WHO_TICKED)
    assert kept.until is not None
    assert await stage.answers(known.proposal.number) == []


async def test_the_dashboard_takes_commands_and_boxes(stage: Stage) -> None:
    held = HoldRecord(
        policy=NAME, tag="1.1.0", reason="", who="kim", when=stage.under_test.clock.now()
    )
    await stage.notes.change(lambda known: with_hold(known, held), message="Hold")
    text = dashboard_text(Board(place="fleet", holds=(held,)), max_chars=9_000)
    issue = await stage.forge.open_issue(TITLE, text)
    await stage.forge.edit_issue(issue.number, text.replace("- [ ]", "- [x]"))
    stage.people.comment(issue.number, "/hold web@2.0.0")
    stage.people.comment(issue.number, "/pilotfish rebase")
    await stage.run()
    assert [one.tag for one in stage.notes.remembered.holds] == ["2.0.0"]
    (answer,) = await stage.answers(issue.number)
    assert "it is said on the proposal that is meant" in answer
    await stage.run()
    assert await stage.answers(issue.number) == [answer]


@pytest.mark.parametrize(
    "stage", [pytest.param("github", marks=pytest.mark.servers)], indirect=True
)
async def test_an_answer_that_a_long_listing_leaves_out_is_added_to(stage: Stage) -> None:
    number = (await stage.propose()).proposal.number
    stage.people.comment(number, "/hold major")
    await stage.run()
    for _ in range(1_000):  # as many as one listing of a whole repository has
        stage.people.comment(number, "Thanks.")
    stage.people.comment(number, "/holds")
    await stage.run()
    assert (await stage.run()).pages == []
    (answer,) = await stage.answers(number)
    assert [row.text.split(" by ")[0] for row in read_answers(answer).rows] == [
        "`/holds`",
        "`/hold major`",
    ]
