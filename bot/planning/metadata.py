"""What a proposal's body says to the next run: one HTML comment with JSON, at its end.

It is a hint and no proof: a proposal is ours when the forge says that we opened it and its head
is a commit of ours (`product.md` 10.9). `head` is the commit that we pushed, `changes` what it
changes, `generation` a digest of all that the body shows, so that the body is written only when
that changed. `closed_why` is written before we close, so that any other close is a person's.
Many changes are packed, so that three hundred leave room for what people read.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.planning.remembered import ChangeRecord, read_change, read_record

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
ASKED_PEOPLE = "people"  # in `told`: reviewers and assignees were asked, once
_START, _END = "<!-- pilotfish:metadata ", " -->"
_NOTICE_START, _NOTICE_END = "<!-- pilotfish:notice -->", "<!-- /pilotfish:notice -->"
_NOTICE = re.compile(f"{re.escape(_NOTICE_START)}.*?{re.escape(_NOTICE_END)}", re.DOTALL)
_FOUND = re.compile(re.escape(_START) + r"([^\n]*?)" + re.escape(_END))
_PLAIN_CHARS = 4_000  # of changes that stay readable; more are packed; arbitrary
_MOST_UNPACKED_BYTES = 4 << 20  # a body packs far less; bounds what a forged one can cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What the last run recorded about a proposal.

    `pushed` are the moments of our pushes within the last hour. `labels` are those that we set.
    `automerge` is empty, `asked` once the forge was told to merge it, or `approved` once a
    person approved that. `told` names what was said in a comment, so that it is said once.
    """

    key: str
    base: str
    branch: str
    head: str
    changes: frozenset[ChangeRecord]
    generation: str = ""
    pushed: tuple[datetime, ...] = ()
    labels: tuple[str, ...] = ()
    closed_why: str = ""
    automerge: str = ""
    told: tuple[str, ...] = ()


def write_metadata(metadata: Metadata) -> str:
    """Return the comment; nothing in it can end it early."""
    changes = [one.as_json() for one in sorted(metadata.changes)]
    plain = json.dumps(changes, ensure_ascii=True, separators=(",", ":"))
    row = {
        "version": VERSION,
        "key": metadata.key,
        "base": metadata.base,
        "branch": metadata.branch,
        "head": metadata.head,
        "generation": metadata.generation,
        "changes": changes if len(plain) <= _PLAIN_CHARS else _packed(plain),
        "pushed": [moment.isoformat() for moment in metadata.pushed],
        "labels": list(metadata.labels),
        "closed": metadata.closed_why,
        "automerge": metadata.automerge,
        "told": list(metadata.told),
    }
    filled = {key: value for key, value in row.items() if value}
    text = json.dumps(filled, ensure_ascii=True, separators=(",", ":"))
    for sign in "<>&-":  # they stand inside texts alone: no number here is negative
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f"{_START}{text}{_END}"


def read_metadata(body: str) -> Metadata | None:
    """Return what the last comment of ours in `body` says, `None` where it says nothing sound."""
    found = _FOUND.findall(body)
    if not found:
        return None
    try:
        row = read_record(found[-1])
        if not isinstance(row, dict) or row.get("version") != VERSION:
            return None
        return _read(row)
    except (ValueError, KeyError, TypeError):
        return None


def with_replaced(body: str, metadata: Metadata) -> str:
    """Return `body` with this in place of every comment of ours."""
    return f"{_FOUND.sub('', body).rstrip()}\n\n{write_metadata(metadata)}\n"


def with_notice(body: str, says: str) -> str:
    """Return `body` with one sentence of ours above everything, in place of an earlier one."""
    rest = _NOTICE.sub("", body)
    return f"{_NOTICE_START}\n> **{says}**\n{_NOTICE_END}\n\n{rest.lstrip()}"


def _read(row: Mapping[str, object]) -> Metadata:
    return Metadata(
        key=str(row["key"]),
        base=str(row["base"]),
        branch=str(row["branch"]),
        head=str(row["head"]),
        changes=frozenset(read_change(one) for one in _changes(row.get("changes"))),
        generation=str(row.get("generation", "")),
        pushed=tuple(_time(one) for one in _list(row.get("pushed"))),
        labels=tuple(str(one) for one in _list(row.get("labels"))),
        closed_why=str(row.get("closed", "")),
        automerge=str(row.get("automerge", "")),
        told=tuple(str(one) for one in _list(row.get("told"))),
    )


def _packed(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode("ascii"), 9)).decode("ascii")


def _changes(found: object) -> list[object]:
    """Return the rows of changes, which may be packed; raises `ValueError` or `TypeError`."""
    if not isinstance(found, str):
        return _list(found)
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(base64.b64decode(found, validate=True), _MOST_UNPACKED_BYTES)
    except zlib.error as fault:
        raise ValueError("it is not packed as ours are") from fault
    if not unpacker.eof:
        raise ValueError("it is cut, or too large")
    return _list(read_record(text.decode("ascii")))


def _list(found: object) -> list[object]:
    if found is None:
        return []
    if not isinstance(found, list):
        raise TypeError("a list was expected")
    return found


def _time(found: object) -> datetime:
    moment = datetime.fromisoformat(str(found))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
