"""The token service beside a registry that asks for Bearer tokens.

It speaks the distribution project's token protocol: GET with Basic, and the OAuth2 POST with a
password or an identity token. Tokens are JWTs signed with ES256; the real registry checks them.
"""

import base64
import hashlib
import json
import time
import urllib.parse
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from tests.servers.http_thread import HttpThread, Response, SeenRequest


class TokenService(HttpThread):
    """Gives tokens to `users`, and to everyone for pulling what is `public`.

    `lifetime_s` is how long the next tokens live; `asked` keeps what each request asked for.
    """

    service = "pilotfish-test-registry"
    issuer = "pilotfish-test-tokens"

    def __init__(self, users: dict[str, str]) -> None:
        super().__init__()
        self.users = users
        self.public: set[str] = set()
        self.lifetime_s = 300
        self.identity_token = "identity-" + hashlib.sha256(repr(users).encode()).hexdigest()[:16]
        self.asked: list[dict[str, str]] = []
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._key_id = hashlib.sha256(self._public_jwk()["x"].encode()).hexdigest()[:16]

    @property
    def realm(self) -> str:
        """Return the address that the registry's challenge names."""
        return f"{self.url}/token"

    def write_key_set(self, path: Path) -> None:
        """Write the public key as the key set by which the registry checks tokens."""
        own = {**self._public_jwk(), "kid": self._key_id, "use": "sig", "alg": "ES256"}
        path.write_text(json.dumps({"keys": [own]}), encoding="utf-8")

    def respond(self, request: SeenRequest) -> Response:
        if request.path != "/token":
            return Response(status=404)
        form = urllib.parse.parse_qsl(
            request.body.decode() if request.method == "POST" else request.raw_query
        )
        asked = dict(form)
        scopes = [part for name, value in form if name == "scope" for part in value.split()]
        self.asked.append({**asked, "method": request.method, "scope": " ".join(scopes)})
        if request.method == "POST":
            person, known = self._by_form(asked)
        else:
            person, known = self._by_basic(request.headers.get("authorization"))
        if not known:
            body = b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}'
            return Response(status=401, body=body)
        token = self._sign(person, [each for each in scopes if each])
        fields: dict[str, object] = {"expires_in": self.lifetime_s, "access_token": token}
        if request.method == "GET":
            fields["token"] = token
        kind = [("Content-Type", "application/json")]
        return Response(headers=kind, body=json.dumps(fields).encode())

    def _by_basic(self, header: str | None) -> tuple[str | None, bool]:
        if header is None:
            return None, True
        name, _, password = base64.b64decode(header.partition(" ")[2]).decode().partition(":")
        return name, self.users.get(name) == password

    def _by_form(self, asked: dict[str, str]) -> tuple[str | None, bool]:
        if asked.get("grant_type") == "refresh_token":
            known = asked.get("refresh_token") == self.identity_token
            return next(iter(self.users)), known
        name = asked.get("username", "")
        return name, name in self.users and self.users[name] == asked.get("password")

    def _sign(self, person: str | None, scopes: list[str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.service,
            "sub": person or "",
            "iat": now,
            "nbf": now - 10,
            "exp": now + self.lifetime_s,
            "jti": hashlib.sha256(f"{now}{scopes}{len(self.asked)}".encode()).hexdigest()[:16],
            "access": [entry for scope in scopes if (entry := self._grant(person, scope))],
        }
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._key_id})

    def _grant(self, person: str | None, scope: str) -> dict[str, object] | None:
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        wanted = actions.split(",")
        if person is None:
            wanted = ["pull"] if name in self.public and "pull" in wanted else []
        return {"type": kind, "name": name, "actions": wanted} if wanted else None

    def _public_jwk(self) -> dict[str, Any]:
        found: dict[str, Any] = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return found
