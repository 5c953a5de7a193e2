"""The door to a cluster: discovery, lists in pages, watches that expire, a server that is busy."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import reconciler.cluster
from bot.clock import SystemClock
from bot.errors import ConfigError
from reconciler.api_errors import (
    ApiRefusedError,
    ChangedError,
    ExpiredError,
    GoneError,
    ServerBusyError,
)
from reconciler.cluster import Cluster
from reconciler.connection import open_cluster
from reconciler.discovery import Discovery, read_discovery
from reconciler.objects import Identity
from tests.reconciler.applying import Applier, config_map
from tests.servers.api_proxy import ApiProxy
from tests.servers.cluster import ControlPlane
from tests.servers.process import free_port


@asynccontextmanager
async def opened(kubeconfig: Path, folder: Path | None = None) -> AsyncIterator[Cluster]:
    clock = SystemClock()
    async with open_cluster(
        clock=clock, kubeconfig=kubeconfig, cache_folder=folder, patience_s=3
    ) as made:
        yield made


def by_way_of(proxy: ApiProxy, cluster: ControlPlane) -> Path:
    return cluster.kubeconfig_of("through-proxy", "person-token", proxy.url)


async def test_kinds_are_asked_once_and_remembered_in_a_private_file(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    folder = tmp_path / "kinds"
    async with opened(cluster.kubeconfig, folder) as first:
        found = await first.resource("apps", "Deployment", "v1")
        assert first.requests == 2
    async with opened(cluster.kubeconfig, folder) as second:
        assert await second.resource("apps", "Deployment", "v1") == found
        assert second.requests == 0

    assert found is not None
    assert found.path("shop", "web") == "/apis/apps/v1/namespaces/shop/deployments/web"
    assert folder.stat().st_mode & 0o077 == 0


async def test_a_kind_that_the_file_lacks_is_looked_for_on_the_server(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    folder = tmp_path / "kinds"
    async with opened(cluster.kubeconfig, folder) as first:
        await first.resource("", "Pod")
    [file] = folder.iterdir()
    kept = json.loads(file.read_text())
    kept["kinds"] = [row for row in kept["kinds"] if row[2] != "Deployment"]
    file.write_text(json.dumps(kept))

    async with opened(cluster.kubeconfig, folder) as second:
        assert await second.resource("apps", "Deployment") is not None
        assert await second.resource("example.test", "Nothing") is None
        assert second.requests == 2


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1, "host": "x", "kinds": 3}'])
async def test_a_file_that_is_wrong_counts_as_none(
    cluster: ControlPlane, tmp_path: Path, content: str
) -> None:
    folder = tmp_path / "kinds"
    async with opened(cluster.kubeconfig, folder) as first:
        await first.resource("", "Pod")
    [file] = folder.iterdir()
    file.write_text(content)

    async with opened(cluster.kubeconfig, folder) as second:
        assert await second.resource("", "Pod") is not None


def test_a_group_whose_extension_is_down_is_silent_not_gone() -> None:
    answer = {
        "kind": "APIGroupDiscoveryList",
        "items": [
            {
                "metadata": {"name": "metrics.example"},
                "versions": [{"version": "v1", "freshness": "Stale"}],
            }
        ],
    }

    assert read_discovery([answer]) == Discovery(
        resources={}, silent=frozenset({"metrics.example"})
    )


async def test_a_list_is_read_to_its_end_in_pages(
    applier: Applier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler.cluster, "_PAGE", 3)
    await applier.must(*(config_map(f"a-{number}") for number in range(10)))

    async with opened(applier.kubeconfig) as cluster:
        resource = await cluster.resource("", "ConfigMap")
        assert resource is not None
        listing = await cluster.list_objects(resource, applier.namespace)

    names = {one["metadata"]["name"] for one in listing.objects}
    assert {f"a-{number}" for number in range(10)} <= names
    assert all(one["kind"] == "ConfigMap" for one in listing.objects)


async def test_a_watch_tells_what_changed_after_the_list(applier: Applier) -> None:
    await applier.must(config_map("a", key="1"))
    async with opened(applier.kubeconfig) as cluster:
        resource = await cluster.resource("", "ConfigMap")
        assert resource is not None
        listing = await cluster.list_objects(resource, applier.namespace)
        applier.kubectl("patch", "configmap", "a", "-p", '{"data":{"key":"2"}}')
        applier.kubectl("delete", "configmap", "a")

        seen = []
        async for change in cluster.watch(resource, applier.namespace, listing.resource_version):
            seen.append((change.kind, change.content["data"]["key"]))
            if change.kind == "DELETED":
                break

    assert seen == [("MODIFIED", "2"), ("DELETED", "2")]


async def test_a_delete_of_what_changed_or_is_another_is_refused(applier: Applier) -> None:
    await applier.must(config_map("a"))
    live = applier.get("configmap", "a")["metadata"]
    identity = Identity(namespace=applier.namespace, name="a", group="", kind="ConfigMap")
    async with opened(applier.kubeconfig) as cluster:
        resource = await cluster.resource("", "ConfigMap")
        assert resource is not None
        version = live["resourceVersion"]
        for uid, at in (("another", version), (live["uid"], "1")):
            with pytest.raises(ChangedError):
                await cluster.delete(resource, identity, uid=uid, resource_version=at)
        assert await cluster.delete(resource, identity, uid=live["uid"], resource_version=version)
        again = await cluster.delete(resource, identity, uid=live["uid"], resource_version=version)

    assert not again


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_server_is_asked_again_after_the_time_it_names(
    cluster: ControlPlane, proxy: ApiProxy, status: int
) -> None:
    proxy.answer(status, times=2, retry_after="0")

    async with opened(by_way_of(proxy, cluster)) as door:
        assert await door.resource("", "Pod") is not None

    assert len(proxy.requests) == 4


async def test_a_server_that_stays_busy_ends_patience(
    cluster: ControlPlane, proxy: ApiProxy
) -> None:
    proxy.answer(503, times=100)

    async with opened(by_way_of(proxy, cluster)) as door:
        with pytest.raises(ServerBusyError, match="it answered 503"):
            await door.resource("", "Pod")


async def test_a_server_that_is_not_there_is_told_with_its_address(
    cluster: ControlPlane,
) -> None:
    url = f"https://127.0.0.1:{free_port()}"

    async with opened(cluster.kubeconfig_of("nobody", "token", url)) as door:
        with pytest.raises(ServerBusyError, match=f"{url}: the API server cannot be reached"):
            await door.resource("", "Pod")


async def test_an_answer_that_was_lost_is_asked_for_again(
    applier: Applier, proxy: ApiProxy
) -> None:
    proxy.plan_harm(lambda: None, at=1, counts=lambda request: request.method == "PATCH")
    content = config_map("a")
    content["metadata"]["namespace"] = applier.namespace

    async with opened(by_way_of(proxy, applier.cluster)) as door:
        resource = await door.resource("", "ConfigMap")
        assert resource is not None
        applied = await door.apply(resource, content)

    assert applied.repeated
    assert not applied.created  # by the try that was answered


async def test_faults_of_an_object_are_told_as_its_own(applier: Applier) -> None:
    async with opened(applier.kubeconfig) as door:
        resource = await door.resource("", "ConfigMap")
        assert resource is not None
        untyped = {**config_map("a"), "data": {"key": 1}}
        untyped["metadata"]["namespace"] = applier.namespace
        with pytest.raises(ApiRefusedError, match="expected string"):
            await door.apply(resource, untyped)
        lost = config_map("a")
        lost["metadata"]["namespace"] = "nowhere"
        with pytest.raises(GoneError, match="nowhere"):
            await door.apply(resource, lost)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # of aiohttp
@pytest.mark.parametrize("size", [1_100_000, 4_000_000])
async def test_an_object_that_is_too_large_is_refused_as_such(applier: Applier, size: int) -> None:
    large = config_map("a", key="x" * size)
    large["metadata"]["namespace"] = applier.namespace
    async with opened(applier.kubeconfig) as door:
        resource = await door.resource("", "ConfigMap")
        assert resource is not None
        with pytest.raises(ApiRefusedError, match=r"[Tt]oo (large|long)"):
            await door.apply(resource, large)


async def test_history_that_the_server_forgot_is_listed_anew(
    cluster_to_break: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler.cluster, "_PAGE", 2)
    space = cluster_to_break.make_namespace("many")
    for number in range(5):
        cluster_to_break.kubectl("create", "configmap", f"a-{number}", "-n", space)
    async with opened(cluster_to_break.kubeconfig) as door:
        resource = await door.resource("", "ConfigMap")
        assert resource is not None
        asked = door._ask
        pages = 0

        async def forgetful(*words: object, **how: object) -> object:
            nonlocal pages
            pages += 1
            if pages == 2:
                cluster_to_break.kubectl("create", "configmap", "later", "-n", space)
                cluster_to_break.forget_history()
            return await asked(*words, **how)  # type: ignore[arg-type]

        monkeypatch.setattr(Cluster, "_ask", lambda _, *words, **how: forgetful(*words, **how))
        listing = await door.list_objects(resource, space)
        monkeypatch.undo()
        cluster_to_break.restart_api_server()
        with pytest.raises(ExpiredError):
            async for _ in door.watch(resource, space, "1"):
                pass

    names = {one["metadata"]["name"] for one in listing.objects}
    assert {f"a-{number}" for number in range(5)} <= names


async def test_without_a_kubeconfig_the_way_out_is_told(private_home: Path) -> None:
    with pytest.raises(ConfigError, match="Name one with --kubeconfig"):
        async with open_cluster(clock=SystemClock()):
            pass


async def test_a_context_that_is_not_there_is_told(cluster: ControlPlane) -> None:
    with pytest.raises(ConfigError, match="Check the file"):
        async with open_cluster(
            clock=SystemClock(), kubeconfig=cluster.kubeconfig, context="no-such"
        ):
            pass


async def test_of_several_kubeconfigs_the_first_names_the_context_as_for_kubectl(
    cluster: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.write_text(
        f"""\
apiVersion: v1
kind: Config
current-context: elsewhere
clusters: [{{name: elsewhere, cluster: {{server: "https://127.0.0.1:{free_port()}"}}}}]
users: [{{name: nobody, user: {{token: none}}}}]
contexts: [{{name: elsewhere, context: {{cluster: elsewhere, user: nobody}}}}]
"""
    )
    monkeypatch.setenv("KUBECONFIG", f"{cluster.kubeconfig}:{other}")

    async with open_cluster(clock=SystemClock(), patience_s=3) as door:
        found = await door.resource("apps", "Deployment", "v1")

    assert found is not None
