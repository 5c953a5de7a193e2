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

from bot.config.model import DEFAULT_UPDATE
from bot.config.slugs import slug
from bot.errors import Problem, Severity
from bot.planning.holds import names_of
from bot.planning.plan import PlannedProposal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.config.model import UpdateRule
    from bot.planning.plan import Binding, Update
    from bot.planning.remembered import RegroupRecord, Remembered

BRANCH_PREFIX = "pilotfish/"


def group_key(binding: Binding) -> tuple[str, str]:
    """Return `(key, name)` of the proposal that an update of this field belongs to."""
    rule = binding.update
    if binding.asked_group is not None:
        name = binding.asked_group or binding.group
    elif rule.group.kind == "all":
        name = "all"
    else:
        name = next(
            (
                group
                for group, members in rule.group.named.items()
                if binding.group in members or binding.policy_name in members
            ),
            binding.group,
        )
    return (name if rule.name == DEFAULT_UPDATE else f"{rule.name}/{name}"), name


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
    for one in updates:
        key, name = group_key(one.binding)
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
