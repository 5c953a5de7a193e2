"""Applies sets to a real control plane from within a test, and makes the objects they hold."""

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.clock import SystemClock
from reconciler.changes import Outcome
from reconciler.connection import open_cluster
from reconciler.objects import object_of
from reconciler.ownership import Owner
from reconciler.reconcile import Wish, reconcile
from tests.servers.cluster import ControlPlane

Raw = dict[str, Any]


@dataclass(kw_only=True)
class Applier:
    """One set in a namespace of its own."""

    cluster: ControlPlane
    namespace: str
    name: str = "shop"
    kubeconfig: Path
    folder: Path
    patience_s: float = 30.0
    mark: int = field(default=0)

    async def apply(self, *objects: Raw, **wish: Any) -> Outcome:
        """Apply a set; the calls it took are told by `calls` and `writes`."""
        self.mark = self.cluster.mark()
        asked = Wish(
            owner=Owner(name=wish.pop("name", self.name), namespace=self.namespace),
            objects=[object_of(one) for one in objects],
            **wish,
        )
        clock = SystemClock()
        async with open_cluster(
            clock=clock,
            kubeconfig=self.kubeconfig,
            cache_folder=self.folder,
            patience_s=self.patience_s,
        ) as cluster:
            return await reconcile(cluster, asked, clock=clock)

    async def must(self, *objects: Raw, **wish: Any) -> dict[str, str]:
        """Apply a set that has nothing wrong with it; return what became of each object."""
        outcome = await self.apply(*objects, **wish)
        assert outcome.problems == ()
        return actions(outcome)

    def get(self, kind: str, name: str) -> Any:
        return self.cluster.get(kind, name, self.namespace)

    def kubectl(self, *words: str, text: str | None = None) -> str:
        return self.cluster.kubectl(*words, "-n", self.namespace, text=text)

    def exists(self, kind: str, name: str) -> bool:
        return self.cluster.exists(kind, name, self.namespace)

    def calls(self) -> list[Any]:
        """Return the calls of the newest pass."""
        return self.cluster.calls(self.mark)

    def writes(self) -> list[str]:
        """Return what the newest pass wrote, as `verb resource/name`, the inventory left out."""
        return [
            f"{call.verb} {call.resource}/{call.name}"
            for call in self.calls()
            if call.writes and not call.name.startswith("pilotfish-")
        ]


def applier_in(cluster: ControlPlane, folder: Path) -> Iterator[Applier]:
    namespace = cluster.make_namespace(f"test-{uuid.uuid4().hex[:10]}")
    yield Applier(
        cluster=cluster, namespace=namespace, kubeconfig=cluster.kubeconfig, folder=folder
    )
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def actions(outcome: Outcome) -> dict[str, str]:
    """Return what became of each object, by kind and name."""
    return {f"{one.identity.kind}/{one.identity.name}": one.action.value for one in outcome.changes}


def messages(outcome: Outcome) -> str:
    """Return all problems as one text."""
    return "\n".join(f"{one.file}: {one.message}. {one.hint}" for one in outcome.problems)


def config_map(name: str, **data: str) -> Raw:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(name: str, image: str = "registry.example/web:1.0.0", **spec: Any) -> Raw:
    labels = {"app": name}
    container = {"name": "web", "image": image, "ports": [{"containerPort": 8080}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            **spec,
        },
    }


def service(name: str, **spec: Any) -> Raw:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}], **spec},
    }


def definition(kind: str, group: str) -> Raw:
    plural = f"{kind.lower()}s"
    size = {"type": "object", "properties": {"size": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"spec": size}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def until(condition: Any, within_s: float = 10.0) -> Any:
    """Return a coroutine that ends once `condition` holds."""

    async def ask() -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.05)

    return ask()
