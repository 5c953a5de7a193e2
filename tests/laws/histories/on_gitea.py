"""Histories on a real Gitea, which we reach through a server of our own that does the harm."""

import asyncio
import http.client
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.config.secret_refs import Secret
from tests.bot.forges.harness_gitea import GiteaFace, people_of
from tests.laws.histories.stage import HOOK, PAUSED, Move, Seen, read_moves
from tests.laws.histories.wire import Wire
from tests.servers.gitea import Gitea
from tests.servers.http_thread import HttpThread, Response, SeenRequest
from tests.servers.remote import Remote

BOT = "pilotfish-bot"
_TIMEOUT_S = 30
_ASKED = ("authorization", "accept", "content-type", "content-encoding", "git-protocol")
_ANSWERED = ("content-type", "www-authenticate", "x-total-count")


class GiteaProxy(HttpThread):
    """Passes every request on to a Gitea, whole."""

    def __init__(self, gitea: Gitea) -> None:
        super().__init__()
        self.gitea = gitea
        self.wire = Wire()
        self._context = ssl.create_default_context(cafile=gitea.ca_file)

    def respond(self, request: SeenRequest) -> Response | None:
        return self.wire.carry(request, self._pass_on)

    def _pass_on(self, request: SeenRequest) -> Response:
        connection = http.client.HTTPSConnection(
            self.gitea.host, timeout=_TIMEOUT_S, context=self._context
        )
        headers = {name: request.headers[name] for name in _ASKED if name in request.headers}
        path = f"{request.path}?{request.raw_query}" if request.raw_query else request.path
        try:
            connection.request(request.method, path, body=request.body or None, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        kept = [(name, answer.headers[name]) for name in _ANSWERED if name in answer.headers]
        return Response(status=answer.status, headers=kept, body=body)


class HastyClock:
    """The time of day; a wait passes at once, and durations count it."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        self.ahead_s += seconds
        await asyncio.sleep(0)


class StandingRepository(Remote):
    """A repository that the forge itself made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name.removesuffix(".git")
        self._url_http = None
        self._url_ssh = None


class OnGitea:
    """One repository of a real Gitea."""

    kind = "gitea"
    has_forge = True
    refuses_doubles = False

    def __init__(self, proxy: GiteaProxy, name: str) -> None:
        proxy.requests.clear()
        self.wire = proxy.wire = Wire()
        people = people_of(proxy.gitea)
        self.people = GiteaFace(proxy.gitea, name, people)
        self.bare = StandingRepository(proxy.gitea.folder_of(self.people.path))
        only_ours = f'[ "$GITEA_PUSHER_NAME" = {BOT} ] || exit 0'
        self.bare.hook("post-receive.d/histories", f"{only_ours}\n{HOOK}")
        self.url = f"{proxy.url}/{self.people.path}.git"
        self.forge = f"{{kind: gitea, url: {proxy.url}}}"
        self.token = Secret(people[BOT].token)
        self.clock = HastyClock()

    def _pulls(self) -> list[Any]:
        found = self.people.api("GET", "/pulls?state=all&limit=50")
        return sorted(found, key=lambda one: int(one["number"]))

    def ours(self) -> list[Seen]:
        return [
            Seen(
                number=int(one["number"]),
                branch=str(one["head"]["label"]),
                base=str(one["base"]["ref"]),
                head=str(one["head"]["sha"]),
                body=str(one["body"]),
                is_open=one["state"] == "open",
                merged=bool(one["merged"]),
                paused=PAUSED in {label["name"] for label in one["labels"]},
            )
            for one in self._pulls()
            if one["user"]["login"] == BOT
        ]

    def moves(self) -> list[Move]:
        moves = read_moves(self.bare)
        return [one for one in moves if not one.ref.startswith("refs/pull/")]  # Gitea's own

    def push(self, branch: str, files: Mapping[str, bytes], *, date: str) -> str:
        assert date
        time.sleep(1.0 - time.time() % 1.0)  # a comment is dated by whole seconds
        self.people.made.date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self.people.commit(branch, files)

    def retarget(self, number: int) -> None:
        self.people.api("PATCH", f"/pulls/{number}", {"base": "other"}, by="wanda")

    def lag(self, listings: int) -> None:
        """A real one lists what is there."""

    def catch_up(self) -> None:
        """Nothing lags."""

    def texts_of_persons(self) -> dict[str, str]:
        found = {
            f"#{one['number']}": f"{one['state']} {one['title']} {one['body']}"
            for one in self._pulls()
            if one["user"]["login"] != BOT
        }
        for one in self.people.api("GET", "/issues/comments?limit=50"):
            if one["user"]["login"] != BOT:
                found[f"comment {one['id']}"] = str(one["body"])
        return found

    def pass_time(self, seconds: float) -> None:
        """Let durations pass; what a real one dates is dated by the time of day."""
        self.clock.ahead_s += seconds
