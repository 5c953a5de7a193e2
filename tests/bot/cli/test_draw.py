"""Progress: a sign of life after a second, on a terminal alone, and on standard error alone."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_PROGRAM = """
import sys
from bot.cli.draw import progress
from bot.cli.options import Display

display = Display(json=False, colour=False, quiet="-q" in sys.argv, verbosity=0)
with progress("asking registries", display, before="reading files") as advance:
    for line in sys.stdin:
        done, total = map(int, line.split())
        advance(done, total)
print("done", advance is None, "rich" in sys.modules)
"""


@dataclass(kw_only=True)
class OnTerminal:
    """A program whose standard error is a terminal."""

    program: subprocess.Popen[str]
    screen: int
    seen: str = ""

    def until(self, text: str) -> None:
        """Read the screen until `text` stands on it."""
        while text not in self.seen:
            self.seen += os.read(self.screen, 4096).decode()

    def count(self, done: int, total: int) -> None:
        """Have the program count."""
        assert self.program.stdin is not None
        self.program.stdin.write(f"{done} {total}\n")
        self.program.stdin.flush()

    def end(self) -> str:
        """End the work, read the rest of the screen, and return standard output."""
        out, _ = self.program.communicate(timeout=60)
        try:
            while more := os.read(self.screen, 4096):
                self.seen += more.decode()
        except OSError:  # what a terminal without a program gives
            pass
        return out


@contextmanager
def on_terminal(*words: str) -> Iterator[OnTerminal]:
    """Run the program on a terminal."""
    screen, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
        text=True,
    ) as program:
        os.close(theirs)
        yield OnTerminal(program=program, screen=screen)
    os.close(screen)


def test_it_pulses_before_anything_is_counted_and_counts_then() -> None:
    with on_terminal() as shown:
        shown.until("reading files")
        shown.count(3, 10)
        shown.until("3/10")
        out = shown.end()

    assert "asking registries" in shown.seen
    assert out == "done False True\n"


def test_what_was_counted_before_the_bar_stands_on_it() -> None:
    with on_terminal() as shown:
        shown.count(7, 9)
        shown.until("7/9")
        shown.end()

    assert "reading files" not in shown.seen


def test_quick_work_draws_nothing() -> None:
    with on_terminal() as shown:
        out = shown.end()

    assert (out, shown.seen) == ("done False False\n", "")


def test_nothing_is_drawn_for_whoever_wants_quiet() -> None:
    with on_terminal("-q") as shown:
        out = shown.end()

    assert (out, shown.seen) == ("done True False\n", "")
