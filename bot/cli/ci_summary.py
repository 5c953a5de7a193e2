"""The summary of a CI job in Markdown: what moves, what is held, what is wrong, in that order.

It shows what a proposal shows, in the same words. Everything foreign is escaped; a runner takes
1 MiB, so long tables are cut with their count (`peers.md` 4.4).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from bot.cli.ci_job import Mode, Runner
from bot.cli.ci_told import policy_row
from bot.errors import by_cause
from bot.forges.forge import Links
from bot.planning.markdown import code, plain, worded
from bot.planning.proposal_facts import ProposalFacts
from bot.planning.proposal_rows import rows_of
from bot.planning.proposal_table import table, warnings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.cli.ci_job import Job
    from bot.cli.ci_told import Told
    from bot.errors import Problem
    from bot.planning.plan import HeldTag

MAX_ROWS = 200
_MAX_CELL_CHARS = 600
_TABLE_CHARS = 600_000  # of the 1 MiB that a runner takes


def summary(told: Told) -> str:
    """Return the whole summary; it ends with a line end."""
    job = told.job
    title = f"### Pilotfish: {job.mode.value}{' (dry run)' if job.dry_run else ''}"
    parts = [title, plain(told.sentence)]
    if job.degraded or job.refused:
        parts.append(f"> {plain(job.degraded or job.refused)}.")
    parts += _section("", _updates(told))
    parts += _section("Held", _held(told.held))
    if job.mode is Mode.TEST:
        parts += _section("What each policy selects", _policies(told))
    parts += _section("Proposals", _proposals(told))
    parts += _section("To be put right", _problems(told.problems))
    if told.good:
        lines = "\n".join(f"- {plain(one)}" for one in told.good)
        parts.append(f"<details><summary>In order</summary>\n\n{lines}\n\n</details>")
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(heading: str, table: str) -> list[str]:
    if not table:
        return []
    return [f"#### {heading}", table] if heading else [table]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table without the columns in which no row has anything."""
    found = [list(one) for one in dict.fromkeys(tuple(row) for row in rows)]
    if not found:
        return ""
    kept = [n for n in range(len(heads)) if any(row[n] for row in found)]
    shown = [[row[n] for n in kept] for row in found[:MAX_ROWS]]
    lines = [[heads[n] for n in kept], ["---"] * len(kept), *shown]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    left = len(found) - MAX_ROWS
    return f"{text}\n\n… and {left} more, in the report" if left > 0 else text


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CELL_CHARS else text[: _MAX_CELL_CHARS - 1] + "…"


def _updates(told: Told) -> str:
    """Return the table that a proposal shows, with what is unusual above it."""
    rows = rows_of(told.updates)
    if not rows:
        return ""
    job = told.job
    facts = ProposalFacts(
        place=job.web,
        base="",
        head=job.commit,
        word="proposal",
        links=links_of(job) if job.commit and not job.elsewhere else None,
        max_chars=_TABLE_CHARS,
    )
    folders = {posixpath.dirname(one.file) for one in told.updates}
    (folder,) = folders if len(folders) == 1 else ("",)  # the table leaves it out then
    lines = [f"In {code(folder)}:", ""] if folder else []
    return "\n".join([*warnings(rows), *lines, *table(rows, facts)]).strip()


def links_of(job: Job) -> Links | None:
    """Return addresses in the job's repository, `None` where it is not known."""
    style = job.runner.value if job.runner in {Runner.GITLAB, Runner.GITEA} else ""
    return Links(web=job.web, style=style) if job.web else None


def _held(held: Sequence[HeldTag]) -> str:
    def row(one: HeldTag) -> list[str]:
        until = one.until.strftime("%Y-%m-%d %H:%M UTC") if one.until else one.needs
        return [
            code(_cut(one.tag), in_table=True),
            plain(_cut(one.policy)),
            plain(_cut(one.reason)),
            worded(until, in_table=True),
        ]

    return _table(("Tag", "Policy", "Why", "Until"), map(row, held))


def _policies(told: Told) -> str:
    def row(one: dict[str, object]) -> list[str]:
        chosen = code(_cut(str(one["chosen"])), in_table=True) if one["chosen"] else "nothing"
        return [
            plain(_cut(str(one["policy"]))),
            chosen,
            str(one["candidates"]),
            plain(_cut(str(one["error"] or ""))),
        ]

    heads = ("Policy", "Selects", "Candidates", "Why not")
    return _table(heads, (row(policy_row(one)) for one in told.considered))


def _proposals(told: Told) -> str:
    ours = (told.job.web, told.job.repository.removesuffix(".git"))

    def row(one: object) -> list[str]:
        proposal = one if isinstance(one, dict) else {}
        number, url = proposal.get("number"), str(proposal.get("url") or "")
        branch = code(_cut(str(proposal.get("branch", ""))), in_table=True)
        named = f"{branch} ({number})" if number else branch
        if any(web and url.startswith(f"{web}/") for web in ours):
            named = f"[{branch} ({number})]({url})"
        return [named, str(proposal.get("state", "")), plain(_cut(str(proposal.get("reason", ""))))]

    return _table(("Proposal", "", "Why"), map(row, told.proposals))


def _problems(problems: Sequence[Problem]) -> str:
    def row(one: Problem) -> list[str]:
        text = f"{one.message}. {one.hint}" if one.hint else one.message
        where = code(_cut(one.where), in_table=True) if one.where else ""
        return [one.severity.value, where, plain(_cut(text))]

    return _table(("", "Where", "What"), map(row, by_cause(problems)))
