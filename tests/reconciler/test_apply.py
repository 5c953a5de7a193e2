"""What a pass does to a real cluster; its audit log is the judge of what was written."""

import json

import pytest

from bot.errors import RefusedError
from tests.reconciler.applying import (
    Applier,
    actions,
    config_map,
    definition,
    deployment,
    messages,
    service,
)


def labelled(one: dict[str, object], **labels: str) -> dict[str, object]:
    metadata = dict(one["metadata"])  # type: ignore[call-overload]
    return {**one, "metadata": {**metadata, "labels": labels}}


async def test_a_set_is_created_and_carries_its_owner(applier: Applier) -> None:
    done = await applier.must(config_map("a", key="1"), service("web"), deployment("web"))

    assert done == {
        "ConfigMap/a": "created",
        "Service/web": "created",
        "Deployment/web": "created",
    }
    labels = applier.get("configmap", "a")["metadata"]["labels"]
    assert labels["reconcile.pilotfish.io/name"] == "shop"
    assert labels["reconcile.pilotfish.io/namespace"] == applier.namespace


async def test_a_change_writes_the_changed_object_alone(applier: Applier) -> None:
    await applier.must(config_map("a", key="1"), config_map("b", key="1"), service("web"))

    done = await applier.must(config_map("a", key="2"), config_map("b", key="1"), service("web"))

    assert done["ConfigMap/a"] == "configured"
    assert applier.writes() == ["patch configmaps/a"]
    assert applier.get("configmap", "a")["data"] == {"key": "2"}


async def test_an_unchanged_set_costs_one_list_a_kind_and_no_write(applier: Applier) -> None:
    desired = [
        config_map("a", key="1"),
        config_map("b", key="1"),
        service("web"),
        deployment("web"),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s"},
            "stringData": {"password": "hunter2"},
        },
    ]
    await applier.must(*desired)
    await applier.must(*desired)

    done = await applier.must(*desired)

    assert set(done.values()) == {"unchanged"}
    assert sorted(f"{call.verb} {call.resource}" for call in applier.calls()) == [
        "list configmaps",  # the inventory
        "list configmaps",
        "list deployments.apps",
        "list secrets",
        "list services",
    ]


async def test_what_left_the_set_is_deleted_by_uid_and_version(applier: Applier) -> None:
    await applier.must(config_map("a"), config_map("b"), prune=True)
    gone = applier.get("configmap", "b")["metadata"]

    done = await applier.must(config_map("a"), prune=True)

    assert done == {"ConfigMap/a": "unchanged", "ConfigMap/b": "deleted"}
    assert not applier.exists("configmap", "b")
    [delete] = [call for call in applier.calls() if call.verb == "delete"]
    assert delete.body["preconditions"] == {
        "uid": gone["uid"],
        "resourceVersion": gone["resourceVersion"],
    }
    assert delete.body["propagationPolicy"] == "Background"


async def test_without_prune_what_left_the_set_stays_until_a_pass_with_it(
    applier: Applier,
) -> None:
    await applier.must(config_map("a"), config_map("b"))
    await applier.must(config_map("a"))
    assert applier.exists("configmap", "b")

    await applier.must(config_map("a"), prune=True)

    assert not applier.exists("configmap", "b")


async def test_an_object_of_another_owner_refuses_the_set_before_any_write(
    applier: Applier,
) -> None:
    applier.cluster.apply(
        {
            **config_map("theirs", key="theirs"),
            "metadata": {
                "name": "theirs",
                "namespace": applier.namespace,
                "annotations": {"meta.helm.sh/release-name": "web"},
            },
        }
    )
    before = applier.get("configmap", "theirs")

    outcome = await applier.apply(config_map("theirs", key="ours"), config_map("mine"))

    assert "it belongs to Helm release web" in messages(outcome)
    assert outcome.changes == ()
    assert not outcome.wrote
    assert applier.writes() == []
    assert applier.get("configmap", "theirs") == before


async def test_two_sets_cannot_hold_one_object(applier: Applier) -> None:
    await applier.must(config_map("a"), name="first")

    outcome = await applier.apply(config_map("a"), name="second")

    assert f"Pilotfish set {applier.namespace}/first" in messages(outcome)


async def test_an_object_of_nobody_is_adopted_and_never_deleted(applier: Applier) -> None:
    applier.kubectl("create", "configmap", "old", "--from-literal=key=theirs")
    await applier.must(config_map("old", key="ours"), config_map("new"), prune=True)
    assert applier.get("configmap", "old")["data"] == {"key": "ours"}

    done = await applier.must(config_map("new"), prune=True)

    assert done["ConfigMap/old"] == "skipped"
    assert applier.exists("configmap", "old")
    assert applier.writes() == []


