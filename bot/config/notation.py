"""The small texts inside a configuration: rates, authors, paths, addresses, names.

Each reader returns the value or raises `Unreadable` with a sentence and advice; the caller
adds the place. No address may carry a credential (rule S1 of the threat model).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from datetime import timedelta
from urllib.parse import SplitResult, urlsplit

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_RATE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(?:/([smh]))?")
_DURATION = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?")
_AUTHOR = re.compile(r"([^<>\x00-\x1f]{0,200}?)\s*<([^<>\s@]{1,64}@[^<>\s@]{1,255})>")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9._]{0,251}[A-Za-z0-9])?")
_HOST = re.compile(
    r"[A-Za-z0-9]([-A-Za-z0-9.]{0,252}[A-Za-z0-9])?(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?"
)
_BRANCH_REFUSED = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{|(^|/)[.-]|\.lock(/|$)|[./]$|^/")
_MOST_BRANCH_CHARS = 200
_MOST_PORT = 65535


class Unreadable(ValueError):
    """The text does not say what it should; `hint` is what to write instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def read_rate(text: str) -> float:
    """Return requests per second of `20/s`, `100/m`, `1000/h` or a bare number."""
    found = _RATE.fullmatch(text.replace(" ", ""))
    rate = float(found[1]) / _SECONDS[found[2] or "s"] if found else 0.0
    if rate <= 0:
        raise Unreadable(f"{text!r} is no rate", "Write requests per time, such as 20/s or 100/m")
    return rate


def read_duration(text: str) -> timedelta:
    """Return how long `45s`, `5m`, `1h30m` or `2d` is; at least a second."""
    found = _DURATION.fullmatch(text.strip())
    days, hours, minutes, seconds = (
        (int(part or 0) for part in found.groups()) if found else (0,) * 4
    )
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not length:
        raise Unreadable(f"{text!r} is no length of time", "Write 45s, 5m, 1h30m or 2d")
    return length


def read_author(text: str) -> tuple[str, str]:
    """Return name and address of `name <name@host>`."""
    found = _AUTHOR.fullmatch(text.strip())
    if found is None:
        raise Unreadable(f"{text!r} is no author", "Write 'name <name@example.org>'")
    return found[1].strip(), found[2]


def read_path(text: str) -> str:
    """Return a path inside the repository, normalised; empty for all of it.

    Raises:
        Unreadable: It is absolute, leads out, or holds a control character.
    """
    path = posixpath.normpath(text.strip()) if text.strip() else "."
    if text.startswith("/") or path == ".." or path.startswith("../"):
        raise Unreadable(
            f"the path {text!r} leads out of the repository",
            "Paths are relative to the repository's top folder",
        )
    if any(ord(char) < 0x20 for char in path):  # noqa: PLR2004  # the first printable sign
        raise Unreadable(f"the path {text!r} holds a control character", "Remove it")
    return "" if path == "." else path


def read_branch(text: str) -> str:
    """Return a branch name that git accepts."""
    if not text or len(text) > _MOST_BRANCH_CHARS or _BRANCH_REFUSED.search(text):
        raise Unreadable(
            f"{text!r} is no branch name", "See `git help check-ref-format` for what git accepts"
        )
    return text


def read_namespace(text: str) -> str:
    """Return a Kubernetes namespace: lower-case letters, digits and dashes."""
    if not _NAMESPACE.fullmatch(text):
        raise Unreadable(
            f"{text!r} is no namespace", "Write lower-case letters, digits and dashes, at most 63"
        )
    return text


def read_name(text: str) -> str:
    """Return the name of a policy, update or group: what a marker can hold."""
    if not _NAME.fullmatch(text):
        raise Unreadable(
            f"{text!r} is no name",
            "Write letters, digits, '-', '.' and '_', and a letter or digit at both ends",
        )
    return text


def read_host(text: str) -> str:
    """Return `host[:port]` of a registry, without scheme and path, in lower case."""
    if not _HOST.fullmatch(text) or _port(text) > _MOST_PORT:
        raise Unreadable(
            f"{text!r} is no registry host",
            "Write the host alone, such as ghcr.io or localhost:5000",
        )
    return text.lower()


def read_address(text: str, *, schemes: tuple[str, ...] = ("https",)) -> str:
    """Return a web address without credentials; plain http to the loopback interface alone.

    Naming `http` in `schemes` admits it to any host.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as fault:
        raise Unreadable("this is no web address", "Write https://host/path") from fault
    if _has_credentials(parts):
        raise Unreadable(
            "a web address may not hold a credential",
            "Remove it from the address, and change it where it was used: it has been seen",
        )
    if not host or parts.query or parts.fragment or any(c.isspace() for c in text):
        raise Unreadable(f"{text!r} is no web address", "Write https://host/path")
    if parts.scheme not in schemes and not (parts.scheme == "http" and is_loopback(host)):
        raise Unreadable(
            f"{parts.scheme or 'no scheme'} is not allowed here", f"Use {' or '.join(schemes)}"
        )
    return text.rstrip("/")


def is_loopback(host: str) -> bool:
    """Return whether `host`, without a port, is this computer itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _has_credentials(parts: SplitResult) -> bool:
    return "@" in parts.netloc


def _port(text: str) -> int:
    tail = text.rpartition(":")[2]
    return int(tail) if ":" in text and tail.isdigit() else 0
