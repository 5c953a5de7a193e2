"""Why each tag was chosen, held or rejected: the rows of `explain`, and its folded Markdown.

Made from the value that the plan is made from (`product.md` 2, principle 3).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.planning.holds import ends_by
from bot.planning.markdown import code, html_text, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.planning.plan import Considered
    from bot.planning.remembered import HoldRecord

_SHOWN = 15  # candidates that a reviewer reads; `pilotfish explain --all` has the rest
_MOST_HELD = 50  # rows of one table; more are counted, arbitrary
_FIELDS = 5  # marked fields of one policy that are explained; most have one


def candidate_rows(one: Considered) -> list[tuple[str, str, str, str]]:
    """Return every tag with the first thing that rejected it: rule, gate, or a better one.

    Each row is tag, value, verdict (chosen, held, admitted, rejected) and reason.
    """
    held = {h.tag: h for h in one.decision.held}
    rejected = {r.tag: r.reason for r in one.decision.rejected}
    chosen = one.decision.chosen.tag if one.decision.chosen else None
    rows: list[tuple[str, str, str, str]] = []
    for verdict in one.selection.verdicts:
        tag = verdict.tag
        if tag == chosen:
            rows.append((tag, verdict.value, "chosen", one.decision.reason))
        elif tag in held:
            until = held[tag].until
            ends = f"; until {until.isoformat(timespec='minutes')}" if until else ""
            needs = f"; needs {held[tag].needs}" if held[tag].needs and not until else ""
            rows.append((tag, verdict.value, "held", held[tag].reason + ends + needs))
        elif tag in rejected:
            rows.append((tag, verdict.value, "rejected", rejected[tag]))
        else:
            word = "admitted" if verdict.admitted else "rejected"
            rows.append((tag, verdict.value, word, verdict.reason))
    order = {candidate.tag: number for number, candidate in enumerate(one.selection.ranking)}
    rows.sort(key=lambda row: (row[2] != "chosen", row[2] != "held", order.get(row[0], len(order))))
    return rows


def explanation(considered: Iterable[Considered], policy: str) -> str:
    """Return a folded table for each field that `policy` decides for, empty where none is."""
    found = [one for one in considered if one.binding.policy_name == policy]
    return "\n".join(_folded(one) for one in found[:_FIELDS])


def _folded(one: Considered) -> str:
    written = one.binding.field
    rows = candidate_rows(one)
    more = len(rows) - _SHOWN
    lines = [
        "<details>",
        f"<summary><code>{html_text(one.binding.image)}</code> in "
        f"<code>{html_text(written.file)}</code>:{written.line}, {len(rows)} candidates</summary>",
        "",
        f"{plain(one.binding.policy.text)}; written is {code(written.value)}; "
        f"{plain(one.decision.floor)}",
        "",
        "| Tag | Verdict | Why |",
        "|---|---|---|",
        *(
            f"| {code(tag, in_table=True)} | {verdict} | {plain(reason)} |"
            for tag, _, verdict, reason in rows[:_SHOWN]
        ),
        *(["", f"and {more} more"] if more > 0 else []),
        "",
        "</details>",
        "",
    ]
    return "\n".join(lines)


def holds_table(holds: Iterable[HoldRecord]) -> str:
    """Return all that is held as a folded table."""
    rows = sorted(holds, key=lambda one: (one.policy, one.when, one.what))
    if not rows:
        return "Nothing is held.\n"
    lines = [
        "<details>",
        f"<summary>{len(rows)} held</summary>",
        "",
        "| Policy | Held | Why | By | Until |",
        "|---|---|---|---|---|",
        *(_held_line(one) for one in rows[:_MOST_HELD]),
        *(["", f"and {len(rows) - _MOST_HELD} more"] if len(rows) > _MOST_HELD else []),
        "",
        "</details>",
        "",
    ]
    return "\n".join(lines)


def _held_line(one: HoldRecord) -> str:
    until = f"{one.until:%Y-%m-%d %H:%M} UTC" if one.until else ends_by(one, lift="`/unhold`")
    what = code(one.what, in_table=True) if one.tag else plain(one.what)
    policy = code(one.policy, in_table=True)
    return f"| {policy} | {what} | {plain(one.reason)} | {plain(one.who)} | {until} |"
