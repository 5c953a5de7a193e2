"""One desired object against one live object: what differs, told without secrets.

Drift is what the server's dry run changes in labels, annotations or anything outside `metadata`
and `status` (`reconciler.md` 2.7). What is compared are two answers of the server, so its defaults
are in both.

Values of Secrets are never shown, neither as they are nor as a digest: a short password is found
from its digest. That they differ is said (`reliability-security.md` M12).

Must not know fetching.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.objects import Identity, identity_of, mapping_at
from reconciler.ownership import LAST_APPLIED
from reconciler.yaml_stream import write_value

_SECRET = ("", "Secret")
_SCALER = ("autoscaling", "HorizontalPodAutoscaler")
_SECRET_FIELDS = ("data", "stringData")
_MASK = "***"
_BEFORE, _AFTER = "*** (before)", "*** (after)"
_CONTEXT_LINES = 3
_MAX_SHOWN = 120  # characters of one value in a line
Pair = tuple[dict[str, Any], dict[str, Any]]


class Missing:
    """Stands for a value that is not there; null is a value."""

    def __repr__(self) -> str:
        return "(nothing)"


MISSING = Missing()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field that differs; `path` as `spec.ports[0].port`, a secret's values masked.

    `before` or `after` is `MISSING` when the field is only on the other side.
    """

    path: str
    before: object
    after: object

    def __str__(self) -> str:
        """Return `path: before → after`, long values cut."""
        return f"{self.path}: {_shown(self.before)} → {_shown(self.after)}"

    def as_json(self) -> dict[str, object]:
        """Return the change with the sides it has."""
        sides = {"before": self.before, "after": self.after}
        return {"path": self.path} | {
            name: value for name, value in sides.items() if value is not MISSING
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDiff:
    """What differs in one object; `text` is a unified difference of its YAML."""

    identity: Identity
    changes: tuple[FieldChange, ...]
    text: str


def differs(desired: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Return whether the result of a dry run says something else than the live object."""
    return _compared(desired) != _compared(live)


def difference(live: Mapping[str, Any] | None, desired: Mapping[str, Any] | None) -> ObjectDiff:
    """Return what an apply changes: from `live` to the result of the dry run.

    `None` for `live` is an object that is made, `None` for `desired` one that is deleted.

    Raises:
        ValueError: Both are `None`.
    """
    known = desired if desired is not None else live
    if known is None:
        raise ValueError("nothing has no difference")
    identity = identity_of(known)
    before, after = _masked(
        _compared(live) if live is not None else {},
        _compared(desired) if desired is not None else {},
        is_secret=(identity.group, identity.kind) == _SECRET,
    )
    return ObjectDiff(
        identity=identity,
        changes=tuple(_changes("", before, after)),
        text=_unified(identity, before, after, made=live is None, gone=desired is None),
    )


def _compared(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what counts of an object: all but status and what the server keeps in metadata."""
    kept = {key: value for key, value in content.items() if key != "status"}
    metadata = mapping_at(content, "metadata")
    kept["metadata"] = {
        key: metadata[key]
        for key in ("annotations", "labels", "name", "namespace")
        if metadata.get(key)
    }
    identity = identity_of(content)
    if (identity.group, identity.kind) == _SCALER:
        _drop_repeated_metrics(kept)
    return kept


def _drop_repeated_metrics(content: dict[str, Any]) -> None:
    """Leave each metric once: old servers repeat those that are applied (kubernetes#74099)."""
    spec = mapping_at(content, "spec")
    metrics = spec.get("metrics")
    if isinstance(metrics, list):
        once = {json.dumps(one, sort_keys=True): one for one in metrics}
        content["spec"] = {**spec, "metrics": list(once.values())}


def _masked(before: dict[str, Any], after: dict[str, Any], *, is_secret: bool) -> Pair:
    if not is_secret:
        return before, after
    before, after = dict(before), dict(after)
    for key in _SECRET_FIELDS:
        _mask_under(before, after, key)
    held = [dict(mapping_at(one, "metadata")) for one in (before, after)]
    notes = [dict(mapping_at(one, "annotations")) for one in held]
    notes[0], notes[1] = _mask_values(notes[0], notes[1], only=LAST_APPLIED)
    for side, metadata, noted in zip((before, after), held, notes, strict=True):
        if noted:
            metadata["annotations"] = noted
        if metadata:
            side["metadata"] = metadata
    return before, after


def _mask_under(before: dict[str, Any], after: dict[str, Any], key: str) -> None:
    sides = before.get(key), after.get(key)
    if all(isinstance(one, Mapping) or one is None for one in sides):
        masked: tuple[Any, Any] = _mask_values(dict(sides[0] or {}), dict(sides[1] or {}))
    else:
        masked = (_MASK, _MASK) if sides[0] == sides[1] else (_BEFORE, _AFTER)
    for side, value in zip((before, after), masked, strict=True):
        if key in side:
            side[key] = value


def _mask_values(before: dict[str, Any], after: dict[str, Any], *, only: str = "") -> Pair:
    """Return both with their values masked, saying no more than which of them differ."""
    same = {key for key in before if key in after and before[key] == after[key]}
    both = before.keys() & after.keys()

    def masked(side: dict[str, Any], word: str) -> dict[str, Any]:
        return {
            key: value
            if only and key != only
            else (word if key in both and key not in same else _MASK)
            for key, value in side.items()
        }

    return masked(before, _BEFORE), masked(after, _AFTER)


def _changes(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if before == after and type(before) is type(after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _changes(
                _joined(path, key), before.get(key, MISSING), after.get(key, MISSING)
            )
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            yield from _changes(f"{path}[{index}]", _item(before, index), _item(after, index))
    else:
        yield FieldChange(path=path, before=before, after=after)


def _item(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else MISSING


def _joined(path: str, key: str) -> str:
    if not path:
        return key
    return f"{path}.{key}" if key.replace("-", "").replace("_", "").isalnum() else f"{path}[{key}]"


def _shown(value: object) -> str:
    if value is MISSING:
        return "(nothing)"
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def _unified(
    identity: Identity, before: dict[str, Any], after: dict[str, Any], *, made: bool, gone: bool
) -> str:
    lines = difflib.unified_diff(
        [] if made else write_value(before).splitlines(keepends=True),
        [] if gone else write_value(after).splitlines(keepends=True),
        "(nothing)" if made else f"live/{identity}",
        "(nothing)" if gone else f"desired/{identity}",
        n=_CONTEXT_LINES,
    )
    return "".join(lines)
