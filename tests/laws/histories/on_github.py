"""Histories on the test GitHub."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from bot.config.secret_refs import Secret
from tests.bot.forges.harness_github import BOT, GitHubFace, account_of
from tests.laws.histories.moved_clock import START, MovedClock
from tests.laws.histories.stage import HOOK, PAUSED, Move, Seen, read_moves
from tests.laws.histories.wire import Wire
from tests.servers.github import GitHub
from tests.servers.http_thread import Response, SeenRequest


class WatchedGitHub(GitHub):
    """The test GitHub behind a wire, with a clock that moves only when it is moved."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.wire = Wire()
        self.ahead_s = 0.0
        self.tell_time = self.moved_time
        self.began = self.now()

    def moved_time(self) -> datetime:
        return START + timedelta(seconds=self.ahead_s)

    def advance(self, seconds: float) -> None:
        self.ahead_s += seconds

    def respond(self, request: SeenRequest) -> Response | None:
        return self.wire.carry(request, super().respond)


class People(GitHubFace):
    """Persons who meet GitHub's rules about what may be opened again."""

    def reopen(self, number: int) -> None:
        pull = self.made.pull(number)
        head = self.made.branch(pull.branch)
        assert head is not None, "its branch was deleted"
        assert head == pull.head or self.made.contains(head, pull.head), "it was force-pushed"
        super().reopen(number)


class OnGitHub:
    """One repository of the test GitHub."""

    kind = "github"
    has_forge = True
    refuses_doubles = True

    def __init__(self, host: WatchedGitHub, name: str) -> None:
        host.repositories.clear()
        host.requests.clear()
        host.written.clear()
        host.faults.clear()
        self.host = host
        self.wire = host.wire = Wire()
        self.people = People(host, name)
        self.bare = self.people.made.bare
        self.bare.hook("post-receive", HOOK)
        self.url = self.people.made.url_http
        self.forge = f"{{kind: github, url: {host.url}}}"
        self.token = Secret(account_of(host, BOT).token)
        self.clock = MovedClock(host)

    def ours(self) -> list[Seen]:
        with self.host.lock:
            return [
                Seen(
                    number=one.number,
                    branch=one.branch,
                    base=one.base_branch,
                    head=one.head,
                    body=one.body,
                    is_open=one.open,
                    merged=one.merged is not None,
                    paused=PAUSED in one.labels,
                )
                for one in self.people.made.pulls()
                if one.author.login == BOT
            ]

    def moves(self) -> list[Move]:
        return read_moves(self.bare)

    def push(self, branch: str, files: Mapping[str, bytes], *, date: str) -> str:
        return self.bare.commit(files, "Mine", branch=branch, date=date)

    def retarget(self, number: int) -> None:
        self.people.made.retarget(number, "other")

    def lag(self, listings: int) -> None:
        self.host.faults.listings_behind = listings

    def catch_up(self) -> None:
        for one in self.people.made.pulls():
            one.hidden_listings = 0

    def texts_of_persons(self) -> dict[str, str]:
        found: dict[str, str] = {}
        with self.host.lock:
            for issue in self.people.made.issues.values():
                if issue.author.login != BOT:
                    found[f"#{issue.number}"] = f"{issue.open} {issue.title} {issue.body}"
                for one in issue.comments:
                    if one.author.login != BOT:
                        found[f"comment {one.id}"] = one.body
        return found

    def pass_time(self, seconds: float) -> None:
        self.host.ahead_s += seconds
