"""The inventory as it lies in the cluster: ConfigMaps beside the set, one a shard.

Each carries a label with the set's name, so that one list finds them all. A shard that says the
same is not written again; one that exists is written only if it is still as it was read, so two
passes over one set cannot overwrite each other. Shards of an older division go last
(`reliability-security.md` FK13, FK14).

Must not know what is applied or deleted.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.errors import ConflictError
from reconciler.api_errors import ChangedError
from reconciler.inventory import Inventory, LostInventoryError, Shard, parse_shards, print_shards
from reconciler.objects import Identity, annotations_of, mapping_at
from reconciler.ownership import PREFIX, Owner
from reconciler.plan import uid_of

if TYPE_CHECKING:
    from reconciler.cluster import Cluster
    from reconciler.discovery import Resource

_LABEL = f"{PREFIX}inventory"
_SHARD = f"{PREFIX}shard"
_KEY = "inventory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An inventory as it was read: its entries and the raw objects that hold it.

    `lost` is why it cannot be read; then it has no entries and nothing may be deleted by it.
    """

    inventory: Inventory
    holders: Mapping[str, Mapping[str, Any]] = field(repr=False)
    lost: LostInventoryError | None = None


class AnotherPassError(ConflictError):
    """Another pass over the same set is writing its inventory."""


async def read_stored(cluster: Cluster, owner: Owner) -> Stored:
    """Return the inventory of a set; an empty one where there is none yet."""
    listing = await cluster.list_objects(
        await _config_maps(cluster), owner.namespace, labelled=f"{_LABEL}={owner.name}"
    )
    holders = {str(annotations_of(one).get(_SHARD, "")): one for one in listing.objects}
    try:
        shards = [Shard(name=name, content=_content(one)) for name, one in holders.items()]
        return Stored(inventory=parse_shards(shards), holders=holders)
    except LostInventoryError as fault:
        return Stored(inventory=Inventory(), holders=holders, lost=fault)


async def write_stored(
    cluster: Cluster, owner: Owner, stored: Stored, inventory: Inventory
) -> Stored:
    """Make the cluster hold `inventory`, writing only what says something else.

    Raises:
        AnotherPassError: Someone else wrote it since it was read.
    """
    resource = await _config_maps(cluster)
    shards = print_shards(inventory)
    holders: dict[str, Mapping[str, Any]] = {}
    try:
        for shard in shards:
            held = stored.holders.get(shard.name)
            if held is not None and _content_or_none(held) == shard.content:
                holders[shard.name] = held
                continue
            holders[shard.name] = await _put(cluster, resource, owner, shard, held)
        for name, held in stored.holders.items():
            if name not in holders:
                await _delete(cluster, resource, held)
    except ChangedError as fault:
        raise AnotherPassError(
            "another pass is working on the same set",
            where=str(owner),
            hint="Let it end, then apply again",
        ) from fault
    return Stored(inventory=inventory, holders=holders)


async def _put(
    cluster: Cluster,
    resource: Resource,
    owner: Owner,
    shard: Shard,
    held: Mapping[str, Any] | None,
) -> Mapping[str, Any]:
    wanted = _holder(owner, shard, held)
    try:
        return (await cluster.apply(resource, wanted)).content
    except ChangedError:
        # A first try may have arrived though its answer was lost.
        found = await cluster.get(resource, owner.namespace, wanted["metadata"]["name"])
        if found is None or _content_or_none(found) != shard.content:
            raise
        return found


def _holder(owner: Owner, shard: Shard, held: Mapping[str, Any] | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": f"pilotfish-{owner.name}-{shard.name}",
        "namespace": owner.namespace,
        "labels": {_LABEL: owner.name},
        "annotations": {_SHARD: shard.name},
    }
    if held is not None:
        known = mapping_at(held, "metadata")
        metadata |= {key: known[key] for key in ("uid", "resourceVersion")}
        metadata["name"] = known["name"]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **_written(shard)}


def _written(shard: Shard) -> dict[str, dict[str, str]]:
    try:
        return {"data": {_KEY: shard.content.decode("ascii")}}
    except UnicodeDecodeError:
        return {"binaryData": {_KEY: base64.b64encode(shard.content).decode()}}


def _content_or_none(held: Mapping[str, Any]) -> bytes | None:
    try:
        return _content(held)
    except LostInventoryError:
        return None


def _content(held: Mapping[str, Any]) -> bytes:
    text = mapping_at(held, "data").get(_KEY)
    if isinstance(text, str):
        return text.encode()
    packed = mapping_at(held, "binaryData").get(_KEY)
    try:
        return base64.b64decode(packed, validate=True)  # type: ignore[arg-type]  # or it raises
    except (TypeError, ValueError) as fault:
        name = mapping_at(held, "metadata").get("name", "")
        raise LostInventoryError(
            "it holds no inventory",
            where=f"ConfigMap {name}",
            hint="Nothing is deleted. Apply once without --prune",
        ) from fault


async def _delete(cluster: Cluster, resource: Resource, held: Mapping[str, Any]) -> None:
    metadata = mapping_at(held, "metadata")
    identity = Identity(
        namespace=str(metadata["namespace"]), name=str(metadata["name"]), group="", kind="ConfigMap"
    )
    await cluster.delete(
        resource,
        identity,
        uid=uid_of(held),
        resource_version=str(metadata["resourceVersion"]),
    )


async def _config_maps(cluster: Cluster) -> Resource:
    found = await cluster.resource("", "ConfigMap", "v1")
    assert found is not None  # noqa: S101  # part of every API server
    return found
