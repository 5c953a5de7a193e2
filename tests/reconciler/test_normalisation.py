"""What is changed in an object before it is sent."""

import base64
from typing import Any

import pytest

from reconciler.normalisation import normalised
from reconciler.objects import InvalidObjectError, object_of


def sent(api_version: str, kind: str, **parts: Any) -> dict[str, Any]:
    metadata = {"name": "a", **parts.pop("metadata", {})}
    content = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts}
    return dict(normalised(object_of(content)).content)


@pytest.mark.parametrize(
    ("api_version", "kind", "path"),
    [
        ("v1", "Pod", []),
        ("apps/v1", "Deployment", ["spec", "template"]),
        ("batch/v1", "CronJob", ["spec", "jobTemplate", "spec", "template"]),
    ],
)
def test_container_ports_get_the_protocol_they_lack(
    api_version: str, kind: str, path: list[str]
) -> None:
    ports: list[Any] = [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}, "odd"]
    pod: dict[str, Any] = {
        "metadata": {"creationTimestamp": None},
        "spec": {"containers": [{"ports": ports}, 3], "initContainers": "odd"},
    }
    parts: dict[str, Any] = pod
    for key in reversed(path):
        parts = {key: parts}

    found: Any = sent(api_version, kind, **parts)

    for key in path:
        found = found[key]
    assert found["spec"]["containers"][0]["ports"][0]["protocol"] == "TCP"
    assert found["spec"]["containers"][0]["ports"][1]["protocol"] == "UDP"
    assert "creationTimestamp" not in found["metadata"]
    assert "protocol" not in ports[0], "what it was made of stays as it was"


def test_service_ports_get_it_too() -> None:
    found = sent("v1", "Service", spec={"ports": [{"port": 80}]})

    assert found["spec"]["ports"] == [{"port": 80, "protocol": "TCP"}]


def test_what_the_server_writes_is_left_out() -> None:
    found = sent(
        "example.io/v1",
        "Widget",
        metadata={
            "uid": "1",
            "resourceVersion": "2",
            "managedFields": [],
            "creationTimestamp": None,
        },
        status={"phase": "x"},
    )

    assert found == {"apiVersion": "example.io/v1", "kind": "Widget", "metadata": {"name": "a"}}


def test_roles_are_left_untouched() -> None:
    found = sent("rbac.authorization.k8s.io/v1", "Role", metadata={"uid": "1"}, status={})

    assert found["metadata"]["uid"] == "1"
    assert "status" in found


def test_plain_data_of_a_secret_moves_and_wins() -> None:
    found = sent("v1", "Secret", data={"a": "eA==", "b": "eQ=="}, stringData={"b": "new"})

    assert found["data"] == {"a": "eA==", "b": base64.b64encode(b"new").decode()}
    assert "stringData" not in found
    assert "data" not in sent("v1", "Secret", stringData={})


@pytest.mark.parametrize("plain", [{"a": 1}, ["a"]])
def test_plain_data_that_is_no_text_is_an_error_without_the_value(plain: object) -> None:
    with pytest.raises(InvalidObjectError, match="holds something that is no text"):
        sent("v1", "Secret", stringData=plain)


@pytest.mark.parametrize(
    ("bundle", "stays"),
    [
        (base64.b64encode(b"-----BEGIN CERTIFICATE-----\n").decode(), True),
        ("Cg==", False),
        ("%", False),
    ],
)
def test_a_definition_keeps_its_status_and_only_a_bundle_that_is_one(
    bundle: str, *, stays: bool
) -> None:
    client = {"caBundle": bundle, "url": "https://x"}
    found = sent(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        spec={"conversion": {"webhook": {"clientConfig": client}}},
        status={"x": 1},
    )

    assert ("caBundle" in found["spec"]["conversion"]["webhook"]["clientConfig"]) is stays
    assert found["status"] == {"x": 1}


def test_a_definition_without_a_webhook_is_left_alone() -> None:
    found = sent("apiextensions.k8s.io/v1", "CustomResourceDefinition", spec={"group": "e.io"})

    assert found["spec"] == {"group": "e.io"}
