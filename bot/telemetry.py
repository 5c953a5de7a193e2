"""Redaction and log set-up: no secret reaches a log, an error, a page or a picture.

Every `Secret` that comes to life is made known here, and `redact` replaces it, in its
plain, URL-quoted, Base64 and JSON-escaped forms, wherever foreign or composed text goes
out (rules S1, S2 and R20 of the threat model). Control characters of foreign text are
shown escaped, so that no terminal obeys them (U12).

Must not know what is being done.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
import urllib.parse

_MASK = "***"
_SHORTEST_S = 4  # shorter texts would mask half a log; arbitrary
_known: set[str] = set()


def remember_secret(text: str) -> None:
    """Mask `text` and its usual encodings in everything that `redact` sees from now on."""
    if len(text) < _SHORTEST_S:
        return
    raw = text.encode()
    _known.add(text)
    _known.add(urllib.parse.quote(text, safe=""))
    _known.add(urllib.parse.quote_plus(text))
    _known.add(json.dumps(text)[1:-1])
    _known.add(base64.b64encode(raw).decode())
    _known.add(base64.b64encode(raw).decode().rstrip("="))
    _known.add(base64.urlsafe_b64encode(raw).decode())


def redact(text: str) -> str:
    """Return `text` with every known secret masked, longest first."""
    for secret in sorted(_known, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, _MASK)
    return text


def shown(text: str, *, max_chars: int = 200) -> str:
    """Return foreign text fit for a person's eyes: redacted, escaped, cut to `max_chars`.

    Control and bidirectional characters are written as escapes, line ends as spaces.
    """
    text = redact(" ".join(text.split()))
    safe = "".join(
        c
        if c.isprintable() and not ("\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069")
        else c.encode("unicode_escape").decode()
        for c in text
    )
    return safe if len(safe) <= max_chars else safe[: max_chars - 1] + "…"


class _RedactingFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def set_up_logging(*, verbosity: int = 0) -> None:
    """Send the log to standard error: warnings, with `verbosity` 1 also news, with 2 all."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[max(0, min(verbosity, 2))]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_RedactingFormatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for room in ("bot", "reconciler"):
        logging.getLogger(room).setLevel(level)
