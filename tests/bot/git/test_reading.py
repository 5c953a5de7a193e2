"""Reading a remote: branches, trees and bytes, with as few requests as the server allows."""

import pytest

from bot.errors import ConfigError
from bot.git.faults import (
    BranchMissingError,
    EmptyRemoteError,
    GitAccessError,
    GitUnavailableError,
    UnsafeObjectsError,
)
from bot.git.fetching import offers_filter
from bot.git.names import EntryKind, InvalidName, Sha
from bot.git.remote import Remote
from tests.bot.git.situations import Opener, build, hash_object, mktree, plant
from tests.servers.git_host import GitHost

FLEET = {
    "prod/a.yaml": "image: x:1  # pilotfish: semver 1.x\n",
    "prod/b.yaml": "image: y:1\n",
    "prod/c.txt": "# pilotfish: semver 1.x\n",
    "dev/a.yaml": "image: x:2  # pilotfish: semver 2.x\r\n",
}


async def fetch_main(remote: Remote) -> Sha:
    return (await remote.fetch("main"))["main"]


def is_yaml(path: str) -> bool:
    return path.endswith(".yaml")


def fetches(host: GitHost) -> int:
    return sum(request.path.endswith("/git-upload-pack") for request in host.requests)


@pytest.mark.parametrize("allow_filter", [True, False], ids=["blobless", "shallow"])
async def test_marked_files_are_found_in_tree_order(
    git_host: GitHost, opened: Opener, allow_filter: bool
) -> None:
    fleet = git_host.create("fleet", FLEET, allow_filter=allow_filter)

    async with opened(fleet.url_http) as remote:
        tip = await fetch_main(remote)
        found = await remote.marked_files(tip, (), [b"pilotfish:"], is_yaml)

    assert found == [(p, FLEET[p].encode()) for p in ("dev/a.yaml", "prod/a.yaml")]


async def test_paths_confine_the_search(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FLEET)

    async with opened(fleet.url_http) as remote:
        tip = await fetch_main(remote)
        found = await remote.marked_files(tip, ["./prod/"], [b"pilotfish:"], is_yaml)

    assert [path for path, _ in found] == ["prod/a.yaml"]


@pytest.mark.parametrize("path", ["../x", "/etc", "prod/../../x"])
async def test_a_path_outside_says_the_same_whatever_is_there(
    git_host: GitHost, opened: Opener, path: str
) -> None:
    fleet = git_host.create("fleet", FLEET)

    async with opened(fleet.url_http) as remote:
        with pytest.raises(InvalidName, match="no path inside the repository"):
            await remote.files(await fetch_main(remote), [path])


async def test_blobs_that_held_no_marker_are_not_fetched_again(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FLEET)
    async with opened(fleet.url_http) as remote:
        await remote.marked_files(await fetch_main(remote), (), [b"pilotfish:"], is_yaml)
    fleet.commit({"prod/new.yaml": "image: z:1  # pilotfish: ignore\n"})

    async with opened(fleet.url_http) as remote:
        tip = await fetch_main(remote)
        before = fetches(git_host)
        found = await remote.marked_files(tip, (), [b"pilotfish:"], is_yaml)
        asked = fetches(git_host) - before

    assert [path for path, _ in found] == ["dev/a.yaml", "prod/a.yaml", "prod/new.yaml"]
    assert asked <= 2  # one request, in two legs of the protocol


async def test_history_comes_without_blobs(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FLEET)
    for number in range(5):
        fleet.commit({"prod/a.yaml": f"image: x:{number}\n"}, f"Number {number}")

    async with opened(fleet.url_http) as remote:
        found = await remote.first_parents(await fetch_main(remote), limit=100)

    assert [c.subject for c in found] == [*(f"Number {n}" for n in (4, 3, 2, 1, 0)), "Begin"]


async def test_a_branch_that_is_gone_is_left_out(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FLEET)

    async with opened(fleet.url_http) as remote:
        found = await remote.fetch("main", "pilotfish/gone")

    assert found == {"main": fleet.head()}


async def test_branches_with_names_that_could_hurt_are_passed_over(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FLEET)
    for name in ("-x", "--upload-pack=touch", "a;id", "pilotfish/a$(id)", "pilotfish/ok"):
        fleet.git("update-ref", f"refs/heads/{name}", fleet.head())

    async with opened(fleet.url_http) as remote:
        assert set(await remote.heads()) == {"main", "pilotfish/ok"}
        assert set(await remote.heads("pilotfish/")) == {"pilotfish/ok"}


async def test_branches_where_one_name_is_a_folder_of_the_other_follow_each_other(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FLEET)
    fleet.git("update-ref", "refs/heads/pilotfish", fleet.head())
    async with opened(fleet.url_http) as remote:
        await remote.fetch("main", "pilotfish")
    fleet.delete_branch("pilotfish")
    fleet.git("update-ref", "refs/heads/pilotfish/a", fleet.head())

    async with opened(fleet.url_http) as remote:
        assert set(await remote.fetch("pilotfish/a")) == {"pilotfish/a"}


async def test_the_default_branch_is_the_one_the_server_names(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FLEET, branch="trunk")

    async with opened(fleet.url_http) as remote:
        assert await remote.default_branch() == "trunk"


