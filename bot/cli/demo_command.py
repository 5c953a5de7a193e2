"""`pilotfish demo`: the whole journey of a tag on this computer, with nothing configured.

A registry, a Git remote and a clone of it live in a temporary folder and are gone at the end,
also after Ctrl-C. The commands that are printed are the ones that run.
"""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import signal
import sys
from typing import TYPE_CHECKING

from bot.cli.options import parser, read_display

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from bot.cli.demo_screen import Screen
    from bot.cli.options import Display

_DONE = 0
_STOPPED = 128  # plus the number of the signal
_WIDEST, _NARROWEST = 110, 50  # columns; beyond them lines read badly; arbitrary
_WITHOUT_TERMINAL = 100  # columns in a file or a pipe
_MARGIN = 6  # what stands around a command and its words at the end
_EXAMPLES = """\
  pilotfish demo                  asks once, before it merges
  pilotfish demo --yes            never asks
  pilotfish demo --keep           leaves the folder behind and says where
"""
_NEXT = (
    ("pilotfish scan . --outdated", "what is newer; writes nothing"),
    ("pilotfish plan --deliver files .", "once a line says `# pilotfish: semver ^1`"),
    ("pilotfish run", "proposes it in the Git remote of this clone"),
)


def run(argv: list[str]) -> int:
    """Tell the story and clean up; return the exit code."""
    given = _parser().parse_args(argv)
    display = read_display(given)
    screen = _screen(given, display)
    from bot.demo.stage import open_stage

    stopped_by: list[int] = []
    with open_stage(keep=given.keep) as folder:
        try:
            told, seconds = asyncio.run(_play(folder, screen, stopped_by))
        except asyncio.CancelledError:
            return _STOPPED + (stopped_by[0] if stopped_by else signal.SIGTERM)
        finally:
            if given.keep:
                sys.stderr.write(f"kept: {folder} (its registry has stopped)\n")
    if display.json:
        print(json.dumps(_as_json(screen, told=told, seconds=seconds, kept=_kept(given, folder))))
    elif told:
        _close(screen, seconds, kept=given.keep)
    return _DONE


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "demo",
        "Watch a tag travel from a registry to a merged commit, on this computer alone.",
        examples=_EXAMPLES,
    )
    made.add_argument("--yes", action="store_true", help="merge without asking for a key")
    made.add_argument("--keep", action="store_true", help="leave the folder, and say where it is")
    return made


def _screen(given: argparse.Namespace, display: Display) -> Screen:
    from bot.cli.demo_screen import Screen

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an old terminal still gets the story
    columns = shutil.get_terminal_size(fallback=(_WITHOUT_TERMINAL, 0)).columns
    ask = not given.yes and not display.json and sys.stdin.isatty() and sys.stdout.isatty()
    return Screen(display=display, columns=max(_NARROWEST, min(columns, _WIDEST)), ask=ask)


async def _play(folder: Path, screen: Screen, stopped_by: list[int]) -> tuple[bool, float]:
    """Open the registry, build the fleet, tell the story; return how it ended, and in what time."""
    from bot.clock import SystemClock
    from bot.demo.commands import Shell
    from bot.demo.fleet import build_fleet
    from bot.demo.registry import DemoRegistry, serve
    from bot.demo.story import STORY, tell

    _end_gently_on_signals(stopped_by)
    clock = SystemClock()
    begun = clock.monotonic_s()
    async with serve(DemoRegistry()) as registry:
        fleet = await build_fleet(folder, registry)
        screen.line("Pilotfish, from a registry to a merged commit", "bold")
        screen.prose(
            f"The registry is at {registry.host}, everything else in {folder}. "
            "Nothing of yours is read or changed, and all of it is gone at the end."
        )
        shell = Shell(
            folder=fleet.clone,
            environment=fleet.environment(colour=screen.display.colour, columns=screen.columns - 2),
            clock=clock,
        )
        told = await tell(STORY, shell=shell, registry=registry, teller=screen)
    return told, clock.monotonic_s() - begun


def _end_gently_on_signals(stopped_by: list[int]) -> None:
    """Let an end from outside clean up as Ctrl-C does."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        stopped_by.append(number)
        if task is not None:
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)


def _close(screen: Screen, seconds: float, *, kept: bool) -> None:
    screen.line()
    screen.line("── Now on your own repository ".ljust(screen.columns, "─"), "bold cyan")
    widest = max(len(command) for command, _ in _NEXT)
    for command, says in _NEXT:
        if len(_NEXT[1][1]) + widest + _MARGIN <= screen.columns:
            screen.line(f"  $ {command.ljust(widest)}  {says}")
        else:
            screen.line(f"  $ {command}")
            screen.prose(f"  {says}")
    commands = sum(len(ran) for _, ran in screen.told)
    took = "" if screen.ask else f" in {seconds:.1f} s"
    cleaned = "" if kept else "; the folder is gone"
    screen.line()
    screen.line(f"  {len(screen.told)} chapters, {commands} commands{took}{cleaned}.", "dim")


def _kept(given: argparse.Namespace, folder: Path) -> str | None:
    return str(folder) if given.keep else None


def _as_json(screen: Screen, *, told: bool, seconds: float, kept: str | None) -> dict[str, object]:
    return {
        "complete": told,
        "seconds": round(seconds, 2),
        "folder": kept,
        "chapters": [
            {
                "heading": heading,
                "commands": [
                    {
                        "typed": one.command.typed,
                        "argv": list(one.argv),
                        "seconds": round(one.seconds, 2),
                        "output": one.output,
                    }
                    for one in commands
                ],
            }
            for heading, commands in screen.told
        ],
    }
