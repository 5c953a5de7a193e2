"""`pilotfish diff`: what an apply of a folder would change in a cluster, secrets masked.

Exit code 3 when something differs.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from bot.cli.cluster_pass import add_cluster_options, read_folder, run_pass
from bot.cli.faults import tell_problems
from bot.cli.options import parser, read_display
from bot.telemetry import redact
from reconciler.ownership import Owner
from reconciler.reconcile import Wish, check_owner

if TYPE_CHECKING:
    import argparse

    from bot.cli.options import Display
    from reconciler.changes import Outcome

_DONE, _ERROR, _DIFFERS = 0, 1, 3
_EXAMPLES = """\
  pilotfish diff clusters/prod
  pilotfish diff clusters/prod --name prod --prune
  pilotfish diff clusters/prod -o json | jq '.differences[].object'
"""


def run(argv: list[str]) -> int:
    """Run `pilotfish diff` with its arguments and return the exit code."""
    given = _parser().parse_args(argv)
    display = read_display(given)
    checked = check_owner(given.name or "any", given.namespace)
    owner = checked if given.name else Owner(name="", namespace=given.namespace)
    wish = Wish(
        owner=owner,
        objects=read_folder(given),
        prune=given.prune,
        force=given.force,
        dry_run=True,
    )
    outcome = run_pass(given, wish, display, label="objects compared")
    if display.json:
        print(json.dumps(_as_json(outcome), ensure_ascii=False))
    else:
        _show(outcome, display)
    tell_problems(outcome.problems)
    if outcome.failed:
        return _ERROR
    return _DIFFERS if outcome.differences else _DONE


def _parser() -> argparse.ArgumentParser:
    made = parser("diff", "Show what an apply would change.", examples=_EXAMPLES)
    add_cluster_options(made)
    made.add_argument(
        "--name", default="", help="of the set; by default the one that its objects belong to"
    )
    made.add_argument(
        "--prune", action="store_true", help="with what would be deleted; needs --name"
    )
    made.add_argument("--force", action="store_true", help="as with `apply --force`")
    return made


def _as_json(outcome: Outcome) -> dict[str, object]:
    return {
        "differences": [
            {
                "object": str(one.identity),
                "changes": [change.as_json() for change in one.changes],
                "text": one.text,
            }
            for one in outcome.differences
        ],
        "changes": [one.as_json() for one in outcome.changes],
        "problems": [one.as_json() for one in outcome.problems],
    }


def _show(outcome: Outcome, display: Display) -> None:
    from bot.cli.draw import coloured

    for one in outcome.differences:
        for line in redact(one.text).splitlines():
            print(coloured(line, _style(line), display))
    count = len(outcome.differences)
    total = len(outcome.changes)
    if count:
        print(f"{count} of {total} objects differ")
    elif not outcome.failed:
        print(f"nothing differs in {total} objects")
    sys.stdout.flush()


def _style(line: str) -> str:
    if line.startswith(("---", "+++")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
