"""`pilotfish apply`: one pass over a folder: ask about everything, apply, prune, wait.

The JSON is a fixed contract (`cli.md`). Exit code 4 when a part failed, 1 when nothing was written
because the set was refused.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from bot.cli.cluster_pass import add_cluster_options, read_folder, read_timeout, run_pass
from bot.cli.faults import tell_problems
from bot.cli.options import parser, read_display
from reconciler.changes import Action
from reconciler.reconcile import Wish, check_owner

if TYPE_CHECKING:
    import argparse

    from bot.cli.options import Display
    from reconciler.changes import Outcome

_DONE, _ERROR, _PARTLY = 0, 1, 4
_STYLES = ("bold", "cyan", "dim")
_EXAMPLES = """\
  pilotfish apply clusters/prod --name prod
  pilotfish apply clusters/prod --name prod --prune --wait --timeout 5m
  pilotfish apply clusters/prod --name prod --context staging --dry-run -o json
"""


def run(argv: list[str]) -> int:
    """Run `pilotfish apply` with its arguments and return the exit code."""
    given = _parser().parse_args(argv)
    display = read_display(given)
    wish = Wish(
        owner=check_owner(given.name, given.namespace),
        objects=read_folder(given),
        prune=given.prune,
        wait=given.wait,
        timeout_s=given.timeout,
        force=given.force,
        dry_run=given.dry_run,
    )
    outcome = run_pass(given, wish, display, label="objects applied")
    if display.json:
        print(json.dumps(as_json(outcome), ensure_ascii=False))
    else:
        _show(outcome, display, dry_run=given.dry_run)
    tell_problems(outcome.problems, every=display.verbosity > 0 or not display.json)
    return exit_code(outcome)


def _parser() -> argparse.ArgumentParser:
    made = parser("apply", "Bring a cluster to what a folder says.", examples=_EXAMPLES)
    add_cluster_options(made)
    made.add_argument("--name", required=True, help="of the set, and so of its inventory")
    made.add_argument(
        "--prune", action="store_true", help="delete what this set made and no longer holds"
    )
    made.add_argument("--wait", action="store_true", help="until everything is healthy")
    made.add_argument(
        "--timeout", type=read_timeout, default=300.0, metavar="5m", help="how long to wait"
    )
    made.add_argument(
        "--force",
        action="store_true",
        help="delete and make anew what cannot be changed in place",
    )
    made.add_argument("--dry-run", action="store_true", help="ask the server, and write nothing")
    return made


def exit_code(outcome: Outcome) -> int:
    """Return 0, or 4 when a part failed, or 1 when nothing was written at all."""
    if not outcome.failed:
        return _DONE
    return _PARTLY if outcome.wrote else _ERROR


def as_json(outcome: Outcome) -> dict[str, object]:
    """Return the contract's form, with more fields."""
    return {
        "changes": [one.as_json() for one in outcome.changes],
        "health": outcome.health.value,
        "inventory": outcome.inventory,
        "unhealthy": [one.as_json() for one in outcome.verdicts],
        "problems": [one.as_json() for one in outcome.problems],
        "requests": outcome.requests,
    }


def _show(outcome: Outcome, display: Display, *, dry_run: bool) -> None:
    from bot.cli.draw import table

    rows = [
        (one.action.value, str(one.identity), one.reason)
        for one in outcome.changes
        if one.action is not Action.UNCHANGED
    ]
    if rows:
        table(("", "object", "why"), rows, display, styles=_STYLES)
    print(_sentence(outcome, dry_run=dry_run))
    sys.stdout.flush()


def _sentence(outcome: Outcome, *, dry_run: bool) -> str:
    counts = [
        f"{count} {action.value}"
        for action in Action
        if (count := sum(one.action is action for one in outcome.changes))
    ]
    if outcome.failed and not outcome.wrote and not outcome.waited:
        return f"nothing was written: the set {outcome.owner} was refused"
    did = ", ".join(counts) or "nothing to do"
    if dry_run:
        return f"{did}; nothing was written"
    state = outcome.health.value
    return f"{did}; health {state}; {outcome.inventory} in the inventory of {outcome.owner}"
