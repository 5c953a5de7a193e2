"""A person took a version back: found from Git alone, and held (`product.md` 10.11).

Along the first parents of the base, a marked field falls by its policy's order in a commit
that is not ours. Every version above the restored one up to the one taken back is held for
this policy and update, until a strictly newer one appears or `unhold`. A fall is our own only
when a change recorded in a trailer names this very file, from and to, on the commit or on the
side that it merged.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.planning.remembered import ChangeRecord, HoldRecord
from bot.rewrite.marker import FluxMarker, Part
from policies.gates import compare
from policies.reference import InvalidReference, parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from bot.planning.plan import Binding
    from bot.rewrite.fields import Field


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMove:
    """A marked field whose value differs between a commit and its first parent."""

    file: str
    old: Field
    new: Field


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCommit:
    """One commit on the base's first-parent line, with the marked fields that it moved.

    `recorded` are the changes that our trailers name, on the commit and on the side it merged.
    """

    sha: str
    author: str
    when: datetime
    moves: tuple[FieldMove, ...]
    recorded: frozenset[ChangeRecord]


def moves_between(file: str, before: Sequence[Field], after: Sequence[Field]) -> list[FieldMove]:
    """Return the fields of one file that changed their value; matched by image or name."""
    return [
        FieldMove(file=file, old=old, new=new)
        for old, new in _matched(before, after)
        if old.value != new.value
    ]


def _matched(before: Sequence[Field], after: Sequence[Field]) -> list[tuple[Field, Field]]:
    pairs: list[tuple[Field, Field]] = []
    left: dict[tuple[object, ...], list[Field]] = {}
    for field in before:
        left.setdefault(_sameness(field), []).append(field)
    for field in after:
        olds = left.get(_sameness(field))
        if olds:
            pairs.append((olds.pop(0), field))
    return pairs


def _sameness(field: Field) -> tuple[object, ...]:
    """Return what stays when a person edits a marker's range along with the value, or later."""
    marker = field.marker
    about = marker.text if isinstance(marker, FluxMarker) else marker.image or field.image
    return (about, field.part, field.identity)


def tag_of(field: Field) -> str:
    """Return the tag that the field's value holds, empty where it holds none."""
    return tag_in(field.value, field.part)


def tag_in(value: str, part: Part) -> str:
    """Return the tag in a value that stands in a field of kind `part`."""
    if part is Part.IMAGE:
        try:
            return parse_reference(value).tag or ""
        except InvalidReference:
            return ""
    if part in {Part.TAG, Part.TAG_AT_DIGEST}:
        return value.partition("@")[0]
    return ""


def tags_in(value: str, parts: Iterable[Part]) -> frozenset[str]:
    """Return the tags in a recorded value of one of a policy's fields in a file.

    A file may hold the tag apart from its digest, so that no single kind of field reads both.
    """
    if value.startswith(("sha256:", "sha512:")):
        return frozenset()
    found = {tag_in(value, part) for part in parts}
    return frozenset(tag for tag in found if tag and not {":", "/"} & set(tag))


def reverted(history: Iterable[PastCommit], bindings: Iterable[Binding]) -> list[HoldRecord]:
    """Return a hold for each fall in `history` (newest first) of a field that is bound now."""
    found: dict[tuple[str, str, str, str], HoldRecord] = {}
    bound = {binding_place(one): one for one in bindings}
    for commit in history:
        for move in commit.moves:
            binding = bound.get(move_place(move))
            if binding is None:
                continue
            hold = _fall(commit, move, binding)
            if hold is not None:
                found.setdefault((hold.policy, hold.update, hold.above, hold.up_to), hold)
    return list(found.values())


def move_place(move: FieldMove) -> tuple[object, ...]:
    """Return which field moved: equal to the `binding_place` of what it is bound to now."""
    return (move.file, *_sameness(move.new))


def binding_place(binding: Binding) -> tuple[object, ...]:
    """Return which field is bound, in a form that outlives a change of its marker's range."""
    return (binding.field.file, *_sameness(binding.field))


def _fall(commit: PastCommit, move: FieldMove, binding: Binding) -> HoldRecord | None:
    old_tag, new_tag = tag_of(move.old), tag_of(move.new)
    if not old_tag or not new_tag:
        return None
    order = compare(binding.policy, new_tag, old_tag)
    if order is None or order >= 0 or is_ours(commit, move):
        return None
    return HoldRecord(
        policy=binding.policy_name,
        above=new_tag,
        up_to=old_tag,
        update=binding.update.name,
        reason=f"taken back from {old_tag} to {new_tag} in {commit.sha[:10]} ({move.file})",
        who=commit.author,
        when=commit.when,
    )


def is_ours(commit: PastCommit, move: FieldMove) -> bool:
    """Return whether a trailer of ours names this very move."""
    return any(
        one.file == move.file and one.old == move.old.value and one.new == move.new.value
        for one in commit.recorded
    )
