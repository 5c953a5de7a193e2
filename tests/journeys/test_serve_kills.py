"""A server that is killed at any moment catches up within two cycles, and does nothing twice."""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.fleet import FILE, deployment, tag_in
from tests.journeys.serving import Server, server_file
from tests.servers.git_host import GitHost
from tests.servers.odd_registry import OddRegistry
from tests.servers.remote import Remote

KILLS = 50 if os.environ.get("PILOTFISH_LAWS") == "long" else 8
REPOSITORIES = 3


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that is gone at the end."""
    made = Server(folder=tmp_path)
    yield made
    made.kill()
    assert made.stray == []


@pytest.fixture
def remotes(git_host: GitHost, odd_registry: OddRegistry) -> list[Remote]:
    """Repositories that each follow an image of their own."""
    made = []
    for number in range(REPOSITORIES):
        odd_registry.push_image(f"shop/app-{number}", "1.0.0")
        image = f"{odd_registry.host}/shop/app-{number}:1.0.0"
        made.append(git_host.create(f"app-{number}", {FILE: deployment(image)}))
    return made


def proposed(remote: Remote) -> dict[str, str]:
    return {
        name: tag_in(remote.read(FILE, name))
        for name in remote.branches()
        if name.startswith("pilotfish/")
    }


def two_cycles(server: Server) -> None:
    """Wait until every repository has been looked after twice since the start."""
    started = max(n for n, one in enumerate(server.log) if one["event"] == "server started")
    for number in range(REPOSITORIES):
        since = started
        for _ in range(2):
            line = server.wait_for_event("errand ended", where=f"app-{number}", since=since)
            since = server.log.index(line, since) + 1


def test_it_catches_up_within_two_cycles_after_any_kill(
    server: Server, remotes: list[Remote], odd_registry: OddRegistry
) -> None:
    dice = random.Random(20260301)
    server.write(server_file(*((one.name, str(one.url_http)) for one in remotes), interval="1s"))
    for round_ in range(1, KILLS + 1):
        server.start()
        tag = f"1.{round_}.0"
        for number in range(REPOSITORIES):
            odd_registry.push_image(f"shop/app-{number}", tag)
        time.sleep(dice.uniform(0.0, 1.2))
        server.kill()
        server.start()
        two_cycles(server)
        for number, remote in enumerate(remotes):
            assert proposed(remote) == {f"pilotfish/shop-app-{number}": tag}
            assert len(remote.log()) == 1, "nothing was written to the base"
        server.kill()
    damaged = [one for one in server.log if one["event"] == "store was damaged"]
    faults = [one for one in server.log if one["event"] == "errand has a fault of ours"]
    assert (damaged, faults) == ([], [])
