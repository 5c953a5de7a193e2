"""Laws of whole histories of proposals on every forge: I5 to I9, whatever goes wrong.

Twenty histories are drawn for each forge, six on the real Gitea. PILOTFISH_HISTORIES asks for
another number, PILOTFISH_HISTORIES_FROM for another first seed. A history that breaks a law is
made shorter until nothing more can be left out.
"""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.laws.histories.laws import Violation
from tests.laws.histories.on_github import OnGitHub, WatchedGitHub
from tests.laws.histories.on_gitlab import OnGitLab, WatchedGitLab
from tests.laws.histories.on_plain import OnPlain, WatchedGitHost
from tests.laws.histories.stage import Stage
from tests.laws.histories.steps import Dice, Plot, shorter
from tests.laws.histories.story import Counts, Story

_ASKED = os.environ.get("PILOTFISH_HISTORIES", "")
_FIRST = int(os.environ.get("PILOTFISH_HISTORIES_FROM", "1"))
_MOST_SHORTENED = int(os.environ.get("PILOTFISH_HISTORIES_SHORTENED", "60"))  # plays; arbitrary
_ENOUGH = 3  # histories that break a law, to be looked at together
_MEMORY = Path("/dev/shm")
_names = itertools.count(1)


class Theatre:
    """Plays histories on one kind of forge, each on a new repository, and leaves nothing."""

    def __init__(self, make: Callable[[str], Stage], folder: Path) -> None:
        self._make = make
        self._folder = folder
        self.counts = Counts()

    def play(self, many: int) -> None:
        """Play so many histories; those that break a law fail, each made as short as can be."""
        broken: list[str] = []
        for seed in range(_FIRST, _FIRST + int(_ASKED or many)):
            plot = Dice(seed).plot()
            fault = self.fault_of(plot)
            if fault:
                broken.append(f"seed {seed}: {self._shortened(plot, fault)}")
            if len(broken) == _ENOUGH:
                break
        print(self.counts)
        if broken:
            pytest.fail("\n\n".join(broken), pytrace=False)

    def fault_of(self, plot: Plot) -> str:
        """Return how a history breaks a law, empty where it does not."""
        stage = self._make(f"app-{next(_names)}")
        try:
            Story(stage, plot, self._folder / "caches", self.counts).play()
        except Violation as fault:
            return str(fault)
        finally:
            shutil.rmtree(stage.bare.folder, ignore_errors=True)
        return ""

    def _shortened(self, plot: Plot, fault: str) -> str:
        left = _MOST_SHORTENED
        law = fault.partition(":")[0]
        tries = shorter(plot)
        while left and (one := next(tries, None)) is not None:
            left -= 1
            found = self.fault_of(one)
            if found.partition(":")[0] == law:
                plot, fault, tries = one, found, shorter(one)
        return fault


@pytest.fixture(scope="module")
def fast_folder() -> Iterator[Path]:
    """Give a folder in memory where there is one."""
    folder = Path(tempfile.mkdtemp(prefix="histories-", dir=_MEMORY if _MEMORY.is_dir() else None))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_no_history_on_github_breaks_a_law(fast_folder: Path) -> None:
    host = WatchedGitHub(fast_folder / "github")
    host.start()
    try:
        Theatre(lambda name: OnGitHub(host, name), fast_folder).play(20)
    finally:
        host.stop()
    assert host.violations == []


def test_no_history_on_gitlab_breaks_a_law(fast_folder: Path) -> None:
    host = WatchedGitLab(fast_folder / "gitlab")
    host.start()
    try:
        Theatre(lambda name: OnGitLab(host, name), fast_folder).play(20)
    finally:
        host.stop()


def test_no_history_on_plain_git_breaks_a_law(fast_folder: Path) -> None:
    host = WatchedGitHost(fast_folder / "plain")
    host.start()
    try:
        Theatre(lambda name: OnPlain(host, name), fast_folder).play(20)
    finally:
        host.stop()
