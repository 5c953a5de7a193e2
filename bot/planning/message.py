"""The commit's text, made from the plan: subject, body, trailers.

Without a template: `chore(images): web 1.2.0 → 1.3.0`, a line for each change, and why
(`peers.md` 3.2, 13). With one, Flux's data is given to it (`image-automation.md` 4.4). Our
trailers always come last, one line each, as JSON, so that no value can forge one.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from bot.planning.markdown import silent
from bot.planning.remembered import ChangeRecord, read_change, read_record
from policies.reference import InvalidReference, parse_repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.planning.plan import Update

PREFIX = "chore(images)"
PROPOSAL_TRAILER = "Pilotfish-Proposal"
CHANGE_TRAILER = "Pilotfish-Change"
PLAN_TRAILER = "Pilotfish-Plan"
_SUBJECT_MAX_CHARS = 255
_SUBJECT_GOOD_CHARS = 72  # as much as forges show of a title without folding it


def short_name(image: str) -> str:
    """Return the last part of a repository's path."""
    try:
        return parse_repository(image).path.rpartition("/")[2]
    except InvalidReference:
        return image


def subject(name: str, updates: Sequence[Update], *, prefix: str = PREFIX) -> str:
    """Return the first line: one image with its versions, or the group with its count.

    An image whose versions make the line too long is named with its new version alone.
    """
    return _first_line(prefix, _what(name, updates))


def _first_line(prefix: str, whats: Sequence[str]) -> str:
    safe = [silent(what) for what in whats]
    lines = [f"{prefix}: {what}" if prefix else what for what in safe]
    short = next((line for line in lines if len(line) < _SUBJECT_GOOD_CHARS), lines[-1])
    return short[:_SUBJECT_MAX_CHARS]


def _what(name: str, updates: Sequence[Update]) -> list[str]:
    """Return what the updates do, the best wording first and the shortest last."""
    moves = sorted({(short_name(u.binding.image), _shown_move(u)) for u in updates if u.to_tag})
    if len(moves) == 1:
        image, move = moves[0]
        start, arrow, end = move.partition(" → ")
        return [f"{image} {move}", f"{image} → {end}"] if arrow else [f"{image} {start}"]
    images = sorted({image for image, _ in moves})
    if len(images) == 1:
        targets = sorted({u.to_tag for u in updates if u.to_tag})
        if len(targets) == 1:
            return [f"{images[0]} → {targets[0]}"]
    count = len(updates)
    return [f"{name} ({count} update{'s' if count != 1 else ''})"]


def _shown_move(update: Update) -> str:
    if update.from_tag == update.to_tag:
        return f"{update.to_tag} (digest {short_digest(update.digest)})"
    return f"{update.from_tag or 'nothing'} → {update.to_tag}"


def short_digest(digest: str) -> str:
    """Return the first twelve digits of a digest, enough to tell two apart."""
    return digest.partition(":")[2][:12]


def body(updates: Iterable[Update]) -> str:
    """Return a line per change, then why each version was chosen and no higher one.

    A reason may be what a registry said: nothing in it closes an issue or stops a pipeline.
    """
    ordered = list(updates)
    lines = [
        silent(f"{one.file}:{one.binding.field.line}: {one.from_text} -> {one.value}")
        for one in ordered
    ]
    reasons: dict[str, None] = {}
    for one in ordered:
        reasons[silent(f"{one.binding.policy_name}: {one.reason}")] = None
        reasons |= {
            f"  {silent(f'not {over.tag}: {over.reason}')}": None for over in one.passed_over
        }
    return "\n".join([*lines, "", *reasons])


def default_message(name: str, updates: Sequence[Update], *, prefix: str = PREFIX) -> str:
    """Return subject and body without trailers."""
    return f"{subject(name, updates, prefix=prefix)}\n\n{body(updates)}\n"


def trailers(key: str, changes: Iterable[ChangeRecord]) -> list[tuple[str, str]]:
    """Return what makes a commit recognisable as ours: its proposal and its exact changes."""
    ordered = sorted(set(changes))
    rows = [(CHANGE_TRAILER, _one_line(change.as_json())) for change in ordered]
    return [(PROPOSAL_TRAILER, _one_line(key)), *rows, (PLAN_TRAILER, plan_digest(key, ordered))]


def _one_line(value: object) -> str:
    # A run of blanks would be folded into one on its way through a trailer.
    return json.dumps(value, ensure_ascii=True).replace("  ", " \\u0020")


def plan_digest(key: str, changes: Iterable[ChangeRecord]) -> str:
    """Return the digest that the plan of a proposal has, whatever order it came in."""
    text = "\n".join([key, *(_one_line(change.as_json()) for change in sorted(set(changes)))])
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def read_trailers_of_ours(
    found: Iterable[tuple[str, str]],
) -> tuple[str, frozenset[ChangeRecord]] | None:
    """Return the key and changes that a commit's trailers record, `None` when they are not ours.

    A trailer set whose plan digest does not fit was edited or forged, and is not ours.
    """
    key: str | None = None
    digest = ""
    changes: set[ChangeRecord] = set()
    try:
        for name, value in found:
            if name == PROPOSAL_TRAILER:
                key = str(read_record(value))
            elif name == CHANGE_TRAILER:
                changes.add(read_change(read_record(value)))
            elif name == PLAN_TRAILER:
                digest = value.strip()
    except (ValueError, KeyError, TypeError):
        return None
    if key is None or digest != plan_digest(key, changes):
        return None
    return key, frozenset(changes)


def recorded_changes(message: str) -> frozenset[ChangeRecord]:
    """Return every change that our trailers in `message` name.

    A forge that squashes puts several messages into one, so that ours may stand anywhere.
    """
    changes: set[ChangeRecord] = set()
    for line in message.splitlines():
        name, colon, value = line.strip(" *").partition(":")
        if not colon or name != CHANGE_TRAILER:
            continue
        try:
            changes.add(read_change(read_record(value)))
        except (ValueError, KeyError, TypeError):
            continue
    return frozenset(changes)
