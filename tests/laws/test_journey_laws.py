"""Laws of whole histories: any order of tags, people's commits, merges, reverts, holds and runs.

A model of a few lines says what may never happen: a fall that no person made, a branch of a
person that changes, a second branch for one image, a write when nothing is new, and a version
that rises from the dead after a person took it back or closed its proposal.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from dataclasses import replace as changed
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.clock import SystemClock
from bot.config.model import Config, Delivery
from bot.git.remote import Remote as Opened
from bot.git.remote import open_remote
from bot.git.settings import GitAccess
from bot.planning.remembered import HoldRecord
from bot.proposals.notes import NoteBook
from bot.update.forge_opening import ForgeCredential
from bot.update.journey import run_on_remote
from bot.update.report import Report, Request, World
from policies.policy import Fact, Facts
from tests.servers.remote import Remote

FILE, BRANCH = "web.yaml", "pilotfish/acme-web"
PERSON = ("Kim Person", "kim@example.test")
START = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
FEW, MANY, LONG = 15, 200, 2000  # every example needs a git of its own

ACTIONS = st.sampled_from(
    ["tag", "tag", "person", "merge", "squash", "revert", "hold", "delete", "push", "run", "run"]
)


@dataclass
class Shop:
    """Answers for a registry that holds `tags`."""

    tags_: list[str]

    async def tags(self, image: str) -> list[str]:
        """Return every tag."""
        assert image == "acme/web"
        return list(self.tags_)

    async def described(
        self, image: str, reference: str
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return nothing: this image says nothing of itself."""
        return {}, {}

    async def facts(self, image: str, wanted: Mapping[str, frozenset[Fact]]) -> Mapping[str, Facts]:
        """Return what no policy here asks for."""
        raise AssertionError((image, wanted))


@dataclass
class Model:
    """What people did, and so what may not come back."""

    minor: int = 0
    taken_back: int = -1
    held: set[int] = field(default_factory=set)
    closed: set[int] = field(default_factory=set)
    edited: bool = False


class History:
    """One remote, one registry, and the model beside them."""

    def __init__(self, folder: Path, deliver: Delivery) -> None:
        self.remote = Remote(folder / "fleet.git")
        self.cache = folder / "cache"
        self.deliver = deliver
        self.shop = Shop(["1.0.0"])
        self.model = Model()
        self.seconds = 0
        self.remote.commit({FILE: _text(0)}, "Begin", author=PERSON, date=self.date())

    def date(self) -> str:
        """Return a new moment for a person's commit."""
        self.seconds += 1
        return (START + timedelta(seconds=self.seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def here(self, branch: str = "main") -> int:
        """Return the minor version on a branch."""
        return int(self.remote.read(FILE, branch).decode().split(":1.")[1].partition(".")[0])

    def is_open(self) -> bool:
        """Return whether the proposal's branch is there."""
        return BRANCH in self.remote.branches()

    def do(self, action: str) -> None:
        """Let a person or the registry do one thing, where it is possible now."""
        match action:
            case "tag":
                self.model.minor += 1
                self.shop.tags_.append(f"1.{self.model.minor}.0")
            case "person":
                self.remote.commit(
                    {"notes.md": self.date()}, "Notes", author=PERSON, date=self.date()
                )
            case "revert" if self.here() > 0:
                self.model.taken_back = max(self.model.taken_back, self.here())
                self.remote.commit({FILE: _text(0)}, "Back", author=PERSON, date=self.date())
            case "hold":
                self.model.held.add(self.model.minor)
                asyncio.run(self._hold(self.model.minor))
            case "merge" | "squash" if self.is_open():
                self._merge(action)
            case "delete" if self.is_open():
                if not self.model.edited:
                    self.model.closed.add(self.here(BRANCH))
                self.model.edited = False
                self.remote.delete_branch(BRANCH)
            case "push" if self.is_open():
                self.model.edited = True
                self.remote.commit(
                    {"mine.md": self.date()}, "Mine", branch=BRANCH, author=PERSON, date=self.date()
                )
            case "run":
                self.run_and_check()

    def _merge(self, action: str) -> None:
        if self.here(BRANCH) < self.here():
            return
        try:
            if action == "merge":
                self.remote.merge(BRANCH)
            else:
                self.remote.squash_merge(BRANCH)
        except Exception:  # noqa: BLE001  # people meet conflicts, and leave it
            return
        self.remote.delete_branch(BRANCH)
        self.model.edited = False

    async def _hold(self, minor: int) -> None:
        async with self._opened() as remote:
            notes = NoteBook(remote=remote)
            await notes.read()
            record = HoldRecord(
                policy="acme/web", tag=f"1.{minor}.0", reason="", who="Kim", when=START
            )
            await notes.change(
                lambda known: changed(known, holds=(*known.holds, record)), message="Hold"
            )

    def _opened(self) -> AbstractAsyncContextManager[Opened]:
        return open_remote(
            str(self.remote.folder),
            access=GitAccess(),
            cache_folder=self.cache,
            allow_file=True,
            clock=SystemClock(),
            import_person=False,
        )

    def refs(self) -> str:
        """Return every ref with its commit."""
        return self.remote.git("for-each-ref")

    def run_and_check(self) -> None:
        """Run, hold what was done to the laws, and run again: nothing is new then."""
        before, main = self.here(), self.remote.head()
        edited = self.remote.branches().get(BRANCH) if self.model.edited else None
        asyncio.run(self._run())
        if self.deliver is Delivery.PULL_REQUEST:
            assert self.remote.head() == main
        assert self.here() >= before
        branches = set(self.remote.branches()) - {"main", "foreign", "pilotfish/foreign"}
        assert branches <= {BRANCH}
        if edited is not None:
            assert self.remote.branches()[BRANCH] == edited
        elif self.is_open():
            self._check_offer(self.here(BRANCH))
        elif self.here() > before:
            self._check_offer(self.here())
        refs = self.refs()
        asyncio.run(self._run())
        assert self.refs() == refs

    def _check_offer(self, minor: int) -> None:
        assert minor > self.model.taken_back
        assert minor not in self.model.held
        assert minor not in self.model.closed
        assert f"1.{minor}.0" in self.shop.tags_

    async def _run(self) -> Report:
        @asynccontextmanager
        async def asker_for(_: Config) -> AsyncIterator[Shop]:
            yield self.shop

        async with self._opened() as remote:
            world = World(
                asker_for=asker_for,
                credential_for=lambda *_: ForgeCredential(),
                clock=SystemClock(),
            )
            report = await run_on_remote(remote, Request(deliver=self.deliver), world)
        assert [one for one in report.problems if one.severity.value == "error"] == []
        return report


def _text(minor: int) -> str:
    return f"kind: A\nimage: acme/web:1.{minor}.0 # pilotfish: semver ^1\nend: 1\n"


@settings(
    max_examples=MANY if settings().max_examples >= LONG else FEW,
    suppress_health_check=list(HealthCheck),
)
@given(
    actions=st.lists(ACTIONS, min_size=3, max_size=10),
    deliver=st.sampled_from([Delivery.PULL_REQUEST, Delivery.COMMIT]),
)
def test_no_history_breaks_the_laws(actions: list[str], deliver: Delivery) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder), deliver)
        history.remote.commit(
            {"f.md": "x"}, "Foreign", branch="pilotfish/foreign", start="main", author=PERSON
        )
        foreign = history.remote.head("pilotfish/foreign")
        for action in [*actions, "run"]:
            history.do(action)
            assert history.remote.head("pilotfish/foreign") == foreign
