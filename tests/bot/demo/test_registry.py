"""The demo's registry speaks the distribution protocol as far as the product asks it."""

import hashlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.clock import SystemClock
from bot.demo.registry import DemoRegistry, serve
from bot.registry.client import open_registries
from policies.reference import parse_repository

TAGS = ("1.0.0", "1.1.0", "1.2.0", "2.0.0", "edge")


@pytest.fixture
async def registry() -> AsyncIterator[DemoRegistry]:
    made = DemoRegistry()
    for tag in TAGS:
        made.push("shop/web", tag)
    async with serve(made):
        yield made


@pytest.fixture
async def session(registry: DemoRegistry) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://{registry.host}") as made:
        yield made


async def test_a_tag_list_comes_in_pages_that_are_linked(session: aiohttp.ClientSession) -> None:
    found: list[str] = []
    pages, address = 0, "/v2/shop/web/tags/list?n=2"
    while address:
        async with session.get(address) as answer:
            found += (await answer.json())["tags"]
            link = answer.headers.get("Link", "")
        address = link.partition("<")[2].partition(">")[0]
        pages += 1
    assert (found, pages) == (sorted(TAGS), 3)


async def test_the_products_own_client_lists_every_tag(registry: DemoRegistry) -> None:
    repository = parse_repository(f"{registry.host}/shop/web")
    async with open_registries((), clock=SystemClock(), environment={}) as client:
        assert sorted((await client.list_tags(repository)).tags) == sorted(TAGS)


async def test_a_manifest_is_the_same_by_tag_and_by_digest(session: aiohttp.ClientSession) -> None:
    async with session.get("/v2/shop/web/manifests/1.1.0") as answer:
        by_tag, digest = await answer.read(), answer.headers["Docker-Content-Digest"]
    async with session.get(f"/v2/shop/web/manifests/{digest}") as answer:
        assert await answer.read() == by_tag
    assert digest == "sha256:" + hashlib.sha256(by_tag).hexdigest()


async def test_asking_for_the_head_gives_the_digest_alone(
    registry: DemoRegistry, session: aiohttp.ClientSession
) -> None:
    pushed = registry.push("shop/web", "3.0.0")
    async with session.head("/v2/shop/web/manifests/3.0.0") as answer:
        assert answer.headers["Docker-Content-Digest"] == pushed
        assert await answer.read() == b""


async def test_what_a_manifest_points_to_can_be_had(session: aiohttp.ClientSession) -> None:
    async with session.get("/v2/shop/web/manifests/edge") as answer:
        config = (await answer.json(content_type=None))["config"]
    async with session.get(f"/v2/shop/web/blobs/{config['digest']}") as answer:
        content = await answer.read()
    assert len(content) == config["size"]
    assert config["digest"] == "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/v2/", 200),
        ("/v2/shop/nothing/tags/list", 404),
        ("/v2/shop/web/tags/list?n=many", 400),
        ("/v2/shop/web/manifests/0.0.0", 404),
        ("/v2/shop/web/blobs/sha256:00", 404),
    ],
)
async def test_what_is_not_there_is_refused_by_its_status(
    session: aiohttp.ClientSession, address: str, status: int
) -> None:
    async with session.get(address) as answer:
        assert answer.status == status


def test_the_same_tag_built_again_has_another_digest() -> None:
    registry = DemoRegistry()
    first = registry.push("shop/db", "16", build="first")
    assert registry.push("shop/db", "16", build="second") != first
    assert registry.push("shop/db", "16", build="first") == first
