"""Asks the server what an apply would do, for a whole set and before anything is written.

An object that is surely as it should be (`settled.py`) is not asked about. One whose namespace or
definition is made by this very set cannot be asked about yet: it is tried under another name in a
namespace that exists, as far as its kind is known, and asked about in its stage. Every fault of the
set is told, not the first alone (`reconciler.md` 2.7).

A change refused because a field may never change is a replacement where that is allowed, and only
if the server would take the new object (`reconciler.md` 2.7, force).

Must not know how a plan is carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.errors import Problem, ProductError, UnavailableError
from reconciler.api_errors import ApiRefusedError, is_about_object
from reconciler.changes import Action, problem_of
from reconciler.diff import differs
from reconciler.objects import mapping_at
from reconciler.ownership import takeover_patch
from reconciler.plan import Intent, Live, Step
from reconciler.settled import is_settled

if TYPE_CHECKING:
    from reconciler.cluster import Cluster
    from reconciler.survey import Survey

AT_ONCE = 8
_TRIAL_NAME = "pilotfish-dry-run"
_TRIAL_NAMESPACE = "default"
Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One step and what the server says it would do.

    `result` is the object as it would be, `None` when the server could not say yet (`deferred`)
    or nothing is applied. `replaces` tells that it has to be deleted and made anew.
    """

    step: Step
    action: Action
    result: Live | None = field(default=None, repr=False)
    deferred: bool = False
    replaces: bool = False


async def check_steps(
    cluster: Cluster,
    survey: Survey,
    steps: Sequence[Step],
    *,
    in_stage: bool = False,
    advance: Advance | None = None,
) -> tuple[list[Checked], list[Problem]]:
    """Return what each step would do, in order, and every reason why one could not be done.

    With `in_stage`, what could not be asked about before is asked about now.

    Raises:
        UnavailableError: The server cannot be asked.
    """
    gate = asyncio.Semaphore(AT_ONCE)
    done = 0

    async def check(step: Step) -> Checked | Problem:
        nonlocal done
        async with gate:
            try:
                return await _check(cluster, survey, step, in_stage=in_stage)
            except ProductError as fault:
                if not is_about_object(fault):
                    raise
                return problem_of(step.identity, fault.what, _hint(fault, step))
            finally:
                done += 1
                if advance is not None:
                    advance(done, len(steps))

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(check(step)) for step in steps]
    except ExceptionGroup as several:
        raise several.exceptions[0] from several
    results = [task.result() for task in tasks]
    return (
        [one for one in results if isinstance(one, Checked)],
        [one for one in results if isinstance(one, Problem)],
    )


async def _check(cluster: Cluster, survey: Survey, step: Step, *, in_stage: bool) -> Checked:
    if step.intent is Intent.SKIP:
        return Checked(step=step, action=Action.SKIPPED, result=step.live)
    desired, live = step.desired.content, step.live
    if live is not None and mapping_at(live, "metadata").get("deletionTimestamp"):
        # The server would take an apply, and the object would go all the same (E12).
        return Checked(step=step, action=Action.CONFIGURED, deferred=True)
    hands_over = live is not None and step.takes_over and bool(takeover_patch(live))
    if live is not None and not hands_over and is_settled(desired, live):
        return Checked(step=step, action=Action.UNCHANGED, result=live)
    if survey.is_deferred(step.desired) and not in_stage:
        await _try_elsewhere(cluster, survey, step)
        return Checked(step=step, action=Action.CREATED, deferred=True)
    resource = survey.resource_of(step.desired)
    try:
        answer = await cluster.apply(resource, desired, dry_run=True)
    except ApiRefusedError as fault:
        if live is None or not step.may_replace or not fault.immutable:
            raise
        await cluster.create_dry(resource, _renamed(desired))
        return Checked(step=step, action=Action.CONFIGURED, result=desired, replaces=True)
    if live is None:
        return Checked(step=step, action=Action.CREATED, result=answer.content)
    changed = hands_over or differs(answer.content, live)
    action = Action.CONFIGURED if changed else Action.UNCHANGED
    return Checked(step=step, action=action, result=answer.content)


async def _try_elsewhere(cluster: Cluster, survey: Survey, step: Step) -> None:
    """Have the server judge an object whose namespace is not there yet, under another name.

    Only a judgement about the object itself counts: rights and limits are those of the
    namespace.

    Raises:
        ApiRefusedError: The object is wrong wherever it stands.
    """
    one = step.desired
    if (one.identity.group, one.identity.kind) in survey.defined_here:
        return
    content = _renamed(one.content)
    content["metadata"]["namespace"] = _TRIAL_NAMESPACE
    try:
        await cluster.create_dry(survey.resource_of(one), content)
    except ApiRefusedError:
        raise
    except UnavailableError:
        raise
    except ProductError:
        return


def _renamed(content: Live) -> dict[str, Any]:
    metadata = {**content["metadata"], "name": _TRIAL_NAME}
    return {**content, "metadata": metadata}


def _hint(fault: ProductError, step: Step) -> str:
    if isinstance(fault, ApiRefusedError) and fault.immutable and not step.may_replace:
        return "This field can never change: make the object anew with --force, or rename it"
    return fault.hint
