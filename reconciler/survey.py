"""What is there before anything is done: how each kind is served, and every object in question.

One list a kind. Where the rights end at a namespace, a kind is listed namespace by namespace. Kinds
that the set itself defines are taken from its definitions until the server knows them. A reading
that fails ends the pass: what could not be read is never taken for gone (FK1, FK3, FK6, I13 of
`reliability-security.md`).

Must not know what will be done about it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from reconciler.api_errors import GoneError, NoRightError
from reconciler.changes import problem_of
from reconciler.discovery import Resource
from reconciler.normalisation import normalised
from reconciler.objects import (
    Identity,
    KubernetesObject,
    mapping_at,
    refuse_duplicates,
    with_namespace,
)
from reconciler.plan import by_identity

if TYPE_CHECKING:
    from bot.errors import Problem
    from reconciler.cluster import Cluster
    from reconciler.inventory import Entry

_DEFINITION = ("apiextensions.k8s.io", "CustomResourceDefinition")
_LISTS_AT_ONCE = 6
Kind = tuple[str, str]
Live = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a pass begins with.

    `desired` is ready to be sent, each namespaced object with its namespace. `live` holds what
    exists of it and of the inventory. `defined_here` are kinds that only the set itself knows,
    `made_here` namespaces that it makes. `unknown` are kinds of the inventory that the server
    does not serve.
    """

    desired: tuple[KubernetesObject, ...]
    live: Mapping[Identity, Live] = field(repr=False)
    resources: Mapping[tuple[str, str, str], Resource] = field(repr=False)
    defined_here: frozenset[Kind]
    made_here: frozenset[str]
    unknown: frozenset[Kind]
    problems: tuple[Problem, ...]

    def resource_of(self, one: KubernetesObject) -> Resource:
        """Return how a desired object's kind is served."""
        return self.resources[one.identity.group, one.identity.kind, one.version]

    def served(self, identity: Identity) -> Resource | None:
        """Return how an object's kind is served, in whatever version."""
        kind = (identity.group, identity.kind)
        return next((one for key, one in self.resources.items() if key[:2] == kind), None)

    def is_deferred(self, one: KubernetesObject) -> bool:
        """Return whether the server can look at it only once other objects of the set are there."""
        kind = (one.identity.group, one.identity.kind)
        return kind in self.defined_here or one.identity.namespace in self.made_here


async def survey(
    cluster: Cluster,
    objects: Sequence[KubernetesObject],
    *,
    namespace: str,
    entries: Iterable[Entry] = (),
) -> Survey:
    """Look at everything that a pass over `objects` needs to know.

    `namespace` is given to namespaced objects that have none, `entries` are those of the
    inventory.

    Raises:
        InvalidObjectError: An object stands twice once namespaces are filled in.
        UnavailableError, AccessError: Something could not be read.
    """
    defined = dict(_definitions(objects))
    resources: dict[tuple[str, str, str], Resource] = {}
    desired: list[KubernetesObject] = []
    problems: list[Problem] = []
    for one in objects:
        resource = await _resource_of(cluster, one, defined)
        if resource is None:
            problems.append(_unknown_kind(one))
            continue
        resources[one.identity.group, one.identity.kind, one.version] = resource
        desired.append(normalised(_placed(one, resource, namespace)))
    refuse_duplicates(desired)
    served = {key[:2] for key in resources}
    left = [one for one in entries if (one.identity.group, one.identity.kind) not in served]
    unknown: set[Kind] = set()
    for kind in {(one.identity.group, one.identity.kind) for one in left}:
        resource = await cluster.resource(*kind)
        if resource is None:
            unknown.add(kind)
        else:
            resources[resource.group, resource.kind, resource.version] = resource
    known = [*(one.identity for one in desired), *(one.identity for one in entries)]
    live, absent = await _read_live(cluster, resources.values(), known)
    vanished = absent - defined.keys()
    problems += [
        _unknown_kind(one) for one in desired if (one.identity.group, one.identity.kind) in vanished
    ]
    there = {one.name for one in live if (one.group, one.kind) == ("", "Namespace")}
    return Survey(
        desired=tuple(desired),
        live=live,
        resources=resources,
        defined_here=frozenset(kind for kind in defined if kind in absent),
        made_here=frozenset(
            one.identity.name
            for one in desired
            if (one.identity.group, one.identity.kind) == ("", "Namespace")
        )
        - there,
        unknown=frozenset(unknown | vanished),
        problems=tuple(problems),
    )


