"""The configuration of the folder a command stands in, as its files say it now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.cli.places import find_place
from bot.update.configuration import Configured, read_configuration
from bot.update.trees import FolderTree

if TYPE_CHECKING:
    from bot.cli.places import Place


async def config_here(path: str = ".") -> Configured:
    """Return what the clone or folder around `path` configures; nothing is an empty one.

    Raises:
        FaultsError: `.pilotfish.yaml` is wrong.
    """
    return await config_of(await find_place(path, None))


async def config_of(place: Place, *, file: str = "", tree: FolderTree | None = None) -> Configured:
    """Return what a place's files configure; `file` is read instead of `.pilotfish.yaml`."""
    return await read_configuration(
        tree or FolderTree(root=place.root),
        repository_url=place.url or None,
        folder=place.root,
        file=file,
    )
