"""Proves from a live object alone that applying a desired one would change nothing.

The server keeps which fields our last apply set, and so owns (`managedFields`). When those are the
very fields that are desired, and each holds the desired value, an apply has nothing to set and
nothing to take away. Whatever cannot be shown so simply (a number written in another way, another
version, a list in another order) counts as not settled and is put to the server: the proof may
fail, it is never wrong. It spares an unchanged object its dry run (`reconciler.md` 2.7, and the
target of one list a kind).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reconciler.objects import mapping_at
from reconciler.ownership import FIELD_MANAGER, writers_of

_ITSELF = "."
_FIELD, _KEY, _VALUE = "f:", "k:", "v:"
_UNOWNED = ("apiVersion", "kind")
_UNOWNED_METADATA = ("name", "namespace")
Fields = Mapping[str, Any]


def is_settled(desired: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Return whether `live` is surely what applying `desired` as `FIELD_MANAGER` gives."""
    if mapping_at(live, "metadata").get("deletionTimestamp"):
        return False
    ours = [
        one
        for one in writers_of(live)
        if one.name == FIELD_MANAGER and one.operation == "Apply" and not one.subresource
    ]
    if len(ours) != 1 or ours[0].api_version != desired.get("apiVersion"):
        return False
    said = {key: value for key, value in desired.items() if key not in _UNOWNED}
    metadata = mapping_at(desired, "metadata")
    owned = {key: value for key, value in metadata.items() if key not in _UNOWNED_METADATA}
    del said["metadata"]
    if owned:
        said["metadata"] = owned
    return _holds(said, ours[0].fields, live)


def _holds(desired: Any, owned: Fields, live: Any) -> bool:
    """Return whether we own exactly the fields of `desired`, and `live` holds their values."""
    if not owned:
        return _same(desired, live)
    if isinstance(desired, Mapping):
        return isinstance(live, Mapping) and _mapping_holds(desired, owned, live)
    if isinstance(desired, list):
        return isinstance(live, list) and _list_holds(desired, owned, live)
    return False


def _mapping_holds(desired: Fields, owned: Fields, live: Fields) -> bool:
    names = [key for key in owned if key != _ITSELF]
    if {f"{_FIELD}{key}" for key in desired} != set(names):
        return False
    return all(
        key in live and _holds(value, owned[f"{_FIELD}{key}"], live[key])
        for key, value in desired.items()
    )


def _list_holds(desired: list[Any], owned: Fields, live: list[Any]) -> bool:
    names = [key for key in owned if key != _ITSELF]
    if len(names) != len(desired):
        return False
    found = [_place(item, names, live) for item in desired]
    places = [place for _, place in found]
    if len({name for name, _ in found}) != len(desired) or places != sorted(places):
        return False
    return all(
        place >= 0 and _holds(item, owned[name], live[place])
        for item, (name, place) in zip(desired, found, strict=True)
    )


def _place(item: Any, names: list[str], live: list[Any]) -> tuple[str, int]:
    """Return the name under which we own `item`, and where `live` has it; -1 for nowhere."""
    for name in names:
        said = json.loads(name[2:]) if name.startswith((_KEY, _VALUE)) else None
        if said is None or not _is_meant(item, said, is_key=name.startswith(_KEY)):
            continue
        for place, each in enumerate(live):
            if _is_meant(each, said, is_key=name.startswith(_KEY)):
                return name, place
    return "", -1


def _is_meant(item: Any, said: Any, *, is_key: bool) -> bool:
    if not is_key:
        return _same(item, said)
    return isinstance(item, Mapping) and all(
        key in item and _same(item[key], value) for key, value in said.items()
    )


def _same(first: Any, second: Any) -> bool:
    """Return whether two values are the same JSON; true is not 1, 1 is not 1.0."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(
            _same(value, second[key]) for key, value in first.items()
        )
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_same, first, second))
    return type(first) is type(second) and bool(first == second)
