"""Asks people by their logins: all at once, and each alone where the forge knows one of them not.

A forge refuses a whole list for one wrong name in it. A proposal stands without those who cannot
be asked (fault FF14), so that nothing here fails for them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bot.errors import AccessError, ProductError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_log = logging.getLogger(__name__)


async def ask_each(names: Sequence[str], ask: Callable[[Sequence[str]], Awaitable[None]]) -> None:
    """Ask everybody; who cannot be asked is told in the log."""
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return
    try:
        await ask(wanted)
    except (AccessError, RefusedError) as fault:
        if len(wanted) == 1:
            why = {"login": wanted[0], "why": fault.what}
            _log.warning("%s could not be asked: %s", wanted[0], fault.what, extra=why)
            return
        for name in wanted:
            await ask_each([name], ask)
    except ProductError as fault:
        _log.warning("nobody was asked", extra={"why": fault.what})
