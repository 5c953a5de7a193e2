"""The one module that speaks HTTP as a client, on aiohttp, which it imports when first asked.

Pool, time-outs, retries with back-off, redirects of our own, proxies, authorities and client
certificates per trust domain, size caps while reading, errors translated. Rules R3 to R6, FR1
to FR3, FR12 to FR15 of the threat and failure models, and E4 and E6: nothing is taken from the
environment, no redirect is followed by the library, no cookie is kept, no compression asked.

Must not know any API.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bot.errors import ConfigError, ProductError, UnavailableError
from bot.http_client.addresses import AddressGuard, Lookup
from bot.http_client.exchange import (
    BUSY,
    REDIRECTS,
    Access,
    Answer,
    BusyError,
    ConnectionFaultError,
    Limits,
    Origin,
    TooLargeError,
    UntrustedPeerError,
    headers_for,
    next_hop,
    origin_of,
    wait_asked_s,
)
from bot.http_client.hosts import HostGate, Patience
from bot.http_client.proxies import Proxies, checked_proxy
from bot.telemetry import shown
from bot.version import __version__

if TYPE_CHECKING:
    import aiohttp

    from bot.clock import Clock

log = logging.getLogger(__name__)

USER_AGENT = f"pilotfish/{__version__}"
DIRECT = Access()
_ERROR_BODY_BYTES = 8 << 10  # threat R6
_REPEATABLE = frozenset({"GET", "HEAD"})
_FIRST_ERROR = 400


class HttpClient:
    """A pool of connections, open between `async with` and its end."""

    def __init__(
        self,
        *,
        clock: Clock,
        limits: Limits | None = None,
        proxies: Proxies | None = None,
        lookup: Lookup | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._limits = limits or Limits()
        self._proxies = proxies or Proxies()
        self._guard = AddressGuard(lookup)
        self._jitter = jitter
        self._gates: dict[tuple[str, int], HostGate] = {}
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._contexts: dict[tuple[str | None, ...], ssl.SSLContext] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        sessions = list(self._sessions.values())
        self._sessions.clear()
        for session in sessions:
            await session.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        max_bytes: int,
        access: Access = DIRECT,
        body: bytes | None = None,
        follow: bool = True,
        repeatable: bool | None = None,
        trial: bool = False,
    ) -> Answer:
        """Return the answer to one request, whatever its status, except 408, 429 and 5xx.

        `max_bytes` bounds the body; one of a status from 400 up is cut at 8 KiB instead.
        `follow` says whether redirects of GET and HEAD are followed. `repeatable` says whether
        the request is safe to repeat; GET and HEAD are. A `trial` is made once, and that it
        fails is not held against the host.

        Raises:
            ConfigError: An address, certificate file or proxy is wrong.
            AccessError: The certificate of the other side is not trusted.
            UnavailableError: Down, too slow or busy, also after trying again; has `wait_s`
                when it said how long.
            RefusedError: Too large, or it sends us where we do not go.
        """
        again = method in _REPEATABLE if repeatable is None else repeatable
        tries = self._limits.retries + 1 if again and not trial else 1
        hop, first, sent = 0, origin_of(url), dict(headers)
        while True:
            answer = await self._ask(
                method, url, sent, access, max_bytes=max_bytes, body=body, tries=tries, trial=trial
            )
            moved = answer.status in REDIRECTS and method in _REPEATABLE
            if not (follow and moved):
                return answer
            hop += 1
            target = next_hop(url, answer, hop)
            sent = headers_for(url, target, sent)
            if origin_of(target) != first and not access.asked_by:
                access = Access(ca=access.ca, proxy=access.proxy, asked_by=first.host)
            url = target

    async def _ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        access: Access,
        *,
        max_bytes: int,
        body: bytes | None,
        tries: int,
        trial: bool,
    ) -> Answer:
        """Ask one origin, with retries."""
        origin = origin_of(url)
        gate = self._gate(origin, access)
        patience = Patience(self._limits.patience_s)
        started_s = self._clock.monotonic_s()
        for attempt in range(1, tries + 1):
            wait_s: float | None = None
            try:
                async with gate.turn(patience):
                    answer = await self._exchange(
                        method, url, headers, access, max_bytes=max_bytes, body=body
                    )
            except ConnectionFaultError as error:
                fault: UnavailableError = error
            else:
                if answer.status not in BUSY:
                    gate.answered()
                    return answer
                wait_s = wait_asked_s(answer, self._clock.now())
                fault = _busy(origin, answer, attempt, wait_s)
            slow = self._clock.monotonic_s() - started_s > self._limits.patience_s
            delay_s = self._backoff_s(attempt) if wait_s is None else wait_s
            if attempt < tries and not slow and patience.spend(delay_s):
                log.debug("asking again", extra={"host": origin.netloc, "after_s": delay_s})
                if wait_s is not None:
                    gate.be_quiet(wait_s)
                await self._clock.sleep(delay_s)
                continue
            break
        if wait_s and not trial:
            gate.park(fault, wait_s)
        elif not trial:
            gate.failed(fault, at_once=isinstance(fault, ConnectionFaultError))
        raise fault

    def _backoff_s(self, attempt: int) -> float:
        doubled_s: float = self._limits.backoff_s * 2 ** (attempt - 1)
        return doubled_s * (0.5 + self._jitter() / 2)

    def _gate(self, origin: Origin, access: Access) -> HostGate:
        key = (origin.host, origin.port)
        gate = self._gates.get(key)
        if gate is None:
            gate = self._gates[key] = HostGate(
                origin.netloc,
                clock=self._clock,
                concurrency=access.concurrency,
                rate_per_s=access.rate_per_s,
                park_s=self._limits.park_s,
            )
        return gate

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        access: Access,
        *,
        max_bytes: int,
        body: bytes | None,
    ) -> Answer:
        """Send one request and read its answer to the end."""
        from yarl import URL

        origin = origin_of(url)
        guest = bool(access.asked_by) and access.asked_by != origin.host
        private_too = not guest or self._guard.is_private(access.asked_by)
        self._guard.check_literal(origin.host, private_too=private_too)
        proxy = self._proxies.leading_to(origin) if access.proxy is None else access.proxy
        session = self._session(private_too=private_too)
        secure = self._context(access, guest=guest) if origin.scheme == "https" else True
        async with _translated(origin.netloc, self._limits):
            async with asyncio.timeout(self._limits.header_s):
                response = await session.request(
                    method,
                    URL(url, encoded=True),
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    proxy=checked_proxy(proxy) if proxy else None,
                    ssl=secure,
                )
            try:
                content = await _read(response, origin.netloc, max_bytes)
            except BaseException:
                response.close()
                raise
            response.release()
        if response.status >= _FIRST_ERROR:
            content = _without_proof(content, headers)
        return Answer(status=response.status, url=url, headers=response.headers, body=content)

    def _session(self, *, private_too: bool) -> aiohttp.ClientSession:
        session = self._sessions.get(private_too)
        if session is None:
            session = self._sessions[private_too] = _open_session(
                self._guard, self._limits, private_too=private_too
            )
        return session

    def _context(self, access: Access, *, guest: bool) -> ssl.SSLContext:
        """Return the TLS settings of a trust domain; built once each, about 18 ms."""
        own = () if guest else (access.client_cert, access.client_key)
        context = self._contexts.get((access.ca, *own))
        if context is None:
            context = _build_context(access, guest=guest)
            self._contexts[access.ca, *own] = context
        return context


def _open_session(
    guard: AddressGuard, limits: Limits, *, private_too: bool
) -> aiohttp.ClientSession:
    import aiohttp
    from aiohttp.abc import AbstractResolver, ResolveResult

    class GuardedResolver(AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
            return await guard.resolve(host, port, int(family), private_too=private_too)

        async def close(self) -> None:
            """Nothing is held."""

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, resolver=GuardedResolver(), keepalive_timeout=30),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(
            total=limits.total_s, sock_connect=limits.connect_s, sock_read=limits.first_byte_s
        ),
        auto_decompress=False,
        trust_env=False,
        max_line_size=16 << 10,
        max_field_size=16 << 10,
    )


def _build_context(access: Access, *, guest: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    part = "the file of certificate authorities"
    try:
        if access.ca:
            context.load_verify_locations(cafile=access.ca)
        if access.client_cert and not guest:
            part = "the client certificate or its key"
            context.load_cert_chain(access.client_cert, access.client_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{part} cannot be used",
            where=(access.ca if "authorities" in part else access.client_cert) or "",
            hint="Check that the file exists, may be read, and holds PEM",
        ) from error
    return context


async def _read(response: aiohttp.ClientResponse, where: str, max_bytes: int) -> bytes:
    """Return the body, at most `max_bytes` of it; the start of it where it tells of an error."""
    failed = response.status >= _FIRST_ERROR
    bound = min(max_bytes, _ERROR_BODY_BYTES) if failed else max_bytes
    encoding = response.headers.get("Content-Encoding", "identity")
    parts: list[bytes] = []
    size = 0
    if not failed and encoding.lower() not in {"identity", ""}:
        raise TooLargeError(
            f"it answers in {shown(encoding)!r} though we asked for plain content",
            where=where,
            hint="Ask who runs it to leave answers uncompressed",
        )
    while chunk := await response.content.readany():
        parts.append(chunk)
        size += len(chunk)
        if size > bound:
            if failed:
                response.close()
                break
            raise TooLargeError(
                f"the answer is larger than {bound:,} bytes",
                where=where,
                hint="Nothing of it was used",
            )
    return b"".join(parts)[:bound]


def _without_proof(body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return an error's body without the credential that we sent, should it repeat it."""
    proof = headers.get("Authorization", "").rpartition(" ")[2].encode()
    return body.replace(proof, b"***") if proof else body


