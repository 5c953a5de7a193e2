"""What every forge owes us, on a real Gitea and on the test servers of GitHub and GitLab.

Plain Git has no adapter: a branch is the proposal there, and the tests of bot/proposals cover
it. `harness.py` says what a forge brings to be tested here.
"""

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from bot.errors import AccessError, ProductError, RefusedError
from bot.forges.forge import (
    AlreadyOpenError,
    CheckState,
    HeadMovedError,
    NotFoundError,
    Proposal,
    State,
    Status,
    Text,
)
from bot.planning.metadata import Metadata, read_metadata, write_metadata
from tests.bot.forges.harness import START_FILES, WRONG_TOKEN, ForgeUnderTest, OpenUnderTest

BRANCH = "pilotfish/web"
CHANGED = {"apps/web.yaml": b"image: example.test/web:1.1.0\n"}
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture(
    params=[
        pytest.param("gitea", marks=pytest.mark.servers),
        pytest.param("github", marks=pytest.mark.servers),
        pytest.param("gitlab", marks=pytest.mark.servers),
    ]
)
async def under_test(
    request: pytest.FixtureRequest, unique_name: str
) -> AsyncIterator[ForgeUnderTest]:
    module = importlib.import_module(f"tests.bot.forges.harness_{request.param}")
    opened = cast("OpenUnderTest", module.open_under_test)
    async with opened(request.getfixturevalue, unique_name) as one:
        yield one


async def propose(
    under_test: ForgeUnderTest,
    branch: str = BRANCH,
    *,
    title: str = "chore(images): web 1.0.0 → 1.1.0",
    body: str = "Updates web.",
    labels: tuple[str, ...] = ("images", "minor"),
    draft: bool = False,
    reviewers: tuple[str, ...] = (),
    assignees: tuple[str, ...] = (),
) -> Proposal:
    """Push a commit on a new branch and open its proposal."""
    under_test.repository.commit(branch, CHANGED)
    text = Text(
        title=title,
        body=body,
        labels=labels,
        draft=draft,
        reviewers=reviewers,
        assignees=assignees,
    )
    opened = await under_test.forge.open(branch, "main", text)
    if not under_test.forge.abilities.labels_on_open:
        await under_test.forge.set_labels(opened.number, add=labels)
    return opened


