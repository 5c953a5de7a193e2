"""What would change: from a tree of files and a configuration to an update plan.

Read fields, bind them to policies, ask the registries what each policy needs, decide, group
(`product.md` 10, "Order of a run"). `plan` stops here and `run` goes on, so a dry run cannot
lie. One image that fails never stops another; its fields and its proposals stay as they are.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bot.errors import Problem, ProductError, Severity, UnavailableError
from bot.planning.binding import bind_fields, by_policy
from bot.planning.choice import Choice, choose
from bot.planning.grouping import group_key, group_updates, keys_of, kinds_of
from bot.planning.message import short_name
from bot.planning.plan import Binding, HeldTag, UpdatePlan
from bot.rewrite.tree import NEEDLES, find_fields
from policies.policy import Facts

if TYPE_CHECKING:
    from bot.config.model import Config, UpdateRule
    from bot.planning.holds import HoldBook
    from bot.update.trees import Tree
    from policies.policy import Fact

_MAX_ROUNDS = 50  # each round finds facts for at least one candidate; bounds a lying registry
_log = logging.getLogger(__name__)


class Asker(Protocol):
    """Asks registries: what tags there are, and facts about some of them."""

    async def tags(self, image: str) -> list[str]:
        """Return every tag of `image`."""

    async def facts(self, image: str, wanted: Mapping[str, frozenset[Fact]]) -> Mapping[str, Facts]:
        """Return what is known of each tag in `wanted`."""

    async def described(
        self, image: str, reference: str
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return annotations and labels of what a tag or digest names."""


