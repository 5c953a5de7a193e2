"""Puts what is planned on a proposal's branch: by a push, or by the forge where it must sign.

What only the branch still tells is kept before it moves: where a person closed a proposal and
its body does not say of what (a person damaged it, or a run ended before it was written), the
commit does, and the next one takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.git.names import Sha
from bot.git.trailers import with_trailers
from bot.planning.message import trailers
from bot.planning.metadata import Metadata, with_replaced
from bot.proposals.carry_out import Writing, edited_files, make_commit
from bot.proposals.lifecycle import changes_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.forges.forge import BaseRules, Forge
    from bot.git.remote import Remote
    from bot.planning.plan import PlannedProposal
    from bot.proposals.lifecycle import Step
    from bot.proposals.standing import OnForge

STAGING_PREFIX = "pilotfish-commit/"  # branches of the moment, for commits that a forge makes


@dataclass(slots=True, kw_only=True)
class HeadWriter:
    """Moves the branches of one base; `signed` are the commits that the forge made."""

    forge: Forge
    remote: Remote
    writing: Writing
    known: OnForge
    base: str
    rules: Callable[[], Awaitable[BaseRules]]
    signed: set[str] = field(default_factory=set)

    async def write(self, step: Step, planned: PlannedProposal) -> Sha | None:
        """Put what is planned on the branch, and return its head; nothing to change is `None`."""
        expected = Sha(step.expected) if step.expected else None
        if step.stands and expected is not None:
            return expected
        await self._keep_close(step)
        signed_there = self.forge.abilities.signed_commits and self.writing.signing is None
        if signed_there and (await self.rules()).requires_signatures:
            return await self._signed_head(step, planned, expected)
        made = await make_commit(
            self.remote, self.writing, planned.key, planned.title_name, planned.updates
        )
        if made is not None:
            await self.remote.push(step.branch, made, expected=expected)
        return made

    async def _keep_close(self, step: Step) -> None:
        """Write into a proposal that a person closed what its commit alone tells of it."""
        ended = self.known.ended.get(step.branch)
        if ended is None or not ended.closed_by_person or ended.proposal.head != step.expected:
            return
        told = ended.metadata.changes if ended.metadata is not None else frozenset()
        if ended.committed <= told:
            return
        kept = Metadata(
            key=step.key,
            base=self.base,
            branch=step.branch,
            head=step.expected,
            changes=ended.changes,
            told=ended.metadata.told if ended.metadata is not None else (),
        )
        one = ended.proposal
        await self.forge.edit(one.number, title=one.title, body=with_replaced(one.body, kept))

    async def _signed_head(
        self, step: Step, planned: PlannedProposal, expected: Sha | None
    ) -> Sha | None:
        """Have the forge make the commit, so that it carries the forge's signature.

        It is made on a branch of the moment, which goes once the proposal's own branch has the
        commit: moving that one to the base first would end the proposal.
        """
        edits = await edited_files(self.remote, self.writing.base, planned.updates)
        before = await self.remote.read(self.writing.base, sorted(edits))
        if edits == before:
            return None
        text = self.writing.message(planned.title_name, planned.updates)
        text = with_trailers(text, trailers(planned.key, changes_of(planned)))
        staging = STAGING_PREFIX + step.branch.rpartition("/")[2]
        left = (await self.remote.heads(staging)).get(staging)
        if left is not None:  # a run ended between making and deleting it
            await self.remote.delete(staging, expected=left)
        start = str(self.writing.base)
        made = Sha(await self.forge.commit(staging, start=start, files=edits, message=text))
        self.remote.look_again()
        await self.remote.fetch(staging)
        await self.remote.push(step.branch, made, expected=expected)
        await self.remote.delete(staging, expected=made)
        self.signed.add(str(made))
        return made
