"""Opens a remote as the person who runs the command: their git, their tokens, one cache.

The forge's token is taken from `PILOTFISH_FORGE_TOKEN`, else from the variable that the
forge's kind uses, and serves Git over https (http on the loopback interface) to the same host
(`product.md` 3.2). A path or file URL counts only because it stands on the command line or is
the clone's own origin.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli.places import cache_root
from bot.clock import SystemClock
from bot.config.secret_refs import Secret
from bot.git.remote import open_remote
from bot.git.remote_url import Transport, parse_remote_url
from bot.git.settings import GitAccess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.git.remote import Remote

_TOKENS_BY_HOST = {"github.com": "GITHUB_TOKEN", "gitlab.com": "GITLAB_TOKEN"}
_ANY_FORGE = ("GITHUB_TOKEN", "GITLAB_TOKEN", "GITEA_TOKEN")


@asynccontextmanager
async def open_for_person(url: str) -> AsyncIterator[Remote]:
    """Open `url` with what the environment and the person's git configuration give."""
    address = parse_remote_url(url)
    token = _token(address.host) if address.kind in {Transport.HTTPS, Transport.HTTP} else None
    access = GitAccess(
        username=os.environ.get("PILOTFISH_GIT_USERNAME", "pilotfish") if token else "",
        token=token,
        ssh_key=_path("PILOTFISH_SSH_KEY"),
        known_hosts=_path("PILOTFISH_SSH_KNOWN_HOSTS"),
        ca_file=_path("PILOTFISH_GIT_CA"),
    )
    async with open_remote(
        url,
        access=access,
        cache_folder=cache_root() / "git",
        allow_file=True,
        clock=SystemClock(),
        import_person=True,
        person_folder=Path.cwd(),
    ) as remote:
        yield remote


def _token(host: str) -> Secret | None:
    """Return the token for a host; a well-known host never gets another forge's."""
    own = os.environ.get("PILOTFISH_FORGE_TOKEN")
    if own:
        return Secret(own)
    names = (_TOKENS_BY_HOST[host],) if host in _TOKENS_BY_HOST else _names_for(host)
    return next((Secret(os.environ[name]) for name in names if os.environ.get(name)), None)


def _names_for(host: str) -> tuple[str, ...]:
    kinds = tuple(name for name in _ANY_FORGE if name.removesuffix("_TOKEN").lower() in host)
    return kinds or ("GITEA_TOKEN",)


def _path(variable: str) -> Path | None:
    text = os.environ.get(variable)
    return Path(text) if text else None
