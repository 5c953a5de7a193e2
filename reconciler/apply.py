"""Carries a checked plan out: stage by stage, rank by rank, and prunes when all went well.

Before the first apply the inventory holds everything that will be there (FK13); what an apply gave
is written after it, and only then is anything deleted. A stage with a failure is the last one. A
delete names uid and resource version; an object that changed since it was read is looked at again
and deleted only if it is still ours to delete (`reconciler.md` 2.7, 2.8; I12, I13).

Must not know where objects came from, or what is waited for.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.errors import Problem, ProductError, Severity, UnavailableError
from reconciler.api_errors import ChangedError, GoneError, is_about_object
from reconciler.changes import Action, ObjectChange, note_of, problem_of
from reconciler.dry_run import AT_ONCE, Checked, check_steps
from reconciler.health import conditions_of
from reconciler.inventory import Entry, Inventory
from reconciler.inventory_store import Stored, write_stored
from reconciler.objects import Identity, mapping_at
from reconciler.ownership import Owner, is_made_by_us, takeover_patch
from reconciler.plan import (
    ApplyPlan,
    Live,
    Prune,
    StageName,
    applied_entry,
    apply_order,
    plan_prune,
    uid_of,
)

if TYPE_CHECKING:
    from bot.clock import Clock
    from reconciler.cluster import Applied, Cluster
    from reconciler.survey import Survey

_USABLE_WITHIN_S = 60.0
_GONE_WITHIN_S = 60.0
_LOOK_AGAIN_S = 0.05
_TRIES = 3
_TO_DO = frozenset({Action.CREATED, Action.CONFIGURED})
_DEFINITION = "CustomResourceDefinition"


@dataclass(slots=True, kw_only=True)
class ChangeSet:
    """What has been done so far, kept as it is done so that a failure loses none of it.

    `live` holds each object as it is now; `stored` is the inventory as it lies in the cluster.
    """

    stored: Stored
    changes: dict[Identity, ObjectChange] = field(default_factory=dict)
    live: dict[Identity, Live] = field(default_factory=dict, repr=False)
    entries: dict[Identity, Entry] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    wrote: bool = False

    def note(self, identity: Identity, action: Action, reason: str = "") -> None:
        """Keep what became of one object."""
        self.changes[identity] = ObjectChange(identity=identity, action=action, reason=reason)

    @property
    def failed(self) -> bool:
        """Return whether something could not be done, so that nothing more may follow."""
        return any(one.severity is Severity.ERROR for one in self.problems)

    @property
    def inventory(self) -> Inventory:
        """Return the inventory as it should lie in the cluster now."""
        return self.stored.inventory.replacing(self.entries.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """What carries a plan out needs: the cluster, what was found in it, and who we are."""

    cluster: Cluster
    clock: Clock
    survey: Survey
    owner: Owner
    advance: Callable[[int, int], None] | None = None

    async def apply_all(self, plan: ApplyPlan, checked: Sequence[Checked], done: ChangeSet) -> None:
        """Apply what is to be applied; failures are kept in `done`.

        Raises:
            AnotherPassError: Someone else is writing this set's inventory.
        """
        left = {one.step.identity: one for one in checked}
        for one in checked:
            if one.action not in _TO_DO:
                done.note(one.step.identity, one.action, one.step.reason)
                if one.step.live is not None:
                    done.live[one.step.identity] = one.step.live
        await self._apply_home(left, done)
        await self._write(done, plan.intended)
        total = sum(one.action in _TO_DO for one in checked)
        try:
            for stage in plan.stages:
                todo = [left[step.identity] for step in stage.steps if step.identity in left]
                await self._apply_stage(todo, done, total)
                if done.failed:
                    break
                if stage.name is StageName.DEFINITIONS:
                    await self._wait_until_usable(todo, done)
        except UnavailableError as fault:
            done.problems.append(_stopped(fault))
        await self._write_or_tell(done, done.inventory)

    async def _apply_home(self, left: Mapping[Identity, Checked], done: ChangeSet) -> None:
        """Make the namespace that the inventory will lie in, when it is part of the set."""
        home = Identity(namespace="", name=self.owner.namespace, group="", kind="Namespace")
        one = left.get(home)
        if one is not None and one.step.is_new:
            await self._apply_one(one, done)

    async def _write(self, done: ChangeSet, inventory: Inventory) -> None:
        wanted = inventory.replacing(done.entries.values())
        if wanted == done.stored.inventory and done.stored.lost is None:
            return
        done.wrote = True
        done.stored = await write_stored(self.cluster, self.owner, done.stored, wanted)

    async def _write_or_tell(self, done: ChangeSet, inventory: Inventory) -> None:
        """Write what is known better now; that it could not be loses nothing."""
        try:
            await self._write(done, inventory)
        except UnavailableError as fault:
            if not done.failed:
                done.problems.append(_stopped(fault))

    async def _apply_stage(self, todo: Sequence[Checked], done: ChangeSet, total: int) -> None:
        todo = [
            one for one in todo if one.action in _TO_DO and one.step.identity not in done.changes
        ]
        todo = await self._ask_deferred(todo, done)
        if done.failed:
            return
        for _, rank in itertools.groupby(todo, lambda one: apply_order(one.step.identity)[0]):
            gate = asyncio.Semaphore(AT_ONCE)

            async def apply(one: Checked, gate: asyncio.Semaphore = gate) -> None:
                async with gate:
                    await self._apply_or_tell(one, done)
                if self.advance is not None:
                    self.advance(sum(c.action in _TO_DO for c in done.changes.values()), total)

            try:
                async with asyncio.TaskGroup() as group:
                    for one in rank:
                        group.create_task(apply(one))
            except ExceptionGroup as several:
                raise several.exceptions[0] from several

    async def _ask_deferred(self, todo: list[Checked], done: ChangeSet) -> list[Checked]:
        """Return the stage with an answer for what could not be asked about before."""
        waiting = [one for one in todo if one.deferred and one.step.is_new]
        if not waiting:
            return todo
        steps = [one.step for one in waiting]
        asked, problems = await check_steps(self.cluster, self.survey, steps, in_stage=True)
        done.problems += problems
        fresh = {one.step.identity: one for one in asked}
        return [fresh.get(one.step.identity, one) for one in todo]

    async def _apply_or_tell(self, one: Checked, done: ChangeSet) -> None:
        try:
            await self._apply_one(one, done)
        except ProductError as fault:
            if not is_about_object(fault):
                raise
            done.problems.append(problem_of(one.step.identity, fault.what, fault.hint))

    async def _apply_one(self, one: Checked, done: ChangeSet) -> None:
        step = one.step
        if step.live is not None and mapping_at(step.live, "metadata").get("deletionTimestamp"):
            holders = mapping_at(step.live, "metadata").get("finalizers") or []
            held = f", held by {', '.join(map(str, holders))}" if holders else ""
            done.problems.append(
                problem_of(
                    step.identity, f"it is being deleted{held}", "Apply again when it is gone"
                )
            )
            return
        resource = self.survey.resource_of(step.desired)
        done.wrote = True
        if one.replaces and step.live is not None:
            await self._remove(step.identity, step.live)
        elif step.live is not None and step.takes_over:
            await self._take_over(one)
        answer = await self.cluster.apply(resource, step.desired.content)
        done.live[step.identity] = answer.content
        done.entries[step.identity] = _entry(one, answer)
        done.note(step.identity, one.action)

    async def _take_over(self, one: Checked) -> None:
        """Make the fields that kubectl wrote ours, before we say what they shall be."""
        resource = self.survey.resource_of(one.step.desired)
        live = one.step.live
        for _ in range(_TRIES):
            patch = takeover_patch(live) if live is not None else []
            if not patch:
                return
            try:
                await self.cluster.patch_json(resource, one.step.identity, patch)
            except ChangedError:
                identity = one.step.identity
                live = await self.cluster.get(resource, identity.namespace, identity.name)
            else:
                return

    async def _remove(self, identity: Identity, live: Live) -> None:
        """Delete the very object that was looked at and wait until it is gone.

        Raises:
            ChangedError: It is another one by now.
            UnavailableError: It does not go.
        """
        resource = self.survey.served(identity)
        if resource is None:
            return
        uid, version = uid_of(live), str(mapping_at(live, "metadata").get("resourceVersion", ""))
        for attempt in range(_TRIES):
            try:
                await self.cluster.delete(resource, identity, uid=uid, resource_version=version)
                break
            except ChangedError:
                found = await self.cluster.get(resource, identity.namespace, identity.name)
                if found is None or uid_of(found) != uid or attempt == _TRIES - 1:
                    raise
                version = str(mapping_at(found, "metadata").get("resourceVersion", ""))
        deadline = self.clock.monotonic_s() + _GONE_WITHIN_S
        while True:
            found = await self.cluster.get(resource, identity.namespace, identity.name)
            if found is None or uid_of(found) != uid:
                return
            if self.clock.monotonic_s() > deadline:
                raise UnavailableError(
                    f"{identity} does not go", hint="Look at its finalizers, then apply again"
                )
            await self.clock.sleep(_LOOK_AGAIN_S)

    async def _wait_until_usable(self, todo: Sequence[Checked], done: ChangeSet) -> None:
        """Wait until the definitions that were applied are served."""
        made = [one.step.identity for one in todo if one.step.identity.kind == _DEFINITION]
        made = [one for one in made if one in done.entries]
        if not made:
            return
        deadline = self.clock.monotonic_s() + _USABLE_WITHIN_S
        for identity in made:
            resource = self.survey.served(identity)
            while resource is not None and not _is_established(done.live[identity]):
                if self.clock.monotonic_s() > deadline:
                    done.problems.append(problem_of(identity, "the server does not serve it yet"))
                    return
                await self.clock.sleep(_LOOK_AGAIN_S)
                found = await self.cluster.get(resource, "", identity.name)
                done.live[identity] = found if found is not None else done.live[identity]
        self.cluster.forget_kinds()
        await self._wait_until_served(deadline)

    async def _wait_until_served(self, deadline: float) -> None:
        """Wait until lists of the new kinds are answered; established is not yet served (E13)."""
        for resource in self.survey.resources.values():
            if (resource.group, resource.kind) not in self.survey.defined_here:
                continue
            while self.clock.monotonic_s() < deadline:
                try:
                    await self.cluster.list_objects(resource)
                except GoneError:
                    await self.clock.sleep(_LOOK_AGAIN_S)
                else:
                    break

    async def prune(self, done: ChangeSet) -> None:
        """Delete what is desired no longer, after a pass that was complete."""
        wanted = [one.identity for one in self.survey.desired]
        known = Inventory(
            entry
            for entry in done.stored.inventory
            if (entry.identity.group, entry.identity.kind) not in self.survey.unknown
        )
        plan = plan_prune(known, wanted, self.survey.live, self.owner, complete=True)
        gone = list(plan.forgotten)
        for entry in done.stored.inventory:
            if entry.identity not in known:
                done.note(entry.identity, Action.SKIPPED, "the server has no such kind now")
        for kept in plan.kept:
            done.note(kept.identity, Action.SKIPPED, kept.reason)
        try:
            for prune in plan.prunes:
                gone += [prune.identity] * await self._prune_or_tell(prune, done)
        except UnavailableError as fault:
            done.problems.append(_stopped(fault))
        done.entries = {one: entry for one, entry in done.entries.items() if one not in gone}
        await self._write_or_tell(done, done.inventory.without(gone))

    async def _prune_or_tell(self, prune: Prune, done: ChangeSet) -> bool:
        """Delete one object and return whether its entry may leave the inventory."""
        resource = self.survey.served(prune.identity)
        if resource is None:
            return False
        identity = prune.identity
        try:
            for _ in range(_TRIES):
                try:
                    done.wrote = True
                    await self.cluster.delete(
                        resource,
                        identity,
                        uid=prune.uid,
                        resource_version=prune.resource_version,
                    )
                except ChangedError:
                    found = await self.cluster.get(resource, identity.namespace, identity.name)
                    again = self._still_to_prune(identity, found, done)
                    if again is None:
                        return found is None
                    prune = again
                else:
                    done.note(identity, Action.DELETED)
                    return True
        except ProductError as fault:
            if not is_about_object(fault):
                raise
            done.problems.append(problem_of(identity, f"not deleted: {fault.what}", fault.hint))
            return False
        done.problems.append(
            problem_of(identity, "not deleted: it changes all the time", "Apply again")
        )
        return False

    def _still_to_prune(
        self, identity: Identity, found: Live | None, done: ChangeSet
    ) -> Prune | None:
        entry = done.stored.inventory.get(identity)
        if found is None or entry is None:
            return None
        wanted = [one.identity for one in self.survey.desired]
        plan = plan_prune(Inventory([entry]), wanted, {identity: found}, self.owner, complete=True)
        if plan.kept:
            done.problems.append(note_of(identity, f"kept: {plan.kept[0].reason}"))
        return plan.prunes[0] if plan.prunes else None


def _entry(one: Checked, answer: Applied) -> Entry:
    created = answer.created or (answer.repeated and is_made_by_us(answer.content))
    entry = applied_entry(one.step, answer.content, created=created)
    return replace(entry, uid=uid_of(answer.content))


def _is_established(definition: Live) -> bool:
    return any(
        one.get("type") == "Established" and one.get("status") == "True"
        for one in conditions_of(definition)
    )


def _stopped(fault: UnavailableError) -> Problem:
    return Problem(
        severity=Severity.ERROR,
        message=fault.what,
        file=fault.where,
        hint="What was applied is in the inventory; apply again when the server is back",
    )
