"""What a CI job makes of an answer: the file it is kept in, and whether the job fails.

`run`, `plan` and `check` share these two options. `--fail-on never` lets nothing fail but a
wrong configuration and a run in which nothing could be done, `error` (the default) also what
failed in part, `outdated` also what is behind its policy in Git when the command ends: 3
(`peers.md` 4.4).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli.ci_job import FAIL_ON
from bot.errors import ConfigError
from bot.telemetry import redact

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from bot.planning.plan import Update
    from bot.update.report import Report

_DONE, _OUTDATED, _PARTLY = 0, 3, 4


def add_verdict_options(made: argparse.ArgumentParser) -> None:
    """Add `--report` and `--fail-on`."""
    group = made.add_argument_group("for CI")
    group.add_argument("--report", metavar="FILE", help="write what -o json prints to a file too")
    group.add_argument(
        "--fail-on", choices=FAIL_ON, default="error", help="outdated: exit 3 when any is"
    )


def behind(report: Report, *, dry_run: bool) -> list[Update]:
    """Return the updates that Git's base, or the folder, does not hold when the command ends."""
    if dry_run:
        return report.updates
    committed = {one.update for one in report.commits}
    edited = set(report.files)
    return [
        one
        for one in report.updates
        if one.binding.update.name not in committed and one.file not in edited
    ]


def judged(code: int, outdated: Iterable[object], *, fail_on: str) -> int:
    """Return the exit code of a command that would end with `code` by itself."""
    if fail_on == "never":
        return _DONE if code in {_OUTDATED, _PARTLY} else code
    if code == _DONE and fail_on == "outdated" and any(True for _ in outdated):
        return _OUTDATED
    return code


def keep(file: str, answer: object) -> None:
    """Write `answer` as JSON, without any secret that is known.

    Raises:
        ConfigError: The file cannot be written.
    """
    text = redact(json.dumps(answer, ensure_ascii=False, indent=1)) + "\n"
    write_text(Path(file), text)


def write_text(path: Path, text: str) -> None:
    """Write a file that somebody asked for.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as fault:
        raise ConfigError(
            f"the file cannot be written: {fault.strerror}",
            where=str(path),
            hint="Name one in a folder that may be written to",
        ) from fault
