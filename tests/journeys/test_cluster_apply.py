"""`pilotfish apply` and `diff` as people run them, on a real control plane."""

import json
import os
import signal
import subprocess
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.journeys.commands import Answer, Pilotfish
from tests.servers.api_proxy import ApiProxy
from tests.servers.cluster import ControlPlane
from tests.servers.http_thread import SeenRequest

Raw = dict[str, Any]


def config_map(name: str, **data: str) -> Raw:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@dataclass(kw_only=True)
class Folder:
    """A folder of objects, applied under one name into a namespace of its own."""

    run: Pilotfish
    namespace: str
    cluster: ControlPlane
    environment: dict[str, str] = field(default_factory=dict)

    def hold(self, *objects: Raw) -> None:
        text = "\n---\n".join(json.dumps(one) for one in objects)
        (self.run.folder / "all.yaml").write_text(text)

    def words(self, command: str, *more: str) -> list[str]:
        return [command, ".", "--name", "shop", "--namespace", self.namespace, *more]

    def apply(self, *more: str, code: int = 0) -> Any:
        return self.run.json(*self.words("apply", *more), code=code).json

    def diff(self, *more: str) -> Answer:
        return self.run(*self.words("diff", *more))

    def names(self) -> set[str]:
        """Return the ConfigMaps of the namespace that are not our inventory."""
        found = self.cluster.names("configmap", self.namespace)
        return {one for one in found if not one.startswith(("pilotfish-", "kube-root"))}

    def inventory(self) -> set[str]:
        """Return the names of the ConfigMaps that the inventory holds."""
        said = self.cluster.kubectl(
            "get", "configmap", "-n", self.namespace, "-o", "json",
            "-l", "reconcile.pilotfish.io/inventory=shop",
        )  # fmt: skip
        entries = [
            entry
            for item in json.loads(said)["items"]
            for entry in json.loads(item["data"]["inventory"])["entries"]
        ]
        return {entry["id"].split("_")[1] for entry in entries}


@pytest.fixture
def folder(pilotfish: Pilotfish, cluster: ControlPlane) -> Iterator[Folder]:
    yield from folder_in(pilotfish, cluster)


def folder_in(pilotfish: Pilotfish, cluster: ControlPlane) -> Iterator[Folder]:
    namespace = cluster.make_namespace(f"test-{uuid.uuid4().hex[:10]}")
    pilotfish.environment["KUBECONFIG"] = str(cluster.kubeconfig)
    yield Folder(run=pilotfish, namespace=namespace, cluster=cluster)
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def test_apply_tells_what_became_of_each_object(folder: Folder) -> None:
    folder.hold(config_map("a", key="1"), config_map("b", key="1"))
    where = f"ConfigMap/{folder.namespace}"

    first = folder.apply("--prune", "--wait")
    folder.hold(config_map("a", key="2"))
    second = folder.apply("--prune", "--wait")

    assert [(one["object"], one["action"]) for one in first["changes"]] == [
        (f"{where}/a", "created"),
        (f"{where}/b", "created"),
    ]
    assert (first["health"], first["inventory"]) == ("Current", 2)
    assert [(one["object"], one["action"]) for one in second["changes"]] == [
        (f"{where}/a", "configured"),
        (f"{where}/b", "deleted"),
    ]
    assert second["inventory"] == 1


def test_diff_says_3_when_something_differs_and_0_after_the_apply(folder: Folder) -> None:
    folder.hold(config_map("a", key="1"))
    before = folder.diff()
    folder.apply()
    after = folder.diff()
    nameless = folder.run("diff", ".", "--namespace", folder.namespace)
    folder.hold(config_map("a", key="2"))
    changed = folder.diff()

    assert (before.code, after.code, nameless.code, changed.code) == (3, 0, 0, 3)
    assert "nothing differs" in after.out
    assert "-  key: '1'" in changed.out
    assert "+  key: '2'" in changed.out


def test_diff_needs_no_name_where_nothing_was_applied_yet(folder: Folder) -> None:
    folder.hold(config_map("a", key="1"))
    text = (folder.run.folder / "all.yaml").read_text()
    folder.cluster.kubectl("apply", "-n", folder.namespace, "-f", "-", text=text)

    assert folder.run("diff", ".", "--namespace", folder.namespace).code == 3  # kubectl's notes go
    folder.hold(config_map("b"))
    assert folder.run("diff", ".", "--namespace", folder.namespace).code == 3


def test_a_refused_set_exits_1_and_one_that_fails_in_part_4(folder: Folder) -> None:
    folder.hold(config_map("a"), config_map("Not_A_Name"))
    refused = folder.apply(code=1)
    folder.hold(deployment_that_never_comes_up())
    partly = folder.apply("--wait", "--timeout", "2s", code=4)

    assert refused["changes"] == []
    assert "Not_A_Name" in refused["problems"][0]["file"]
    assert folder.names() == set()
    assert partly["health"] == "InProgress"
    assert "ImagePullBackOff" in partly["unhealthy"][0]["cause"]


