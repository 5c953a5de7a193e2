"""One configuration in use, with the registries it opens; the old one ends with its last user.

A reload swaps the whole at once: what starts later sees the new one, what runs ends with the
old (FG10). All repositories of a generation share one registry client, so that the limits of
a host hold across them (FS8).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bot.config.model import Config
from bot.config.native import resolve_secrets
from bot.config.secret_refs import read_secret
from bot.config.server import read_server_file
from bot.errors import ConfigError
from bot.git.remote_url import parse_remote_url
from bot.git.settings import GitAccess
from bot.registry.cache import ScanCache
from bot.registry.client import open_registries
from bot.update.forge_opening import ForgeCredential

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.config.model import ForgeSettings
    from bot.config.secret_refs import Secret, SecretRef
    from bot.config.server_model import RepositoryEntry, ServerConfig
    from bot.registry.client import RegistryClient

_DEFAULT_USER = "pilotfish"


def load(file: Path) -> ServerConfig:
    """Return what the operator's file says now; the secrets it names must be there.

    Raises:
        ConfigError: It cannot be read, or is wrong; all faults are in it.
    """
    try:
        text = file.read_bytes()
    except OSError as fault:
        raise ConfigError(
            f"the configuration cannot be read ({fault.strerror})",
            where=str(file),
            hint="Check the path given with --config, and its rights",
        ) from fault
    folder = file.absolute().parent
    config = read_server_file(str(file), text, folder=folder, check_url=parse_remote_url)
    for entry in config.repositories:
        access_for(entry, folder)
    resolve_secrets(_registries_of(config), folder=folder)
    return config


def access_for(entry: RepositoryEntry, folder: Path) -> GitAccess:
    """Return what opens a repository; its secrets are read now.

    Raises:
        ConfigError: A secret cannot be read.
    """
    by, where = entry.credentials, f"repository {entry.name}"
    return GitAccess(
        username=(by.username or _DEFAULT_USER) if by.token else "",
        token=read_secret(by.token, where=where, folder=folder) if by.token else None,
        ssh_key=Path(by.ssh_key) if by.ssh_key else None,
        ssh_passphrase=read_secret(by.ssh_passphrase, where=where, folder=folder)
        if by.ssh_passphrase
        else None,
        known_hosts=Path(by.known_hosts) if by.known_hosts else None,
        ca_file=Path(by.ca) if by.ca else None,
    )


def forge_credential(
    entry: RepositoryEntry, settings: ForgeSettings, folder: Path
) -> ForgeCredential:
    """Return what is shown to a repository's forge: what was said for it, else its Git token.

    Raises:
        ConfigError: A secret cannot be read.
    """
    where = f"repository {entry.name}"

    def kept(ref: SecretRef | None) -> Secret | None:
        return read_secret(ref, where=where, folder=folder) if ref is not None else None

    ca = settings.ca or entry.credentials.ca or None
    if settings.app_id:
        return ForgeCredential(app_id=settings.app_id, app_key=kept(settings.app_key), ca=ca)
    return ForgeCredential(token=kept(settings.token or entry.credentials.token), ca=ca)


def _registries_of(config: ServerConfig) -> Config:
    return Config(registries=config.registries, source=(config.file,))


class Generation:
    """A configuration with its open registry client, and what scans remember."""

    def __init__(
        self, config: ServerConfig, client: RegistryClient, cache: ScanCache, folder: Path
    ) -> None:
        self.config = config
        self.client = client
        self.cache = cache
        self.folder = folder
        self._users = 0
        self._retired = False
        self._over = asyncio.Event()

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Keep it open meanwhile, whatever is loaded."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            self._look()

    def retire(self) -> None:
        """Let it end with its last user."""
        self._retired = True
        self._look()

    async def until_over(self) -> None:
        """Return when it is retired and nobody uses it."""
        await self._over.wait()

    def _look(self) -> None:
        if self._retired and not self._users:
            self._over.set()


@contextlib.asynccontextmanager
async def open_generation(
    config: ServerConfig, *, clock: Clock, cache_folder: Path
) -> AsyncIterator[Generation]:
    """Open the registries that `config` names, with the docker configuration of the machine.

    Raises:
        FaultsError: A secret cannot be read.
    """
    folder = Path(config.folder)
    resolved = resolve_secrets(_registries_of(config), folder=folder)
    cache = ScanCache(cache_folder / "registry")
    async with open_registries(resolved.registries, clock=clock, environment=os.environ) as client:
        yield Generation(config, client, cache, folder)
    cache.trim()
