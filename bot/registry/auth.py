"""Tokens: asked for once, kept until shortly before they end, and only from whom we trust.

The distribution project's token protocol: GET with Basic, or POST with a refresh token for
identity tokens (`peers.md` 6.3). One flight for each question; a token serves for one registry,
scope and credential. The token service never redirects us, and a foreign one is asked
anonymously (threats R1, R3; faults FR10, FR11).

Must not know what the tokens are used for.
"""

from __future__ import annotations

import asyncio
import base64
import json
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.config.secret_refs import Secret
from bot.errors import AccessError, ConfigError, UnavailableError
from bot.http_client.addresses import is_loopback
from bot.http_client.exchange import Access, Answer, Origin, origin_of
from bot.registry.challenge import Challenge, RealmTrust, trust_in_realm
from bot.registry.documents import read_error
from bot.telemetry import shown

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.http_client.client import HttpClient
    from bot.registry.docker_config import Credential

Tell = Callable[[str], None]

_MAX_ANSWER_BYTES = 1 << 20
_SHORTEST_LIFE_S = 60.0  # the protocol's default when `expires_in` is absent
_LONGEST_LIFE_S = 12 * 3600.0
_USED_SHARE = 0.85  # renewed before it ends, `peers.md` row 8
_OK = 200
_DENIED = frozenset({400, 401, 403})


class TokenDeniedError(AccessError):
    """The token service does not give us a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The registry on whose behalf tokens are asked for."""

    origin: Origin
    access: Access
    token_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    """A token; not a `Secret`, which is remembered for ever, since there are many of them."""

    text: str = field(repr=False)
    until_s: float


