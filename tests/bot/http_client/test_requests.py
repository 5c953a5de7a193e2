"""One request through the HTTP door: time-outs, caps, retries, parking, TLS, what is sent."""

import asyncio
from dataclasses import replace

import pytest

from bot.errors import ConfigError, UnavailableError
from bot.http_client.client import USER_AGENT, HttpClient
from bot.http_client.exchange import (
    Access,
    Answer,
    BusyError,
    ConnectionFaultError,
    Limits,
    TooLargeError,
)
from bot.http_client.hosts import ParkedHostError
from bot.http_client.proxies import Proxies
from tests.bot.registry.situations import SHORT, MovedClock
from tests.servers.http_thread import HttpThread, Response, SeenRequest
from tests.servers.odd_registry import OddRegistry


def opened(clock: MovedClock | None = None, limits: Limits | None = None) -> HttpClient:
    return HttpClient(clock=clock or MovedClock(), limits=limits, jitter=lambda: 1.0)


async def get(
    client: HttpClient, url: str, *, max_bytes: int = 1 << 20, access: Access | None = None
) -> Answer:
    return await client.request(
        "GET", url, headers={}, max_bytes=max_bytes, access=access or Access()
    )


async def test_asks_for_plain_content_under_our_name(odd_registry: OddRegistry) -> None:
    async with opened() as client:
        answer = await get(client, f"{odd_registry.url}/v2/")

    sent = odd_registry.requests[0].headers
    assert answer.status == 200
    assert sent["user-agent"] == USER_AGENT
    assert sent["accept-encoding"] == "identity"
    assert "cookie" not in sent


async def test_keeps_one_connection_for_many_requests(odd_registry: OddRegistry) -> None:
    async with opened() as client:
        for _ in range(5):
            await get(client, f"{odd_registry.url}/v2/")
        session = next(iter(client._sessions.values()))
        assert session.connector is not None
        assert len(session.connector._conns) == 1


async def test_waits_as_long_as_retry_after_says(odd_registry: OddRegistry) -> None:
    clock = MovedClock()
    odd_registry.say_busy(times=2, retry_after="7")

    async with opened(clock) as client:
        answer = await get(client, f"{odd_registry.url}/v2/")

    assert answer.status == 200
    assert clock.passed_s == 14


async def test_reads_retry_after_as_a_date(odd_registry: OddRegistry) -> None:
    clock = MovedClock()
    odd_registry.say_busy(retry_after="Sun, 01 Mar 2026 12:00:09 GMT", status=503)

    async with opened(clock) as client:
        await get(client, f"{odd_registry.url}/v2/")

    assert clock.passed_s == 9


@pytest.mark.parametrize("asked", ["61", "999999999", "Mon, 01 Mar 2027 12:00:00 GMT"])
async def test_a_longer_wait_is_reported_and_parks_the_host(
    odd_registry: OddRegistry, asked: str
) -> None:
    clock = MovedClock()
    odd_registry.say_busy(retry_after=asked)

    async with opened(clock) as client:
        with pytest.raises(BusyError, match="429") as caught:
            await get(client, f"{odd_registry.url}/v2/")
        with pytest.raises(ParkedHostError, match="429") as parked:
            await get(client, f"{odd_registry.url}/v2/")

    assert (parked.value.cause, parked.value.hint) == (caught.value.cause, caught.value.hint)
    assert caught.value.wait_s is not None
    assert 61 <= caught.value.wait_s <= 3600
    assert clock.slept == []
    assert len(odd_registry.requests) == 1


async def test_tries_five_times_with_growing_pauses(odd_registry: OddRegistry) -> None:
    clock = MovedClock()
    odd_registry.fail(times=9, status=502)

    async with opened(clock) as client:
        with pytest.raises(BusyError, match=r"502, 5 times: <html>bad gateway</html>"):
            await get(client, f"{odd_registry.url}/v2/")

    assert clock.slept == [0.25, 0.5, 1.0, 2.0]
    assert len(odd_registry.requests) == 5


async def test_recovers_from_a_connection_that_breaks(odd_registry: OddRegistry) -> None:
    odd_registry.drop(times=2)

    async with opened() as client:
        answer = await get(client, f"{odd_registry.url}/v2/")

    assert answer.status == 200


async def test_what_is_not_safe_to_repeat_is_not_repeated(odd_registry: OddRegistry) -> None:
    odd_registry.fail()

    async with opened() as client:
        with pytest.raises(BusyError):
            await client.request(
                "POST", f"{odd_registry.url}/v2/", headers={}, body=b"x", max_bytes=100
            )

    assert len(odd_registry.requests) == 1


async def test_three_failures_in_a_row_park_a_host_and_its_time_ends_it(
    odd_registry: OddRegistry,
) -> None:
    clock = MovedClock()
    odd_registry.fail(times=3)

    async with opened(clock, Limits(retries=0)) as client:
        for _ in range(3):
            with pytest.raises(BusyError):
                await get(client, f"{odd_registry.url}/v2/")
        with pytest.raises(ParkedHostError, match="503"):
            await get(client, f"{odd_registry.url}/v2/")
        clock.passed_s += 30.1
        answer = await get(client, f"{odd_registry.url}/v2/")

    assert answer.status == 200


async def test_a_host_that_never_answers_is_given_up(odd_registry: OddRegistry) -> None:
    odd_registry.hang(times=2)

    async with opened(limits=SHORT) as client:
        with pytest.raises(ConnectionFaultError, match="no whole answer") as caught:
            await get(client, f"{odd_registry.url}/v2/")

    assert caught.value.stage == "time"


