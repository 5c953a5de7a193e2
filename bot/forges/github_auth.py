"""Who we are on GitHub: a token as given, or an App's, made, narrowed and renewed here.

An App speaks by a token of its own key only to find where it is installed; everything else goes
by an installation token for the one repository and the permissions that we need (threat G8),
renewed at 80 % of its life and once when it is refused. What an App was given may outlive the
forge that asked for it (`AppTokens`), so that the runs of an hour share one token. Token kinds are
told by their prefix, which GitHub documents.

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


class AppTokens:
    """What an App was given for one repository: where it is installed and its newest token.

    Texts of tokens are masked from their making on, the newest few of them.
    """

    def __init__(self) -> None:
        self.installation: Installation | None = None
        self.token: Secret | None = None
        self.renew_at_s = 0.0
        self.order = asyncio.Lock()
        self._made: list[str] = []

    @property
    def are_new(self) -> bool:
        """Return whether no token was made so far."""
        return not self._made

    def keep(self, text: str, *, renew_at_s: float) -> Secret:
        """Return a new token, which is the one to use until `renew_at_s`, a monotonic time."""
        self.token, self.renew_at_s = Secret(text), renew_at_s
        self._made.append(text)
        if len(self._made) > _KEPT_MASKED:
            forget_secret(self._made.pop(0))
        return self.token


class Credential:
    """Gives the token to use now. `ask` sends one request; `sign` makes an App's own token.

    `tokens` are those of the App for this repository, from an earlier forge or new.
    """

    def __init__(
        self,
        auth: GitHubAuth,
        *,
        path: str,
        where: str,
        clock: Clock,
        ask: Callable[[Ask], Awaitable[Reply]],
        sign: Callable[[], str],
        tokens: AppTokens,
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
        self._tokens = tokens

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
        async with self._tokens.order:
            kept = self._tokens.token
            if kept is None or self._clock.monotonic_s() >= self._tokens.renew_at_s:
                kept = await self._new_token()
            return kept

    def refused(self) -> bool:
        """Note that the token was refused; return whether a new one can be had."""
        if self._app:
            self._tokens.token = None
        return self._app

    async def installation(self) -> Installation:
        """Return where the App is installed; asked once for each token."""
        if self._tokens.installation is None:
            row = await self._as_app("GET", f"/repos/{self._path}/installation")
            if row.has("suspended_at"):
                raise AccessError(
                    "the installation of the GitHub App is suspended",
                    where=self._where,
                    hint="Resume it in the settings under GitHub Apps",
                )
            granted = row.row("permissions")
            self._tokens.installation = Installation(
                number=row.number("id"),
                login=f"{row.text('app_slug')}[bot]",
                granted={name: granted.text(name) for name in granted.fields()},
            )
        return self._tokens.installation

    async def _new_token(self) -> Secret:
        if not self._tokens.are_new:
            self._tokens.installation = None  # it may have been granted more or less since
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
        text = row.text("token")
        remember_secret(text)
        life_s = (row.moment("expires_at") - self._clock.now()).total_seconds()
        life_s = min(max(life_s, _SHORTEST_S), _LONGEST_S)
        renew_at_s = self._clock.monotonic_s() + _RENEW_AT * life_s
        return self._tokens.keep(text, renew_at_s=renew_at_s)

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