def _busy(origin: Origin, answer: Answer, tries: int, wait_s: float | None) -> BusyError:
    said = shown(answer.body.decode("utf-8", "replace"))
    asked = "" if wait_s is None else f", asking us to wait {wait_s:.0f} s"
    times = "" if tries == 1 else f", {tries} times"
    return BusyError(
        f"it answered {answer.status}{times}{asked}" + (f": {said}" if said else ""),
        where=origin.netloc,
        hint="Try again later; nothing was decided on its silence",
        status=answer.status,
        wait_s=wait_s,
    )


@asynccontextmanager
async def _translated(where: str, limits: Limits) -> AsyncIterator[None]:
    """Turn what the library raises into our kinds."""
    import aiohttp

    try:
        yield
    except ProductError:
        raise
    except aiohttp.ClientConnectorCertificateError as error:
        raise _untrusted(where, error) from error
    except aiohttp.ClientConnectorError as error:
        raise _unconnected(where, error) from error
    except TimeoutError as error:
        raise ConnectionFaultError(
            f"no whole answer within {limits.header_s:g} s for its start and {limits.total_s:g} s"
            " in all",
            stage="time",
            where=where,
            hint="Check that it is up and that nothing between slows it down",
        ) from error
    except aiohttp.InvalidURL as error:
        raise ConfigError("this address is not understood", where=where) from error
    except (aiohttp.ClientError, OSError, ssl.SSLError) as error:
        if isinstance(error, ssl.SSLCertVerificationError):
            raise _untrusted(where, error) from error
        raise ConnectionFaultError(
            f"the connection broke off ({shown(str(error)) or type(error).__name__})",
            stage="answer",
            where=where,
            hint="Try again; if it stays, ask who runs it",
        ) from error


def _untrusted(where: str, error: Exception) -> UntrustedPeerError:
    cause = getattr(error, "certificate_error", error)
    why = getattr(cause, "verify_message", "") or str(cause)
    return UntrustedPeerError(
        f"its certificate is not trusted: {shown(why)}",
        where=where,
        hint="If its authority is your own, name it with `ca:` for this host",
    )


def _unconnected(where: str, error: aiohttp.ClientConnectorError) -> ConnectionFaultError:
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorDNSError):
        stage, what = "name", "its name cannot be resolved"
    elif isinstance(error, aiohttp.ClientSSLError):
        stage, what = "tls", "no TLS connection could be made"
    elif isinstance(error, aiohttp.ClientProxyConnectionError):
        stage, what = "connect", "the proxy cannot be reached"
    else:
        stage, what = "connect", "it cannot be reached"
    return ConnectionFaultError(
        f"{what} ({shown(str(error.os_error))})",
        stage=stage,
        where=where,
        hint="Check the name, the network, and that it is up",
    )
