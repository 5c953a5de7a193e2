"""The whole journey of a tag, told in one place: `plan` and `run`.

Everything that decides is pure; `plan` is `run` stopped before anything is delivered
(`product.md` 2, principle 2). A base or a branch that moves meanwhile makes the plan anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.config.model import Config, Delivery, UpdateRule
from bot.config.slugs import slug
from bot.errors import ConfigError, ConflictError, Problem, ProductError, Severity
from bot.planning.grouping import BRANCH_PREFIX
from bot.planning.holds import holds_in_force
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
from bot.proposals.lifecycle import Step, decide
from bot.proposals.notes import NoteBook
from bot.update.configuration import Configured, read_configuration
from bot.update.forge_rule import no_proposals_here
from bot.update.history import find_reverts
from bot.update.report import CommitMade, Past, Report, Request, World
from bot.update.survey import Asker, Bound, Survey, read_bindings, survey
from bot.update.trees import CommitTree, Tree
from bot.update.writing import writing_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.git.names import Sha
    from bot.git.remote import Remote
    from bot.planning.remembered import Remembered

MAX_TRIES = 5  # plans made again because someone moved the base or a branch under us


async def plan_tree(
    tree: Tree,
    configured: Configured,
    request: Request,
    world: World,
    *,
    asker: Asker,
    past: Past,
    base: str = "",
    check: Callable[[Bound], list[Problem]] = lambda _: [],
) -> tuple[Survey, Report]:
    """Return what would change in `tree`, with everything that was found on the way.

    `check` looks at what is bound before any registry is asked; what it raises ends the run.
    """
    config = configured.config
    report = Report(where=tree.where, base=base, configured=config.source)
    rules = [rule for rule in config.updates if not rule.branch or not base or rule.branch == base]
    bound = await read_bindings(tree, config, rules, below=request.below, only=request.only)
    report.problems += check(bound)
    reverts = await find_reverts(*past.history, bound.bindings) if past.history else []
    now = world.clock.now()
    book = holds_in_force(past.remembered, reverts, now, bindings=bound.bindings)
    report.holds += book.records
    found = await survey(
        bound,
        asker,
        book,
        now=now,
        base=base,
        several_bases=len(_bases(config, base)) > 1,
        progress=world.progress,
        first_seen=past.remembered.first_seen,
    )
    report.add(found, bound)
    return found, report


def _bases(config: Config, default: str) -> list[str]:
    """Return the branches that updates start from, in the order they are configured."""
    return list(dict.fromkeys(rule.branch or default for rule in config.updates))


async def run_on_remote(remote: Remote, request: Request, world: World) -> Report:
    """Bring a remote's proposals, branches and commits up to date with its registries."""
    for attempt in range(MAX_TRIES):
        try:
            return await _run_once(remote, request, world)
        except ConflictError:
            if attempt == MAX_TRIES - 1:
                raise
    raise AssertionError("the loop returns or raises")


async def _run_once(remote: Remote, request: Request, world: World) -> Report:
    default = request.base or await remote.default_branch()
    heads = await remote.heads()
    if default not in heads:
        raise ConfigError(
            f"the branch {default} does not exist there",
            where=remote.url,
            hint="Name the branch with --base, or push it first",
        )
    fetched = await remote.fetch(
        default, *(branch for branch in heads if branch.startswith(BRANCH_PREFIX))
    )
    tree = CommitTree(remote=remote, commit=fetched[default], branch=default)
    configured = await read_configuration(
        tree,
        repository_url=remote.url,
        folder=world.folder,
        trust=world.trust,
        file=request.config,
    )
    configured = replace(
        configured, config=_limited(world.counts(configured.config), request.max_open)
    )
    bases = _bases(configured.config, default)
    pushed = [rule.push_branch for rule in configured.config.updates if rule.push_branch]
    more = [one for one in (*bases, *pushed) if one in heads and one not in fetched]
    fetched |= await remote.fetch(*more) if more else {}
    whole = Report(
        where=remote.url,
        base=default,
        configured=configured.config.source,
        problems=list(configured.problems),
    )
    notes = NoteBook(remote=remote)
    await notes.read()
    async with world.asker_for(configured.config) as asker:
        for base in bases:
            if base not in fetched:
                whole.problems.append(_missing_base(base, remote))
                continue
            one = _Run(
                remote=remote,
                request=request,
                world=world,
                configured=configured,
                asker=asker,
                base=base,
                tip=fetched[base],
                others={name: sha for name, sha in fetched.items() if name not in bases},
                several=len(bases) > 1,
            )
            await one.carry_through(whole, notes)
    return whole


