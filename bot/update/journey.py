"""The whole journey of a tag, told in one place: `plan` and `run`.

Everything that decides is pure; `plan` is `run` stopped before anything is delivered
(`product.md` 2, principle 2). A base or a branch that moves meanwhile makes the plan anew.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.errors import ConfigError, ConflictError, Problem, Severity
from bot.planning.grouping import BRANCH_PREFIX
from bot.proposals.notes import NoteBook
from bot.update.configuration import read_configuration
from bot.update.delivery import BaseRun
from bot.update.forge_opening import ForgeDoor
from bot.update.on_forge import bring_dashboard_up_to_date, shows_dashboard
from bot.update.report import Report, Request, World
from bot.update.tree_plan import bases_of
from bot.update.trees import CommitTree

if TYPE_CHECKING:
    from bot.config.model import Config
    from bot.git.remote import Remote
    from bot.update.configuration import Configured

MAX_TRIES = 5  # plans made again because someone moved the base or a branch under us


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
    configured = await _configuration(tree, request, world)
    bases = bases_of(configured.config, default)
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
    async with AsyncExitStack() as doors:
        asker = await doors.enter_async_context(world.asker_for(configured.config))
        at_forge = ForgeDoor(
            remote_url=remote.url,
            config=configured.config,
            world=world,
            asker=asker,
            doors=doors,
            shows_dashboard=shows_dashboard(configured.config, request),
        )
        for base in bases:
            if base not in fetched:
                whole.problems.append(_missing_base(base, remote))
                continue
            one = BaseRun(
                remote=remote,
                request=request,
                world=world,
                configured=configured,
                tree=tree
                if base == default
                else CommitTree(remote=remote, commit=fetched[base], branch=base),
                asker=asker,
                at_forge=at_forge,
                notes=notes,
                base=base,
                tip=fetched[base],
                others={name: sha for name, sha in fetched.items() if name not in bases},
                several=len(bases) > 1,
            )
            await one.carry_through(whole)
        await bring_dashboard_up_to_date(at_forge, whole)
    whole.notes_written = notes.written
    return whole


async def _configuration(tree: CommitTree, request: Request, world: World) -> Configured:
    """Return what the base branch configures, as far as it counts here."""
    found = await read_configuration(
        tree,
        repository_url=tree.remote.url,
        folder=world.folder,
        trust=world.trust,
        file=request.config,
    )
    return replace(found, config=_limited(world.counts(found.config), request.max_open))


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
