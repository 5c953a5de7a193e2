"""One registry: how it is reached, what it asks for, and every question put to it.

The first question is the version check of the distribution specification ("Determining
Support"), once, without credentials: it tells whether plain http is spoken, where that is
allowed, and which challenge must be answered, so that the questions after it carry a token at
once. A refusal renews the token once and then tries the next credential; statuses become
errors in three parts.

Must not know what is asked for.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import AccessError, UnavailableError
from bot.http_client.addresses import is_loopback
from bot.http_client.exchange import Access, Answer, ConnectionFaultError, Origin, origin_of
from bot.registry.auth import Asker, Tell, TokenDeniedError, Tokens
from bot.registry.challenge import Challenge, preferred, read_challenges
from bot.registry.docker_config import HUB
from bot.registry.documents import read_error
from bot.telemetry import shown

if TYPE_CHECKING:
    from bot.config.model import RegistrySettings
    from bot.http_client.client import HttpClient
    from bot.registry.credentials import Credentials, Found
    from bot.registry.docker_config import Credential

log = logging.getLogger(__name__)

_HUB_ADDRESS = "registry-1.docker.io"
_MAX_CHECK_BYTES = 1 << 20
_OK, _NOT_MODIFIED = 200, 304
_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 400, 401, 403, 404
_TLS_ONLY = re.compile(rb"(?i)http request.{0,20}https")  # what Go's and nginx's servers say


class DeniedError(AccessError):
    """The registry does not let us in."""


class NotFoundError(AccessError):
    """There is no such thing, or no right to see it: registries do not tell the two apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    method: str
    target: str
    path: str
    headers: Mapping[str, str]
    max_bytes: int