async def test_a_body_that_drips_is_given_up_in_all(odd_registry: OddRegistry) -> None:
    odd_registry.push_tags("app", [f"t{n}" for n in range(100)])
    odd_registry.drip(bytes_per_chunk=8, delay_s=0.05)

    async with opened(limits=replace(SHORT, retries=0)) as client:
        with pytest.raises(ConnectionFaultError, match="no whole answer"):
            await get(client, f"{odd_registry.url}/v2/app/tags/list")


async def test_a_slow_host_does_not_hold_up_another(
    odd_registry: OddRegistry, odd_registry_elsewhere: OddRegistry
) -> None:
    odd_registry.hang(times=9)

    async with opened(limits=replace(SHORT, retries=0)) as client, asyncio.TaskGroup() as group:
        slow = [group.create_task(_outcome(client, f"{odd_registry.url}/v2/{n}")) for n in range(9)]
        good = await get(client, f"{odd_registry_elsewhere.url}/v2/")
        assert not any(task.done() for task in slow)

    assert good.status == 200
    assert all(isinstance(task.result(), UnavailableError) for task in slow)


async def _outcome(client: HttpClient, url: str) -> object:
    try:
        return await get(client, url)
    except UnavailableError as error:
        return error


async def test_a_body_over_its_cap_is_refused(odd_registry: OddRegistry) -> None:
    odd_registry.oversize("/v2/", 2000)

    async with opened() as client:
        with pytest.raises(TooLargeError, match="1,000 bytes"):
            await get(client, f"{odd_registry.url}/v2/", max_bytes=1000)


async def test_an_error_page_is_cut_not_refused(odd_registry: OddRegistry) -> None:
    odd_registry.forget("/v2/gone")
    odd_registry.oversize("/v2/gone", 1 << 20)

    async with opened() as client:
        answer = await get(client, f"{odd_registry.url}/v2/gone")

    assert answer.status == 404
    assert len(answer.body) <= 8 << 10


class Echoing(HttpThread):
    """Complains, and repeats what proof it was shown."""

    def respond(self, request: SeenRequest) -> Response:
        return Response(status=503, body=f"no: {request.headers['authorization']}".encode())


async def test_an_error_that_repeats_our_credential_is_masked() -> None:
    server = Echoing()
    server.start()
    try:
        async with opened() as client:
            with pytest.raises(BusyError) as caught:
                await client.request(
                    "GET",
                    server.url,
                    headers={"Authorization": "Bearer canary-token"},
                    max_bytes=1000,
                )
    finally:
        server.stop()

    assert "canary-token" not in str(caught.value)
    assert "no: Bearer ***" in str(caught.value)


class Compressing(HttpThread):
    """Answers in gzip whatever is asked for."""

    def respond(self, request: SeenRequest) -> Response:
        return Response(headers=[("Content-Encoding", "gzip")], body=b"\x1f\x8b" + bytes(100))


async def test_compressed_answers_are_refused_unread() -> None:
    server = Compressing()
    server.start()
    try:
        async with opened() as client:
            with pytest.raises(TooLargeError, match="gzip"):
                await get(client, server.url)
    finally:
        server.stop()


async def test_no_more_at_once_than_allowed(odd_registry: OddRegistry) -> None:
    running = {"now": 0, "most": 0}
    answer = odd_registry.respond

    def count(request: SeenRequest) -> Response | None:
        running["now"] += 1
        running["most"] = max(running["most"], running["now"])
        odd_registry.pause(0.02)
        running["now"] -= 1
        return answer(request)

    odd_registry.respond = count  # type: ignore[method-assign]  # this server alone counts
    async with opened() as client, asyncio.TaskGroup() as group:
        for _ in range(12):
            group.create_task(get(client, f"{odd_registry.url}/v2/", access=Access(concurrency=3)))

    assert running["most"] <= 3


async def test_keeps_to_a_rate(odd_registry: OddRegistry) -> None:
    clock = MovedClock()

    async with opened(clock) as client:
        for _ in range(25):
            await get(client, f"{odd_registry.url}/v2/", access=Access(rate_per_s=10))

    assert clock.passed_s == pytest.approx(1.5, abs=0.2)


@pytest.mark.parametrize(
    "url",
    ["ftp://host/", "http://user:word@host/", "http://", "http://ho st/", "http://host:99999/"],
)
async def test_addresses_that_cannot_be_asked_are_configuration_errors(url: str) -> None:
    async with opened() as client:
        with pytest.raises(ConfigError, match="no address that can be asked"):
            await get(client, url)


async def test_a_missing_authority_file_is_a_configuration_error() -> None:
    async with opened() as client:
        with pytest.raises(ConfigError, match="certificate authorities cannot be used"):
            await get(client, "https://127.0.0.1:1/", access=Access(ca="/nowhere.pem"))


class Proxy(HttpThread):
    """Answers for everyone."""

    def respond(self, request: SeenRequest) -> Response:
        return Response(body=b"by proxy")


async def test_a_proxy_is_used_where_it_is_named() -> None:
    proxy = Proxy()
    proxy.start()
    try:
        async with opened() as client:
            by_host = await get(
                client, "http://registry.example/v2/", access=Access(proxy=proxy.url)
            )
        proxies = Proxies.from_environment({"HTTP_PROXY": proxy.url, "NO_PROXY": "other.example"})
        async with HttpClient(clock=MovedClock(), proxies=proxies) as client:
            by_environment = await get(client, "http://registry.example/v2/")
    finally:
        proxy.stop()

    assert by_host.body == by_environment.body == b"by proxy"


async def test_the_environment_is_not_read_behind_our_back(
    odd_registry: OddRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    async with opened() as client:
        answer = await get(client, f"{odd_registry.url}/v2/")

    assert answer.status == 200
