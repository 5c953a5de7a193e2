"""Which repository a folder was cloned from, and which branch it is on.

Only configuration and the name of HEAD are read, with the file-system monitor and hooks off
and under a private configuration: looking at a folder must never run what someone put there
(rules C2 and C4). A folder of another owner, as in a CI container, may be looked at as well,
since nothing in it is obeyed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot.git.names import is_branch_name
from bot.git.remote_url import RemoteUrl, parse_remote_url
from bot.process import clean_environment, run

_SAFE = {
    "LC_ALL": "C",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_CONFIG_COUNT": "3",
    "GIT_CONFIG_KEY_0": "core.fsmonitor",
    "GIT_CONFIG_VALUE_0": "false",
    "GIT_CONFIG_KEY_1": "core.hooksPath",
    "GIT_CONFIG_VALUE_1": "/dev/null",
    "GIT_CONFIG_KEY_2": "safe.directory",
    "GIT_CONFIG_VALUE_2": "*",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A clone: its top folder, the address of `origin`, and the branch that is checked out.

    `url` is None without an `origin`; `branch` is None on a detached HEAD or a name outside
    our grammar.
    """

    top: Path
    url: RemoteUrl | None
    branch: str | None


async def find_location(folder: Path) -> Location | None:
    """Return where `folder` was cloned from; None when it is no clone.

    Raises:
        InvalidRemoteUrl: `origin` is an address we do not speak to, or holds a secret.
    """
    top = await _git(folder, "rev-parse", "--show-toplevel")
    if top is None:
        return None
    origin = await _git(folder, "config", "--get", "remote.origin.url")
    branch = await _git(folder, "symbolic-ref", "--quiet", "--short", "HEAD")
    return Location(
        top=Path(top),
        url=parse_remote_url(origin) if origin else None,
        branch=branch if branch and is_branch_name(branch) else None,
    )


async def _git(folder: Path, *arguments: str) -> str | None:
    result = await run(
        ["git", *arguments],
        environment=clean_environment(_SAFE),
        cwd=folder,
        timeout_s=20.0,
        max_output_bytes=1 << 16,
    )
    text = result.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")
    return text if result.code == 0 and text else None
