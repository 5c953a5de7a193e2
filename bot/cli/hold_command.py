"""`pilotfish hold`, `unhold` and `holds`: a person's "not this one".

Kept on the remote in `refs/notes/pilotfish`, with who, when and why, so that every run of
every machine respects it (`product.md` 10.11).
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from bot.cli.options import parser, read_display
from bot.errors import ConfigError
from bot.planning.holds import LEVELS, ends_by, read_until, with_hold, with_unhold
from bot.planning.remembered import HoldRecord, UnholdRecord

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from bot.cli.options import Display
    from bot.git.remote import Remote
    from bot.planning.remembered import Remembered

_PURPOSES = {
    "hold": "Hold a tag, or everything of a policy, until you say otherwise.",
    "unhold": "Lift what is held for a policy, also what a revert holds.",
    "holds": "Show what is held, by whom, why and until when.",
}
_EXAMPLES = {
    "hold": """\
  pilotfish hold podinfo@6.4.0 --reason 'breaks login, #12'
  pilotfish hold ghcr.io/acme/api --until 14d --reason 'freeze'
  pilotfish hold ghcr.io/acme/api --level major
""",
    "unhold": """\
  pilotfish unhold podinfo@6.4.0
  pilotfish unhold podinfo
""",
    "holds": """\
  pilotfish holds
  pilotfish holds --repository https://git.example.org/team/fleet -o json
""",
}


def run(command: str, argv: list[str]) -> int:
    """Hold, unhold or list; return the exit code."""
    given = _parser(command).parse_args(argv)
    display = read_display(given)
    return asyncio.run(_run(command, given, display))


def _parser(command: str) -> argparse.ArgumentParser:
    made = parser(command, _PURPOSES[command], examples=_EXAMPLES[command])
    if command != "holds":
        made.add_argument("what", metavar="POLICY[@TAG]", help="as `pilotfish plan` names it")
    if command == "hold":
        made.add_argument("--reason", default="", help="why; shown wherever it is held")
        made.add_argument("--until", default="", metavar="WHEN", help="14d, 36h, or 2027-01-31")
        made.add_argument("--level", default="", choices=LEVELS, help="only steps of this size")
        made.add_argument("--update", default="", help="only in this update")
    made.add_argument("--path", default=".", metavar="PATH", help="a clone of the repository")
    made.add_argument("--repository", metavar="URL", help="another one than this folder's origin")
    return made


async def _run(command: str, given: argparse.Namespace, display: Display) -> int:
    from bot.cli.places import find_place, open_place

    place = await find_place(given.path, given.repository)
    async with open_place(place) as remote:
        if command == "holds":
            return await _list(remote, display)
        who = await _person(place.root)
        now = _now()
        policy, tag = _split(given.what)
        _refuse_both(tag, given)
        policy = await _followed(remote, policy, now)
        if command == "hold":
            record = HoldRecord(
                policy=policy,
                tag=tag,
                reason=given.reason or "held by a person",
                who=who,
                when=now,
                until=read_until(given.until, now, word="--until"),
                update=given.update,
                level=given.level,
            )
            await _write(remote, lambda known: with_hold(known, record), f"Hold {given.what}")
            text = f"held: {policy} {record.what}" + _until_text(record)
        else:
            lift = UnholdRecord(policy=policy, tag=tag, who=who, when=now)
            await _write(remote, lambda known: with_unhold(known, lift), f"Unhold {given.what}")
            text = f"lifted: what was held for {policy}" + (f" at {tag}" if tag else "")
    print(json.dumps({"done": text}) if display.json else text)
    return 0


def _refuse_both(tag: str, given: argparse.Namespace) -> None:
    if tag and getattr(given, "level", ""):
        raise ConfigError(
            f"{given.what} names one tag, and --level {given.level} many",
            hint="Leave out the tag or --level",
        )


async def _followed(remote: Remote, policy: str, now: datetime) -> str:
    """Return the policy that a name means, as in comments: it may be the last part of an image's.

    Warn about one that nothing is followed by: a slip of the pen would hold nothing.
    """
    from bot.cli.faults import tell_problems
    from bot.cli.holds_view import look
    from bot.config.lookup import nearest
    from bot.errors import Problem, Severity

    held = await look(remote, now)
    if policy in held.names:
        return policy
    meant = held.policies.get(policy, frozenset())
    if len(meant) == 1:
        return min(meant)
    warning = Problem(
        severity=Severity.WARNING,
        message=f"nothing on the base branch is followed by the name {policy}",
        hint=f"It may mean {' or '.join(sorted(meant))}"
        if meant
        else nearest(policy, sorted(held.names))
        or "`pilotfish plan` shows the names; it counts later",
    )
    tell_problems([warning])
    return policy


def _now() -> datetime:
    from bot.clock import SystemClock

    return SystemClock().now()


async def _person(root: Path) -> str:
    from bot.git.person import find_person

    return await find_person(root) or "somebody"


def _split(what: str) -> tuple[str, str]:
    """Return policy and tag of `POLICY@TAG`; without a tag everything is meant."""
    policy, _, tag = what.partition("@")
    if not policy:
        raise ConfigError(f"{what!r} names no policy", hint="Write POLICY or POLICY@TAG")
    return policy, tag


def _until_text(record: HoldRecord) -> str:
    return f" until {record.until.strftime('%Y-%m-%d %H:%M UTC')}" if record.until else ""


def _end(record: HoldRecord) -> str:
    if record.until:
        return record.until.strftime("%Y-%m-%d %H:%M")
    return ends_by(record, lift="unhold")


async def _write(remote: Remote, change: Callable[[Remembered], Remembered], message: str) -> None:
    from bot.proposals.notes import NoteBook

    notes = NoteBook(remote=remote)
    await notes.read()
    await notes.change(change, message=message)


async def _list(remote: Remote, display: Display) -> int:
    from bot.cli.holds_view import look

    records = (await look(remote, _now())).records
    if display.json:
        rows = [
            {
                "policy": one.policy,
                "what": one.what,
                "reason": one.reason,
                "who": one.who,
                "when": one.when.isoformat(),
                "until": one.until.isoformat() if one.until else None,
                "update": one.update or None,
            }
            for one in records
        ]
        print(json.dumps({"holds": rows}, ensure_ascii=False))
        return 0
    if not records:
        print("nothing is held")
        return 0
    from bot.cli.draw import table

    table(
        ("policy", "held", "why", "who", "since", "until"),
        [
            (
                one.policy,
                one.what,
                one.reason,
                one.who,
                one.when.strftime("%Y-%m-%d"),
                _end(one),
            )
            for one in records
        ],
        display,
        styles=("cyan", "yellow", "", "dim", "dim", ""),
    )
    return 0
