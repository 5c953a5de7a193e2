"""The slug of a proposal's branch: a function of configuration alone, never of a version.

`pilotfish/<base if several>/<slug>` (`product.md` 10.8, `peers.md` 3.3). Letters are lowered
and whatever git refuses in a ref becomes a dash; long slugs are cut and end in a hash.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import hashlib
import re

from bot.config.model import DEFAULT_UPDATE

MAX_CHARS = 120  # leaves room for prefix and base below git's 255 bytes
_HASH_CHARS = 10
_REFUSED = re.compile(r"[^a-z0-9._]+")
_REPEATED = re.compile(r"([-.])[-.]+")


def slug(text: str) -> str:
    """Return `text` as one segment of a branch name that git accepts."""
    made = _REPEATED.sub(r"\1", _REFUSED.sub("-", text.lower())).strip("-.")
    made = made.removesuffix(".lock").strip("-.") or "x"
    if len(made) <= MAX_CHARS:
        return made
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARS]
    return f"{made[: MAX_CHARS - _HASH_CHARS - 1].rstrip('-.')}-{digest}"


def group_slug(update: str, group: str) -> str:
    """Return the slug of the proposal for `group` (a policy's, repository's or group's name)."""
    return slug(group if update == DEFAULT_UPDATE else f"{update}-{group}")
