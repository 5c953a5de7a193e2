"""Which credential is shown to a registry, and where it was found.

What a person said about a registry comes first, then Docker's own configuration: its entries,
its helpers, its store (`peers.md` 6.3). Helpers are asked through the process door, the host on
standard input; one at a time for each host, and once a run. Credentials belong to exactly one
host and port (threats R1, R19).

Must not know tokens, nor HTTP.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import ConfigError, ProductError
from bot.process import clean_environment, run
from bot.registry.docker_config import (
    Credential,
    DockerConfig,
    HelperUse,
    canonical_host,
    fitting,
    read_docker_config,
    read_helper_answer,
)
from bot.telemetry import shown

if TYPE_CHECKING:
    from bot.config.model import RegistrySettings

_HELPER_TIMEOUT_S = 60.0  # cloud log-ins took longer than 10 s in `peers.md` row 8
_MAX_FILE_BYTES = 4 << 20
# what the helpers of clouds and desktops read; nothing else is handed on (threat S3)
_HANDED_ON = ("AWS_", "AZURE_", "CLOUDSDK_", "GOOGLE_", "GCE_", "XDG_", "DBUS_", "GNUPG", "DOCKER_")
_HANDED_ON_EXACT = frozenset({"PASSWORD_STORE_DIR", "DISPLAY", "WAYLAND_DISPLAY"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is for a repository, best first, and what could not be read on the way."""

    credentials: tuple[Credential, ...] = ()
    faults: tuple[str, ...] = ()


class Credentials:
    """Every place where a credential may stand, asked in order."""

    def __init__(
        self,
        settings: Iterable[RegistrySettings] = (),
        *,
        docker_config: Path | None = None,
        pull_secrets: Mapping[str, bytes] | None = None,
    ) -> None:
        """Take what was configured; `docker_config` is Docker's folder or file, `None` for none.

        `pull_secrets` are the contents of Kubernetes secrets, by the name to show for them.
        """
        self._settings = {canonical_host(each.host): each for each in settings}
        self._docker_config = docker_config
        self._pull_secrets = dict(pull_secrets or {})
        self._docker: tuple[DockerConfig | None, str] | None = None
        self._files: dict[str, DockerConfig] = {}
        self._answers: dict[tuple[str, str], Credential | str] = {}
        self._flights: dict[tuple[str, str], asyncio.Lock] = {}

    async def find(self, host: str, path: str) -> Found:
        """Return what there is for the repository `path` at `host`.

        Raises:
            ConfigError: A file that was named for this host cannot be read.
        """
        found: list[Credential] = []
        faults: list[str] = []
        settings = self._settings.get(canonical_host(host))
        if settings is not None and settings.password is not None:
            return Found(
                credentials=(
                    Credential(
                        entry=f"registries[{settings.host}] of the configuration",
                        username=settings.username or "",
                        password=settings.password,
                    ),
                )
            )
        named = settings.docker_config if settings is not None else None
        for config in self._configs(named, faults):
            faults.extend(config.faults)
            for each in fitting(config, host, path):
                offered = await self._ask_helper(each) if isinstance(each, HelperUse) else each
                if isinstance(offered, str):
                    faults.append(offered)
                elif offered.password or offered.identity_token or offered.registry_token:
                    found.append(offered)
        return Found(credentials=tuple(found), faults=tuple(f for f in faults if f))

    def forget(self, host: str) -> None:
        """Ask the helpers of `host` anew next time: what they said is refused or has expired."""
        wanted = canonical_host(host)
        self._answers = {
            key: value
            for key, value in self._answers.items()
            if canonical_host(key[1].removeprefix("https://").partition("/")[0]) != wanted
        }

    def _configs(self, named: str | None, faults: list[str]) -> list[DockerConfig]:
        if named:
            return [self._read(Path(named))]
        configs = [
            read_docker_config(text, source=name) for name, text in self._pull_secrets.items()
        ]
        if self._docker is None:
            self._docker = self._read_docker()
        config, fault = self._docker
        configs += [config] if config else []
        faults += [fault] if fault else []
        return configs

    def _read_docker(self) -> tuple[DockerConfig | None, str]:
        """Return Docker's configuration, or why it cannot be read; neither when there is none."""
        if self._docker_config is None or not _file_of(self._docker_config).is_file():
            return None, ""
        try:
            return self._read(self._docker_config), ""
        except ConfigError as error:
            return None, str(error)

    def _read(self, path: Path) -> DockerConfig:
        file = _file_of(path)
        config = self._files.get(str(file))
        if config is None:
            try:
                with file.open("rb") as opened:
                    text = opened.read(_MAX_FILE_BYTES)
            except OSError as error:
                raise ConfigError(
                    "Docker's configuration cannot be read",
                    where=str(file),
                    hint="Check that the file exists and may be read by this user",
                ) from error
            config = self._files[str(file)] = read_docker_config(text, source=str(file))
        return config

    async def _ask_helper(self, use: HelperUse) -> Credential | str:
        """Return the helper's credential, or why there is none; empty when it just has none."""
        key = (use.helper, use.key)
        async with self._flights.setdefault(key, asyncio.Lock()):
            if key not in self._answers:
                self._answers[key] = await _run_helper(use)
            return self._answers[key]


async def _run_helper(use: HelperUse) -> Credential | str:
    program = f"docker-credential-{use.helper}"
    extra = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(_HANDED_ON) or name in _HANDED_ON_EXACT
    }
    try:
        ended = await run(
            [program, "get"],
            stdin=use.key.encode(),
            environment=clean_environment(extra),
            timeout_s=_HELPER_TIMEOUT_S,
        )
    except ProductError as error:
        return f"{use.entry}: {error}"
    if ended.code != 0:
        said = (ended.stdout + ended.stderr).decode("utf-8", "replace")
        if "credentials not found" in said.lower():
            return ""
        return f"{use.entry}: {program} failed: {shown(said)}"
    credential = read_helper_answer(ended.stdout, entry=use.entry)
    return credential or f"{use.entry}: {program} printed no credential"


def docker_folder(environment: Mapping[str, str]) -> Path | None:
    """Return where Docker keeps its configuration: `DOCKER_CONFIG`, else `~/.docker`."""
    if named := environment.get("DOCKER_CONFIG"):
        return Path(named)
    home = environment.get("HOME")
    return Path(home) / ".docker" if home else None


def _file_of(path: Path) -> Path:
    return path / "config.json" if path.is_dir() else path