async def eventually(found: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> bool:
    """Return whether something comes true within `seconds`: forges do some of it afterwards."""
    end = asyncio.get_running_loop().time() + seconds
    while not await found():
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(0.05)
    return True


# who we are


async def test_the_account_is_the_one_of_the_token(under_test: ForgeUnderTest) -> None:
    assert (await under_test.forge.account()).login == under_test.bot


async def test_a_wrong_token_is_no_access_and_is_not_repeated(under_test: ForgeUnderTest) -> None:
    forge = under_test.forge_with(WRONG_TOKEN)

    with pytest.raises(AccessError) as caught:
        await forge.listing()

    assert WRONG_TOKEN not in f"{caught.value} {caught.value.where} {caught.value!r}"
    assert caught.value.hint


async def test_preflight_tells_of_a_wrong_token_and_of_a_fix(under_test: ForgeUnderTest) -> None:
    findings = await under_test.forge_with(WRONG_TOKEN).preflight("main")

    assert [one for one in findings if not one.ok and one.fix]


async def test_preflight_gives_every_fault_a_fix_in_one_line(under_test: ForgeUnderTest) -> None:
    findings = await under_test.forge.preflight("main")

    assert findings
    assert all(one.fix for one in findings if not one.ok)
    assert not any("\n" in one.what + one.fix for one in findings)


async def test_a_missing_repository_may_also_be_hidden(under_test: ForgeUnderTest) -> None:
    owner = under_test.repository_path.rpartition("/")[0]
    forge = under_test.forge_at(f"{owner}/there-is-none")

    with pytest.raises(NotFoundError) as caught:
        await forge.listing()

    assert "not found" in str(caught.value).lower()
    assert "permission" in str(caught.value).lower()


async def test_no_refusal_repeats_our_token(under_test: ForgeUnderTest) -> None:
    forge = under_test.forge_at("nobody/there-is-none")
    calls: list[Awaitable[object]] = [
        forge.listing(),
        forge.rules("main"),
        forge.open("a", "main", Text(title="t", body="b")),
        forge.comment(1, "text"),
        forge.commit("a", start="0" * 40, files=CHANGED, message="m"),
    ]

    for call in calls:
        with pytest.raises(ProductError) as caught:
            await call
        assert under_test.token not in f"{caught.value} {caught.value!r} {caught.value.where}"


# proposals


async def test_an_opened_proposal_is_listed_as_it_was_opened(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)

    listing = await under_test.forge.listing()

    assert [one.number for one in listing.proposals] == [opened.number]
    (listed,) = listing.proposals
    assert (listed.state, listed.ours, listed.own_repository) == (State.OPEN, True, True)
    assert (listed.title, listed.body) == ("chore(images): web 1.0.0 → 1.1.0", "Updates web.")
    assert (listed.branch, listed.base, listed.author) == (BRANCH, "main", under_test.bot)
    assert listed.head == opened.head == under_test.repository.head(BRANCH)
    assert set(listed.labels) == {"images", "minor"}
    assert listed.url == under_test.forge.links.proposal(opened.number)
    assert listed.opened.tzinfo is not None
    assert listed.closed is None
    assert listing.complete


async def test_the_proposals_of_a_branch_are_found(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)
    await propose(under_test, "pilotfish/other")

    (found,) = await under_test.forge.proposals_of(BRANCH)

    assert found == (await under_test.forge.proposal(opened.number))
    assert (found.head, found.body) == (opened.head, "Updates web.")
    assert set(found.labels) == {"images", "minor"}
    assert await under_test.forge.proposals_of("pilotfish/we") == []


async def test_the_newest_proposal_of_a_branch_comes_first(under_test: ForgeUnderTest) -> None:
    first = await propose(under_test)
    await under_test.forge.close(first.number)
    second = await under_test.forge.open(BRANCH, "main", Text(title="again", body=""))

    found = await under_test.forge.proposals_of(BRANCH)

    assert [one.number for one in found] == [second.number, first.number]


async def test_a_second_proposal_of_a_branch_is_refused(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)

    with pytest.raises(AlreadyOpenError):
        await under_test.forge.open(BRANCH, "main", Text(title="again", body=""))

    assert [one.number for one in await under_test.forge.proposals_of(BRANCH)] == [opened.number]


async def test_two_runs_at_once_leave_one_open_proposal(under_test: ForgeUnderTest) -> None:
    under_test.repository.commit(BRANCH, CHANGED)
    other = under_test.forge_with(under_test.token)
    text = Text(title="web", body="")

    outcomes = await asyncio.gather(
        under_test.forge.open(BRANCH, "main", text),
        other.open(BRANCH, "main", text),
        return_exceptions=True,
    )

    assert sorted(type(one).__name__ for one in outcomes) == ["AlreadyOpenError", "Proposal"]
    found = await under_test.forge.proposals_of(BRANCH)
    assert [one.state for one in found].count(State.OPEN) == 1


async def test_a_pushed_commit_is_the_new_head(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)

    pushed = under_test.repository.commit(BRANCH, {"more.txt": b"more\n"})

    assert (await under_test.forge.proposal(opened.number)).head == pushed
    (listed,) = (await under_test.forge.listing()).proposals
    assert listed.head == pushed


async def test_what_a_person_closes_is_closed(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)

    under_test.repository.close(opened.number)

    (listed,) = (await under_test.forge.listing()).proposals
    assert listed.state is State.CLOSED
    assert listed.closed is not None
    assert listed.merge_commit == ""
    assert listed.head == opened.head
    assert (await under_test.forge.proposal(opened.number)).state is State.CLOSED


async def test_a_close_of_ours_keeps_the_branch(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)

    await under_test.forge.close(opened.number)

    assert (await under_test.forge.proposal(opened.number)).state is State.CLOSED
    assert under_test.repository.head(BRANCH) == opened.head


async def test_what_a_person_opens_again_is_open(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)
    under_test.repository.close(opened.number)

    under_test.repository.reopen(opened.number)

    found = await under_test.forge.proposal(opened.number)
    assert (found.state, found.closed) == (State.OPEN, None)


async def test_a_closed_proposal_keeps_the_head_that_it_had(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)
    await under_test.forge.close(opened.number)

    under_test.repository.commit(BRANCH, {"more.txt": b"more\n"})

    assert (await under_test.forge.proposal(opened.number)).head == opened.head
    (found,) = await under_test.forge.proposals_of(BRANCH)
    assert found.head == opened.head


@pytest.mark.parametrize("squash", [False, True])
async def test_what_a_person_merges_is_merged(under_test: ForgeUnderTest, squash: bool) -> None:
    opened = await propose(under_test)

    merged = under_test.repository.merge(opened.number, squash=squash)

    (listed,) = (await under_test.forge.listing()).proposals
    assert (listed.state, listed.merge_commit) == (State.MERGED, merged)
    assert listed.closed is not None
    assert listed.head == opened.head


@pytest.mark.parametrize("squash", [False, True])
async def test_a_merged_commit_tells_its_proposal(under_test: ForgeUnderTest, squash: bool) -> None:
    opened = await propose(under_test)
    start = under_test.repository.head("main")
    merged = under_test.repository.merge(opened.number, squash=squash)

    (found,) = await under_test.forge.proposals_with(merged)

    assert (found.number, found.state) == (opened.number, State.MERGED)
    assert await under_test.forge.proposals_with(start) == []


async def test_the_proposal_of_a_person_is_not_ours(under_test: ForgeUnderTest) -> None:
    under_test.repository.commit(BRANCH, CHANGED)
    number = under_test.repository.open(BRANCH, "main", "Mine")

    found = await under_test.forge.proposal(number)

    assert (found.ours, found.author, found.title) == (False, under_test.writer, "Mine")


async def test_an_edit_keeps_labels_and_head(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)
    under_test.repository.label(opened.number, ["by-hand"])

    await under_test.forge.edit(opened.number, title="Another", body="Other words.")

    found = await under_test.forge.proposal(opened.number)
    assert (found.title, found.body, found.head) == ("Another", "Other words.", opened.head)
    assert set(found.labels) == {"images", "minor", "by-hand"}


async def test_the_body_that_a_person_wrote_is_told(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)

    under_test.repository.edit_body(opened.number, "- [x] rebase")

    assert (await under_test.forge.proposal(opened.number)).body == "- [x] rebase"


async def test_only_named_labels_are_removed(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)
    under_test.repository.label(opened.number, ["by-hand"])

    await under_test.forge.set_labels(opened.number, add=["major"], remove=["minor", "never-there"])
    await under_test.forge.set_labels(opened.number, add=["major"])

    found = await under_test.forge.proposal(opened.number)
    assert sorted(found.labels) == ["by-hand", "images", "major"]


async def test_a_draft_stays_one_when_it_is_edited(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test, title="web", draft=True)

    await under_test.forge.edit(opened.number, title="web 2", body="")

    found = await under_test.forge.proposal(opened.number)
    assert (opened.draft, opened.title) == (True, "web")
    assert (found.draft, found.title) == (True, "web 2")


async def test_the_longest_title_is_taken_of_a_draft_too(under_test: ForgeUnderTest) -> None:
    longest = "x" * under_test.forge.abilities.max_title_chars
    opened = await propose(under_test, title="web", draft=True)

    await under_test.forge.edit(opened.number, title=longest, body="")

    assert (await under_test.forge.proposal(opened.number)).title == longest


async def test_metadata_comes_back_from_a_body(under_test: ForgeUnderTest) -> None:
    metadata = Metadata(
        key="fleet/web",
        base="main",
        branch=BRANCH,
        head="a" * 40,
        changes=frozenset(),
        told=("--> and <!-- inside",),
    )

    opened = await propose(under_test, body=f"Read me.\n\n{write_metadata(metadata)}\n")

    found = await under_test.forge.proposal(opened.number)
    assert read_metadata(found.body) == metadata


async def test_any_script_comes_back_unchanged(under_test: ForgeUnderTest) -> None:
    words = "Ünïcödé 更新 ✅ 🐟 \u202eabc\u202c"

    opened = await propose(under_test, title=f"web {words}", body=f"1 < 2 & `{words}`\n\n| a |")

    found = await under_test.forge.proposal(opened.number)
    assert (found.title, found.body) == (f"web {words}", f"1 < 2 & `{words}`\n\n| a |")


async def test_a_body_of_sixty_five_thousand_characters_is_taken(
    under_test: ForgeUnderTest,
) -> None:
    body = "- é\n" * 16_249 + "last"

    opened = await propose(under_test, body=body)

    assert (await under_test.forge.proposal(opened.number)).body == body


# people


async def test_a_proposal_is_opened_for_its_people(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test, reviewers=("wanda",), assignees=("wanda",))

    assert under_test.repository.people_on(opened.number) == ({"wanda"}, {"wanda"})


async def test_people_are_asked_later_beside_those_who_are_there(
    under_test: ForgeUnderTest,
) -> None:
    opened = await propose(under_test, reviewers=("wanda",), assignees=("wanda",))

    for _ in range(2):
        await under_test.forge.ask_people(
            opened.number, reviewers=["rita"], assignees=[under_test.bot]
        )

    asked, assigned = under_test.repository.people_on(opened.number)
    assert (asked, assigned) == ({"wanda", "rita"}, {"wanda", under_test.bot})


async def test_a_name_that_nobody_has_keeps_nobody_else_out(under_test: ForgeUnderTest) -> None:
    people = ("nobody-has-this", "wanda", "acme/no-such-team")
    opened = await propose(under_test, reviewers=people, assignees=people[:2])
    other = await propose(under_test, "pilotfish/other")

    await under_test.forge.ask_people(other.number, reviewers=people, assignees=people[:2])

    for number in (opened.number, other.number):
        assert under_test.repository.people_on(number) == ({"wanda"}, {"wanda"})
        assert (await under_test.forge.proposal(number)).state is State.OPEN


# merging


async def test_exactly_the_head_is_merged(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)

    await under_test.forge.merge(opened, title="Update web", message="Because.")

    found = await under_test.forge.proposal(opened.number)
    main = under_test.repository.head("main")
    assert (found.state, found.merge_commit, found.head) == (State.MERGED, main, opened.head)
    assert under_test.repository.files(main) == {**START_FILES, **CHANGED}
    assert under_test.repository.message(main) == "Update web\n\nBecause."


async def test_a_moved_head_is_not_merged(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)
    main = under_test.repository.head("main")
    under_test.repository.commit(BRANCH, {"more.txt": b"by a person\n"})

    with pytest.raises(HeadMovedError):
        await under_test.forge.merge(opened, title="Update web", message="")

    assert under_test.repository.head("main") == main
    assert (await under_test.forge.proposal(opened.number)).state is State.OPEN


async def test_a_closed_proposal_is_not_merged(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)
    main = under_test.repository.head("main")
    under_test.repository.close(opened.number)

    with pytest.raises(RefusedError):
        await under_test.forge.merge(opened, title="Update web", message="")

    assert under_test.repository.head("main") == main


async def test_nothing_is_merged_past_a_required_check(under_test: ForgeUnderTest) -> None:
    under_test.repository.protect("main", checks=["ci/test"])
    opened = await propose(under_test)
    main = under_test.repository.head("main")

    for state in (None, CheckState.PENDING, CheckState.FAILED):
        if state is not None:
            under_test.repository.set_check(opened.head, "ci/test", state)
        with pytest.raises(RefusedError):
            await under_test.forge.merge(opened, title="Update web", message="")
        assert under_test.repository.head("main") == main

    under_test.repository.set_check(opened.head, "ci/test", CheckState.PASSED)
    await under_test.forge.merge(opened, title="Update web", message="")
    assert under_test.repository.head("main") != main


async def test_nothing_is_merged_without_a_required_approval(under_test: ForgeUnderTest) -> None:
    under_test.repository.protect("main", approvals=1)
    opened = await propose(under_test)
    main = under_test.repository.head("main")

    with pytest.raises(RefusedError):
        await under_test.forge.merge(opened, title="Update web", message="")
    assert under_test.repository.head("main") == main
    assert await under_test.forge.approvers(opened.number) == ()

    under_test.repository.approve(opened.number)
    assert await under_test.forge.approvers(opened.number) == (under_test.writer,)
    await under_test.forge.merge(opened, title="Update web", message="")
    assert under_test.repository.head("main") != main


async def test_automerge_waits_for_the_required_check(under_test: ForgeUnderTest) -> None:
    under_test.repository.protect("main", checks=["ci/test"])
    opened = await propose(under_test)
    under_test.repository.set_check(opened.head, "ci/test", CheckState.PENDING)

    await under_test.forge.automerge(opened, wanted=True)
    waiting = await under_test.forge.proposal(opened.number)
    under_test.repository.set_check(opened.head, "ci/test", CheckState.PASSED)

    assert waiting.state is State.OPEN
    assert waiting.automerge is under_test.forge.abilities.tells_automerge

    async def merged() -> bool:
        return (await under_test.forge.proposal(opened.number)).state is State.MERGED

    assert await eventually(merged)


async def test_automerge_that_was_taken_back_merges_nothing(under_test: ForgeUnderTest) -> None:
    under_test.repository.protect("main", checks=["ci/test"])
    opened = await propose(under_test)
    under_test.repository.set_check(opened.head, "ci/test", CheckState.PENDING)

    for wanted in (True, True, False, False):
        await under_test.forge.automerge(opened, wanted=wanted)
    main = under_test.repository.head("main")
    under_test.repository.set_check(opened.head, "ci/test", CheckState.PASSED)

    async def merged() -> bool:
        return under_test.repository.head("main") != main

    assert not await eventually(merged, seconds=1.0)
    assert (await under_test.forge.proposal(opened.number)).automerge is False


async def test_automerge_is_not_asked_for_a_moved_head(under_test: ForgeUnderTest) -> None:
    under_test.repository.protect("main", checks=["ci/test"])
    opened = await propose(under_test)
    under_test.repository.set_check(opened.head, "ci/test", CheckState.PENDING)
    pushed = under_test.repository.commit(BRANCH, {"more.txt": b"by a person\n"})
    under_test.repository.set_check(pushed, "ci/test", CheckState.PENDING)

    with pytest.raises(HeadMovedError):
        await under_test.forge.automerge(opened, wanted=True)

    main = under_test.repository.head("main")
    under_test.repository.set_check(pushed, "ci/test", CheckState.PASSED)

    async def merged() -> bool:
        return under_test.repository.head("main") != main

    assert not await eventually(merged, seconds=1.0)


# rules of the base


async def test_a_free_branch_demands_nothing(under_test: ForgeUnderTest) -> None:
    rules = await under_test.forge.rules("main")

    assert rules.known
    assert not rules.requires_checks
    assert not rules.requires_signatures
    assert rules.required_approvals == 0
    assert rules.required_checks == ()


async def test_demands_of_a_branch_are_told(under_test: ForgeUnderTest) -> None:
    under_test.repository.protect("main", checks=["ci/test"], approvals=1, signatures=True)

    rules = await under_test.forge.rules("main")

    assert rules.known
    assert rules.requires_checks
    assert set(rules.required_checks) <= {"ci/test"}
    assert rules.required_approvals == 1
    assert rules.requires_signatures


async def test_rules_are_asked_once(under_test: ForgeUnderTest) -> None:
    await under_test.forge.rules("main")
    before = under_test.forge.requests

    await under_test.forge.rules("main")

    assert under_test.forge.requests == before


# commits by the forge


async def test_a_commit_has_exactly_its_start_and_texts(under_test: ForgeUnderTest) -> None:
    start = under_test.repository.head("main")
    under_test.repository.commit("main", {"later.txt": b"main went on\n"})
    files = {
        "apps/web.yaml": b"image: example.test/web:1.1.0\r\n# no line end: \xe9\x00",
        "new folder/é.bin": bytes(range(256)),
        "empty.txt": b"",
    }
    message = "chore(images): web 1.0.0 → 1.1.0\n\nBecause.\n\nPilotfish-Policy: web"

    made = await under_test.forge.commit(
        "pilotfish-commits/x", start=start, files=files, message=message
    )

    assert under_test.repository.head("pilotfish-commits/x") == made
    assert under_test.repository.parents(made) == (start,)
    assert under_test.repository.files(made) == {**START_FILES, **files}
    assert under_test.repository.message(made) == message


# comments


async def test_comments_come_oldest_first_with_their_authors(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)
    other = await propose(under_test, "pilotfish/other")
    first = under_test.repository.comment(opened.number, "/hold web@1.1.0")
    second = under_test.repository.comment(other.number, "/recreate", by="reader")
    third = await under_test.forge.comment(opened.number, "Held.")

    found = await under_test.forge.comments(since=LONG_AGO, numbers=[opened.number, other.number])

    told = {one.id: (one.number, one.author, one.ours, one.body, one.edited) for one in found}
    assert told == {
        first: (opened.number, under_test.writer, False, "/hold web@1.1.0", False),
        second: (other.number, under_test.reader, False, "/recreate", False),
        third.id: (opened.number, under_test.bot, True, "Held.", False),
    }
    assert found == sorted(found, key=lambda one: one.created)
    mine = [one.id for one in found if one.number == opened.number]
    assert mine == [first, third.id]


async def test_comments_are_those_that_were_asked_for(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)
    issue = under_test.repository.open_issue("Dashboard")
    under_test.repository.comment(opened.number, "on the proposal")
    wanted = under_test.repository.comment(issue, "on the issue")

    found = await under_test.forge.comments(since=LONG_AGO, numbers=[issue])
    tomorrow = datetime.now(UTC) + timedelta(days=1)

    assert [one.id for one in found] == [wanted]
    assert [one.id for one in await under_test.forge.comments_on(issue)] == [wanted]
    assert await under_test.forge.comments(since=tomorrow, numbers=[issue]) == []
    assert await under_test.forge.comments(since=LONG_AGO, numbers=[]) == []


async def test_an_edited_comment_is_told_as_edited(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)
    comment = under_test.repository.comment(opened.number, "harmless")

    under_test.repository.edit_comment(opened.number, comment, "/approve")

    (found,) = await under_test.forge.comments_on(opened.number)
    assert (found.body, found.edited) == ("/approve", True)


async def test_a_comment_of_ours_is_edited_in_place(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)
    made = await under_test.forge.comment(opened.number, "One answer.")

    await under_test.forge.edit_comment(made, "Two answers.")

    (found,) = await under_test.forge.comments_on(opened.number)
    assert (found.id, found.body, found.ours) == (made.id, "Two answers.", True)


async def test_a_reaction_is_put_once(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)
    under_test.repository.comment(opened.number, "/recreate")
    (comment,) = await under_test.forge.comments_on(opened.number)

    for agreed in (True, True, False):
        await under_test.forge.react(comment, agreed=agreed)

    found = under_test.repository.reactions(opened.number, comment.id)
    assert len(found) == len(set(found)) == 2
    assert not (await under_test.forge.comments_on(opened.number))[0].edited


async def test_who_may_push_can_write_and_nobody_else(under_test: ForgeUnderTest) -> None:
    logins = {
        under_test.writer: True,
        under_test.bot: True,
        under_test.reader: False,
        under_test.outsider: False,
        "nobody-has-this-name": False,
        "": False,
        "..": False,
        "../../user": False,
        "a b": False,
    }

    assert {login: await under_test.forge.can_write(login) for login in logins} == logins


# checks


async def test_the_newest_check_of_each_name_counts(under_test: ForgeUnderTest) -> None:
    commit = under_test.repository.commit(BRANCH, CHANGED)
    under_test.repository.set_check(commit, "ci/test", CheckState.PENDING)
    under_test.repository.set_check(commit, "ci/lint", CheckState.FAILED)
    under_test.repository.set_check(commit, "ci/test", CheckState.PASSED)

    found = await under_test.forge.checks(commit)

    assert {one.name: one.state for one in found} == {
        "ci/lint": CheckState.FAILED,
        "ci/test": CheckState.PASSED,
    }
    assert await under_test.forge.checks(under_test.repository.head("main")) == ()


async def test_persons_see_our_status(under_test: ForgeUnderTest) -> None:
    commit = under_test.repository.commit(BRANCH, CHANGED)
    name = "pilotfish/minimum-age"
    says = "Waits until 2026-11-24, by the registry's date"

    for state in (CheckState.PENDING, CheckState.PASSED):
        await under_test.forge.set_status(commit, Status(name=name, state=state, says=says))

        assert under_test.repository.status_of(commit, name) == (state, says)
        assert [(one.name, one.state) for one in await under_test.forge.checks(commit)] == [
            (name, state)
        ]


# the dashboard's issue


async def test_only_our_issue_of_exactly_that_title_is_found(under_test: ForgeUnderTest) -> None:
    title = "Pilotfish dashboard"
    under_test.repository.open_issue(title)
    await under_test.forge.open_issue(f"{title} of old", "")
    assert await under_test.forge.find_issue(title) is None

    opened = await under_test.forge.open_issue(title, "Nothing waits. é")
    await under_test.forge.edit_issue(opened.number, "One waits.")

    found = await under_test.forge.find_issue(title)
    assert found is not None
    assert (found.number, found.title, found.body) == (opened.number, title, "One waits.")
    assert found.ours
    assert found.open
    assert opened.body == "Nothing waits. é"


async def test_a_proposal_is_no_issue(under_test: ForgeUnderTest) -> None:
    await propose(under_test, title="Pilotfish dashboard")

    assert await under_test.forge.find_issue("Pilotfish dashboard") is None


# requests


async def test_opening_takes_two_requests_once_labels_are_known(
    under_test: ForgeUnderTest,
) -> None:
    await under_test.forge.listing()
    counted = []
    for branch in ("pilotfish/a", "pilotfish/b"):
        before = under_test.forge.requests
        await propose(under_test, branch)
        counted.append(under_test.forge.requests - before)

    assert counted[0] <= 2 + 1 + 2  # the list of labels, and two that are made
    assert counted[1] <= 2


async def test_a_listing_takes_as_many_requests_for_many(under_test: ForgeUnderTest) -> None:
    counted = []
    for branch in ("pilotfish/a", "pilotfish/b", "pilotfish/c"):
        await propose(under_test, branch)
        before = under_test.forge.requests
        await under_test.forge.listing()
        counted.append(under_test.forge.requests - before)

    assert counted[1] == counted[2] <= 3
