"""One request at a time, at the forge's pace: what is repeated, waited for and refused."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from bot.errors import UnavailableError
from bot.forges.forge import RateLimitedError
from bot.forges.sync_door import Ask, CutError, Gate, Reply, SyncDoor, asked_wait_s

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
READ = Ask(method="GET", path="/one")
WRITE = Ask(method="POST", path="/one")
GOOD = Reply(status=200, headers={}, text="{}")


class PassingClock:
    """Passes every wait at once and notes it."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.seconds = 50.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds - 50.0)

    def monotonic_s(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds


class Far:
    """The other side: gives these answers, one a request, the last one for ever."""

    def __init__(self, *answers: Reply | CutError) -> None:
        self.answers = answers
        self.asked: list[Ask] = []

    def __call__(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        found = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(found, CutError):
            raise CutError(found.what, sent=found.sent)
        return found


def status(number: int, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=number, headers=named, text="")


def door_to(far: Far, clock: PassingClock, gate: Gate | None = None) -> SyncDoor:
    return SyncDoor(far, clock=clock, gate=gate or Gate(clock), where="forge.test/o/n")


@pytest.mark.parametrize("fault", [CutError("cut"), status(500), status(502), status(408)])
async def test_a_read_is_asked_again_until_it_is_answered(fault: Reply | CutError) -> None:
    far, clock = Far(fault, fault, GOOD), PassingClock()
    door = door_to(far, clock)

    assert await door.ask(READ) == GOOD

    assert (door.requests, clock.waits) == (3, [1.0, 2.0])


async def test_a_read_is_given_up_after_three_tries() -> None:
    door = door_to(Far(status(502)), PassingClock())

    with pytest.raises(UnavailableError, match=r"forge\.test/o/n: the forge answered 502\. "):
        await door.ask(READ)

    assert door.requests == 3


@pytest.mark.parametrize("fault", [CutError("cut"), status(502)])
async def test_a_write_is_never_sent_twice(fault: Reply | CutError) -> None:
    far = Far(fault, GOOD)

    with pytest.raises(UnavailableError):
        await door_to(far, PassingClock()).ask(WRITE)

    assert len(far.asked) == 1


async def test_a_failed_write_says_that_it_may_have_been_done() -> None:
    with pytest.raises(UnavailableError, match="may have been done all the same"):
        await door_to(Far(status(502)), PassingClock()).ask(WRITE)


async def test_a_write_that_may_be_repeated_is() -> None:
    far = Far(CutError("cut"), GOOD)

    again = Ask(method="PATCH", path="/one", repeatable=True)

    assert await door_to(far, PassingClock()).ask(again) == GOOD


async def test_a_write_that_never_left_is_sent_again() -> None:
    far = Far(CutError("no connection", sent=False), GOOD)

    assert await door_to(far, PassingClock()).ask(WRITE) == GOOD


async def test_writes_keep_their_distance_and_reads_do_not() -> None:
    clock = PassingClock()
    door = door_to(Far(GOOD), clock, Gate(clock, pace_s=1.0))

    for ask in (WRITE, READ, WRITE, WRITE, READ):
        await door.ask(ask)

    assert clock.waits == [1.0, 1.0]


async def test_doors_that_share_a_gate_share_its_pace() -> None:
    clock = PassingClock()
    gate = Gate(clock, pace_s=1.0)

    await door_to(Far(GOOD), clock, gate).ask(WRITE)
    await door_to(Far(GOOD), clock, gate).ask(WRITE)

    assert clock.waits == [1.0]


async def test_a_short_limit_is_waited_for_even_by_a_write() -> None:
    far, clock = Far(status(429, retry_after="7"), GOOD), PassingClock()

    assert await door_to(far, clock).ask(WRITE) == GOOD

    assert clock.waits == [7.0]


async def test_a_long_limit_stops_everything_without_asking() -> None:
    far, clock = Far(status(429, retry_after="600")), PassingClock()
    gate = Gate(clock)

    with pytest.raises(RateLimitedError) as first:
        await door_to(far, clock, gate).ask(READ)
    with pytest.raises(RateLimitedError) as second:
        await door_to(far, clock, gate).ask(WRITE)

    assert (first.value.wait_s, second.value.wait_s) == (600.0, 600.0)
    assert len(far.asked) == 1


async def test_after_a_long_limit_it_goes_on() -> None:
    far, clock = Far(status(429, retry_after="600"), GOOD), PassingClock()
    door = door_to(far, clock)
    with pytest.raises(RateLimitedError):
        await door.ask(READ)

    clock.seconds += 600

    assert await door.ask(READ) == GOOD


async def test_a_limit_without_a_word_is_waited_for_ever_longer() -> None:
    far, clock = Far(status(429)), PassingClock()
    door = door_to(far, clock)
    stops = []

    for _ in range(4):
        with pytest.raises(RateLimitedError) as stopped:
            await door.ask(READ)
        assert stopped.value.wait_s is not None
        stops.append(stopped.value.wait_s)
        clock.seconds += stopped.value.wait_s

    assert clock.waits == [60.0]
    assert stops == [120.0, 240.0, 480.0, 960.0]


async def test_a_good_answer_ends_the_growing() -> None:
    far, clock = Far(status(429), GOOD, status(429), GOOD), PassingClock()
    door = door_to(far, clock)

    await door.ask(READ)
    await door.ask(READ)

    assert clock.waits == [60.0, 60.0]


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "999999"}, 3600.0),
        ({"retry-after": "Mon, 02 Mar 2026 09:00:30 GMT"}, 30.0),
        ({"retry-after": "Mon, 02 Mar 2026 08:00:00 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1772442045"}, 45.0),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "1772442045"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1772441000"}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "1772442005"}, 5.0),
        ({"x-ratelimit-remaining": "0"}, None),
        ({}, None),
    ],
)
def test_how_long_a_limit_lasts(headers: dict[str, str], wait_s: float | None) -> None:
    assert asked_wait_s(Reply(status=429, headers=headers, text=""), START) == wait_s


async def test_no_two_requests_are_ever_under_way() -> None:
    under_way: set[int] = set()
    most: list[int] = []

    def send(ask: Ask) -> Reply:
        under_way.add(threading.get_ident())
        most.append(len(under_way))
        threading.Event().wait(0.005)
        under_way.discard(threading.get_ident())
        return GOOD

    clock = PassingClock()
    door = SyncDoor(send, clock=clock, gate=Gate(clock), where="forge.test")
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(door.ask(READ))

    assert max(most) == 1


def texts(asked: Sequence[Ask]) -> str:
    return " ".join(map(repr, asked))


def test_an_authorization_is_not_printed() -> None:
    assert "c4n4ry" not in texts([Ask(method="GET", path="/", authorization="Bearer c4n4ry")])
