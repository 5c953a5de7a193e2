"""The process door: clean environment, bounds in time and size, no child left behind."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from bot.process import (
    OutputTooLargeError,
    ProgramMissingError,
    ProgramTimeoutError,
    clean_environment,
    inherited_environment,
    run,
)

PYTHON = [sys.executable, "-I", "-S", "-c"]


async def test_output_errors_and_status_come_back() -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    result = await run([*PYTHON, code])

    assert (result.code, result.stdout, result.error_text) == (3, b"out\n", "err")


async def test_large_input_and_output_pass_through_together() -> None:
    content = bytes(range(256)) * 20_000
    code = "import sys, shutil; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"

    assert (await run([*PYTHON, code], stdin=content)).stdout == content


async def test_a_child_that_reads_no_input_is_no_fault() -> None:
    assert (await run(["true"], stdin=b"x" * (1 << 22))).code == 0


async def test_a_child_sees_an_environment_built_from_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_OF_OURS", "canary")

    said = (await run(["env"])).stdout.decode()

    assert "canary" not in said
    assert {line.split("=")[0] for line in said.splitlines()} <= {
        "PATH", "LC_ALL", "TZ", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
    }  # fmt: skip


async def test_only_named_variables_are_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABC_ONE", "1")
    monkeypatch.setenv("ABC_TWO", "2")
    monkeypatch.setenv("OTHER", "3")

    assert inherited_environment(["ABC_*"]) == {"ABC_ONE": "1", "ABC_TWO": "2"}
    assert inherited_environment(["OTHER", "ABSENT"]) == {"OTHER": "3"}
    assert inherited_environment([]) == {}


async def test_a_missing_program_is_named() -> None:
    with pytest.raises(ProgramMissingError, match="no-such-program"):
        await run(["no-such-program"])


async def test_a_slow_child_and_its_children_are_stopped(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 60 & echo $! > {pids}; sleep 60"

    with pytest.raises(ProgramTimeoutError):
        await run(["sh", "-c", script], timeout_s=0.5)

    _wait_for_end(int(pids.read_text()))


async def test_a_cancelled_caller_leaves_no_child(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await run(["sh", "-c", f"echo $$ > {pids}; sleep 60"])

    _wait_for_end(int(pids.read_text()))


async def test_a_child_that_says_too_much_is_stopped() -> None:
    with pytest.raises(OutputTooLargeError, match="more than 1000 bytes"):
        await run(["yes"], max_output_bytes=1000)


async def test_output_up_to_the_bound_is_kept_whole() -> None:
    assert len((await run([*PYTHON, "print('x' * 999)"], max_output_bytes=1000)).stdout) == 1000


async def test_endless_complaints_are_cut() -> None:
    code = "import sys\nfor _ in range(3000): sys.stderr.write('x' * 1000)"
    result = await run([*PYTHON, code])

    assert (result.code, len(result.stderr)) == (0, 1 << 16)


def test_extra_variables_win() -> None:
    assert clean_environment({"LC_ALL": "C"})["LC_ALL"] == "C"


def _wait_for_end(pid: int) -> None:
    """Return when the process is gone; the kernel may take a moment after the signal."""
    begun = time.monotonic()
    while _is_running(pid):
        assert time.monotonic() - begun < 5.0
        os.sched_yield()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
