"""Reads a tree's configuration: our own file, Flux's objects, or nothing at all.

A wrong file stops the run before anything is asked or written, with every fault at once;
Flux objects that cannot be used are told, and the others count.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.config.discover import read_all
from bot.config.flux import NEEDLES as FLUX_NEEDLES
from bot.config.native import FILE_NAME, Trust
from bot.errors import ConfigError

if TYPE_CHECKING:
    from bot.config.model import Config
    from bot.errors import Problem
    from bot.update.trees import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """A configuration with the faults that did not stop it.

    `folder` is where relative files of secrets and certificates start from.
    """

    config: Config
    problems: tuple[Problem, ...]
    folder: Path


async def read_configuration(
    tree: Tree,
    *,
    repository_url: str | None,
    folder: Path | None = None,
    trust: Trust = Trust.PERSON,
    file: str = "",
) -> Configured:
    """Return what `tree` configures; `file` is read instead of `.pilotfish.yaml`.

    Raises:
        FaultsError: The file is wrong; all its faults are in it.
        ConfigError: A file was named, and is not there.
    """
    where = folder or Path.cwd()
    files, unread = await tree.containing(FLUX_NEEDLES, [])
    name = file or FILE_NAME
    text = await tree.read(name)
    if file and text is None:
        raise ConfigError(
            "there is no such configuration file",
            where=f"{tree.where}: {file}",
            hint="Name it relative to the top of the repository, as it is on the base branch",
        )
    config, problems = read_all(
        None if text is None else (name, text),
        files,
        folder=where,
        trust=trust,
        repository_url=repository_url,
    )
    return Configured(config=config, problems=(*unread, *problems), folder=where)
