"""Laws of whole histories of proposals on every forge: I5 to I9, whatever goes wrong.

Twenty histories are drawn for each forge, six on the real Gitea; PILOTFISH_HISTORIES asks for
another number, PILOTFISH_HISTORIES_FROM for another first seed.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.laws.histories.on_gitea import GiteaProxy, OnGitea
from tests.laws.histories.on_github import OnGitHub, WatchedGitHub
from tests.laws.histories.on_gitlab import OnGitLab, WatchedGitLab
from tests.laws.histories.on_plain import OnPlain, WatchedGitHost
from tests.laws.histories.steps import Person, Plot, Publish, Run
from tests.laws.histories.theatre import Theatre
from tests.servers.gitea import Gitea

_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def fast_folder() -> Iterator[Path]:
    """Give a folder in memory where there is one."""
    folder = Path(tempfile.mkdtemp(prefix="histories-", dir=_MEMORY if _MEMORY.is_dir() else None))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def on_github(fast_folder: Path) -> Iterator[Theatre]:
    """Give the test GitHub; an answer that breaks its description fails."""
    host = WatchedGitHub(fast_folder / "github")
    host.start()
    yield Theatre(lambda name: OnGitHub(host, name), fast_folder)
    host.stop()
    assert host.violations == []


@pytest.fixture(scope="module")
def on_gitlab(fast_folder: Path) -> Iterator[Theatre]:
    """Give the test GitLab."""
    host = WatchedGitLab(fast_folder / "gitlab")
    host.start()
    yield Theatre(lambda name: OnGitLab(host, name), fast_folder)
    host.stop()


@pytest.fixture(scope="module")
def on_plain_git(fast_folder: Path) -> Iterator[Theatre]:
    """Give bare repositories."""
    host = WatchedGitHost(fast_folder / "plain")
    host.start()
    yield Theatre(lambda name: OnPlain(host, name), fast_folder)
    host.stop()


@pytest.fixture(scope="module")
def on_gitea(fast_folder: Path, gitea: Gitea) -> Iterator[Theatre]:
    """Give a real Gitea."""
    proxy = GiteaProxy(gitea)
    proxy.start()
    yield Theatre(lambda name: OnGitea(proxy, name), fast_folder)
    proxy.stop()


def test_no_history_on_github_breaks_a_law(on_github: Theatre) -> None:
    on_github.play(20)


def test_no_history_on_gitlab_breaks_a_law(on_gitlab: Theatre) -> None:
    on_gitlab.play(20)


def test_no_history_on_plain_git_breaks_a_law(on_plain_git: Theatre) -> None:
    on_plain_git.play(20)


def test_no_history_on_gitea_breaks_a_law(on_gitea: Theatre) -> None:
    on_gitea.play(6)


# Found by the histories above, and kept in words

FOUND = {
    "a proposal that was closed before any listing showed it stays closed": Plot(
        steps=[Publish(image="web"), Run(lag=2), Person(deed="close")]
    ),
    "a proposal whose body was damaged before it was closed stays closed": Plot(
        steps=[Publish(image="web"), Run(), Person(deed="damage-body"), Person(deed="close")]
    ),
    "what went with a deleted branch does not come back with the rest of its group": Plot(
        grouped=True,
        steps=[
            Publish(image="web"),
            Run(),
            Person(deed="delete-branch"),
            Publish(image="db", size="patch"),
            Run(),
        ],
    ),
    "what a damaged body said stays refused once its branch moves on": Plot(
        grouped=True,
        steps=[
            Publish(image="db"),
            Run(),
            Person(deed="damage-body"),
            Person(deed="close"),
            Publish(image="web"),
        ],
    ),
    "what was asked before a person pushed does not throw their commit away": Plot(
        steps=[Publish(image="web"), Run(), Person(deed="recreate"), Person(deed="push"), Run()]
    ),
    "what is paused stands until the label goes": Plot(
        grouped=True,
        steps=[
            Publish(image="web"),
            Run(),
            Person(deed="pause"),
            Publish(image="web"),
            Publish(image="db"),
            Person(deed="base-same-file"),
            Person(deed="recreate"),
            Run(),
            Run(twice=True),
            Person(deed="resume"),
            Run(),
        ],
    ),
    "a comment that was answered counts as something written": Plot(
        steps=[Publish(image="web"), Run(), Person(deed="push")]
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_once_is_kept_on_github(on_github: Theatre, name: str) -> None:
    assert not on_github.fault_of(FOUND[name])


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_once_is_kept_on_gitlab(on_gitlab: Theatre, name: str) -> None:
    assert not on_gitlab.fault_of(FOUND[name])
