"""What a first run on a forge would stumble over: token, permissions, settings, rules of the base.

`check` tells it, and a CI job before it writes anything. Each finding has its fix in one line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import Problem, Severity

if TYPE_CHECKING:
    from pathlib import Path

    from bot.config.model import ForgeSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What is in order, in words, and what is not."""

    good: tuple[str, ...]
    problems: tuple[Problem, ...]


async def ask_forge(
    settings: ForgeSettings,
    remote_url: str,
    base: str,
    *,
    folder: Path,
    severity: Severity = Severity.WARNING,
) -> Preflight:
    """Return what the forge of `remote_url` says about proposals to `base`.

    `severity` is that of the problems, where it is a warning an error for what stops every
    proposal; `folder` is where relative files of secrets start from.

    Raises:
        ConfigError: Nobody said which forge it is, or there is no token for it.
    """
    from bot.cli.forge_access import credential_for, kinds_around
    from bot.clock import SystemClock
    from bot.update.forge_opening import open_forge
    from bot.update.forge_rule import place_of_forge

    place = place_of_forge(settings, remote_url, kinds=kinds_around())
    if place is None:
        return Preflight(good=("forge: plain Git, a branch is the proposal",), problems=())
    credential = credential_for(settings, place, folder=folder)
    async with open_forge(place, credential, clock=SystemClock()) as forge:
        found = await forge.preflight(base)
    return Preflight(
        good=tuple(f"{place.kind}: {one.what}" for one in found if one.ok),
        problems=tuple(
            Problem(
                severity=Severity.ERROR if one.stops and severity is Severity.WARNING else severity,
                message=one.what,
                file=f"{place.host}/{place.path}",
                hint=one.fix,
            )
            for one in found
            if not one.ok
        ),
    )
