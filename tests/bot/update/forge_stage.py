"""What tests of a run on a forge start from: a proposal of ours, notes, and what is followed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bot.forges.forge import Forge, State, Text
from bot.git.remote import open_remote
from bot.git.settings import GitAccess
from bot.planning.controls import CONTROLS, HEADING
from bot.planning.grouping import group_updates
from bot.planning.metadata import Metadata, read_metadata, write_metadata
from bot.planning.plan import Binding, PlannedProposal
from bot.proposals.lifecycle import changes_of
from bot.proposals.notes import NoteBook
from bot.proposals.standing import Known
from bot.update.requests import Requests, answer_requests, read_requests
from tests.bot.forges.harness import ForgeUnderTest, RepositoryFace
from tests.bot.git.situations import HastyClock
from tests.bot.planning.situations import bound, chosen
from tests.servers.remote import Remote as Stand

LINE = "image: example.test/web:1.0.0 # pilotfish: semver ^1\n"
TAGS = ["1.0.0", "1.1.0", "2.0.0"]
NAME = "example.test/web"
BRANCH = "pilotfish/web"
FILE = "apps/web.yaml"


def plan_of(config: str = "", tags: list[str] = TAGS) -> PlannedProposal:
    """Return the proposal that moves web to the highest tag."""
    made = chosen({FILE: LINE}, tags, config=config)
    (one,), _ = group_updates(made.updates, base="main")
    return replace(one, branch=BRANCH)


@dataclass
class Stage:
    """Ours on one repository of a forge, with the notes that a run keeps."""

    under_test: ForgeUnderTest
    notes: NoteBook
    bindings: list[Binding]

    @property
    def forge(self) -> Forge:
        return self.under_test.forge

    @property
    def people(self) -> RepositoryFace:
        return self.under_test.repository

    async def propose(self, planned: PlannedProposal | None = None) -> Known:
        """Push and open the proposal of web as a run does, and return it."""
        planned = planned or plan_of()
        head = self.people.commit(BRANCH, {FILE: LINE.replace("1.0.0", "1.1.0").encode()})
        metadata = Metadata(
            key=planned.key,
            base="main",
            branch=BRANCH,
            head=head,
            changes=changes_of(planned),
            pushed=(datetime.now(UTC),),
        )
        boxes = "\n".join(one.line(several=False) for one in CONTROLS)
        body = f"Updates web.\n\n{HEADING}\n\n{boxes}\n\n{write_metadata(metadata)}\n"
        text = Text(title="chore(images): web 1.0.0 → 1.1.0", body=body)
        opened = await self.forge.open(BRANCH, "main", text)
        return await self.known(opened.number)

    async def known(self, number: int) -> Known:
        """Return a proposal as a run's listing shows it."""
        listed = {one.number: one for one in (await self.forge.listing()).proposals}
        return Known(proposal=listed[number], metadata=read_metadata(listed[number].body))

    async def open_ones(self) -> list[Known]:
        """Return every open proposal."""
        found = (await self.forge.listing()).proposals
        return [
            Known(proposal=one, metadata=read_metadata(one.body))
            for one in found
            if one.state is State.OPEN
        ]

    async def asked(self) -> Requests:
        """Read what is asked, as a run does before it plans."""
        return await read_requests(
            self.forge,
            self.notes,
            await self.open_ones(),
            self.bindings,
            now=datetime.now(UTC),
            dashboard=await self.forge.find_issue("Pilotfish dashboard"),
        )

    async def answer(self, requests: Requests, waiting: frozenset[str] = frozenset()) -> None:
        """Answer it, as a run does after everything else."""
        problems = await answer_requests(
            self.forge,
            requests,
            considered=chosen({FILE: LINE}, TAGS).considered,
            holds=self.notes.remembered.holds,
            waiting=waiting,
        )
        assert not problems

    async def run(self) -> Requests:
        """Read and answer."""
        requests = await self.asked()
        assert not requests.problems
        await self.answer(requests)
        return requests

    async def answers(self, number: int) -> list[str]:
        """Return our comments on a proposal."""
        return [one.body for one in await self.forge.comments_on(number) if one.ours]


@asynccontextmanager
async def stage_on(under_test: ForgeUnderTest, folder: Path) -> AsyncIterator[Stage]:
    """Give a stage with notes of its own."""
    stand = Stand(folder / "fleet.git")
    stand.commit({FILE: LINE.encode()}, "Begin")
    async with open_remote(
        stand.url_file,
        access=GitAccess(),
        cache_folder=folder / "cache",
        allow_file=True,
        clock=HastyClock(),
        import_person=False,
    ) as remote:
        notes = NoteBook(remote=remote)
        await notes.read()
        yield Stage(under_test=under_test, notes=notes, bindings=bound({FILE: LINE}))