async def test_an_empty_repository_is_said_to_be_empty(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet")

    async with opened(fleet.url_http) as remote:
        with pytest.raises(EmptyRemoteError, match="Push a first commit"):
            await remote.default_branch()


async def test_a_default_branch_that_is_gone_is_no_guess(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FLEET)
    fleet.git("update-ref", "refs/heads/other", fleet.head())
    fleet.delete_branch("main")

    async with opened(fleet.url_http) as remote:
        with pytest.raises(BranchMissingError):
            await remote.default_branch()


async def test_a_missing_repository_is_an_access_fault(git_host: GitHost, opened: Opener) -> None:
    async with opened(f"{git_host.url}/nothing.git") as remote:
        with pytest.raises(GitAccessError, match="no such repository, or it is hidden"):
            await remote.default_branch()


async def test_a_path_as_remote_needs_leave(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FLEET)

    with pytest.raises(ConfigError, match="--repository"):
        async with opened(fleet.url_file):
            pass
    async with opened(fleet.url_file, allow_file=True) as remote:
        assert await remote.default_branch() == "main"
    async with opened(str(fleet.folder), allow_file=True) as remote:
        assert await fetch_main(remote) == fleet.head()


async def test_links_and_submodules_are_listed_and_never_read(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FLEET)
    blob = fleet.git("rev-parse", "main:prod/a.yaml").strip()
    listing = (
        f"120000 blob {blob}\tlink.yaml\n160000 commit {fleet.head()}\tmodule.yaml\n"
        f"100644 blob {blob}\treal.yaml\n"
    )
    plant(fleet, listing)

    async with opened(fleet.url_http) as remote:
        tip = await fetch_main(remote)
        kinds = {entry.path: entry.kind for entry in await remote.files(tip)}
        read = await remote.read(tip, list(kinds))
        marked = await remote.marked_files(tip, (), [b"pilotfish:"], is_yaml)

    assert kinds == {
        "link.yaml": EntryKind.LINK,
        "module.yaml": EntryKind.SUBMODULE,
        "real.yaml": EntryKind.FILE,
    }
    assert list(read) == ["real.yaml"]
    assert [path for path, _ in marked] == ["real.yaml"]


async def test_paths_with_signs_of_a_shell_are_only_paths(
    git_host: GitHost, opened: Opener
) -> None:
    files = {"$(touch x).yaml": "a", "`id`.yaml": "b", ";id.yaml": "c", 'q"\\.yaml': "d", "-n": "e"}
    fleet = git_host.create("fleet", files)

    async with opened(fleet.url_http) as remote:
        tip = await fetch_main(remote)
        assert await remote.read(tip, list(files)) == {p: c.encode() for p, c in files.items()}
        made = await build(remote, tip, 'q"\\.yaml', b"new")
        await remote.push("main", made, expected=tip)

    assert fleet.read('q"\\.yaml') == b"new"
    assert fleet.read("-n") == b"e"


async def test_an_old_history_with_harmless_faults_is_fetched(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FLEET)
    tree = fleet.git("rev-parse", "main^{tree}").strip()
    raw = f"tree {tree}\nauthor A<a@b> 0 +051800\ncommitter A <a@b> 0 +0000\n\nOld\n"
    old = hash_object(fleet, "commit", raw)
    fleet.git("update-ref", "refs/heads/main", old)

    async with opened(fleet.url_http) as remote:
        assert await fetch_main(remote) == old


async def test_a_tree_that_hides_a_git_folder_is_refused(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FLEET)
    blob = fleet.git("rev-parse", "main:prod/a.yaml").strip()
    inner = mktree(fleet, f"100644 blob {blob}\tconfig\n")
    plant(fleet, f"040000 tree {inner}\t.GIT\n")

    async with opened(fleet.url_http) as remote:
        with pytest.raises(UnsafeObjectsError, match="checks refuse"):
            await fetch_main(remote)


async def test_a_branch_that_goes_away_while_we_look_is_left_out(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FLEET)
    fleet.git("update-ref", "refs/heads/pilotfish/a", fleet.head())

    async with opened(fleet.url_http) as remote:
        assert "pilotfish/a" in await remote.heads()
        fleet.delete_branch("pilotfish/a")
        assert set(await remote.fetch("main", "pilotfish/a")) == {"main"}


async def test_a_server_that_is_busy_for_a_moment_is_asked_again(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FLEET)
    git_host.answer(503, 2)

    async with opened(fleet.url_http) as remote:
        assert await remote.default_branch() == "main"

    assert opened.clock.waits == [0.5, 2.0]


async def test_a_server_that_stays_busy_is_unavailable(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FLEET)
    git_host.answer(503, 9)

    async with opened(fleet.url_http) as remote:
        with pytest.raises(GitUnavailableError, match="503"):
            await remote.default_branch()


@pytest.mark.parametrize(
    ("packet", "offered"),
    [
        (b"12:00:00.1 pkt-line.c:80  packet:   git< fetch=shallow wait-for-done filter\n", True),
        (b"12:00:00.1 pkt-line.c:80  packet:   git< fetch=shallow wait-for-done\n", False),
        (b"packet: ls-remote< " + b"a" * 40 + b" HEAD\\0multi_ack filter agent=git/2\n", True),
        (b"packet: ls-remote< " + b"a" * 40 + b" refs/heads/filter\n", False),
    ],
)
def test_whether_blobs_can_be_left_out_is_read_from_what_the_server_offers(
    packet: bytes, offered: bool
) -> None:
    assert offers_filter(packet) is offered
