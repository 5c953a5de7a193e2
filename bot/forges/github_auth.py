"""Who we are on GitHub: a token as given, or an App's, made, narrowed and renewed here.

An App speaks by a token of its own key only to find where it is installed; everything else goes
by an installation token for the one repository and the permissions that we need (threat G8),
renewed at 80 % of its life and once when it is refused. Token kinds are told by their prefix,
which GitHub documents.

Must not know what the token is used for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.config.secret_refs import Secret
from bot.errors import AccessError, ConfigError
from bot.forges.answers import read_row
from bot.forges.github_faults import fault_of
from bot.forges.sync_door import Ask, Reply
from bot.telemetry import forget_secret, remember_secret

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.forges.answers import Row

_RENEW_AT = 0.8
_SHORTEST_S, _LONGEST_S = 60.0, 3600.0  # GitHub's last an hour; clocks differ (fault FF19)
_KINDS = {
    "ghp_": "classic",
    "github_pat_": "fine-grained",
    "gho_": "oauth",
    "ghu_": "user of an app",
    "ghs_": "installation",
}
_WANTED = {
    "contents": "write",
    "pull_requests": "write",
    "issues": "write",
    "statuses": "write",
    "checks": "read",
    "metadata": "read",
    "actions": "write",  # a workflow is started on branches whose push starts none
    "workflows": "write",  # no push may change a workflow without, and images stand in them too
}
_FIRST_ERROR = 300
_KEPT_MASKED = 2  # the token before the last may still be good for minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubAuth:
    """A token of any kind, or an App by its id and private key in PEM form."""

    token: Secret | None = None
    app_id: str = ""
    private_key: Secret | None = None


@dataclass(slots=True, kw_only=True)
class Installation:
    """Where an App is installed: its `login` as GitHub shows it, and what it was granted."""

    number: int
    login: str
    granted: Mapping[str, str] = field(default_factory=dict)


class Credential:
    """Gives the token to use now. `ask` sends one request; `sign` makes an App's own token."""

    def __init__(
        self,
        auth: GitHubAuth,
        *,
        path: str,
        where: str,
        clock: Clock,
        ask: Callable[[Ask], Awaitable[Reply]],
        sign: Callable[[], str],
    ) -> None:
        app = bool(auth.app_id) and auth.private_key is not None
        if not app and not auth.token:
            raise ConfigError(
                "GitHub needs a token or an App",
                where=where,
                hint="Give one; to push branches alone, choose `forge: {kind: plain}`",
            )
        self._auth = auth
        self._app = app
        self._path = path
        self._where = where
        self._clock = clock
        self._ask = ask
        self._sign = sign
        self._installation: Installation | None = None
        self._token: Secret | None = None
        self._made: list[str] = []
        self._renew_at_s = 0.0
        self._order = asyncio.Lock()

    @property
    def kind(self) -> str:
        """Return `app`, or the kind that a token's prefix tells, else `token`."""
        if self._app:
            return "app"
        text = self._auth.token.reveal() if self._auth.token else ""
        return next((kind for prefix, kind in _KINDS.items() if text.startswith(prefix)), "token")

    async def token(self) -> Secret:
        """Return the token to use now."""
        if self._auth.token is not None and not self._app:
            return self._auth.token
        async with self._order:
            if self._token is None or self._clock.monotonic_s() >= self._renew_at_s:
                self._token = await self._new_token()
            return self._token

    def refused(self) -> bool:
        """Note that the token was refused; return whether a new one can be had."""
        if self._app:
            self._token = None
        return self._app

    async def installation(self) -> Installation:
        """Return where the App is installed; asked once."""
        if self._installation is None:
            row = await self._as_app("GET", f"/repos/{self._path}/installation")
            if row.has("suspended_at"):
                raise AccessError(
                    "the installation of the GitHub App is suspended",
                    where=self._where,
                    hint="Resume it in the settings under GitHub Apps",
                )
            granted = row.row("permissions")
            self._installation = Installation(
                number=row.number("id"),
                login=f"{row.text('app_slug')}[bot]",
                granted={name: granted.text(name) for name in granted.fields()},
            )
        return self._installation

    async def _new_token(self) -> Secret:
        installed = await self.installation()
        wanted = {
            name: level if installed.granted[name] != "read" else "read"
            for name, level in _WANTED.items()
            if name in installed.granted
        }
        row = await self._as_app(
            "POST",
            f"/app/installations/{installed.number}/access_tokens",
            {"repositories": [self._path.rpartition("/")[2]], "permissions": wanted},
        )
        token = Secret(row.text("token"))
        self._made.append(row.text("token"))
        if len(self._made) > _KEPT_MASKED:
            forget_secret(self._made.pop(0))
        life_s = (row.moment("expires_at") - self._clock.now()).total_seconds()
        life_s = min(max(life_s, _SHORTEST_S), _LONGEST_S)
        self._renew_at_s = self._clock.monotonic_s() + _RENEW_AT * life_s
        return token

    async def _as_app(self, method: str, path: str, body: object = None) -> Row:
        signed = await asyncio.to_thread(self._sign)
        place = f"{self._where}, GitHub App {quote(self._auth.app_id)}"
        remember_secret(signed)
        ask = Ask(
            method=method,
            path=path,
            body=body,
            writes=False,  # nothing that anybody sees
            authorization=f"Bearer {signed}",
        )
        try:
            reply = await self._ask(ask)
        finally:
            forget_secret(signed)
        if reply.status >= _FIRST_ERROR:
            raise fault_of(reply, where=place)
        return read_row(reply.text, place=place)
