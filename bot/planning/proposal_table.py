"""A proposal's first sentence, its warnings and its table: what a human could approve on.

A column stands only where a row has a value for it (`peers.md` 3.2, 2 and 3). The table is never
cut to make room for anything else; only a table that is too large for a body by itself is
shortened, first by its links, then by its last rows.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from typing import TYPE_CHECKING

from bot.config.model import DEFAULT_UPDATE
from bot.planning.markdown import code, link, own_link, plain
from bot.planning.message import short_digest
from bot.planning.proposal_rows import shown_digest
from policies.policy import describe_age

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.planning.plan import PlannedProposal
    from bot.planning.proposal_facts import ProposalFacts
    from bot.planning.proposal_rows import Place, Row

_PLACES = 5  # lines of files that a row shows; the difference has all
_FOLDERS = 2  # folders that the first sentence names; of more it names what they share
_NAMED = 6  # images that the first sentence names
_WARNED = 20  # warnings that are read; more are counted
_ARROW = "\u00a0→\u00a0"  # these two keep a narrow cell from breaking a move or a date
_HYPHEN = "\u2011"
_SHARE = 2  # the table may take one part in so many of the body
_KINDS = {
    "major": "a **major** update",
    "minor": "a minor update",
    "patch": "a patch update",
}
_UNKNOWN = "an update whose size its tags do not tell"


def first_sentence(planned: PlannedProposal, facts: ProposalFacts, rows: Sequence[Row]) -> str:
    """Return what moves, where, by how much and why now."""
    where = _where(planned, facts)
    if len(rows) != 1:
        return _about_several(rows, where)
    row = rows[0]
    if row.is_repository:
        return f"Take **{plain(row.name)}** from {code(row.new)} in {where}: {_why_now(row)}."
    if row.is_refresh:
        moved = f" from {code(shown_digest(row.old_digest))}" if row.old_digest else ""
        return (
            f"Refresh the digest of **{plain(row.name)}** {code(row.new)}{moved} to "
            f"{code(shown_digest(row.digest))} in {where}: {_why_now(row)}."
        )
    start = f" from {code(row.old)}" if row.old else ""
    return (
        f"Update **{plain(row.name)}**{start} to {code(row.new)} in {where}: "
        f"{_KINDS.get(row.update_type, _UNKNOWN)}, {_why_now(row)}."
    )


def _where(planned: PlannedProposal, facts: ProposalFacts) -> str:
    folders = sorted({posixpath.dirname(one.file) for one in planned.updates})
    if len(folders) > _FOLDERS:
        shared = "" if "" in folders else posixpath.commonpath(folders)
        folders = [shared]
    name = planned.update.name
    parts = [f"**{plain(name)}**"] if name != DEFAULT_UPDATE else []
    if all(folders):
        parts.append(" and ".join(code(one) for one in folders))
    said = ", ".join(parts)
    return f"{said} of {plain(facts.place)}" if said else plain(facts.place)


def _why_now(row: Row) -> str:
    dated = row.evidence.dated
    day = f"{dated.at:%Y-%m-%d}" if dated else ""
    if row.is_repository:
        return "its policy names this repository"
    if row.is_refresh:
        return "the tag was pushed again" + (f", dated {day}" if day else "")
    best = f"the best by {code(row.policy.rule.text)}"
    age = row.policy.gates.min_age
    if age is not None and any(one.startswith("older than") for one in row.evidence.checks):
        return f"{best} and past the {describe_age(age)} that its policy waits"
    return f"{best}, dated {day}" if day else f"{best} now"


def _about_several(rows: Sequence[Row], where: str) -> str:
    images = len({row.image for row in rows})
    counted = f"{images} images" if images > 1 else f"**{plain(rows[0].name)}**"
    named = ", ".join(_move(row) for row in rows[:_NAMED])
    if len(rows) > _NAMED:
        named += f" and {len(rows) - _NAMED} more"
    if all(row.is_refresh for row in rows):
        return (
            f"Refresh the digests of {counted} in {where}: {named}; their tags were pushed again."
        )
    kinds = Counter(row.update_type for row in rows)
    order = [kind for kind in ("major", "minor", "patch", "digest", "other") if kinds[kind]]
    sizes = ", ".join(f"{kinds[kind]} {'**major**' if kind == 'major' else kind}" for kind in order)
    best = "each the best that its policy admits now"
    return f"Update {counted} in {where}: {named}; {sizes}, {best}."


def _move(row: Row) -> str:
    name = f"**{plain(row.name)}**"
    if row.is_refresh:
        return f"{name} {plain(row.new)}"
    return f"{name} {plain(row.old)} → {plain(row.new)}" if row.old else f"{name} {plain(row.new)}"


def warnings(rows: Sequence[Row]) -> list[str]:
    """Return the lines that tell what is unusual, none where nothing is."""
    said = list(
        dict.fromkeys(f"**{plain(row.name)}** {plain(one)}." for row in rows for one in row.unusual)
    )
    if not said:
        return []
    if len(said) == 1:
        return ["> [!WARNING]", f"> {said[0]}", ""]
    more = [f"> - and {len(said) - _WARNED} more"] if len(said) > _WARNED else []
    return ["> [!WARNING]", *(f"> - {one}" for one in said[:_WARNED]), *more, ""]


def table(rows: Sequence[Row], facts: ProposalFacts) -> list[str]:
    """Return the lines of the table, as many rows as a body can hold."""
    room = facts.max_chars // _SHARE
    lines = _lines(rows, facts, with_links=True)
    if _size(lines) > room:
        lines = _lines(rows, facts, with_links=False)
    kept = lines
    while _size(kept) > room and len(kept) > len(_HEAD):
        kept = kept[: max(len(_HEAD), len(kept) * 9 // 10)]
    left = len(lines) - len(kept)
    more = [f"and {left} more rows, which the difference shows", ""] if left else []
    return [*kept, "", *more]


_HEAD = ("names", "line")  # the two lines above the rows


def _size(lines: Sequence[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _lines(rows: Sequence[Row], facts: ProposalFacts, *, with_links: bool) -> list[str]:
    sources = {one.image: one.source_url for one in facts.notes} if with_links else {}
    shared = _shared_folder(rows)
    columns: dict[str, list[str]] = {
        "Image": [link(code(row.image, in_table=True), sources.get(row.image, "")) for row in rows],
        "Change": [_change(row) for row in rows],
        "Type": [
            f"**{row.update_type}**" if row.update_type == "major" else row.update_type
            for row in rows
        ],
        "Age": [_age(row) for row in rows],
        "Files": [_files(row.places, shared, facts if with_links else None) for row in rows],
        "Policy": [code(row.policy_name or row.policy.rule.text, in_table=True) for row in rows],
    }
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    made = [f"| {' | '.join(shown)} |", "|" + "---|" * len(shown)]
    made += [f"| {' | '.join(cells)} |" for cells in zip(*shown.values(), strict=True)]
    return made


def _change(row: Row) -> str:
    new, old = code(row.new, in_table=True), code(row.old, in_table=True) if row.old else "new"
    digest = code(short_digest(row.digest)) if row.digest else ""
    if not row.is_refresh:
        return f"{old}{_ARROW}{new}<br>{digest}".removesuffix("<br>")
    before = code(short_digest(row.old_digest)) if row.old_digest else "no digest"
    return f"{new}<br>{before}<br>{_ARROW.lstrip()}{digest}"


def _age(row: Row) -> str:
    dated = row.evidence.dated
    if dated is None:
        return ""
    day = f"{dated.at:%Y-%m-%d}".replace("-", _HYPHEN)
    return f"{day}<br>{plain(dated.source)}"


def _shared_folder(rows: Sequence[Row]) -> str:
    """Return the folder of every file, which the first sentence names; empty for several."""
    folders = {posixpath.dirname(place.file) for row in rows for place in row.places}
    return f"{folders.pop()}/" if len(folders) == 1 and "" not in folders else ""


def _files(places: Sequence[Place], shared: str, facts: ProposalFacts | None) -> str:
    """Return the lines; where each is linked, the folder that all share is left out."""
    links = facts.links if facts is not None and facts.head else None
    shown: list[str] = []
    for one in places[:_PLACES]:
        if links is None or facts is None:
            shown.append(code(f"{one.file}:{one.line}", in_table=True))
            continue
        label = code(f"{one.file.removeprefix(shared)}:{one.line}", in_table=True)
        shown.append(own_link(label, links.file(facts.head, one.file, one.line)))
    if len(places) > _PLACES:
        shown.append(f"and {len(places) - _PLACES} more")
    return "<br>".join(shown)
