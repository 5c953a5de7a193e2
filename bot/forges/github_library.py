"""The door to PyGithub: its transport alone, with everything off that sleeps, repeats or guesses.

Used are the requester (addresses, connections, authorisation, JSON out) and the signing of an
App's token. The object layer above it asks more often than it says and follows addresses from
answers. Switched off: the pauses between requests, the retries that sleep in the thread, the
following of a 301, which loses the query, and the netrc file. Imported late: it costs half a
second and 50 MB.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import requests.exceptions
from github import Auth, Github
from urllib3 import Retry

from bot.errors import ConfigError
from bot.forges.no_answer import checked_ca, told
from bot.forges.sync_door import TIMEOUT_S, Ask, Reply
from bot.version import __version__

if TYPE_CHECKING:
    from datetime import datetime

_API_VERSION = "2022-11-28"
_MOVED = 301
_JWT_PAST_S, _JWT_LIFE_S = 60, 540  # clocks differ; ten minutes are the most that GitHub takes


class _Authorization(Auth.Auth):
    """The value of the header for the request under way; PyGithub masks it in its log."""

    def __init__(self) -> None:
        self.value = ""

    @property
    def token_type(self) -> str:
        return self.value.partition(" ")[0]

    @property
    def token(self) -> str:
        return self.value.partition(" ")[2]


class GitHubLibrary:
    """Sends one request at a time to one API address; blocks."""

    def __init__(self, api_url: str, *, ca: str | None) -> None:
        logging.getLogger("github").setLevel(logging.INFO)  # below that it writes bodies down
        self._authorization = _Authorization()
        client = Github(
            base_url=api_url,
            auth=self._authorization,
            timeout=TIMEOUT_S,
            user_agent=f"pilotfish/{__version__}",
            verify=checked_ca(ca),
            retry=Retry(
                total=0,
                status_forcelist=[_MOVED],
                allowed_methods=None,
                respect_retry_after_header=False,
            ),
            pool_size=1,
            seconds_between_requests=None,
            seconds_between_writes=None,
            api_version=_API_VERSION,
        )
        self._requester = client.requester

    def send(self, ask: Ask) -> Reply:
        """Return the answer, whatever its status.

        Raises:
            CutError: There is none.
            AccessError: The certificate of the other side is not trusted.
        """
        self._authorization.value = ask.authorization
        try:
            with told(self._requester.hostname_and_port):
                return self._answered(ask)
        finally:
            self._authorization.value = ""

    def _answered(self, ask: Ask) -> Reply:
        try:
            status, headers, text = self._requester.requestJson(
                ask.method, ask.path, parameters=dict(ask.query), input=ask.body
            )
        except requests.exceptions.RetryError:
            return Reply(status=_MOVED, headers={}, text="")
        return Reply(status=status, headers=headers, text=text)

    def close(self) -> None:
        """Close the connection."""
        self._requester.close()


def app_token(app_id: str, private_key: str, *, now: datetime) -> str:
    """Return the token by which an App speaks for itself, for nine minutes.

    Raises:
        ConfigError: The key is no RSA key in PEM form.
    """
    moment = int(now.timestamp())
    claims = {"iat": moment - _JWT_PAST_S, "exp": moment + _JWT_LIFE_S, "iss": app_id}
    try:
        signed = Auth.AppAuth.create_jwt_sign(private_key, "RS256")(claims)
    except Exception as fault:  # the signer's errors have no common class
        raise ConfigError(
            "the private key of the GitHub App cannot be used",
            where="forge.app",
            hint="Give the file that GitHub made, an RSA key in PEM form, whole",
        ) from fault
    return signed.decode() if isinstance(signed, bytes) else signed
