"""From a rollout that failed to a hold on the tag: the one place where both halves meet.

The reconciler hands back which objects are not healthy and why; what of that is a tag that a
proposal brought is decided in `bot/planning/rollouts.py`; the hold is written where people's
holds are, on the remote, with a lease (`house.md` 2.1, `product.md` 10.11).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.errors import ProductError
from bot.events import Event, Kind
from bot.planning.rollouts import holds_for, with_holds
from bot.proposals.notes import NoteBook
from bot.update.configuration import read_configuration
from bot.update.history import read_past
from bot.update.survey import read_bindings
from bot.update.trees import CommitTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.clock import Clock
    from bot.git.names import Sha
    from bot.git.remote import Remote
    from bot.planning.rollouts import FailedRollout
    from bot.update.report import World


async def hold_what_failed(
    remote: Remote,
    tip: Sha,
    branch: str,
    failures: Sequence[FailedRollout],
    world: World,
    *,
    where: str,
    clock: Clock,
) -> list[Event]:
    """Hold the tags of `failures` that a proposal of ours brought; return what was done.

    `tip` is the commit that was applied, and `where` what events call the target.
    """
    tree = CommitTree(remote=remote, commit=tip, branch=branch)
    configured = await read_configuration(
        tree, repository_url=remote.url, folder=world.folder, trust=world.trust
    )
    config = world.counts(configured.config)
    bound = await read_bindings(tree, config, config.updates)
    past = await read_past(remote, tip, bound.bindings)
    notes = NoteBook(remote=remote)
    try:
        await notes.read()
        holds = holds_for(failures, bound.bindings, past, notes.remembered, now=clock.now())
        await notes.change(lambda known: with_holds(known, holds), message="Hold what failed")
    except ProductError as fault:
        return [Event(kind=Kind.HOLD_NOT_SET, where=where, reason=str(fault))]
    return [
        Event(
            kind=Kind.HOLD_SET,
            where=where,
            subject=f"{one.policy} {one.tag}",
            reason=f"{one.reason}; the next newer tag goes through",
            facts=MappingProxyType({"policy": one.policy, "tag": one.tag}),
        )
        for one in holds
    ]
