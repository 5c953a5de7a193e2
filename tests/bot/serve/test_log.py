"""The server's log: JSON, a line each, no secret, and never in anybody's way."""

import json
import logging
import os
import time
from collections.abc import Iterator

import pytest

from bot.config.secret_refs import Secret
from bot.events import Event, Kind
from bot.serve.metrics import Metrics
from bot.serve.telling import Teller
from bot.telemetry import LogLines, run_id


@pytest.fixture
def pipe() -> Iterator[tuple[int, LogLines]]:
    """The reading end of a pipe that the log of `bot` goes to."""
    reading, writing = os.pipe()
    lines = LogLines(writing)
    logger = logging.getLogger("bot")
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    yield reading, lines
    logger.removeHandler(lines)
    logger.setLevel(logging.NOTSET)
    os.set_blocking(reading, False)
    for _ in range(100_000):
        try:
            if not os.read(reading, 1 << 20) and not lines._thread.is_alive():
                break
        except BlockingIOError:
            if lines._lines.empty():
                break
            time.sleep(0.001)
    lines.close()
    os.close(reading)
    os.close(writing)


def read_lines(reading: int, count: int) -> list[dict[str, object]]:
    text = b""
    while text.count(b"\n") < count:
        text += os.read(reading, 1 << 16)
    return [json.loads(line) for line in text.splitlines()]


def test_a_decision_is_one_line_with_its_run_and_in_plain_words(pipe: tuple[int, LogLines]) -> None:
    run_id.set("r-1")
    Teller(Metrics()).tell(
        Event(
            kind=Kind.PROPOSAL_OPENED,
            where="fleet",
            subject="web",
            reason="there is something newer; web 1.0 to 1.1",
            facts={"branch": "pilotfish/web"},
        )
    )
    (line,) = read_lines(pipe[0], 1)
    run_id.set("")

    assert line["event"] == "proposal opened"
    assert line["says"] == ("fleet: proposal opened, web: there is something newer; web 1.0 to 1.1")
    assert (line["run"], line["level"], line["branch"]) == ("r-1", "info", "pilotfish/web")


def test_what_a_run_repeats_word_for_word_is_a_detail(pipe: tuple[int, LogLines]) -> None:
    teller = Teller(Metrics())
    held = Event(kind=Kind.TAG_HELD, where="fleet", subject="web 2.0", reason="it is too young")
    other = Event(kind=Kind.TAG_HELD, where="fleet", subject="web 2.1", reason="it is too young")
    teller.tell_run("repository/fleet", [held])
    teller.tell_run("repository/fleet", [held, other])
    lines = read_lines(pipe[0], 2)

    assert [one["subject"] for one in lines] == ["web 2.0", "web 2.1"]


def test_no_secret_reaches_the_log(pipe: tuple[int, LogLines]) -> None:
    secret = Secret('canary-4711"\\')
    try:
        json.loads(secret.reveal())
    except ValueError:
        logging.getLogger("bot.test").exception("failed", extra={"why": secret.reveal()})
    text = json.dumps(read_lines(pipe[0], 1))

    assert "canary" not in text
    assert "***" in text


def test_a_reader_that_is_stuck_costs_lines_and_stops_nobody(pipe: tuple[int, LogLines]) -> None:
    reading, lines = pipe
    logger = logging.getLogger("bot.test")
    for number in range(25_000):
        logger.info("a line", extra={"number": number})

    assert lines.dropped > 0
    assert read_lines(reading, 1)[0]["number"] == 0
