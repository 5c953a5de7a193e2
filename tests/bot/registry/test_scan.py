"""What policies are told: tags and facts, each image for itself, dates believed in order."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.errors import ConfigError, UnavailableError
from bot.registry.cache import ScanCache
from bot.registry.scan import Scanner
from policies.policy import Fact
from tests.bot.registry.situations import START, MovedClock, open_client
from tests.servers.distribution import Distribution
from tests.servers.images import build_image, build_index
from tests.servers.odd_registry import OddRegistry

ALL = frozenset(Fact)


@pytest.fixture
async def scan() -> AsyncIterator[Scanner]:
    clock = MovedClock()
    async with open_client(clock=clock) as client:
        yield Scanner(client, clock)


async def test_one_bad_registry_does_not_stop_another(
    scan: Scanner, registry: Distribution, odd_registry: OddRegistry, unique_name: str
) -> None:
    registry.push_tags(unique_name, ["1", "2"])
    odd_registry.push_tags("app", ["1"])
    odd_registry.fail(times=99)
    good, bad = f"{registry.host}/{unique_name}", f"{odd_registry.host}/app"

    asked = [bad, good, "127.0.0.1:1/gone", "Not An Image"]
    answers = await asyncio.gather(*map(scan.tags, asked), return_exceptions=True)

    assert answers[1] == ["1", "2"]
    assert isinstance(answers[0], UnavailableError)
    assert isinstance(answers[2], UnavailableError)
    assert isinstance(answers[3], ConfigError)


async def test_whoever_asks_for_the_same_repository_shares_the_answer(
    scan: Scanner, odd_registry: OddRegistry
) -> None:
    odd_registry.push_tags("app", ["1"])

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(scan.tags(f"{odd_registry.host}/app"))

    assert odd_registry.count(path_part="/tags/list") == 1


async def test_a_failure_is_shared_as_well(scan: Scanner, odd_registry: OddRegistry) -> None:
    odd_registry.push_tags("app", ["1"])
    odd_registry.fail(times=99)

    for _ in range(3):
        with pytest.raises(UnavailableError):
            await scan.tags(f"{odd_registry.host}/app")

    assert len(odd_registry.requests) <= 6


async def test_a_digest_that_was_seen_before_costs_one_head(
    odd_registry: OddRegistry, tmp_path: Path
) -> None:
    digest = odd_registry.push_image("app", "1")
    clock = MovedClock()
    wanted = {"1": frozenset({Fact.DIGEST})}
    async with open_client(clock=clock) as client:
        first = await Scanner(client, clock, tmp_path).facts(f"{odd_registry.host}/app", wanted)
        before = odd_registry.count("GET", "/app/")
        second = await Scanner(client, clock, tmp_path).facts(f"{odd_registry.host}/app", wanted)

    assert first["1"].digest == second["1"].digest == digest
    assert odd_registry.count("GET", "/app/") == before
    assert odd_registry.count("HEAD") == 1


async def test_a_digest_that_a_header_only_claims_is_not_to_be_had(
    scan: Scanner, odd_registry: OddRegistry
) -> None:
    odd_registry.push_image("app", "1")
    odd_registry.claim_digest("app", "1", "sha256:" + "0" * 64)

    found = await scan.facts(f"{odd_registry.host}/app", {"1": frozenset({Fact.DIGEST})})

    assert found["1"].digest is None
    assert "not what" in found["1"].unavailable[Fact.DIGEST]


async def test_nothing_is_asked_for_what_is_not_wanted(
    scan: Scanner, odd_registry: OddRegistry
) -> None:
    odd_registry.push_image("app", "1")

    found = await scan.facts(f"{odd_registry.host}/app", {"1": frozenset()})

    assert found["1"].digest is None
    assert odd_registry.requests == []


async def test_all_facts_of_a_real_index(
    scan: Scanner, registry: Distribution, unique_name: str
) -> None:
    digest = registry.push_image(
        unique_name, "1", platform=("linux/amd64", "linux/arm64"), created="2026-01-05T00:00:00Z"
    )

    found = (await scan.facts(f"{registry.host}/{unique_name}", {"1": ALL}))["1"]

    assert found.digest == digest
    assert found.platforms == frozenset({"linux/amd64", "linux/arm64"})
    assert found.created == datetime(2026, 1, 5, tzinfo=UTC)
    assert found.dated_by == "the image's own created date"
    assert found.unavailable[Fact.PUSHED].endswith("does not say when this was pushed")


async def test_what_a_digest_held_is_told_for_each_platform(
    scan: Scanner, odd_registry: OddRegistry
) -> None:
    amd64, arm64 = (build_image(platform=one) for one in ("linux/amd64", "linux/arm64"))
    rebuilt = build_image(platform="linux/arm64", created="2026-01-09T00:00:00Z")
    indexes = [build_index([amd64, arm64]), build_index([amd64, rebuilt])]
    for index in indexes:
        odd_registry.push("app", "1", index)
    before, after = (index.digest for index in indexes)
    wanted = frozenset({Fact.PLATFORMS})
    gone = "sha256:" + "0" * 64

    found = await scan.facts(
        f"{odd_registry.host}/app", dict.fromkeys(("1", before, after, gone), wanted)
    )

    assert found["1"].images == found[after].images
    assert found["1"].images["linux/amd64"] == found[before].images["linux/amd64"]
    assert found["1"].images["linux/arm64"] != found[before].images["linux/arm64"]
    assert Fact.PLATFORMS in found[gone].unavailable


async def test_an_index_is_as_young_as_its_youngest_wanted_platform(
    scan: Scanner, odd_registry: OddRegistry
) -> None:
    index = build_index(
        [
            build_image(platform="linux/amd64", created="2026-01-01T00:00:00Z"),
            build_image(platform="linux/arm64", created="2026-01-09T00:00:00Z"),
        ]
    )
    odd_registry.push("app", "1", index)
    image, wanted = f"{odd_registry.host}/app", {"1": frozenset({Fact.CREATED})}

    youngest = await scan.facts(image, wanted)
    amd64 = await scan.facts(image, wanted, platforms=["linux/amd64"])

    assert youngest["1"].created == datetime(2026, 1, 9, tzinfo=UTC)
    assert amd64["1"].created == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "created", ["1970-01-01T00:00:00Z", "1980-01-01T00:00:00Z", "2099-01-01T00:00:00Z"]
)
async def test_dates_that_cannot_be_are_unknown(
    scan: Scanner, odd_registry: OddRegistry, created: str
) -> None:
    odd_registry.push_image("app", "1", created=created)

    found = await scan.facts(f"{odd_registry.host}/app", {"1": frozenset({Fact.CREATED})})

    assert found["1"].created is None
    assert found["1"].unavailable[Fact.CREATED].endswith("cannot be a build date")


async def test_an_annotation_dates_what_its_configuration_does_not(
    scan: Scanner, odd_registry: OddRegistry
) -> None:
    odd_registry.push_image(
        "app",
        "1",
        created="1970-01-01T00:00:00Z",
        annotations={"org.opencontainers.image.created": "2026-02-03T00:00:00Z"},
    )

    found = await scan.facts(f"{odd_registry.host}/app", {"1": frozenset({Fact.CREATED})})

    assert found["1"].created == datetime(2026, 2, 3, tzinfo=UTC)
    assert "annotation" in found["1"].dated_by


async def test_a_tag_that_is_gone_leaves_its_facts_unavailable(
    scan: Scanner, odd_registry: OddRegistry
) -> None:
    odd_registry.push_image("app", "1")

    found = await scan.facts(f"{odd_registry.host}/app", {"1": ALL, "2": ALL})

    assert found["1"].digest
    assert "not found" in found["2"].unavailable[Fact.DIGEST]


async def test_a_registry_that_fails_leaves_no_facts_at_all(
    scan: Scanner, odd_registry: OddRegistry
) -> None:
    odd_registry.push_image("app", "1")
    odd_registry.fail(times=99)

    with pytest.raises(UnavailableError):
        await scan.facts(f"{odd_registry.host}/app", {"1": ALL})


async def test_a_document_that_lies_leaves_its_facts_unavailable(
    scan: Scanner, odd_registry: OddRegistry
) -> None:
    odd_registry.push_image("app", "1")
    odd_registry.corrupt("app", "1")

    found = await scan.facts(f"{odd_registry.host}/app", {"1": ALL})

    assert "not what" in found["1"].unavailable[Fact.PLATFORMS]


async def read_twice(odd: OddRegistry, folder: Path) -> tuple[object, object, int]:
    """Return both runs' facts, and how many documents the second one fetched."""
    found = []
    for _ in range(2):
        before = odd.count("GET", "/manifests/") + odd.count("GET", "/blobs/")
        clock = MovedClock()
        async with open_client(clock=clock) as client:
            scan = Scanner(client, clock, folder)
            found.append(await scan.facts(f"{odd.host}/app", {"1": ALL}))
            scan.close()
    after = odd.count("GET", "/manifests/") + odd.count("GET", "/blobs/")
    return found[0], found[1], after - before


