"""A tag that does not roll out is held, and the merged pull request that brought it says so."""

from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.config.secret_refs import Secret
from bot.git.names import Sha
from bot.git.remote import open_remote
from bot.git.settings import GitAccess
from bot.planning.rollouts import FailedRollout
from bot.proposals.notes import NoteBook
from bot.serve.rollouts import hold_what_failed
from bot.update.forge_opening import ForgeCredential
from bot.update.report import World
from tests.journeys.commands import Pilotfish
from tests.journeys.forge_fleet import ForgeFleet, forge_fleet
from tests.servers.gitea import Gitea
from tests.servers.odd_registry import OddRegistry

pytestmark = [pytest.mark.journey, pytest.mark.servers]


def no_registry(*_: object) -> object:
    raise AssertionError("nothing is asked of registries for a note")


async def held(
    fleet: ForgeFleet, folder: Path, failure: FailedRollout
) -> tuple[list[str], list[str]]:
    """Hold what failed; return the reasons of events and the tags that are held now."""
    token = Secret(fleet.token)
    world = World(
        asker_for=no_registry,  # type: ignore[arg-type]  # never called
        credential_for=lambda settings, _: ForgeCredential(token=token, ca=settings.ca),
        clock=SystemClock(),
        folder=folder,
    )
    access = GitAccess(username="x-access-token", token=token, ca_file=fleet.gitea.ca_file)
    async with open_remote(
        fleet.face.made.url,
        access=access,
        cache_folder=folder / "cache",
        allow_file=False,
        clock=SystemClock(),
        import_person=False,
    ) as remote:
        tip = (await remote.fetch("main"))["main"]
        events = await hold_what_failed(
            remote, Sha(tip), "main", [failure], world, where="prod", clock=SystemClock()
        )
        known = await NoteBook(remote=remote).read()
    return [one.reason for one in events], [one.tag for one in known.holds]


@pytest.fixture
def fleet(
    gitea: Gitea,
    odd_registry: OddRegistry,
    pilotfish: Pilotfish,
    unique_name: str,
    tmp_path: Path,
) -> ForgeFleet:
    """Return a fleet whose 1.1.0 is proposed."""
    made = forge_fleet(gitea, odd_registry, pilotfish, unique_name, folder=tmp_path)
    made.publish("1.1.0")
    made.go()
    return made


@pytest.mark.parametrize("squash", [False, True])
async def test_the_pull_request_that_brought_it_says_so_once(
    fleet: ForgeFleet, tmp_path: Path, squash: bool
) -> None:
    number = fleet.pull()["number"]
    fleet.face.merge(number, squash=squash)
    image = f"{fleet.registry.host}/shop/web:1.1.0"
    failure = FailedRollout(
        object="apps/Deployment/prod/web", images=frozenset({image}), cause="ImagePullBackOff"
    )
    reasons, tags = await held(fleet, tmp_path, failure)
    assert tags == ["1.1.0"]
    assert "rollout failed" in reasons[0]
    (said,) = fleet.comments(number)
    assert "`1.1.0`" in said["body"]
    assert "ImagePullBackOff" in said["body"]
    await held(fleet, tmp_path, failure)
    assert len(fleet.comments(number)) == 1
