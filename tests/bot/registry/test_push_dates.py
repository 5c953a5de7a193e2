"""Push dates from the registries that tell them, and what stands in when they do not."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import pytest

from bot.registry.client import RegistryClient
from bot.registry.push_dates import KNOWN, PushDates, read_hub, read_quay
from bot.registry.scan import Scanner
from policies.policy import Fact, Facts
from tests.bot.registry.situations import MovedClock
from tests.servers.http_thread import HttpThread, Response, SeenRequest
from tests.servers.odd_registry import OddRegistry

WANTED: Mapping[str, frozenset[Fact]] = {"1": frozenset({Fact.PUSHED})}


class Dates(HttpThread):
    """Tells what `answer` is, of every tag."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = Response(body=b'{"tag_last_pushed": "2026-02-01T00:00:00Z"}')

    def respond(self, request: SeenRequest) -> Response:
        return self.answer


@pytest.fixture
async def dates() -> AsyncIterator[Dates]:
    server = Dates()
    server.start()
    yield server
    server.stop()


async def facts(odd: OddRegistry, dates: Dates) -> Facts:
    source = PushDates(
        name="the test's push date", address=lambda path, tag: f"{dates.url}/x", read=read_hub
    )
    clock = MovedClock()
    async with RegistryClient(clock=clock, push_dates={odd.host: source}) as client:
        return (await Scanner(client, clock).facts(f"{odd.host}/app", WANTED))["1"]


async def test_a_push_date_that_is_told_is_believed_first(
    odd_registry: OddRegistry, dates: Dates
) -> None:
    odd_registry.push_image("app", "1")

    found = await facts(odd_registry, dates)

    assert found.pushed == datetime(2026, 2, 1, tzinfo=UTC)
    assert found.dated_by == "the test's push date"
    assert odd_registry.count("GET", "/app/") == 0


async def test_where_nothing_is_told_the_build_date_is_looked_up(
    odd_registry: OddRegistry, dates: Dates
) -> None:
    odd_registry.push_image("app", "1", created="2026-01-05T00:00:00Z")
    dates.answer = Response(status=404)

    found = await facts(odd_registry, dates)

    assert found.pushed is None
    assert found.created == datetime(2026, 1, 5, tzinfo=UTC)


async def test_a_source_that_is_down_is_not_replaced_by_the_build_date(
    odd_registry: OddRegistry, dates: Dates
) -> None:
    odd_registry.push_image("app", "1")
    dates.answer = Response(status=503)

    found = await facts(odd_registry, dates)

    assert found.pushed is found.created is None
    assert "503" in found.unavailable[Fact.PUSHED]
    assert "503" in found.unavailable[Fact.CREATED]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"name": "1", "tag_last_pushed": "2026-02-01T00:00:00.5Z"}', True),
        (b'{"name": "1", "tag_last_pushed": null, "last_updated": "2026-02-01T00:00:00Z"}', True),
        (b'{"name": "2", "tag_last_pushed": "2026-02-01T00:00:00Z"}', False),
        (b"{}", False),
        (b"[]", False),
        (b"<html>", False),
    ],
)
def test_reads_docker_hubs_answer(body: bytes, *, expected: bool) -> None:
    assert (read_hub(body, "1") is not None) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"tags": [{"name": "1", "last_modified": "Sun, 01 Feb 2026 00:00:00 -0000"}]}', True),
        (b'{"tags": [{"name": "1", "last_modified": 7}]}', False),
        (b'{"tags": [{"name": "2"}, 7]}', False),
        (b'{"tags": null}', False),
    ],
)
def test_reads_quays_answer(body: bytes, *, expected: bool) -> None:
    told = read_quay(body, "1")

    assert told == (datetime(2026, 2, 1, tzinfo=UTC) if expected else None)


def test_known_sources_are_asked_over_https_with_names_quoted() -> None:
    addresses = [source.address("library/app", "a/b") for source in KNOWN.values()]

    assert all(each.startswith("https://") and "a%2Fb" in each for each in addresses)