async def test_a_second_run_fetches_no_document_again(
    odd_registry: OddRegistry, tmp_path: Path
) -> None:
    odd_registry.push_image("app", "1", platform=("linux/amd64", "linux/arm64"))

    first, second, fetched = await read_twice(odd_registry, tmp_path / "cache")

    assert first == second
    assert fetched == 0


async def test_what_was_changed_on_disk_is_not_believed(
    odd_registry: OddRegistry, tmp_path: Path
) -> None:
    odd_registry.push_image("app", "1")
    folder = tmp_path / "cache"
    first, _, _ = await read_twice(odd_registry, folder)
    for path in (folder / "documents").rglob("sha256-*"):
        path.write_bytes(path.read_bytes() + b" ")

    again, _, _ = await read_twice(odd_registry, folder)

    assert again == first


async def test_a_list_that_the_registry_confirms_is_not_sent_again(
    odd_registry: OddRegistry, tmp_path: Path
) -> None:
    odd_registry.push_tags("app", [f"t{n}" for n in range(30)])
    odd_registry.etags = True
    lists = []

    for _ in range(2):
        clock = MovedClock()
        async with open_client(clock=clock) as client:
            scan = Scanner(client, clock, tmp_path / "cache")
            lists.append(await scan.tags(f"{odd_registry.host}/app"))
    odd_registry.push_tags("app", ["new"])
    async with open_client() as client:
        fresh = await Scanner(client, MovedClock(), tmp_path / "cache").tags(
            f"{odd_registry.host}/app"
        )

    sent = [r for r in odd_registry.requests if "/tags/list" in r.path]
    assert lists[0] == lists[1]
    assert "if-none-match" in sent[1].headers
    assert "new" in fresh


