"""A tag without any date ages from when the server first saw it, and a moved one begins anew."""

from datetime import timedelta
from pathlib import Path

from bot.clock import SystemClock
from bot.registry.client import RegistryClient
from bot.registry.scan import Scanner
from bot.serve.first_seen import RememberingAsker
from bot.store.memory import open_memory
from policies.policy import Fact, Facts
from tests.bot.schedule.moved_clock import MovedClock
from tests.servers.odd_registry import OddRegistry

PUSHED = {"1.0.0": frozenset({Fact.PUSHED})}


async def facts_of(registry: OddRegistry, store: Path, clock: MovedClock) -> Facts:
    image = f"{registry.host}/shop/web"
    async with (
        open_memory(store, kept_runs=10) as memory,
        RegistryClient(clock=SystemClock()) as client,
    ):
        asker = RememberingAsker(Scanner(client, SystemClock()), memory, clock)
        return (await asker.facts(image, PUSHED))["1.0.0"]


async def test_the_first_sighting_outlives_a_restart(
    odd_registry: OddRegistry, tmp_path: Path
) -> None:
    odd_registry.push_image("shop/web", "1.0.0", created=None)
    clock = MovedClock()
    first = clock.now()
    seen = []
    for _ in range(3):
        seen.append((await facts_of(odd_registry, tmp_path / "m.db", clock)).first_seen)
        clock.pass_time(86_400)

    assert seen == [first, first, first]


async def test_a_tag_that_moves_is_young_again(odd_registry: OddRegistry, tmp_path: Path) -> None:
    odd_registry.push_image("shop/web", "1.0.0", created=None, content="one")
    clock = MovedClock()
    await facts_of(odd_registry, tmp_path / "m.db", clock)
    clock.pass_time(86_400)
    odd_registry.push_image("shop/web", "1.0.0", created=None, content="two")
    moved = await facts_of(odd_registry, tmp_path / "m.db", clock)

    assert moved.first_seen == clock.now()


async def test_a_deleted_store_makes_a_tag_younger_and_never_older(
    odd_registry: OddRegistry, tmp_path: Path
) -> None:
    odd_registry.push_image("shop/web", "1.0.0", created=None)
    clock = MovedClock()
    await facts_of(odd_registry, tmp_path / "m.db", clock)
    clock.pass_time(timedelta(days=3).total_seconds())
    (tmp_path / "m.db").unlink()

    assert (await facts_of(odd_registry, tmp_path / "m.db", clock)).first_seen == clock.now()
