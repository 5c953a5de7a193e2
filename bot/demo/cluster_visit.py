"""The demo's stay in a cluster: a namespace of its own, and its removal whatever happens.

All that the demo applies is in that namespace, and the namespace itself is one of the objects
applied, so it carries the labels of the demo's set. Only a namespace with those labels is ever
deleted.

Must not know the story.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import ConflictError
from reconciler.api_errors import ChangedError
from reconciler.connection import open_cluster
from reconciler.objects import Identity, labels_of, mapping_at
from reconciler.ownership import Owner

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager
    from typing import Any

    from bot.clock import Clock
    from bot.demo.kubeconfig import ClusterAddress
    from reconciler.cluster import Cluster
    from reconciler.discovery import Resource

SET = "demo"
_PREFIX = "pilotfish-demo-"
_RANDOM_BYTES = 5  # so that no namespace of anybody's can have that name
_PATIENCE_S = 15.0
_DELETE_TRIES = 10  # its state moves on while the cluster's controllers fill it
_WAIT_S = 60.0  # until the namespace is gone; controllers of a busy cluster take some seconds
_PAUSE_S = 0.25


@dataclass(slots=True, kw_only=True)
class Visit:
    """Where the demo goes; `begun` as soon as a command was started that may change the cluster.

    `kubeconfig` is set when the person named a file, so that the commands name it as well.
    """

    address: ClusterAddress
    namespace: str
    kubeconfig: str = ""
    begun: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """Return the options that a command needs to speak of this place."""
        named = ("--kubeconfig", self.kubeconfig) if self.kubeconfig else ()
        return ("--namespace", self.namespace, *named, "--context", self.address.context)

    def environment(self, theirs: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of commands that speak to the cluster.

        It is the person's, for log-in programs need it; places and colours are the demo's.
        """
        kept = {name: value for name, value in theirs.items() if name not in _SHOWN}
        wanted = {name: ours[name] for name in (*_PLACES, *_SHOWN) if name in ours}
        return {**kept, **wanted, "KUBECONFIG": self.address.files}


_PLACES = ("TMPDIR", "PILOTFISH_CACHE")
_SHOWN = ("COLUMNS", "TERM", "FORCE_COLOR", "NO_COLOR")


def plan_visit(address: ClusterAddress, *, kubeconfig: Path | None) -> Visit:
    """Return a visit to a namespace that nobody has."""
    return Visit(
        address=address,
        namespace=_PREFIX + secrets.token_hex(_RANDOM_BYTES),
        kubeconfig=str(kubeconfig.expanduser().absolute()) if kubeconfig else "",
    )


async def take_away(visit: Visit, *, clock: Clock) -> bool:
    """Delete the namespace and wait; return whether it is gone, `False` when it is ending still.

    When cancelled, the deletion is still asked for; only the waiting stops.

    Raises:
        ConflictError: It is not the demo's, and was left alone.
        ProductError: The cluster did not do it.
    """
    deleting = asyncio.ensure_future(_delete(visit, clock))
    try:
        await asyncio.shield(deleting)
        return await _wait_until_gone(visit, clock)
    except asyncio.CancelledError:
        await deleting
        return False


def _open(visit: Visit, clock: Clock) -> AbstractAsyncContextManager[Cluster]:
    return open_cluster(
        clock=clock,
        kubeconfig=Path(visit.address.files),
        context=visit.address.context,
        patience_s=_PATIENCE_S,
    )


async def _delete(visit: Visit, clock: Clock) -> None:
    async with _open(visit, clock) as cluster:
        for _ in range(_DELETE_TRIES - 1):
            with suppress(ChangedError):
                await _delete_as_it_is(visit, cluster)
                return
        await _delete_as_it_is(visit, cluster)


async def _delete_as_it_is(visit: Visit, cluster: Cluster) -> None:
    identity = Identity(namespace="", name=visit.namespace, group="", kind="Namespace")
    resource = await _namespaces(cluster)
    found = await cluster.get(resource, "", visit.namespace)
    if found is None or _is_ending(found):
        return
    ours = Owner(name=SET, namespace=visit.namespace).labels.items()
    if not ours <= labels_of(found).items():
        raise ConflictError(
            "this namespace does not carry the demo's labels; it was left alone",
            where=visit.namespace,
            hint="Look at it, and delete it yourself if it is not needed",
        )
    metadata = found["metadata"]
    version = metadata["resourceVersion"]
    await cluster.delete(resource, identity, uid=metadata["uid"], resource_version=version)


async def _namespaces(cluster: Cluster) -> Resource:
    found = await cluster.resource("", "Namespace")
    if found is None:
        raise ConflictError(
            "this server has no namespaces", where=cluster.host, hint="Check the kubeconfig"
        )
    return found


def _is_ending(found: Mapping[str, Any]) -> bool:
    return "deletionTimestamp" in mapping_at(found, "metadata")


async def _wait_until_gone(visit: Visit, clock: Clock) -> bool:
    deadline = clock.monotonic_s() + _WAIT_S
    async with _open(visit, clock) as cluster:
        resource = await _namespaces(cluster)
        while await cluster.get(resource, "", visit.namespace) is not None:
            if clock.monotonic_s() > deadline:
                return False
            await clock.sleep(_PAUSE_S)
    return True
