"""Who a request of the test GitHub comes from, and what that one may see and do."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers.github_calls import Refusal
from tests.servers.github_state import App, Token
from tests.servers.http_thread import Response

if TYPE_CHECKING:
    from tests.servers.github import GitHub
    from tests.servers.github_calls import Call, Operation
    from tests.servers.github_state import Account
    from tests.servers.http_thread import SeenRequest

_KEY_BITS = 2048
_JWT_LIFE_S = 600
_JWT_SLACK_S = 60
_WORDS = {"fine-grained": "personal access token", "classic": "personal access token"}
_LOGIN = [("WWW-Authenticate", 'Basic realm="GitHub"')]


class Access:
    """The doors of one host."""

    def __init__(self, host: GitHub) -> None:
        self._host = host

    def authenticate(self, request: SeenRequest) -> tuple[Token | None, int | None]:
        """Return the token or, for a JSON web token, the App's id.

        Raises:
            Refusal: There is a credential, and it is none.
        """
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if not kind:
            return None, None
        if kind.lower() == "basic":
            value = _password(value)
        elif value.count(".") == 2:
            return None, self._read_jwt(value)
        return self._find(value), None

    def require(self, request: SeenRequest) -> Token:
        """Return the token of a request that must have one."""
        token, _ = self.authenticate(request)
        if token is None:
            raise Refusal(401, "This endpoint requires you to be authenticated.")
        return token

    def name_of(self, request: SeenRequest) -> str:
        """Return whose credential a request holds, for the record."""
        try:
            token, app = self.authenticate(request)
        except Refusal:
            return "?"
        if token is not None:
            return token.account.login
        return self._host.apps[app].slug if app is not None else ""

    def _find(self, value: str) -> Token:
        token = self._host.tokens.get(value)
        expired = token and token.expires is not None and token.expires <= self._host.now()
        if token is None or token.revoked or expired:
            raise Refusal(401, "Bad credentials")
        return token

    def _read_jwt(self, value: str) -> int:
        try:
            claims = jwt.decode(value, options={"verify_signature": False})
            app = self._host.apps[int(claims["iss"])]
            jwt.decode(
                value,
                app.public_key,
                algorithms=["RS256"],
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
            issued, ends = int(claims["iat"]), int(claims["exp"])
        except (jwt.PyJWTError, KeyError, ValueError):
            raise Refusal(401, "A JSON web token could not be decoded") from None
        now = self._host.now().timestamp()
        if ends <= now:
            raise Refusal(401, "'Expiration time' claim ('exp') is too far in the past")
        if ends > now + _JWT_LIFE_S + _JWT_SLACK_S:
            raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")
        if issued > now + _JWT_SLACK_S:
            raise Refusal(401, "'Issued at' claim ('iat') is in the future")
        return app.id

    def authorise(self, call: Call, operation: Operation) -> None:
        """Find the repository of a call, and refuse what its token may not.

        What may not be seen is not there: 404. What is seen and may not be done is 403.
        """
        if "owner" not in call.parameters:
            return
        full_name = f"{call.parameters['owner']}/{call.parameters['repo']}"
        call.found = self._host.find_repository(full_name)
        if call.app is not None:
            if call.found is None:
                raise Refusal(404, "Not Found")
            return
        asker = call.token.account if call.token else None
        seen = call.token is None or call.token.sees(full_name)
        if call.found is None or not call.found.may(asker, "read") or not seen:
            raise Refusal(404, "Not Found")
        if operation.method != "GET" and call.token is None:
            raise Refusal(401, "Requires authentication")
        if call.token is not None:
            self._check_permission(call.token, operation)
        if operation.method != "GET" and call.found.settings.archived:
            raise Refusal(403, "Repository was archived so is read-only.")
        by_app = call.token is not None and call.token.kind == "installation"
        if not by_app and not call.found.may(asker, operation.role):
            word = "admin rights to" if operation.role == "admin" else "push access to"
            raise Refusal(403, f"Must have {word} repository.")

    def _check_permission(self, token: Token, operation: Operation) -> None:
        level = "read" if operation.method == "GET" else "write"
        wanted = [name for name in operation.needs.split("|") if name]
        if not wanted or any(token.may(name, level) for name in wanted):
            return
        word = _WORDS.get(token.kind, "integration")
        accepted = "; ".join(f"{name}={level}" for name in wanted)
        raise Refusal(
            403,
            f"Resource not accessible by {word}",
            headers=[("x-accepted-github-permissions", accepted)],
        )

    def scopes(self, token: Token | None) -> list[tuple[str, str]]:
        """Return the headers by which a classic token shows its scopes."""
        if token is None or token.kind != "classic":
            return []
        return [("x-oauth-scopes", "repo, workflow"), ("x-accepted-oauth-scopes", "repo")]

    def refuse_git(self, request: SeenRequest) -> Response | None:
        """Return why git may not go on, `None` where it may."""
        name = request.path.partition(".git/")[0].strip("/")
        found = self._host.find_repository(name)
        try:
            token, _ = self.authenticate(request)
        except Refusal:
            return _say(401, "Invalid username or token.")
        writes = "git-receive-pack" in f"{request.path}?{request.raw_query}"
        if token is None and (writes or found is None or found.settings.private):
            return _say(401, "Authentication required.")
        account = token.account if token else None
        sees = token is None or token.sees(name)
        if found is None or not sees or not found.may(account, "read"):
            return _say(404, "Repository not found.")
        if not writes:
            reads = token is None or token.may("contents", "read")
            return None if reads else _say(403, "Read access to repository not granted.")
        if found.settings.archived:
            return _say(403, "This repository was archived so it is read-only.")
        if not found.may(account, "write") or (token and not token.may("contents", "write")):
            return _say(403, "Write access to repository not granted.")
        return None


def make_app(
    slug: str,
    account: Account,
    *,
    number: int,
    installation: int,
    permissions: Mapping[str, str],
    repositories: frozenset[str] | None,
) -> App:
    """Return an App with a key pair of its own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return App(
        id=number,
        slug=slug,
        account=account,
        private_key=private.decode(),
        public_key=public.decode(),
        installation=installation,
        permissions=permissions,
        repositories=repositories,
    )


def _password(encoded: str) -> str:
    try:
        user, _, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return user if password == "x-oauth-basic" else password


def _say(status: int, text: str) -> Response:
    login = _LOGIN if status == 401 else []
    kind = ("Content-Type", "text/plain; charset=utf-8")  # else git does not show the text
    return Response(status=status, headers=[kind, *login], body=f"{text}\n".encode())
