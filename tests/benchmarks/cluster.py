"""A set of 300 objects on a real control plane: ours beside kubectl's server-side apply and diff.

Both get the same file, in namespaces of their own, in turn. The calls that each took are counted in
the API server's audit log and told beside the names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.rounds import Result, Run, in_turn, run
from tests.servers.cluster import ControlPlane

_EACH = 60
_CHANGED = 30
_OURS, _THEIRS = "person", "tester"


def objects(version: str = "1.0.0", *, changed: int = 0) -> list[dict[str, Any]]:
    """Return 300 objects of five kinds; the first `changed` ConfigMaps say something else."""
    made: list[dict[str, Any]] = []
    for number in range(_EACH):
        labels = {"app": f"app-{number}"}
        metadata = {"name": f"app-{number}", "labels": labels}
        key = f"{version}-changed" if number < changed else version
        container = {
            "name": "app",
            "image": f"registry.example/app-{number}:{version}",
            "ports": [{"containerPort": 8080, "name": "http"}],
            "env": [{"name": f"KEY_{n}", "value": str(n)} for n in range(5)],
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        }
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        made += [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": metadata,
                "data": {"key": key, **{f"key-{n}": "value" * 10 for n in range(10)}},
            },
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": metadata,
                "data": {"password": "aHVudGVyMg=="},
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {
                    "selector": labels,
                    "ports": [{"port": 80, "targetPort": "http", "protocol": "TCP"}],
                },
            },
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": metadata,
                "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
            },
        ]
    return made


class _Bench:
    def __init__(self, cluster: ControlPlane, folder: Path, command: list[str]) -> None:
        self.cluster = cluster
        self.folder = folder
        self.command = command
        self.calls: dict[str, int] = {}
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}
        theirs = cluster.kubeconfig_of(_THEIRS, f"{_THEIRS}-token")
        self.ours = {
            **environment,
            "KUBECONFIG": str(cluster.kubeconfig),
            "PILOTFISH_CACHE": str(folder / "cache"),
        }
        self.theirs = {**environment, "KUBECONFIG": str(theirs)}
        self.set = self._write("set", objects())
        self.changed = self._write("changed", objects(changed=_CHANGED))

    def _write(self, name: str, held: list[dict[str, Any]]) -> Path:
        (self.folder / name).mkdir()
        path = self.folder / name / "all.yaml"
        path.write_text("\n---\n".join(json.dumps(one) for one in held))
        return path

    def space(self, name: str) -> str:
        return self.cluster.make_namespace(name)

    def pilotfish(self, *words: str, codes: tuple[int, ...] = (0,)) -> Run:
        return self._counted(
            _OURS,
            lambda: run([*self.command, *words], environment=self.ours, accepted=codes),
        )

    def kubectl(self, *words: str, codes: tuple[int, ...] = (0,)) -> Run:
        argv = [str(self.cluster.kubectl_program), *words]
        return self._counted(_THEIRS, lambda: run(argv, environment=self.theirs, accepted=codes))

    def _counted(self, user: str, go: Callable[[], Run]) -> Run:
        mark = self.cluster.mark()
        done = go()
        self.calls[user] = len(self.cluster.calls(mark, user=user))
        return done

    def tell(self, result: Result) -> Result:
        result.what += f" ({self.calls[_OURS]} calls)"
        result.reference += f" ({self.calls[_THEIRS]} calls)"
        return result


def cluster_300(folder: Path, rounds: int, command: list[str]) -> list[Result]:
    """First apply, unchanged pass and difference of 300 objects."""
    cluster = ControlPlane(folder / "cluster")
    cluster.start()
    try:
        bench = _Bench(cluster, folder, command)
        return [_first(bench, rounds), _unchanged(bench, rounds), _diff(bench, rounds)]
    finally:
        cluster.stop()


def _apply(bench: _Bench, space: str) -> Run:
    where = ["--name", "bench", "--namespace", space]
    return bench.pilotfish("apply", str(bench.set.parent), *where, "-o", "json")


def _first(bench: _Bench, rounds: int) -> Result:
    result = Result(
        name="cluster_first",
        what="`apply`, 300 new objects: dry run of all, inventory, apply",
        reference="`kubectl apply --server-side`",
        budget=2.0,
    )
    words = ["apply", "--server-side", "-f", str(bench.set)]
    in_turn(
        result,
        lambda number: _apply(bench, bench.space(f"ours-{number}")),
        lambda number: bench.kubectl(*words, "-n", bench.space(f"theirs-{number}")),
        rounds=rounds,
    )
    return bench.tell(result)


def _unchanged(bench: _Bench, rounds: int) -> Result:
    result = Result(
        name="cluster_unchanged",
        what="`apply`, the same 300 objects again",
        reference="`kubectl apply --server-side`",
        budget=1.0,
    )
    words = ["apply", "--server-side", "-f", str(bench.set), "-n", "theirs-0"]
    in_turn(
        result,
        lambda _: _apply(bench, "ours-0"),
        lambda _: bench.kubectl(*words),
        rounds=rounds,
    )
    told = json.loads(result.ours[-1].output)
    assert {one["action"] for one in told["changes"]} == {"unchanged"}
    return bench.tell(result)


def _diff(bench: _Bench, rounds: int) -> Result:
    result = Result(
        name="cluster_diff",
        what=f"`diff`, 300 objects, {_CHANGED} of them changed",
        reference="`kubectl diff --server-side`",
        budget=1.0,
    )
    ours = ["diff", str(bench.changed.parent), "--name", "bench", "--namespace", "ours-0"]
    theirs = ["diff", "--server-side", "-f", str(bench.changed), "-n", "theirs-0"]
    in_turn(
        result,
        lambda _: bench.pilotfish(*ours, "-o", "json", codes=(3,)),
        lambda _: bench.kubectl(*theirs, codes=(1,)),
        rounds=rounds,
    )
    assert len(json.loads(result.ours[-1].output)["differences"]) == _CHANGED
    return bench.tell(result)
