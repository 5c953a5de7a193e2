"""History: along first parents, between commits, deeper where the server gave little."""

import pytest

from bot.git.names import Sha
from bot.git.trailers import with_trailers
from tests.bot.git.situations import BOT, WHEN, Opener, build
from tests.servers.git_host import GitHost

FILES = {"a.yaml": "image: x:1\n", "b.yaml": "image: y:1\n"}
BOTH = pytest.mark.parametrize("allow_filter", [True, False], ids=["blobless", "shallow"])


@BOTH
async def test_first_parents_lead_through_merges_with_what_each_changed(
    git_host: GitHost, opened: Opener, allow_filter: bool
) -> None:
    fleet = git_host.create("fleet", FILES, allow_filter=allow_filter)
    fleet.commit({"a.yaml": "image: x:2\n"}, "Propose", branch="topic", start="main")
    fleet.commit({"b.yaml": "image: y:2\n"}, "Meanwhile")
    fleet.merge("topic")
    reverted = fleet.revert("main")

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        found = await remote.first_parents(tip, limit=50, with_changes=True)
        before = found[0].changes["a.yaml"].old
        assert before is not None
        contents = await remote.read_blobs([before])

    assert [commit.subject for commit in found] == [
        "Revert \"Merge branch 'topic' into main\"",
        "Merge branch 'topic' into main",
        "Meanwhile",
        "Begin",
    ]
    assert found[0].sha == reverted
    assert [sorted(commit.changes) for commit in found] == [
        ["a.yaml"],
        ["a.yaml"],
        ["b.yaml"],
        ["a.yaml", "b.yaml"],
    ]
    assert len(found[1].parents) == 2
    assert contents == {before: b"image: x:2\n"}


@BOTH
async def test_history_is_followed_as_far_as_asked_and_no_further(
    git_host: GitHost, opened: Opener, allow_filter: bool
) -> None:
    fleet = git_host.create("fleet", FILES, allow_filter=allow_filter)
    for number in range(70):
        fleet.commit({"a.yaml": f"image: x:{number}\n"}, f"Number {number}")

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        few = await remote.first_parents(tip, limit=3, with_changes=True)
        many = await remote.first_parents(tip, limit=60, with_changes=True)
        everything = await remote.first_parents(tip, limit=1000)

    assert [commit.subject for commit in few] == ["Number 69", "Number 68", "Number 67"]
    assert [sorted(commit.changes) for commit in few] == [["a.yaml"]] * 3
    assert len(many) == 60
    assert all(sorted(commit.changes) == ["a.yaml"] for commit in many)
    assert len(everything) == 71


@BOTH
async def test_paths_leave_out_what_did_not_touch_them(
    git_host: GitHost, opened: Opener, allow_filter: bool
) -> None:
    fleet = git_host.create("fleet", FILES, allow_filter=allow_filter)
    fleet.commit({"b.yaml": "image: y:2\n"}, "Elsewhere")
    fleet.commit({"a.yaml": "image: x:2\n", "b.yaml": "image: y:3\n"}, "Both")

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        found = await remote.first_parents(tip, limit=10, with_changes=True, paths=["a.yaml"])

    assert [(commit.subject, list(commit.changes)) for commit in found] == [
        ("Both", ["a.yaml"]),
        ("Begin", ["a.yaml"]),
    ]


@BOTH
async def test_ancestry_is_known_even_from_a_cut_history(
    git_host: GitHost, opened: Opener, allow_filter: bool
) -> None:
    fleet = git_host.create("fleet", FILES, allow_filter=allow_filter)
    start = Sha(fleet.head())
    topic = Sha(fleet.commit({"a.yaml": "2"}, "Topic", branch="topic", start="main"))
    for number in range(5):
        fleet.commit({"b.yaml": f"{number}"}, f"Number {number}")

    async with opened(fleet.url_http) as remote:
        found = await remote.fetch("main", "topic")
        assert await remote.merge_base(found["main"], topic) == start
        assert await remote.is_ancestor(start, found["main"])
        assert not await remote.is_ancestor(topic, found["main"])
        between = await remote.commits_between(found["main"], topic)

    assert [commit.subject for commit in between] == ["Topic"]


async def test_unrelated_histories_have_no_common_ancestor(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)
    fleet.commit({"z": "z"}, "Alone", branch="orphan")

    async with opened(fleet.url_http) as remote:
        found = await remote.fetch("main", "orphan")
        assert await remote.merge_base(found["main"], found["orphan"]) is None


async def test_additions_removals_and_modes_are_told_apart(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)
    fleet.commit({"a.yaml": None, "c d/ü.yaml": "new"}, "Move")

    async with opened(fleet.url_http) as remote:
        changes = await remote.changes((await remote.fetch("main"))["main"])

    assert set(changes) == {"a.yaml", "c d/ü.yaml"}
    assert changes["a.yaml"].new is None
    assert changes["c d/ü.yaml"].old is None
    assert changes["c d/ü.yaml"].new_mode == "100644"


async def test_trailers_and_time_come_back_as_they_were_written(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)
    message = with_trailers(":100644 Subject\n\n:raw body", [("Pilotfish-Update", "prod")])

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        made = await remote.commit(
            tip, {"a.yaml": b"image: x:2\n"}, message=message, author=BOT, when=WHEN
        )
        assert made is not None
        commit = (await remote.first_parents(made, limit=2, with_changes=True))[0]

    assert (commit.message, commit.when, commit.author) == (message, WHEN, BOT.text)
    assert commit.trailers == (("Pilotfish-Update", "prod"),)
    assert list(commit.changes) == ["a.yaml"]


async def test_a_base_that_was_rewritten_is_seen_as_no_descendant(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)
    fleet.commit({"a.yaml": "2"}, "To be lost")
    async with opened(fleet.url_http) as remote:
        old = (await remote.fetch("main"))["main"]
    fleet.git("update-ref", "refs/heads/main", fleet.head("main^"))
    fleet.commit({"a.yaml": "3"}, "Rewritten")

    async with opened(fleet.url_http) as remote:
        new = (await remote.fetch("main"))["main"]
        assert not await remote.is_ancestor(old, new)
        await remote.push("main", await build(remote, new), expected=new)
