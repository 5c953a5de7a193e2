"""Tag lists are whole or an error: pages, links, cuts, loops."""

import resource
import time

import pytest

from bot.config.model import RegistrySettings
from bot.errors import AccessError, UnavailableError
from bot.http_client.exchange import TooLargeError
from bot.registry.documents import DocumentRefusedError
from bot.registry.tag_list import PartialListError
from policies.reference import Repository, parse_repository
from tests.bot.registry.situations import MovedClock, open_client
from tests.servers.distribution import Distribution
from tests.servers.odd_registry import OddRegistry


def at(server: OddRegistry | Distribution, name: str = "app") -> Repository:
    return parse_repository(f"{server.host}/{name}")


@pytest.mark.parametrize("absolute", [False, True])
async def test_follows_links_to_the_end(odd_registry: OddRegistry, *, absolute: bool) -> None:
    names = [f"1.{n}" for n in range(25)]
    odd_registry.push_tags("app", names)
    odd_registry.page_size, odd_registry.absolute_links = 10, absolute

    async with open_client() as client:
        found = await client.list_tags(at(odd_registry))

    assert sorted(found.tags) == sorted(names)
    assert found.pages == 3


async def test_a_real_registry_pages_through(registry: Distribution, unique_name: str) -> None:
    names = [f"v{n:03}" for n in range(23)]
    registry.push_tags(unique_name, names)

    async with open_client(RegistrySettings(host=registry.host, page_size=5)) as client:
        found = await client.list_tags(at(registry, unique_name))

    assert list(found.tags) == names
    assert found.pages == 5


@pytest.mark.parametrize("count", [100, 250])
async def test_a_list_cut_without_a_link_is_continued(
    odd_registry: OddRegistry, count: int
) -> None:
    odd_registry.push_tags("app", [f"t{n:04}" for n in range(count)])
    odd_registry.cut_lists(at=100, continues=True)

    async with open_client() as client:
        found = await client.list_tags(at(odd_registry))

    assert len(found.tags) == count


async def test_a_list_cut_at_the_number_asked_for_is_continued(
    odd_registry: OddRegistry,
) -> None:
    odd_registry.push_tags("app", [f"t{n:04}" for n in range(18)])
    odd_registry.cut_lists(at=1000, continues=True)

    async with open_client(RegistrySettings(host=odd_registry.host, page_size=7)) as client:
        found = await client.list_tags(at(odd_registry))

    assert len(found.tags) == 18


async def test_a_list_that_cannot_be_continued_is_an_error(odd_registry: OddRegistry) -> None:
    odd_registry.push_tags("app", [f"t{n:04}" for n in range(150)])
    odd_registry.cut_lists(at=100, continues=False)

    async with open_client() as client:
        with pytest.raises(PartialListError, match="offers no way to go on"):
            await client.list_tags(at(odd_registry))


async def test_an_ordinary_list_costs_one_request(odd_registry: OddRegistry) -> None:
    odd_registry.push_tags("app", [f"t{n}" for n in range(50)])

    async with open_client() as client:
        await client.list_tags(at(odd_registry))

    assert odd_registry.count(path_part="/tags/list") == 1


async def test_pages_that_loop_are_an_error(odd_registry: OddRegistry) -> None:
    odd_registry.push_tags("app", ["1", "2"])
    odd_registry.loop_pages()

    async with open_client() as client:
        with pytest.raises(PartialListError, match="not whole"):
            await client.list_tags(at(odd_registry))


@pytest.mark.parametrize(
    "path",
    ["/v2/app/tags/list?last=1", "/v2/other/tags/list", "/elsewhere"],
)
async def test_a_link_to_another_origin_is_never_followed(
    odd_registry: OddRegistry, odd_registry_elsewhere: OddRegistry, path: str
) -> None:
    odd_registry.push_tags("app", ["1", "2"])
    odd_registry.link_elsewhere(odd_registry_elsewhere.url + path)

    async with open_client() as client:
        with pytest.raises(PartialListError, match="leads somewhere else"):
            await client.list_tags(at(odd_registry))

    assert odd_registry_elsewhere.requests == []


@pytest.mark.parametrize(
    "link",
    [
        "/v2/other/tags/list?last=1",
        "https://HOST/v2/app/tags/list?last=1",
        "http://user:word@HOST/v2/app/tags/list?last=1",
        "file:///etc/passwd",
        "//elsewhere.invalid/v2/app/tags/list",
    ],
)
async def test_a_link_off_the_path_is_an_error(odd_registry: OddRegistry, link: str) -> None:
    odd_registry.push_tags("app", ["1", "2"])
    odd_registry.link_elsewhere(link.replace("HOST", odd_registry.host))

    async with open_client() as client:
        with pytest.raises(PartialListError, match="leads somewhere else"):
            await client.list_tags(at(odd_registry))


async def test_a_connection_that_breaks_in_every_page_gives_no_list(
    odd_registry: OddRegistry,
) -> None:
    odd_registry.push_tags("app", ["1", "2"])

    async with open_client() as client:
        await client.list_tags(at(odd_registry))
        odd_registry.drop(times=5)
        with pytest.raises(UnavailableError, match="broke off"):
            await client.list_tags(at(odd_registry))


async def test_a_repository_that_is_not_there_is_no_empty_list(
    registry: Distribution, unique_name: str
) -> None:
    async with open_client() as client:
        with pytest.raises(AccessError, match="not found, or no right to see it"):
            await client.list_tags(at(registry, unique_name))


async def test_a_page_larger_than_allowed_is_refused(odd_registry: OddRegistry) -> None:
    odd_registry.push_tags("app", ["1"])
    odd_registry.oversize("/tags/list", (32 << 20) + 1)

    async with open_client() as client:
        with pytest.raises(TooLargeError, match="larger than"):
            await client.list_tags(at(odd_registry))


async def test_a_page_that_is_no_list_is_refused(odd_registry: OddRegistry) -> None:
    odd_registry.push_image("app", "1")
    odd_registry.redirect(f"{odd_registry.url}/v2/app/manifests/1?", part="/tags/list")

    async with open_client() as client:
        with pytest.raises(DocumentRefusedError, match="another shape"):
            await client.list_tags(at(odd_registry))


async def test_a_hundred_thousand_tags_take_seconds_and_little_memory(
    odd_registry: OddRegistry,
) -> None:
    odd_registry.push_tags("app", [f"v{n:06}" for n in range(100_000)])
    odd_registry.page_size = 1000
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started_s = time.process_time()

    async with open_client(clock=MovedClock()) as client:
        found = await client.list_tags(at(odd_registry))

    assert len(found.tags) == 100_000
    assert time.process_time() - started_s < 10  # server and client share the process
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 64 << 10
