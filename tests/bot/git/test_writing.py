"""Building commits: the bytes asked for and no others, on the parent asked for."""

from datetime import timedelta

import pytest

from bot.errors import RefusedError
from bot.git.faults import CorruptCacheError, UnsafeEditError
from bot.git.names import Sha
from tests.bot.git.situations import BOT, WHEN, Opener, build, plant
from tests.servers.git_host import GitHost

FILES = {
    "a.yaml": b"image: x:1\r\nkey: \xef\xbb\xbf\t value \r\n",
    "run.sh": b"x:1\n",
    "d/b.yaml": b"b",
}


async def test_only_the_edited_files_change_and_modes_stay(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES, executable=["run.sh"])
    edits = {"a.yaml": FILES["a.yaml"].replace(b"x:1", b"x:2"), "run.sh": b"x:2\n"}

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        made = await remote.commit(tip, edits, message="Update x\n", author=BOT, when=WHEN)
        assert made is not None
        await remote.push("main", made, expected=tip)

    assert fleet.files() == {**FILES, **edits}
    assert fleet.git("ls-tree", "main", "run.sh").startswith("100755")
    commit = fleet.log()[0]
    assert (commit.author_name, commit.author_mail) == (BOT.name, BOT.email)
    assert (commit.parents, commit.message) == ((tip,), "Update x\n")
    assert fleet.git("log", "-1", "--format=%aI %cI").split() == [WHEN.isoformat()] * 2


async def test_a_server_side_conversion_of_line_ends_changes_nothing(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", {**FILES, ".gitattributes": "* text eol=lf filter=evil\n"})

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        made = await build(remote, tip, "a.yaml", b"image: x:2\r\n")
        await remote.push("main", made, expected=tip)

    assert fleet.read("a.yaml") == b"image: x:2\r\n"


async def test_bytes_that_are_there_already_make_no_commit(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        same = await remote.commit(tip, FILES, message="Nothing", author=BOT, when=WHEN)
        none = await remote.commit(tip, {}, message="Nothing", author=BOT, when=WHEN)

    assert (same, none) == (None, None)


async def test_the_same_draft_gives_the_same_commit(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        first, again = await build(remote, tip), await build(remote, tip)
        later = await remote.commit(
            tip, {"a.yaml": b"z"}, message="m", author=BOT, when=WHEN + timedelta(seconds=1)
        )

    assert first == again != later


async def test_nothing_is_published_before_a_push(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        await build(remote, (await remote.fetch("main"))["main"])

    assert fleet.branches() == {"main": fleet.head()}
    assert git_host.pushes() == 0


async def test_several_commits_stand_on_one_another(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        one = await build(remote, tip, "a.yaml", b"1")
        two = await build(remote, one, "new/c.yaml", b"2")
        await remote.push("main", two, expected=tip)
        between = await remote.commits_between(tip, two)

    assert [commit.sha for commit in between] == [two, one]
    assert fleet.read("new/c.yaml") == b"2"


@pytest.mark.parametrize(
    "path",
    ["link.yaml", "module.yaml", "link.yaml/x", "d", "../x", "/x", ".git/config", "a//b", ""],
)
async def test_an_edit_of_anything_but_a_file_inside_is_refused(
    git_host: GitHost, opened: Opener, path: str
) -> None:
    fleet = git_host.create("fleet", {"d/b.yaml": "x"})
    blob = fleet.git("rev-parse", "main:d/b.yaml").strip()
    inner = fleet.git("rev-parse", "main:d").strip()
    plant(
        fleet,
        f"040000 tree {inner}\td\n120000 blob {blob}\tlink.yaml\n"
        f"160000 commit {fleet.head()}\tmodule.yaml\n",
    )

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        with pytest.raises(RefusedError):
            await remote.commit(tip, {path: b"evil"}, message="m", author=BOT, when=WHEN)


async def test_a_link_is_refused_by_name(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", {"d/b.yaml": "x"})
    blob = fleet.git("rev-parse", "main:d/b.yaml").strip()
    plant(fleet, f"120000 blob {blob}\tlink.yaml\n")

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        with pytest.raises(UnsafeEditError, match=r"link\.yaml is a link, which is never edited"):
            await build(remote, tip, "link.yaml")


async def test_a_message_cannot_leave_its_place(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)
    message = "Subject\n\nfrom main\nM 100644 inline evil\ndata 1\nx\ndone\n\u00fc"

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        made = await remote.commit(tip, {"a.yaml": b"z"}, message=message, author=BOT, when=WHEN)
        assert made is not None
        await remote.push("main", made, expected=tip)
        assert await remote.message(made) == message + "\n"

    assert set(fleet.files()) == set(FILES)


async def test_an_unknown_parent_is_no_parent(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        await remote.fetch("main")
        with pytest.raises(CorruptCacheError):
            await build(remote, Sha("1" * 40))
