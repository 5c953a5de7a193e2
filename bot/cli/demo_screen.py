"""How the demo looks in a terminal: headings, commands as they are typed, what they printed.

Lines are folded to the width with their colours kept. With `-o json` nothing is shown but a
summary at the end, so that a program can read what was run.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.cli.draw import coloured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.cli.options import Display
    from bot.demo.commands import Command, Ran
    from bot.demo.story import Chapter, Question

_INDENT = "  "
_ESCAPE = re.compile(r"(\x1b\[[0-9;]*[mK])")
_YES = {"y", "Y"}
_NO = {"q", "Q", "n", "N", "\x1b", "\x04"}


@dataclass(slots=True, kw_only=True)
class Screen:
    """Shows the story on standard output, `columns` wide.

    `ask` when a person is there and wants to be asked; what must be a yes is asked regardless.
    """

    display: Display
    columns: int
    ask: bool
    told: list[tuple[str, list[Ran]]] = field(default_factory=list)

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line of our own words; nothing where JSON is wanted."""
        if not self.display.json:
            print(coloured(text, style, self.display), flush=True)

    def prose(self, text: str) -> None:
        """Print sentences, folded; nothing with `-q`."""
        if self.display.quiet or self.display.json:
            return
        for line in textwrap.wrap(text, self.columns - len(_INDENT), break_on_hyphens=False):
            self.line(_INDENT + line)

    def chapter(self, number: int, chapter: Chapter) -> None:
        """Begin a chapter."""
        self.told.append((chapter.heading, []))
        start = f"── {number}  {chapter.heading} "
        self.line()
        self.line(start.ljust(self.columns, "─"), "bold cyan")
        self.prose(chapter.prose)

    def pushed(self, image: str) -> None:
        """Say that somebody pushed `image`."""
        self.line()
        self.line(f"{_INDENT}* somebody pushes {image}", "yellow")

    def typed(self, command: Command) -> None:
        """Show a command before it runs."""
        self.line()
        for line in on_lines(command.words, self.columns - len(_INDENT)):
            self.line(_INDENT + line, "bold green")

    def printed(self, ran: Ran) -> None:
        """Show what it printed."""
        self.told[-1][1].append(ran)
        for line in ran.output.splitlines():
            for part in fold(line, self.columns - len(_INDENT)):
                self.line(f"{_INDENT}{part}".rstrip())

    async def asked(self, question: Question) -> bool:
        """Wait for a key; without a terminal, or with `--yes`, go on at once.

        Where it must be a yes, every other key is a no.
        """
        if not self.ask and not question.must_be_yes:
            return True
        self.line()
        print(coloured(f"{_INDENT}{question.text} ", "bold yellow", self.display), end="")
        sys.stdout.flush()
        try:
            key = await _read_key()
            return key in _YES if question.must_be_yes else key not in _NO
        finally:
            print(flush=True)


def on_lines(words: tuple[str, ...], width: int) -> list[str]:
    """Return a command as it is typed, on several lines where one of `width` is too narrow.

    An option and its value stay together; a word wider than a line is left whole, to be copied.
    """
    lines = ["$"]
    for piece in _pieces(words):
        if len(lines[-1]) + len(f" {piece} \\") <= width or lines == ["$"]:
            lines[-1] += f" {piece}"
        else:
            lines[-1] += " \\"
            lines.append(f"    {piece}")
    return lines


def _pieces(words: tuple[str, ...]) -> list[str]:
    pieces: list[str] = []
    previous = ""
    for word in words:
        if previous.startswith("-") and not word.startswith("-"):
            pieces[-1] += f" {shlex.quote(word)}"
        else:
            pieces.append(shlex.quote(word))
        previous = word
    return pieces


def fold(line: str, width: int) -> list[str]:
    """Return `line` in parts of `width` visible characters; colours take no room.

    The parts after the first are indented by two more than the line itself.
    """
    plain = _ESCAPE.sub("", line)
    if len(plain) <= width:
        return [line]
    indent = len(plain) - len(plain.lstrip(" ")) + 2
    parts: list[str] = []
    part, room = "", width
    for piece in _ESCAPE.split(line):
        if _ESCAPE.fullmatch(piece):
            part += piece
            continue
        rest = piece
        while len(rest) > room:
            cut = rest.rfind(" ", 0, room + 1)
            cut = cut if cut > room // 2 else room
            parts.append(part + rest[:cut])
            rest = rest[cut:].lstrip(" ")
            part, room = " " * indent, width - indent
        part, room = part + rest, room - len(rest)
    return [*parts, part]


async def _read_key() -> str:
    """Return the next key pressed, without waiting for Enter; empty at the end of input."""
    loop = asyncio.get_running_loop()
    pressed: asyncio.Future[None] = loop.create_future()

    def pressed_now() -> None:
        if not pressed.done():
            pressed.set_result(None)

    with _key_by_key():
        loop.add_reader(sys.stdin, pressed_now)
        try:
            await pressed
            return sys.stdin.read(1)
        finally:
            loop.remove_reader(sys.stdin)


@contextmanager
def _key_by_key() -> Iterator[None]:
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
