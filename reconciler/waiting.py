"""Waits until objects are healthy, by watching them, and says of those that are not why.

A list begins each watch and every new beginning of it, so nothing is missed when the server
forgets or restarts (FK1, FK2). Pods are watched along with what makes them: a container that fails
for good fails its workload at once (`reconciler.md` 2.9). The first failure ends the waiting, so
does the end of the time; then the newest warnings are read for the cause.

Must not know why anyone waits.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.errors import AccessError, ConflictError, ProductError, UnavailableError
from reconciler.causes import cause_of, offspring_of, with_pods
from reconciler.changes import Verdict
from reconciler.health import Health, JobRule, Status, health_of
from reconciler.objects import Identity, identity_of

if TYPE_CHECKING:
    from bot.clock import Clock
    from reconciler.cluster import Cluster
    from reconciler.discovery import Resource

_MAKERS = frozenset(
    {
        ("apps", "DaemonSet"),
        ("apps", "Deployment"),
        ("apps", "ReplicaSet"),
        ("apps", "StatefulSet"),
        ("batch", "Job"),
    }
)
_LOOK_EVERY_S = 1.0  # time alone changes some states: a pod that finds no node
_TOGETHER_S = 0.03
_AGAIN_S = 0.5
_DELETED = "DELETED"
Live = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """One object that has to become healthy: how its kind is served, and as it was applied."""

    resource: Resource
    live: Live = field(repr=False)

    @property
    def identity(self) -> Identity:
        """Return which object this is."""
        return identity_of(self.live)


@dataclass(slots=True, kw_only=True)
class _Sight:
    """What is seen at this moment: awaited objects and, beside them, pods and ReplicaSets."""

    objects: dict[Identity, Live | None]
    offspring: dict[tuple[str, str], dict[Identity, Live]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def below(self, live: Live) -> list[Live]:
        """Return the pods that an object made, directly or not."""
        identity = identity_of(live)
        seen = [
            one
            for (_, space), held in self.offspring.items()
            if space == identity.namespace
            for one in held.values()
        ]
        return [one for one in offspring_of(live, seen) if one.get("kind") == "Pod"]


async def wait_for_health(
    cluster: Cluster,
    awaited: Sequence[Awaited],
    *,
    clock: Clock,
    timeout_s: float,
    advance: Callable[[int, int], None] | None = None,
) -> list[Verdict]:
    """Wait until all are healthy, one has failed or time is up; return those that are not.

    Raises:
        AccessError: We may not read what we wait for.
    """
    wanted = {one.identity: one.live for one in awaited}
    sight = _Sight(objects=dict(wanted))

    def judge() -> dict[Identity, Health]:
        now = clock.now()
        return {
            identity: _judge(sight, live, wanted[identity], now)
            for identity, live in sight.objects.items()
        }

    first = judge()
    pending = [one for one in awaited if not first[one.identity].is_current]
    if not pending:
        return []
    settled = len(awaited) - len(pending)
    sight.objects = {one.identity: one.live for one in pending}
    states = {identity: first[identity] for identity in sight.objects}
    async with asyncio.TaskGroup() as group:
        followers = [
            group.create_task(_follow(cluster, sight, place, clock)) for place in _places(pending)
        ]
        for resource, space in await _offspring_places(cluster, pending):
            followers.append(
                group.create_task(_follow_offspring(cluster, sight, resource, space, clock))
            )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not _is_over(states := judge()):
                    if advance is not None:
                        current = sum(state.is_current for state in states.values())
                        advance(settled + current, len(awaited))
                    await _next_change(sight, clock)
        for follower in followers:
            follower.cancel()
    unhealthy = [identity for identity, state in states.items() if not state.is_current]
    return await _explained(cluster, sight, unhealthy, states)


def _is_over(states: Mapping[Identity, Health]) -> bool:
    return any(one.is_failed for one in states.values()) or all(
        one.is_current for one in states.values()
    )


def _judge(sight: _Sight, live: Live | None, desired: Live, now: Any) -> Health:
    health = health_of(live, now=now, jobs=JobRule.COMPLETION, desired=desired)
    if live is None or health.status is not Status.IN_PROGRESS:
        return health
    return with_pods(health, sight.below(live), now=now)


async def _next_change(sight: _Sight, clock: Clock) -> None:
    """Return soon after something changed, or when a second has gone by."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LOOK_EVERY_S):
            await sight.changed.wait()
            await clock.sleep(_TOGETHER_S)
    sight.changed.clear()


