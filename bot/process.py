"""The one process door: an argument list, never a shell; a clean environment; a time-out.

Children inherit nothing but what the caller names (rules C1, S2 and S3 of the threat
model): the environment is built from zero, standard input is closed unless given, the
child leads a process group of its own and the whole group is killed when time is up or
the caller is cancelled. Secrets go by standard input or a file, never by an argument.

Must not know git, or any other program.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import UnavailableError

_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
_STREAM_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a child ended: `code` is its exit status, negative the signal that ended it."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def error_text(self) -> str:
        """Return what it said on standard error, decoded for reading."""
        return self.stderr.decode("utf-8", "replace").strip()


class ProgramMissingError(UnavailableError):
    """The program is not on this machine."""


class ProgramTimeoutError(UnavailableError):
    """The program did not end in time and was killed."""


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the whole environment of a child: path, locale, home, and `extra` on top."""
    environment = {"PATH": os.environ.get("PATH", _DEFAULT_PATH), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    for name in ("HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        if name in os.environ:
            environment[name] = os.environ[name]
    return environment | dict(extra or {})


async def run(
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 60.0,
) -> Completed:
    """Run `argv` to its end and return what it said.

    `environment` is the whole environment of the child; by default `clean_environment()`.

    Raises:
        ProgramMissingError: There is no such program.
        ProgramTimeoutError: It was still running after `timeout_s`.
    """
    try:
        child = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(environment) if environment is not None else clean_environment(),
            cwd=cwd,
            start_new_session=True,
            limit=_STREAM_LIMIT_BYTES,
        )
    except (FileNotFoundError, PermissionError) as fault:
        raise ProgramMissingError(
            f"the program {argv[0]!r} cannot be started",
            where=argv[0],
            hint=f"Install {argv[0]!r} or put it on the PATH",
        ) from fault
    try:
        async with asyncio.timeout(timeout_s):
            stdout, stderr = await child.communicate(stdin)
    except TimeoutError as fault:
        raise ProgramTimeoutError(
            f"{argv[0]!r} was still running after {timeout_s:g} s and was stopped",
            where=argv[0],
            hint="Try again, or allow it more time",
        ) from fault
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
    return Completed(code=child.returncode or 0, stdout=stdout, stderr=stderr)
