"""Runs what the demo prints: one list of words is both shown and started, as a child process.

Commands run one after the other in the person's clone, with an environment of their own. When
the demo is stopped, the command under way is let end first: it takes a second, leaves nothing
half done, and none of its own children behind.

Must not know the story, nor how it is shown.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import UnavailableError
from bot.process import run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.clock import Clock
    from bot.demo.cluster_visit import Visit
    from bot.process import Completed

PROGRAM = "pilotfish"
_TIMEOUT_S = 60.0  # of one command; on a busy machine they take a few seconds
_IN_CLUSTER_S = 120.0  # twice what they are told to wait
_LET_END_S = 10.0  # given to a command under way when the demo is stopped
_WITHOUT_SCRIPT = "import sys; from bot.cli.main import main; sys.exit(main())"


class DemoCommandError(UnavailableError):
    """A command of the demo did not end well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is typed, word by word; `looks` when it changes nothing.

    `in_cluster` when it speaks to the person's cluster; `codes` are the exit codes of success.
    """

    words: tuple[str, ...]
    looks: bool = False
    in_cluster: bool = False
    codes: tuple[int, ...] = (0,)

    @property
    def typed(self) -> str:
        """Return the line as a person types it."""
        return shlex.join(self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A command that has ended: what was started, what it printed, and in how many seconds."""

    command: Command
    argv: tuple[str, ...]
    output: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Where and how commands run; `visit` is where those go that speak to a cluster.

    Those get `visit_environment`, all others `environment`.
    """

    folder: Path
    environment: Mapping[str, str]
    clock: Clock
    visit: Visit | None = None
    visit_environment: Mapping[str, str] = field(default_factory=dict)

    async def run(self, command: Command) -> Ran:
        """Run `command` to its end; errors of one that ended well are part of its output.

        Raises:
            DemoCommandError: It ended with a code that means failure.
            ProgramMissingError: There is no such program on this machine.
        """
        argv = started(command)
        begun = self.clock.monotonic_s()
        environment, timeout_s = self.environment, _TIMEOUT_S
        if command.in_cluster and self.visit is not None:
            self.visit.begun = True
            environment, timeout_s = self.visit_environment, _IN_CLUSTER_S
        child = asyncio.ensure_future(
            run(argv, environment=environment, cwd=self.folder, timeout_s=timeout_s)
        )
        try:
            ended = await asyncio.shield(child)
        except asyncio.CancelledError:
            await asyncio.wait([child], timeout=_LET_END_S)
            child.cancel()
            await asyncio.gather(child, return_exceptions=True)
            raise
        if ended.code not in command.codes:
            raise _failed(command, ended)
        output = ended.stdout.decode("utf-8", "replace") + ended.stderr.decode("utf-8", "replace")
        seconds = self.clock.monotonic_s() - begun
        return Ran(command=command, argv=tuple(argv), output=output.rstrip(), seconds=seconds)


def started(command: Command) -> list[str]:
    """Return the argument list that starts `command`; our own program is the one that runs now."""
    first, *rest = command.words
    if first != PROGRAM:
        return [first, *rest]
    script = Path(sys.executable).with_name(PROGRAM)
    entry = [str(script)] if script.is_file() else ["-c", _WITHOUT_SCRIPT]
    return [sys.executable, "-I", *entry, *rest]


def _failed(command: Command, ended: Completed) -> DemoCommandError:
    said = ended.error_text or ended.stdout.decode("utf-8", "replace").strip()
    return DemoCommandError(
        f"it ended with code {ended.code}: {said}",
        where=command.typed,
        hint="`pilotfish demo --keep` leaves the folder for a look; please report it",
    )
