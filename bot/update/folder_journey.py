"""`--deliver files`: the same journey over a folder, edited in place, Git or not.

Where the folder is a clone, its own history is read for versions that a person took back, and
the holds are those of its origin: a hold counts in every mode of delivery
(`product.md` 10.11). An origin that cannot be asked stops the run, because what people decided
is not known then.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.errors import Problem, ProductError, Severity
from bot.folder import replace_file
from bot.git.location import find_location
from bot.planning.remembered import Remembered
from bot.proposals.notes import NoteBook
from bot.rewrite.splice import edit_file
from bot.update.configuration import read_configuration
from bot.update.report import Past, Report, Request, World
from bot.update.tree_plan import plan_tree
from bot.update.trees import FolderTree

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from bot.git.remote import Remote
    from bot.planning.plan import Update
    from bot.rewrite.fields import Field


async def run_on_folder(
    root: Path,
    request: Request,
    world: World,
    *,
    origin: str,
    opener: Callable[[str], AbstractAsyncContextManager[Remote]],
) -> Report:
    """Edit the marked fields below `root` that have something newer; nothing else changes.

    Raises:
        FaultsError: The configuration is wrong.
        UnavailableError: The clone's origin cannot be asked what is held.
    """
    tree = FolderTree(root=root)
    configured = await read_configuration(
        tree, repository_url=origin or None, folder=root, file=request.config
    )
    rules = tuple(replace(rule, branch="") for rule in configured.config.updates)
    configured = replace(configured, config=replace(configured.config, updates=rules))
    async with AsyncExitStack() as stack:
        past = await _past(root, origin, opener, stack)
        asker = await stack.enter_async_context(world.asker_for(configured.config))
        found, report = await plan_tree(tree, configured, request, world, asker=asker, past=past)
    report.problems += configured.problems
    by_file: dict[str, list[Update]] = {}
    for one in found.plan.updates:
        by_file.setdefault(one.file, []).append(one)
    for file, updates in sorted(by_file.items()):
        if request.dry_run:
            report.files.append(file)
            continue
        problem = _edit(root, file, updates)
        if problem is None:
            report.files.append(file)
        else:
            report.problems.append(problem)
    return report


async def _past(
    root: Path,
    origin: str,
    opener: Callable[[str], AbstractAsyncContextManager[Remote]],
    stack: AsyncExitStack,
) -> Past:
    """Return the folder's own history and the holds kept at its origin, as far as there are."""
    found = await find_location(root)
    if found is None:
        return Past()
    remembered = Remembered()
    if origin:
        remote = await stack.enter_async_context(opener(origin))
        remembered = await NoteBook(remote=remote).read()
    local = await stack.enter_async_context(opener(str(found.top)))
    heads = await local.heads()
    branch = found.branch
    if branch is None or branch not in heads or found.top != root:
        return Past(remembered=remembered)
    tip = (await local.fetch(branch))[branch]
    return Past(history=(local, tip), remembered=remembered)


def _edit(root: Path, file: str, updates: list[Update]) -> Problem | None:
    """Edit one file whole, or leave it whole and say why."""
    path = root / file
    edits: list[tuple[Field, str]] = [(one.binding.field, one.value) for one in updates]
    try:
        before = path.read_bytes()
        replace_file(root, file, old=before, new=edit_file(file, before, edits))
    except ProductError as fault:
        return Problem(
            severity=Severity.ERROR, message=fault.what, file=fault.where or file, hint=fault.hint
        )
    except OSError as fault:
        return Problem(
            severity=Severity.ERROR,
            message=f"the file cannot be read: {fault.strerror}",
            file=file,
            hint="Check that it is still there and may be read",
        )
    return None
