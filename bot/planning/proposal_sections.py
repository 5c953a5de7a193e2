"""The sections of a proposal below its table: why, checked, notes, what happens next, controls.

Foreign notes and folded details stand between marks of `bot.planning.proposal_cuts`, so that they
can be left out where a body has too little room.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.planning.controls import CONTROLS, HEADING
from bot.planning.foreign_markdown import cut, harmless
from bot.planning.markdown import code, html_text, link, plain, worded
from bot.planning.message import short_name
from bot.planning.proposal_cuts import detail, fit, note
from bot.planning.proposal_rows import shown_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.planning.plan import HeldTag
    from bot.planning.proposal_facts import ProposalFacts
    from bot.planning.proposal_rows import Row
    from bot.planning.release_notes import NotesOf, ReleaseNote

_OTHERS = 5  # tags that were not chosen, as many as a reviewer reads
_NOTE_CHARS = 2_000  # of one release; its link has the rest; arbitrary
_NOTES = 10  # releases of one image that are shown; arbitrary
_NAMED = 6  # images that one line names
_NOTES_SHARE = 6  # headings of notes may take one part in so many of the body
_DIGEST = re.compile(r"\bsha(?:256|512):[0-9a-f]{64,128}\b")
FIRST_SIGHT = "to have been seen"  # how a wait begins whose end moves with the clock


def fixed_until(held: HeldTag) -> str:
    """Return when a wait ends, empty where that is not known or moves with the clock."""
    if held.until is None or held.needs.startswith(FIRST_SIGHT):
        return ""
    return f"{held.until:%Y-%m-%d %H:%M} UTC"


def why(rows: Sequence[Row], facts: ProposalFacts) -> list[str]:
    """Return by which policy each version was chosen, what was not, and what waits."""
    chosen = [row for row in rows if not row.is_repository]
    left_out = _left_out(facts.ignored)
    if len(chosen) == 1:
        inside = _why_one(chosen[0], facts)
        return ["### Why this version", *inside, *left_out, ""]
    if not chosen:
        return [*left_out, ""] if left_out else []
    lines: list[str] = []
    for row in chosen:
        lines += [f"**{plain(row.name)}** {code(row.new)}: {_chosen(row)}"]
        lines += [*_others(row, facts.held), ""]
    waiting = sum(len(_held_of(row, facts.held)) for row in chosen)
    waits = f"; {waiting} better {'waits' if waiting == 1 else 'wait'}" if waiting else ""
    summary = f"Policy, candidates and what was not chosen, for each of {len(chosen)}{waits}"
    return ["### Why these versions", *detail(summary, lines), *left_out, ""]


def _left_out(ignored: Sequence[str]) -> list[str]:
    if len(ignored) > _OTHERS:
        summary = f"{len(ignored)} are left out, as a person closed them before"
        return ["", *detail(summary, [f"- {code(one)}" for one in ignored])]
    return [f"- Left out, as a person closed it before: {code(one)}" for one in ignored]


def _why_one(row: Row, facts: ProposalFacts) -> list[str]:
    ways = [code(f"pilotfish explain {row.asked_as}")]
    if facts.controls:
        ways.append(f"comment {code(f'/explain {row.image}')}")
    told = f" For each candidate: {', or '.join(ways)}." if row.evidence.candidates else ""
    return [_chosen(row) + told, *_others(row, facts.held)]


def _chosen(row: Row) -> str:
    text = code(row.policy.text)
    policy = f"Policy {code(row.policy_name)}, {text}" if row.policy_name else f"Policy {text}"
    count = row.evidence.candidates
    if row.is_refresh or not count:
        return f"{policy}: {plain(row.reason)}."
    counted = f"{count} candidate{'s' * (count != 1)}, {row.evidence.admitted} admitted"
    return f"{policy}: {counted}, and {code(row.new)} is the best that may come now."


def _held_of(row: Row, held: Iterable[HeldTag]) -> list[HeldTag]:
    found = {one.tag: one for one in held if one.policy == row.asked_as and one.tag != row.new}
    return list(found.values())


def _others(row: Row, held: Sequence[HeldTag]) -> list[str]:
    waiting = _held_of(row, held)
    lines = [_waits(one) for one in waiting]
    names = {one.tag for one in waiting}
    lines += [
        f"- Not {code(one.tag)}: {plain(one.reason)}"
        for one in row.passed_over
        if one.tag not in names
    ]
    return lines[:_OTHERS]


def _waits(one: HeldTag) -> str:
    until = fixed_until(one)
    needs = f"; needs {worded(one.needs)}" if one.needs else ""
    ends = f"; until {until}" if until else needs
    return f"- **Waits:** {code(one.tag)}, {plain(one.reason)}{ends}"


def checked(rows: Sequence[Row], facts: ProposalFacts) -> list[str]:
    """Return a tick for each fact that was found true before the proposal was made."""
    several = len(rows) > 1
    lines = []
    for row in rows:
        if row.evidence.checks:
            said = "; ".join(_check(one) for one in row.evidence.checks)
            whose = f"**{plain(row.name)}**: " if several else ""
            lines += (
                [f"- ✓ {whose}{said}"]
                if several
                else [f"- ✓ {_check(one)}" for one in row.evidence.checks]
            )
    if not lines:
        return []
    title = f"### Checked before this {facts.word}"
    if several:
        counted = sum(1 for row in rows if row.evidence.checks)
        return [title, *detail(f"What was looked at and found true, for {counted} images", lines)]
    return [title, *lines, ""]


def _check(text: str) -> str:
    place = 0
    made = ""
    for found in _DIGEST.finditer(text):
        made += plain(text[place : found.start()]) + f" {code(shown_digest(found[0]))} "
        place = found.end()
    return (made + plain(text[place:])).strip()


def release_notes(facts: ProposalFacts) -> list[str]:
    """Return what was found to read, folded for each image, or what was looked for."""
    if not facts.notes:
        return []
    lines = ["### Release notes"]
    shared: dict[tuple[ReleaseNote, ...], list[NotesOf]] = {}
    for one in facts.notes:
        if one.notes:
            shared.setdefault(one.notes, []).append(one)
    lines += _with_room([_notes_of(several) for several in shared.values()], facts)
    nothing = [_nothing_found(one) for one in facts.notes if not one.notes]
    if len(nothing) > _OTHERS:
        return [*lines, *detail(f"Nothing was found for {len(nothing)} images", nothing), ""]
    return [*lines, *nothing, ""]


def _with_room(blocks: Sequence[list[str]], facts: ProposalFacts) -> list[str]:
    """Return the blocks whose headings fit, which are never cut, and the count of the others."""
    room = facts.max_chars // _NOTES_SHARE
    lines: list[str] = []
    for number, block in enumerate(blocks):
        room -= len(fit("\n".join(block), 0))
        if room < 0:
            return [*lines, f"*{len(blocks) - number} more are left out: there is no room here.*"]
        lines += block
    return lines


def _nothing_found(one: NotesOf) -> str:
    links = _links_of(one)
    why_not = worded(one.looked_for).rstrip(".") or "none were found"
    return f"- **{plain(short_name(one.image))}**: {why_not}.{f' {links}' if links else ''}"


def _links_of(one: NotesOf) -> str:
    found = [
        shown
        for label, url in (("Changes", one.compare_url), ("Source", one.source_url))
        if (shown := link(label, url)) != label
    ]
    return " · ".join(found)


def _notes_of(several: Sequence[NotesOf]) -> list[str]:
    """Return the notes of one image, or of several that are released together."""
    one = several[0]
    names = _some(list(dict.fromkeys(html_text(short_name(each.image)) for each in several)))
    shown = one.notes[:_NOTES]
    versions = ", ".join(html_text(note.version) for note in shown[:_OTHERS])
    more = f" and {len(one.notes) - _OTHERS} more" if len(one.notes) > _OTHERS else ""
    summary = f"<b>{names}</b>: {versions}{more}"
    lines = [f"<details><summary>{summary}</summary>", ""]
    if links := _links_of(one):
        lines += [links, ""]
    for release in shown:
        lines += [_release_heading(release), "", *note(_release_text(release)), ""]
    if len(one.notes) > len(shown):
        lines += [f"{len(one.notes) - len(shown)} older releases are not shown.", ""]
    return [*lines, "</details>", ""]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _release_heading(release: ReleaseNote) -> str:
    version = link(plain(release.version), release.url)
    title = plain(release.title)
    named = f" {title}" if title and release.version not in release.title else ""
    day = f" · {release.published:%Y-%m-%d}" if release.published else ""
    return f"**{version}**{named}{day}"


def _release_text(release: ReleaseNote) -> str:
    text, was_cut = cut(release.text.strip(), _NOTE_CHARS)
    shown = harmless(text) or "No text."
    if not was_cut:
        return shown
    rest = link("the rest", release.url)
    return f"{shown}\n\n*Cut here; {rest if rest != 'the rest' else 'the release has the rest'}.*"


def next_steps(rows: Sequence[Row], facts: ProposalFacts, *, branch: str) -> list[str]:
    """Return what merges it, what closing and editing do, when it moves."""
    lines = ["### What happens next"]
    lines.append(
        f"- **Merging:** {facts.automerge or 'A person merges it; it never merges by itself.'}"
    )
    lines.append(f"- **Closing:** {_closing(rows, facts)}")
    give_back = "tick *Recreate* below" if facts.controls else "the branch is deleted"
    lines.append(
        f"- **Editing:** Once somebody else commits to {code(branch)} it is theirs, and nothing "
        f"more is written there until {'you ' if facts.controls else ''}{give_back}."
    )
    if facts.needs_up_to_date:
        moved = f"it is put onto {code(facts.base)} again whenever that moves on, as its rules ask"
    else:
        moved = f"it is put onto {code(facts.base)} again when the two conflict"
    newer = f"Newer versions come into this same {facts.word}"
    schedule = f" {facts.schedule}" if facts.schedule else ""
    lines.append(f"- **Refreshing:** {newer}; {moved}.{schedule}")
    return [*lines, ""]


def _closing(rows: Sequence[Row], facts: ProposalFacts) -> str:
    one = rows[0] if len(rows) == 1 else None
    if one is None:
        exactly = "This exact set"
    else:
        digest = f"Digest {code(shown_digest(one.digest))} of " if one.is_refresh else ""
        exactly = f"{digest}{plain(one.name)} {code(one.new)}"
    majors = sorted({row.name for row in rows if row.update_type == "major"})
    if majors:
        more = f", nor is another tag of this major of {_some([plain(one) for one in majors])}"
    else:
        more = "; something newer is"
    if facts.controls:
        command = f"/unhold {one.image if one else 'IMAGE'}"
        undo = f"reopen it, or comment {code(command)} on an open {facts.word}"
    else:
        undo = code(f"pilotfish unhold {one.asked_as if one else 'POLICY'}")
    return f"{exactly} is not proposed again{more}. To undo: {undo}."


def controls(rows: Sequence[Row], facts: ProposalFacts) -> list[str]:
    """Return the boxes; that for merging only where merging by itself is a question at all."""
    if not facts.controls:
        return []
    several = len(rows) > 1
    shown = [one for one in CONTROLS if one.marker != "approve" or facts.automerge]
    return [HEADING, *(one.line(several=several) for one in shown), ""]
