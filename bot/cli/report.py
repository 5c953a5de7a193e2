"""How a run is told: the JSON of the contract, or short tables for a person."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from bot.cli.counts import counted
from bot.errors import Severity
from bot.proposals.lifecycle import Operation

if TYPE_CHECKING:
    from bot.cli.options import Display
    from bot.planning.plan import HeldTag, Update
    from bot.proposals.carry_out import Outcome
    from bot.update.report import Report

_DONE, _ERROR, _PARTLY = 0, 1, 4
_TOLD_AS = {  # the four words of the JSON's `operation`; `state` is exact
    Operation.OPENED: "opened",
    Operation.REFRESHED: "refreshed",
    Operation.CLOSED: "closed",
    Operation.MERGED: "closed",
}
_AT_A_COMMIT = {*_TOLD_AS, Operation.PUSHED, Operation.UNCHANGED}


def exit_code(report: Report) -> int:
    """Return 0, or 4 where some failed and others were carried out, or 1 where nothing was."""
    errors = [one for one in report.problems if one.severity is Severity.ERROR]
    if not errors:
        return _DONE
    carried = report.asked - report.failed
    return _PARTLY if carried > 0 or report.wrote else _ERROR


def as_json(report: Report) -> dict[str, object]:
    """Return the contract's form, with more fields."""
    return {
        "updates": [one.as_json() for one in report.updates],
        "held": [one.as_json() for one in report.held],
        "proposals": [_proposal(one) for one in report.steps],
        "commits": [
            {"branch": one.branch, "sha": one.sha, "update": one.update} for one in report.commits
        ],
        "files": report.files,
        "holds": [
            {
                "policy": one.policy,
                "what": one.what,
                "reason": one.reason,
                "who": one.who,
                "until": one.until.isoformat() if one.until else None,
            }
            for one in report.holds
        ],
        "problems": [one.as_json() for one in report.problems],
        "repository": report.where,
        "base": report.base,
    }


def _proposal(outcome: Outcome) -> dict[str, object]:
    step = outcome.step
    return {
        "id": step.key,
        "url": outcome.url,
        "number": outcome.number or None,
        "branch": step.branch,
        "operation": _TOLD_AS.get(step.operation, "unchanged"),
        "state": step.operation.value,
        "reason": step.reason,
        "head": outcome.head or None,
        "verified": outcome.verified,
        "automerge": outcome.automerge or None,
        "updates": [one.as_json() for one in outcome.updates],
    }


def show_report(report: Report, display: Display, *, dry_run: bool) -> None:
    """Print a report; problems go to standard error."""
    if display.json:
        print(json.dumps(as_json(report), ensure_ascii=False))
        return
    from bot.cli.draw import table

    if report.updates:
        rows = [_update_row(one) for one in report.updates]
        heading = ("file", "policy", "from", "to", "type", "why")
        table(heading, rows, display, styles=("cyan", "", "dim", "bold green", "", "dim"))
    if report.held:
        if report.updates:
            print()
        table(
            ("held", "policy", "why", "until"),
            sorted({_held_row(one) for one in report.held}),
            display,
            styles=("yellow", "", "", ""),
        )
    _show_deliveries(report, display, dry_run=dry_run)
    from bot.cli.faults import tell_problems

    sys.stdout.flush()
    tell_problems(report.problems, every=display.verbosity > 0)
    print(sentence(report, dry_run=dry_run))


def _update_row(one: Update) -> tuple[str, ...]:
    place = f"{one.file}:{one.binding.field.line}"
    return (
        place,
        one.binding.policy_name,
        one.from_tag or one.from_text,
        _to_text(one),
        one.update_type,
        one.reason,
    )


def _to_text(one: Update) -> str:
    if not one.to_tag:
        return one.value
    from bot.planning.message import short_digest

    return f"{one.to_tag}@{short_digest(one.digest)}…" if one.digest else one.to_tag


def _held_row(one: HeldTag) -> tuple[str, str, str, str]:
    until = one.until.strftime("%Y-%m-%d %H:%M UTC") if one.until else one.needs
    return one.tag, one.policy, one.reason, until


