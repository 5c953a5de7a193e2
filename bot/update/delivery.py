"""One base of a remote, from its tip to what is delivered: commits, branches, proposals.

`deliver: commit` and `branch` and proposals on plain Git need the remote alone; proposals on a
forge are the desk's (`bot/update/on_forge.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.config.model import Delivery, UpdateRule
from bot.config.slugs import slug
from bot.errors import ConflictError, Problem, ProductError, Severity
from bot.planning.grouping import BRANCH_PREFIX
from bot.planning.plan import PlannedProposal, Update
from bot.proposals.branches import examine
from bot.proposals.carry_out import (
    Outcome,
    Writing,
    carry_out,
    forget_gone,
    make_commit,
    remember,
)
from bot.proposals.lifecycle import Circumstances, OpenBranch, Step, decide
from bot.update.on_forge import Desk
from bot.update.report import CommitMade, Past, Report, Request, World
from bot.update.tree_plan import plan_tree
from bot.update.writing import writing_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.git.names import Sha
    from bot.git.remote import Remote
    from bot.planning.remembered import Remembered
    from bot.proposals.notes import NoteBook
    from bot.update.configuration import Configured
    from bot.update.forge_opening import ForgeDoor
    from bot.update.survey import Asker, Bound, Survey
    from bot.update.trees import CommitTree


@dataclass(slots=True, kw_only=True)
class BaseRun:
    """One base of one remote, from its tip to what is delivered."""

    remote: Remote
    request: Request
    world: World
    configured: Configured
    tree: CommitTree
    asker: Asker
    at_forge: ForgeDoor
    notes: NoteBook
    base: str
    tip: Sha
    others: dict[str, Sha]
    several: bool
    desk: Desk | None = None
    without_forge: bool = False

    async def carry_through(self, whole: Report) -> None:
        """Plan and deliver, and add what was done to `whole`."""
        found, report = await plan_tree(
            self.tree,
            self.configured,
            self.request,
            self.world,
            asker=self.asker,
            past=Past(history=(self.remote, self.tip), remembered=self.notes.remembered),
            base=self.base,
            prepare=self._look_at_forge,
        )
        writing = writing_for(
            self.configured, self.remote, base=self.tip, now=self.world.clock.now()
        )
        await self._deliver_commits(found, writing, report)
        await self._deliver_proposals(found, writing, report)
        whole.join(report)

    async def _look_at_forge(self, bound: Bound, past: Past) -> tuple[Past, list[Problem]]:
        """Read what stands on the forge, when proposals are or were made there.

        Raises:
            ProductError: The forge cannot be asked, and it is all that this run is about; a
                plan, and a run that delivers commits as well, tell it and go on.
        """
        if not self._needs_forge(bound):
            return past, []
        try:
            forge = await self.at_forge.open()
            if forge is None:
                return past, []
            desk = Desk(
                forge=forge,
                remote=self.remote,
                base=self.base,
                clock=self.world.clock,
                shared=self.at_forge.shared,
                workflow=self.configured.config.forge.workflow,
            )
            await desk.look()
        except ProductError as fault:
            proposes = self._proposes()
            if proposes and not self.request.dry_run and not self._delivers_more(bound):
                raise
            self.without_forge = not self.request.dry_run
            return past, [_told(fault) if proposes else _left_standing(fault)]
        self.desk = desk
        problems: list[Problem] = []
        if not self.request.dry_run:
            problems = await desk.read_requests(self.notes, bound.bindings, heads=self.others)
        remembered = desk.memory(self.notes.remembered)
        return replace(past, remembered=remembered, recorded_by=desk.recorded_by), problems

    def _needs_forge(self, bound: Bound) -> bool:
        """Return whether something is to be proposed, or may have been: markers come and go."""
        if any(self._delivery(one.update) is Delivery.PULL_REQUEST for one in bound.bindings):
            return True
        rules = self.configured.config.updates
        pushed = {_branch_of(rule) for rule in rules if self._delivery(rule) is Delivery.BRANCH}
        left = set(self._branches_of_this_base()) - self._pushed_branches() - pushed
        return bool(left) and (self._proposes() or self.request.deliver is None)

    def _proposes(self) -> bool:
        return any(
            self._delivery(rule) is Delivery.PULL_REQUEST for rule in self.configured.config.updates
        )

    def _delivers_more(self, bound: Bound) -> bool:
        """Return whether something is delivered that needs no forge."""
        return any(
            self._delivery(one.update) is not Delivery.PULL_REQUEST for one in bound.bindings
        )

    def _delivery(self, rule: UpdateRule) -> Delivery:
        return self.request.deliver or rule.deliver

    def _delivered(self, found: Survey, kind: Delivery) -> dict[str, list[Update]]:
        """Return the updates that are delivered as `kind`, by their update's name."""
        chosen: dict[str, list[Update]] = {}
        for one in found.plan.updates:
            rule = one.binding.update
            if self._delivery(rule) is kind:
                chosen.setdefault(rule.name, []).append(one)
        return chosen

    async def _deliver_commits(self, found: Survey, writing: Writing, report: Report) -> None:
        """Make one commit per update on the base, each on top of the one before."""
        parent = self.tip
        for name, updates in self._delivered(found, Delivery.COMMIT).items():
            if self.request.dry_run:
                report.commits.append(CommitMade(branch=self.base, sha="", update=name))
                continue
            try:
                made = await make_commit(self.remote, writing.on(parent), name, name, updates)
                if made is None:
                    continue
                await self.remote.push(self.base, made, expected=parent)
            except ConflictError:
                raise
            except ProductError as fault:
                report.problems.append(self._not_committed(name, fault))
                continue
            report.commits.append(CommitMade(branch=self.base, sha=made, update=name))
            parent = made

    def _not_committed(self, name: str, fault: ProductError) -> Problem:
        return Problem(
            severity=Severity.ERROR,
            message=f"the update {name} could not be committed to {self.base}: {fault.what}",
            file=fault.where or self.base,
            hint=fault.hint,
        )

    async def _deliver_proposals(self, found: Survey, writing: Writing, report: Report) -> None:
        standing = await examine(self.remote, self.tip, self._branches_of_this_base())
        planned = self._planned(found)
        branches = [one for one in planned if self._delivery(one.update) is Delivery.BRANCH]
        proposed = [one for one in planned if one not in branches]
        if self.desk is not None or self.without_forge:
            own = {one.branch for one in branches} | self._pushed_branches()
            theirs = {name: one for name, one in standing.items() if name not in own}
            standing = {name: one for name, one in standing.items() if name in own}
            await self._propose(found, proposed, theirs, writing=writing, report=report)
            proposed = []
        elif self.request.deliver is not None:
            ours = self._pushed_here()
            standing = {name: one for name, one in standing.items() if name in ours}
        frozen = {
            one.key
            for one in branches
            if one.branch in standing and one.key in found.unknown_updates
        }
        steps = decide(
            [one for one in [*proposed, *branches] if one.key not in frozen],
            standing,
            self.notes.remembered,
            self._around(found),
        )
        steps = self._narrowed(steps)
        if self.request.dry_run:
            report.steps += [_undone(step) for step in steps]
            return
        outcomes = await carry_out(steps, self.remote, writing)
        report.steps += outcomes
        report.problems += [one.problem for one in outcomes if one.problem is not None]
        problem = await self.notes.try_change(
            lambda known: self._remembered(known, outcomes, steps, found.plan.undated),
            message="Remember proposals",
        )
        if problem is not None:
            report.problems.append(problem)

    async def _propose(
        self,
        found: Survey,
        planned: list[PlannedProposal],
        standing: dict[str, OpenBranch],
        *,
        writing: Writing,
        report: Report,
    ) -> None:
        """Bring the forge's proposals in line with the plan."""
        desk = self.desk
        if desk is None:
            return
        await desk.heed_deleted(standing, dry_run=self.request.dry_run)
        planned = list(await desk.look_at(planned, standing))
        desk.heed_reverts(report.reverts, [one.binding for one in found.plan.considered])
        standing = desk.standing(standing)
        before = await desk.before_opening(planned, standing, report.reverts)
        report.problems += before.problems
        steps = decide(
            planned,
            standing,
            desk.memory(self.notes.remembered),
            replace(
                self._around(found),
                opened=desk.known.opened,
                pushed=desk.known.pushed,
                wishes=desk.wishes,
                up_to_date=await desk.takes_only_its_tip(standing),
                has_checks=desk.forge.abilities.statuses,
                checks=before.checks,
                quiet=before.quiet,
            ),
        )
        steps = self._narrowed(steps)
        if self.request.dry_run:
            report.steps += [desk.undone(step) for step in steps]
            return
        outcomes = await desk.carry_out(
            steps,
            writing=writing,
            held=found.plan.held,
            notes_of=self.at_forge.notes_of,
        )
        report.steps += outcomes
        report.problems += [one.problem for one in outcomes if one.problem is not None]
        report.problems += await desk.merge_what_may(outcomes)
        report.problems += await desk.answer(
            outcomes, considered=found.plan.considered, holds=report.holds
        )
        report.answered += desk.requests.count
        report.said += desk.said

    def _around(self, found: Survey) -> Circumstances:
        return Circumstances(
            limits=self.configured.config.limits,
            now=self.world.clock.now(),
            unknown_keys=found.unknown_keys | found.unknown_updates,
            held={one.policy: f"{one.tag} is {one.reason}" for one in found.plan.held},
            pushed={
                one.branch: max(one.pushed) for one in self.notes.remembered.proposals if one.pushed
            },
        )

    def _narrowed(self, steps: list[Step]) -> list[Step]:
        """Leave alone what a narrowed run did not look at."""
        if self.request.only or self.request.below:
            return [step for step in steps if step.planned is not None]
        return steps

    def _pushed_here(self) -> set[str]:
        """Return the branches of a run that was told how to deliver; the others stand as they do.

        A forge closes what is open on a deleted branch, and the next run would read a person's
        "no" in it.
        """
        if self.request.deliver is Delivery.PULL_REQUEST:
            return set(self.others)
        if self.request.deliver is not Delivery.BRANCH:
            return set()
        return {_branch_of(rule) for rule in self.configured.config.updates}

    def _pushed_branches(self) -> set[str]:
        return {rule.push_branch for rule in self.configured.config.updates if rule.push_branch}

    def _remembered(
        self,
        known: Remembered,
        outcomes: list[Outcome],
        steps: list[Step],
        undated: Sequence[tuple[str, str, str]],
    ) -> Remembered:
        now = self.world.clock.now()
        after = remember(known, outcomes, now).with_seen(undated, now)
        if self.desk is not None or self.request.only or self.request.below or self.several:
            return after
        return forget_gone(after, self.others, steps)

    def _branches_of_this_base(self) -> dict[str, Sha]:
        if not self.several:
            return self.others
        own = f"{BRANCH_PREFIX}{slug(self.base)}/"
        pushed = self._pushed_branches()
        return {
            name: sha for name, sha in self.others.items() if name.startswith(own) or name in pushed
        }

    def _planned(self, found: Survey) -> list[PlannedProposal]:
        """Return the proposals to deliver; `deliver: branch` makes one per update."""
        planned = [
            one
            for one in found.plan.proposals
            if self._delivery(one.update) is Delivery.PULL_REQUEST
        ]
        for name, updates in self._delivered(found, Delivery.BRANCH).items():
            rule = updates[0].binding.update
            planned.append(
                PlannedProposal(
                    key=name,
                    title_name=name,
                    branch=_branch_of(rule),
                    update=rule,
                    updates=tuple(updates),
                )
            )
        return planned


def _branch_of(rule: UpdateRule) -> str:
    return rule.push_branch or f"{BRANCH_PREFIX}{slug(rule.name)}"


def _left_standing(fault: ProductError) -> Problem:
    return Problem(
        severity=Severity.WARNING,
        message="branches of earlier pull requests are left as they stand, because the forge "
        f"cannot be asked what became of these: {fault.what}",
        file=fault.where,
        hint=f"{fault.hint}; or delete the branches" if fault.hint else "Delete the branches",
    )


def _told(fault: ProductError) -> Problem:
    return Problem(severity=Severity.ERROR, message=fault.what, file=fault.where, hint=fault.hint)


def _undone(step: Step) -> Outcome:
    return Outcome(
        step=step, head=step.expected, updates=step.planned.updates if step.planned else ()
    )
