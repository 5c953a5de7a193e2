"""The proof that an apply would change nothing: never wrong, and good enough for usual objects."""

import copy
from typing import Any

import pytest

from reconciler.settled import is_settled
from tests.reconciler.applying import Applier, config_map, deployment, service

Raw = dict[str, Any]


def live(content: Raw, fields: Raw, **entry: Any) -> Raw:
    """Return an object as the server keeps it, `fields` owned by our last apply."""
    made = copy.deepcopy(content)
    ours = {
        "manager": "pilotfish",
        "operation": "Apply",
        "apiVersion": content["apiVersion"],
        "fieldsV1": fields,
        **entry,
    }
    made["metadata"] |= {"uid": "1", "managedFields": [ours]}
    return made


DATA: Raw = {"f:data": {"f:a": {}, "f:b": {}}}
BOTH = {**config_map("x", a="1", b="2")}


def test_owned_fields_with_the_desired_values_are_settled() -> None:
    assert is_settled(BOTH, live(BOTH, DATA))


@pytest.mark.parametrize(
    "desired",
    [
        config_map("x", a="1"),
        config_map("x", a="1", b="3"),
        config_map("x", a="1", b="2", c="3"),
        {**BOTH, "apiVersion": "v2"},
        {**BOTH, "immutable": True},
        {**BOTH, "data": ["a", "b"]},
        {**BOTH, "data": None},
    ],
)
def test_anything_else_is_put_to_the_server(desired: Raw) -> None:
    assert not is_settled(desired, live(BOTH, DATA))


def test_a_value_that_another_changed_is_not_settled() -> None:
    edited = live(BOTH, DATA)
    edited["data"]["a"] = "2"

    assert not is_settled(BOTH, edited)


@pytest.mark.parametrize(
    "entry",
    [{"manager": "kubectl"}, {"operation": "Update"}, {"subresource": "status"}],
)
def test_fields_that_are_not_of_our_apply_prove_nothing(entry: Raw) -> None:
    assert not is_settled(BOTH, live(BOTH, DATA, **entry))


def test_an_object_on_its_way_out_is_not_settled() -> None:
    going = live(BOTH, DATA)
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert not is_settled(BOTH, going)


def test_fields_of_others_do_not_matter() -> None:
    more = live(BOTH, DATA)
    more["data"]["theirs"] = "3"
    more["metadata"]["labels"] = {"theirs": "x"}

    assert is_settled(BOTH, more)


PORTS: Raw = {
    "f:spec": {
        "f:ports": {
            'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:protocol": {}},
            'k:{"port":81,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:protocol": {}},
        }
    }
}


def ported(*numbers: int) -> Raw:
    ports = [{"port": number, "protocol": "TCP"} for number in numbers]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x"},
        "spec": {"ports": ports},
    }


def test_items_of_a_list_are_found_by_their_keys() -> None:
    held = live(ported(79, 80, 81), PORTS)

    assert is_settled(ported(80, 81), held)
    assert not is_settled(ported(81, 80), held)
    assert not is_settled(ported(80), held)
    assert not is_settled(ported(80, 80), held)
    assert not is_settled(ported(80, 82), held)


def test_items_of_a_set_are_found_by_their_values() -> None:
    def finalized(*names: str) -> Raw:
        made = config_map("x", a="1")
        made["metadata"]["finalizers"] = list(names)
        return made

    fields: Raw = {
        "f:data": {"f:a": {}},
        "f:metadata": {"f:finalizers": {'v:"one"': {}, 'v:"two"': {}}},
    }
    held = live(finalized("zero", "one", "two"), fields)

    assert is_settled(finalized("one", "two"), held)
    assert not is_settled(finalized("one", "three"), held)


@pytest.mark.parametrize(("ours", "theirs"), [(1, True), (1, 1.0), ("1", 1), ([1], [1.0])])
def test_values_that_only_look_alike_are_not_the_same(ours: Any, theirs: Any) -> None:
    fields: Raw = {"f:spec": {"f:a": {}}}
    one = {"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "x"}, "spec": {"a": ours}}
    other = {**one, "spec": {"a": theirs}}

    assert is_settled(one, live(one, fields))
    assert not is_settled(one, live(other, fields))


async def test_what_the_proof_passes_the_server_would_not_change(applier: Applier) -> None:
    """Objects of many shapes: each is settled after its apply, and none is after a change."""
    container = {
        "name": "web",
        "image": "registry.example/web:1",
        "args": ["a", "b"],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "ports": [{"containerPort": 80}, {"containerPort": 81, "name": "more"}],
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        "securityContext": {"capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True},
        "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
    }
    spec = {"containers": [container], "volumes": [{"name": "v", "emptyDir": {}}]}
    rich = deployment("rich", replicas=0)
    rich["spec"]["template"]["spec"] = spec
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{}]},
    }
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
    }
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "web"},
        "imagePullSecrets": [{"name": "pull"}],
    }
    held = config_map("held", a="")
    held["metadata"] |= {"annotations": {"x/y": "z"}, "labels": {"l": ""}}
    desired = [rich, policy, role, account, held, service("web", sessionAffinity="ClientIP")]
    await applier.must(*desired)

    await applier.must(*desired)
    asked = [call.name for call in applier.calls() if call.verb == "patch"]

    assert asked == []


async def test_what_cannot_be_proved_is_asked_and_still_costs_no_write(applier: Applier) -> None:
    thousand = deployment("web", replicas=0)
    resources = {"requests": {"cpu": "1000m"}}
    thousand["spec"]["template"]["spec"]["containers"][0]["resources"] = resources
    await applier.must(thousand)

    done = await applier.must(thousand)

    assert done == {"Deployment/web": "unchanged"}
    assert applier.writes() == []
    assert [call.dry_run for call in applier.calls() if call.verb == "patch"] == [True]
