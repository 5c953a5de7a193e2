"""The registries as a command asks them: with the person's credentials and one cache."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from bot.clock import SystemClock
from bot.update.report import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from bot.cli.options import Display
    from bot.config.model import Config
    from bot.registry.scan import Scanner
    from bot.update.survey import Progress


def world_for(progress: Progress | None, *, folder: Path) -> World:
    """Return the doors of a run; relative files of secrets start from `folder`."""
    from bot.cli.forge_access import credential_for, kinds_around

    return World(
        asker_for=partial(scanner_for, folder=folder),
        credential_for=partial(credential_for, folder=folder),
        forge_kinds=kinds_around(),
        clock=SystemClock(),
        progress=progress,
    )


@asynccontextmanager
async def scanner_for(config: Config, *, folder: Path) -> AsyncIterator[Scanner]:
    """Open the registries for a configuration; its secrets are read now.

    Raises:
        FaultsError: A secret cannot be read.
    """
    from bot.cli.places import cache_root
    from bot.config.native import resolve_secrets
    from bot.registry.client import open_registries
    from bot.registry.scan import Scanner

    resolved = resolve_secrets(config, folder=folder)
    clock = SystemClock()
    environment: Mapping[str, str] = os.environ
    async with open_registries(resolved.registries, clock=clock, environment=environment) as client:
        scanner = Scanner(client, clock, cache_root() / "registry")
        try:
            yield scanner
        finally:
            scanner.close()


def tags_of(image: str, display: Display) -> list[str]:
    """Return every tag of one image, with what this folder's configuration says of registries."""
    import asyncio

    return asyncio.run(_tags_of(image, display))


async def _tags_of(image: str, display: Display) -> list[str]:
    from bot.cli.draw import progress
    from bot.cli.folder_config import config_here

    configured = await config_here()
    with progress(f"asking for the tags of {image}", display):
        async with scanner_for(configured.config, folder=configured.folder) as scanner:
            return await scanner.tags(image)
