"""What a history is made of, and how one is drawn from a seed: short, and never without a run."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from tests.bot.forges.harness import Who
from tests.laws.histories.wire import Harm, Kind

IMAGES = ("web", "api", "db")
Size = Literal["patch", "minor", "major"]
Deed = Literal[
    "merge",
    "squash",
    "close",
    "reopen",
    "push",
    "delete-branch",
    "retarget",
    "pause",
    "resume",
    "damage-body",
    "add-to-body",
    "hold",
    "unhold",
    "rebase",
    "recreate",
    "explain",
    "base-unrelated",
    "base-same-file",
    "base-adopts",
    "base-reverts",
    "squat",
    "open-own",
    "checks-pass",
    "checks-fail",
]
Opening = Literal["immediate", "after-checks", "quiet"]
_DEEDS: dict[Deed, int] = {
    "merge": 3,
    "squash": 3,
    "close": 6,
    "reopen": 4,
    "push": 5,
    "delete-branch": 3,
    "retarget": 1,
    "pause": 3,
    "resume": 5,
    "damage-body": 2,
    "add-to-body": 1,
    "hold": 2,
    "unhold": 2,
    "rebase": 2,
    "recreate": 4,
    "explain": 1,
    "base-unrelated": 1,
    "base-same-file": 3,
    "base-adopts": 2,
    "base-reverts": 3,
    "squat": 1,
    "open-own": 1,
}
_ON_PROPOSALS: dict[Deed, int] = {
    "push": 4,
    "close": 4,
    "delete-branch": 2,
    "damage-body": 2,
    "pause": 3,
    "merge": 2,
    "squash": 1,
    "recreate": 1,
    "retarget": 1,
}
_KINDS: tuple[Kind, ...] = (
    "crash-after",
    "crash-before",
    "lose-answer",
    "lose-request",
    "act-before",
    "act-before",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """A newer tag of an image appears."""

    image: str
    size: Size = "minor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person does something: `which` counts what it may be done to, newest first."""

    deed: Deed
    which: int = 0
    by: Who = "writer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of ours, or two at once; `meanwhile` is what a person does at an `act` of harm."""

    harm: Harm | None = None
    twice: bool = False
    lag: int = 0
    meanwhile: Person | None = None


Step = Publish | Person | Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """How a repository is set up, and what happens there.

    `foreign`: a branch under our prefix is there that we never made. `opening` is when something
    is proposed, or that it is merged without.
    """

    grouped: bool = False
    dashboard: bool = False
    foreign: bool = False
    opening: Opening = "immediate"
    steps: list[Step] = field(default_factory=list)


class Dice:
    """Draws one history from a seed, the same each time."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def plot(self) -> Plot:
        """Return a history of four to eight steps behind a first tag."""
        dice = self._random
        steps: list[Step] = [Publish(image=one) for one in dice.sample(IMAGES, dice.randint(1, 3))]
        steps += [self._run(0.3)]
        while len(steps) < dice.randint(5, 9):
            steps += self._scene() if dice.random() < 0.4 else [self._step()]
        plot = Plot(
            grouped=dice.random() < 0.4,
            dashboard=dice.random() < 0.15,
            foreign=dice.random() < 0.2,
            steps=self._run_on(steps),
        )
        if dice.random() < 0.7:
            return plot
        opening: Opening = "quiet" if dice.random() < 0.6 else "after-checks"
        return replace(plot, opening=opening, steps=self._checked(plot.steps))

    def _checked(self, steps: list[Step]) -> list[Step]:
        """Let checks end behind most runs."""
        found: list[Step] = []
        for one in steps:
            found.append(one)
            if isinstance(one, Run) and self._random.random() < 0.7:
                deed: Deed = "checks-fail" if self._random.random() < 0.2 else "checks-pass"
                found += [Person(deed=deed, which=self._random.randint(0, 2))]
                found += [self._run(0.3)] if self._random.random() < 0.6 else []
        return found

    def _run_on(self, steps: list[Step]) -> list[Step]:
        """Let most deeds of persons be followed by a run, so that something comes of them."""
        found: list[Step] = []
        for one in steps:
            found.append(one)
            if isinstance(one, Person) and self._random.random() < 0.4:
                found.append(self._run(0.5))
        return found

    def _scene(self) -> list[Step]:
        """Return a deed on a proposal, then something newer, then what we make of both."""
        dice = self._random
        (deed,) = dice.choices(list(_ON_PROPOSALS), list(_ON_PROPOSALS.values()))
        before: list[Step] = [Person(deed=deed, which=dice.randint(0, 2))]
        before += [self._run(0.5)] if dice.random() < 0.4 else []
        newer = dice.sample(IMAGES, dice.randint(1, 3))
        scene = [*before, *(Publish(image=one) for one in newer), self._run(0.6)]
        if deed == "pause":
            scene += [Person(deed="resume"), self._run(0.6)]
        return scene

    def _step(self) -> Step:
        drawn = self._random.random()
        if drawn < 0.5:
            return self._person()
        if drawn < 0.7:
            image = self._random.choice(IMAGES)
            return Publish(image=image, size=self._random.choice(["minor", "patch", "major"]))
        return self._run(0.6)

    def _person(self) -> Person:
        dice = self._random
        (deed,) = dice.choices(list(_DEEDS), list(_DEEDS.values()))
        by: Who = "outsider" if dice.random() < 0.2 else "writer"
        return Person(deed=deed, which=dice.randint(0, 2), by=by)

    def _run(self, harmed: float) -> Run:
        dice = self._random
        twice = dice.random() < 0.2
        lag = 2 if dice.random() < 0.2 else 0
        harm = self._harm() if dice.random() < harmed else None
        if harm and twice and harm.kind.startswith("crash"):
            harm = replace(harm, kind="lose-answer")  # two runs do not die at one moment
        meanwhile = self._person() if harm and harm.kind == "act-before" else None
        return Run(harm=harm, twice=twice, lag=lag, meanwhile=meanwhile)

    def _harm(self) -> Harm:
        dice = self._random
        kind = dice.choice(_KINDS)
        if kind in {"crash-before", "act-before"} and dice.random() < 0.5:
            return Harm(kind=kind, at=dice.randint(1, 14), writes=False)
        return Harm(kind=kind, at=dice.choice([1, 1, 2, 2, 3, 3, 4, 5, 6]))


def shorter(plot: Plot) -> Iterator[Plot]:
    """Return the same history with less in it, the shortest first."""
    steps = plot.steps
    for length in range(1, len(steps)):
        yield replace(plot, steps=steps[:length])
    for at in range(len(steps)):
        yield replace(plot, steps=[*steps[:at], *steps[at + 1 :]])
    for at, step in enumerate(steps):
        if isinstance(step, Run) and step != Run():
            yield replace(plot, steps=[*steps[:at], Run(), *steps[at + 1 :]])
    if plot.grouped:
        yield replace(plot, grouped=False)
    if plot.foreign:
        yield replace(plot, foreign=False)
    if plot.opening != "immediate":
        yield replace(plot, opening="immediate")
    if plot.dashboard:
        yield replace(plot, dashboard=False)
