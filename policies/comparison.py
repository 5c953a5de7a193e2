"""Comparing two tags: by a policy's own order, and by what a person calls the difference.

The floor and reverts compare by the policy (`compare`); labels, automerge rules and
`scan --outdated` by major, minor and patch (`update_type`, `newest_like`; product rule 20:
the highest of the same variant and precision, pre-releases only after a pre-release).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policies.policy import Candidate, Facts, TagPolicy
from policies.selection import candidate_of
from policies.semver import Semver
from policies.variant import Identity, Shape, read_shape

_LEAST_BUILD_NUMBER = 1_000  # a lone number from here on counts builds; arbitrary
_LEVELS = ("major", "minor", "patch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The highest tag like the written one, by no policy at all.

    `tag` is None when nothing is higher, `same_major` is the highest that keeps the major,
    also None when nothing is. `update_type` tells what `tag` would be; `reason` says so in
    words, also why there is no answer.
    """

    tag: str | None
    same_major: str | None
    update_type: str
    reason: str


def compare(
    policy: TagPolicy, a_tag: str, b_tag: str, *, facts: Mapping[str, Facts] | None = None
) -> int | None:
    """Return 1 when `a_tag` is better by the policy's own order, -1 when worse, 0 when equal.

    None: they cannot be ordered, as the filter drops one or a value is no version, number
    or date. Exclusions, ranges and gates count for nothing here.
    """
    a, b = candidate_of(policy, a_tag), candidate_of(policy, b_tag)
    if a is None or b is None:
        return None
    return policy.rule.order(a, b, facts=facts or {})


def update_type(old_tag: str, new_tag: str) -> str:
    """Return major, minor or patch by the first number that differs, none for equal tags.

    A fourth number, a pre-release or a build number count as patch; `other` means that
    either tag holds no version, or that they differ in their variant alone.
    """
    if old_tag == new_tag:
        return "none"
    old, new = read_shape(old_tag), read_shape(new_tag)
    if old is None or new is None or old.era != new.era:
        return "other"
    if not (_counts_versions(old) and _counts_versions(new)):
        return "other"
    length = max(len(old.numbers), len(new.numbers), len(_LEVELS))
    for level, (was, will) in enumerate(
        zip(_padded(old, length), _padded(new, length), strict=True)
    ):
        if was != will:
            return _LEVELS[min(level, len(_LEVELS) - 1)]
    return "patch" if old.key != new.key else "other"


def _counts_versions(shape: Shape) -> bool:
    """Return whether the first number is a major: of `15` it is, of build `main-a1b2c3d-17` not."""
    if len(shape.numbers) > 1:
        return True
    return shape.prefix in {"", "v"} and shape.numbers[0] < _LEAST_BUILD_NUMBER


def majors_between(old_value: str, new_value: str) -> int | None:
    """Return how many majors lie from one to the other, None when either has none."""
    old, new = read_shape(old_value), read_shape(new_value)
    return None if old is None or new is None else new.numbers[0] - old.numbers[0]


def variant_change(old_value: str, new_value: str) -> str:
    """Return in words that the variant changes, as from alpine to plain; empty when not."""
    old, new = read_shape(old_value), read_shape(new_value)
    if old is None or new is None or (old.prefix, old.suffix) == (new.prefix, new.suffix):
        return ""
    return f"the variant changes from {old.variant} to {new.variant}"


def newest_like(tags: Iterable[str], current_tag: str) -> Newest:
    """Return the highest of `tags` that is like `current_tag`, majors told apart."""
    shape = read_shape(current_tag)
    if shape is None:
        why = f"{current_tag!r} holds no version, so nothing can be newer"
        return Newest(tag=None, same_major=None, update_type="none", reason=why)
    identity = Identity(shape=shape, keep_variant=True, keep_precision=True)
    candidates = [Candidate(tag=tag, value=tag) for tag in sorted(set(tags), reverse=True)]
    ranked = Semver().rank(candidates, facts={}, identity=identity).best_first
    higher: list[str] = []
    near: list[str] = []
    for candidate in ranked:
        found = read_shape(candidate.value)
        if found is None or found.key <= shape.key:
            break
        higher.append(candidate.tag)
        if found.numbers[0] == shape.numbers[0]:
            near.append(candidate.tag)
    if not higher:
        why = f"nothing of the same variant and precision is higher than {current_tag}"
        return Newest(tag=None, same_major=None, update_type="none", reason=why)
    kind = update_type(current_tag, higher[0])
    return Newest(
        tag=higher[0],
        same_major=near[0] if near else None,
        update_type=kind,
        reason=f"{higher[0]} is the highest of the same variant and precision: {kind}",
    )


def higher_versions(tags: Iterable[str], than: str) -> list[str]:
    """Return the tags that hold a version above that of `than`, highest first, any variant.

    What a person would ask about: why not this one? Tags without a version, or of another
    era, are left out.
    """
    written = read_shape(than)
    if written is None:
        return []
    found = [
        (shape.key, tag)
        for tag in tags
        if (shape := read_shape(tag)) is not None
        and shape.era == written.era
        and shape.numbers > written.numbers
    ]
    return [tag for _, tag in sorted(found, reverse=True)]


def _padded(shape: Shape, length: int) -> list[int]:
    return [*shape.numbers, *[0] * (length - len(shape.numbers))]
