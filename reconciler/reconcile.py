"""One pass over one set: look, plan, ask the server about everything, apply, prune, wait.

Nothing is written unless the server would take the whole set and none of it is another owner's;
nothing is deleted unless everything was applied (`reconciler.md` 2.7, 2.8; I13).

Must not know what starts a pass, or where its objects came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.errors import ConfigError, Problem, RefusedError, Severity
from reconciler.apply import ChangeSet, Hand
from reconciler.changes import Action, ObjectChange, Outcome, Verdict, problem_of, worst
from reconciler.diff import difference
from reconciler.dry_run import Checked, check_steps
from reconciler.health import JobRule, health_of
from reconciler.inventory import Entry, Inventory
from reconciler.inventory_store import Stored, read_stored
from reconciler.objects import Identity, KubernetesObject, labels_of
from reconciler.ownership import PREFIX, Claim, Owner, claim_on, is_made_by_us
from reconciler.plan import ApplyPlan, Live, PrunePlan, plan_apply, plan_prune
from reconciler.survey import Survey, survey
from reconciler.waiting import Awaited, wait_for_health

if TYPE_CHECKING:
    from datetime import datetime

    from bot.clock import Clock
    from reconciler.cluster import Cluster

_DEFAULT_TIMEOUT_S = 300.0
_LONGEST_NAME = 50
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one pass is asked to do.

    `objects` is the whole set as it was built. `owner` names its inventory, whose namespace is
    also given to namespaced objects that have none. With `dry_run` nothing is written, and the
    outcome tells every difference; then the owner may have no name: the one that the objects in
    the cluster carry is taken, or they are compared without. `timeout_s` bounds the waiting for
    health, in seconds.
    """

    owner: Owner
    objects: Sequence[KubernetesObject] = field(repr=False)
    prune: bool = False
    wait: bool = False
    timeout_s: float = _DEFAULT_TIMEOUT_S
    force: bool = False
    dry_run: bool = False


async def reconcile(
    cluster: Cluster, wish: Wish, *, clock: Clock, progress: Progress | None = None
) -> Outcome:
    """Bring the cluster to what `wish` says and tell how it ended.

    What is wrong with objects, or what failed for some of them, is in the outcome's problems.
    `progress` is called with a word, how many are done and how many there are.

    Raises:
        ProductError: Nothing was written: the cluster, the inventory or the set cannot be read.
    """
    before = cluster.requests
    if not wish.objects:
        raise RefusedError(
            "there is no object in the set",
            where=str(wish.owner),
            hint="Check the path; nothing was deleted",
        )
    stored = await _read_inventory(cluster, wish)
    found = await survey(
        cluster, wish.objects, namespace=wish.owner.namespace, entries=stored.inventory
    )
    plan = _planned(wish, stored, found)
    checked, problems = await check_steps(
        cluster, found, list(plan.steps), advance=_named(progress, "asking")
    )
    problems = [*found.problems, *_refusals(plan), *problems]
    problems += await _home_missing(cluster, found, stored, wish)
    if problems or wish.dry_run:
        outcome = _foreseen(wish, found, stored, checked, intended=plan.intended, now=clock.now())
        shown = outcome.changes if wish.dry_run else ()
        outcome = replace(outcome, changes=shown, problems=tuple(problems))
        return replace(outcome, requests=cluster.requests - before)
    done = ChangeSet(stored=stored)
    hand = Hand(
        cluster=cluster,
        clock=clock,
        survey=found,
        owner=wish.owner,
        advance=_named(progress, "applying"),
    )
    await hand.apply_all(plan, checked, done)
    if wish.prune and not done.failed:
        await hand.prune(done)
    awaited = _awaited(found, checked, done)
    verdicts: list[Verdict] = []
    if wish.wait and not done.failed:
        verdicts = await wait_for_health(
            cluster,
            awaited,
            clock=clock,
            timeout_s=wish.timeout_s,
            advance=_named(progress, "waiting"),
        )
    outcome = _ended(wish, plan, done, awaited, verdicts, clock=clock)
    return replace(outcome, requests=cluster.requests - before)


def _planned(wish: Wish, stored: Stored, found: Survey) -> ApplyPlan:
    owner = wish.owner if wish.owner.name else owner_in(found.live.values()) or wish.owner
    inventory = _with_own_home(stored, found, owner)
    plan = plan_apply(found.desired, found.live, inventory, owner, force=wish.force)
    if owner.name:
        return plan
    bare = {one.identity: one for one in found.desired}
    stages = tuple(
        replace(
            stage,
            steps=tuple(replace(step, desired=bare[step.identity]) for step in stage.steps),
        )
        for stage in plan.stages
    )
    return replace(plan, stages=stages)


async def _read_inventory(cluster: Cluster, wish: Wish) -> Stored:
    if not wish.owner.name:
        return Stored(inventory=Inventory(), holders={})
    stored = await read_stored(cluster, wish.owner)
    if stored.lost is not None and wish.prune:
        raise stored.lost
    return stored


def _with_own_home(stored: Stored, found: Survey, owner: Owner) -> Inventory:
    """Return the inventory, with its own namespace if we made that before we could write it.

    Likewise, when the inventory was lost, everything found that is surely ours.
    """
    home = Identity(namespace="", name=owner.namespace, group="", kind="Namespace")
    candidates = [home] if stored.lost is None else [one.identity for one in found.desired]
    ours = [
        Entry(identity=identity, version="v1" if identity == home else "")
        for identity in candidates
        if identity not in stored.inventory
        and (live := found.live.get(identity)) is not None
        and claim_on(live, owner).claim is Claim.OURS
        and is_made_by_us(live)
    ]
    return stored.inventory.union(ours)


