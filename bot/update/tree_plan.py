"""From a tree of files to what would change: fields, holds, reverts, registries, plan.

`run` and `plan`, on a remote or in a folder, share every line of it (`product.md` 2,
principle 2).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.planning.closed_majors import closed_majors
from bot.planning.grouping import regrouped
from bot.planning.holds import holds_in_force
from bot.update.history import find_reverts
from bot.update.report import Past, Report, Request, World
from bot.update.survey import Asker, Bound, Survey, read_bindings, survey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.config.model import Config
    from bot.errors import Problem
    from bot.update.configuration import Configured
    from bot.update.trees import Tree


async def plan_tree(
    tree: Tree,
    configured: Configured,
    request: Request,
    world: World,
    *,
    asker: Asker,
    past: Past,
    base: str = "",
    prepare: Callable[[Bound, Past], Awaitable[tuple[Past, list[Problem]]]] | None = None,
) -> tuple[Survey, Report]:
    """Return what would change in `tree`, with everything that was found on the way.

    `prepare` looks at what is bound before any registry is asked, and may add to what is known
    of the past; what it raises ends the run.
    """
    config = configured.config
    report = Report(where=tree.where, base=base, configured=config.source)
    rules = [rule for rule in config.updates if not rule.branch or not base or rule.branch == base]
    bound = await read_bindings(tree, config, rules, below=request.below, only=request.only)
    if prepare is not None:
        past, problems = await prepare(bound, past)
        report.problems += problems
    moved = regrouped(bound.bindings, past.remembered.regroups)
    bound = replace(bound, bindings=tuple(moved))
    reverts = (
        await find_reverts(*past.history, bound.bindings, past.recorded_by) if past.history else []
    )
    now = world.clock.now()
    report.reverts += reverts
    found_out = [*reverts, *closed_majors(past.remembered.closed, bound.bindings)]
    book = holds_in_force(past.remembered, found_out, now, bindings=bound.bindings)
    report.holds += book.records
    found = await survey(
        bound,
        asker,
        book,
        now=now,
        base=base,
        several_bases=len(bases_of(config, base)) > 1,
        progress=world.progress,
        first_seen=past.remembered.first_seen,
    )
    report.add(found, bound)
    return found, report


def bases_of(config: Config, default: str) -> list[str]:
    """Return the branches that updates start from, in the order they are configured."""
    return list(dict.fromkeys(rule.branch or default for rule in config.updates))
