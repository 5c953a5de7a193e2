"""The inventory of a set: what it has applied, whom it made, and what is no longer wanted.

An entry is written before the object is (the intent), and taken out only once the object is known
to be gone: at every moment the inventory holds everything that we made and that lives
(`reliability-security.md` FK13, I14). Each entry says how the object came to us, because only what
we made ourselves may ever be deleted (I12, FK20).

On the cluster it lies in shards. An entry's shard follows from its id alone, and every shard can
be read by itself: whatever mixture of old and new shards a crash leaves, together they hold each
entry that either inventory held in the shards that were written.

Must not know deleting.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from bot.errors import RefusedError
from reconciler.objects import Identity, parse_id

MAX_SHARD_BYTES = 640 * 1024  # in Base64 still below the 1 MiB of a ConfigMap or Secret
_COMPRESSED_ABOVE = 5_000  # entries
_FORMAT = 1
_MAX_INFLATED_BYTES = 64 * 1024 * 1024
_ZLIB_START = b"x"


class Origin(Enum):
    """How an object came into the inventory.

    `INTENDED`: we were about to create it; whether it is there is not known. `CREATED`: our apply
    made it. `ADOPTED`: it was there before us; it is never deleted.
    """

    INTENDED = "intended"
    CREATED = "created"
    ADOPTED = "adopted"


_STRENGTH = {Origin.INTENDED: 0, Origin.CREATED: 1, Origin.ADOPTED: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One object of the inventory; `uid` is empty until the server has told it."""

    identity: Identity
    version: str
    uid: str = ""
    origin: Origin = Origin.INTENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A part of an inventory as bytes; `name` is `<number of shards>-<which one>`."""

    name: str
    content: bytes = field(repr=False)


class LostInventoryError(RefusedError):
    """What was stored as an inventory cannot be read; nothing may be deleted by it."""


class Inventory:
    """A set of entries, one for each identity; never changed in place."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        held: dict[Identity, Entry] = {}
        for entry in entries:
            earlier = held.get(entry.identity)
            held[entry.identity] = entry if earlier is None else _stronger(earlier, entry)
        self._entries = dict(sorted(held.items()))

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, identity: object) -> bool:
        return identity in self._entries

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Inventory) and self._entries == other._entries

    def __hash__(self) -> int:
        return hash(tuple(self._entries))

    def __repr__(self) -> str:
        return f"Inventory({len(self)} entries)"

    def get(self, identity: Identity) -> Entry | None:
        """Return the entry of `identity`, `None` when it was never applied."""
        return self._entries.get(identity)

    def union(self, other: Iterable[Entry]) -> Inventory:
        """Return both together; of two entries for one object what is known better is kept.

        An entry with another uid replaces the older one: the object was made anew.
        """
        return Inventory([*self, *other])

    def replacing(self, entries: Iterable[Entry]) -> Inventory:
        """Return the inventory with `entries` in the place of those for the same objects."""
        held = {**self._entries, **{entry.identity: entry for entry in entries}}
        return Inventory(held.values())

    def without(self, identities: Iterable[Identity]) -> Inventory:
        """Return the inventory without those objects."""
        gone = frozenset(identities)
        return Inventory(entry for entry in self if entry.identity not in gone)

    def left_by(self, desired: Iterable[Identity]) -> tuple[Entry, ...]:
        """Return the entries that are desired no longer."""
        wanted = frozenset(desired)
        return tuple(entry for entry in self if entry.identity not in wanted)


def _stronger(earlier: Entry, later: Entry) -> Entry:
    if earlier.uid and later.uid and earlier.uid != later.uid:
        return later
    uid = later.uid or earlier.uid
    origin = max(earlier.origin, later.origin, key=_STRENGTH.__getitem__)
    return replace(later, uid=uid, origin=origin)


def print_shards(inventory: Inventory, *, max_bytes: int = MAX_SHARD_BYTES) -> tuple[Shard, ...]:
    """Return an inventory as shards of at most `max_bytes`, compressed beyond 5,000 entries.

    Their number is a power of two. Write all of them first, then delete those whose names are
    not among them.
    """
    count = 1
    while True:
        shards = _divided(inventory, count)
        if count > len(inventory) or all(len(one.content) <= max_bytes for one in shards):
            return shards
        count *= 2


def _divided(inventory: Inventory, count: int) -> tuple[Shard, ...]:
    parts: list[list[Entry]] = [[] for _ in range(count)]
    for entry in inventory:
        digest = hashlib.sha256(entry.identity.id.encode()).digest()
        parts[int.from_bytes(digest[:4], "big") % count].append(entry)
    compressed = len(inventory) > _COMPRESSED_ABOVE
    return tuple(
        Shard(name=f"{count}-{index}", content=_print(part, compressed=compressed))
        for index, part in enumerate(parts)
    )


def _print(entries: list[Entry], *, compressed: bool) -> bytes:
    rows = [
        {"id": one.identity.id, "v": one.version, "uid": one.uid, "origin": one.origin.value}
        for one in entries
    ]
    text = json.dumps(
        {"inventory": _FORMAT, "count": len(rows), "entries": rows}, separators=(",", ":")
    ).encode()
    return zlib.compress(text, 6) if compressed else text


def parse_shards(shards: Iterable[Shard]) -> Inventory:
    """Return the inventory that shards hold together; without any, an empty one.

    Shards of two divisions may be mixed, as a crash leaves them.

    Raises:
        LostInventoryError: One cannot be read, or no division is complete.
    """
    entries: list[Entry] = []
    seen: dict[int, set[int]] = {}
    for shard in shards:
        count, index = _place_of(shard)
        seen.setdefault(count, set()).add(index)
        entries += _parse(shard)
    if seen and not any(len(indexes) == count for count, indexes in seen.items()):
        raise _lost("the inventory", "shards of it are missing")
    return Inventory(entries)


def _place_of(shard: Shard) -> tuple[int, int]:
    count, found, index = shard.name.partition("-")
    if not (found and count.isdecimal() and index.isdecimal() and int(index) < int(count)):
        raise _lost(shard.name, "this is no name of a shard")
    return int(count), int(index)


def _parse(shard: Shard) -> list[Entry]:
    try:
        return [_entry_of(row) for row in _rows(json.loads(_inflated(shard.content)))]
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as fault:
        raise _lost(shard.name, f"it cannot be read ({type(fault).__name__})") from fault


def _rows(held: Mapping[str, Any]) -> list[Mapping[str, str]]:
    rows: list[Mapping[str, str]] = held["entries"]
    if held["inventory"] != _FORMAT or held["count"] != len(rows):
        raise ValueError("another format, or rows are missing")
    return rows


def _entry_of(row: Mapping[str, str]) -> Entry:
    return Entry(
        identity=parse_id(row["id"]),
        version=row["v"],
        uid=row["uid"],
        origin=Origin(row["origin"]),
    )


def _inflated(content: bytes) -> bytes:
    if not content.startswith(_ZLIB_START):
        return content
    inflate = zlib.decompressobj()
    text = inflate.decompress(content, _MAX_INFLATED_BYTES)
    if not inflate.eof:
        raise ValueError("too large, or cut")
    return text


def _lost(where: str, what: str) -> LostInventoryError:
    return LostInventoryError(
        what,
        where=where,
        hint="Nothing is deleted. Apply once without --prune: what is there is counted again",
    )
