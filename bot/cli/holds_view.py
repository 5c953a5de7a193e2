"""What is held on a remote: people's words, and what its history shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.planning.binding import bind_fields
from bot.planning.holds import holds_in_force, names_of
from bot.planning.message import short_name
from bot.proposals.notes import NoteBook
from bot.rewrite.tree import NEEDLES, find_fields
from bot.update.configuration import read_configuration
from bot.update.history import find_reverts
from bot.update.trees import CommitTree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bot.git.remote import Remote
    from bot.planning.remembered import HoldRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldNow:
    """Every hold in force, and every name that something on the base is followed by.

    `policies` are the policies of each image by the last part of its name.
    """

    records: tuple[HoldRecord, ...]
    names: frozenset[str]
    policies: Mapping[str, frozenset[str]]


async def look(remote: Remote, now: datetime) -> HeldNow:
    """Return what is held at `now`; nothing is asked of any registry."""
    base = await remote.default_branch()
    tip = (await remote.fetch(base))[base]
    tree = CommitTree(remote=remote, commit=tip, branch=base)
    notes = NoteBook(remote=remote)
    remembered = await notes.read()
    configured = await read_configuration(tree, repository_url=remote.url)
    files, _ = await tree.containing(NEEDLES, [])
    bindings, _ = bind_fields(
        find_fields(files).fields, configured.config, configured.config.updates
    )
    reverts = await find_reverts(remote, tip, bindings)
    policies: dict[str, frozenset[str]] = {}
    for one in bindings:
        last = short_name(one.image)
        policies[last] = policies.get(last, frozenset()) | {one.policy_name}
    return HeldNow(
        records=holds_in_force(remembered, reverts, now, bindings=bindings).records,
        names=frozenset().union(*(names_of(one) for one in bindings)),
        policies=policies,
    )
