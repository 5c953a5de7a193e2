"""Histories on plain Git: a branch is the proposal, and to delete it is to close it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from bot.forges.forge import CheckState
from tests.bot.forges.harness import Who
from tests.laws.histories.moved_clock import START, MovedClock
from tests.laws.histories.stage import HOOK, Move, Seen, read_moves
from tests.laws.histories.wire import Wire
from tests.servers.git_host import GitHost
from tests.servers.http_thread import Response, SeenRequest
from tests.servers.remote import Remote


class WatchedGitHost(GitHost):
    """Bare repositories behind a wire."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.wire = Wire()
        self.ahead_s = 0.0

    def respond(self, request: SeenRequest) -> Response | None:
        return self.wire.carry(request, super().respond)


class PlainPeople:
    """What persons do where there is nothing but Git; a proposal's number counts branches."""

    def __init__(self, host: WatchedGitHost, bare: Remote) -> None:
        self._host, self._bare = host, bare
        self.numbers: dict[str, int] = {}

    def _date(self) -> str:
        self._host.ahead_s += 1
        now = START + timedelta(seconds=self._host.ahead_s)
        return now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _branch(self, number: int) -> str:
        return next(branch for branch, known in self.numbers.items() if known == number)

    def commit(
        self, branch: str, files: Mapping[str, bytes], *, message: str = "Change", start: str = ""
    ) -> str:
        return self._bare.commit(
            files, message, branch=branch, start=start or "main", date=self._date()
        )

    def delete_branch(self, branch: str) -> None:
        self._bare.delete_branch(branch)

    def close(self, number: int) -> None:
        self._bare.delete_branch(self._branch(number))

    def reopen(self, number: int) -> None:
        """Nothing can be opened again here."""

    def merge(self, number: int, *, squash: bool = False) -> str:
        branch = self._branch(number)
        if squash:
            return self._bare.squash_merge(branch)
        return self._bare.merge(branch)

    def comment(self, number: int, body: str, *, by: Who = "writer") -> str:
        """Nothing can be said here."""
        return ""

    def edit_body(self, number: int, body: str) -> None:
        """Nothing is said here."""

    def set_check(self, commit: str, name: str, state: CheckState) -> None:
        raise RuntimeError("a Git server knows no checks")

    def label(self, number: int, labels: Sequence[str]) -> None:
        """Nothing is labelled here."""

    def unlabel(self, number: int, label: str) -> None:
        """Nothing is labelled here."""

    def open(self, branch: str, base: str, title: str, body: str = "") -> int:
        return 0


class OnPlain:
    """One repository of plain Git."""

    kind = "plain"
    has_forge = False
    refuses_doubles = True

    def __init__(self, host: WatchedGitHost, name: str) -> None:
        host.requests.clear()
        self.host = host
        self.wire = host.wire = Wire()
        self.bare = host.create(name, {"README.md": "begin\n"})
        self.bare.hook("post-receive", HOOK)
        self.people = PlainPeople(host, self.bare)
        self.url = self.bare.url_http
        self.forge = "{kind: plain}"
        self.clock = MovedClock(host)
        self.token = None

    def ours(self) -> list[Seen]:
        """Return the branches that we made and that still stand, each as an open proposal."""
        made = {one.ref.removeprefix("refs/heads/") for one in self.moves() if one.new}
        found = []
        for branch, head in sorted(self.bare.branches().items()):
            if branch in made and branch.startswith("pilotfish/"):
                number = self.people.numbers.setdefault(branch, len(self.people.numbers) + 1)
                found.append(
                    Seen(
                        number=number,
                        branch=branch,
                        base="main",
                        head=head,
                        body="",
                        is_open=True,
                        merged=False,
                    )
                )
        return found

    def moves(self) -> list[Move]:
        return read_moves(self.bare)

    def push(self, branch: str, files: Mapping[str, bytes], *, date: str) -> str:
        return self.bare.commit(files, "Mine", branch=branch, date=date)

    def retarget(self, number: int) -> None:
        """A branch has no base that could be turned."""

    def lag(self, listings: int) -> None:
        """Git lists what is there."""

    def catch_up(self) -> None:
        """Nothing lags."""

    def texts_of_persons(self) -> dict[str, str]:
        return {}

    def pass_time(self, seconds: float) -> None:
        self.host.ahead_s += seconds
