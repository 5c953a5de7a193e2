"""One project on GitLab, asked with one token: paths in, typed rows out.

One call is one request. Lists are paged by number and never by an address of an answer (threat
G2), and end at a bound. A project is named by its path with every group, quoted, so that no
answer decides what is asked next.

Must not know what a proposal is.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from bot.errors import ConfigError, RefusedError
from bot.forges.answers import Row, read_row, read_rows
from bot.forges.gitlab_faults import fault_of
from bot.forges.sync_door import Ask, Gate, Reply, SyncDoor

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.config.secret_refs import Secret
    from bot.forges.gitlab_library import GitLabLibrary

PAGE = 100
_MAX_PAGES = 10
_OK, _FIRST_ERROR = 200, 300


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLabAuth:
    """What we show at the door.

    `private` is a personal, project or group access token, `job` the CI_JOB_TOKEN of a running
    job, `oauth` a token of an OAuth application.
    """

    token: Secret = field(repr=False)
    kind: Literal["private", "job", "oauth"] = "private"


class GitLabSession:
    """Asks about the project `path` of the host; opens nothing before the first call."""

    def __init__(
        self,
        *,
        host_url: str,
        path: str,
        auth: GitLabAuth,
        ca: str | None,
        clock: Clock,
        gate: Gate,
    ) -> None:
        self.host_url = host_url.rstrip("/")
        self.path = path.strip("/")
        self.auth = auth
        self.where = f"{urllib.parse.urlsplit(self.host_url).netloc}/{self.path}"
        if "/" not in self.path:
            raise ConfigError(
                "this is no project of GitLab's",
                where=self.where,
                hint="Write its address as https://HOST/GROUP/NAME, with every subgroup",
            )
        self._ca = ca
        self._library: GitLabLibrary | None = None
        self._door = SyncDoor(self._send, clock=clock, gate=gate, where=self.where)

    @property
    def requests(self) -> int:
        """Return how many requests were sent so far."""
        return self._door.requests

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, object] | None = None,
        repeatable: bool = False,
    ) -> Reply:
        """Return a good answer to one request; `path` without `/` is below the project.

        Raises:
            ProductError: What `fault_of` makes of any other answer.
        """
        project = urllib.parse.quote(self.path, safe="")
        full = path if path.startswith("/") else f"/projects/{project}/{path}".rstrip("/")
        ask = Ask(
            method=method,
            path=full,
            query=query or {},
            body=dict(body) if body is not None else None,
            repeatable=repeatable,
        )
        reply = await self._door.ask(ask)
        if not _OK <= reply.status < _FIRST_ERROR:
            raise fault_of(reply, where=self._place(method, path), job=self.auth.kind == "job")
        return reply

    async def row(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, object] | None = None,
        repeatable: bool = False,
    ) -> Row:
        """Return the object that answers one request."""
        reply = await self.ask(method, path, query=query, body=body, repeatable=repeatable)
        return read_row(reply.text, place=self._place(method, path))

    async def rows(
        self,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        pages: int = _MAX_PAGES,
    ) -> tuple[list[Row], bool]:
        """Return the entries of a list, and whether these are all of them."""
        found: list[Row] = []
        for page in range(1, pages + 1):
            new, whole = await self.page(path, query or {}, page=page)
            found += new
            if whole:
                return found, True
        return found, False

    async def page(
        self, path: str, query: Mapping[str, str | int], *, page: int
    ) -> tuple[list[Row], bool]:
        """Return one page of a list, counted from 1, and whether it is the last."""
        reply = await self.ask("GET", path, query={**query, "per_page": PAGE, "page": page})
        rows = read_rows(reply.text, place=self._place("GET", path))
        return rows, not _more(reply, len(rows))

    async def graphql(self, query: str) -> Row:
        """Return the data that answers a GraphQL query, which changes nothing.

        Raises:
            ProductError: What `fault_of` makes of its refusal; `RefusedError` for its errors.
        """
        place = f"{self.where} (GraphQL)"
        url = f"{self.host_url}/api/graphql"
        reply = await self._door.ask(
            Ask(method="POST", path=url, body={"query": query}, writes=False)
        )
        if reply.status != _OK:
            raise fault_of(reply, where=place, job=self.auth.kind == "job")
        answer = read_row(reply.text, place=place)
        if answer.has("errors"):
            raise RefusedError(
                "GitLab does not tell it by GraphQL",
                where=place,
                hint="Update GitLab, or give a token with the scope api",
            )
        return answer.row("data")

    async def aclose(self) -> None:
        """Close the connection."""
        if self._library is not None:
            self._library.close()

    def _place(self, method: str, path: str) -> str:
        return f"{self.where} ({method} {path})" if path else self.where

    def _send(self, ask: Ask) -> Reply:
        if self._library is None:
            from bot.forges.gitlab_library import GitLabLibrary

            self._library = GitLabLibrary(
                self.host_url, self.auth.token, job=self.auth.kind == "job", ca=self._ca
            )
        return self._library.send(ask)


def _more(reply: Reply, count: int) -> bool:
    """Return whether there is a next page; the header may have been lost on the way."""
    if "x-next-page" in reply.headers:
        return bool(reply.header("x-next-page").strip())
    return count >= PAGE
