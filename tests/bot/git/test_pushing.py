"""Pushes under fire: lost answers, moved bases, hooks, foreign branches, servers down."""

import pytest

from bot.errors import ConflictError, RefusedError, UnavailableError
from bot.git.faults import GitAccessError, MovedError, PushRefusedError
from bot.git.names import InvalidName, Sha
from bot.git.remote import PushResult
from tests.bot.git.situations import BOT, WHEN, HastyClock, Opener, build
from tests.servers.git_host import GitHost

FILES = {"a.yaml": "image: x:1\n", "b.yaml": "image: y:1\n"}
BRANCH = "pilotfish/prod/x"


async def test_a_push_says_whether_it_moved_the_branch(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        made = await build(remote, tip)
        first = await remote.push(BRANCH, made, expected=None)
        again = await remote.push(BRANCH, made, expected=None)

    assert (first, again) == (PushResult.PUSHED, PushResult.ALREADY)
    assert fleet.branches() == {"main": tip, BRANCH: made}


async def test_a_lost_answer_is_looked_up_and_counts_as_pushed(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)
    git_host.cut_after_push()

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        made = await build(remote, tip)
        result = await remote.push("main", made, expected=tip)

    assert result is PushResult.PUSHED
    assert [commit.id for commit in fleet.log()] == [made, tip]
    assert git_host.pushes() == 1


async def test_a_push_that_never_arrived_is_repeated_with_the_same_commit(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)
    git_host.cut_before_push(2)

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        made = await build(remote, tip)
        result = await remote.push("main", made, expected=tip)

    assert result is PushResult.PUSHED
    assert [commit.id for commit in fleet.log()] == [made, tip]
    assert len(opened.clock.waits) == 2


async def test_a_server_that_stays_down_is_told_and_can_be_tried_again(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        made = await build(remote, tip)
        git_host.stop()
        with pytest.raises(UnavailableError, match="Try again"):
            await remote.push("main", made, expected=tip)
        git_host.start()
        assert await remote.push("main", made, expected=tip) is PushResult.PUSHED


async def test_a_base_that_moved_is_a_conflict_and_can_be_planned_again(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)
    git_host.before_push(lambda: fleet.commit({"b.yaml": "image: y:2\n"}, "A person was faster"))

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        with pytest.raises(ConflictError, match="moved by someone else"):
            await remote.push("main", await build(remote, tip), expected=tip)
        moved = (await remote.fetch("main"))["main"]
        await remote.push("main", await build(remote, moved), expected=moved)

    assert [commit.subject for commit in fleet.log()] == [
        "Update x",
        "A person was faster",
        "Begin",
    ]
    assert fleet.read("b.yaml") == b"image: y:2\n"


async def test_a_base_that_moved_before_the_push_is_a_conflict_too(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        made = await build(remote, tip)
        person = fleet.commit({"b.yaml": "image: y:2\n"})
        with pytest.raises(MovedError):
            await remote.push("main", made, expected=tip)

    assert fleet.head() == person


async def test_a_branch_of_our_name_that_is_not_ours_is_left_alone(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)
    foreign = fleet.commit({"evil.yaml": "x"}, branch=BRANCH, start="main")

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        with pytest.raises(MovedError):
            await remote.push(BRANCH, await build(remote, tip), expected=None)

    assert fleet.branches()[BRANCH] == foreign


async def test_a_proposal_is_rebuilt_in_place_under_its_lease(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        old = await build(remote, tip)
        await remote.push(BRANCH, old, expected=None)
        new = await build(remote, tip, content=b"image: x:3\n")
        await remote.push(BRANCH, new, expected=old)

    assert [commit.id for commit in fleet.log(BRANCH)] == [new, tip]


async def test_a_hook_that_rejects_is_quoted_and_nothing_changes(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)
    fleet.hook("pre-receive", 'printf "\\033[31mtickets only: see WIKI-7\\n" >&2; exit 1')

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        with pytest.raises(PushRefusedError, match="tickets only: see WIKI-7") as caught:
            await remote.push("main", await build(remote, tip), expected=tip)

    assert "\x1b" not in str(caught.value)
    assert "pull request" in caught.value.hint
    assert fleet.head() == tip
    assert git_host.pushes() == 1


async def test_a_missing_right_to_write_is_named_with_its_fix(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)
    says = "printf 'error: \\nerror: User permission denied for writing.\\nerror: \\n'"
    fleet.hook("pre-receive", f"{says} >&2; exit 1")

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        with pytest.raises(PushRefusedError, match="It said: User permission denied") as caught:
            await remote.push("main", await build(remote, tip), expected=tip)

    assert "error:" not in caught.value.what
    assert "right to write" in caught.value.hint


async def test_a_hook_of_a_remote_in_a_folder_is_heard_as_well(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)
    fleet.hook("pre-receive", "echo not here >&2; exit 1")

    async with opened(fleet.url_file, allow_file=True) as remote:
        tip = (await remote.fetch("main"))["main"]
        with pytest.raises(PushRefusedError, match="not here"):
            await remote.push("main", await build(remote, tip), expected=tip)


async def test_a_server_without_room_is_not_our_fault(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)
    git_host.answer_pushes(507, 3)

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        with pytest.raises(UnavailableError, match="507"):
            await remote.push("main", await build(remote, tip), expected=tip)

    assert fleet.head() == tip


async def test_a_push_that_is_forbidden_is_not_repeated(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)
    git_host.answer_pushes(403)

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        with pytest.raises(GitAccessError, match="does not let us in"):
            await remote.push("main", await build(remote, tip), expected=tip)

    assert git_host.pushes() == 1


async def test_a_branch_is_deleted_only_where_it_was_seen(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        made = await build(remote, tip)
        await remote.push(BRANCH, made, expected=None)
        with pytest.raises(MovedError):
            await remote.delete(BRANCH, expected=tip)
        assert BRANCH in fleet.branches()
        await remote.delete(BRANCH, expected=made)
        await remote.delete(BRANCH, expected=made)

    assert set(fleet.branches()) == {"main"}


async def test_a_deletion_whose_answer_was_lost_is_done(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)
    made = Sha(fleet.commit({"a.yaml": "x"}, branch=BRANCH, start="main"))
    git_host.cut_after_push()

    async with opened(fleet.url_http) as remote:
        assert await remote.delete(BRANCH, expected=made) is PushResult.PUSHED

    assert set(fleet.branches()) == {"main"}


@pytest.mark.parametrize(
    "branch", ["-x", "--force", "a:b", "refs/heads/x", "a;id", "+main", "HEAD"]
)
async def test_a_hostile_branch_never_reaches_git(
    git_host: GitHost, opened: Opener, branch: str
) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        for attempt in (
            remote.fetch(branch),
            remote.push(branch, tip, expected=None),
            remote.delete(branch, expected=tip),
        ):
            with pytest.raises(InvalidName):
                await attempt

    assert git_host.pushes() == 0


async def test_two_bots_that_race_lose_no_commit(
    git_host: GitHost, opened: Opener, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fleet = git_host.create("fleet", FILES)
    other = Opener(cache_folder=tmp_path_factory.mktemp("other"), clock=HastyClock())

    async with opened(fleet.url_http) as one, other(fleet.url_http) as two:
        tip = (await one.fetch("main"))["main"]
        await two.fetch("main")
        await one.push("main", await build(one, tip, "a.yaml"), expected=tip)
        with pytest.raises(MovedError):
            await two.push("main", await build(two, tip, "b.yaml"), expected=tip)
        moved = (await two.fetch("main"))["main"]
        await two.push("main", await build(two, moved, "b.yaml"), expected=moved)

    assert len(fleet.log()) == 3
    assert fleet.read("a.yaml") == fleet.read("b.yaml") == b"image: x:2\n"


async def test_what_a_push_refuses_is_never_tried_again_by_kind(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)
    fleet.configure("receive.denyDeletes", "true")

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        made = await build(remote, tip)
        await remote.push(BRANCH, made, expected=None)
        with pytest.raises(RefusedError, match="deletion prohibited"):
            await remote.delete(BRANCH, expected=made)


async def test_notes_are_kept_in_the_history_of_one_ref(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        assert await remote.read_notes() is None
        first = await remote.write_notes(b"holds: []\n", message="Begin", expected=None)
        second = await remote.write_notes(
            b"holds: [x]\n", message="Hold x", expected=first, author=BOT, when=WHEN
        )
        same = await remote.write_notes(b"holds: [x]\n", message="Again", expected=second)
        assert await remote.read_notes() == b"holds: [x]\n"
        assert await remote.notes_tip() == second == same

    assert fleet.read("holds.yaml", "refs/notes/pilotfish") == b"holds: [x]\n"
    assert [commit.subject for commit in fleet.log("refs/notes/pilotfish")] == ["Hold x", "Begin"]
    assert set(fleet.branches()) == {"main"}


async def test_notes_that_someone_else_wrote_meanwhile_are_a_conflict(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        await remote.write_notes(b"theirs\n", message="First", expected=None)
        with pytest.raises(MovedError):
            await remote.write_notes(b"ours\n", message="Second", expected=None)
        assert await remote.read_notes() == b"theirs\n"
