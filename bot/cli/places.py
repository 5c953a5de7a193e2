"""Which repository a command means: the folder's origin, or the one that is named."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from bot.git.remote import Remote

CACHE_ENVIRONMENT = "PILOTFISH_CACHE"
STATE_ENVIRONMENT = "PILOTFISH_STATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder with the repository it belongs to.

    `root` is the top of the clone, or the folder itself where there is none; `below` the part
    of it that was named; `url` the repository, empty where there is none.
    """

    root: Path
    below: str
    url: str


async def find_place(path: str, repository: str | None) -> Place:
    """Return what `path` and `--repository` mean.

    Raises:
        ConfigError: There is no such folder.
    """
    folder = _resolved(path)
    if repository:
        below = "" if path == "." else path.strip("/")
        return Place(root=_resolved("."), below=below, url=repository)
    from bot.git.location import find_location

    found = await find_location(folder if folder.is_dir() else folder.parent)
    if found is None:
        top = folder if folder.is_dir() else folder.parent
        return Place(root=top, below="" if folder == top else folder.name, url="")
    below = folder.relative_to(found.top).as_posix() if folder != found.top else ""
    return Place(root=found.top, below=below, url=found.url.text if found.url else "")


async def find_places(
    paths: Sequence[str], repository: str | None
) -> tuple[Place, tuple[str, ...]]:
    """Return what several paths mean: where they stand, and the parts of it that they name.

    No part lies inside another one; none at all is the whole.

    Raises:
        ConfigError: There is no such folder, or two do not belong to one repository.
    """
    places = [await find_place(one, repository) for one in paths]
    first = places[0]
    for path, place in zip(paths, places, strict=True):
        if (place.root, place.url) != (first.root, first.url):
            raise ConfigError(
                f"this belongs to {place.url or place.root}, and {paths[0]} does not",
                where=path,
                hint="Name folders of one repository, or run the command once for each",
            )
    return first, outermost(place.below for place in places)


def outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths that lie in none of the others; nothing where one is the top itself."""
    found: list[str] = []
    for path in sorted({one.strip("/") for one in paths}):
        if path in {"", "."}:
            return ()
        if not any(path.startswith(f"{one}/") for one in found):
            found.append(path)
    return tuple(found)


def _resolved(path: str) -> Path:
    folder = Path(path).resolve()
    if not folder.exists():
        raise ConfigError(
            "there is no such file or folder",
            where=path,
            hint="Name a folder, or another repository with --repository URL",
        )
    return folder


@asynccontextmanager
async def open_place(place: Place) -> AsyncIterator[Remote]:
    """Open the place's repository.

    Raises:
        ConfigError: The folder has no origin.
    """
    from bot.cli.remote_access import open_for_person

    if not place.url:
        raise ConfigError(
            "this folder is no clone of a remote repository",
            where=str(place.root),
            hint="Name one with --repository URL, or edit the files here with --deliver files",
        )
    async with open_for_person(place.url) as remote:
        yield remote


def cache_root() -> Path:
    """Return the folder of everything that is remembered between runs on this machine."""
    import os

    named = os.environ.get(CACHE_ENVIRONMENT)
    if named:
        return Path(named)
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("pilotfish"))


def state_root() -> Path:
    """Return the folder of what the server remembers on this machine."""
    import os

    named = os.environ.get(STATE_ENVIRONMENT)
    if named:
        return Path(named)
    from platformdirs import user_state_dir

    return Path(user_state_dir("pilotfish"))