class RegistryHost:
    """One registry of a run; `name` is what stands in references, such as `ghcr.io`."""

    def __init__(
        self,
        name: str,
        *,
        http: HttpClient,
        credentials: Credentials,
        tokens: Tokens,
        settings: RegistrySettings | None,
        tell: Tell | None = None,
    ) -> None:
        self.name = name
        self._http = http
        self._credentials = credentials
        self._tokens = tokens
        self._settings = settings
        self._tell = tell or (lambda _: None)
        self._access = _access_of(settings)
        self._asker: Asker | None = None
        self._challenge: Challenge | None = None
        self._challenges: dict[str, Challenge | None] = {}
        self._lock = asyncio.Lock()
        self.quota = ""

    async def ask(
        self,
        method: str,
        target: str,
        *,
        path: str,
        max_bytes: int,
        headers: Mapping[str, str] | None = None,
        subject: str = "",
        pass_on: frozenset[int] = frozenset(),
    ) -> Answer:
        """Return a good answer (200 or 304, or a status in `pass_on`) to one question.

        `target` is path and query, `path` the repository it is about; `subject` names in
        errors what was asked for.

        Raises:
            DeniedError: 401 or 403, after trying every credential.
            NotFoundError: 404.
            UnavailableError: Down, busy, or an answer that makes no sense.
        """
        asker = await self._introduce()
        found = await self._credentials.find(self.name, path)
        answer: Answer | None = None
        denied: TokenDeniedError | None = None
        used: Credential | None = None
        question = _Question(
            method=method, target=target, path=path, headers=headers or {}, max_bytes=max_bytes
        )
        for credential in found.credentials or (None,):
            used = credential
            try:
                answer = await self._ask_as(asker, credential, question)
            except TokenDeniedError as error:
                denied = error
                continue
            if answer.status not in {_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND}:
                break
        if answer is None:
            raise _with_faults(denied or DeniedError("no credential", where=self.name), found)
        self._note(answer)
        if answer.status in {_OK, _NOT_MODIFIED} or answer.status in pass_on:
            return answer
        raise _with_faults(self._fault(answer, used, subject or path), found)

    async def _ask_as(
        self, asker: Asker, credential: Credential | None, question: _Question
    ) -> Answer:
        """Ask with one credential: unchallenged, challenged, and once more with a new token."""
        fresh = False
        address = f"{asker.origin.scheme}://{asker.origin.netloc}{question.target}"
        while True:
            challenge = self._challenges.get(question.path, self._challenge)
            proof = await self._tokens.authorization(
                asker,
                challenge,
                scope=f"repository:{question.path}:pull",
                credential=credential,
                fresh=fresh,
            )
            answer = await self._http.request(
                question.method,
                address,
                headers={**question.headers, **proof},
                access=self._access,
                max_bytes=question.max_bytes,
            )
            self._tell(f"{question.method} {address}: {answer.status}")
            if answer.status != _UNAUTHORIZED:
                return answer
            asked = preferred(read_challenges(answer.header_list("WWW-Authenticate")))
            same = _same(asked, challenge)
            if asked is None or (same and (fresh or not proof or asked.scheme == "basic")):
                return answer
            if same:
                self._credentials.forget(self.name)
            self._challenges[question.path] = asked
            fresh = same

    async def _introduce(self) -> Asker:
        """Find out scheme and challenge, once."""
        async with self._lock:
            if self._asker is not None:
                return self._asker
            scheme, answer = await self._check()
            self._challenge = preferred(read_challenges(answer.header_list("WWW-Authenticate")))
            asks = self._challenge
            self._tell(
                f"GET {scheme}://{self._address}/v2/: {answer.status}"
                + (f", asks for {asks.scheme.title()}" if asks else "")
                + (f" from {shown(asks.parameters.get('realm', ''))}" if asks else "")
            )
            self._asker = Asker(
                origin=origin_of(f"{scheme}://{self._address}"),
                access=self._access,
                token_hosts=self._settings.token_hosts if self._settings else (),
            )
            return self._asker

    async def _check(self) -> tuple[str, Answer]:
        plain = self._settings is not None and self._settings.insecure
        own_tls = self._access.ca or self._access.client_cert
        guess = is_loopback(origin_of(f"https://{self._address}").host) and not own_tls
        if guess and not plain:
            try:
                answer = await self._version("http", trial=True)
            except UnavailableError as error:
                broken = isinstance(error, ConnectionFaultError) and error.stage == "answer"
                scheme = "https" if broken else "http"
                return scheme, await self._version(scheme)
            if answer.status == _BAD_REQUEST and _TLS_ONLY.search(answer.body):
                return "https", await self._version("https")
            return "http", answer
        scheme = "http" if plain else "https"
        return scheme, await self._version(scheme)

    async def _version(self, scheme: str, *, trial: bool = False) -> Answer:
        return await self._http.request(
            "GET",
            f"{scheme}://{self._address}/v2/",
            headers={"Accept": "application/json"},
            access=self._access,
            max_bytes=_MAX_CHECK_BYTES,
            follow=False,
            trial=trial,
        )

    @property
    def _address(self) -> str:
        return _HUB_ADDRESS if self.name == HUB else self.name.lower()

    @property
    def origin(self) -> Origin | None:
        """Return where the registry is, once it has been asked anything."""
        return self._asker.origin if self._asker else None

    def _note(self, answer: Answer) -> None:
        """Keep the quota that is left, and pass a registry's warning on."""
        if left := answer.header("ratelimit-remaining"):
            limit = answer.header("ratelimit-limit")
            self.quota = shown(f"{left} left of {limit}" if limit else f"{left} left")
        if warning := answer.header("Warning"):
            log.warning("registry warns", extra={"host": self.name, "warning": shown(warning)})
            self._tell(f"the registry warns: {shown(warning)}")

    def _fault(
        self, answer: Answer, credential: Credential | None, subject: str
    ) -> AccessError | UnavailableError:
        code, message = read_error(answer.body)
        said = shown(f"{code} {message}".strip())
        said = f" ({answer.status}: {said})" if said else f" ({answer.status})"
        who = f"with {credential.entry}" if credential else "without a login"
        where = f"{self.name}/{subject}"
        if answer.status == _NOT_FOUND:
            return NotFoundError(
                f"not found, or no right to see it, {who}{said}",
                where=where,
                hint="Check the name; if it is private, log in"
                if credential is None
                else "Check the name, and what this login may read",
            )
        if answer.status in {_UNAUTHORIZED, _FORBIDDEN}:
            return DeniedError(
                f"the registry does not let us in {who}{said}",
                where=where,
                hint="Renew that login, or give it the right to read"
                if credential
                else f"Log in, for instance with `docker login {self.name}`",
            )
        return UnavailableError(
            f"the registry gave an answer that makes no sense here{said}",
            where=where,
            hint="Try again; if it stays, `pilotfish auth test` shows each step",
        )


def _with_faults(
    fault: AccessError | UnavailableError, found: Found
) -> AccessError | UnavailableError:
    """Add what could not be read while looking for a credential: it may be the reason."""
    if found.faults and isinstance(fault, AccessError):
        fault.hint = f"{fault.hint}. Could not be read: {'; '.join(found.faults)}"
    return fault


def _same(a: Challenge | None, b: Challenge | None) -> bool:
    """Answer whether two challenges ask for the same proof, whatever scope they name."""
    if a is None or b is None:
        return a is b
    return a.scheme == b.scheme and all(
        a.parameters.get(key) == b.parameters.get(key) for key in ("realm", "service")
    )


def _access_of(settings: RegistrySettings | None) -> Access:
    if settings is None:
        return Access()
    return Access(
        ca=settings.ca,
        client_cert=settings.client_cert,
        client_key=settings.client_key,
        proxy=settings.proxy,
        concurrency=settings.concurrency,
        rate_per_s=settings.rate_per_s,
    )
