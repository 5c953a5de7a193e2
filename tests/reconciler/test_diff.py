"""What differs between two objects, and what of it is never shown."""

from typing import Any

import pytest

from reconciler.diff import MISSING, difference, differs
from reconciler.ownership import LAST_APPLIED

CANARY = "c2VjcmV0LWNhbmFyeQ=="


def config(**parts: Any) -> dict[str, Any]:
    metadata = {"name": "a", "namespace": "shop", **parts.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **parts}


def secret(**parts: Any) -> dict[str, Any]:
    return {**config(**parts), "kind": "Secret"}


@pytest.mark.parametrize(
    ("parts", "drifted"),
    [
        ({"data": {"a": "2"}}, True),
        ({"metadata": {"labels": {"a": "b"}}}, True),
        ({"metadata": {"annotations": {"a": "b"}}}, True),
        ({"metadata": {"resourceVersion": "2", "managedFields": [1], "finalizers": ["x"]}}, False),
        ({"status": {"phase": "x"}}, False),
        ({"metadata": {"labels": {}}}, False),
    ],
)
def test_drift_is_in_labels_annotations_and_what_is_no_metadata(
    parts: dict[str, Any], *, drifted: bool
) -> None:
    live = config(data={"a": "1"})

    assert differs(config(**{"data": {"a": "1"}, **parts}), live) is drifted


def test_repeated_metrics_of_an_autoscaler_are_no_drift() -> None:
    def scaler(*metrics: Any) -> dict[str, Any]:
        head = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
        return {**config(), **head, "spec": {"metrics": [*metrics], "maxReplicas": 2}}

    cpu = {"type": "Resource", "resource": {"name": "cpu"}}

    assert not differs(scaler(cpu), scaler(cpu, dict(cpu)))
    assert differs(scaler(cpu), scaler())
    assert not differs({**scaler(), "spec": {}}, {**scaler(), "spec": {}})


def test_changes_name_their_path_and_both_sides() -> None:
    live = config(spec={"ports": [1, 2], "gone": None, "same": 1, "a.b/c": 1, "one": 1})
    desired = config(spec={"ports": [1, 3, 4], "same": 1, "a.b/c": 2, "one": True})

    diff = difference(live, desired)

    assert [str(one) for one in diff.changes] == [
        "spec[a.b/c]: 1 → 2",
        "spec.gone: null → (nothing)",
        "spec.one: 1 → true",
        "spec.ports[1]: 2 → 3",
        "spec.ports[2]: (nothing) → 4",
    ]
    assert diff.changes[1].as_json() == {"path": "spec.gone", "before": None}
    assert str(diff.identity) == "ConfigMap/shop/a"
    assert diff.text.startswith("--- live/ConfigMap/shop/a\n+++ desired/ConfigMap/shop/a\n@@")
    assert "\n-  gone: null\n" in diff.text


def test_a_long_value_is_cut_in_a_line() -> None:
    diff = difference(config(data={"a": "x" * 500}), config(data={"a": "y" * 500}))

    assert len(str(diff.changes[0])) < 300
    assert str(diff.changes[0]).endswith("…")


def test_an_object_that_is_made_or_deleted_is_there_on_one_side() -> None:
    made, gone = difference(None, config()), difference(config(), None)

    assert made.text.startswith("--- (nothing)\n+++ desired/ConfigMap/shop/a\n")
    assert gone.text.startswith("--- live/ConfigMap/shop/a\n+++ (nothing)\n")
    assert {one.before for one in made.changes} == {MISSING}
    assert repr(made.changes[0].before) == "(nothing)"


def test_nothing_has_no_difference() -> None:
    with pytest.raises(ValueError, match="nothing has no difference"):
        difference(None, None)


def test_equal_objects_have_an_empty_difference() -> None:
    diff = difference(config(status={"x": 1}), config())

    assert (diff.changes, diff.text) == ((), "")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"data": {"a": CANARY}}, {"data": {"a": "eA=="}}),
        ({"data": {"a": CANARY}}, {"data": {"b": CANARY}}),
        ({"data": {"a": CANARY, "b": "x"}}, {"data": {"a": CANARY, "b": "y"}}),
        ({}, {"stringData": {"a": CANARY}}),
        ({"data": {"a": CANARY}}, {"data": None}),
        ({"data": CANARY}, {"data": {"a": CANARY}}),
        ({"data": [CANARY]}, {"data": [CANARY], "type": "x"}),
        (
            {"metadata": {"annotations": {LAST_APPLIED: CANARY}}},
            {"metadata": {"annotations": {LAST_APPLIED: "x" + CANARY, "a": "b"}}},
        ),
    ],
)
def test_no_value_of_a_secret_is_ever_shown(before: dict[str, Any], after: dict[str, Any]) -> None:
    for live, desired in (
        (secret(**before), secret(**after)),
        (None, secret(**before)),
        (secret(**after), None),
    ):
        diff = difference(live, desired)
        shown = diff.text + repr([one.as_json() for one in diff.changes])

        assert CANARY not in shown


def test_that_a_value_of_a_secret_differs_is_said() -> None:
    live, desired = secret(data={"a": CANARY, "b": "x"}), secret(data={"a": "eA==", "b": "x"})

    diff = difference(live, desired)

    assert [str(one) for one in diff.changes] == ['data.a: "*** (before)" → "*** (after)"']


def test_annotations_of_a_secret_that_hold_no_data_are_shown() -> None:
    diff = difference(secret(), secret(metadata={"annotations": {"team": "web"}}))

    assert "team: web" in diff.text
