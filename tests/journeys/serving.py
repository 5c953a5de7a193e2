"""`pilotfish serve` as a child process: its file, its log, its endpoints, its signals."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.journeys.commands import PROGRAM

_PATIENCE_S = 30.0
Line = dict[str, Any]


@dataclass(kw_only=True)
class Server:
    """One server with a folder of its own; it may be started again and again."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    log: list[Line] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)
    _reader: threading.Thread | None = None

    @property
    def config(self) -> Path:
        """Return the operator's file."""
        return self.folder / "serve.yaml"

    def write(self, text: str) -> None:
        """Write the operator's file, whole."""
        scratch = self.config.with_suffix(".new")
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(self.config)

    def start(self, *words: str) -> "Server":
        """Start it and wait until it listens."""
        seen = len(self.log)
        environment = {
            **os.environ,
            "PILOTFISH_CACHE": str(self.folder / "cache"),
            "PILOTFISH_STATE": str(self.folder / "state"),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(PROGRAM), "serve", "--config", str(self.config), *words],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()
        self.wait_for(lambda one: one["event"] == "server started", since=seen)
        return self

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                try:
                    self.log.append(json.loads(line))
                except ValueError:
                    self.stray.append(line.decode())

    def wait_for(
        self, fits: Callable[[Line], bool], *, since: int = 0, patience_s: float = _PATIENCE_S
    ) -> Line:
        """Return the first line of the log from number `since` on that fits."""
        until = time.monotonic() + patience_s
        at = since
        while True:
            while at < len(self.log):
                if fits(self.log[at]):
                    return self.log[at]
                at += 1
            if time.monotonic() > until or self.is_gone:
                said = "\n".join(str(one) for one in self.log[since:][-30:])
                raise AssertionError(f"no such line came:\n{said}\n{''.join(self.stray)}")
            time.sleep(0.02)

    def wait_for_event(self, event: str, *, since: int = 0, **fields: object) -> Line:
        """Return the first line of that event with these fields."""
        return self.wait_for(
            lambda one: (
                one["event"] == event
                and all(one.get(key) == value for key, value in fields.items())
            ),
            since=since,
        )

    @property
    def is_gone(self) -> bool:
        """Return whether the process has ended and its log is read."""
        if self.process is None or self.process.poll() is None:
            return False
        assert self._reader is not None
        self._reader.join(2)
        return True

    @property
    def pid(self) -> int:
        """Return the process id."""
        assert self.process is not None
        return self.process.pid

    @property
    def port(self) -> int:
        """Return the port it listens at now."""
        started = [one for one in self.log if one["event"] == "server started"]
        return int(started[-1]["port"])

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of one of its endpoints."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as found:
                return found.status, found.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """Return one figure, 0 where there is none."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith((f"{name} ", f"{name}{{")) and all(
                f'{key}="{value}"' in line for key, value in labels.items()
            ):
                return float(line.rpartition(" ")[2])
        return 0.0

    def send(self, what: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, what)

    def stop(self, *, patience_s: float = 12.0) -> float:
        """Ask it to stop; returns how many seconds that took. It must end well."""
        assert self.process is not None
        began = time.monotonic()
        self.send(signal.SIGTERM)
        code = self.process.wait(patience_s)
        took = time.monotonic() - began
        assert self.is_gone
        assert code == 0, self.log[-10:]
        return took

    def kill(self) -> None:
        """Kill it on the spot."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        assert self.is_gone

    def children(self) -> list[str]:
        """Return what its child processes are called."""
        listed = subprocess.run(
            ["ps", "-o", "comm=", "--ppid", str(self.pid)], capture_output=True, check=False
        )
        return listed.stdout.decode().split()

    def descriptors(self) -> int:
        """Return how many descriptors it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def server_file(*repositories: tuple[str, str], more: str = "", interval: str = "1s") -> str:
    """Return an operator's file that looks after repositories, given as (name, address)."""
    entries = "".join(
        f"  - {{name: {name}, url: '{url}', interval: {interval}, forge: {{kind: plain}},"
        " limits: {open: 50, new-per-hour: 1000, pushes-per-hour: 1000}}\n"
        for name, url in repositories
    )
    return (
        f"version: 1\nserver: {{listen: '127.0.0.1:0'}}\njitter: 0%\nrepositories:\n{entries}{more}"
    )
