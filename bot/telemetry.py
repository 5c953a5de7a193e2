"""Redaction and log set-up: no secret reaches a log, an error, a page or a picture.

Every `Secret` that comes to life is made known here, and `redact` replaces it, in its
plain, URL-quoted, Base64 and JSON-escaped forms, wherever foreign or composed text goes
out (rules S1, S2 and R20 of the threat model). Control characters of foreign text are
shown escaped, so that no terminal obeys them (U12).

A command tells its log in text, the server in JSON, a line each, which never makes the work
wait: a reader that is stuck costs lines, and those are counted (FP7). The name and help of
every metric stand here in one table.

Must not know what is being done.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import queue
import re
import sys
import threading
import traceback
import urllib.parse
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime

_MASK = "***"
_SHORTEST_S = 4  # shorter texts would mask half a log; arbitrary
_known: set[str] = set()
_LOGIN_IN_URL = re.compile(r"(://)[^/\s@:\"']*:[^/\s@\"']+@")


def remember_secret(text: str) -> None:
    """Mask `text` and its usual encodings in everything that `redact` sees from now on."""
    if len(text) >= _SHORTEST_S:
        _known.update(_forms(text))


def forget_secret(text: str) -> None:
    """Mask `text` no longer: it has run out, and a long life makes many of its kind."""
    _known.difference_update(_forms(text))


def _forms(text: str) -> set[str]:
    raw = text.encode()
    return {
        text,
        urllib.parse.quote(text, safe=""),
        urllib.parse.quote_plus(text),
        json.dumps(text)[1:-1],
        base64.b64encode(raw).decode(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode(),
    }


def redact(text: str) -> str:
    """Return `text` with every known secret masked, longest first, and what logs in in a URL."""
    text = _LOGIN_IN_URL.sub(rf"\1{_MASK}@", text)
    for secret in sorted(_known, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, _MASK)
    return text


def shown(text: str, *, max_chars: int = 200) -> str:
    """Return foreign text fit for a person's eyes: redacted, escaped, cut to `max_chars`.

    Control and bidirectional characters are written as escapes, line ends as spaces.
    """
    safe = escaped(redact(" ".join(text.split())))
    return safe if len(safe) <= max_chars else safe[: max_chars - 1] + "…"


def escaped(text: str) -> str:
    """Return `text` with all that could steer a terminal written as escapes; line ends stay."""
    return "".join(
        c
        if c == "\n"
        or (c.isprintable() and not ("\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069"))
        else c.encode("unicode_escape").decode()
        for c in text
    )


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


run_id: ContextVar[str] = ContextVar("run_id", default="")

_PLAIN_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_MAX_LINES_WAITING = 10_000
_FLUSH_S = 2.0


class _JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, run, what happened, and the fields beside it."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
        }
        if run_id.get():
            line["run"] = run_id.get()
        line["event"] = record.getMessage()
        extra = {k: v for k, v in record.__dict__.items() if k not in _PLAIN_FIELDS}
        line |= {key: value for key, value in extra.items() if key not in line}
        line["logger"] = record.name
        if record.exc_info and record.exc_info[0] is not None:
            line["trace"] = "".join(traceback.format_exception(*record.exc_info))
        return redact(json.dumps(line, ensure_ascii=False, default=str))


class LogLines(logging.Handler):
    """Hands lines to a thread that writes them; drops and counts what does not fit."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.dropped = 0
        self._descriptor = descriptor
        self._lines: queue.Queue[bytes | None] = queue.Queue(_MAX_LINES_WAITING)
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()
        self.setFormatter(_JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Put one line in the queue, or drop it where the queue is full."""
        try:
            self._lines.put_nowait(self.format(record).encode("utf-8", "replace") + b"\n")
        except queue.Full:
            self.dropped += 1
        except Exception:  # noqa: BLE001  # logging must not raise; this is its own way out
            self.handleError(record)

    def close(self) -> None:
        """Write what waits, for two seconds at most."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=_FLUSH_S)
        self._thread.join(_FLUSH_S)
        super().close()

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            left = memoryview(line)
            with contextlib.suppress(OSError):
                while left:
                    left = left[os.write(self._descriptor, left) :]


def set_up_json_logging(*, verbosity: int = 0) -> LogLines:
    """Send the log to standard error as JSON lines: news, with `verbosity` 1 everything."""
    lines = LogLines(sys.stderr.fileno())
    root = logging.getLogger()
    root.handlers[:] = [lines]
    root.setLevel(logging.WARNING)
    for room in ("bot", "reconciler"):
        logging.getLogger(room).setLevel(logging.DEBUG if verbosity else logging.INFO)
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric's kind (`counter`, `gauge` or `histogram`), its help text and its labels."""

    kind: str
    help: str
    labels: tuple[str, ...] = ()


METRICS: dict[str, Metric] = {
    "pilotfish_info": Metric(kind="gauge", help="Always 1; says the version.", labels=("version",)),
    "pilotfish_config_valid": Metric(
        kind="gauge", help="1 while the configuration file as it is now can be used, else 0."
    ),
    "pilotfish_config_loaded_timestamp_seconds": Metric(
        kind="gauge", help="When the configuration in use was loaded."
    ),
    "pilotfish_errands_total": Metric(
        kind="counter",
        help="Errands that ended, by result: done, partly, failed, stopped.",
        labels=("errand", "result"),
    ),
    "pilotfish_errand_seconds": Metric(
        kind="histogram", help="How long an errand took.", labels=("kind",)
    ),
    "pilotfish_errand_last_success_timestamp_seconds": Metric(
        kind="gauge", help="When an errand last ended without a failure.", labels=("errand",)
    ),
    "pilotfish_errands_running": Metric(kind="gauge", help="Errands under way now."),
    "pilotfish_errands_waiting": Metric(
        kind="gauge", help="Errands that are due and wait for a free place."
    ),
    "pilotfish_errand_overdue_seconds": Metric(
        kind="gauge", help="For how long the errand that waits longest has been due."
    ),
    "pilotfish_decisions_total": Metric(
        kind="counter",
        help="What was decided, by kind; each is a line of the log.",
        labels=("errand", "decision"),
    ),
    "pilotfish_proposals_open": Metric(
        kind="gauge", help="Proposals that are open.", labels=("repository",)
    ),
    "pilotfish_tags_held": Metric(
        kind="gauge", help="Better tags that may not come now.", labels=("repository",)
    ),
    "pilotfish_images_failed": Metric(
        kind="gauge", help="Images whose registry gave no answer.", labels=("repository",)
    ),
    "pilotfish_target_healthy": Metric(
        kind="gauge", help="1 where the target was healthy when last looked at.", labels=("target",)
    ),
    "pilotfish_target_objects_changed_total": Metric(
        kind="counter", help="Objects that were written or deleted.", labels=("target",)
    ),
    "pilotfish_store_failures_total": Metric(
        kind="counter", help="Times the store could not be read or written."
    ),
    "pilotfish_log_lines_dropped": Metric(
        kind="gauge", help="Lines of the log that nobody read in time."
    ),
}