async def _resource_of(
    cluster: Cluster, one: KubernetesObject, defined: Mapping[Kind, Sequence[Resource]]
) -> Resource | None:
    """Return how a kind is served, by the server or else by a definition of the set."""
    kind = (one.identity.group, one.identity.kind)
    mine = next((each for each in defined.get(kind, ()) if each.version == one.version), None)
    return await cluster.resource(*kind, one.version) or mine


def _definitions(objects: Iterable[KubernetesObject]) -> Iterable[tuple[Kind, list[Resource]]]:
    for one in objects:
        if (one.identity.group, one.identity.kind) != _DEFINITION:
            continue
        spec, names = mapping_at(one.content, "spec"), mapping_at(one.content, "spec", "names")
        kind = (str(spec.get("group", "")), str(names.get("kind", "")))
        versions = spec.get("versions")
        yield (
            kind,
            [
                Resource(
                    group=kind[0],
                    version=str(each.get("name", "")),
                    kind=kind[1],
                    plural=str(names.get("plural", "")),
                    namespaced=spec.get("scope") != "Cluster",
                    verbs=frozenset(),
                )
                for each in (versions if isinstance(versions, list) else ())
                if isinstance(each, Mapping) and each.get("served") is True
            ],
        )


def _placed(one: KubernetesObject, resource: Resource, namespace: str) -> KubernetesObject:
    """Return `one` with a namespace if its kind has them, without if not."""
    if resource.namespaced:
        return with_namespace(one, namespace)
    if not one.identity.namespace:
        return one
    metadata = {key: value for key, value in one.content["metadata"].items() if key != "namespace"}
    return replace(
        one,
        identity=replace(one.identity, namespace=""),
        content={**one.content, "metadata": metadata},
    )


def _unknown_kind(one: KubernetesObject) -> Problem:
    return problem_of(
        one.identity,
        f"the cluster has no kind {one.identity.kind} in {one.api_version}",
        "Install its definition first, or add it to the set; check the spelling",
    )


async def _read_live(
    cluster: Cluster, resources: Collection[Resource], known: Sequence[Identity]
) -> tuple[dict[Identity, Live], set[Kind]]:
    """Return what exists of `known`, and the kinds that the server does not have yet."""
    gate = asyncio.Semaphore(_LISTS_AT_ONCE)
    absent: set[Kind] = set()
    wanted = frozenset(known)
    found: dict[Identity, Live] = {}

    async def read(resource: Resource) -> None:
        kind = (resource.group, resource.kind)
        if not resource.verbs:  # of a definition in the set
            absent.add(kind)
            return
        spaces = sorted({one.namespace for one in wanted if (one.group, one.kind) == kind})
        async with gate:
            try:
                objects = await _list(cluster, resource, spaces)
            except GoneError:
                cluster.forget_kinds()
                absent.add(kind)
                return
        held = by_identity(objects)
        found.update({identity: held[identity] for identity in wanted & held.keys()})

    try:
        async with asyncio.TaskGroup() as group:
            for resource in resources:
                group.create_task(read(resource))
    except ExceptionGroup as several:
        raise several.exceptions[0] from several
    return found, absent


async def _list(cluster: Cluster, resource: Resource, spaces: list[str]) -> list[dict[str, Any]]:
    if len(spaces) == 1:
        return (await cluster.list_objects(resource, spaces[0])).objects
    try:
        return (await cluster.list_objects(resource)).objects
    except NoRightError:
        if not resource.namespaced:
            raise
    objects: list[dict[str, Any]] = []
    for space in spaces:
        objects += (await cluster.list_objects(resource, space)).objects
    return objects
