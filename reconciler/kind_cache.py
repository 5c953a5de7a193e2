"""The file that remembers which kinds a server has, so that a pass need not ask.

One file a server, in a private folder; whatever is wrong with it, it counts as not there. A kind
that it lacks is always looked for on the server (`dependencies.md` 8).

Must not know how the server is asked.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

from reconciler.discovery import Discovery, as_json, from_json

if TYPE_CHECKING:
    from pathlib import Path

_FORMAT = 1


def read_cache(file: Path | None, host: str) -> Discovery | None:
    """Return what is remembered of `host`; `None` when that is nothing, or unreadable."""
    if file is None:
        return None
    try:
        kept = json.loads(file.read_bytes())
        if kept["format"] == _FORMAT and kept["host"] == host:
            return from_json(kept["kinds"])
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return None


def write_cache(file: Path | None, host: str, known: Discovery) -> None:
    """Remember `known` of `host`; a folder that cannot be written to costs speed alone."""
    if file is None:
        return
    kept = {"format": _FORMAT, "host": host, "kinds": as_json(known)}
    begun = file.with_name(f"{file.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        begun.write_text(json.dumps(kept), encoding="utf-8")
        begun.replace(file)
