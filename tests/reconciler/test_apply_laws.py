"""Laws of applying, under random passes and random hands of others, on a real cluster.

Nothing is ever deleted that a pass of ours did not make (I12), and once the others keep still one
pass brings everything to what is desired, the next one finds nothing to do (I16).
"""

import random

import pytest

from tests.reconciler.applying import Applier, Raw, config_map

NAMES = [f"a-{number}" for number in range(6)]
ROUNDS = 14


def meddle(applier: Applier, chance: random.Random) -> None:
    """Do what other people do: make, edit, relabel or delete one of the objects."""
    name = chance.choice(NAMES)
    if not applier.exists("configmap", name):
        applier.kubectl("create", "configmap", name, "--from-literal=key=theirs")
        return
    patches = {
        "edit": '{"data":{"key":"theirs","more":"theirs"}}',
        "annotate": '{"metadata":{"annotations":{"theirs":"x"}}}',
    }
    what = chance.choice([*patches, "delete"])
    if what == "delete":
        applier.kubectl("delete", "configmap", name)
    else:
        applier.kubectl("patch", "configmap", name, "--type=merge", "-p", patches[what])


async def one_pass(applier: Applier, objects: list[Raw], made: set[str], *, prune: bool) -> None:
    """Apply, hold every delete to what we made, and learn what was made now."""
    done = await applier.must(*objects, prune=prune)
    deletes = [call for call in applier.calls() if call.verb == "delete"]
    for call in deletes:
        assert call.body["preconditions"]["uid"] in made, f"{call.name} was not ours to delete"
    for name, action in done.items():
        if action == "created":
            made.add(applier.get("configmap", name.partition("/")[2])["metadata"]["uid"])


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_only_what_we_made_is_deleted_and_all_ends_as_desired(
    applier: Applier, seed: int
) -> None:
    chance = random.Random(seed)
    made: set[str] = set()
    for number in range(ROUNDS):
        wanted = chance.sample(NAMES, k=chance.randint(1, len(NAMES)))
        objects = [config_map(name, key=f"{seed}-{number % 3}") for name in wanted]
        await one_pass(applier, objects, made, prune=chance.random() < 0.7)
        if chance.random() < 0.7:
            meddle(applier, chance)

    final = [config_map(name, key="last") for name in NAMES]
    await one_pass(applier, final, made, prune=True)
    again = await applier.must(*final, prune=True)

    assert set(again.values()) == {"unchanged"}
    assert applier.writes() == []
    for name in NAMES:
        assert applier.get("configmap", name)["data"]["key"] == "last"
