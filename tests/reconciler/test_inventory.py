"""The inventory: what it keeps of two entries, how it is divided, and what is lost."""

import json
import zlib

import pytest

from reconciler.inventory import (
    Entry,
    Inventory,
    LostInventoryError,
    Origin,
    Shard,
    parse_shards,
    print_shards,
)
from reconciler.objects import Identity


def entry(
    name: str, *, uid: str = "", origin: Origin = Origin.INTENDED, version: str = "v1"
) -> Entry:
    identity = Identity(namespace="shop", name=name, group="", kind="ConfigMap")
    return Entry(identity=identity, version=version, uid=uid, origin=origin)


def many(count: int) -> Inventory:
    return Inventory(entry(f"app-{number}", uid=f"uid-{number}") for number in range(count))


@pytest.mark.parametrize(
    ("earlier", "later", "kept"),
    [
        (("", Origin.INTENDED), ("u", Origin.CREATED), ("u", Origin.CREATED)),
        (("u", Origin.CREATED), ("", Origin.INTENDED), ("u", Origin.CREATED)),
        (("u", Origin.ADOPTED), ("u", Origin.CREATED), ("u", Origin.ADOPTED)),
        (("u", Origin.CREATED), ("w", Origin.INTENDED), ("w", Origin.INTENDED)),
    ],
)
def test_of_two_entries_what_is_known_better_is_kept(
    earlier: tuple[str, Origin], later: tuple[str, Origin], kept: tuple[str, Origin]
) -> None:
    first = Inventory([entry("a", uid=earlier[0], origin=earlier[1], version="v1beta1")])

    (one,) = first.union([entry("a", uid=later[0], origin=later[1])])

    assert (one.uid, one.origin, one.version) == (*kept, "v1")


def test_what_is_no_longer_desired_is_what_left() -> None:
    whole = Inventory([entry("a"), entry("b"), entry("c")])

    left = whole.left_by([entry("b").identity, entry("new").identity])

    assert [one.identity.name for one in left] == ["a", "c"]


def test_entries_are_replaced_and_taken_out_without_touching_the_original() -> None:
    whole = Inventory([entry("a", uid="1", origin=Origin.ADOPTED), entry("b")])

    changed = whole.replacing([entry("a", uid="2")]).without([entry("b").identity])

    assert list(changed) == [entry("a", uid="2")]
    assert len(whole) == 2
    assert whole.get(entry("b").identity) == entry("b")
    assert whole.get(entry("c").identity) is None
    assert entry("b").identity in whole
    assert repr(whole) == "Inventory(2 entries)"
    assert hash(whole) == hash(Inventory(whole))
    assert whole != changed


def test_a_small_inventory_is_one_shard_that_a_person_can_read() -> None:
    (shard,) = print_shards(Inventory([entry("a", uid="u", origin=Origin.CREATED)]))

    assert shard.name == "1-0"
    assert json.loads(shard.content)["entries"] == [
        {"id": "shop_a__ConfigMap", "v": "v1", "uid": "u", "origin": "created"}
    ]


def test_ten_thousand_objects_stay_below_a_mebibyte_each_shard() -> None:
    whole = many(10_000)

    shards = print_shards(whole)

    assert all(len(one.content) < 640 * 1024 for one in shards)
    assert shards[0].content.startswith(b"x"), "compressed"
    assert parse_shards(shards) == whole


def test_shards_are_as_many_as_their_size_needs_and_a_power_of_two() -> None:
    shards = print_shards(many(100), max_bytes=3000)

    assert len(shards) in {2, 4, 8, 16}
    assert all(len(one.content) <= 3000 for one in shards)
    assert parse_shards(reversed(shards)) == many(100)


def test_one_entry_beyond_the_bound_ends_the_dividing() -> None:
    assert parse_shards(print_shards(many(1), max_bytes=10)) == many(1)


def test_a_crash_between_two_divisions_loses_no_entry() -> None:
    old, new = many(20), many(60)
    written = print_shards(new, max_bytes=1500)

    for stopped in range(len(written) + 1):
        mixed = [*print_shards(old, max_bytes=1500), *written[:stopped]]
        found = parse_shards(mixed)

        assert all(one.identity in found for one in old)


def test_no_shards_are_an_empty_inventory() -> None:
    assert parse_shards([]) == Inventory()
    assert parse_shards(print_shards(Inventory())) == Inventory()


GOOD = print_shards(many(3))[0].content


@pytest.mark.parametrize(
    "shard",
    [
        pytest.param(Shard(name="2-0", content=GOOD), id="another-is-missing"),
        pytest.param(Shard(name="x", content=GOOD), id="no-name"),
        pytest.param(Shard(name="1-1", content=GOOD), id="beyond-the-count"),
        pytest.param(Shard(name="1-0", content=GOOD[:-9]), id="cut"),
        pytest.param(Shard(name="1-0", content=b"[]"), id="a-list"),
        pytest.param(Shard(name="1-0", content=b"null"), id="null"),
        pytest.param(
            Shard(name="1-0", content=GOOD.replace(b":3,", b":4,")), id="a-row-is-missing"
        ),
        pytest.param(Shard(name="1-0", content=GOOD.replace(b"intended", b"x")), id="origin"),
        pytest.param(Shard(name="1-0", content=GOOD.replace(b"_", b"-")), id="ids"),
        pytest.param(Shard(name="1-0", content=zlib.compress(GOOD)[:-5]), id="compressed-and-cut"),
        pytest.param(Shard(name="1-0", content=b"x\0\0"), id="no-zlib"),
    ],
)
def test_a_shard_that_cannot_be_read_loses_the_inventory_loudly(shard: Shard) -> None:
    with pytest.raises(LostInventoryError) as caught:
        parse_shards([shard])

    assert "Nothing is deleted" in caught.value.hint


def test_what_inflates_beyond_all_bounds_is_not_read() -> None:
    bomb = zlib.compress(b"[" + b"0," * (40 * 1024 * 1024) + b"0]", 9)

    with pytest.raises(LostInventoryError):
        parse_shards([Shard(name="1-0", content=bomb)])
