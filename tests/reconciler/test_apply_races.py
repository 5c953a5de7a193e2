"""What a pass does when others change things between its reading and its writing."""

import json

import pytest

from reconciler.inventory_store import AnotherPassError
from tests.reconciler.applying import Applier, config_map, definition, deployment, messages
from tests.servers.api_proxy import ApiProxy
from tests.servers.http_thread import SeenRequest


def is_delete(request: SeenRequest) -> bool:
    return request.method == "DELETE"


def is_handing_over(request: SeenRequest) -> bool:
    return request.headers.get("content-type") == "application/json-patch+json"


def writes_inventory(request: SeenRequest) -> bool:
    return request.method == "PATCH" and "/pilotfish-shop-" in request.path


def annotate(applier: Applier, kind: str, name: str) -> None:
    applier.kubectl("annotate", kind, name, "theirs=x", "--overwrite")


async def test_what_changed_before_its_delete_is_looked_at_again_and_deleted(
    through: Applier, proxy: ApiProxy
) -> None:
    await through.must(config_map("a"), config_map("b"))
    proxy.before(lambda: annotate(through, "configmap", "b"), is_delete)

    done = await through.must(config_map("a"), prune=True)

    assert done["ConfigMap/b"] == "deleted"
    assert not through.exists("configmap", "b")


async def test_what_was_made_anew_by_others_before_its_delete_stays(
    through: Applier, proxy: ApiProxy
) -> None:
    await through.must(config_map("a"), config_map("b"))

    def make_anew() -> None:
        through.kubectl("delete", "configmap", "b")
        through.kubectl("create", "configmap", "b", "--from-literal=key=theirs")

    proxy.before(make_anew, is_delete)

    await through.apply(config_map("a"), prune=True)
    again = await through.must(config_map("a"), prune=True)

    assert through.get("configmap", "b")["data"] == {"key": "theirs"}
    assert again == {"ConfigMap/a": "unchanged"}


async def test_what_was_kept_by_an_annotation_before_its_delete_stays(
    through: Applier, proxy: ApiProxy
) -> None:
    await through.must(config_map("a"), config_map("b"))
    note = "reconcile.pilotfish.io/prune=disabled"
    proxy.before(lambda: through.kubectl("annotate", "configmap", "b", note), is_delete)

    outcome = await through.apply(config_map("a"), prune=True)

    assert not outcome.failed
    assert through.exists("configmap", "b")


async def test_fields_are_taken_over_though_the_object_changed_meanwhile(
    through: Applier, proxy: ApiProxy
) -> None:
    text = json.dumps(config_map("a", key="1", left="over"))
    through.kubectl("apply", "-f", "-", text=text)
    proxy.before(lambda: annotate(through, "configmap", "a"), is_handing_over)

    await through.must(config_map("a", key="1"))

    assert through.get("configmap", "a")["data"] == {"key": "1"}


async def test_a_replacement_deletes_the_object_though_it_changed_meanwhile(
    through: Applier, proxy: ApiProxy
) -> None:
    await through.must(deployment("web"))
    other = deployment("web", selector={"matchLabels": {"app": "web", "tier": "1"}})
    other["spec"]["template"]["metadata"]["labels"]["tier"] = "1"
    proxy.before(lambda: annotate(through, "deployment", "web"), is_delete)

    done = await through.must(other, force=True)

    assert done == {"Deployment/web": "configured"}
    assert through.get("deployment", "web")["spec"]["selector"]["matchLabels"]["tier"] == "1"


async def test_two_passes_over_one_set_do_not_overwrite_each_other(
    through: Applier, proxy: ApiProxy
) -> None:
    await through.must(config_map("a"))
    [name] = [
        one for one in through.cluster.names("configmap", through.namespace) if "pilotfish" in one
    ]
    proxy.before(lambda: annotate(through, "configmap", name), writes_inventory)

    with pytest.raises(AnotherPassError, match="another pass is working on the same set"):
        await through.apply(config_map("a"), config_map("b"))

    assert not through.exists("configmap", "b")


async def test_a_server_that_goes_in_the_middle_ends_the_pass_with_what_was_done(
    through: Applier, proxy: ApiProxy
) -> None:
    through.patience_s = 1
    objects = [config_map(f"a-{number}") for number in range(12)]
    proxy.plan_harm(
        lambda: proxy.answer(503, times=10_000),
        at=4,
        counts=lambda request: (
            request.method == "PATCH"
            and "dryRun" not in request.raw_query
            and "/a-" in request.path
        ),
    )

    outcome = await through.apply(*objects, config_map("gone"), prune=True)
    proxy.forget_answers()
    through.patience_s = 30
    after = await through.apply(*objects, prune=True)

    assert "apply again when the server is back" in messages(outcome)
    assert outcome.wrote
    assert after.problems == ()
    assert {f"a-{number}" for number in range(12)} <= through.cluster.names(
        "configmap", through.namespace
    )
    assert after.inventory == 12
    assert not through.exists("configmap", "gone")


async def test_an_account_of_two_namespaces_lists_them_one_by_one(applier: Applier) -> None:
    second = applier.cluster.make_namespace(f"{applier.namespace}-2")
    account = f"--serviceaccount={applier.namespace}:joe"
    joe = applier.cluster.user("joe", applier.namespace)
    for space in (applier.namespace, second):
        applier.cluster.kubectl(
            "create", "rolebinding", "joe", "--clusterrole=admin", account, "-n", space
        )
    applier.kubeconfig = joe
    there = config_map("b")
    there["metadata"]["namespace"] = second

    done = await applier.must(config_map("a"), there)
    applier.cluster.kubectl("delete", "namespace", second, "--wait=false")

    assert set(done.values()) == {"created"}


async def test_a_kind_that_went_keeps_its_entries_and_says_so(applier: Applier) -> None:
    group = f"{applier.namespace}.example.test"
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "one"}}
    applier.cluster.apply(definition("Widget", group))
    applier.cluster.kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}")
    await applier.must(widget, config_map("a"))
    applier.cluster.kubectl("delete", "crd", f"widgets.{group}")

    outcome = await applier.apply(config_map("a"), prune=True)

    assert outcome.problems == ()
    [kept] = [one for one in outcome.changes if one.identity.kind == "Widget"]
    assert kept.reason == "the server has no such kind now"
    assert outcome.inventory == 2
