"""Whose an object is, and who wrote which of its fields."""

from typing import Any

import pytest

from reconciler.ownership import (
    LAST_APPLIED,
    Claim,
    Owner,
    claim_on,
    is_made_by_us,
    takeover_patch,
    writers_of,
)

OURS = Owner(name="shop", namespace="flux")
CREATED = "2026-01-01T10:00:00Z"


def live(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **metadata}}


def entry(manager: str, operation: str = "Update", **more: Any) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "v1",
        "time": CREATED,
        "fieldsV1": {"f:data": {f"f:{manager}": {}}},
        **more,
    }


def written(*entries: Any, **metadata: Any) -> dict[str, Any]:
    return live(managedFields=list(entries), creationTimestamp=CREATED, **metadata)


@pytest.mark.parametrize(
    ("metadata", "who"),
    [
        ({"labels": Owner(name="x", namespace="y").labels}, "Pilotfish set y/x"),
        ({"labels": {"reconcile.pilotfish.io/name": "shop"}}, "Pilotfish set /shop"),
        (
            {"labels": {"kustomize.toolkit.fluxcd.io/name": "k"}},
            "Flux Kustomization k",
        ),
        (
            {
                "labels": {
                    "helm.toolkit.fluxcd.io/name": "h",
                    "helm.toolkit.fluxcd.io/namespace": "n",
                }
            },
            "Flux HelmRelease n/h",
        ),
        ({"labels": {"argocd.argoproj.io/instance": "a"}}, "Argo CD application a"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "a:b"}}, "Argo CD application a:b"),
        (
            {
                "annotations": {
                    "meta.helm.sh/release-name": "r",
                    "meta.helm.sh/release-namespace": "n",
                }
            },
            "Helm release n/r",
        ),
        (
            {"ownerReferences": [{"kind": "ReplicaSet", "name": "r", "controller": True}]},
            "controller ReplicaSet r",
        ),
        (
            {"labels": {**OURS.labels, "applyset.kubernetes.io/part-of": "x"}},
            "ApplySet x",
        ),
    ],
)
def test_an_object_of_another_owner_is_told_with_whose_it_is(
    metadata: dict[str, Any], who: str
) -> None:
    claimed = claim_on(live(**metadata), OURS)

    assert (claimed.claim, claimed.who) == (Claim.ANOTHER, who)


def test_an_object_is_ours_by_both_labels_and_nobodys_by_none() -> None:
    held = live(ownerReferences=[{"kind": "App", "name": "a"}, "odd"])

    assert claim_on(live(labels=OURS.labels), OURS).claim is Claim.OURS
    assert claim_on(held, OURS).claim is Claim.NOBODY
    assert str(OURS) == "flux/shop"


def test_writers_and_the_fields_they_own_are_read() -> None:
    found = written(
        entry("kubectl-edit"), entry("kubelet", subresource="status"), "odd", {"manager": "bare"}
    )

    assert [(one.name, one.subresource) for one in writers_of(found)] == [
        ("kubectl-edit", ""),
        ("kubelet", "status"),
        ("bare", ""),
    ]
    assert writers_of(live()) == []


YOUNGER = {"time": "2026-01-01T10:00:05Z"}


@pytest.mark.parametrize(
    ("entries", "made"),
    [
        pytest.param([], False, id="nobody"),
        pytest.param([entry("pilotfish")], False, id="not-by-an-apply"),
        pytest.param([entry("pilotfish", "Apply", **YOUNGER)], True, id="alone"),
        pytest.param(
            [entry("pilotfish", "Apply", **YOUNGER), entry("kubelet", subresource="status")],
            True,
            id="status-aside",
        ),
        pytest.param(
            [entry("pilotfish", "Apply"), entry("kubectl-edit", **YOUNGER)], True, id="the-first"
        ),
        pytest.param([entry("pilotfish", "Apply"), entry("helm")], False, id="as-old"),
        pytest.param(
            [entry("pilotfish", "Apply", **YOUNGER), entry("helm", **YOUNGER)], False, id="later"
        ),
    ],
)
def test_what_we_made_shows_in_its_managed_fields(
    entries: list[dict[str, Any]], *, made: bool
) -> None:
    assert is_made_by_us(written(*entries)) is made


def test_an_object_without_a_time_of_creation_shows_nothing() -> None:
    assert not is_made_by_us(live(managedFields=[entry("pilotfish", "Apply")]))


def test_what_kubectl_wrote_becomes_ours() -> None:
    found = written(
        entry("kubectl-client-side-apply"),
        entry("kubectl-edit"),
        entry("hpa"),
        entry("kubectl-foo"),
        entry("kubelet", subresource="status"),
        resourceVersion="7",
        annotations={LAST_APPLIED: "{}"},
    )

    replace, remove, version = takeover_patch(found)

    managers = [(one["manager"], one["operation"]) for one in replace["value"]]
    assert managers == [
        ("hpa", "Update"),
        ("kubectl-foo", "Update"),
        ("kubelet", "Update"),
        ("pilotfish", "Apply"),
    ]
    assert replace["value"][-1]["fieldsV1"] == {
        "f:data": {"f:kubectl-client-side-apply": {}, "f:kubectl-edit": {}}
    }
    name = "kubectl.kubernetes.io~1last-applied-configuration"
    assert remove == {"op": "remove", "path": f"/metadata/annotations/{name}"}
    assert version == {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}


def test_our_own_entry_takes_the_fields_and_another_version_is_left() -> None:
    ours = entry("pilotfish", "Apply", fieldsV1={"f:data": {"f:x": {}}, "f:immutable": True})
    found = written(
        ours,
        entry("before-first-apply", fieldsV1={"f:immutable": True, "f:data": True}),
        entry("kubectl", apiVersion="v2"),
        entry("pilotfish"),
    )

    (replace,) = takeover_patch(found)

    assert [one["manager"] for one in replace["value"]] == ["kubectl", "pilotfish"]
    assert replace["value"][-1]["fieldsV1"] == {
        "f:data": {"f:x": {}, "f:pilotfish": {}},
        "f:immutable": True,
    }


def test_names_may_be_added_and_nothing_to_take_is_no_patch() -> None:
    found = written(
        entry("legacy"), entry("pilotfish", "Apply"), entry("before-first-apply", "Apply")
    )

    assert takeover_patch(found) == []
    assert len(takeover_patch(found, also={"legacy"})) == 1
