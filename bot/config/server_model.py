"""What an operator configured for `pilotfish serve`, as values.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.config.model import (
        Bounds,
        CommitSettings,
        ForgeSettings,
        Limits,
        RegistrySettings,
        Schedule,
    )
    from bot.config.secret_refs import SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class GitCredentials:
    """What opens a Git remote; files are absolute, empty where none was said."""

    username: str = ""
    token: SecretRef | None = None
    ssh_key: str = ""
    ssh_passphrase: SecretRef | None = None
    known_hosts: str = ""
    ca: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryEntry:
    """A repository to look after; an empty `branch` is the remote's default one."""

    name: str
    url: str
    branch: str = ""
    credentials: GitCredentials
    interval: timedelta
    schedule: Schedule | None = None
    suspended: bool = False
    bounds: Bounds | None = None
    limits: Limits | None = None
    forge: ForgeSettings | None = None
    commit: CommitSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetEntry:
    """A folder of a repository that is applied to a cluster.

    `variables` is `None` where nothing is to be replaced; an empty mapping replaces.
    """

    name: str
    repository: str
    path: str
    kubeconfig: str
    context: str
    namespace: str
    interval: timedelta
    timeout: timedelta
    schedule: Schedule | None = None
    prune: bool = False
    wait: bool = True
    force: bool = False
    suspended: bool = False
    variables: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """The whole file; `folder` is where its relative files start from.

    `jitter` is a share of the interval; `store` is empty for the usual place. `files` are those
    that the file names and whose change is a change of the configuration.
    """

    file: str
    folder: str
    repositories: tuple[RepositoryEntry, ...]
    targets: tuple[TargetEntry, ...]
    registries: tuple[RegistrySettings, ...]
    host: str
    port: int
    store: str
    concurrent: int
    errand_timeout: timedelta
    kept_runs: int
    jitter: float
    files: tuple[str, ...]

    def repository(self, name: str) -> RepositoryEntry:
        """Return the repository that a target names; the reader has checked that it is there."""
        return next(one for one in self.repositories if one.name == name)

    def target(self, name: str) -> TargetEntry:
        """Return the target of that name."""
        return next(one for one in self.targets if one.name == name)
