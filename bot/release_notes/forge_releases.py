"""Asking forges for releases: few questions, briefly, and never with more rights than readers have.

Only servers of the list in `places` are asked, each address built from ours, redirects followed
on the same origin alone. The configured forge's token goes to that forge alone; with it are read
repositories that everybody may read, and those of the same owner that are shown to no fewer
people than the proposals: a label of a stranger's image must not bring a private repository's
notes before anybody else.

Must not know images.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from bot.errors import AccessError, ProductError, UnavailableError
from bot.http_client.exchange import (
    REDIRECTS,
    Access,
    Answer,
    BusyError,
    ConnectionFaultError,
    RedirectRefusedError,
    TooLargeError,
    next_hop,
    origin_of,
)
from bot.release_notes.places import PUBLIC, Place, Server, server_of
from bot.release_notes.releases import Release, read_releases

if TYPE_CHECKING:
    from bot.config.secret_refs import Secret
    from bot.http_client.client import HttpClient

MAX_PAGES = 2
_MAX_BYTES = 8 << 20
_MANY, _FEW = 100, 20  # releases a page; few where many are too large
_OK = 200
_NO_ENTRY = frozenset({401, 403, 404})
_FORBIDDEN, _TOO_MANY = 403, 429


class _Readers(IntEnum):
    """Who may read a repository, fewest first."""

    MEMBERS = 1
    ACCOUNTS = 2  # whoever is logged in there, or belongs to the enterprise
    EVERYBODY = 3


_READERS = {
    "private": _Readers.MEMBERS,
    "internal": _Readers.ACCOUNTS,
    "public": _Readers.EVERYBODY,
}


class NoReleasesError(AccessError):
    """The repository is not there, or not for everybody; forges do not tell which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnForge:
    """The configured forge: `kind`, address for people, and how it is reached.

    `path` is the repository that the proposals go to, as in its address. `token_header` is where
    the token stands, empty for `Authorization: Bearer`; GitLab's job tokens stand in `JOB-TOKEN`.
    """

    kind: str
    url: str
    path: str = ""
    token: Secret | None = None
    token_header: str = ""
    access: Access = field(default_factory=Access)

    @property
    def headers(self) -> dict[str, str]:
        """Return the header that carries the token."""
        if self.token is None or not self.token:
            return {}
        text = self.token.reveal()
        if self.token_header:
            return {self.token_header: text}
        return {"Authorization": f"Bearer {text}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list; `more` says whether another follows."""

    releases: tuple[Release, ...]
    more: bool


class ForgeReleases:
    """The releases of any repository, each page asked for once in a run."""

    def __init__(
        self, http: HttpClient, *, own: OwnForge | None = None, patience_s: float = 10.0
    ) -> None:
        """Take the door; `patience_s` bounds one question, from connecting to the last byte."""
        self._http = http
        self._own = own
        self._own_server = server_of(own.kind, own.url) if own else None
        self._patience_s = patience_s
        self._flights: dict[tuple[Place, int], asyncio.Lock] = {}
        self._known: dict[tuple[Place, int], Page | ProductError] = {}
        self._readers: dict[Place, _Readers | None] = {}
        self._sizes: dict[Place, int] = {}
        self._tired: dict[tuple[str, bool], ProductError] = {}

    @property
    def servers(self) -> tuple[Server, ...]:
        """Return the servers that may be asked, the configured one first."""
        own = (self._own_server,) if self._own_server else ()
        return tuple(dict.fromkeys((*own, *PUBLIC)))

    async def page(self, place: Place, number: int) -> Page:
        """Return a page of the releases of `place`, newest first, counted from 1.

        Raises:
            NoReleasesError: There is no such repository that everybody may read.
            ProductError: It could not be asked.
        """
        key = (place, number)
        async with self._flights.setdefault(key, asyncio.Lock()):
            if key not in self._known:
                try:
                    self._known[key] = await self._ask_page(place, number)
                except ProductError as error:
                    self._known[key] = error
            known = self._known[key]
        if isinstance(known, ProductError):
            raise known
        return known

    async def _ask_page(self, place: Place, number: int) -> Page:
        login = await self._login(place)
        size = self._sizes.get(place, _MANY)
        try:
            answer = await self._get(place.server, _list_address(place, number, size), login)
        except TooLargeError:
            if number > 1 or size == _FEW:
                raise
            self._sizes[place] = _FEW
            answer = await self._get(place.server, _list_address(place, number, _FEW), login)
        if answer.status in _NO_ENTRY and login and place.server in PUBLIC:
            answer = await self._get(place.server, answer.url, {})  # all may read what is public
        if answer.status in _NO_ENTRY:
            raise NoReleasesError("it is not there, or not for everybody", where=place.web)
        if answer.status != _OK:
            raise UnavailableError(f"it answered {answer.status}", where=place.web)
        try:
            releases = read_releases(answer.body)
        except ValueError as error:
            raise UnavailableError("its answer is no list of releases", where=place.web) from error
        return Page(releases=releases, more='rel="next"' in answer.header("Link"))

    async def _login(self, place: Place) -> Mapping[str, str]:
        """Return the header with which `place` may be read for others to see."""
        own, server = self._own, self._own_server
        if own is None or server is None or place.server != server or not own.headers:
            return {}
        ours = Place(server=server, path=own.path)
        if place.path.lower() == ours.path.lower():
            return own.headers
        fewest = _Readers.EVERYBODY
        if place.owner.lower() == ours.owner.lower():
            fewest = await self._readers_of(ours, own.headers) or fewest
        if fewest is _Readers.MEMBERS:
            return own.headers
        readers = await self._readers_of(place, own.headers)
        return own.headers if readers is not None and readers >= fewest else {}

    async def _readers_of(self, place: Place, login: Mapping[str, str]) -> _Readers | None:
        """Return who may read a repository, `None` where its forge does not say."""
        if place not in self._readers:
            answer = await self._get(place.server, place.api, login)
            told = answer.status == _OK
            self._readers[place] = _readers_in(place.server.kind, answer.body) if told else None
        return self._readers[place]

    async def _get(self, server: Server, url: str, login: Mapping[str, str]) -> Answer:
        """Ask once, within our patience; who is down or had enough is left alone for the run."""
        who = (server.api, bool(login))
        if who in self._tired:
            raise self._tired[who]
        try:
            async with asyncio.timeout(self._patience_s):
                answer = await self._follow(server, url, login)
        except TimeoutError as error:
            self._tired[who] = ConnectionFaultError(
                f"no whole answer within {self._patience_s:g} s",
                stage="time",
                where=origin_of(url).netloc,
                hint="The next run asks again",
            )
            raise self._tired[who] from error
        except ConnectionFaultError as error:
            self._tired[who] = error
            raise
        except BusyError as error:
            if error.status == _TOO_MANY or error.wait_s is not None:
                self._tired[who] = error
            raise
        if answer.status == _FORBIDDEN and _is_limited(answer):
            self._tired[who] = UnavailableError(
                "it lets us ask nothing more for a while", where=origin_of(url).netloc
            )
            raise self._tired[who]
        return answer

    async def _follow(self, server: Server, url: str, login: Mapping[str, str]) -> Answer:
        access = self._own.access if self._own and server == self._own_server else Access()
        for hop in (1, 2):
            answer = await self._http.request(
                "GET",
                url,
                headers={"Accept": "application/json", **login},
                access=access,
                max_bytes=_MAX_BYTES,
                follow=False,
                trial=True,
            )
            if answer.status not in REDIRECTS:
                return answer
            target = next_hop(url, answer, hop)
            if origin_of(target) != origin_of(url):
                break
            url = target
        raise RedirectRefusedError("it sends us to another place", where=origin_of(url).netloc)


def _list_address(place: Place, number: int, size: int) -> str:
    words = {
        "github": f"per_page={size}&page={number}",
        "gitlab": f"per_page={size}&page={number}&order_by=released_at&sort=desc",
        "gitea": f"limit={min(size, 50)}&page={number}&draft=false",  # more than 50 it never gives
    }
    return f"{place.api}/releases?{words[place.server.kind]}"


def _readers_in(kind: str, body: bytes) -> _Readers | None:
    """Return who may read a repository, by what its forge says of it."""
    try:
        row = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    private = row.get("private")
    word = row.get("visibility")
    if kind == "gitea" and isinstance(private, bool):
        word = "private" if private else "internal" if row.get("internal") else "public"
    elif kind == "github" and word is None and isinstance(private, bool):
        word = "private" if private else "public"  # an Enterprise host of old times
    return _READERS.get(word) if isinstance(word, str) else None


def _is_limited(answer: Answer) -> bool:
    """Return whether a refusal is about how much we asked, as GitHub and GitLab tell it."""
    left = answer.header("X-RateLimit-Remaining") or answer.header("RateLimit-Remaining")
    return left.strip() == "0" or bool(answer.header("Retry-After"))
