"""Which forge credential a command uses: what was configured, then what the environment holds.

`PILOTFISH_FORGE_TOKEN`, else `GITHUB_TOKEN`, `GITLAB_TOKEN` or `GITEA_TOKEN` by the forge's kind
(`product.md` 3.2); in a GitLab job its own token last, for the server of that job alone. A
GitHub App is named by `PILOTFISH_GITHUB_APP_ID` and `PILOTFISH_GITHUB_APP_PRIVATE_KEY`. In a CI
job the server that the job runs for is known to be of its kind.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bot.config.secret_refs import Secret, SecretRef, read_secret
from bot.update.forge_opening import ForgeCredential

if TYPE_CHECKING:
    from pathlib import Path

    from bot.config.model import ForgeSettings
    from bot.update.forge_rule import ForgePlace

_VARIABLES = {
    "github": ("GITHUB_TOKEN",),
    "gitlab": ("GITLAB_TOKEN",),
    "gitea": ("GITEA_TOKEN",),
    "forgejo": ("GITEA_TOKEN", "FORGEJO_TOKEN"),
}
APP_ID, APP_KEY = "PILOTFISH_GITHUB_APP_ID", "PILOTFISH_GITHUB_APP_PRIVATE_KEY"


def kinds_around() -> dict[str, str]:
    """Return the kind of the server that this CI job runs for, by its host and path."""
    server = os.environ.get("GITHUB_SERVER_URL", "")
    if server:  # runners of Gitea and Forgejo set it as well
        is_gitea = os.environ.get("GITEA_ACTIONS") or os.environ.get("FORGEJO_ACTIONS")
        return {_bare(server): "gitea" if is_gitea else "github"}
    server = os.environ.get("CI_SERVER_URL", "")
    return {_bare(server): "gitlab"} if server else {}


def _bare(address: str) -> str:
    host, slash, path = address.partition("://")[2].rstrip("/").partition("/")
    return f"{host.lower()}{slash}{path}"


def _is_jobs_own(place: ForgePlace) -> bool:
    """Return whether this CI job runs for the server of `place`."""
    hosts = {name.partition("/")[0]: kind for name, kind in kinds_around().items()}
    return hosts.get(place.host.lower()) == place.kind


def credential_for(settings: ForgeSettings, place: ForgePlace, *, folder: Path) -> ForgeCredential:
    """Return what to show to a forge, empty where nothing was given.

    The authority that git is told for the remote counts for the forge on the same host.

    Raises:
        ConfigError: A place that was named for a secret does not hold one.
    """
    kind = place.kind

    def kept(ref: SecretRef | None, name: str) -> Secret | None:
        return read_secret(ref, where=f"forge.{name}", folder=folder) if ref is not None else None

    ca = settings.ca or ("" if settings.url else os.environ.get("PILOTFISH_GIT_CA")) or None
    if settings.app_id:
        key = kept(settings.app_key, "app.private-key")
        return ForgeCredential(app_id=settings.app_id, app_key=key, ca=ca)
    if settings.token is not None:
        return ForgeCredential(token=kept(settings.token, "token"), ca=ca)
    app_id, app_key = os.environ.get(APP_ID, ""), os.environ.get(APP_KEY, "")
    if kind == "github" and app_id and app_key:
        return ForgeCredential(app_id=app_id, app_key=Secret(app_key), ca=ca)
    for name in ("PILOTFISH_FORGE_TOKEN", *_VARIABLES.get(kind, ())):
        if os.environ.get(name):
            return ForgeCredential(token=Secret(os.environ[name]), ca=ca)
    job = os.environ.get("CI_JOB_TOKEN", "")
    if job and kind == "gitlab" and _is_jobs_own(place):
        return ForgeCredential(token=Secret(job), job=True, ca=ca)
    return ForgeCredential(ca=ca)
