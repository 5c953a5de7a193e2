"""Laws of the reconciler's values: ids, inventories, YAML, substitution, differences, plans."""

import contextlib
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.build.globs import matching_lengths
from reconciler.build.substitute import SubstitutionError, substitute
from reconciler.diff import difference, differs
from reconciler.inventory import Entry, Inventory, Origin, parse_shards, print_shards
from reconciler.objects import Identity, identity_of, object_of, parse_id
from reconciler.ownership import Owner
from reconciler.plan import plan_apply, plan_prune
from reconciler.yaml_stream import UnreadableYamlError, read_stream, write_value

OWNER = Owner(name="shop", namespace="flux")
NAMES = st.text("ab1-.", max_size=6).map("n{}z".format)
KINDS = st.sampled_from(
    [
        ("", "ConfigMap"),
        ("apps", "Deployment"),
        ("example.io", "Widget"),
        ("rbac.authorization.k8s.io", "Role"),
    ]
)


@st.composite
def identities(draw: st.DrawFn) -> Identity:
    group, kind = draw(KINDS)
    name = draw(NAMES)
    if kind == "Role":
        name = ":".join(draw(st.lists(NAMES, min_size=1, max_size=3)))
    return Identity(
        namespace=draw(st.one_of(st.just(""), NAMES)).replace(".", "-"),
        name=name,
        group=group,
        kind=kind,
    )


ENTRIES = st.builds(
    Entry,
    identity=identities(),
    version=st.sampled_from(["v1", "v1beta1"]),
    uid=st.sampled_from(["", "u1", "u2"]),
    origin=st.sampled_from(Origin),
)
INVENTORIES = st.lists(ENTRIES, max_size=12).map(Inventory)
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029\ufeff"), max_size=12
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(identities())
def test_an_id_reads_back(identity: Identity) -> None:
    assert parse_id(identity.id) == identity


@given(INVENTORIES, st.integers(200, 4000))
def test_an_inventory_reads_back_however_it_is_divided(whole: Inventory, size: int) -> None:
    assert parse_shards(print_shards(whole, max_bytes=size)) == whole


@given(INVENTORIES, INVENTORIES)
def test_a_union_holds_both_and_is_no_larger_than_them(a: Inventory, b: Inventory) -> None:
    both = a.union(b)

    assert {one.identity for one in both} == {one.identity for one in a} | {
        one.identity for one in b
    }
    assert both.union(b) == both
    assert a.union(a) == a


@given(INVENTORIES, INVENTORIES)
def test_what_left_and_what_stays_are_the_whole(a: Inventory, b: Inventory) -> None:
    left = a.left_by(one.identity for one in b)

    assert all(one.identity not in b for one in left)
    assert a.without(one.identity for one in left).union(left) == a


@given(st.lists(ENTRIES, max_size=12), st.randoms(use_true_random=False))
def test_what_was_adopted_stays_adopted_in_any_order_of_one_uid(
    entries: list[Entry], order: random.Random
) -> None:
    same = [
        Entry(identity=one.identity, version="v1", uid="u", origin=one.origin) for one in entries
    ]
    shuffled = list(same)
    order.shuffle(shuffled)

    assert Inventory(same) == Inventory(shuffled)


@given(VALUES)
def test_a_value_that_is_written_reads_back(value: Any) -> None:
    documents = read_stream(write_value(value).encode())

    assert [one.value for one in documents] == ([] if value is None else [value])


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(text: bytes) -> None:
    with contextlib.suppress(UnreadableYamlError):
        read_stream(text)


@given(st.text().filter(lambda text: "$" not in text), st.dictionaries(st.text(), st.text()))
def test_a_text_without_a_dollar_stays(text: str, variables: dict[str, str]) -> None:
    assert substitute(text, variables, strict=True) == text


@given(st.text())
def test_a_text_whose_dollars_are_doubled_comes_out_as_it_was(text: str) -> None:
    assert substitute(text.replace("$", "$$"), {}, strict=True) == text


@given(st.text("${}:=-/#%^,*?[]a1 \n\\"), st.text())
def test_substitution_gives_a_text_or_an_error_of_its_own(text: str, value: str) -> None:
    with contextlib.suppress(SubstitutionError):
        assert isinstance(substitute(text, {"a": value, "a1": ""}), str)


@given(st.text(), st.text())
def test_a_value_is_put_in_as_it_is(before: str, value: str) -> None:
    text = before.replace("$", "$$") + "${a}"

    assert substitute(text, {"a": value}, strict=True) == before + value