def _show_deliveries(report: Report, display: Display, *, dry_run: bool) -> None:
    from bot.cli.draw import table

    if report.steps:
        if report.updates or report.held:
            print()
        rows = [
            (
                one.step.branch,
                _operation(one, dry_run=dry_run),
                one.url or _commit(one, dry_run=dry_run),
                one.step.reason,
            )
            for one in report.steps
        ]
        where = "shown at" if any(one.url for one in report.steps) else "commit"
        table(("proposal", "", where, "why"), rows, display, styles=("cyan", "bold", "", "dim"))
    for made in report.commits:
        what = "would be committed to" if dry_run else f"{made.sha[:10]} committed to"
        print(f"{made.update}: {what} {made.branch}")
    for file in report.files:
        print(f"{'would edit' if dry_run else 'edited'} {file}")


def _commit(outcome: Outcome, *, dry_run: bool) -> str:
    return outcome.head[:10] if not dry_run and outcome.step.operation in _AT_A_COMMIT else ""


def _operation(outcome: Outcome, *, dry_run: bool) -> str:
    word = outcome.step.operation.value
    if outcome.problem is not None:
        return "failed"
    if outcome.automerge == "merged":
        return "merged"
    return f"to be {word}" if dry_run and outcome.step.operation.writes else word


def sentence(report: Report, *, dry_run: bool) -> str:
    """Say in one line how it ended, and what comes next where nothing was found."""
    if not report.marked:
        return (
            "no markers found: `pilotfish scan` shows the images here; put "
            "`# pilotfish: semver ^1` behind one to have it followed"
        )
    updates = len(report.updates)
    fields = counted(report.marked, "marked field")
    asked = counted(report.asked, "image")
    failed = f", {report.failed} of {asked} could not be asked" if report.failed else ""
    if not updates:
        return f"nothing to change in {fields}{failed}; {_what_became(report, dry_run=dry_run)}"
    count = f"{counted(updates, 'update')} in {fields}{failed}"
    if dry_run:
        return f"{count}; nothing was written{_what_a_run_does(report)}"
    return f"{count}; {_what_became(report, dry_run=dry_run)}"


def _what_a_run_does(report: Report) -> str:
    """Say what comes of a plan; nothing where all that there is stands proposed, or waits."""
    if any(one.severity is Severity.ERROR for one in report.problems):
        return ": `pilotfish run` carries out what no error stops"
    to_do = any(one.step.operation.writes for one in report.steps)
    return ": `pilotfish run` carries it out" if to_do or report.commits or report.files else ""


def _what_became(report: Report, *, dry_run: bool) -> str:
    """Count what was written in one half sentence: proposals, commits, files."""
    if dry_run or not report.wrote:
        return "nothing was written"
    done = [one.step.operation for one in report.steps if one.problem is None]
    parts = [
        _counted(done.count(operation), f"proposal{{}} {operation.value}")
        for operation in (Operation.OPENED, Operation.REFRESHED, Operation.CLOSED)
    ]
    parts += [
        _counted(done.count(Operation.PUSHED), "branch{} pushed for checks"),
        _counted(done.count(Operation.MERGED), "branch{} merged quietly"),
    ]
    told = [one for one in report.steps if one.problem is None]
    parts += [
        _counted(sum(one.rewritten for one in told), "text{} rewritten"),
        _counted(sum(one.automerge == "asked" for one in told), "told to merge by itself"),
        _counted(sum(one.automerge == "merged" for one in told), "proposal{} merged"),
        _counted(report.answered, "comment{} answered"),
        _counted(report.said, "comment{} written"),
        "notes written" if report.notes_written else "",
        "dashboard written" if report.dashboard_written else "",
        _counted(len(report.commits), "commit{} pushed"),
        _counted(len(report.files), "file{} edited"),
    ]
    return ", ".join(part for part in parts if part)


def _counted(count: int, what: str) -> str:
    plural = "es" if what.startswith("branch") else "s"
    return f"{count} {what.format(plural if count != 1 else '')}" if count else ""
