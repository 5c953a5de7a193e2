"""Child processes that serve, and that die with the tests.

A server is started in a process group of its own, waited for until it answers, and ended by the
finaliser; if the test process is killed, the kernel ends the server too.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Read once: tests change the environment.
_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SEARCH_PATH = ":".join(filter(None, [os.environ.get("PATH"), _USUAL_PATH]))
_READY_WITHIN_S = 60.0
_STOP_WITHIN_S = 10.0


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Tell whether something on loopback accepts connections at `port`."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def plain_environment(home: Path, **more: str) -> dict[str, str]:
    """Return the few variables a server needs, the same on every machine."""
    return {
        "PATH": _SEARCH_PATH,
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
        **more,
    }


class ServerProcess:
    """One child process that serves; `start` returns when `ready` says yes."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        folder: Path,
        environment: Mapping[str, str],
        ready: Callable[[], bool],
    ) -> None:
        self.arguments = [*_die_with_parent(), *(str(each) for each in arguments)]
        self.folder = folder
        self.environment = dict(environment)
        self.log_file = folder / "server.log"
        self._ready = ready
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log_file.open("ab") as log:
            self._child = subprocess.Popen(
                self.arguments,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self._ready():
            if self._child.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self.arguments[-1]} did not start:\n{self.log()[-2000:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_STOP_WITHIN_S)
                break

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait(_STOP_WITHIN_S)

    def log(self) -> str:
        """Return everything that the server wrote so far."""
        if not self.log_file.exists():
            return ""
        return self.log_file.read_text(encoding="utf-8", errors="replace")


def _die_with_parent() -> list[str]:
    # No `preexec_fn`: the tests' servers have threads in this process. Where setpriv is missing,
    # only a killed test process leaves servers behind.
    setpriv = shutil.which("setpriv", path="/usr/bin:/bin")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
