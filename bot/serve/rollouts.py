"""From a rollout that failed to a hold on the tag: the one place where both halves meet.

The reconciler hands back which objects are not healthy and why; what of that is a tag that a
proposal brought is decided in `bot/planning/rollouts.py`; the hold is written where people's
holds are, on the remote, with a lease (`house.md` 2.1, `product.md` 10.11).
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.errors import ProductError
from bot.events import Event, Kind
from bot.planning.reverts import is_ours
from bot.planning.rollouts import holds_for, with_holds
from bot.planning.said_once import rollout_failed, rollout_mark
from bot.proposals.notes import NoteBook
from bot.proposals.standing import our_proposals
from bot.update.configuration import read_configuration
from bot.update.forge_opening import forge_in, place_in
from bot.update.history import read_past
from bot.update.survey import read_bindings
from bot.update.trees import CommitTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.clock import Clock
    from bot.config.model import Config
    from bot.forges.forge import Forge
    from bot.git.names import Sha
    from bot.git.remote import Remote
    from bot.planning.remembered import HoldRecord
    from bot.planning.reverts import PastCommit
    from bot.planning.rollouts import FailedRollout
    from bot.update.report import World

_log = logging.getLogger(__name__)
_MOST_ASKED = 10  # commits without our word whose proposal is asked for, newest first; arbitrary


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

    `tip` is the commit that was applied, and `where` what events call the target. On a forge
    the proposal that brought the tag gets a note.
    """
    tree = CommitTree(remote=remote, commit=tip, branch=branch)
    configured = await read_configuration(
        tree, repository_url=remote.url, folder=world.folder, trust=world.trust
    )
    config = world.counts(configured.config)
    bound = await read_bindings(tree, config, config.updates)
    past = await read_past(remote, tip, bound.bindings)
    notes = NoteBook(remote=remote)
    async with contextlib.AsyncExitStack() as doors:
        forge = await _forge(remote.url, config, world, doors)
        try:
            past = await _with_proposals(past, forge, branch) if forge is not None else past
            await notes.read()
            holds = holds_for(failures, bound.bindings, past, notes.remembered, now=clock.now())
            await notes.change(lambda known: with_holds(known, holds), message="Hold what failed")
        except ProductError as fault:
            return [Event(kind=Kind.HOLD_NOT_SET, where=where, reason=str(fault))]
        if forge is not None:
            await _note(forge, holds, past)
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


async def _forge(
    remote_url: str, config: Config, world: World, doors: contextlib.AsyncExitStack
) -> Forge | None:
    """Open the repository's forge; without one the hold is set all the same."""
    try:
        place = place_in(world, config, remote_url)
        return await doors.enter_async_context(forge_in(world, config, place)) if place else None
    except ProductError as fault:
        _log.warning("no note on the proposal", extra={"why": fault.what})
        return None


async def _with_proposals(past: Sequence[PastCommit], forge: Forge, base: str) -> list[PastCommit]:
    """Add what our merged proposals recorded, where a squash lost our trailers."""
    told: list[PastCommit] = []
    for number, commit in enumerate(past):
        if number >= _MOST_ASKED or all(is_ours(commit, move) for move in commit.moves):
            told.append(commit)
            continue
        found = our_proposals(await forge.proposals_with(commit.sha), base=base)
        more = frozenset(change for one in found.everything for change in one.changes)
        told.append(replace(commit, recorded=commit.recorded | more))
    return told


async def _note(forge: Forge, holds: Sequence[HoldRecord], past: Sequence[PastCommit]) -> None:
    """Say once, on the merged proposal that brought a tag, that the tag does not roll out."""
    for hold in holds:
        try:
            commit = _brought(hold, past)
            for one in await forge.proposals_with(commit) if commit else ():
                mark = rollout_mark(hold.tag)
                said = await forge.comments_on(one.number) if one.ours else []
                if one.ours and not any(c.ours and mark in c.body for c in said):
                    await forge.comment(one.number, rollout_failed(hold.tag, hold.reason))
        except ProductError as fault:  # the hold stands; the note is beside it
            _log.warning("the failed rollout was not noted", extra={"why": fault.what})


def _brought(hold: HoldRecord, past: Sequence[PastCommit]) -> str:
    """Return the newest commit of a proposal of ours that brought a tag."""
    return next(
        (
            commit.sha
            for commit in past
            for change in commit.recorded
            if change.policy == hold.policy and hold.tag in change.new
        ),
        "",
    )
