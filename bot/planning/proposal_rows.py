"""The rows of a proposal: updates that move one image alike are one row with several places.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.planning.message import short_digest, short_name
from bot.rewrite.marker import Part
from policies.comparison import compare, majors_between, variant_change
from policies.reference import InvalidReference, parse_reference, parse_repository
from policies.selection import candidate_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.planning.evidence import Evidence
    from bot.planning.plan import PassedOver, Update
    from policies.policy import TagPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line of a file."""

    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What moves one image from one version to another, wherever it is written.

    `unusual` says in sentences without an end what a reviewer should not pass over.
    `policy_name` is empty for a policy that stands on the line itself. For a repository that
    is written anew, `old` and `new` are repositories and `is_repository` is true.
    """

    image: str
    old: str
    new: str
    old_digest: str
    digest: str
    update_type: str
    places: tuple[Place, ...]
    policy: TagPolicy
    policy_name: str
    asked_as: str
    reason: str
    passed_over: tuple[PassedOver, ...]
    evidence: Evidence
    unusual: tuple[str, ...] = ()
    is_repository: bool = False

    @property
    def name(self) -> str:
        """Return the short name of the image."""
        return short_name(self.image)

    @property
    def is_refresh(self) -> bool:
        """Return whether only the digest is new."""
        return self.old == self.new and not self.is_repository


def rows_of(updates: Iterable[Update]) -> tuple[Row, ...]:
    """Return the rows in the order of their first places; a digest beside its tag joins it."""
    found: dict[tuple[str, ...], Row] = {}
    for one in updates:
        row = _row(one)
        key = (row.image, row.asked_as, row.old, row.new, row.digest or row.update_type)
        if key in found:
            row = replace(found[key], places=found[key].places + row.places)
        found[key] = row
    return tuple(_with_digests_joined(list(found.values())))


def _with_digests_joined(rows: list[Row]) -> list[Row]:
    """Return the rows without those that refresh the digest of a tag that another row writes."""
    kept = [row for row in rows if not row.is_refresh]
    for row in rows:
        if not row.is_refresh:
            continue
        place = next(
            (i for i, other in enumerate(kept) if (other.image, other.new) == (row.image, row.new)),
            None,
        )
        if place is None or kept[place].is_refresh:
            kept.append(row)
        else:
            tag = kept[place]
            kept[place] = replace(
                tag, places=tag.places + row.places, digest=tag.digest or row.digest
            )
    order = {row.places[0]: number for number, row in enumerate(rows)}
    return sorted(kept, key=lambda row: order[row.places[0]])


def _row(one: Update) -> Row:
    binding = one.binding
    moves_repository = not one.to_tag
    return Row(
        image=binding.image,
        old=binding.field.value if moves_repository else one.from_tag,
        new=one.value if moves_repository else one.to_tag,
        old_digest=one.from_digest,
        digest=one.digest,
        update_type=one.update_type,
        places=(Place(file=one.file, line=binding.field.line),),
        policy=binding.policy,
        policy_name="" if binding.policy_name == binding.image else binding.policy_name,
        asked_as=binding.policy_name,
        reason=one.reason,
        passed_over=one.passed_over,
        evidence=one.evidence,
        unusual=_unusual(one),
        is_repository=moves_repository,
    )


def _unusual(one: Update) -> tuple[str, ...]:
    """Return what is more than a step up: several majors, down, another variant or repository."""
    said: list[str] = []
    moved = _moved_repository(one)
    if moved:
        said.append(f"comes from another repository than before, {moved}")
    if not one.from_tag or not one.to_tag or one.from_tag == one.to_tag:
        return tuple(said)
    policy = one.binding.policy
    old, new = candidate_of(policy, one.from_tag), candidate_of(policy, one.to_tag)
    if old is None or new is None:
        return tuple(said)
    order = compare(policy, one.to_tag, one.from_tag)
    majors = majors_between(old.value, new.value)
    if order is not None and order < 0:
        said.append(f"goes down from {one.from_tag} to {one.to_tag}, which its policy allows")
    elif one.update_type == "major" and majors is not None and majors > 1:
        said.append(f"goes up {majors} majors at once; read the notes of each of them")
    change = variant_change(old.value, new.value)
    if change:
        said.append(f"is not the same kind of image: {change}")
    return tuple(said)


def _moved_repository(one: Update) -> str:
    if one.binding.field.part not in {Part.IMAGE, Part.NAME}:
        return ""
    try:
        written = parse_reference(one.binding.field.value).repository
        decided = parse_repository(one.binding.image)
    except InvalidReference:
        return ""
    return "" if written == decided else str(written)


def shown_digest(digest: str) -> str:
    """Return a digest with as many digits as tell two apart."""
    short = short_digest(digest)
    return f"{digest.partition(':')[0]}:{short}" if short else ""
