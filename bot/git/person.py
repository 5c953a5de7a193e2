"""Who runs the command, as git knows them: to say who held or approved, never as an author."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bot.process import clean_environment, run

if TYPE_CHECKING:
    from pathlib import Path


async def find_person(folder: Path) -> str:
    """Return `name <email>` of the person's git configuration, empty where there is none.

    Only `user.name` and `user.email` are read, in `folder` (`product.md` 10.15).
    """
    found = [await _value(folder, key) for key in ("user.name", "user.email")]
    name, email = found
    if name and email:
        return f"{name} <{email}>"
    return name or email


async def _value(folder: Path, key: str) -> str:
    environment = clean_environment({"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"})
    for name in ("XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"):
        if name in os.environ:
            environment[name] = os.environ[name]
    done = await run(["git", "config", "--get", key], environment=environment, cwd=folder)
    return done.stdout.decode("utf-8", "replace").strip() if done.code == 0 else ""
