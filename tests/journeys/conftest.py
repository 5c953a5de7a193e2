"""The command and a small fleet, for every journey."""

from pathlib import Path

import pytest

from tests.journeys.commands import Pilotfish
from tests.journeys.fleet import FILE, PLAIN, Fleet, deployment
from tests.servers.git_host import GitHost
from tests.servers.odd_registry import OddRegistry

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.journey)


@pytest.fixture
def pilotfish(tmp_path: Path) -> Pilotfish:
    """The command in an empty folder with an empty cache."""
    folder = tmp_path / "here"
    folder.mkdir()
    return Pilotfish(folder=folder, cache=tmp_path / "cache")


@pytest.fixture
def fleet(pilotfish: Pilotfish, odd_registry: OddRegistry, git_host: GitHost) -> Fleet:
    """A fleet on 1.0.0 where 1.1.0 and 2.0.0 are published too; proposals on plain Git."""
    image = f"{odd_registry.host}/shop/web:1.0.0"
    remote = git_host.create("fleet", {FILE: deployment(image), ".pilotfish.yaml": PLAIN})
    assert remote.url_http is not None
    pilotfish.repository = remote.url_http
    made = Fleet(registry=odd_registry, host=git_host, remote=remote, run=pilotfish)
    made.publish("1.0.0", "1.1.0", "2.0.0")
    return made
