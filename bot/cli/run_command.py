"""`pilotfish plan` and `pilotfish run`: what would change, and changing it.

Both read the base branch of the remote, never the working tree; with `--deliver files` they
read the files below PATH, and `run` edits those in place (`cli.md`). The two share every line
but the last: `plan` is `run --dry-run`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from bot.cli.options import parser, read_display
from bot.cli.verdict import add_verdict_options
from bot.config.model import Delivery

if TYPE_CHECKING:
    import argparse

    from bot.cli.options import Display
    from bot.update.report import Report

_PLAN_EXAMPLES = """\
  pilotfish plan                          what `run` would do in this clone's remote
  pilotfish plan --deliver files .        look at the files of this folder instead
  pilotfish plan --only podinfo -o json
"""
_RUN_EXAMPLES = """\
  pilotfish run                           as .pilotfish.yaml says; proposals by default
  pilotfish run --deliver commit          commit straight to the base branch
  pilotfish run --deliver files clusters/prod
  pilotfish run --repository https://git.example.org/team/fleet --dry-run
"""

_NO_ORIGIN = (
    "note: this folder is no clone with an origin; planned over its files, as with "
    "--deliver files\n"
)


def run(command: str, argv: list[str]) -> int:
    """Plan, or plan and deliver; print the report and return its exit code."""
    given = read_arguments(command, argv)
    display = read_display(given)
    dry_run = command == "plan" or given.dry_run
    report = asyncio.run(report_of(given, display, dry_run=dry_run))
    from bot.cli.report import as_json, exit_code, show_report
    from bot.cli.verdict import behind, judged, keep

    show_report(report, display, dry_run=dry_run)
    if given.report:
        keep(given.report, as_json(report))
    return judged(exit_code(report), behind(report, dry_run=dry_run), fail_on=given.fail_on)


def read_arguments(command: str, argv: list[str]) -> argparse.Namespace:
    """Return what the words of a command line ask for."""
    return _parser(command).parse_args(argv)


def _parser(command: str) -> argparse.ArgumentParser:
    purpose, examples = (
        ("Say what `run` would do; nothing is written.", _PLAN_EXAMPLES)
        if command == "plan"
        else ("Bring Git up to date with the registries, once.", _RUN_EXAMPLES)
    )
    made = parser(command, purpose, examples=examples)
    made.add_argument("path", nargs="*", default=["."], metavar="PATH")
    made.add_argument("--repository", metavar="URL", help="another one than this folder's origin")
    made.add_argument("--base", metavar="BRANCH", default="", help="default: the remote's own")
    made.add_argument("--deliver", choices=[one.value for one in Delivery])
    made.add_argument("--only", metavar="NAME", default="", help="one policy, image or proposal")
    made.add_argument("--config", metavar="FILE", default="", help="default: .pilotfish.yaml")
    made.add_argument("--max-proposals", metavar="N", type=count, help="open ones, not limits.open")
    if command == "run":
        made.add_argument("--dry-run", action="store_true", help="the same as `pilotfish plan`")
        made.add_argument("--dashboard", action="store_true", help="as `dashboard: true` there")
    add_verdict_options(made)
    return made


def count(text: str) -> int:
    """Return a number of things: none or more."""
    if (number := int(text)) < 0:
        raise ValueError
    return number


async def report_of(given: argparse.Namespace, display: Display, *, dry_run: bool) -> Report:
    """Plan, or plan and deliver, and return what was found and done."""
    from bot.cli.asking import world_for
    from bot.cli.draw import progress
    from bot.cli.places import find_places, open_place
    from bot.cli.remote_access import open_for_person
    from bot.update.folder_journey import run_on_folder
    from bot.update.journey import run_on_remote
    from bot.update.report import Request

    deliver = Delivery(given.deliver) if given.deliver else None
    place, below = await find_places(given.path, given.repository)
    if dry_run and deliver is None and not place.url:
        sys.stderr.write(_NO_ORIGIN)
        deliver = Delivery.FILES
    request = Request(
        base=given.base,
        below=below,
        only=given.only,
        deliver=deliver,
        dry_run=dry_run,
        config=given.config,
        max_open=given.max_proposals,
        dashboard=getattr(given, "dashboard", False),
    )
    with progress("asking registries", display, before="reading files") as advance:
        world = world_for(advance, folder=place.root)
        if deliver is Delivery.FILES:
            return await run_on_folder(
                place.root, request, world, origin=place.url, opener=open_for_person
            )
        async with open_place(place) as remote:
            return await run_on_remote(remote, request, world)