async def test_copied_labels_do_not_make_an_object_ours(applier: Applier) -> None:
    await applier.must(config_map("a"))
    copy = applier.get("configmap", "a")
    copy["metadata"] = {
        "name": "copy",
        "namespace": applier.namespace,
        "labels": copy["metadata"]["labels"],
    }
    applier.cluster.kubectl("create", "-f", "-", text=json.dumps(copy))

    await applier.must(config_map("b"), prune=True)

    assert not applier.exists("configmap", "a")
    assert applier.exists("configmap", "copy")


async def test_an_entry_forged_into_the_inventory_deletes_nothing(applier: Applier) -> None:
    await applier.must(config_map("a"))
    applier.kubectl("create", "configmap", "precious", "--from-literal=key=theirs")
    uid = applier.get("configmap", "precious")["metadata"]["uid"]
    name = next(
        one for one in applier.cluster.names("configmap", applier.namespace) if "pilotfish" in one
    )
    held = applier.get("configmap", name)
    content = json.loads(held["data"]["inventory"])
    forged = f"{applier.namespace}_precious__ConfigMap"
    content["entries"].append({"id": forged, "v": "v1", "uid": uid, "origin": "created"})
    content["count"] += 1
    patch = json.dumps({"data": {"inventory": json.dumps(content)}})
    applier.kubectl("patch", "configmap", name, "--type=merge", "-p", patch)

    await applier.must(config_map("a"), prune=True)

    assert applier.exists("configmap", "precious")


async def test_a_lost_inventory_deletes_nothing_and_is_made_again(applier: Applier) -> None:
    await applier.must(config_map("a"), config_map("b"))
    name = next(
        one for one in applier.cluster.names("configmap", applier.namespace) if "pilotfish" in one
    )
    patch = json.dumps({"data": {"inventory": "{"}})
    applier.kubectl("patch", "configmap", name, "--type=merge", "-p", patch)

    with pytest.raises(RefusedError, match="Nothing is deleted"):
        await applier.apply(config_map("a"), prune=True)
    assert applier.exists("configmap", "b")

    await applier.must(config_map("a"), config_map("b"))
    done = await applier.must(config_map("a"), prune=True)
    assert done["ConfigMap/b"] == "deleted"


async def test_a_field_edited_by_hand_is_put_back(applier: Applier) -> None:
    await applier.must(deployment("web"))
    applier.kubectl(
        "patch", "deployment", "web", "--type=strategic", "-p", '{"spec":{"replicas":7}}'
    )

    done = await applier.must(deployment("web"))

    assert done == {"Deployment/web": "configured"}
    assert applier.get("deployment", "web")["spec"]["replicas"] == 1


async def test_a_field_added_by_hand_with_kubectl_goes(applier: Applier) -> None:
    await applier.must(config_map("a", key="1"))
    applier.kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"data":{"extra":"x"}}')

    await applier.must(config_map("a", key="1"))

    assert applier.get("configmap", "a")["data"] == {"key": "1"}


async def test_a_second_manager_keeps_its_own_fields_and_loses_ours(applier: Applier) -> None:
    await applier.must(config_map("a", key="1"))
    theirs = config_map("a", key="theirs", other="theirs")
    theirs["metadata"]["namespace"] = applier.namespace
    applier.cluster.apply(theirs, manager="somebody")

    done = await applier.must(config_map("a", key="1"))

    assert done == {"ConfigMap/a": "configured"}
    assert applier.get("configmap", "a")["data"] == {"key": "1", "other": "theirs"}
    assert set((await applier.must(config_map("a", key="1"))).values()) == {"unchanged"}


async def test_what_kubectl_applied_before_is_taken_over_whole(applier: Applier) -> None:
    text = json.dumps(config_map("a", key="1", left="over"))
    applier.kubectl("apply", "-f", "-", text=text)

    await applier.must(config_map("a", key="1"))

    live = applier.get("configmap", "a")
    assert live["data"] == {"key": "1"}
    assert "annotations" not in live["metadata"]


async def test_a_field_that_can_never_change_is_refused_with_the_way_out(
    applier: Applier,
) -> None:
    await applier.must(deployment("web"))
    other = deployment("web", selector={"matchLabels": {"app": "web", "tier": "1"}})
    other["spec"]["template"]["metadata"]["labels"]["tier"] = "1"

    outcome = await applier.apply(other)

    assert "field is immutable" in messages(outcome)
    assert "--force" in messages(outcome)
    assert applier.writes() == []


