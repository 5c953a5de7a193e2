"""One repository on GitHub, asked with one credential: paths in, typed rows out.

One call is one request. Lists are paged by number and never by an address of an answer (threat
G2), and end at a bound. A token of ours that is refused is renewed once.

Must not know what a proposal is.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.forges.answers import NotUnderstoodError, Row, read_row, read_rows
from bot.forges.github_address import api_url_of
from bot.forges.github_auth import AppTokens, Credential, GitHubAuth
from bot.forges.github_faults import fault_of, graphql_fault, is_limit
from bot.forges.sync_door import Ask, Gate, Reply, SyncDoor

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.forges.github_library import GitHubLibrary

PAGE = 100
_MAX_PAGES = 10
_OK, _FIRST_ERROR, _UNAUTHORIZED = 200, 300, 401


class GitHubSession:
    """Asks about the repository `path` below `api_url`; opens nothing before the first call."""

    def __init__(
        self,
        *,
        host_url: str,
        path: str,
        auth: GitHubAuth,
        api_url: str,
        ca: str | None,
        clock: Clock,
        gate: Gate,
        tokens: AppTokens,
    ) -> None:
        self.path = path
        self.owner, _, self.name = path.partition("/")
        self.host = urllib.parse.urlsplit(host_url).netloc
        self.where = f"{self.host}/{path}"
        if not self.owner or not self.name or "/" in self.name:
            raise ConfigError(
                "this is no repository of GitHub's",
                where=self.where,
                hint="Write its address as https://HOST/OWNER/NAME",
            )
        self.api_url = (api_url or api_url_of(host_url)).rstrip("/")
        self._auth = auth
        self._ca = ca
        self._clock = clock
        self._library: GitHubLibrary | None = None
        self._door = SyncDoor(
            self._send, clock=clock, gate=gate, where=self.where, limited=is_limit
        )
        self.credential = Credential(
            auth,
            path=self.quoted_path,
            where=self.where,
            clock=clock,
            ask=self._door.ask,
            sign=self._sign,
            tokens=tokens,
        )

    @property
    def requests(self) -> int:
        """Return how many requests were sent so far."""
        return self._door.requests

    @property
    def quoted_path(self) -> str:
        """Return owner and name, fit for an address."""
        return urllib.parse.quote(self.path)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        repeatable: bool = False,
    ) -> Reply:
        """Return a good answer to one request; `path` without `/` is below the repository.

        Raises:
            ProductError: What `fault_of` makes of any other answer.
        """
        full = path if path.startswith("/") else f"/repos/{self.quoted_path}/{path}".rstrip("/")
        ask = Ask(method=method, path=full, query=query or {}, body=body, repeatable=repeatable)
        reply = await self._authorized(ask)
        if not _OK <= reply.status < _FIRST_ERROR:
            raise fault_of(reply, where=f"{self.where} ({method} {full})")
        return reply

    async def row(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        repeatable: bool = False,
    ) -> Row:
        """Return the object that answers one request."""
        reply = await self.ask(method, path, query=query, body=body, repeatable=repeatable)
        return read_row(reply.text, place=f"{self.where} ({method} {path})")

    async def rows(
        self,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        inside: str = "",
        pages: int = _MAX_PAGES,
    ) -> tuple[list[Row], bool]:
        """Return the entries of a list, and whether these are all of them.

        `inside` is the field that holds the list, where it is not the answer itself.
        """
        found: list[Row] = []
        place = f"{self.where} (GET {path})"
        for page in range(1, pages + 1):
            asked = {**(query or {}), "per_page": PAGE, "page": page}
            if page == 1:
                del asked["page"]
            reply = await self.ask("GET", path, query=asked)
            if inside:
                new = read_row(reply.text, place=place).rows(inside)
            else:
                new = read_rows(reply.text, place=place)
            found += new
            if not _more(reply, len(new)):
                return found, True
        return found, False

    async def graphql(
        self, text: str, variables: Mapping[str, object], *, writes: bool = True
    ) -> Row:
        """Return the data that answers a GraphQL request.

        Raises:
            ProductError: What `graphql_fault` makes of its errors.
        """
        place = f"{self.where} (GraphQL)"
        ask = Ask(
            method="POST",
            path=f"{self.api_url.removesuffix('/v3')}/graphql",
            body={"query": text, "variables": dict(variables)},
            writes=writes,
        )
        reply = await self._authorized(ask)
        if reply.status != _OK:
            raise fault_of(reply, where=place)
        answer = read_row(reply.text, place=place)
        if answer.has("errors"):
            errors = answer.rows("errors")
            if not errors:
                raise NotUnderstoodError(place, "errors is empty")
            raise graphql_fault(errors, where=place)
        return answer.row("data")

    async def aclose(self) -> None:
        """Close the connection."""
        if self._library is not None:
            self._library.close()

    async def _authorized(self, ask: Ask) -> Reply:
        reply = await self._door.ask(await self._with_token(ask))
        if reply.status == _UNAUTHORIZED and self.credential.refused():
            reply = await self._door.ask(await self._with_token(ask))
        return reply

    async def _with_token(self, ask: Ask) -> Ask:
        token = await self.credential.token()
        return replace(ask, authorization=f"Bearer {token.reveal()}")

    def _opened(self) -> GitHubLibrary:
        if self._library is None:
            from bot.forges.github_library import GitHubLibrary

            self._library = GitHubLibrary(self.api_url, ca=self._ca)
        return self._library

    def _send(self, ask: Ask) -> Reply:
        return self._opened().send(ask)

    def _sign(self) -> str:
        from bot.forges.github_library import app_token

        key = self._auth.private_key.reveal() if self._auth.private_key else ""
        return app_token(self._auth.app_id, key, now=self._clock.now())


def _more(reply: Reply, count: int) -> bool:
    """Return whether there is a next page: GitHub leaves out of a page what we may not see."""
    return count >= PAGE or 'rel="next"' in reply.header("link")