Progress = Callable[[int, int], None]
FirstSeen = Mapping[tuple[str, str, str], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The marked fields of a tree with their policies, and the faults on the way."""

    bindings: tuple[Binding, ...]
    problems: tuple[Problem, ...]
    marked: int


@dataclass(slots=True, kw_only=True)
class Survey:
    """An update plan with what it could not find out.

    `unknown_keys` are the proposals whose plan is not known, because a registry failed, and
    `unknown_updates` the updates, by name, of which that is true in part.
    """

    plan: UpdatePlan
    unknown_keys: frozenset[str] = field(default_factory=frozenset)
    unknown_updates: frozenset[str] = field(default_factory=frozenset)
    failed: int = 0
    asked: int = 0


async def read_bindings(
    tree: Tree,
    config: Config,
    rules: Sequence[UpdateRule],
    *,
    below: Sequence[str] = (),
    only: str = "",
) -> Bound:
    """Return what the markers in `tree` bind; `only` keeps one policy, image or proposal.

    Where nothing has that name, it may be the last part of an image's.
    """
    files, problems = await tree.containing(NEEDLES, below)
    search = find_fields(files)
    bindings, faults = bind_fields(search.fields, config, rules)
    if only:
        exactly = [one for one in bindings if matches(one, only)]
        bindings = exactly or [one for one in bindings if short_name(one.image) == only]
    return Bound(
        bindings=tuple(bindings),
        problems=(*problems, *search.problems, *faults),
        marked=len(search.fields),
    )


def matches(binding: Binding, name: str) -> bool:
    """Return whether `name` is what people call this binding's policy, image or proposal."""
    _, group = group_key(binding)
    keys = keys_of(binding)
    return name in {binding.policy_name, binding.image, binding.group, group, *keys}


async def survey(
    bound: Bound,
    asker: Asker,
    holds: HoldBook,
    *,
    now: datetime,
    base: str,
    several_bases: bool = False,
    progress: Progress | None = None,
    first_seen: FirstSeen | None = None,
) -> Survey:
    """Ask, decide and group; never raises for one image's sake.

    `first_seen` dates what nothing else dates, by image, tag and digest.
    """
    groups = by_policy(one for one in bound.bindings if not one.suspended)
    results: dict[tuple[str, str], Choice | ProductError] = {}

    async def one(key: tuple[str, str], bindings: list[Binding]) -> None:
        try:
            results[key] = await _choose(
                bindings, asker, holds, now=now, first_seen=first_seen or {}
            )
        except ProductError as fault:
            _log.info("image not asked", extra={"image": key[1], "fault": str(fault)})
            results[key] = fault
        if progress is not None:
            progress(len(results), len(groups))

    async with asyncio.TaskGroup() as tasks:
        for key, bindings in groups.items():
            tasks.create_task(one(key, bindings))
    choices = [results[key] for key in groups]
    return _assemble(bound, list(groups.items()), choices, base=base, several_bases=several_bases)


async def _choose(
    bindings: list[Binding],
    asker: Asker,
    holds: HoldBook,
    *,
    now: datetime,
    first_seen: FirstSeen,
) -> Choice:
    image = bindings[0].image
    tags = await asker.tags(image)
    facts: dict[str, Facts] = {}
    for _ in range(_MAX_ROUNDS):
        choice = choose(bindings, tags=tags, facts=facts, holds=holds, now=now)
        if not choice.missing:
            return choice
        found = _merged(facts, await asker.facts(image, choice.missing))
        facts.update(_sighted(image, found, first_seen))
    raise ProductError(
        "the registry's facts about its tags never became complete",
        where=image,
        hint="Run again with -v and report it; the fields of this image are left alone",
    )


def _sighted(image: str, found: Mapping[str, Facts], first_seen: FirstSeen) -> dict[str, Facts]:
    """Return the facts with the time when each tag was first seen with its digest.

    Where the asker remembers one as well, the earlier counts.
    """
    dated: dict[str, Facts] = {}
    for tag, one in found.items():
        known = first_seen.get((image, tag, one.digest)) if one.digest else None
        sights = [when for when in (known, one.first_seen) if when is not None]
        dated[tag] = replace(one, first_seen=min(sights)) if sights else one
    return dated


def _merged(known: Mapping[str, Facts], new: Mapping[str, Facts]) -> dict[str, Facts]:
    return {tag: _onto(known[tag], facts) if tag in known else facts for tag, facts in new.items()}


def _onto(old: Facts, new: Facts) -> Facts:
    """Return what was known with what was found out since."""
    dated_by_new = new.pushed is not None or new.created is not None
    return Facts(
        created=new.created or old.created,
        pushed=new.pushed or old.pushed,
        first_seen=new.first_seen or old.first_seen,
        dated_by=new.dated_by if dated_by_new else old.dated_by,
        digest=new.digest or old.digest,
        platforms=old.platforms if new.platforms is None else new.platforms,
        images=new.images or old.images,
        unavailable={**old.unavailable, **new.unavailable},
    )


def _assemble(
    bound: Bound,
    groups: list[tuple[tuple[str, str], list[Binding]]],
    choices: list[Choice | ProductError],
    *,
    base: str,
    several_bases: bool,
) -> Survey:
    problems = list(bound.problems)
    unknown: set[str] = set()
    in_part: set[str] = set()
    decided: list[Choice] = []
    for (_, bindings), choice in zip(groups, choices, strict=True):
        if isinstance(choice, ProductError):
            unknown |= {key for one in bindings for key in keys_of(one)}
            in_part |= {one.update.name for one in bindings}
            problems.append(_unasked(bindings, choice))
        else:
            decided.append(choice)
            problems.extend(choice.problems)
    updates = [one for choice in decided for one in choice.updates]
    updates.sort(key=lambda u: (u.file, u.binding.field.start))
    proposals, faults = group_updates(
        [
            one
            for one, kind in zip(updates, kinds_of(updates), strict=True)
            if group_key(one.binding, kind)[0] not in unknown
        ],
        base=base,
        several_bases=several_bases,
    )
    plan = UpdatePlan(
        updates=tuple(updates),
        held=_distinct([one for choice in decided for one in choice.held]),
        proposals=tuple(proposals),
        considered=tuple(one for choice in decided for one in choice.considered),
        undated=tuple(dict.fromkeys(one for choice in decided for one in choice.undated)),
        problems=(*problems, *faults),
    )
    failed = sum(isinstance(one, ProductError) for one in choices)
    return Survey(
        plan=plan,
        unknown_keys=frozenset(unknown),
        unknown_updates=frozenset(in_part),
        failed=failed,
        asked=len(choices),
    )


def _distinct(held: list[HeldTag]) -> tuple[HeldTag, ...]:
    return tuple(dict.fromkeys(held))


def _unasked(bindings: list[Binding], fault: ProductError) -> Problem:
    places = ", ".join(f"{one.field.file}:{one.field.line}" for one in bindings[:3])
    more = f" and {len(bindings) - 3} more" if len(bindings) > 3 else ""  # noqa: PLR2004
    return Problem(
        severity=Severity.ERROR,
        message=f"{fault.what}; left as they are: {places}{more}",
        file=fault.where or bindings[0].image,
        hint=fault.hint,
        cause=fault.cause if isinstance(fault, UnavailableError) else "",
        fields=len(bindings),
    )