def _refusals(plan: ApplyPlan) -> list[Problem]:
    return [
        problem_of(
            one.identity,
            f"it belongs to {one.who}",
            "Take it out of one of the two, or remove the other owner's labels first",
        )
        for one in plan.refusals
    ]


async def _home_missing(
    cluster: Cluster, found: Survey, stored: Stored, wish: Wish
) -> list[Problem]:
    """Return a problem when the inventory would have no namespace to lie in."""
    name = wish.owner.namespace
    if stored.holders or not wish.owner.name or name in found.made_here:
        return []
    resource = await cluster.resource("", "Namespace", "v1")
    if resource is None or await cluster.get(resource, "", name) is not None:
        return []
    home = Identity(namespace="", name=name, group="", kind="Namespace")
    return [
        problem_of(
            home,
            "there is no such namespace, and the inventory is kept in it",
            "Make it, add it to the set, or name another with --namespace",
        )
    ]


def _foreseen(
    wish: Wish,
    found: Survey,
    stored: Stored,
    checked: Sequence[Checked],
    *,
    intended: Inventory,
    now: datetime,
) -> Outcome:
    """Return what would be done, with every difference."""
    changes = [
        ObjectChange(identity=one.step.identity, action=one.action, reason=one.step.reason)
        for one in checked
    ]
    differences = [
        difference(
            one.step.live, one.result if one.result is not None else one.step.desired.content
        )
        for one in checked
        if one.action in {Action.CREATED, Action.CONFIGURED}
    ]
    if wish.prune:
        prunes = _prunes(wish, found, intended)
        for prune in prunes.prunes:
            changes.append(ObjectChange(identity=prune.identity, action=Action.DELETED))
            differences.append(difference(found.live[prune.identity], None))
        changes += [
            ObjectChange(identity=kept.identity, action=Action.SKIPPED, reason=kept.reason)
            for kept in prunes.kept
        ]
    states = [
        health_of(one.step.live, now=now, jobs=JobRule.COMPLETION).status
        for one in checked
        if one.action is not Action.SKIPPED
    ]
    return Outcome(
        owner=wish.owner,
        changes=tuple(changes),
        problems=(),
        health=worst(states),
        inventory=len(stored.inventory),
        differences=tuple(differences),
    )


def _prunes(wish: Wish, found: Survey, inventory: Inventory) -> PrunePlan:
    known = Inventory(
        entry
        for entry in inventory
        if (entry.identity.group, entry.identity.kind) not in found.unknown
    )
    wanted = [one.identity for one in found.desired]
    return plan_prune(known, wanted, found.live, wish.owner, complete=True)


def _awaited(found: Survey, checked: Sequence[Checked], done: ChangeSet) -> list[Awaited]:
    """Return what has to become healthy: all of the set but what is left alone."""
    return [
        Awaited(resource=found.resource_of(one.step.desired), live=done.live[one.step.identity])
        for one in checked
        if one.action is not Action.SKIPPED and one.step.identity in done.live
    ]


def _ended(
    wish: Wish,
    plan: ApplyPlan,
    done: ChangeSet,
    awaited: Sequence[Awaited],
    verdicts: Sequence[Verdict],
    *,
    clock: Clock,
) -> Outcome:
    order = {step.identity: place for place, step in enumerate(plan.steps)}
    changes = sorted(done.changes.values(), key=lambda one: order.get(one.identity, len(order)))
    if wish.wait and not done.failed:
        states = [one.health.status for one in verdicts]
    else:
        now = clock.now()
        states = [health_of(one.live, now=now, jobs=JobRule.COMPLETION).status for one in awaited]
    unhealthy = [
        Problem(
            severity=Severity.ERROR,
            message=str(one),
            file=str(one.identity),
            hint=f"Not healthy within {wish.timeout_s:g} s" if not one.health.is_failed else "",
        )
        for one in verdicts
    ]
    return Outcome(
        owner=wish.owner,
        changes=tuple(changes),
        problems=(*done.problems, *unhealthy),
        health=worst(states),
        inventory=len(done.stored.inventory),
        verdicts=tuple(verdicts),
        wrote=done.wrote,
        waited=wish.wait,
    )


def _named(progress: Progress | None, word: str) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    told = progress
    return lambda done, total: told(word, done, total)


def check_owner(name: str, namespace: str) -> Owner:
    """Return the owner that a name and a namespace make, fit for labels and object names.

    Raises:
        ConfigError: One of them cannot be used so.
    """
    for what, value in (("name", name), ("namespace", namespace)):
        allowed = value.replace("-", "").replace("." if what == "name" else "-", "")
        fits = len(value) <= _LONGEST_NAME and allowed.isascii() and allowed.isalnum()
        if not fits or value != value.lower() or not (value[0].isalnum() and value[-1].isalnum()):
            raise ConfigError(
                f"{value!r} cannot be the {what} of a set",
                where=f"--{what}",
                hint="Lower-case letters, digits and hyphens, at most 50 of them",
            )
    return Owner(name=name, namespace=namespace)


def owner_in(live: Iterable[Live]) -> Owner | None:
    """Return the one set whose labels objects carry; `None` when there is none, or several."""
    found = {
        (labels.get(f"{PREFIX}name", ""), labels.get(f"{PREFIX}namespace", ""))
        for labels in map(labels_of, live)
        if f"{PREFIX}name" in labels
    }
    if len(found) != 1:
        return None
    name, namespace = found.pop()
    return Owner(name=name, namespace=namespace)