def _limited(config: Config, max_open: int | None) -> Config:
    if max_open is None:
        return config
    return replace(config, limits=replace(config.limits, open=max_open))


def _missing_base(base: str, remote: Remote) -> Problem:
    return Problem(
        severity=Severity.ERROR,
        message=f"the branch {base}, which an update starts from, does not exist",
        file=remote.url,
        hint="Correct the update's branch",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One base of one remote, from its tip to what is delivered."""

    remote: Remote
    request: Request
    world: World
    configured: Configured
    asker: Asker
    base: str
    tip: Sha
    others: dict[str, Sha]
    several: bool

    async def carry_through(self, whole: Report, notes: NoteBook) -> None:
        """Plan and deliver, and add what was done to `whole`."""
        found, report = await plan_tree(
            CommitTree(remote=self.remote, commit=self.tip, branch=self.base),
            self.configured,
            self.request,
            self.world,
            asker=self.asker,
            past=Past(history=(self.remote, self.tip), remembered=notes.remembered),
            base=self.base,
            check=self._forge_faults,
        )
        writing = writing_for(
            self.configured, self.remote, base=self.tip, now=self.world.clock.now()
        )
        await self._deliver_commits(found, writing, report)
        await self._deliver_proposals(found, writing, report, notes)
        whole.join(report)

    def _forge_faults(self, bound: Bound) -> list[Problem]:
        """Refuse proposals to a forge that we do not speak to; a plan tells it and goes on.

        Raises:
            ConfigError: Something bound is to be proposed, and no proposal can be opened.
        """
        rules = {one.update.name: one.update for one in bound.bindings}.values()
        if not any(self._delivery(rule) is Delivery.PULL_REQUEST for rule in rules):
            return []
        fault = no_proposals_here(self.configured.config.forge, self.remote.url)
        if fault is None:
            return []
        if not self.request.dry_run:
            raise fault
        return [
            Problem(severity=Severity.ERROR, message=fault.what, file=fault.where, hint=fault.hint)
        ]

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

    async def _deliver_proposals(
        self, found: Survey, writing: Writing, report: Report, notes: NoteBook
    ) -> None:
        standing = await examine(self.remote, self.tip, self._branches_of_this_base())
        now = self.world.clock.now()
        planned = self._planned(found)
        frozen = {
            one.key
            for one in planned
            if self._delivery(one.update) is Delivery.BRANCH
            and one.branch in standing
            and one.key in found.unknown_updates
        }
        steps = decide(
            [one for one in planned if one.key not in frozen],
            standing,
            notes.remembered,
            unknown_keys=found.unknown_keys | found.unknown_updates,
            limits=self.configured.config.limits,
            now=now,
        )
        if self.request.only or self.request.below:
            steps = [step for step in steps if step.planned is not None]
        if self.request.dry_run:
            report.steps = [_undone(step) for step in steps]
            return
        report.steps = await carry_out(steps, self.remote, writing)
        report.problems += [one.problem for one in report.steps if one.problem is not None]
        problem = await notes.try_change(
            lambda known: self._remembered(known, report, steps, found.plan.undated),
            message="Remember proposals",
        )
        if problem is not None:
            report.problems.append(problem)

    def _remembered(
        self,
        known: Remembered,
        report: Report,
        steps: list[Step],
        undated: Sequence[tuple[str, str, str]],
    ) -> Remembered:
        now = self.world.clock.now()
        after = remember(known, report.steps, now).with_seen(undated, now)
        if self.request.only or self.request.below or self.several:
            return after
        return forget_gone(after, self.others, steps)

    def _branches_of_this_base(self) -> dict[str, Sha]:
        if not self.several:
            return self.others
        own = f"{BRANCH_PREFIX}{slug(self.base)}/"
        pushed = {rule.push_branch for rule in self.configured.config.updates}
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
                    branch=rule.push_branch or f"{BRANCH_PREFIX}{slug(name)}",
                    update=rule,
                    updates=tuple(updates),
                )
            )
        return planned


def _undone(step: Step) -> Outcome:
    return Outcome(
        step=step, head=step.expected, updates=step.planned.updates if step.planned else ()
    )
