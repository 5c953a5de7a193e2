"""Where we may be sent: redirects keep no secret across origins, addresses are checked."""

from collections.abc import Iterator

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from bot.errors import RefusedError
from bot.http_client.addresses import AddressGuard, address_of, is_forbidden
from bot.http_client.client import HttpClient
from bot.http_client.exchange import (
    Access,
    AddressRefusedError,
    Answer,
    ConnectionFaultError,
    RedirectRefusedError,
    headers_for,
    next_hop,
)
from tests.bot.registry.situations import MovedClock
from tests.servers.http_thread import HttpThread, Response, SeenRequest

SECRETS = {
    "Authorization": "Bearer canary",
    "PRIVATE-TOKEN": "canary",
    "Cookie": "canary=1",
    "Proxy-Authorization": "Basic canary",
    "X-Anything": "canary",
}
HARMLESS = {"Accept": "text/plain", "Range": "bytes=0-9"}


class Redirecting(HttpThread):
    """Sends `/go` to `location` with `status`; answers everything else."""

    def __init__(self) -> None:
        super().__init__()
        self.location = ""
        self.status = 302

    def respond(self, request: SeenRequest) -> Response:
        if request.path.startswith("/go"):
            return Response(status=self.status, headers=[("Location", self.location)])
        return Response(body=b"there")


@pytest.fixture
def first() -> Iterator[Redirecting]:
    yield from _started()


@pytest.fixture
def second() -> Iterator[Redirecting]:
    yield from _started()


def _started() -> Iterator[Redirecting]:
    server = Redirecting()
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_another_origin_gets_nothing_but_accept_and_range(
    first: Redirecting, second: Redirecting, status: int
) -> None:
    first.status, first.location = status, f"{second.url}/there"

    async with HttpClient(clock=MovedClock()) as client:
        answer = await client.request(
            "GET", f"{first.url}/go", headers=SECRETS | HARMLESS, max_bytes=100
        )

    got = second.requests[0].headers
    assert answer.body == b"there"
    assert got["accept"] == "text/plain"
    assert got["range"] == "bytes=0-9"
    assert "canary" not in str(got)


async def test_the_same_origin_keeps_its_headers(first: Redirecting) -> None:
    first.location = "/there"

    async with HttpClient(clock=MovedClock()) as client:
        await client.request("GET", f"{first.url}/go", headers=SECRETS, max_bytes=100)

    assert first.requests[1].headers["authorization"] == "Bearer canary"


async def test_secrets_do_not_come_back_with_a_second_hop(
    first: Redirecting, second: Redirecting
) -> None:
    first.location, second.location = f"{second.url}/go", f"{first.url}/there"

    async with HttpClient(clock=MovedClock()) as client:
        await client.request("GET", f"{first.url}/go", headers=SECRETS, max_bytes=100)

    assert "canary" not in str(first.requests[1].headers)


async def test_more_than_three_hops_are_too_many(first: Redirecting) -> None:
    first.location = "/go"

    async with HttpClient(clock=MovedClock()) as client:
        with pytest.raises(RedirectRefusedError, match="more than 3 times"):
            await client.request("GET", f"{first.url}/go", headers={}, max_bytes=100)

    assert len(first.requests) == 4


@pytest.mark.parametrize("location", ["", "ftp://host/x", "http://user:word@host/", "http://a b/"])
async def test_a_redirect_to_nowhere_is_refused(first: Redirecting, location: str) -> None:
    first.location = location

    async with HttpClient(clock=MovedClock()) as client:
        with pytest.raises(RedirectRefusedError, match="without a place we can go to"):
            await client.request("GET", f"{first.url}/go", headers={}, max_bytes=100)


def test_a_redirect_from_https_to_plain_http_is_refused() -> None:
    headers = CIMultiDictProxy(CIMultiDict({"Location": "http://a.example/x"}))
    answer = Answer(status=302, url="https://a.example/x", headers=headers, body=b"")

    with pytest.raises(RedirectRefusedError, match="from https to plain http"):
        next_hop(answer.url, answer, 1)


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest", "http://[fe80::1]/x"])
async def test_a_redirect_to_a_metadata_address_is_refused(first: Redirecting, target: str) -> None:
    first.location = target

    async with HttpClient(clock=MovedClock()) as client:
        with pytest.raises(AddressRefusedError, match="link-local or metadata"):
            await client.request("GET", f"{first.url}/go", headers={}, max_bytes=100)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("https://a/x", "https://a:444/x"),
        ("https://a/x", "http://a/x"),
        ("https://a/x", "https://a.evil/x"),
        ("https://a/x", "https://A./x"),
    ],
)
def test_an_origin_is_scheme_host_and_port(here: str, there: str) -> None:
    assert headers_for(here, there, SECRETS) == {}


@pytest.mark.parametrize(
    "found",
    [
        ["93.184.215.14", "127.0.0.1"],
        ["10.0.0.7"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["fd12::1"],
        ["0.0.0.0"],
    ],
)
async def test_every_address_of_a_place_we_are_sent_to_is_checked(found: list[str]) -> None:
    async def look_up(host: str, port: int) -> list[str]:
        return {"registry.example": ["93.184.215.14"]}.get(host, found)

    guard = AddressGuard(look_up)

    with pytest.raises(AddressRefusedError):
        await guard.resolve("cdn.example", 443, 0, private_too=False)


async def test_a_name_that_changes_its_address_is_checked_each_time() -> None:
    answers = iter([["93.184.215.14"], ["169.254.169.254"]])

    async def look_up(host: str, port: int) -> list[str]:
        return next(answers)

    guard = AddressGuard(look_up)
    good = await guard.resolve("cdn.example", 443, 0, private_too=False)

    assert [each["host"] for each in good] == ["93.184.215.14"]
    with pytest.raises(AddressRefusedError):
        await guard.resolve("cdn.example", 443, 0, private_too=True)


async def test_a_name_without_an_address_is_an_error() -> None:
    async def look_up(host: str, port: int) -> list[str]:
        return []

    async with HttpClient(clock=MovedClock(), lookup=look_up) as client:
        with pytest.raises(ConnectionFaultError, match="name cannot be resolved") as caught:
            await client.request("GET", "http://nowhere.example/", headers={}, max_bytes=10)

    assert caught.value.stage == "name"


async def test_a_public_host_cannot_send_us_into_the_private_net(first: Redirecting) -> None:
    async def look_up(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with HttpClient(clock=MovedClock(), lookup=look_up) as client:
        with pytest.raises(RefusedError, match="a private address"):
            await client.request(
                "GET",
                f"http://inside.example:{first.host.rpartition(':')[2]}/there",
                headers={},
                max_bytes=100,
                access=Access(asked_by="registry.example"),
            )

    assert first.requests == []


async def test_a_private_host_may_send_us_to_its_neighbours(first: Redirecting) -> None:
    async with HttpClient(clock=MovedClock()) as client:
        answer = await client.request(
            "GET",
            f"{first.url}/there",
            headers={},
            max_bytes=100,
            access=Access(asked_by="10.0.0.5"),
        )

    assert answer.status == 200


@pytest.mark.parametrize(
    ("host", "forbidden"),
    [
        ("169.254.169.254", True),
        ("::ffff:169.254.169.254", True),
        ("fe80::1%eth0", True),
        ("fd00:ec2::254", True),
        ("100.100.100.200", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
    ],
)
def test_some_addresses_are_never_asked(host: str, *, forbidden: bool) -> None:
    address = address_of(host)

    assert address is not None
    assert is_forbidden(address) is forbidden
