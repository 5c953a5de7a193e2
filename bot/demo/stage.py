"""The folder in which the demo takes place: made, lent, and taken away whatever happens.

Must not know what happens on it.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "pilotfish-demo-"
_IMPATIENCE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TRIES = 5  # a child that was killed may still have written while we removed


@contextmanager
def open_stage(*, keep: bool) -> Iterator[Path]:
    """Give an empty folder, and remove it with all that is in it unless `keep`.

    Raises:
        UnavailableError: No folder can be made where temporary files go.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    except OSError as fault:
        raise UnavailableError(
            f"no temporary folder can be made: {fault.strerror or fault}",
            where=str(fault.filename or "TMPDIR"),
            hint="Set TMPDIR to a folder that has space and may be written",
        ) from fault
    try:
        yield folder
    finally:
        if not keep:
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove `folder`; an impatient second Ctrl-C does not leave half of it."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _IMPATIENCE}
    try:
        for _ in range(_TRIES):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                return
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