async def test_force_makes_it_anew(applier: Applier) -> None:
    await applier.must(deployment("web"))
    uid = applier.get("deployment", "web")["metadata"]["uid"]
    other = deployment("web", selector={"matchLabels": {"app": "web", "tier": "1"}})
    other["spec"]["template"]["metadata"]["labels"]["tier"] = "1"

    done = await applier.must(other, force=True)

    assert done == {"Deployment/web": "configured"}
    assert applier.get("deployment", "web")["metadata"]["uid"] != uid
    assert applier.writes() == ["delete deployments.apps/web", "patch deployments.apps/web"]
    assert set((await applier.must(other, force=True)).values()) == {"unchanged"}


async def test_force_deletes_nothing_for_a_plain_mistake(applier: Applier) -> None:
    await applier.must(deployment("web"))
    wrong = deployment("web", selector={"matchLabels": {"app": "other"}})

    outcome = await applier.apply(wrong, force=True)

    assert outcome.failed
    assert applier.writes() == []


async def test_a_definition_and_its_object_go_in_one_set(applier: Applier) -> None:
    group = f"{applier.namespace}.example.test"
    widget = {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": "one"},
        "spec": {"size": 3},
    }
    desired = [widget, definition("Widget", group)]

    done = await applier.must(*desired)
    again = await applier.must(*desired)
    applier.cluster.kubectl("delete", "crd", f"widgets.{group}", "--wait=false")

    assert set(done.values()) == {"created"}
    assert set(again.values()) == {"unchanged"}


async def test_an_object_that_its_new_definition_does_not_allow_fails_in_its_stage(
    applier: Applier,
) -> None:
    group = f"{applier.namespace}.example.test"
    widget = {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": "one"},
        "spec": {"size": "many"},
    }

    outcome = await applier.apply(widget, definition("Widget", group), config_map("a"))
    applier.cluster.kubectl("delete", "crd", f"widgets.{group}", "--wait=false")

    assert "Widget" in messages(outcome)
    assert outcome.wrote
    assert not applier.exists("configmap", "a")


async def test_a_namespace_and_what_lies_in_it_go_in_one_set(applier: Applier) -> None:
    name = f"{applier.namespace}-new"
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    inside = config_map("a")
    inside["metadata"]["namespace"] = name

    done = await applier.must(inside, space, prune=True)
    pruned = await applier.must(config_map("b"), prune=True)

    assert set(done.values()) == {"created"}
    assert pruned == {
        "ConfigMap/b": "created",
        "ConfigMap/a": "deleted",
        f"Namespace/{name}": "deleted",
    }


async def test_an_object_wrong_in_itself_is_told_though_its_namespace_is_not_there(
    applier: Applier,
) -> None:
    name = f"{applier.namespace}-new"
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    inside = deployment("web", selector={"matchLabels": {"app": "other"}})
    inside["metadata"]["namespace"] = name

    outcome = await applier.apply(inside, space)

    assert "selector" in messages(outcome)
    assert not applier.cluster.exists("namespace", name)


async def test_the_namespace_of_the_inventory_comes_first_when_it_is_in_the_set(
    applier: Applier,
) -> None:
    home = f"{applier.namespace}-home"
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home}}
    there = Applier(
        cluster=applier.cluster,
        namespace=home,
        kubeconfig=applier.kubeconfig,
        folder=applier.folder,
    )

    await there.must(space, config_map("a"))
    written = [call.resource for call in there.calls() if call.writes]
    there.cluster.kubectl("delete", "namespace", home, "--wait=false")

    assert written[:2] == ["namespaces", "configmaps"]


async def test_without_a_namespace_for_the_inventory_nothing_is_written(
    applier: Applier,
) -> None:
    lost = Applier(
        cluster=applier.cluster,
        namespace="nowhere-at-all",
        kubeconfig=applier.kubeconfig,
        folder=applier.folder,
    )
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": applier.namespace},
        "rules": [],
    }

    outcome = await lost.apply(role)

    assert "the inventory is kept in it" in messages(outcome)
    assert lost.writes() == []


async def test_a_namespace_that_is_ending_is_named_and_nothing_is_written(
    applier: Applier,
) -> None:
    held = config_map("held")
    held["metadata"] |= {"namespace": applier.namespace, "finalizers": ["example.test/hold"]}
    applier.cluster.apply(held)
    applier.cluster.kubectl("delete", "namespace", applier.namespace, "--wait=false")

    outcome = await applier.apply(config_map("a"))
    applier.kubectl("patch", "configmap", "held", "-p", '{"metadata":{"finalizers":null}}')

    assert "its namespace is being deleted" in messages(outcome)
    assert outcome.requests > 0
    assert applier.writes() == []


