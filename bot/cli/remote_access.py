"""Opens a remote as the person who runs the command: their git, their tokens, one cache.

The forge's token is taken from `PILOTFISH_FORGE_TOKEN`, else from the variable that the
forge's kind uses, and serves Git over https (http on the loopback interface) to the same host
(`product.md` 3.2). A path or file URL counts only because it stands on the command line or is
the clone's own origin.
"""

from __future__ import annotations

import os
import re
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli.places import cache_root
from bot.clock import SystemClock
from bot.config.secret_refs import Secret
from bot.errors import ConfigError
from bot.git.remote import open_remote
from bot.git.remote_url import Transport, parse_remote_url
from bot.git.settings import GitAccess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.git.remote import Remote

_GIT_USERS = {"gitlab": "oauth2"}
_GIT_USER = "x-access-token"  # what GitHub Apps need; other forges take any name with a token
_JOB_TOKEN, _JOB_USER = "CI_JOB_TOKEN", "gitlab-ci-token"
_TOKENS = {
    "github": ("GITHUB_TOKEN",),
    "gitlab": ("GITLAB_TOKEN",),
    "gitea": ("GITEA_TOKEN",),
    "forgejo": ("GITEA_TOKEN", "FORGEJO_TOKEN"),
}
_ANY_FORGE = ("GITHUB_TOKEN", "GITLAB_TOKEN", "GITEA_TOKEN")


@asynccontextmanager
async def open_for_person(url: str) -> AsyncIterator[Remote]:
    """Open `url` with what the environment and the person's git configuration give."""
    address = parse_remote_url(url)
    over_http = address.kind in {Transport.HTTPS, Transport.HTTP}
    user, token = await _user_and_token(url, address.host) if over_http else ("", None)
    access = GitAccess(
        username=os.environ.get("PILOTFISH_GIT_USERNAME") or user if token else "",
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


async def _user_and_token(url: str, host: str) -> tuple[str, Secret | None]:
    token = await _app_token(url)
    return (_GIT_USER, token) if token else _login(host)


async def _app_token(url: str) -> Secret | None:
    """Return a token of the GitHub App that the environment names, if it is for this host."""
    from bot.cli.forge_access import APP_ID, APP_KEY, credential_for, kinds_around

    if not (os.environ.get(APP_ID) and os.environ.get(APP_KEY)):
        return None
    from bot.config.model import ForgeSettings
    from bot.update.forge_opening import app_token
    from bot.update.forge_rule import place_of_forge

    try:
        place = place_of_forge(ForgeSettings(), url, kinds=kinds_around())
    except ConfigError:
        return None  # nobody said which forge it is: no App's place
    if place is None or place.kind != "github":
        return None
    credential = credential_for(ForgeSettings(), place, folder=Path.cwd())
    return await app_token(place, credential, clock=SystemClock())


def _login(host: str) -> tuple[str, Secret | None]:
    """Return user and token for a host; a well-known host never gets another forge's.

    A GitLab job's own token goes to the server that the job runs for, and nowhere else.
    """
    from bot.cli.forge_access import kinds_around
    from bot.update.forge_rule import kind_of_host

    around = {re.split("[:/]", name, maxsplit=1)[0]: kind for name, kind in kinds_around().items()}
    kind = around.get(host) or kind_of_host(host)
    names = ["PILOTFISH_FORGE_TOKEN", *(_TOKENS.get(kind) or _names_for(host))]
    if around.get(host) == "gitlab":
        names.append(_JOB_TOKEN)
    for name in names:
        if text := os.environ.get(name):
            user = _JOB_USER if name == _JOB_TOKEN else _GIT_USERS.get(kind, _GIT_USER)
            return user, Secret(text)
    return "", None


def _names_for(host: str) -> tuple[str, ...]:
    kinds = tuple(name for name in _ANY_FORGE if name.removesuffix("_TOKEN").lower() in host)
    return kinds or ("GITEA_TOKEN",)


def _path(variable: str) -> Path | None:
    text = os.environ.get(variable)
    return Path(text) if text else None
