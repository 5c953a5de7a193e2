"""Push dates that a registry tells outside the distribution specification.

Docker Hub and Quay answer for public repositories without a login (`peers.md` 6.2); no
credential is ever sent to these addresses. Elsewhere `Last-Modified` is all there is.

Must not know sockets.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType

from bot.registry.docker_config import HUB
from bot.registry.documents import read_time

MAX_ANSWER_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PushDates:
    """Where a registry tells its push dates: `address` of (path, tag), and how to read them.

    `name` is what stands beside the date.
    """

    name: str
    address: Callable[[str, str], str]
    read: Callable[[bytes, str], datetime | None]


def read_hub(body: bytes, tag: str) -> datetime | None:
    """Return the date in Docker Hub's answer about one tag."""
    fields = _object(body)
    if fields.get("name") not in {None, tag}:
        return None
    stated = fields.get("tag_last_pushed") or fields.get("last_updated")
    return read_time(stated) if isinstance(stated, str) else None


def read_quay(body: bytes, tag: str) -> datetime | None:
    """Return the date in Quay's answer about one tag."""
    tags = _object(body).get("tags")
    for each in tags if isinstance(tags, list) else ():
        if isinstance(each, dict) and each.get("name") == tag:
            try:
                when = parsedate_to_datetime(str(each.get("last_modified", "")))
            except ValueError:
                return None
            return when if when.tzinfo else when.replace(tzinfo=UTC)
    return None


def _hub(path: str, tag: str) -> str:
    return f"https://hub.docker.com/v2/repositories/{path}/tags/{_quoted(tag)}"


def _quay(path: str, tag: str) -> str:
    query = f"onlyActiveTags=true&limit=1&specificTag={_quoted(tag)}"
    return f"https://quay.io/api/v1/repository/{path}/tag/?{query}"


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _object(body: bytes) -> dict[str, object]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


KNOWN: Mapping[str, PushDates] = MappingProxyType(
    {
        HUB: PushDates(name="Docker Hub's push date", address=_hub, read=read_hub),
        "quay.io": PushDates(name="Quay's push date", address=_quay, read=read_quay),
    }
)
