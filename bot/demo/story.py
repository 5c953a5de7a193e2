"""The story of the demo: chapters of things that happen, commands, and one question.

A tag travels from the registry through a policy and an edit into a proposal; a newer one
refreshes it; a person merges it and takes it back, which holds it; something newer ends the
hold. The story is plain values: what is shown and what is run are the same.

Must not know how it is shown.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bot.demo.commands import Command
from bot.demo.fleet import BASE

if TYPE_CHECKING:
    from bot.demo.commands import Ran, Shell
    from bot.demo.registry import DemoRegistry

PROPOSAL = "pilotfish/shop-web"


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Somebody pushes an image to the registry."""

    repository: str
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The story goes on when a person presses a key.

    With `must_be_yes` it is asked whenever it is in the story, and only a yes goes on.
    """

    text: str
    must_be_yes: bool = False


Step = Command | Push | Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A heading, a few sentences, and what happens."""

    heading: str
    prose: str
    steps: tuple[Step, ...]


class Teller(Protocol):
    """Shows the story, and asks."""

    def chapter(self, number: int, chapter: Chapter) -> None:
        """Begin a chapter."""

    def pushed(self, image: str) -> None:
        """Say that somebody pushed `image`."""

    def typed(self, command: Command) -> None:
        """Show a command that is about to run."""

    def printed(self, ran: Ran) -> None:
        """Show what a command printed."""

    async def asked(self, question: Question) -> bool:
        """Ask, and return whether to go on."""


def _do(line: str) -> Command:
    return Command(words=tuple(line.split()))


def _look(line: str) -> Command:
    return Command(words=tuple(line.split()), looks=True)


STORY: tuple[Chapter, ...] = (
    Chapter(
        heading="A small fleet in Git, and a registry",
        prose="Both are on this computer, in a temporary folder. The comment behind an image says "
        "what may follow it: a policy right there, or one that .pilotfish.yaml names.",
        steps=(
            _look("cat apps/web.yaml"),
            _look("cat .pilotfish.yaml"),
            _look("pilotfish scan ."),
            _look("pilotfish scan . --outdated"),
        ),
    ),
    Chapter(
        heading="What would change, and why",
        prose="2.0.0 is newer, yet the policy says ^1.4. Nothing is written yet.",
        steps=(_look("pilotfish plan"),),
    ),
    Chapter(
        heading="Proposals, one for each policy",
        prose="Without a forge a branch is the proposal. In its diff nothing changes but the tag; "
        "its message has the reason.",
        steps=(
            _do("pilotfish run"),
            _do("git fetch --quiet"),
            _do(f"git show --format=%B origin/{PROPOSAL}"),
        ),
    ),
    Chapter(
        heading="A newer tag refreshes the proposal",
        prose="The branch is set anew in place; there is still one proposal, of one commit.",
        steps=(
            Push(repository="shop/web", tag="1.5.0"),
            _do("pilotfish run"),
            _do("git fetch --quiet"),
            _do(f"git log --oneline {BASE}..origin/{PROPOSAL}"),
        ),
    ),
    Chapter(
        heading="You merge",
        prose="You decide when. The next run finds the base caught up and deletes the branches.",
        steps=(
            Question(text="Press any key to merge, or q to end here."),
            _do("git merge --quiet origin/pilotfish/api"),
            _do("git merge --quiet --no-edit origin/pilotfish/digests"),
            _do(f"git merge --no-edit origin/{PROPOSAL}"),
            _do("git push --quiet"),
            _do("pilotfish run"),
        ),
    ),
    Chapter(
        heading="You take it back, and it stays back",
        prose="1.5.0 was bad. A revert in Git is all it takes: what you took back is held, and "
        "every run that follows respects it.",
        steps=(
            _do("git revert --no-edit --mainline 1 HEAD"),
            _do("git push --quiet"),
            _do("pilotfish run"),
            _look("pilotfish holds"),
            _look("pilotfish explain shop/web"),
        ),
    ),
    Chapter(
        heading="A strictly newer tag ends the hold",
        prose="1.5.1 is above what was taken back, so it is proposed.",
        steps=(
            Push(repository="shop/web", tag="1.5.1"),
            _do("pilotfish run"),
        ),
    ),
)


async def tell(
    story: tuple[Chapter, ...], *, shell: Shell, registry: DemoRegistry, teller: Teller
) -> bool:
    """Tell the whole story; return whether it was told to its end.

    Commands that only look, one after the other, run at once; they are shown in their order.

    Raises:
        DemoCommandError: A command did not end well; the story stops there.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            telling = _Telling(story=story, shell=shell, registry=registry, tasks=tasks)
            return await telling.tell(teller)
    except ExceptionGroup as faults:
        raise faults.exceptions[0] from None  # the first that failed stops the story


@dataclass(slots=True, kw_only=True)
class _Telling:
    """The story under way. Commands are counted by their place among all steps."""

    story: tuple[Chapter, ...]
    shell: Shell
    registry: DemoRegistry
    tasks: asyncio.TaskGroup
    running: dict[int, asyncio.Task[Ran]] = field(default_factory=dict)

    async def tell(self, teller: Teller) -> bool:
        place = 0
        for number, chapter in enumerate(self.story, 1):
            teller.chapter(number, chapter)
            for step in chapter.steps:
                if not await self._take(step, place, teller):
                    return False
                place += 1
        return True

    async def _take(self, step: Step, place: int, teller: Teller) -> bool:
        match step:
            case Command():
                self._start(place)
                teller.typed(step)
                teller.printed(await self.running[place])
            case Push():
                self.registry.push(step.repository, step.tag)
                teller.pushed(f"{self.registry.host}/{step.repository}:{step.tag}")
            case Question():
                return await teller.asked(step)
        return True

    def _start(self, place: int) -> None:
        """Start the command at `place`, and with one that looks those that look right after it."""
        if place in self.running:
            return
        for number, step in enumerate(self._steps()[place:], place):
            alone = number == place
            if not isinstance(step, Command) or not (alone or step.looks):
                return
            self.running[number] = self.tasks.create_task(self.shell.run(step))
            if not step.looks:
                return

    def _steps(self) -> list[Step]:
        return [step for chapter in self.story for step in chapter.steps]
