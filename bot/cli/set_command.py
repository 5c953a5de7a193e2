"""`pilotfish set`: given references into marked fields, offline and in place.

Prints what changed in the form that other programs rely on. A file that cannot be read,
parsed or written is left whole and told; the others are edited.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli.faults import has_errors, tell, tell_problems
from bot.cli.options import parser, read_display
from bot.errors import ConfigError, Problem, ProductError, Severity
from bot.folder import replace_file, visit
from bot.rewrite.given import read_given, set_given
from bot.rewrite.tree import NEEDLES
from bot.telemetry import shown

if TYPE_CHECKING:
    import argparse

    from bot.rewrite.given import FieldChange, FileChanges

_DONE = 0
_ERROR = 1
_USAGE = 2
_PARTLY = 4
_EXAMPLES = """\
  pilotfish set . --image-policy flux-system:app=ghcr.io/acme/app:1.4.2
  pilotfish set fleet --path clusters/prod --dry-run -o json \\
      --image-policy apps:web=ghcr.io/acme/web:2.0.0@sha256:…
"""


def run(argv: list[str]) -> int:
    """Run `pilotfish set` with its arguments and return the exit code."""
    given = _parser().parse_args(argv)
    display = read_display(given)
    try:
        references = read_given(given.image_policy)
        root = Path(given.dir)
        found = visit(root, given.path, NEEDLES, partial(set_given, given=references))
    except ProductError as fault:
        tell(fault)
        return _USAGE if isinstance(fault, ConfigError) else _ERROR
    problems = list(found.problems)
    written: list[FileChanges] = []
    for one in found.results:
        problems += one.problems
        if one.content is None:
            continue
        trouble = None if given.dry_run else _written(root, one)
        if trouble is None:
            written.append(one)
        else:
            problems.append(trouble)
    _show(written, problems, as_json=display.json, dry_run=given.dry_run, files=found.files)
    return _PARTLY if has_errors(problems) else _DONE


def _parser() -> argparse.ArgumentParser:
    made = parser("set", "Apply given references to the markers below DIR.", examples=_EXAMPLES)
    made.add_argument("dir", metavar="DIR")
    made.add_argument(
        "--image-policy",
        action="append",
        required=True,
        metavar="NAMESPACE:NAME=IMAGE:TAG[@DIGEST]",
        help="what the fields of this policy shall hold; may be repeated",
    )
    made.add_argument("--path", help="only below this folder of DIR, or only this file")
    made.add_argument("--dry-run", action="store_true", help="show, and write nothing")
    return made


def _written(root: Path, one: FileChanges) -> Problem | None:
    """Write one file and return what kept it from being written."""
    if one.content is None:
        return None
    try:
        replace_file(root, one.file, old=one.before, new=one.content)
    except ProductError as fault:
        return Problem(severity=Severity.ERROR, message=fault.what, file=one.file, hint=fault.hint)
    return None


def _show(
    written: list[FileChanges],
    problems: list[Problem],
    *,
    as_json: bool,
    dry_run: bool,
    files: int,
) -> None:
    changes = [change for one in written for change in one.changes]
    if as_json:
        import json

        answer = {
            "files": [one.file for one in written],
            "changes": [change.as_json() for change in changes],
            "problems": [problem.as_json() for problem in problems],
        }
        sys.stdout.write(json.dumps(answer, ensure_ascii=False, indent=2) + "\n")
        return
    _show_text(changes, len(written), dry_run=dry_run, files=files)
    tell_problems(problems)


def _show_text(changes: list[FieldChange], written: int, *, dry_run: bool, files: int) -> None:
    rows = [(shown(f"{one.file}:{one.line}"), shown(one.setter), _arrow(one)) for one in changes]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for place, setter, arrow in rows:
        sys.stdout.write(f"{place:<{widths[0]}}  {setter:<{widths[1]}}  {arrow}\n")
    verb = "would change" if dry_run else "changed"
    fields = "field" if len(changes) == 1 else "fields"
    names = "file" if written == 1 else "files"
    sys.stdout.write(f"{len(changes)} {fields} in {written} {names} {verb}; {files} files read\n")


def _arrow(change: FieldChange) -> str:
    return f"{shown(change.old_value) or '(empty)'} → {shown(change.new_value) or '(empty)'}"
