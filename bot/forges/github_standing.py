"""Where we stand on GitHub: who we are, what the repository and its branches are like.

Each is asked once, on first use.

Must not know what is proposed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.errors import AccessError
from bot.forges.answers import read_row
from bot.forges.forge import Account, BaseRules, Finding, NotFoundError, Proposal
from bot.forges.github_answers import read_proposal
from bot.forges.github_preflight import find_stumbling_blocks
from bot.forges.github_rules import Settings, read_rules, read_settings, with_scopes

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.forges.answers import Row
    from bot.forges.github_session import GitHubSession

_VIEWER = "query { viewer { login } }"


class GitHubStanding:
    """What the parts of the adapter share."""

    def __init__(self, session: GitHubSession, *, clock: Clock) -> None:
        self.where = session.where
        self._session = session
        self._clock = clock
        self._once = asyncio.Lock()
        self._account: Account | None = None
        self._scopes: str | None = None
        self._settings: Settings | None = None
        self._rules: dict[str, BaseRules] = {}
        self._nodes: dict[int, str] = {}

    @property
    def requests(self) -> int:
        """Return how many requests were sent so far."""
        return self._session.requests

    async def git_token(self) -> str:
        """Return the token that Git pushes with, for the user `x-access-token`."""
        return (await self._session.credential.token()).reveal()

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._session.aclose()

    async def account(self) -> Account:
        """Return who we are there; asked once."""
        async with self._once:
            if self._account is None:
                self._account = await self._ask_account()
            return self._account

    async def _ask_account(self) -> Account:
        kind = self._session.credential.kind
        if kind == "app":
            installed = await self._session.credential.installation()
            return Account(login=installed.login, kind=kind)
        if kind != "installation":
            try:
                reply = await self._session.ask("GET", "/user")
            except NotFoundError:
                raise
            except AccessError as fault:
                if "not accessible by integration" not in fault.what.lower():
                    raise
            else:
                row = read_row(reply.text, place=f"{self.where} (GET /user)")
                self._scopes = reply.headers.get("x-oauth-scopes")
                if kind == "token" and self._scopes is not None:
                    kind = "classic"
                return Account(login=row.text("login"), kind=kind)
        return await self._ask_bot()

    async def _ask_bot(self) -> Account:
        """Tell Actions' own token from an App's: both are refused at /user."""
        viewer = (await self._session.graphql(_VIEWER, {}, writes=False)).row("viewer")
        login = f"{viewer.text('login').removesuffix('[bot]')}[bot]"
        own = login == "github-actions[bot]"
        return Account(login=login, kind="actions" if own else "installation")

    async def rules(self, base: str) -> BaseRules:
        """Return what the base branch demands; asked once for each."""
        settings = await self._known_settings()
        async with self._once:
            if base not in self._rules:
                self._rules[base] = await read_rules(self._session, settings, base)
            return self._rules[base]

    async def _known_settings(self) -> Settings:
        async with self._once:
            if self._settings is None:
                self._settings = await read_settings(self._session)
            return self._settings

    async def preflight(self, base: str) -> list[Finding]:
        """Return what a first run would stumble over: token kind, permissions, settings."""
        try:
            account = await self.account()
            settings = with_scopes(await self._known_settings(), self._scopes)
            rules = await self.rules(base)
            return await find_stumbling_blocks(
                self._session, settings, rules, base=base, kind=account.kind
            )
        except AccessError as fault:
            return [Finding(ok=False, what=fault.what, fix=fault.hint, stops=True)]

    async def proposal(self, number: int) -> Proposal:
        """Return one proposal as it is now."""
        login = (await self.account()).login
        return self._proposal(await self._session.row("GET", f"pulls/{number}"), login)

    def _proposal(self, row: Row, login: str) -> Proposal:
        found = read_proposal(row, path=self._session.path, login=login)
        self._nodes[found.number] = row.text("node_id")
        return found
