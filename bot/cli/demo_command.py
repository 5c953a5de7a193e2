"""`pilotfish demo`: the whole journey of a tag on this computer, with nothing configured.

A registry, a Git remote and a clone of it live in a temporary folder and are gone at the end,
also after Ctrl-C. The commands that are printed are the ones that run. With `--cluster` the
story goes on in a cluster that the person names or agrees to, in a namespace that is deleted
whatever happens.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import shlex
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli.faults import report
from bot.cli.options import parser, read_display
from bot.errors import ConfigError, ProductError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from bot.cli.demo_screen import Screen
    from bot.cli.options import Display
    from bot.clock import Clock
    from bot.demo.cluster_visit import Visit
    from bot.demo.commands import Shell
    from bot.demo.fleet import Fleet
    from bot.demo.story import Chapter

_DONE = 0
_STOPPED = 128  # plus the number of the signal
_WIDEST, _NARROWEST = 110, 50  # columns; beyond them lines read badly; arbitrary
_WITHOUT_TERMINAL = 100  # columns in a file or a pipe
_MARGIN = 6  # what stands around a command and its words at the end
_EXAMPLES = """\
  pilotfish demo                  asks once, before it merges
  pilotfish demo --yes            never asks
  pilotfish demo --keep           leaves the folder behind and says where
  pilotfish demo --cluster        goes on in your cluster, once you have agreed
  pilotfish demo --cluster --context kind-kind --yes
