"""Where a CI job leaves what it found: the runner's files, and files to be kept as artefacts.

GitHub's runner (and Gitea's) reads outputs and a summary from files that it names; GitLab takes
artefacts. A delimiter of an output is random, so that no value can end it early, and neither
`GITHUB_ENV` nor `GITHUB_PATH` is ever written (threat S6). No file holds a secret that is known.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli.ci_job import Runner
from bot.cli.ci_marks import code_quality
from bot.cli.ci_summary import summary
from bot.cli.sarif import sarif
from bot.cli.verdict import keep, write_text
from bot.errors import ConfigError
from bot.telemetry import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bot.cli.ci_told import Told

_MAX_EVENT_BYTES = 26 << 20  # GitHub caps the payload of an event at 25 MB
_MAX_OUTPUT_CHARS = 100_000  # a job's outputs may hold 1 MB in UTF-16, all together
_MAX_SUMMARY_BYTES = 1_000_000  # a runner takes 1 MiB for a step


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Which files were written."""

    report: Path
    sarif: Path
    summary: Path


def read_event(environment: Mapping[str, str]) -> dict[str, object]:
    """Return what the runner says about the event, empty where it says nothing that is sound."""
    path = environment.get("GITHUB_EVENT_PATH")
    if not path:
        return {}
    try:
        with Path(path).open("rb") as file:
            found = json.loads(file.read(_MAX_EVENT_BYTES))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def masked(told: Told) -> Told:
    """Return the answer without any secret that is known, before anything escapes its texts."""
    problems = tuple(
        replace(one, message=redact(one.message), file=redact(one.file), hint=redact(one.hint))
        for one in told.problems
    )
    good = tuple(redact(one) for one in told.good)
    return replace(told, problems=problems, good=good, sentence=redact(told.sentence))


def keep_all(told: Told, environment: Mapping[str, str]) -> Kept:
    """Write report, SARIF and summary, and what the runner wants.

    Raises:
        ConfigError: A file cannot be written.
    """
    folder = Path(environment.get("RUNNER_TEMP") or ".")
    report = Path(told.job.report) if told.job.report else folder / "pilotfish-report.json"
    kept = Kept(
        report=report,
        sarif=report.with_suffix(".sarif"),
        summary=folder / "pilotfish-summary.md",
    )
    keep(str(kept.report), told.as_json())
    keep(str(kept.sarif), sarif(told))
    text = redact(summary(told))
    write_text(kept.summary, text)
    if told.job.runner is Runner.GITLAB:
        keep("gl-code-quality-report.json", code_quality(told))
        write_text(Path("pilotfish.env"), _dotenv(told))
    if environment.get("GITHUB_STEP_SUMMARY"):
        _append(environment["GITHUB_STEP_SUMMARY"], _as_runner_takes_it(text))
    if environment.get("GITHUB_OUTPUT"):
        lines = _blocks(_outputs(told, kept).items())
        _append(environment["GITHUB_OUTPUT"], redact(lines))
    return kept


def _as_runner_takes_it(text: str) -> str:
    """Return as many lines of a summary as a runner takes; of a longer one it takes none."""
    whole = text.encode(errors="replace")
    if len(whole) <= _MAX_SUMMARY_BYTES:
        return text
    kept = whole[:_MAX_SUMMARY_BYTES].decode(errors="ignore").rpartition("\n")[0]
    return f"{kept}\n\nCut here; the report has the rest.\n"


def _append(path: str, text: str) -> None:
    try:
        with open(path, "a", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError as fault:
        raise ConfigError(
            f"the runner's file cannot be written: {fault.strerror}",
            where=path,
            hint="In a container, mount the folder of the runner's files",
        ) from fault


def _blocks(outputs: Iterable[tuple[str, str]]) -> str:
    """Return outputs in the runner's form, each between delimiters of its own."""
    made: list[str] = []
    for name, value in outputs:
        mark = f"pilotfish-{secrets.token_hex(16)}"
        made.append(f"{name}<<{mark}\n{value}\n{mark}\n")
    return "".join(made)


def _outputs(told: Told, kept: Kept) -> dict[str, str]:
    return {
        "changed": str(told.changed).lower(),
        "pull-requests": _list([_pull_request(one) for one in told.shown_proposals]),
        "updates": _list([one.as_json() for one in told.updates]),
        "held": _list([one.as_json() for one in told.held]),
        "problems": _list([one.as_json() for one in told.problems]),
        "report": str(kept.report),
        "sarif": str(kept.sarif),
        "summary": str(kept.summary),
        "commits-verified": str(told.verified).lower(),
        "mode": told.job.mode.value,
    }


def _list(rows: Sequence[Mapping[str, object]]) -> str:
    """Return the rows as JSON, as many as fit; the report holds all of them."""
    made: list[str] = []
    size = 0
    for row in rows:
        text = json.dumps(row, ensure_ascii=True)
        size += len(text) + 1
        if size > _MAX_OUTPUT_CHARS:
            break
        made.append(text)
    return f"[{','.join(made)}]"


def _pull_request(one: Mapping[str, object]) -> dict[str, object]:
    updates = one.get("updates")
    keys = ("file", "line", "image", "from", "to", "fromTag", "toTag", "type")
    items = [
        {key: item.get(key) for key in keys}
        for item in (updates if isinstance(updates, list) else [])
    ]
    named = {key: one.get(key) for key in ("number", "url", "operation", "head", "branch")}
    return named | {"items": items}


def _dotenv(told: Told) -> str:
    """Return GitLab's variables for later jobs: counts and flags, no foreign text."""
    rows = {
        "CHANGED": str(told.changed).lower(),
        "UPDATES": len(told.updates),
        "BEHIND": len(told.behind),
        "HELD": len(told.held),
        "PROBLEMS": len(told.problems),
    }
    return "".join(f"PILOTFISH_{name}={value}\n" for name, value in rows.items())


def stop_word(environment: Mapping[str, str]) -> str:
    """Return the word between which the runner reads no commands, empty where it reads none."""
    reads = environment.get("GITHUB_ACTIONS") == "true"
    return f"pilotfish-{secrets.token_hex(16)}" if reads else ""
