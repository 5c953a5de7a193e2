"""The one process door: an argument list, never a shell; a clean environment; a time-out.

Children inherit nothing but what the caller names (rules C1, S2 and S3 of the threat
model): the environment is built from zero, standard input is closed unless given, the
child leads a process group of its own and the whole group is killed when time is up, the
caller is cancelled or it says more than was asked for (C18). Secrets go by standard input
or a file, never by an argument.

Must not know git, or any other program.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import RefusedError, UnavailableError

_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
_STREAM_LIMIT_BYTES = 1 << 20
_KEPT_ERROR_BYTES = 1 << 16  # what is said beyond that on standard error is read and dropped


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


def inherited_environment(names: Iterable[str]) -> dict[str, str]:
    """Return those variables of our own environment; a name that ends in `*` is a prefix."""
    wanted = tuple(names)
    prefixes = tuple(name[:-1] for name in wanted if name.endswith("*"))
    return {
        name: value
        for name, value in os.environ.items()
        if name in wanted or (prefixes and name.startswith(prefixes))
    }


class OutputTooLargeError(RefusedError):
    """The program said more than the caller is ready to keep; it was stopped."""


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
    max_output_bytes: int | None = None,
) -> Completed:
    """Run `argv` to its end and return what it said.

    `environment` is the whole environment of the child; by default `clean_environment()`.
    Of standard error the first 64 KiB are kept.

    Raises:
        ProgramMissingError: There is no such program.
        ProgramTimeoutError: It was still running after `timeout_s`.
        OutputTooLargeError: It wrote more than `max_output_bytes` to standard output.
    """
    child = await _start(argv, stdin is not None, environment, cwd)
    try:
        async with asyncio.timeout(timeout_s), asyncio.TaskGroup() as pipes:
            pipes.create_task(_feed(child, stdin))
            stdout = pipes.create_task(_take(child, max_output_bytes))
            stderr = pipes.create_task(_take_errors(child))
        # A grandchild may have closed the pipes before the child ended.
        async with asyncio.timeout(timeout_s):
            await child.wait()
    except TimeoutError as fault:
        raise ProgramTimeoutError(
            f"{argv[0]!r} was still running after {timeout_s:g} s and was stopped",
            where=argv[0],
            hint="Try again, or allow it more time",
        ) from fault
    finally:
        if child.returncode is None:
            _kill(child)
            await child.wait()
    said = stdout.result()
    if max_output_bytes is not None and len(said) > max_output_bytes:
        raise OutputTooLargeError(
            f"{argv[0]!r} answered with more than {max_output_bytes} bytes and was stopped",
            where=argv[0],
            hint="Look at fewer files at a time, or at what makes this answer so large",
        )
    return Completed(code=child.returncode or 0, stdout=said, stderr=stderr.result())


async def _start(
    argv: Sequence[str], has_input: bool, environment: Mapping[str, str] | None, cwd: Path | None
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE if has_input else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(environment) if environment is not None else clean_environment(),
            cwd=cwd,
            start_new_session=True,
            limit=_STREAM_LIMIT_BYTES,
        )
    except (FileNotFoundError, PermissionError, NotADirectoryError) as fault:
        raise ProgramMissingError(
            f"the program {argv[0]!r} cannot be started",
            where=argv[0],
            hint=f"Install {argv[0]!r} or put it on the PATH",
        ) from fault


async def _feed(child: asyncio.subprocess.Process, stdin: bytes | None) -> None:
    if child.stdin is None:
        return
    # A child may end without reading all; its exit status tells the rest.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        if stdin:
            child.stdin.write(stdin)
            await child.stdin.drain()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        child.stdin.close()
        await child.stdin.wait_closed()


async def _take(child: asyncio.subprocess.Process, max_bytes: int | None) -> bytes:
    assert child.stdout is not None  # noqa: S101  # always asked for in _start
    kept = bytearray()
    while chunk := await child.stdout.read(_STREAM_LIMIT_BYTES):
        kept += chunk
        if max_bytes is not None and len(kept) > max_bytes:
            _kill(child)
            break
    return bytes(kept)


async def _take_errors(child: asyncio.subprocess.Process) -> bytes:
    assert child.stderr is not None  # noqa: S101  # always asked for in _start
    kept = bytearray()
    while chunk := await child.stderr.read(_STREAM_LIMIT_BYTES):
        kept += chunk[: _KEPT_ERROR_BYTES - len(kept)]
    return bytes(kept)


def _kill(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
