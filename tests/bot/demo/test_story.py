"""The story is shown in its order, and what is shown is what runs."""

import asyncio
import shlex
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.demo.commands import Command, DemoCommandError, Ran, Shell, started
from bot.demo.registry import DemoRegistry
from bot.demo.stage import open_stage
from bot.demo.story import STORY, Chapter, Push, Question, Step, tell
from bot.errors import UnavailableError
from bot.process import clean_environment


class Listener:
    """Writes down what it is told; answers questions as it was made to."""

    def __init__(self, *, answer: bool = True) -> None:
        self.heard: list[str] = []
        self.answer = answer

    def chapter(self, number: int, chapter: Chapter) -> None:
        self.heard.append(f"{number} {chapter.heading}")

    def pushed(self, image: str) -> None:
        self.heard.append(f"* {image}")

    def typed(self, command: Command) -> None:
        self.heard.append(f"$ {command.typed}")

    def printed(self, ran: Ran) -> None:
        self.heard.append(ran.output)

    async def asked(self, question: Question) -> bool:
        self.heard.append(f"? {question.text}")
        return self.answer


def _python(code: str, *, looks: bool = False) -> Command:
    return Command(words=(sys.executable, "-c", code), looks=looks)


def _chapter(*steps: Step) -> Chapter:
    return Chapter(heading="a chapter", prose="", steps=steps)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(folder=tmp_path, environment=clean_environment(), clock=SystemClock())


async def test_commands_are_shown_before_their_output_in_the_order_of_the_story(
    shell: Shell,
) -> None:
    story = (
        _chapter(_python("print(1)", looks=True), _python("print(2)", looks=True)),
        _chapter(_python("print(3)", looks=True), _python("print(4)")),
    )
    listener = Listener()
    assert await tell(story, shell=shell, registry=DemoRegistry(), teller=listener)
    outputs = [line for line in listener.heard if line.isdigit()]
    assert outputs == ["1", "2", "3", "4"]
    assert [line[0] for line in listener.heard] == list("1$1$22$3$4")


async def test_a_command_that_changes_something_never_runs_ahead(shell: Shell) -> None:
    write = _python("open('made', 'w').write('x')")
    look = _python("import os; print(os.path.exists('made'))", looks=True)
    listener = Listener()
    await tell(
        (_chapter(look, write, look),), shell=shell, registry=DemoRegistry(), teller=listener
    )
    assert [line for line in listener.heard if line in {"True", "False"}] == ["False", "True"]


async def test_a_push_reaches_the_registry(shell: Shell) -> None:
    registry, listener = DemoRegistry(host="127.0.0.1:1"), Listener()
    push = Push(repository="shop/web", tag="9.9.9")
    await tell((_chapter(push),), shell=shell, registry=registry, teller=listener)
    assert "* 127.0.0.1:1/shop/web:9.9.9" in listener.heard


async def test_a_no_ends_the_story_before_anything_that_follows(shell: Shell) -> None:
    story = (_chapter(Question(text="on?"), _python("open('made', 'w')")),)
    told = await tell(story, shell=shell, registry=DemoRegistry(), teller=Listener(answer=False))
    assert not told
    assert not (shell.folder / "made").exists()


async def test_a_command_that_fails_stops_the_story_with_its_name_and_its_words(
    shell: Shell,
) -> None:
    fails = _python("import sys; sys.exit('no such luck')")
    story = (_chapter(fails, _python("open('made', 'w')")),)
    with pytest.raises(DemoCommandError, match="no such luck") as caught:
        await tell(story, shell=shell, registry=DemoRegistry(), teller=Listener())
    assert caught.value.where == fails.typed
    assert not (shell.folder / "made").exists()


async def test_a_command_under_way_ends_before_a_cancelled_story_does(shell: Shell) -> None:
    begun = shell.folder / "begun"
    ended = shell.folder / "ended"
    slow = _python(
        f"import time; open({str(begun)!r}, 'w'); time.sleep(0.5); open({str(ended)!r}, 'w')"
    )
    async with asyncio.timeout(20):
        task = asyncio.ensure_future(shell.run(slow))
        while not begun.exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ended.exists()


def test_our_own_command_is_the_program_that_runs_now() -> None:
    argv = started(Command(words=("pilotfish", "plan", "--only", "web")))
    assert argv[:2] == [sys.executable, "-I"]
    assert argv[-3:] == ["plan", "--only", "web"]


def test_another_command_is_started_as_it_is_typed() -> None:
    command = Command(words=("git", "log", "--format=%s %b"))
    assert started(command) == shlex.split(command.typed)


def test_the_story_asks_once_and_merges_after_that() -> None:
    steps = [step for chapter in STORY for step in chapter.steps]
    asked = [number for number, step in enumerate(steps) if isinstance(step, Question)]
    merged = [
        number
        for number, step in enumerate(steps)
        if isinstance(step, Command) and step.words[:2] == ("git", "merge")
    ]
    assert len(asked) == 1
    assert min(merged) > asked[0]


def test_the_stage_is_gone_also_when_the_play_fails() -> None:
    with suppress(ZeroDivisionError), open_stage(keep=False) as folder:
        (folder / "below").mkdir()
        assert 1 / 0
    assert not folder.exists()


def test_a_stage_that_cannot_be_made_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(UnavailableError, match="TMPDIR"), open_stage(keep=False):
        pass
