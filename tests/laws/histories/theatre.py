"""Plays many histories on one kind of forge, each on a new repository, and leaves nothing.

PILOTFISH_HISTORIES asks for another number of histories, PILOTFISH_HISTORIES_FROM for another first
seed. A history that breaks a law is made shorter until nothing more can be left out.
"""

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.laws.histories.laws import Violation
from tests.laws.histories.stage import Stage
from tests.laws.histories.steps import Dice, Plot, shorter
from tests.laws.histories.story import Counts, Story

_ASKED = os.environ.get("PILOTFISH_HISTORIES", "")
_FIRST = int(os.environ.get("PILOTFISH_HISTORIES_FROM", "1"))
_MOST_SHORTENED = 60  # plays that one broken law is worth; arbitrary
_ENOUGH = 3  # histories that break a law, to be looked at together
_names = itertools.count(1)


class Theatre:
    """Where histories are played; `make` gives a new repository of this name."""

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
