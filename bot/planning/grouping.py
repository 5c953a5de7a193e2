"""Which updates share a proposal, and the branch it lives on.

The key is the update's name and the policy's, the repository's or the group's; never a range
or a version (`product.md` 10.8). The branch is `pilotfish/<base if several>/<slug of the key>`
(`peers.md` 3.3). What a person asked by `/split` and `/group` counts above the configuration
(`peers.md` 3.7). Two keys with one slug are a fault, because they would share a branch.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.config.model import DEFAULT_UPDATE, DIGESTS
from bot.config.slugs import slug
from bot.errors import Problem, Severity
from bot.planning.holds import names_of
from bot.planning.plan import PlannedProposal
from bot.rewrite.marker import Part
from policies.digest import FollowDigest
from policies.policy import DigestMode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.config.model import UpdateRule
    from bot.planning.plan import Binding, Update
    from bot.planning.remembered import RegroupRecord, Remembered

BRANCH_PREFIX = "pilotfish/"
_KINDS = ("major", "minor", "patch", "digest", "other")


def group_key(binding: Binding, kind: str = "") -> tuple[str, str]:
    """Return `(key, name)` of the proposal that an update of this field belongs to.

    `kind` is the type of the update; it counts where proposals are made by type, and for new
    digests, which share one proposal where nothing else was said (`peers.md` 3.5).
    """
    name = _name_of(binding, kind)
    rule = binding.update
    return (name if rule.name == DEFAULT_UPDATE else f"{rule.name}/{name}"), name


def _name_of(binding: Binding, kind: str) -> str:
    group = binding.update.group
    if binding.asked_group is not None:
        return binding.asked_group or binding.group
    if group.kind == "all":
        return "all"
    if group.kind == "type" and kind:
        return kind
    for name, members in group.named.items():
        if binding.group in members or binding.policy_name in members:
            return name
    if kind == "digest" and binding.update.digests.together:
        return DIGESTS
    return binding.group


def keys_of(binding: Binding) -> frozenset[str]:
    """Return the key of every proposal that an update of this field may belong to."""
    kinds = _KINDS if binding.update.group.kind == "type" else ("",)
    if _may_refresh(binding):
        kinds = (*kinds, "digest")
    return frozenset(group_key(binding, kind)[0] for kind in kinds)


def _may_refresh(binding: Binding) -> bool:
    """Return whether a new digest of the same tag may be written here."""
    follows = isinstance(binding.policy.rule, FollowDigest)
    kept = binding.policy.digest is DigestMode.ALWAYS
    return follows or kept or "@sha256:" in binding.field.value or binding.field.part is Part.DIGEST


def kind_of(one: Update, beside: Iterable[Update]) -> str:
    """Return the type of an update; a digest that moves with its tag is of the tag's type."""
    if one.update_type != "digest" or one.binding.field.part is not Part.DIGEST:
        return one.update_type
    types = [
        other.update_type
        for other in beside
        if (other.file, other.to_tag) == (one.file, one.to_tag) and other is not one
    ]
    return next((kind for kind in types if kind != "digest"), "digest")


def kinds_of(updates: Sequence[Update]) -> list[str]:
    """Return the type of each update, as `kind_of` tells it beside all the others."""
    beside: dict[tuple[str, str], list[Update]] = {}
    for one in updates:
        beside.setdefault((one.file, one.to_tag), []).append(one)
    return [kind_of(one, beside[one.file, one.to_tag]) for one in updates]


def regrouped(bindings: Iterable[Binding], regroups: Iterable[RegroupRecord]) -> list[Binding]:
    """Return the bindings in the groups that people moved them to; the last word counts."""
    said = sorted(regroups, key=lambda one: one.when)
    return [_in_asked_group(one, said) for one in bindings]


def _in_asked_group(binding: Binding, said: list[RegroupRecord]) -> Binding:
    asked = [
        one.group
        for one in said
        if one.policy in names_of(binding) and one.update in {"", binding.update.name}
    ]
    return replace(binding, asked_group=asked[-1]) if asked else binding


def with_regroup(known: Remembered, record: RegroupRecord) -> Remembered:
    """Return the memory with `record` in place of what was said of the same before it."""
    same = [
        one for one in known.regroups if (one.policy, one.update) == (record.policy, record.update)
    ]
    if any(one.when >= record.when for one in same):
        return known
    return replace(known, regroups=(*(one for one in known.regroups if one not in same), record))


def branch_of(key: str, *, base: str, several_bases: bool) -> str:
    """Return the branch of the proposal `key` on `base`."""
    middle = f"{slug(base)}/" if several_bases else ""
    return f"{BRANCH_PREFIX}{middle}{slug(key)}"


def group_updates(
    updates: Iterable[Update], *, base: str, several_bases: bool = False
) -> tuple[list[PlannedProposal], list[Problem]]:
    """Return the proposals that `updates` form, in the order of their keys."""
    rules: dict[str, UpdateRule] = {}
    members: dict[str, list[Update]] = {}
    names: dict[str, str] = {}
    ordered = list(updates)
    kinds = kinds_of(ordered)
    for one, kind in zip(ordered, kinds, strict=True):
        key, name = group_key(one.binding, kind)
        rules[key] = one.binding.update
        names[key] = name
        members.setdefault(key, []).append(one)
    proposals: list[PlannedProposal] = []
    problems: list[Problem] = []
    taken: dict[str, str] = {}
    for key in sorted(members):
        branch = branch_of(key, base=base, several_bases=several_bases)
        if branch in taken:
            problems.append(_equal_slugs(key, taken[branch], branch))
            continue
        taken[branch] = key
        proposals.append(
            PlannedProposal(
                key=key,
                title_name=names[key],
                branch=branch,
                update=rules[key],
                updates=tuple(sorted(members[key], key=lambda u: (u.file, u.binding.field.start))),
            )
        )
    return proposals, problems


def _equal_slugs(key: str, other: str, branch: str) -> Problem:
    return Problem(
        severity=Severity.ERROR,
        message=f"the proposals {other!r} and {key!r} would share the branch {branch}",
        file=branch,
        hint="Rename one of the updates or policies, or put both into one group",
    )
