"""Does the steps: edit, commit, push with a lease, delete; each safe to repeat.

A commit is made once and its id is pushed until the remote has it or says no; the remote is
asked after every lost answer (`reliability-security.md` E8). What was opened and closed is
written to `refs/notes/pilotfish` at the end, also with a lease.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bot.errors import ConflictError, Problem, ProductError, Severity
from bot.git.names import Identity, Sha
from bot.git.trailers import with_trailers
from bot.planning.message import PREFIX, default_message, trailers
from bot.planning.plan import PlannedProposal, Update
from bot.planning.remembered import ClosedRecord, ProposalRecord, Remembered
from bot.proposals.lifecycle import Operation, Step, changes_of
from bot.rewrite.splice import edit_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bot.config.model import UpdateRule
    from bot.git.remote import Remote
    from bot.git.signing import Signing
    from bot.rewrite.fields import Field

_log = logging.getLogger(__name__)
_REMEMBERED_PUSHES = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How commits are made in this run: by whom, when, signed with what, on which base.

    `message` turns the name and the updates of a commit into its text without trailers;
    `prefix` is how titles begin.
    """

    author: Callable[[UpdateRule], Identity]
    when: datetime
    signing: Signing | None
    base: Sha
    message: Callable[[str, Sequence[Update]], str] = default_message
    prefix: Callable[[UpdateRule], str] = lambda _: PREFIX

    def on(self, base: Sha) -> Writing:
        """Return the same on another base."""
        return replace(self, base=base)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of one step: the head that is on the remote now, or the problem.

    `number` and `url` are those of the proposal on a forge; `rewritten` says that its text was
    written again though nothing was pushed. `automerge` is what was done about merging it by
    itself: `asked`, `cancelled` or `merged`. `verified`: the forge made and signed the commit.
    """

    step: Step
    head: str = ""
    number: int = 0
    url: str = ""
    rewritten: bool = False
    automerge: str = ""
    verified: bool = False
    problem: Problem | None = None
    updates: tuple[Update, ...] = field(default_factory=tuple)


async def make_commit(
    remote: Remote, writing: Writing, key: str, name: str, updates: Sequence[Update]
) -> Sha | None:
    """Return the commit that carries `updates` on the base, `None` when nothing would change."""
    edits = await edited_files(remote, writing.base, updates)
    planned = PlannedProposal(
        key=key,
        title_name=name,
        branch="",
        update=updates[0].binding.update,
        updates=tuple(updates),
    )
    text = with_trailers(writing.message(name, updates), trailers(key, changes_of(planned)))
    return await remote.commit(
        writing.base,
        edits,
        message=text,
        author=writing.author(planned.update),
        when=writing.when,
        signing=writing.signing,
    )


async def edited_files(remote: Remote, base: Sha, updates: Iterable[Update]) -> dict[str, bytes]:
    """Return the new text of every file that `updates` change."""
    by_file: dict[str, list[tuple[Field, str]]] = {}
    for one in updates:
        by_file.setdefault(one.file, []).append((one.binding.field, one.value))
    texts = await remote.read(base, sorted(by_file))
    return {file: edit_file(file, texts[file], edits) for file, edits in by_file.items()}


async def carry_out(steps: Iterable[Step], remote: Remote, writing: Writing) -> list[Outcome]:
    """Do `steps` in order; one that fails is told and the others go on.

    Raises:
        ConflictError: A branch moved under us; the plan is to be made again.
    """
    outcomes: list[Outcome] = []
    for step in steps:
        try:
            outcomes.append(await _do(step, remote, writing))
        except ConflictError:
            raise
        except ProductError as fault:
            _log.info("step failed", extra={"branch": step.branch})
            outcomes.append(Outcome(step=step, problem=failed(step, fault)))
    return outcomes


async def _do(step: Step, remote: Remote, writing: Writing) -> Outcome:
    expected = Sha(step.expected) if step.expected else None
    if step.operation is Operation.CLOSED and expected is not None:
        await remote.delete(step.branch, expected=expected)
        return Outcome(step=step)
    if step.operation is Operation.REFUSED:
        return Outcome(step=step, problem=refused(step))
    planned = step.planned
    if step.operation not in {Operation.OPENED, Operation.REFRESHED} or planned is None:
        return Outcome(step=step, head=step.expected, updates=planned.updates if planned else ())
    made = await make_commit(remote, writing, planned.key, planned.title_name, planned.updates)
    if made is None:
        return Outcome(step=step)
    await remote.push(step.branch, made, expected=expected)
    return Outcome(step=step, head=made, updates=planned.updates)


def failed(step: Step, fault: ProductError) -> Problem:
    """Return the problem that a step which failed leaves."""
    return Problem(
        severity=Severity.ERROR,
        message=f"the proposal {step.key or step.branch} could not be {step.operation.value}: "
        f"{fault.what}",
        file=fault.where or step.branch,
        hint=fault.hint,
    )


def refused(step: Step) -> Problem:
    """Return the problem that a branch which is not ours leaves."""
    return Problem(
        severity=Severity.ERROR,
        message=f"the proposal {step.key} was not opened: {step.reason}",
        file=step.branch,
        hint="The branch is left as it is",
    )


_AFTER_A_CLOSE = {Operation.IGNORED, Operation.OPENED, Operation.WAITING}


def remember(remembered: Remembered, outcomes: Iterable[Outcome], now: datetime) -> Remembered:
    """Return the memory after `outcomes`: what is open now, and what a person closed."""
    for outcome in outcomes:
        step = outcome.step
        if outcome.problem is not None:
            continue
        if step.remember_closed and step.operation in _AFTER_A_CLOSE:
            closed = ClosedRecord(
                key=step.key, when=now, changes=tuple(sorted(step.remember_closed))
            )
            remembered = remembered.without_proposal(step.branch).with_closed(closed)
        if step.operation is Operation.CLOSED:
            remembered = remembered.without_proposal(step.branch)
        elif step.operation in {Operation.OPENED, Operation.REFRESHED} and outcome.head:
            remembered = remembered.with_proposal(_record(remembered, outcome, now))
        elif step.operation is Operation.UNCHANGED and outcome.updates:
            remembered = _repaired(remembered, outcome, now)
    return remembered


def _record(remembered: Remembered, outcome: Outcome, now: datetime) -> ProposalRecord:
    step = outcome.step
    before = next((one for one in remembered.proposals if one.branch == step.branch), None)
    opened = now if before is None or step.operation is Operation.OPENED else before.opened
    pushes = [moment for moment in (before.pushed if before else ()) if _recent(moment, now)]
    return ProposalRecord(
        key=step.key,
        branch=step.branch,
        head=outcome.head,
        opened=opened,
        pushed=(*pushes, now),
        changes=tuple(sorted(changes_of(step.planned))) if step.planned else (),
    )


def _recent(moment: datetime, now: datetime) -> bool:
    return now - moment < _REMEMBERED_PUSHES


def _repaired(remembered: Remembered, outcome: Outcome, now: datetime) -> Remembered:
    """Write down a proposal that stands but was not remembered: a run ended in between."""
    if any(
        one.branch == outcome.step.branch and one.head == outcome.head
        for one in remembered.proposals
    ):
        return remembered
    return remembered.with_proposal(_record(remembered, outcome, now))


def forget_gone(
    remembered: Remembered, standing: Iterable[str], steps: Iterable[Step]
) -> Remembered:
    """Drop proposals whose branch is gone and that nothing plans any more."""
    here = set(standing) | {step.branch for step in steps}
    for one in remembered.proposals:
        if one.branch not in here:
            remembered = remembered.without_proposal(one.branch)
    return remembered
