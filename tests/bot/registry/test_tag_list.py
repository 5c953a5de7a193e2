"""Tag lists are whole or an error: pages, links, cuts, loops."""

import json
import resource
import time
from collections.abc import Callable

import pytest

from bot.config.model import RegistrySettings
from bot.errors import AccessError, UnavailableError
from bot.http_client.exchange import TooLargeError
from bot.registry.documents import DocumentRefusedError
from bot.registry.tag_list import PartialListError, TagList
from policies.reference import Repository, parse_repository
from tests.bot.registry.situations import MovedClock, open_client
from tests.servers.distribution import Distribution
from tests.servers.http_thread import HttpThread, Response, SeenRequest
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


class Peculiar(HttpThread):
    """A registry whose tag lists are what `answer` makes of the query."""

    def __init__(self, answer: Callable[[dict[str, str]], Response]) -> None:
        super().__init__()
        self._answer = answer

    def respond(self, request: SeenRequest) -> Response:
        return Response(body=b"{}") if request.path == "/v2/" else self._answer(request.query)


def page(tags: list[str] | None, *, link: str = "") -> Response:
    headers = [("Link", f'<{link}>; rel="next"')] if link else []
    return Response(headers=headers, body=json.dumps({"name": "app", "tags": tags}).encode())


async def listed(
    answer: Callable[[dict[str, str]], Response], *, page_size: int | None = None
) -> TagList:
    server = Peculiar(answer)
    server.start()
    try:
        settings = RegistrySettings(host=server.host, page_size=page_size)
        async with open_client(settings) as client:
            return await client.list_tags(parse_repository(f"{server.host}/app"))
    finally:
        server.stop()


async def test_a_registry_that_allows_fewer_a_page_is_asked_for_fewer() -> None:
    def answer(query: dict[str, str]) -> Response:
        return Response(status=405) if int(query["n"]) > 1000 else page(["1", "2"])

    assert (await listed(answer, page_size=10_000)).tags == ("1", "2")


async def test_a_registry_that_knows_no_number_is_asked_without() -> None:
    def answer(query: dict[str, str]) -> Response:
        return Response(status=400) if "n" in query else page(["1"])

    assert (await listed(answer)).tags == ("1",)


async def test_a_registry_that_refuses_every_number_gives_no_list() -> None:
    with pytest.raises(PartialListError, match="400"):
        await listed(lambda _: Response(status=400))


async def test_null_is_an_empty_list() -> None:
    assert (await listed(lambda _: page(None))).tags == ()


async def test_an_empty_page_in_the_middle_is_no_end() -> None:
    def answer(query: dict[str, str]) -> Response:
        steps = {"": ("b", []), "b": ("c", ["2"])}
        following, tags = steps.get(query.get("last", ""), ("", ["3"]))
        return page(tags, link=f"/v2/app/tags/list?last={following}" if following else "")

    assert (await listed(answer)).tags == ("2", "3")


async def test_empty_pages_without_an_end_are_an_error() -> None:
    def answer(query: dict[str, str]) -> Response:
        return page([], link=f"/v2/app/tags/list?last={int(query.get('last', 0)) + 1}")

    with pytest.raises(PartialListError, match="no end after"):
        await listed(answer)


async def test_pages_that_repeat_under_new_names_are_an_error() -> None:
    def answer(query: dict[str, str]) -> Response:
        return page(["1"], link=f"/v2/app/tags/list?last={int(query.get('last', 0)) + 1}")

    with pytest.raises(PartialListError, match="repeat themselves"):
        await listed(answer)


async def test_a_registry_that_ignores_the_number_gave_all_it_has() -> None:
    names = [f"t{n}" for n in range(100)]

    found = await listed(lambda _: page(names))

    assert list(found.tags) == names


async def test_names_that_are_no_tags_are_dropped_and_counted() -> None:
    found = await listed(lambda _: page(["ok", "../x", "a b"]))

    assert (found.tags, found.dropped) == (("ok",), 2)


@pytest.mark.parametrize(
    "link",
    [
        '</v2/app/tags/list?last=1>; rel="next"',
        "</v2/app/tags/list?last=1>;rel=next",
        '</v2/app/tags/list?last=1>; title="x"; REL="prev next"',
        '</other>; rel="prev", </v2/app/tags/list?last=1>; rel="next"',
    ],
)
async def test_links_are_read_in_every_spelling(link: str) -> None:
    def answer(query: dict[str, str]) -> Response:
        if "last" in query:
            return page(["2"])
        return Response(headers=[("Link", link)], body=b'{"tags": ["1"]}')

    assert (await listed(answer)).tags == ("1", "2")


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
