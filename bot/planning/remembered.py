"""What people said and what we opened, as one small YAML file in `refs/notes/pilotfish`.

Holds and unholds, proposals that a person closed on plain Git, and the proposals that are
open now (`product.md` 10.11). It lives on the remote, so that deleting any cache of ours loses
no decision. A file of another version is refused, never overwritten.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import yaml

from bot.config.nodes import read_documents
from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

_VERSION = 1
_MAX_BYTES = 1 << 20
_WHERE = "refs/notes/pilotfish"
_MAX_SEEN = 2_000  # remembered first sights; the oldest go first; arbitrary, bounds the file
_MAX_CLOSED = 500  # remembered closes; the oldest go first; arbitrary, bounds the file


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRecord:
    """A person's, a close's or a failed rollout's "not this one".

    Exactly one of these is said: `tag` (this one), `above` and `up_to` (every one above the
    first up to the second), `level` (every major, minor or patch step from what is written; with
    `tag` those of its own major alone), or none, which holds everything of the policy. `update`
    limits it to one update, empty for all.
    """

    policy: str
    reason: str
    who: str
    when: datetime
    tag: str = ""
    above: str = ""
    up_to: str = ""
    update: str = ""
    until: datetime | None = None
    level: str = ""

    @property
    def what(self) -> str:
        """Say which tags are held."""
        if self.tag:
            return f"{self.level} {self.tag} and what follows it" if self.level else self.tag
        if self.up_to:
            return f"above {self.above} up to {self.up_to}"
        if self.level:
            return f"every {self.level} step"
        return "everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnholdRecord:
    """A person lifted what was held for a policy before `when`; an empty tag lifts all."""

    policy: str
    who: str
    when: datetime
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegroupRecord:
    """A person moved a policy into another proposal: that of `group`, its own where empty.

    `update` limits it to one update, empty for all.
    """

    policy: str
    group: str
    who: str
    when: datetime
    update: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ChangeRecord:
    """One field of a proposal: where, for which policy, from and to."""

    file: str
    line: int
    policy: str
    old: str
    new: str

    def as_json(self) -> dict[str, object]:
        """Return the form of trailers and notes."""
        return {
            "file": self.file,
            "line": self.line,
            "policy": self.policy,
            "from": self.old,
            "to": self.new,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRecord:
    """A proposal that is open on plain Git: its branch and the head that we pushed."""

    key: str
    branch: str
    head: str
    opened: datetime
    pushed: tuple[datetime, ...]
    changes: tuple[ChangeRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedRecord:
    """A proposal that a person closed: this exact set is not proposed again."""

    key: str
    when: datetime
    changes: tuple[ChangeRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRecord:
    """When a tag was first seen with this digest, where nothing else dates it."""

    image: str
    tag: str
    digest: str
    when: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """The whole file."""

    holds: tuple[HoldRecord, ...] = ()
    unholds: tuple[UnholdRecord, ...] = ()
    proposals: tuple[ProposalRecord, ...] = ()
    closed: tuple[ClosedRecord, ...] = ()
    seen: tuple[SeenRecord, ...] = ()
    regroups: tuple[RegroupRecord, ...] = ()

    @property
    def first_seen(self) -> dict[tuple[str, str, str], datetime]:
        """Return the first sights by image, tag and digest."""
        return {(one.image, one.tag, one.digest): one.when for one in self.seen}

    def with_seen(self, sights: Iterable[tuple[str, str, str]], when: datetime) -> Remembered:
        """Return this with `when` for every sight that was not remembered yet."""
        known = self.first_seen
        new = tuple(
            SeenRecord(image=image, tag=tag, digest=digest, when=when)
            for image, tag, digest in dict.fromkeys(sights)
            if (image, tag, digest) not in known
        )
        return replace(self, seen=(*self.seen, *new)[-_MAX_SEEN:]) if new else self

    def without_proposal(self, branch: str) -> Remembered:
        """Return this without the open proposal on `branch`."""
        kept = tuple(one for one in self.proposals if one.branch != branch)
        return self if kept == self.proposals else replace(self, proposals=kept)

    def with_proposal(self, record: ProposalRecord) -> Remembered:
        """Return this with `record` in place of what stood for its branch."""
        others = tuple(one for one in self.proposals if one.branch != record.branch)
        ordered = sorted([*others, record], key=lambda one: one.branch)
        return replace(self, proposals=tuple(ordered))

    def with_closed(self, record: ClosedRecord) -> Remembered:
        """Return this with one more close, the oldest dropped beyond the bound."""
        return replace(self, closed=(*self.closed, record)[-_MAX_CLOSED:])


def read_remembered(text: bytes | None) -> Remembered:
    """Return what the notes hold; nothing there is an empty memory.

    Raises:
        ConfigError: The file is not ours or was damaged; it is never overwritten then.
    """
    if not text:
        return Remembered()
    try:
        read_documents(text, max_bytes=_MAX_BYTES)  # its depth kills a loader written in C
        loaded = yaml.load(text, Loader=yaml.CSafeLoader)  # a safe loader
        return _read(loaded)
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise ConfigError(
            f"the file holds.yaml there cannot be read: {fault}",
            where=_WHERE,
            hint="Correct it with `git notes`-like plumbing, or delete the ref to forget all holds",
        ) from fault


def _read(loaded: dict[str, object]) -> Remembered:
    if loaded.get("version") != _VERSION:
        raise ValueError("it has another version; a newer pilotfish wrote it")
    keys = ("holds", "unholds", "proposals", "closed", "seen", "regroups")
    rows = {key: _rows(loaded.get(key)) for key in keys}
    return Remembered(
        holds=tuple(_read_hold(row) for row in rows["holds"]),
        unholds=tuple(
            UnholdRecord(
                policy=str(row["policy"]),
                who=str(row.get("who", "")),
                when=_time(row["when"]),
                tag=str(row.get("tag", "")),
            )
            for row in rows["unholds"]
        ),
        proposals=tuple(
            ProposalRecord(
                key=str(row["key"]),
                branch=str(row["branch"]),
                head=str(row["head"]),
                opened=_time(row["opened"]),
                pushed=tuple(_time(one) for one in _list(row.get("pushed"))),
                changes=_read_changes(row),
            )
            for row in rows["proposals"]
        ),
        closed=tuple(
            ClosedRecord(key=str(row["key"]), when=_time(row["when"]), changes=_read_changes(row))
            for row in rows["closed"]
        ),
        seen=tuple(
            SeenRecord(
                image=str(row["image"]),
                tag=str(row["tag"]),
                digest=str(row["digest"]),
                when=_time(row["when"]),
            )
            for row in rows["seen"]
        ),
        regroups=tuple(
            RegroupRecord(
                policy=str(row["policy"]),
                group=str(row.get("group", "")),
                who=str(row.get("who", "")),
                when=_time(row["when"]),
                update=str(row.get("update", "")),
            )
            for row in rows["regroups"]
        ),
    )


def _read_hold(row: dict[str, object]) -> HoldRecord:
    return HoldRecord(
        policy=str(row["policy"]),
        reason=str(row.get("reason", "")),
        who=str(row.get("who", "")),
        when=_time(row["when"]),
        tag=str(row.get("tag", "")),
        above=str(row.get("above", "")),
        up_to=str(row.get("up-to", "")),
        update=str(row.get("update", "")),
        until=_time(row["until"]) if row.get("until") else None,
        level=str(row.get("level", "")),
    )


def _read_changes(row: dict[str, object]) -> tuple[ChangeRecord, ...]:
    return tuple(read_change(one) for one in _rows(row.get("changes")))


def read_record(text: str) -> object:
    """Return the JSON of a trailer, a body or a note that anybody may have written.

    Raises:
        ValueError: It is none, it nests without end, or it holds half a character, which no
            text of ours could repeat.
    """
    try:
        found: object = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()
    except RecursionError as fault:
        raise ValueError("it nests too deep") from fault
    return found


def read_change(row: object) -> ChangeRecord:
    """Return the change of a trailer or a note; raises `KeyError`, `TypeError` or `ValueError`."""
    if not isinstance(row, dict):
        raise TypeError("a change is a mapping")
    return ChangeRecord(
        file=str(row["file"]),
        line=int(str(row["line"])),
        policy=str(row["policy"]),
        old=str(row["from"]),
        new=str(row["to"]),
    )


def _rows(found: object) -> list[dict[str, object]]:
    rows = _list(found)
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a list holds something that is no mapping")
    return rows  # type: ignore[return-value]  # checked on the line above


def _list(found: object) -> list[object]:
    if found is None:
        return []
    if not isinstance(found, list):
        raise TypeError("a list was expected")
    return found


def _time(found: object) -> datetime:
    moment = found if isinstance(found, datetime) else datetime.fromisoformat(str(found))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def write_remembered(remembered: Remembered) -> bytes:
    """Return the file's text, the same for the same memory."""
    shaped: dict[str, object] = {
        "version": _VERSION,
        "holds": [_hold_row(one) for one in remembered.holds],
        "unholds": [
            _filled({"policy": u.policy, "tag": u.tag, "who": u.who, "when": u.when.isoformat()})
            for u in remembered.unholds
        ],
        "proposals": [
            {
                "key": one.key,
                "branch": one.branch,
                "head": str(one.head),
                "opened": one.opened.isoformat(),
                "pushed": [moment.isoformat() for moment in one.pushed],
                "changes": [change.as_json() for change in one.changes],
            }
            for one in remembered.proposals
        ],
        "closed": [
            {
                "key": one.key,
                "when": one.when.isoformat(),
                "changes": [change.as_json() for change in one.changes],
            }
            for one in remembered.closed
        ],
    }
    if remembered.seen:
        shaped["seen"] = [
            {"image": o.image, "tag": o.tag, "digest": o.digest, "when": o.when.isoformat()}
            for o in remembered.seen
        ]
    if remembered.regroups:
        shaped["regroups"] = [
            _filled(
                {
                    "policy": one.policy,
                    "group": one.group,
                    "update": one.update,
                    "who": one.who,
                    "when": one.when.isoformat(),
                }
            )
            for one in remembered.regroups
        ]
    text: str = yaml.safe_dump(shaped, sort_keys=False, width=1000)
    return text.encode()


def _hold_row(one: HoldRecord) -> dict[str, object]:
    return _filled(
        {
            "policy": one.policy,
            "tag": one.tag,
            "above": one.above,
            "up-to": one.up_to,
            "level": one.level,
            "update": one.update,
            "reason": one.reason,
            "who": one.who,
            "when": one.when.isoformat(),
            "until": one.until.isoformat() if one.until else "",
        }
    )


def _filled(row: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in row.items() if value}