@given(st.text("ab*?[]^-\\", max_size=8), st.text("ab-*", max_size=8))
def test_an_ending_matches_as_the_beginning_of_the_text_turned_round(
    pattern: str, text: str
) -> None:
    lengths = matching_lengths(pattern, text)

    assert lengths == sorted({one for one in lengths if 0 < one <= len(text)})
    if not set(pattern) & set("[]\\"):
        assert lengths == matching_lengths(pattern[::-1], text[::-1], from_end=True)


@given(st.dictionaries(TEXTS, VALUES, max_size=4), st.dictionaries(TEXTS, VALUES, max_size=4))
def test_a_difference_is_empty_exactly_when_nothing_differs(
    a: dict[str, Any], b: dict[str, Any]
) -> None:
    head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    live, desired = {**head, "spec": a}, {**head, "spec": b}

    diff = difference(live, desired)

    if differs(desired, live):
        assert diff.changes
    assert difference(live, live).changes == ()


@given(
    st.dictionaries(st.text(max_size=5), st.text("xyz", min_size=12), min_size=1, max_size=3),
    st.booleans(),
)
def test_no_value_of_a_secret_is_in_any_difference(values: dict[str, str], made: bool) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": values}
    other = {**secret, "data": {key: value[::-1] + "!" for key, value in values.items()}}

    diff = difference(None if made else secret, other)

    shown = diff.text + repr([one.as_json() for one in diff.changes])
    assert not any(value in shown or value[::-1] + "!" in shown for value in values.values())


def _raw(identity: Identity, **metadata: Any) -> dict[str, Any]:
    version = f"{identity.group}/v1" if identity.group else "v1"
    held = {"name": identity.name, "namespace": identity.namespace, **metadata}
    return {"apiVersion": version, "kind": identity.kind, "metadata": held}


LIVES = st.dictionaries(
    identities(),
    st.fixed_dictionaries(
        {
            "uid": st.sampled_from(["u1", "u2"]),
            "labels": st.sampled_from([{}, OWNER.labels, {"argocd.argoproj.io/instance": "x"}]),
            "managedFields": st.sampled_from(
                [[], [{"manager": "pilotfish", "operation": "Apply"}], [{"manager": "helm"}]]
            ),
            "creationTimestamp": st.just("2026-01-01T00:00:00Z"),
            "resourceVersion": st.just("1"),
        }
    ),
    max_size=8,
)


@given(st.data(), LIVES, INVENTORIES)
def test_a_plan_touches_nothing_of_another_owner_and_forgets_nothing(
    data: st.DataObject, lives: dict[Identity, dict[str, Any]], known: Inventory
) -> None:
    extra = data.draw(st.lists(identities(), unique=True, max_size=4))
    wanted = data.draw(st.permutations(sorted({*lives, *extra})))
    live = {one: _raw(one, **metadata) for one, metadata in lives.items()}

    plan = plan_apply([object_of(_raw(one)) for one in wanted], live, known, OWNER)

    steps = [step.identity for step in plan.steps]
    refused = {one.identity for one in plan.refusals}
    assert sorted([*steps, *refused]) == sorted(wanted)
    assert not any(
        "argocd.argoproj.io/instance" in live[one]["metadata"]["labels"]
        for one in steps
        if one in live
    )
    assert all(one.identity in plan.intended for one in known)
    assert all(one in plan.intended for one in steps)


@given(LIVES, INVENTORIES, st.lists(identities(), max_size=4), st.booleans())
def test_only_what_is_ours_and_made_by_us_is_ever_deleted(
    lives: dict[Identity, dict[str, Any]],
    known: Inventory,
    wanted: list[Identity],
    complete: bool,  # drawn
) -> None:
    entries = [
        Entry(identity=one, version="v1", uid="u1", origin=origin)
        for one, origin in zip(lives, [*Origin] * 3, strict=False)
    ]
    inventory = known.union(entries)
    live = {one: _raw(one, **metadata) for one, metadata in lives.items()}

    plan = plan_prune(inventory, wanted, live, OWNER, complete=complete)

    assert complete or not plan.prunes
    for prune in plan.prunes:
        entry = inventory.get(prune.identity)
        metadata = lives[prune.identity]
        assert entry is not None
        assert entry.origin is not Origin.ADOPTED
        assert prune.identity not in wanted
        assert prune.uid == metadata["uid"]
        assert metadata["labels"] == OWNER.labels
    told = [one.identity for one in plan.prunes] + [one.identity for one in plan.kept]
    told += plan.forgotten
    assert sorted(told) == sorted(one.identity for one in inventory.left_by(wanted))


def test_identities_of_raw_objects_are_those_they_were_made_of() -> None:
    one = Identity(namespace="shop", name="a", group="apps", kind="Deployment")

    assert identity_of(_raw(one)) == one
