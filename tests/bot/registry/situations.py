"""What the tests of the HTTP door and of registries have in common: a clock and open clients."""

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.config.model import RegistrySettings
from bot.http_client.client import HttpClient
from bot.http_client.exchange import Limits
from bot.registry.client import RegistryClient
from bot.registry.credentials import Credentials

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SHORT = Limits(connect_s=2.0, first_byte_s=0.3, header_s=0.3, total_s=0.6, retries=1)


class MovedClock:
    """A clock that stands still, and jumps when someone sleeps."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed_s)

    def monotonic_s(self) -> float:
        return 1000.0 + self.passed_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed_s += seconds


def open_client(
    *settings: RegistrySettings,
    clock: MovedClock | None = None,
    limits: Limits | None = None,
    docker_config: Path | None = None,
    steps: list[str] | None = None,
) -> RegistryClient:
    """Return a client whose clock does not make the test wait."""
    clock = clock or MovedClock()
    return RegistryClient(
        settings,
        clock=clock,
        credentials=Credentials(settings, docker_config=docker_config),
        http=None if limits is None else HttpClient(clock=clock, limits=limits),
        tell=steps.append if steps is not None else None,
    )


def write_docker_config(folder: Path, auths: Iterable[tuple[str, str, str]]) -> Path:
    """Write entries of (key, user, password) and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = {
        key: {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}
        for key, user, password in auths
    }
    (folder / "config.json").write_text(json.dumps({"auths": entries}), encoding="utf-8")
    return folder
