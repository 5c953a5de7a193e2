"""A rollout failed: is it the image that we brought, and what is to be held then?

Only a tag that the last change of its field brought, and that one of our own trailers names,
is held (`product.md` 10.11): a failure of anything else says nothing about a tag. A tag is
held once; where a person lifted that, it stays lifted. The next strictly newer tag goes
through, because one tag alone is held.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.planning.remembered import HoldRecord
from bot.planning.reverts import binding_place, is_ours, move_place, tag_of
from policies.reference import InvalidReference, parse_reference, parse_repository

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.planning.plan import Binding
    from bot.planning.remembered import Remembered
    from bot.planning.reverts import FieldMove, PastCommit

WHO = "pilotfish"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRollout:
    """An object that does not become healthy: which, the images it asks for, and the cause."""

    object: str
    images: frozenset[str]
    cause: str


def holds_for(
    failures: Iterable[FailedRollout],
    bindings: Sequence[Binding],
    past: Iterable[PastCommit],
    remembered: Remembered,
    *,
    now: datetime,
) -> list[HoldRecord]:
    """Return a hold for every tag that we brought and that does not roll out.

    `past` is the history of the marked fields, newest first, `bindings` what is bound now.
    """
    last = _last_moves(past)
    found: dict[tuple[str, str, str], HoldRecord] = {}
    for failure in failures:
        wanted = {one for image in failure.images if (one := _repository_and_tag(image))}
        for binding in bindings:
            place = last.get(binding_place(binding))
            tag = tag_of(binding.field)
            if place is None or not tag or (_repository(binding.image), tag) not in wanted:
                continue
            commit, move = place
            if move.new.value != binding.field.value or not is_ours(commit, move):
                continue
            key = (binding.policy_name, tag, binding.update.name)
            if not _was_said(remembered, binding.policy_name, tag):
                found.setdefault(
                    key,
                    HoldRecord(
                        policy=binding.policy_name,
                        tag=tag,
                        update=binding.update.name,
                        reason=f"its rollout failed: {failure.object}: {failure.cause}",
                        who=WHO,
                        when=now,
                    ),
                )
    return list(found.values())


def with_holds(remembered: Remembered, holds: Iterable[HoldRecord]) -> Remembered:
    """Return the memory with those of `holds` that it does not have yet; safe to repeat."""
    new = [one for one in holds if not _was_said(remembered, one.policy, one.tag)]
    if not new:
        return remembered
    return replace(remembered, holds=(*remembered.holds, *new))


def images_in(content: Mapping[str, object]) -> frozenset[str]:
    """Return every image that the containers of a workload ask for, wherever its pods stand."""
    found: set[str] = set()
    waiting: list[object] = [content.get("spec")]
    while waiting:
        here = waiting.pop()
        if not isinstance(here, Mapping):
            continue
        for key in ("containers", "initContainers"):
            listed = here.get(key)
            for one in listed if isinstance(listed, list) else []:
                image = one.get("image") if isinstance(one, Mapping) else None
                if isinstance(image, str):
                    found.add(image)
        waiting += [here.get(key) for key in ("template", "jobTemplate", "spec")]
    return frozenset(found)


def _last_moves(
    past: Iterable[PastCommit],
) -> dict[tuple[object, ...], tuple[PastCommit, FieldMove]]:
    last: dict[tuple[object, ...], tuple[PastCommit, FieldMove]] = {}
    for commit in past:
        for move in commit.moves:
            last.setdefault(move_place(move), (commit, move))
    return last


def _was_said(remembered: Remembered, policy: str, tag: str) -> bool:
    held = any(one.policy == policy and one.tag == tag for one in remembered.holds)
    return held or any(one.policy == policy and one.tag == tag for one in remembered.unholds)


def _repository(image: str) -> str:
    try:
        return parse_repository(image).canonical
    except InvalidReference:
        return ""


def _repository_and_tag(image: str) -> tuple[str, str] | None:
    try:
        written = parse_reference(image)
    except InvalidReference:
        return None
    return (written.repository.canonical, written.tag) if written.tag else None
