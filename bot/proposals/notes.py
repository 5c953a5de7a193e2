"""The memory on the remote: read with its place in history, written with a lease on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.errors import ConflictError, Problem, ProductError, Severity
from bot.git.remote import NOTES_REF, Remote
from bot.planning.remembered import Remembered, read_remembered, write_remembered

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.git.names import Sha

_TRIES = 5  # times another writer may come first; arbitrary


@dataclass(slots=True, kw_only=True)
class NoteBook:
    """What `refs/notes/pilotfish` holds, the commit it was read from, how often it was written."""

    remote: Remote
    remembered: Remembered = field(default_factory=Remembered)
    tip: Sha | None = None
    written: int = 0

    async def read(self) -> Remembered:
        """Read it from the remote.

        Raises:
            ConfigError: The file there is not ours or was damaged.
        """
        self.tip = await self.remote.notes_tip()
        self.remembered = read_remembered(await self.remote.read_notes())
        return self.remembered

    async def change(self, how: Callable[[Remembered], Remembered], *, message: str) -> Remembered:
        """Write what `how` makes of it; another writer in between is read and added to.

        Nothing is pushed where nothing changes. Safe to repeat, if `how` is.

        Raises:
            ConflictError: Others came first every time.
            RefusedError: The remote takes no such ref.
        """
        for attempt in range(_TRIES):
            after = how(self.remembered)
            if after == self.remembered:
                return after
            try:
                self.tip = await self.remote.write_notes(
                    write_remembered(after), message=message, expected=self.tip
                )
            except ConflictError:
                if attempt == _TRIES - 1:
                    raise
                await self.read()
            else:
                self.remembered = after
                self.written += 1
                return after
        raise AssertionError("the loop returns or raises")

    async def try_change(
        self, how: Callable[[Remembered], Remembered], *, message: str
    ) -> Problem | None:
        """Do the same, but tell a remote that refuses instead of failing for it."""
        try:
            await self.change(how, message=message)
        except ProductError as fault:
            return Problem(
                severity=Severity.WARNING,
                message=f"what was opened could not be remembered: {fault.what}",
                file=NOTES_REF,
                hint=f"Allow pushes to {NOTES_REF}, or closed proposals may come back",
            )
        return None
