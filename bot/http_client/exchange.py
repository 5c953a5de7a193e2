"""What is asked and what is answered: the values of the HTTP door, its errors, its redirects.

Redirects are decided here and followed by our own code (threat R3): at most three, never from
https to http, and across origins nothing but `Accept` and `Range` goes along.

Must not know any API.
"""

from __future__ import annotations

import email.utils
import functools
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.errors import AccessError, ConfigError, RefusedError, UnavailableError
from bot.telemetry import shown

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

REDIRECTS = frozenset({301, 302, 303, 307, 308})
BUSY = frozenset({408, 429, 500, 502, 503, 504})
MAX_HOPS = 3
_GOES_ALONG = frozenset({"accept", "range"})
_PORTS = {"http": 80, "https": 443}
_ONE_WORD = re.compile(r"[!-~]+")
_SECONDS = re.compile(r"\d{1,10}")
_LONGEST_WAIT_S = 3600.0  # threat FR1: an absurd Retry-After counts as an hour


class ConnectionFaultError(UnavailableError):
    """No answer was had. `stage` is `name`, `connect`, `tls`, `time` or `answer`."""

    def __init__(self, what: str, *, stage: str, where: str, hint: str) -> None:
        super().__init__(what, where=where, hint=hint)
        self.stage = stage


class UntrustedPeerError(AccessError):
    """The certificate of the other side is not one that we trust."""


class TooLargeError(RefusedError):
    """The answer is larger than what we are willing to read."""


class RedirectRefusedError(RefusedError):
    """The other side sent us somewhere we do not go."""


class AddressRefusedError(RefusedError):
    """The name leads to an address that must not be asked."""


class BusyError(UnavailableError):
    """The other side answers, but only that it is busy or broken; `status` is its last answer."""

    def __init__(
        self, what: str, *, where: str, hint: str, status: int = 0, wait_s: float | None = None
    ) -> None:
        super().__init__(what, where=where, hint=hint, wait_s=wait_s)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long we wait and how often we try, in seconds and counts (threat R5, fault FR1, FR2).

    `total_s` bounds one try from connecting to the last byte. `patience_s` bounds the waiting
    between tries of one request, all taken together.
    """

    connect_s: float = 10.0
    first_byte_s: float = 20.0
    header_s: float = 30.0
    total_s: float = 120.0
    retries: int = 4
    backoff_s: float = 0.25
    patience_s: float = 60.0
    park_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How one trust domain is reached: certificates, proxy, pace.

    `ca` is trusted beside the system's authorities. `proxy` of `None` asks the environment's
    settings; an empty text means none. `asked_by` is the host on whose word we go there: such a
    place gets no client certificate, and a private address only when `asked_by` is private too.
    """

    ca: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = None
    concurrency: int = 16
    rate_per_s: float | None = None
    asked_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, read to its end. `url` is where it came from, after redirects."""

    status: int
    url: str
    headers: CIMultiDictProxy[str]
    body: bytes = field(repr=False)

    def header(self, name: str) -> str:
        """Return the first header of that name, empty when there is none."""
        return self.headers.get(name, "")

    def header_list(self, name: str) -> list[str]:
        """Return every header of that name."""
        return self.headers.getall(name, [])


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Origin:
    """Scheme, host and port, canonical: lower case, the port always a number."""

    scheme: str
    host: str
    port: int

    @property
    def netloc(self) -> str:
        """Return `host[:port]` as in an address, without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if _PORTS[self.scheme] == self.port else f"{host}:{self.port}"


@functools.lru_cache(maxsize=1024)
def origin_of(url: str) -> Origin:
    """Return the origin of an http or https address.

    Raises:
        ConfigError: It is no such address, or names a user.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urllib.parse.urlsplit(""), None
    good = _ONE_WORD.fullmatch(url) and parts.scheme in _PORTS and parts.hostname
    if not good or "@" in parts.netloc or "\\" in url:
        raise ConfigError(
            "this is no address that can be asked", where=shown(url), hint="Check its spelling"
        )
    return Origin(
        scheme=parts.scheme,
        host=(parts.hostname or "").lower(),
        port=_PORTS[parts.scheme] if port is None else port,
    )


def next_hop(url: str, answer: Answer, hop: int) -> str:
    """Return where the `hop`th redirect leads, as a whole address.

    Raises:
        RedirectRefusedError: It leads nowhere we go, or is one too many.
    """
    here = origin_of(url)
    location = answer.header("Location")
    if hop > MAX_HOPS:
        raise RedirectRefusedError(
            f"it redirects more than {MAX_HOPS} times", where=here.netloc, hint="Check its address"
        )
    try:
        target = urllib.parse.urldefrag(urllib.parse.urljoin(url, location)).url
        there = origin_of(target)
    except (ConfigError, ValueError):
        location = ""
    if not location:
        raise RedirectRefusedError(
            f"it answered {answer.status} without a place we can go to",
            where=here.netloc,
            hint="Check its address, or ask who runs it",
        )
    if here.scheme == "https" and there.scheme == "http":
        raise RedirectRefusedError(
            f"it redirects from https to plain http on {there.netloc}",
            where=here.netloc,
            hint="Ask who runs it to redirect to https",
        )
    return target


def headers_for(url: str, target: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that go along from `url` to `target`: all, or the harmless two."""
    if origin_of(url) == origin_of(target):
        return dict(headers)
    return {name: value for name, value in headers.items() if name.lower() in _GOES_ALONG}


def wait_asked_s(answer: Answer, now: datetime) -> float | None:
    """Return the seconds that `Retry-After` asks for (RFC 9110, 10.2.3), an hour at most."""
    text = answer.header("Retry-After").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), _LONGEST_WAIT_S)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(max((when - now).total_seconds(), 0.0), _LONGEST_WAIT_S)