def test_the_cache_belongs_to_its_user_and_keeps_its_bound(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    cache = ScanCache(folder, max_bytes=2500)
    for n in range(5):
        cache.keep_document("r", f"sha256:{n:064}", bytes(1000))
    cache.trim()

    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*"))


def test_a_cache_that_others_may_write_is_left_alone(tmp_path: Path) -> None:
    cache = ScanCache(tmp_path)
    cache.keep_document("r", f"sha256:{1:064}", b"x")
    room = next(path for path in (tmp_path / "documents").iterdir())
    room.chmod(0o777)
    cache.keep_document("r", f"sha256:{2:064}", b"x")

    assert len(list(room.iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    cache = ScanCache(tmp_path / "file" / "cache")
    cache.keep_document("r", f"sha256:{1:064}", b"x")

    assert cache.document("r", f"sha256:{1:064}") is None


def test_the_clock_of_these_tests_is_later_than_their_images() -> None:
    assert datetime(2026, 2, 3, tzinfo=UTC) < START


async def test_an_image_is_described_by_its_index_and_one_of_its_platforms(
    scan: Scanner, registry: Distribution, unique_name: str
) -> None:
    arm = build_image(platform="linux/arm64", labels={"who": "arm"}, content="arm")
    amd = build_image(labels={"who": "amd"}, annotations={"a": "manifest", "b": "manifest"})
    index = build_index([arm, amd], annotations={"a": "index"})
    registry.push(unique_name, "1", index)
    image = f"{registry.host}/{unique_name}"

    annotations, labels = await scan.described(image, "1")

    assert labels == {"who": "amd"}
    assert annotations == {"a": "index", "b": "manifest"}
    assert await scan.described(image, index.digest) == (annotations, labels)
    assert (await scan.described(image, arm.digest))[1] == {"who": "arm"}


async def test_what_was_described_once_by_digest_is_not_asked_for_again(
    odd_registry: OddRegistry, tmp_path: Path
) -> None:
    digest = odd_registry.push_image("app", "1", labels={"a": "b"})
    clock = MovedClock()
    async with open_client(clock=clock) as client:
        first = await Scanner(client, clock, tmp_path).described(f"{odd_registry.host}/app", digest)
        before = len(odd_registry.requests)
        second = await Scanner(client, clock, tmp_path).described(
            f"{odd_registry.host}/app", digest
        )

    assert first == second == ({}, {"a": "b"})
    assert len(odd_registry.requests) == before
