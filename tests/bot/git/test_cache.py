"""The cache: private, one run at a time, tidied after a kill, fetched anew when damaged."""

import asyncio
import os
import random
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import RefusedError, UnavailableError
from bot.git.faults import CorruptCacheError, DiskFullError, GitUnavailableError
from tests.bot.git.situations import HastyClock, Opener, build
from tests.servers.git_host import GitHost

FILES = {f"f{n}.yaml": f"image: x:{n}  # pilotfish: semver *\n" for n in range(40)}
NEEDLES = [b"pilotfish:"]


async def read_everything(opened: Opener, url: str) -> int:
    async with opened(url) as remote:
        tip = (await remote.fetch("main"))["main"]
        return len(await remote.marked_files(tip, (), NEEDLES, lambda _path: True))


async def test_only_its_owner_may_look_into_it(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)

    await read_everything(opened, fleet.url_http)

    assert opened.git_folder().parent.stat().st_mode & 0o777 == 0o700


async def test_a_folder_that_is_open_to_others_is_refused(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)
    await read_everything(opened, fleet.url_http)
    opened.git_folder().parent.chmod(0o755)

    with pytest.raises(RefusedError, match="open to others"):
        await read_everything(opened, fleet.url_http)


async def test_where_nothing_is_said_it_lies_among_the_persons_caches(
    git_host: GitHost, private_home: Path
) -> None:
    fleet = git_host.create("fleet", FILES)
    from bot.git.remote import open_remote
    from bot.git.settings import GitAccess

    async with open_remote(
        fleet.url_http,
        access=GitAccess(),
        cache_folder=None,
        allow_file=False,
        clock=HastyClock(),
        import_person=False,
    ) as remote:
        await remote.fetch("main")

    assert list((private_home / ".cache" / "pilotfish" / "git").glob("*/git/HEAD"))


async def test_no_file_of_the_repository_is_ever_made(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)

    await read_everything(opened, fleet.url_http)

    assert not list(opened.cache_folder.rglob("*.yaml"))


async def test_a_second_run_waits_for_the_first(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http):
        with pytest.raises(GitUnavailableError, match="another run"):
            async with opened(fleet.url_http):
                pass
    assert opened.clock.waits
    assert await read_everything(opened, fleet.url_http) == len(FILES)


async def test_locks_and_half_packs_of_a_killed_git_are_removed(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)
    await read_everything(opened, fleet.url_http)
    git = opened.git_folder()
    left = ["shallow.lock", "HEAD.lock", "packed-refs.lock", "config.lock", "gc.pid"]
    left += [
        "objects/pack/tmp_pack_x",
        "refs/pilotfish/of/x.lock",
        "objects/info/commit-graph.lock",
    ]
    for name in left:
        (git / name).write_bytes(b"")
    (git / "objects" / "incoming-x").mkdir()
    fleet.commit({"new.yaml": "image: z:1  # pilotfish: semver *\n"})

    assert await read_everything(opened, fleet.url_http) == len(FILES) + 1
    assert not [name for name in left if (git / name).exists()]


