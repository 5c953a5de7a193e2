"""`pilotfish health`: the state of objects, as `kubectl get -o yaml` gives them.

The JSON is a fixed contract (`cli.md`): one entry for each object, in the order of the input.
Nothing is asked of a cluster, so an answer is only as new as its input.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bot.cli.object_input import read_input
from bot.cli.options import parser, read_display
from bot.clock import SystemClock
from reconciler.health import Health, JobRule, Status, health_of
from reconciler.objects import InvalidObjectError, open_lists

if TYPE_CHECKING:
    import argparse

_DONE = 0
_STYLES = {
    Status.CURRENT: "green",
    Status.FAILED: "red",
    Status.NOT_FOUND: "red",
    Status.IN_PROGRESS: "yellow",
}
_EXAMPLES = """\
  kubectl get deployments -A -o yaml | pilotfish health -f -
  kubectl get job migrate -o json | pilotfish health -f - --jobs completion -o json
"""


def run(argv: list[str]) -> int:
    """Print the state of every object of the input."""
    given = _parser().parse_args(argv)
    display = read_display(given)
    jobs = JobRule(given.jobs)
    now = SystemClock().now()
    objects = [
        one for value, source in read_input(given.filename) for one in _objects(value, source)
    ]
    judged = [(one, health_of(one, now=now, jobs=jobs)) for one in objects]
    if display.json:
        print(json.dumps([_as_json(one, health) for one, health in judged], ensure_ascii=False))
        return _DONE
    from bot.cli.draw import table

    rows = [(health.status.value, _title(one), health.message) for one, health in judged]
    table(("state", "object", "why"), rows, display, styles=("bold", "", "dim"))
    return _DONE


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "health", "Say what state objects are in, by the kstatus rules.", examples=_EXAMPLES
    )
    made.add_argument(
        "-f",
        "--filename",
        required=True,
        metavar="FILE|-",
        help="objects as YAML or JSON; a folder too",
    )
    made.add_argument(
        "--jobs",
        choices=[rule.value for rule in JobRule],
        default=JobRule.KSTATUS.value,
        help="judge Jobs as kstatus does, or by their completion alone",
    )
    return made


def _objects(value: Any, source: str) -> list[dict[str, Any]]:
    found = list(open_lists(value, source))
    if not all(isinstance(one, dict) for one in found):
        raise InvalidObjectError(
            "this is no Kubernetes object",
            where=source,
            hint="Give objects as `kubectl get -o yaml` prints them",
        )
    return found


def _text(content: dict[str, Any], *path: str) -> str:
    here: Any = content
    for key in path:
        here = here.get(key) if isinstance(here, dict) else None
    return here if isinstance(here, str) else ""


def _title(content: dict[str, Any]) -> str:
    parts = _text(content, "kind"), _text(content, "metadata", "namespace")
    return "/".join(one for one in (*parts, _text(content, "metadata", "name")) if one)


def _as_json(content: dict[str, Any], health: Health) -> dict[str, str]:
    return {
        "apiVersion": _text(content, "apiVersion"),
        "kind": _text(content, "kind"),
        "namespace": _text(content, "metadata", "namespace"),
        "name": _text(content, "metadata", "name"),
        "status": health.status.value,
        "message": health.message,
    }