class Tokens:
    """Every token of a run."""

    def __init__(self, http: HttpClient, *, clock: Clock, tell: Tell | None = None) -> None:
        self._http = http
        self._clock = clock
        self._tell = tell or (lambda _: None)
        self._kept: dict[tuple[str, ...], _Token] = {}
        self._flights: dict[tuple[str, ...], asyncio.Lock] = {}

    async def authorization(
        self,
        asker: Asker,
        challenge: Challenge | None,
        *,
        scope: str,
        credential: Credential | None,
        fresh: bool = False,
    ) -> dict[str, str]:
        """Return the header that answers `challenge`; empty when there is nothing to say.

        `fresh` throws away what is kept: it was refused.

        Raises:
            TokenDeniedError: The token service refuses, or may not be asked.
            UnavailableError: It is down, busy, or talks nonsense.
        """
        if challenge is None:
            return {}
        if challenge.scheme == "basic":
            return {"Authorization": _basic(credential)} if credential else {}
        if credential is not None and credential.registry_token is not None:
            return {"Authorization": f"Bearer {credential.registry_token.reveal()}"}
        realm = challenge.parameters["realm"]
        service = challenge.parameters.get("service", "")
        entry = credential.entry if credential else ""
        key = (asker.origin.scheme, asker.origin.netloc, realm, service, scope, entry)
        async with self._flights.setdefault(key, asyncio.Lock()):
            token = self._kept.get(key)
            if token is None or fresh or token.until_s <= self._clock.monotonic_s():
                token = await self._ask(asker, realm, service, scope, credential)
                self._kept[key] = token
        return {"Authorization": f"Bearer {token.text}"}

    async def _ask(
        self, asker: Asker, realm: str, service: str, scope: str, credential: Credential | None
    ) -> _Token:
        trust, place = _judge(asker, realm)
        if trust is RealmTrust.REFUSED:
            raise TokenDeniedError(
                f"its token service is at {shown(realm)}, which is not https",
                where=asker.origin.netloc,
                hint="Nothing was sent there; ask who runs the registry",
            )
        if trust is RealmTrust.NOTHING and credential is not None:
            self._tell(
                f"{place.netloc} belongs to another host than {asker.origin.netloc}:"
                " asked without the credential; list it in token-hosts if it is yours"
            )
            credential = None
        own = place == asker.origin
        access = (
            asker.access
            if own
            else Access(ca=asker.access.ca, proxy=asker.access.proxy, asked_by=asker.origin.host)
        )
        identity = credential.identity_token if credential else None
        if identity is not None:
            form = {
                "grant_type": "refresh_token",
                "service": service,
                "client_id": "pilotfish",
                "scope": scope,
                "refresh_token": identity.reveal(),
            }
            answer = await self._http.request(
                "POST",
                realm,
                headers={
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Accept": "application/json",
                },
                body=urllib.parse.urlencode(form).encode(),
                access=access,
                max_bytes=_MAX_ANSWER_BYTES,
                follow=False,
                repeatable=True,
            )
        else:
            headers = {"Accept": "application/json"}
            if credential is not None:
                headers["Authorization"] = _basic(credential)
            answer = await self._http.request(
                "GET",
                token_address(realm, service=service, scope=scope),
                headers=headers,
                access=access,
                max_bytes=_MAX_ANSWER_BYTES,
                follow=False,
            )
        how = f"with {credential.entry}" if credential else "without a login"
        self._tell(f"token for {scope} from {place.netloc}, {how}: {answer.status}")
        return self._read(answer, place, credential, how)

    def _read(
        self, answer: Answer, place: Origin, credential: Credential | None, how: str
    ) -> _Token:
        if answer.status in _DENIED:
            code, message = read_error(answer.body)
            said = shown(f"{code} {message}".strip())
            raise TokenDeniedError(
                f"the token service refused us {how} ({answer.status}{': ' if said else ''}{said})",
                where=place.netloc,
                hint="Renew that credential"
                if credential
                else "Log in to this registry, for instance with `docker login`",
            )
        try:
            fields = json.loads(answer.body) if answer.status == _OK else {}
            text = fields.get("token") or fields.get("access_token")
            stated = fields.get("expires_in")
        except (ValueError, AttributeError, RecursionError):
            text, stated = None, None
        if not isinstance(text, str) or not text.isascii() or not text.isprintable():
            raise UnavailableError(
                f"the token service answered {answer.status} without a token",
                where=place.netloc,
                hint="Try again later, or ask who runs the registry",
            )
        life_s = float(stated) if isinstance(stated, int | float) else 0.0
        life_s = min(max(life_s, _SHORTEST_LIFE_S), _LONGEST_LIFE_S)
        until_s = self._clock.monotonic_s() + life_s * _USED_SHARE
        return _Token(text=text, until_s=until_s)


def token_address(realm: str, *, service: str, scope: str) -> str:
    """Return where to GET a token: the realm, its own parameters kept, scope and service added."""
    parts = urllib.parse.urlsplit(realm)
    query = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
    query = [(name, value) for name, value in query if name not in {"scope", "service"}]
    query += [(n, v) for n, v in (("scope", scope), ("service", service)) if v]
    return urllib.parse.urlunsplit(
        parts._replace(query=urllib.parse.urlencode(query, safe=":/*,"), fragment="")
    )


def _judge(asker: Asker, realm: str) -> tuple[RealmTrust, Origin]:
    try:
        place = origin_of(realm)
    except ConfigError as error:
        raise TokenDeniedError(
            f"its token service has no address that can be asked: {shown(realm)}",
            where=asker.origin.netloc,
            hint="Ask who runs the registry",
        ) from error
    trust = trust_in_realm(
        scheme=place.scheme,
        netloc=place.netloc,
        loopback=is_loopback(place.host),
        registry_scheme=asker.origin.scheme,
        registry=asker.origin.netloc,
        token_hosts=asker.token_hosts,
    )
    return trust, place


def _basic(credential: Credential) -> str:
    password = credential.password.reveal() if credential.password else ""
    pair = f"{credential.username}:{password}".encode()
    return "Basic " + Secret(base64.b64encode(pair).decode()).reveal()
