"""The test GitHub, asked by PyGithub: what it answers is what GitHub would."""

from collections.abc import Callable
from typing import Any

import github as library
import pytest

from tests.servers.github import GitHub
from tests.servers.github_repository import GitHubRepository
from tests.servers.github_state import Account

Connect = Callable[..., Any]
_FILES = {"app.yaml": "image: app:1.0\n", "README.md": "Read me.\n"}
_MAY = {"contents": "write", "pull_requests": "write", "issues": "write", "statuses": "write"}


@pytest.fixture
def robot(github: GitHub) -> Account:
    return github.create_account("robot")


@pytest.fixture
def person(github: GitHub) -> Account:
    return github.create_account("person")


@pytest.fixture
def fleet(github: GitHub, robot: Account, person: Account) -> GitHubRepository:
    return github.create_repository("apps", _FILES, roles={robot: "write", person: "write"})


@pytest.fixture
def connect(github: GitHub) -> Connect:
    def make(token: str) -> library.Github:
        return _library(github, library.Auth.Token(token))

    return make


def _library(host: GitHub, auth: Any) -> library.Github:
    return library.Github(
        base_url=host.api_url,
        auth=auth,
        timeout=10,
        retry=None,
        seconds_between_requests=0,
        seconds_between_writes=0,
    )


@pytest.fixture
def ours(connect: Connect, robot: Account, fleet: GitHubRepository) -> Any:
    """The repository as the robot's client sees it."""
    return connect(robot.token).get_repo(fleet.full_name)


def _branch(fleet: GitHubRepository, name: str = "update", text: str = "image: app:1.1\n") -> str:
    return fleet.push({"app.yaml": text}, f"Update to {text[11:14]}", branch=name, start="main")


def _open(ours: Any, fleet: GitHubRepository, name: str = "update", **more: Any) -> Any:
    _branch(fleet, name, f"image: app:1.1 # {name}\n")
    return ours.create_pull(base="main", head=name, title=f"Update {name}", body="Text", **more)


def test_a_pull_request_is_opened_read_and_listed(ours: Any, fleet: GitHubRepository) -> None:
    head = _branch(fleet)

    made = ours.create_pull(base="main", head="update", title="Update app", body="Why")

    assert (made.number, made.state, made.user.login, made.head.sha) == (1, "open", "robot", head)
    assert ours.get_pull(1).body == "Why"
    assert [each.number for each in ours.get_pulls(state="open", head="fleet:update")] == [1]
    assert list(ours.get_pulls(state="all", head="fleet:other")) == []
