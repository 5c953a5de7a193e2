"""How Gitea and Forgejo are asked: one repository below their API, one token, over our HTTP door.

Addresses are built from the operator's host and from numbers and names, never from answers, and
no redirect is followed (threat G2). The token travels in the `Authorization` header and nowhere
else. Statuses become errors here; retries, time-outs and `Retry-After` are the HTTP door's. It
repeats reads, and writes only where sending twice does no more than sending once.

Must not know what is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from bot.errors import AccessError, ConflictError, ProductError, RefusedError
from bot.forges.answers import NotUnderstoodError, Row, read_row, read_rows
from bot.forges.forge import NotFoundError, RateLimitedError
from bot.http_client.exchange import BusyError
from bot.telemetry import shown

if TYPE_CHECKING:
    from bot.config.secret_refs import Secret
    from bot.http_client.client import HttpClient
    from bot.http_client.exchange import Access, Answer

PAGE = 50  # Gitea's own bound of a page (`[api] MAX_RESPONSE_ITEMS`); a smaller one is met as well
_MAX_BYTES = 64 << 20  # fifty proposals with bodies of other people, which Gitea does not bound
_CONFLICTS = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class GiteaAuth:
    """An access token, or the token of an Actions job."""

    token: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer, at `place`."""

    status: int
    text: str
    total: int | None
    place: str

    def row(self) -> Row:
        """Return the object that was answered."""
        return read_row(self.text, place=self.place)

    def rows(self) -> list[Row]:
        """Return the list that was answered."""
        return read_rows(self.text, place=self.place)

    @property
    def says(self) -> str:
        """What an error's body says, fit for a person's eyes."""
        try:
            found = json.loads(self.text)
        except (ValueError, RecursionError):
            return shown(self.text)
        said = found.get("message", "") if isinstance(found, dict) else ""
        return shown(said) if isinstance(said, str) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Rows of a listing from its start, and how many there are where the forge says so."""

    rows: list[Row]
    total: int | None
    pages: int

    @property
    def whole(self) -> bool:
        """Whether these are all."""
        return self.total is not None and len(self.rows) >= self.total


class GiteaDoor:
    """Asks about one repository; paths are below it unless they begin with a slash."""

    def __init__(
        self, http: HttpClient, host_url: str, path: str, *, auth: GiteaAuth, access: Access
    ) -> None:
        self.requests = 0
        self.web = f"{host_url.rstrip('/')}/{quote(path)}"
        self.where = self.web.partition("://")[2]
        self._api = f"{host_url.rstrip('/')}/api/v1"
        self._repository = f"/repos/{quote(path)}"
        self._http = http
        self._auth = auth
        self._access = access

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        fields: Mapping[str, object] | None = None,
        passing: frozenset[int] = frozenset(),
        repeatable: bool | None = None,
    ) -> Reply:
        """Return a good answer, or one whose status is in `passing`.

        Raises:
            AccessError: The token is not let in, or may not do this; `NotFoundError` for 404.
            ConflictError: 409 or 412: it is not as we thought.
            RefusedError: Any other refusal.
            UnavailableError: Down, busy, or not understood.
        """
        below = path if path.startswith("/") else f"{self._repository}/{path}".rstrip("/")
        place = f"{self.where}, {method} {below}"
        url = f"{self._api}{below}" + (f"?{urlencode(query)}" if query else "")
        headers = {
            "Accept": "application/json",
            "Authorization": f"token {self._auth.token.reveal()}",
        }
        body = None
        if fields is not None:
            body = json.dumps(fields).encode()
            headers["Content-Type"] = "application/json"
        self.requests += 1
        try:
            answer = await self._http.request(
                method,
                url,
                headers=headers,
                max_bytes=_MAX_BYTES,
                access=self._access,
                body=body,
                follow=False,
                repeatable=repeatable,
            )
        except BusyError as busy:
            raise _limited(busy, place) from busy
        reply = _reply(answer, place)
        if answer.status < HTTPStatus.MULTIPLE_CHOICES or answer.status in passing:
            return reply
        raise _fault(reply, self.where)

    async def pages(
        self,
        path: str,
        query: Mapping[str, str | int] | None = None,
        *,
        at_most: int,
        after: Pages | None = None,
    ) -> Pages:
        """Return the rows of a listing, page by page, until there are `at_most` or all of them.

        `after` is how far it was read before.
        """
        rows = list(after.rows) if after else []
        page = after.pages if after else 0
        while True:
            page += 1
            asked = {**(query or {}), "limit": PAGE, "page": page}
            reply = await self.ask("GET", path, query=asked)
            found = reply.rows()
            rows += found
            total = reply.total if reply.total is not None or found else len(rows)
            if not found or len(rows) >= at_most or (total is not None and len(rows) >= total):
                return Pages(rows=rows, total=total, pages=page)


def _reply(answer: Answer, place: str) -> Reply:
    try:
        text = answer.body.decode()
    except UnicodeDecodeError as error:
        if answer.status < HTTPStatus.BAD_REQUEST:
            raise NotUnderstoodError(place, "it is no text") from error
        text = answer.body.decode(errors="replace")  # of an error only the start is read
    total = answer.header("X-Total-Count").strip()
    return Reply(
        status=answer.status,
        text=text,
        total=int(total) if total.isascii() and total.isdecimal() else None,
        place=place,
    )


def _limited(busy: BusyError, place: str) -> ProductError:
    if busy.status != HTTPStatus.TOO_MANY_REQUESTS:
        return busy
    return RateLimitedError(
        "the forge's rate limit is used up",
        where=place,
        hint="The next run goes on by itself; fewer runs an hour would avoid it",
        wait_s=busy.wait_s,
    )


def _fault(reply: Reply, repository: str) -> ProductError:
    """Return the error for an answer that nobody asked to see."""
    said = f": {reply.says}" if reply.says else ""
    match reply.status:
        case HTTPStatus.UNAUTHORIZED:
            return AccessError(
                f"the forge does not accept the token{said}",
                where=reply.place,
                hint="It is wrong, expired or revoked: make another one and put it in its place",
            )
        case HTTPStatus.FORBIDDEN:
            return AccessError(
                f"the token may not do this{said}", where=reply.place, hint=_missing_right(reply)
            )
        case HTTPStatus.NOT_FOUND:
            return NotFoundError(
                f"not found, or no permission to see it; the forge does not tell which{said}",
                where=reply.place,
                hint=f"Check that {repository} is there and that the token's account may see it",
            )
        case HTTPStatus.LOCKED:
            return AccessError(
                f"the repository is archived{said}",
                where=reply.place,
                hint="Take it out of the archive, or leave it out of what is watched",
            )
    if reply.status < HTTPStatus.BAD_REQUEST:
        return AccessError(
            f"the forge sends us elsewhere ({reply.status})",
            where=reply.place,
            hint="The repository was renamed or moved: write down its new address",
        )
    if reply.status in _CONFLICTS:
        return ConflictError(
            f"the forge says that it is not as we thought{said or f' ({reply.status})'}",
            where=reply.place,
            hint="It is planned again",
        )
    return RefusedError(
        f"the forge refuses{said or f' with status {reply.status}'}",
        where=reply.place,
        hint="Its message says why",
    )


def _missing_right(reply: Reply) -> str:
    if "scope" in reply.says:
        return "Give the token the scopes read:user, write:repository and write:issue"
    return "Give the token's account the right to write, for commands and rules that to administer"
