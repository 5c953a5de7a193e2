"""Histories on the test GitLab."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from bot.config.secret_refs import Secret
from tests.bot.forges.harness_gitlab import GitLabFace
from tests.laws.histories.moved_clock import START, MovedClock
from tests.laws.histories.stage import HOOK, PAUSED, Move, Seen, read_moves
from tests.laws.histories.wire import Wire
from tests.servers.gitlab import GitLab
from tests.servers.http_thread import Response, SeenRequest


class WatchedGitLab(GitLab):
    """The test GitLab behind a wire, with a clock that moves only when it is moved."""

    def __init__(self, folder: Path) -> None:
        self.ahead_s = 0.0
        super().__init__(folder, now=self.tell_time)
        self.wire = Wire()

    def tell_time(self) -> datetime:
        return START + timedelta(seconds=self.ahead_s)

    def respond(self, request: SeenRequest) -> Response | None:
        return self.wire.carry(request, super().respond)


class OnGitLab:
    """One project of the test GitLab."""

    kind = "gitlab"
    has_forge = True
    refuses_doubles = True

    def __init__(self, host: WatchedGitLab, name: str) -> None:
        for kept in (host.projects, host.requests, host.journal, host.people, host.faults):
            kept.clear()
        host.grants.clear()
        self.host = host
        self.wire = host.wire = Wire()
        self.people = GitLabFace(host, f"fleet/{name}")
        self.bare = self.people.made.remote
        self.bare.hook("post-receive", HOOK)
        self.url = self.bare.url_http
        self.forge = f"{{kind: gitlab, url: {host.url}}}"
        self.token = Secret(self.people.bot.token)
        self.clock = MovedClock(host)

    def ours(self) -> list[Seen]:
        with self.host.alone():
            return [
                Seen(
                    number=one.iid,
                    branch=one.source,
                    base=one.target,
                    head=one.sha,
                    body=one.description,
                    is_open=one.state == "opened",
                    merged=one.state == "merged",
                    paused=PAUSED in one.labels,
                )
                for one in self.people.made.merge_requests
                if one.author == self.people.bot
            ]

    def moves(self) -> list[Move]:
        return read_moves(self.bare)

    def push(self, branch: str, files: Mapping[str, bytes], *, date: str) -> str:
        made = self.bare.commit(files, "Mine", branch=branch, date=date)
        self.people.look()
        return made

    def retarget(self, number: int) -> None:
        self.people.act("PUT", f"merge_requests/{number}", {"target_branch": "other"})

    def lag(self, listings: int) -> None:
        self.people.made.list_lag = listings

    def catch_up(self) -> None:
        for one in self.people.made.merge_requests:
            one.unlisted = 0

    def texts_of_persons(self) -> dict[str, str]:
        found: dict[str, str] = {}
        with self.host.alone():
            for one in self.people.made.merge_requests:
                if one.author != self.people.bot:
                    found[f"!{one.iid}"] = f"{one.state} {one.title} {one.description}"
                for note in one.notes:
                    if not note.system and note.person != self.people.bot:
                        found[f"note {note.id}"] = note.body
        return found

    def pass_time(self, seconds: float) -> None:
        self.host.ahead_s += seconds
