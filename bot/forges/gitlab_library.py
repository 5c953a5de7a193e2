"""The door to python-gitlab: its transport alone, with all off that sleeps, repeats or follows.

Used is `http_request`; the object layer above it asks more often than it says and lists twenty
things where there are more. Switched off: waiting out a 429 in the thread, repeating, redirects
(another host would see the token, threat G1), and the time-out of for ever. A token goes as a
bearer, never in a header of GitLab's own that other libraries carry to other hosts; only a CI
job's token knows no other way. Imported late: it costs 0.2 s and 30 MB.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import requests.exceptions
from gitlab import Gitlab
from gitlab.exceptions import GitlabError
from urllib3.exceptions import MaxRetryError, NewConnectionError

from bot.errors import AccessError
from bot.forges.sync_door import TIMEOUT_S, Ask, CutError, Reply
from bot.version import __version__

if TYPE_CHECKING:
    from requests import Response

    from bot.config.secret_refs import Secret


class GitLabLibrary:
    """Sends one request at a time to one host; blocks. `job` tells a CI job's token."""

    def __init__(self, host_url: str, token: Secret, *, job: bool, ca: str | None) -> None:
        logging.getLogger("gitlab").setLevel(logging.INFO)
        self._host = host_url.partition("://")[2]
        self._client = Gitlab(
            host_url,
            oauth_token=None if job else token.reveal(),
            job_token=token.reveal() if job else None,
            ssl_verify=ca if ca is not None else True,
            timeout=TIMEOUT_S,
            user_agent=f"pilotfish/{__version__}",
        )
        self._last: Response | None = None
        self._client.session.max_redirects = 0
        self._client.session.hooks["response"].append(self._note)

    def send(self, ask: Ask) -> Reply:
        """Return the answer, whatever its status.

        Raises:
            CutError: There is none.
            AccessError: The certificate of the other side is not trusted.
        """
        self._last = None
        try:
            self._client.http_request(
                ask.method.lower(),
                ask.path,
                query_data=dict(ask.query),
                post_data=_object(ask.body),
                obey_rate_limit=False,
                retry_transient_errors=False,
                max_retries=0,
            )
        except (GitlabError, requests.exceptions.TooManyRedirects):
            pass  # it has answered, which is told below
        except requests.exceptions.SSLError as fault:
            raise AccessError(
                "its certificate is not trusted",
                where=self._host,
                hint="Name the authority that signed it with `ca`",
            ) from fault
        except requests.exceptions.Timeout as fault:
            raise CutError(
                f"no answer within {TIMEOUT_S} s",
                hint="Check that the forge can be reached from here",
                sent=not isinstance(fault, requests.exceptions.ConnectTimeout),
            ) from fault
        except requests.exceptions.RequestException as fault:
            sent = not _never_sent(fault)
            raise CutError(
                "the connection was cut" if sent else "it cannot be reached",
                hint="Check that the forge can be reached from here",
                sent=sent,
            ) from fault
        return self._reply()

    def close(self) -> None:
        """Close the connection."""
        self._client.session.close()

    def _note(self, response: Response, *_: object, **__: object) -> None:
        self._last = response  # the library's errors keep no headers

    def _reply(self) -> Reply:
        response = self._last
        if response is None:
            raise CutError("no answer came", hint="The next run tries again")
        headers = {name.lower(): value for name, value in response.headers.items()}
        text = response.content.decode("utf-8", "replace")
        return Reply(status=response.status_code, headers=headers, text=text)


def _object(body: object) -> dict[str, Any] | None:
    return dict(body) if isinstance(body, dict) else None


def _never_sent(fault: Exception) -> bool:
    """Return whether the connection was never made: a name, a port, a proxy."""
    if isinstance(fault, requests.exceptions.ProxyError):
        return True
    cause = fault.args[0] if fault.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