async def test_an_object_that_is_going_fails_alone(applier: Applier) -> None:
    held = config_map("held", key="1")
    held["metadata"]["finalizers"] = ["example.test/hold"]
    await applier.must(held)
    applier.kubectl("delete", "configmap", "held", "--wait=false")

    outcome = await applier.apply(held, config_map("a"), prune=True)
    applier.kubectl("patch", "configmap", "held", "-p", '{"metadata":{"finalizers":null}}')

    assert "it is being deleted, held by example.test/hold" in messages(outcome)
    assert applier.exists("configmap", "a")


async def test_every_fault_of_a_set_is_told_and_nothing_is_written(applier: Applier) -> None:
    wrong = config_map("Not_A_Name")
    other = deployment("web", selector={"matchLabels": {"app": "other"}})
    strange = {"apiVersion": "example.test/v9", "kind": "Strange", "metadata": {"name": "x"}}
    untyped = {**config_map("b"), "data": {"key": 1}}

    outcome = await applier.apply(config_map("a"), wrong, other, strange, untyped)

    told = messages(outcome)
    for expected in ("Not_A_Name", "selector", "no kind Strange", "expected string"):
        assert expected in told
    assert applier.writes() == []


async def test_an_empty_set_deletes_nothing(applier: Applier) -> None:
    await applier.must(config_map("a"), prune=True)

    with pytest.raises(RefusedError, match="no object"):
        await applier.apply(prune=True)

    assert applier.exists("configmap", "a")


async def test_a_pass_that_failed_in_part_deletes_nothing(applier: Applier) -> None:
    await applier.must(config_map("a"), config_map("b"), prune=True)
    applier.kubectl("create", "quota", "small", "--hard=services=0")
    group = f"{applier.namespace}.example.test"
    widget = {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": "one"},
        "spec": {"size": "many"},
    }

    outcome = await applier.apply(config_map("a"), widget, definition("Widget", group), prune=True)
    applier.cluster.kubectl("delete", "crd", f"widgets.{group}", "--wait=false")

    assert outcome.failed
    assert applier.exists("configmap", "b")
    assert not [call for call in applier.calls() if call.verb == "delete"]


async def test_a_dry_run_tells_every_difference_and_writes_nothing(applier: Applier) -> None:
    await applier.must(config_map("a", key="1"), config_map("b"))

    outcome = await applier.apply(
        config_map("a", key="2"), service("web"), dry_run=True, prune=True
    )

    assert actions(outcome) == {
        "ConfigMap/a": "configured",
        "Service/web": "created",
        "ConfigMap/b": "deleted",
    }
    assert len(outcome.differences) == 3
    assert not [call for call in applier.calls() if call.writes]


async def test_values_of_secrets_show_in_no_difference_and_no_error(applier: Applier) -> None:
    def secret(**data: object) -> dict[str, object]:
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, **data}

    await applier.must(secret(stringData={"password": "hunter2"}))

    differing = await applier.apply(secret(stringData={"password": "hunter3"}), dry_run=True)
    refused = await applier.apply(secret(data={"password": "not base64: hunter4"}))

    told = repr(differing) + "".join(one.text for one in differing.differences)
    assert differing.differences
    for value in ("hunter", "aHVudGVy"):
        assert value not in told
        assert value not in messages(refused)
    assert refused.failed


async def test_an_account_without_rights_is_told_so_and_nothing_happens(applier: Applier) -> None:
    await applier.must(config_map("a", key="1"))
    applier.kubeconfig = applier.cluster.user("joe", applier.namespace)
    applier.kubectl("create", "role", "reader", "--verb=get,list", "--resource=configmaps")
    applier.kubectl(
        "create", "rolebinding", "joe", "--role=reader", f"--serviceaccount={applier.namespace}:joe"
    )

    outcome = await applier.apply(config_map("a", key="2"))

    assert "not allowed" in messages(outcome)
    assert applier.get("configmap", "a")["data"] == {"key": "1"}


async def test_annotations_keep_an_object_as_it_is(applier: Applier) -> None:
    once = config_map("once", key="1")
    once["metadata"]["annotations"] = {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}
    kept = config_map("kept", key="1")
    kept["metadata"]["annotations"] = {"reconcile.pilotfish.io/prune": "disabled"}
    await applier.must(once, kept, config_map("a"), prune=True)

    changed = {**once, "data": {"key": "2"}}
    done = await applier.must(changed, config_map("a"), prune=True)

    assert done["ConfigMap/once"] == "skipped"
    assert done["ConfigMap/kept"] == "skipped"
    assert applier.get("configmap", "once")["data"] == {"key": "1"}
    assert applier.exists("configmap", "kept")