"""
_NEXT = (
    ("pilotfish scan . --outdated", "what is newer; writes nothing"),
    ("pilotfish plan --deliver files .", "once a line says `# pilotfish: semver ^1`"),
    ("pilotfish run", "proposes it in the Git remote of this clone"),
)


_NEXT_IN_CLUSTER = ("pilotfish diff DIR", "what an apply of a folder would change; writes nothing")


def run(argv: list[str]) -> int:
    """Tell the story and clean up; return the exit code."""
    given = _parser().parse_args(argv)
    display = read_display(given)
    screen = _screen(given, display)
    visit = _visit(given, display)
    from bot.demo.stage import open_stage

    stopped_by: list[int] = []
    with open_stage(keep=given.keep) as folder:
        try:
            told, seconds = asyncio.run(
                _play(folder, screen, stopped_by, visit=visit, story=_story(given, visit))
            )
        except asyncio.CancelledError:
            return _STOPPED + (stopped_by[0] if stopped_by else signal.SIGTERM)
        finally:
            removed = _leave_cluster(visit, screen)
            if given.keep:
                sys.stderr.write(f"kept: {folder} (its registry has stopped)\n")
    if display.json:
        summary = _as_json(screen, told=told, seconds=seconds, kept=_kept(given, folder))
        print(json.dumps(summary | _place_as_json(visit, removed=removed)))
    elif told:
        _close(screen, seconds, kept=given.keep, visited=visit is not None)
    return _DONE


def _visit(given: argparse.Namespace, display: Display) -> Visit | None:
    """Return where the story goes on; refuse where nobody named the cluster or can be asked.

    Raises:
        ConfigError: An option says what another must allow, or no cluster can be told.
    """
    if not given.cluster:
        if given.context or given.kubeconfig:
            raise ConfigError(
                "--context and --kubeconfig are for the cluster part",
                where="pilotfish demo",
                hint="Add --cluster",
            )
        return None
    from bot.demo.cluster_visit import plan_visit
    from bot.demo.kubeconfig import find_address

    address = find_address(given.context, given.kubeconfig, os.environ)
    if not given.context and not _can_ask(display):
        name = shlex.quote(address.context)
        raise ConfigError(
            f"nobody can be asked whether to go into {address.context} at {address.server}",
            where="pilotfish demo --cluster",
            hint=f"Name the cluster yourself: --context {name}; or run it in a terminal",
        )
    return plan_visit(address, kubeconfig=given.kubeconfig)


def _story(given: argparse.Namespace, visit: Visit | None) -> tuple[Chapter, ...]:
    from bot.demo.story import STORY

    if visit is None:
        return STORY
    from bot.demo.cluster_story import cluster_story

    return cluster_story(visit, ask=not given.context)


def _leave_cluster(visit: Visit | None, screen: Screen) -> bool | None:
    """Remove what was made in the cluster and say so; `None` when nothing was.

    A failure that is under way already is not hidden by one of the removal; both are told.

    Raises:
        ProductError: The cluster did not do it; the way to do it by hand is said.
    """
    underway = sys.exception()
    if visit is None:
        return None
    if not visit.begun:
        with suppress(OSError):
            screen.line()
            screen.line("  The cluster was not touched.", "dim")
        return None
    from bot.clock import SystemClock
    from bot.demo.cluster_visit import take_away

    async def leave(place: Visit) -> bool:
        _end_gently_on_signals([])
        return await take_away(place, clock=SystemClock())

    context = shlex.quote(visit.address.context)
    by_hand = f"kubectl delete namespace {visit.namespace} --context {context}"
    with suppress(OSError):  # a reader that went away is no reason to leave things behind
        screen.line()
        screen.line(f"  * the namespace {visit.namespace} is deleted, and all in it", "yellow")
    try:
        gone = asyncio.run(leave(visit))
    except (ProductError, KeyboardInterrupt) as fault:
        sys.stderr.write(f"pilotfish: what the demo made may still be there: {by_hand}\n")
        if underway is None or not isinstance(fault, ProductError):
            raise
        report(fault, verbose=False)
        return False
    if gone:
        with suppress(OSError):
            screen.line("    it is gone", "dim")
    else:
        sys.stderr.write(f"pilotfish: the namespace {visit.namespace} is still terminating\n")
    return gone


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "demo",
        "Watch a tag travel from a registry to a merged commit, on this computer alone.",
        examples=_EXAMPLES,
    )
    made.add_argument("--yes", action="store_true", help="merge without asking for a key")
    made.add_argument("--keep", action="store_true", help="leave the folder, and say where it is")
    made.add_argument(
        "--cluster",
        action="store_true",
        help="go on in a cluster, in a namespace that is deleted at the end; asks, even with --yes",
    )
    made.add_argument(
        "--context", default="", metavar="NAME", help="of the kubeconfig; go there without asking"
    )
    made.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: as kubectl")
    return made


def _screen(given: argparse.Namespace, display: Display) -> Screen:
    from bot.cli.demo_screen import Screen

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an old terminal still gets the story
    columns = shutil.get_terminal_size(fallback=(_WITHOUT_TERMINAL, 0)).columns
    ask = not given.yes and _can_ask(display)
    return Screen(display=display, columns=max(_NARROWEST, min(columns, _WIDEST)), ask=ask)


def _can_ask(display: Display) -> bool:
    return not display.json and sys.stdin.isatty() and sys.stdout.isatty()


async def _play(
    folder: Path,
    screen: Screen,
    stopped_by: list[int],
    *,
    visit: Visit | None,
    story: tuple[Chapter, ...],
) -> tuple[bool, float]:
    """Open the registry, build the fleet, tell the story; return how it ended, and in what time."""
    from bot.clock import SystemClock
    from bot.demo.fleet import build_fleet
    from bot.demo.registry import DemoRegistry, serve
    from bot.demo.story import tell

    _end_gently_on_signals(stopped_by)
    clock = SystemClock()
    begun = clock.monotonic_s()
    async with serve(DemoRegistry()) as registry:
        fleet = await build_fleet(folder, registry, namespace=visit.namespace if visit else "")
        aim = "a cluster" if visit else "a merged commit"
        screen.line(f"Pilotfish, from a registry to {aim}", "bold")
        screen.prose(
            f"The registry is at {registry.host}, everything else in {folder}. "
            "Nothing of yours is read or changed, and all of it is gone at the end."
        )
        shell = _shell(fleet, screen, clock, visit)
        told = await tell(story, shell=shell, registry=registry, teller=screen)
    return told, clock.monotonic_s() - begun


def _shell(fleet: Fleet, screen: Screen, clock: Clock, visit: Visit | None) -> Shell:
    from bot.demo.commands import Shell

    environment = fleet.environment(colour=screen.display.colour, columns=screen.columns - 2)
    theirs: Mapping[str, str] = os.environ
    return Shell(
        folder=fleet.clone,
        environment=environment,
        clock=clock,
        visit=visit,
        visit_environment=visit.environment(theirs, environment) if visit else {},
    )


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


def _close(screen: Screen, seconds: float, *, kept: bool, visited: bool) -> None:
    following = (*_NEXT, _NEXT_IN_CLUSTER) if visited else _NEXT
    screen.line()
    screen.line("── Now on your own repository ".ljust(screen.columns, "─"), "bold cyan")
    widest = max(len(command) for command, _ in following)
    for command, says in following:
        if max(len(words) for _, words in following) + widest + _MARGIN <= screen.columns:
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


def _place_as_json(visit: Visit | None, *, removed: bool | None) -> dict[str, object]:
    if visit is None:
        return {}
    place = {"context": visit.address.context, "server": visit.address.server}
    return {"cluster": {**place, "namespace": visit.namespace, "removed": removed}}


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