def _places(pending: Sequence[Awaited]) -> Iterator[tuple[Resource, str]]:
    """Yield each kind and namespace that has to be followed, once."""
    yield from {
        (one.resource, one.identity.namespace if one.resource.namespaced else ""): None
        for one in pending
    }


async def _offspring_places(
    cluster: Cluster, pending: Sequence[Awaited]
) -> list[tuple[Resource, str]]:
    spaces = {
        one.identity.namespace
        for one in pending
        if (one.identity.group, one.identity.kind) in _MAKERS
    }
    kinds = [await cluster.resource("apps", "ReplicaSet"), await cluster.resource("", "Pod")]
    return [(kind, space) for kind in kinds if kind is not None for space in sorted(spaces)]


async def _follow(
    cluster: Cluster, sight: _Sight, place: tuple[Resource, str], clock: Clock
) -> None:
    """Keep awaited objects of one kind and namespace as they are, for as long as it is asked."""
    resource, space = place
    mine = {
        identity
        for identity in sight.objects
        if (identity.group, identity.kind) == (resource.group, resource.kind)
        and (not space or identity.namespace == space)
    }

    def take(held: Mapping[Identity, Live]) -> None:
        sight.objects.update({identity: held.get(identity) for identity in mine})

    def put(identity: Identity, live: Live | None) -> None:
        if identity in mine:
            sight.objects[identity] = live

    await _keep_up(cluster, sight, resource, space, clock, take=take, put=put)


async def _follow_offspring(
    cluster: Cluster, sight: _Sight, resource: Resource, space: str, clock: Clock
) -> None:
    """Keep the pods or ReplicaSets of a namespace; without the right to, they are not told."""
    held: dict[Identity, Live] = {}
    sight.offspring[resource.kind, space] = held

    def take(found: Mapping[Identity, Live]) -> None:
        held.clear()
        held.update(found)

    def put(identity: Identity, live: Live | None) -> None:
        if live is None:
            held.pop(identity, None)
        else:
            held[identity] = live

    with contextlib.suppress(AccessError):
        await _keep_up(cluster, sight, resource, space, clock, take=take, put=put)


async def _keep_up(
    cluster: Cluster,
    sight: _Sight,
    resource: Resource,
    space: str,
    clock: Clock,
    *,
    take: Callable[[Mapping[Identity, Live]], None],
    put: Callable[[Identity, Live | None], None],
) -> None:
    """List, then watch; begin anew whenever the watch ends."""
    while True:
        with contextlib.suppress(UnavailableError, ConflictError):
            listing = await cluster.list_objects(resource, space)
            take({identity_of(one): one for one in listing.objects})
            sight.changed.set()
            if "watch" in resource.verbs or not resource.verbs:
                async for change in cluster.watch(resource, space, listing.resource_version):
                    gone = change.kind == _DELETED
                    put(identity_of(change.content), None if gone else change.content)
                    sight.changed.set()
        await clock.sleep(_AGAIN_S)


async def _explained(
    cluster: Cluster,
    sight: _Sight,
    unhealthy: Sequence[Identity],
    states: Mapping[Identity, Health],
) -> list[Verdict]:
    """Return a verdict on each, with the likeliest cause as far as events and pods tell it."""
    events: dict[str, list[dict[str, Any]]] = {}
    for space in {identity.namespace or "default" for identity in unhealthy}:
        events[space] = await _events(cluster, space)
    verdicts = []
    for identity in unhealthy:
        live = sight.objects[identity]
        cause = ""
        if live is not None:
            cause = cause_of(live, sight.below(live), events[identity.namespace or "default"])
        verdicts.append(Verdict(identity=identity, health=states[identity], cause=cause, live=live))
    return verdicts


async def _events(cluster: Cluster, space: str) -> list[dict[str, Any]]:
    resource = await cluster.resource("", "Event", "v1")
    if resource is None:
        return []
    try:
        return (await cluster.list_objects(resource, space)).objects
    except ProductError:
        return []  # the verdict stands without them
