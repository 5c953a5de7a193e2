"""`pilotfish check`: configuration, markers, policies, credentials; every fault at once.

Reads the files below PATH as they are now, so that a change can be checked before it is
pushed. Nothing is written. With `--offline` no registry and no remote is asked.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.cli.counts import counted
from bot.cli.faults import has_errors
from bot.cli.options import parser, read_display
from bot.cli.verdict import add_verdict_options, judged, keep
from bot.config.model import ForgeSettings
from bot.errors import FaultsError, Problem, ProductError, Severity, by_cause

if TYPE_CHECKING:
    import argparse

    from bot.cli.options import Display
    from bot.cli.places import Place
    from bot.config.model import Config
    from bot.planning.plan import Update, UpdatePlan
    from bot.update.configuration import Configured
    from bot.update.survey import Bound

_DONE, _ERROR, _CONFIG = 0, 1, 2
_OUR_ROOMS = ("bot", "policies", "reconciler")
_EXAMPLES = """\
  pilotfish check                         this folder, its registries and its remote
  pilotfish check clusters/prod --offline
  pilotfish check -o json
"""


@dataclass(slots=True, kw_only=True)
class Findings:
    """What is good, in words, and what is not; `wrong_files` when a person must edit one.

    `plans` say what the files as they are would select, where registries were asked; holds of
    the remote do not count in them.
    """

    good: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    plans: list[UpdatePlan] = field(default_factory=list)
    wrong_files: bool = False

    @property
    def code(self) -> int:
        """Return 2 where a file is wrong, 1 where something cannot be reached, else 0."""
        if not has_errors(self.problems):
            return _DONE
        return _CONFIG if self.wrong_files else _ERROR

    @property
    def updates(self) -> list[Update]:
        """Return what is behind its policy."""
        return [one for plan in self.plans for one in plan.updates]

    def as_json(self) -> dict[str, object]:
        """Return the form of `check -o json`."""
        problems = [one.as_json() for one in self.problems]
        return {
            "good": self.good,
            "updates": [one.as_json() for one in self.updates],
            "problems": problems,
        }


def run(argv: list[str]) -> int:
    """Check and print; exit 2 where a file is wrong, 1 where something cannot be reached."""
    given = read_arguments(argv)
    display = read_display(given)
    findings = asyncio.run(find_faults(given, display))
    show_findings(findings, display)
    if given.report:
        keep(given.report, findings.as_json())
    return judged(findings.code, findings.updates, fail_on=given.fail_on)


def read_arguments(argv: list[str]) -> argparse.Namespace:
    """Return what the words of a command line ask for."""
    return _parser().parse_args(argv)


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "check", "Find every fault before it matters; writes nothing.", examples=_EXAMPLES
    )
    made.add_argument("path", nargs="*", default=["."], metavar="PATH")
    made.add_argument("--repository", metavar="URL", help="another one than this folder's origin")
    made.add_argument("--config", metavar="FILE", default="", help="default: .pilotfish.yaml")
    made.add_argument("--only", metavar="NAME", default="", help="one policy, image or proposal")
    made.add_argument("--offline", action="store_true", help="ask no registry and no remote")
    add_verdict_options(made)
    return made


async def find_faults(
    given: argparse.Namespace, display: Display, *, stranger: bool = False
) -> Findings:
    """Look at everything and return what was found; a fault stops only what leans on it.

    The files of a `stranger` say nothing about registries and forges that counts, and the
    remote is left alone.
    """
    from bot.cli.draw import progress
    from bot.cli.folder_config import config_of
    from bot.cli.places import find_places
    from bot.planning.loose_filters import loose_filters
    from bot.update.survey import read_bindings
    from bot.update.trees import FolderTree

    findings = Findings()
    findings.problems += strangers()
    place, below = await find_places(given.path, given.repository)
    tree = FolderTree(root=place.root)
    try:
        with progress("reading files", display):
            configured = await config_of(place, file=given.config, tree=tree)
    except FaultsError as faults:
        findings.problems += faults.problems
        findings.wrong_files = True
        return findings
    findings.problems += configured.problems
    if stranger:
        configured = replace(configured, config=_unbelieved(configured.config))
    config = configured.config
    sources = ", ".join(config.source[:3]) + (" …" if len(config.source) > 3 else "")  # noqa: PLR2004
    findings.good.append(
        f"configuration: {counted(len(config.policies), 'policy', 'policies')},"
        f" {counted(len(config.updates), 'update')}"
        f" ({sources or 'nothing configured: inline markers are enough'})"
    )
    with progress("reading files", display):
        bound = await read_bindings(tree, config, config.updates, below=below, only=given.only)
    findings.problems += [*bound.problems, *loose_filters(config, bound.bindings)]
    findings.wrong_files = has_errors(findings.problems)
    findings.good.append(
        f"markers: {counted(bound.marked, 'field')}, {len(bound.bindings)} followed"
    )
    if not given.offline:
        await _ask_registries(configured, bound, findings, display)
        if not stranger:
            await _ask_remote(place, configured, bound, findings)
    return findings


def _unbelieved(config: Config) -> Config:
    """Return `config` without what could send a secret of this job somewhere."""
    return replace(config, registries=(), forge=ForgeSettings())


def strangers() -> list[Problem]:
    """Notice another distribution that provides one of our import names."""
    from importlib.metadata import packages_distributions

    provided = packages_distributions()
    strangers = {room: sorted(set(provided.get(room, [])) - {"pilotfish"}) for room in _OUR_ROOMS}
    return [
        Problem(
            severity=Severity.ERROR,
            message=f"the package {', '.join(names)} also provides {room!r} in this environment",
            hint="Install pilotfish in an environment of its own (pipx, uv tool, the image)",
        )
        for room, names in strangers.items()
        if names
    ]


async def _ask_registries(
    configured: Configured, bound: Bound, findings: Findings, display: Display
) -> None:
    from bot.cli.asking import scanner_for
    from bot.cli.draw import progress
    from bot.clock import SystemClock
    from bot.planning.holds import HoldBook
    from bot.update.survey import survey

    with progress("asking registries", display) as advance:
        try:
            async with scanner_for(configured.config, folder=configured.folder) as scanner:
                found = await survey(
                    bound,
                    scanner,
                    HoldBook(records=()),
                    now=SystemClock().now(),
                    base="",
                    progress=advance,
                )
        except FaultsError as faults:
            findings.problems += faults.problems
            return
    findings.plans.append(found.plan)
    known = set(bound.problems)
    findings.problems += [one for one in found.plan.problems if one not in known]
    if found.asked:
        good = found.asked - found.failed
        findings.good.append(
            f"registries: {good} of {counted(found.asked, 'image')} could be asked"
        )


async def _ask_remote(
    place: Place, configured: Configured, bound: Bound, findings: Findings
) -> None:
    from bot.cli.places import open_place
    from bot.cli.preflight import ask_forge
    from bot.config.model import Delivery

    if not place.url:
        findings.good.append("remote: none; `--deliver files` edits this folder in place")
        return
    try:
        async with open_place(place) as remote:
            base = await remote.default_branch()
            await remote.read_notes()
        if any(one.update.deliver is Delivery.PULL_REQUEST for one in bound.bindings):
            told = await ask_forge(
                configured.config.forge, remote.url, base, folder=configured.folder
            )
            findings.good += told.good
            findings.problems += told.problems
    except ProductError as fault:
        findings.problems.append(
            Problem(
                severity=Severity.ERROR,
                message=fault.what,
                file=fault.where or place.url,
                hint=fault.hint,
            )
        )
    else:
        findings.good.append(f"remote: {place.url} can be read, its base is {base}")


def show_findings(findings: Findings, display: Display) -> None:
    """Print them; problems go to standard error."""
    if display.json:
        print(json.dumps(findings.as_json(), ensure_ascii=False))
        return
    import sys

    from bot.cli.draw import coloured
    from bot.cli.faults import tell_problems

    for line in findings.good:
        print(coloured("✓", "green", display), line)
    sys.stdout.flush()
    tell_problems(findings.problems, every=display.verbosity > 0)
    weights = [one.severity for one in by_cause(findings.problems)]
    errors, warnings = weights.count(Severity.ERROR), weights.count(Severity.WARNING)
    print(f"{counted(errors, 'error')}, {counted(warnings, 'warning')}")
