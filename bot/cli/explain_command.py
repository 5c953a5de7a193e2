"""`pilotfish explain POLICY|IMAGE`: every candidate with the rule that kept or rejected it.

The same value that `plan` is made from, shown for one policy or image; with the time of the
decision (`product.md` 2, principle 3).
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from bot.cli.options import parser, read_display
from bot.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from bot.cli.options import Display
    from bot.planning.plan import Considered
    from bot.update.report import Report

_DONE, _NOTHING = 0, 3
_EXAMPLES = """\
  pilotfish explain podinfo
  pilotfish explain ghcr.io/acme/api --deliver files
  pilotfish explain flux-system:podinfo --all -o json
"""
_SHOWN = 15


def run(argv: list[str]) -> int:
    """Explain one policy or image; exit 3 where nothing of that name is followed."""
    given = _parser().parse_args(argv)
    display = read_display(given)
    report = asyncio.run(_report(given, display))
    considered = [one for plan in report.plans for one in plan.considered]
    if display.json:
        print(json.dumps(_as_json(given.what, considered, report), ensure_ascii=False))
    else:
        _show(considered, report, display, every=given.all)
    if considered:
        return _DONE
    if not display.json and not report.problems:
        raise ConfigError(
            f"nothing here is followed under the name {given.what!r}",
            hint="`pilotfish plan` lists policies; an image must have a marker to be followed",
        )
    return _NOTHING


def _parser() -> argparse.ArgumentParser:
    made = parser("explain", "Say why each tag was chosen, held or rejected.", examples=_EXAMPLES)
    made.add_argument("what", metavar="POLICY|IMAGE")
    made.add_argument("path", nargs="?", default=".", metavar="PATH")
    made.add_argument("--repository", metavar="URL", help="another one than this folder's origin")
    made.add_argument("--base", metavar="BRANCH", default="")
    made.add_argument(
        "--deliver", choices=("files",), help="look at the files of this folder instead"
    )
    made.add_argument("--all", action="store_true", help="every tag, also filtered ones")
    return made


async def _report(given: argparse.Namespace, display: Display) -> Report:
    from bot.cli.asking import world_for
    from bot.cli.draw import progress
    from bot.cli.places import find_place, open_place
    from bot.cli.remote_access import open_for_person
    from bot.config.model import Delivery
    from bot.update.folder_journey import run_on_folder
    from bot.update.journey import run_on_remote
    from bot.update.report import Request

    place = await find_place(given.path, given.repository)
    files = given.deliver == "files" or not place.url
    deliver = Delivery.FILES if files else None
    request = Request(
        base=given.base,
        below=(place.below,) if place.below else (),
        only=given.what,
        deliver=deliver,
        dry_run=True,
    )
    with progress("asking registries", display, before="reading files") as advance:
        world = world_for(advance, folder=place.root)
        if files:
            return await run_on_folder(
                place.root, request, world, origin=place.url, opener=open_for_person
            )
        async with open_place(place) as remote:
            return await run_on_remote(remote, request, world)


def _now() -> str:
    from bot.clock import SystemClock

    return SystemClock().now().isoformat(timespec="seconds")


def _as_json(what: str, considered: list[Considered], report: Report) -> dict[str, Any]:
    return {
        "name": what,
        "decided": _now(),
        "fields": [_field_json(one) for one in considered],
        "problems": [one.as_json() for one in report.problems],
    }


def _field_json(one: Considered) -> dict[str, Any]:
    from bot.planning.explanation import candidate_rows

    chosen = one.decision.chosen
    return {
        "file": one.binding.field.file,
        "line": one.binding.field.line,
        "policy": one.binding.policy_name,
        "rule": one.binding.policy.text,
        "image": one.binding.image,
        "current": one.binding.field.value,
        "chosen": chosen.tag if chosen else None,
        "reason": one.decision.reason,
        "floor": one.decision.floor,
        "candidates": [
            {"tag": tag, "value": value, "verdict": verdict, "reason": reason}
            for tag, value, verdict, reason in candidate_rows(one)
        ],
    }


def _show(considered: list[Considered], report: Report, display: Display, *, every: bool) -> None:
    from bot.cli.draw import coloured, table
    from bot.cli.faults import tell_problems
    from bot.planning.explanation import candidate_rows

    for one in considered:
        written = one.binding.field
        print(coloured(f"{written.file}:{written.line}", "cyan", display), one.binding.policy_name)
        print(f"  policy   {one.binding.policy.text}")
        print(f"  image    {one.binding.image}")
        print(f"  written  {written.value or '(empty)'}")
        chosen = one.decision.chosen
        print(f"  chosen   {chosen.tag if chosen else '(stays as it is)'}: {one.decision.reason}")
        print(f"  floor    {one.decision.floor}")
        rows = candidate_rows(one)
        shown = rows if every else rows[:_SHOWN]
        styles = ("bold", "", "yellow", "dim")
        table(("tag", "value", "verdict", "reason"), shown, display, styles=styles)
        if len(shown) < len(rows):
            print(f"  … and {len(rows) - len(shown)} more; --all shows them")
        print()
    tell_problems(report.problems, every=display.verbosity > 0)
    if considered:
        print(f"decided at {_now()}")