def deployment_that_never_comes_up() -> Raw:
    labels = {"app": "web"}
    container = {"name": "web", "image": "registry.example/web:1-broken"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def test_a_dry_run_writes_nothing(folder: Folder) -> None:
    folder.hold(config_map("a"))

    told = folder.apply("--dry-run")

    assert told["changes"][0]["action"] == "created"
    assert folder.names() == set()


def test_secrets_show_in_no_difference(folder: Folder) -> None:
    secret: Raw = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    folder.hold({**secret, "stringData": {"password": "hunter2"}})
    folder.apply()
    folder.hold({**secret, "stringData": {"password": "hunter3"}})

    for more in ([], ["-o", "json"]):
        answer = folder.diff(*more)
        assert answer.code == 3
        assert "password" in answer.out
        assert "hunter" not in answer.out
        assert "aHVudGVy" not in answer.out


def test_a_kustomization_is_built_first(folder: Folder) -> None:
    folder.hold(config_map("a", key="1"))
    (folder.run.folder / "kustomization.yaml").write_text(
        "resources: [all.yaml]\nnamePrefix: shop-\n"
    )

    assert folder.apply()["changes"][0]["object"].endswith("/shop-a")


def is_write(request: SeenRequest) -> bool:
    return request.method != "GET" and "dryRun" not in request.raw_query


@pytest.fixture
def proxy(cluster: ControlPlane) -> Iterator[ApiProxy]:
    made = ApiProxy(cluster)
    made.start()
    yield made
    made.stop()


def test_a_kill_at_every_call_loses_nothing_from_the_inventory(
    folder: Folder, proxy: ApiProxy
) -> None:
    through = folder.cluster.kubeconfig_of(f"through-{folder.namespace}", "person-token", proxy.url)
    folder.run.environment["KUBECONFIG"] = str(through)
    generations = [
        [config_map("keep", round=str(number)), config_map(f"made-{number}")]
        for number in range(40)
    ]
    folder.hold(*generations[0])
    folder.apply("--prune")
    for number, objects in enumerate(generations[1:], start=1):
        folder.hold(*objects)
        was_killed = kill_at(folder, proxy, number)
        assert folder.names() <= folder.inventory(), f"killed at call {number}"
        folder.apply("--prune")
        assert folder.names() == {"keep", f"made-{number}"}, f"killed at call {number}"
        assert folder.inventory() == folder.names()
        if not was_killed:
            break
    else:
        pytest.fail("an apply took more calls than there were rounds")

    assert number > 8  # calls: lists, dry runs, inventory, applies, inventory, delete, inventory


def kill_at(folder: Folder, proxy: ApiProxy, call: int) -> bool:
    """Apply, and kill the command once its `call`th call was carried out; tell whether it was."""
    child = subprocess.Popen(
        folder.run.command(*folder.words("apply", "--prune")),
        cwd=folder.run.folder,
        env=folder.run.all_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    proxy.plan_harm(lambda: os.kill(child.pid, signal.SIGKILL), at=call)
    code = child.wait(timeout=60)
    proxy.plan_harm(lambda: None, at=0)
    assert code in {0, -signal.SIGKILL}
    return code != 0


def test_an_api_server_killed_and_restarted_in_the_middle_delays_no_more(
    pilotfish: Pilotfish, cluster_to_break: ControlPlane
) -> None:
    for folder in folder_in(pilotfish, cluster_to_break):
        proxy = ApiProxy(cluster_to_break)
        proxy.start()
        through = cluster_to_break.kubeconfig_of("through", "person-token", proxy.url)
        pilotfish.environment["KUBECONFIG"] = str(through)
        objects = [config_map(f"a-{number}") for number in range(20)]
        folder.hold(*objects)
        killed = threading.Event()

        def kill(killed: threading.Event = killed) -> None:
            cluster_to_break.kill_api_server()
            killed.set()

        proxy.plan_harm(kill, at=8, counts=is_write)
        with ThreadPoolExecutor() as apart:
            applying = apart.submit(folder.apply, "--prune")
            assert killed.wait(timeout=30)
            cluster_to_break.start_api_server()
            told = applying.result(timeout=60)
        proxy.stop()

        assert {one["action"] for one in told["changes"]} == {"created"}
        assert folder.names() == {one["metadata"]["name"] for one in objects}
        pilotfish.environment["KUBECONFIG"] = str(cluster_to_break.kubeconfig)
        folder.hold(objects[0])
        pruned = folder.apply("--prune")
        assert sum(one["action"] == "deleted" for one in pruned["changes"]) == 19
