"""The whole line with nobody typing: a tag pushed to a registry ends as an Available Deployment.

A tag whose pods never become ready ends as a hold, and the next newer tag goes through.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.journeys.serving import Server
from tests.servers.cluster import ControlPlane
from tests.servers.distribution import Distribution
from tests.servers.gitea import Gitea, GiteaRepository

T = TypeVar("T")
FILE = "clusters/prod/web.yaml"
MARKER = "pilotfish: numerical asc filter=^v(?P<n>[0-9]+) extract=$n"


def deployment(image: str, namespace: str) -> str:
    """Return a Deployment of one pod, its image marked."""
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: {namespace}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web, region: "${{region}}"}}}}
    spec:
      containers:
        - name: web
          image: {image}  # {MARKER}
"""


class Line:
    """A registry, a repository in Gitea, a cluster, and the server between them."""

    def __init__(
        self, server: Server, registry: Distribution, gitea: Gitea, cluster: ControlPlane, name: str
    ) -> None:
        self.server, self.registry, self.cluster = server, registry, cluster
        self.name = name
        self.namespace = cluster.make_namespace(name)
        self.image = f"{registry.host}/shop/{name}"
        registry.push_image(f"shop/{name}", "v1")
        self.repository: GiteaRepository = gitea.create_repository(
            name, {FILE: deployment(f"{self.image}:v1", self.namespace)}
        )
        (server.folder / "token").write_text(gitea.token)
        server.write(
            f"""\
version: 1
server: {{listen: '127.0.0.1:0'}}
jitter: 0%
repositories:
  - name: fleet
    url: {self.repository.url}
    interval: 1s
    forge: {{kind: plain}}
    limits: {{open: 50, new-per-hour: 1000, pushes-per-hour: 1000}}
    credentials: {{username: {gitea.owner}, token: {{file: token}}, ca: {gitea.ca_file}}}
targets:
  - name: prod
    repository: fleet
    path: clusters/prod
    kubeconfig: {cluster.kubeconfig}
    namespace: {self.namespace}
    interval: 1s
    timeout: 8s
    prune: true
    vars: {{region: eu}}
"""
        )
        self.hops: list[tuple[str, float]] = []
        self._since = time.monotonic()

    def hop(self, name: str) -> None:
        """Note how long it took to come this far from the hop before."""
        now = time.monotonic()
        self.hops.append((name, now - self._since))
        self._since = now

    def push(self, tag: str) -> None:
        """Push a tag of the image, and begin to measure."""
        self.registry.push_image(f"shop/{self.name}", tag)
        self._since = time.monotonic()

    def merge_the_proposal(self, tag: str) -> None:
        """Wait for the proposal of `tag` and merge it, as a person would."""
        seen = self._seen()
        (branch,) = until(lambda: self._proposals_of(tag))
        self.hop(f"{tag}: pushed to proposed")
        self.repository.merge_branch(branch)
        self.hop(f"{tag}: merged by the test")
        assert seen <= len(self.server.log)

    def _seen(self) -> int:
        return len(self.server.log)

    def _proposals_of(self, tag: str) -> list[str]:
        return [
            name
            for name in self.repository.branches()
            if name.startswith("pilotfish/")
            and f":{tag}  #".encode() in self.repository.read_file(FILE, name)
        ]

    def is_available(self, tag: str) -> bool:
        """Return whether the Deployment runs `tag` and is Available."""
        if not self.cluster.exists("deployment", "web", self.namespace):
            return False
        found = self.cluster.get("deployment", "web", self.namespace)
        (container,) = found["spec"]["template"]["spec"]["containers"]
        status = found.get("status", {})
        return bool(
            container["image"] == f"{self.image}:{tag}"
            and status.get("observedGeneration") == found["metadata"]["generation"]
            and status.get("updatedReplicas") == 1
            and status.get("availableReplicas") == 1
            and status.get("replicas") == 1
        )


def until(fits: Callable[[], T], *, patience_s: float = 60.0) -> T:
    """Wait until the outside world is as it should be, and return what it said."""
    end = time.monotonic() + patience_s
    while not (found := fits()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)
    return found


@pytest.fixture
def line(
    tmp_path: Path, registry: Distribution, gitea: Gitea, cluster: ControlPlane, unique_name: str
) -> Iterator[Line]:
    """Everything in place and the server running, the Deployment Available on v1."""
    server = Server(folder=tmp_path)
    made = Line(server, registry, gitea, cluster, unique_name)
    server.start()
    until(lambda: made.is_available("v1"))
    made.hop("start to Available on v1")
    yield made
    server.kill()
    assert server.stray == []


def test_from_a_pushed_tag_to_an_available_deployment(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    line.push("v2")
    line.merge_the_proposal("v2")
    until(lambda: line.is_available("v2"))
    line.hop("v2: merged to Available")
    found = line.cluster.get("deployment", "web", line.namespace)
    assert found["spec"]["template"]["metadata"]["labels"]["region"] == "eu"

    seen = len(line.server.log)
    line.push("v3-broken")
    line.merge_the_proposal("v3-broken")
    unhealthy = line.server.wait_for_event("target unhealthy", where="prod", since=seen)
    line.hop("v3-broken: merged to named unhealthy")
    hold = line.server.wait_for_event("hold set", where="prod", since=seen)
    line.hop("v3-broken: unhealthy to held")
    assert hold["tag"] == "v3-broken"
    assert "Deployment" in unhealthy["subject"]
    assert hold["run"] == unhealthy["run"]
    told = line.server.wait_for(
        lambda one: one["event"] == "tag held back" and "v3-broken" in one["subject"], since=seen
    )
    assert "its rollout failed" in told["reason"]

    line.push("v4")
    line.merge_the_proposal("v4")
    until(lambda: line.is_available("v4"))
    line.hop("v4: merged to Available")
    assert (
        line.server.metric("pilotfish_decisions_total", errand="target/prod", decision="hold set")
        == 1
    )
    assert line.server.stop() < 10
    with capsys.disabled():
        print()
        for name, seconds in line.hops:
            print(f"  {seconds:6.2f} s  {name}")
        for one in line.server.log[seen:]:
            if one["event"] in {"target unhealthy", "hold set"} or "v3-broken" in one.get(
                "says", ""
            ):
                print(f"  {json.dumps(one, ensure_ascii=False)}")