def zero_a_pack(git: Path) -> None:
    for pack in git.glob("objects/pack/*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(b"\0" * pack.stat().st_size)


def cut_a_pack(git: Path) -> None:
    for pack in git.glob("objects/pack/*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[:100])


def lose_objects(git: Path) -> None:
    for path in [*git.glob("objects/pack/*"), *git.glob("objects/??/*")]:
        path.unlink()


def empty_objects(git: Path) -> None:
    for path in [*git.glob("objects/pack/*"), *git.glob("objects/??/*")]:
        path.chmod(0o600)
        path.write_bytes(b"")


def break_a_ref(git: Path) -> None:
    for path in git.glob("refs/pilotfish/of/*"):
        path.write_bytes(b"1" * 40 + b"\n")


def garble_a_ref(git: Path) -> None:
    for path in git.glob("refs/pilotfish/of/*"):
        path.write_bytes(b"nonsense\n")


def garble_the_shallow_file(git: Path) -> None:
    (git / "shallow").write_bytes(b"nonsense\n")


def lose_head(git: Path) -> None:
    (git / "HEAD").unlink()


def garble_the_note(git: Path) -> None:
    (git / "pilotfish.json").write_bytes(b"{")


@pytest.mark.parametrize("allow_filter", [True, False], ids=["blobless", "shallow"])
@pytest.mark.parametrize(
    "damage",
    [
        zero_a_pack,
        cut_a_pack,
        lose_objects,
        empty_objects,
        break_a_ref,
        garble_a_ref,
        garble_the_shallow_file,
        lose_head,
        garble_the_note,
    ],
)
async def test_a_damaged_cache_is_fetched_anew_unseen(
    git_host: GitHost, opened: Opener, damage: object, allow_filter: bool
) -> None:
    many = {f"f{n}.yaml": f"image: x:{n}  # pilotfish: semver *\n" for n in range(150)}
    fleet = git_host.create("fleet", many, allow_filter=allow_filter)
    await read_everything(opened, fleet.url_http)
    assert callable(damage)
    damage(opened.git_folder())

    assert await read_everything(opened, fleet.url_http) == len(many)
    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        await remote.push("main", await build(remote, tip, "f1.yaml"), expected=tip)
    assert fleet.read("f1.yaml") == b"image: x:2\n"
    assert {p: c for p, c in fleet.files().items() if p != "f1.yaml"} == {
        p: c.encode() for p, c in many.items() if p != "f1.yaml"
    }


async def test_flipped_bytes_anywhere_never_reach_a_commit(
    git_host: GitHost, opened: Opener
) -> None:
    many = {f"f{n}.yaml": f"image: x:{n}  # pilotfish: semver *\n" for n in range(150)}
    fleet = git_host.create("fleet", many)
    chance = random.Random(7)  # a fixed walk over offsets, no secret
    for _ in range(12):
        await read_everything(opened, fleet.url_http)
        packs = sorted(opened.git_folder().glob("objects/pack/*.pack"))
        pack = chance.choice(packs)
        content = bytearray(pack.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        pack.chmod(0o600)
        pack.write_bytes(bytes(content))
        async with opened(fleet.url_http) as remote:
            tip = (await remote.fetch("main"))["main"]
            found = dict(await remote.marked_files(tip, (), NEEDLES, lambda _path: True))
        assert found == {p: c.encode() for p, c in many.items()}


async def test_damage_between_building_and_pushing_is_planned_again(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        made = await build(remote, tip, "f1.yaml")
        empty_objects(opened.git_folder())
        with pytest.raises((UnavailableError, Exception), match=r"damaged|planned again"):
            await remote.push("main", made, expected=tip)
        assert fleet.head() == tip
        again = await build(remote, tip, "f1.yaml")
        await remote.push("main", again, expected=tip)

    assert again == made == fleet.head()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, where root may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = os.geteuid() == 0 and (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(folder)],
            check=False,
            capture_output=True,
        ).returncode
        == 0
    )
    if not mounted:
        pytest.skip("a small file system needs root and mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_is_said_and_nothing_is_published(
    git_host: GitHost, opened: Opener, small_disk: Path
) -> None:
    noise = random.Random(1).randbytes(1 << 21)  # must not compress, no secret
    fleet = git_host.create("fleet", {**FILES, "big.bin": noise}, allow_filter=False)

    with pytest.raises(DiskFullError, match="Free some space"):
        async with opened(fleet.url_http, cache_folder=small_disk) as remote:
            await remote.fetch("main")

    assert git_host.pushes() == 0


async def test_a_disk_that_fills_while_committing_publishes_nothing_and_recovers(
    git_host: GitHost, opened: Opener, small_disk: Path
) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http, cache_folder=small_disk) as remote:
        tip = (await remote.fetch("main"))["main"]
        await remote.read(tip, list(FILES))
        ballast = small_disk / "ballast"
        with pytest.raises(OSError, match="No space"):
            ballast.write_bytes(b"x" * (2 << 20))
        with pytest.raises(DiskFullError):
            await build(remote, tip, "f1.yaml")
        assert fleet.head() == tip
        ballast.unlink()
        made = await build(remote, tip, "f1.yaml")
        await remote.push("main", made, expected=tip)

    assert fleet.read("f1.yaml") == b"image: x:2\n"


@pytest.fixture
def small_files() -> Iterator[None]:
    """Children may write no file beyond 4 KiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("git_host")
async def test_a_limit_on_file_sizes_counts_as_a_full_disk(
    git_host: GitHost, opened: Opener, request: pytest.FixtureRequest
) -> None:
    noise = random.Random(1).randbytes(1 << 16)  # must not compress, no secret
    fleet = git_host.create("fleet", {**FILES, "big.bin": noise}, allow_filter=False)
    request.getfixturevalue("small_files")

    with pytest.raises(DiskFullError):
        async with opened(fleet.url_http) as remote:
            await remote.fetch("main")


async def test_a_run_that_is_cancelled_leaves_the_cache_to_the_next(
    git_host: GitHost, opened: Opener
) -> None:
    fleet = git_host.create("fleet", FILES)
    git_host.slow_down(5.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await read_everything(opened, fleet.url_http)
    git_host.clear_faults()

    assert await read_everything(opened, fleet.url_http) == len(FILES)


async def test_damage_that_stays_is_an_error(git_host: GitHost, opened: Opener) -> None:
    fleet = git_host.create("fleet", FILES)

    async with opened(fleet.url_http) as remote:
        tip = (await remote.fetch("main"))["main"]
        empty_objects(opened.git_folder())
        await remote.files(tip)
        empty_objects(opened.git_folder())
        with pytest.raises(CorruptCacheError, match="fetched anew"):
            await remote.message(tip)
