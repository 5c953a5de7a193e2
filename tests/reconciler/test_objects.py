"""Objects and their identity: what is taken for an object, and what is refused."""

from typing import Any

import pytest

from reconciler.objects import (
    MAX_OBJECTS,
    Identity,
    InvalidObjectError,
    identity_of,
    object_of,
    parse_id,
    read_objects,
    refuse_duplicates,
    with_labels,
    with_namespace,
)

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}, annotations: {a: b}}
"""


def raw(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **metadata}}


def test_an_object_knows_its_identity_its_version_and_its_place() -> None:
    first, second = read_objects(f"{WEB}---\n{WEB.replace('web', 'api')}".encode(), source="a.yaml")

    assert (str(first.identity), first.api_version) == ("apps/Deployment/shop/web", "apps/v1")
    assert first.identity.short == "Deployment/shop/web"
    assert (first.source, second.source) == ("a.yaml:1", "a.yaml:5")
    assert (first.labels, first.annotations) == ({"app": "web"}, {"a": "b"})


def test_the_core_group_and_the_whole_cluster_leave_their_parts_out() -> None:
    (one,) = read_objects(b"{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")

    assert (str(one.identity), one.identity.id) == ("Namespace/shop", "_shop__Namespace")
    assert (one.api_version, one.source, one.labels) == ("v1", "line 1", {})


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        (("shop", "web", "apps", "Deployment"), "shop_web_apps_Deployment"),
        (("", "system:web", "rbac.authorization.k8s.io", "ClusterRole"), None),
        (("shop", "a_b", "rbac.authorization.k8s.io", "Role"), None),
        (("", "w:x", "example.io", "Widget"), "_w:x_example.io_Widget"),
    ],
)
def test_an_id_is_read_back(identity: tuple[str, str, str, str], text: str | None) -> None:
    namespace, name, group, kind = identity
    one = Identity(namespace=namespace, name=name, group=group, kind=kind)

    assert parse_id(one.id) == one
    assert text is None or one.id == text


def test_a_colon_in_the_name_of_a_role_is_two_underscores() -> None:
    role = Identity(
        namespace="", name="system:web", group="rbac.authorization.k8s.io", kind="ClusterRole"
    )

    assert role.id == "_system__web_rbac.authorization.k8s.io_ClusterRole"


@pytest.mark.parametrize("text", ["", "a", "a_b", "a_b_c", "a___", "___Kind", "a__c_"])
def test_what_is_no_id_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        parse_id(text)


def test_lists_are_opened_also_in_lists_and_typed_ones_fill_in() -> None:
    text = b"""
kind: List
apiVersion: v1
items:
- {apiVersion: v1, kind: Secret, metadata: {name: a}}
- {kind: List, apiVersion: v1, items: [{apiVersion: v1, kind: Secret, metadata: {name: b}}]}
---
{kind: ConfigMapList, apiVersion: v1, items: [{metadata: {name: c}}]}
---
{kind: List, apiVersion: v1, items: }
"""

    assert [str(one.identity) for one in read_objects(text)] == [
        "Secret/a",
        "Secret/b",
        "ConfigMap/c",
    ]


def test_a_kind_that_merely_ends_in_list_is_an_object() -> None:
    (one,) = read_objects(b"{apiVersion: e.io/v1, kind: AllowList, metadata: {name: a}}")

    assert one.identity.kind == "AllowList"


DEEP = "{kind: List, apiVersion: v1, items: [" * 9 + "]}" * 9


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("a", "no Kubernetes object", id="text"),
        pytest.param("{kind: A, metadata: {name: a}}", "no apiVersion", id="no-version"),
        pytest.param("{apiVersion: 1, kind: A}", "no apiVersion", id="version-no-text"),
        pytest.param("{apiVersion: v1, metadata: {name: a}}", "no kind", id="no-kind"),
        pytest.param("{apiVersion: v1, kind: A}", "no metadata", id="no-metadata"),
        pytest.param("{apiVersion: v1, kind: A, metadata: {}}", "no name", id="no-name"),
        pytest.param(
            "{apiVersion: v1, kind: A, metadata: {generateName: a-}}", "generated", id="generated"
        ),
        pytest.param(
            "{apiVersion: v1, kind: A, metadata: {name: 12}}", "is no text", id="name-a-number"
        ),
        pytest.param(
            "{apiVersion: v1, kind: A, metadata: {name: a/b}}", "cannot be the name", id="slash"
        ),
        pytest.param(
            "{apiVersion: v1, kind: A, metadata: {name: ..}}", "cannot be the name", id="dots"
        ),
        pytest.param(
            "{apiVersion: v1, kind: A, metadata: {name: a, namespace: b_c}}",
            "cannot be a namespace",
            id="namespace",
        ),
        pytest.param(
            "{apiVersion: v1, kind: A, metadata: {name: a, labels: [x]}}", "no mapping", id="labels"
        ),
        pytest.param(
            "{apiVersion: v1, kind: A, metadata: {name: a, annotations: {x: true}}}",
            "'x' of A a is no text",
            id="annotation-true",
        ),
        pytest.param(
            "{apiVersion: a/b/c, kind: A, metadata: {name: a}}", "no apiVersion", id="slashes"
        ),
        pytest.param(
            "{apiVersion: a/, kind: A, metadata: {name: a}}", "no apiVersion", id="no-version-part"
        ),
        pytest.param(
            "{apiVersion: v1, kind: A_b, metadata: {name: a}}", "no inventory", id="kind-underscore"
        ),
        pytest.param(
            "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: a__b}}",
            "no inventory",
            id="role-underscores",
        ),
        pytest.param("{kind: List, apiVersion: v1, items: 3}", "`items` is no list", id="items"),
        pytest.param(DEEP, "nest too deeply", id="deep-lists"),
        pytest.param("a: [", "this is not YAML", id="yaml"),
        pytest.param("[" * 5000, "nested deeper", id="tower"),
        pytest.param(f"{WEB}---\n{WEB}", "stands twice, first at f.yaml:1", id="twice"),
    ],
)
def test_what_is_no_object_of_ours_is_refused_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(InvalidObjectError) as caught:
        read_objects(text.encode(), source="f.yaml")

    assert reason in caught.value.what
    assert caught.value.where.startswith("f.yaml")


def test_nothing_is_said_of_an_earlier_place_that_is_not_known() -> None:
    with pytest.raises(InvalidObjectError, match="an earlier place"):
        refuse_duplicates([object_of(raw()), object_of(raw())])


def test_more_objects_than_a_set_may_have_are_refused() -> None:
    item = "{apiVersion: v1, kind: A, metadata: {name: a}},"

    with pytest.raises(InvalidObjectError, match="more than"):
        read_objects(f"{{kind: List, items: [{item * (MAX_OBJECTS + 1)}]}}".encode())


def test_a_null_namespace_or_label_is_none() -> None:
    one = object_of(raw(namespace=None, labels=None))

    assert one.identity == identity_of(raw())


def test_a_namespace_is_filled_in_where_there_is_none() -> None:
    bare, placed = object_of(raw()), object_of(raw(namespace="shop"))

    filled = with_namespace(bare, "default")

    assert filled.identity.namespace == filled.content["metadata"]["namespace"] == "default"
    assert with_namespace(placed, "default") is placed
    assert bare.content == raw()


def test_labels_are_set_over_its_own() -> None:
    one = object_of(raw(labels={"a": "1", "b": "1"}))

    assert with_labels(one, {"b": "2"}).labels == {"a": "1", "b": "2"}
    assert one.labels == {"a": "1", "b": "1"}
