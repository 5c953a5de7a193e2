"""The door to python-gitlab: its transport alone, with all off that sleeps, repeats or follows.

Used is `http_request`; the object layer above it asks more often than it says and lists twenty
things where there are more. Switched off: waiting out a 429 in the thread, repeating, redirects
(another host would see the token, threat G1), and the time-out of for ever. A token goes as a
bearer, never in a header of GitLab's own that other libraries carry to other hosts; only a CI
job's token knows no other way. Imported late: it costs 0.2 s and 30 MB.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import requests.exceptions
from gitlab import Gitlab
from gitlab.exceptions import GitlabError

from bot.forges.no_answer import checked_ca, told
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
            ssl_verify=checked_ca(ca),
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
        answered = (GitlabError, requests.exceptions.TooManyRedirects)  # which is told below
        with told(self._host), suppress(*answered):
            self._client.http_request(
                ask.method.lower(),
                ask.path,
                query_data=dict(ask.query),
                post_data=_object(ask.body),
                obey_rate_limit=False,
                retry_transient_errors=False,
                max_retries=0,
            )
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
