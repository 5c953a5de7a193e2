"""A repository that knows Flux alone: its objects and markers are read as they are."""

import pytest

from tests.journeys.commands import Pilotfish
from tests.servers.git_host import GitHost
from tests.servers.odd_registry import OddRegistry
from tests.servers.remote import Remote

OBJECTS = """\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {{name: web, namespace: flux-system}}
spec: {{image: {image}, interval: 5m}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {{name: web, namespace: flux-system}}
spec:
  imageRepositoryRef: {{name: web}}
  policy: {{semver: {{range: ">=1.0.0 <2"}}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {{name: fleet, namespace: flux-system}}
spec:
  interval: 5m
  sourceRef: {{kind: GitRepository, name: fleet}}
  git:
    checkout: {{ref: {{branch: main}}}}
    commit:
      author: {{name: fluxbot, email: fluxbot@example.test}}
      messageTemplate: |
        Update {{{{ .AutomationObject.Name }}}}

        {{{{ range .Changed.Changes -}}}}
        - {{{{ .OldValue }}}} -> {{{{ .NewValue }}}}
        {{{{ end }}}}
    push: {{branch: {branch}}}
  update: {{path: ./clusters/prod, strategy: Setters}}
"""
MARKED = 'image: {image}:1.0.0 # {{"$imagepolicy": "flux-system:web"}}\n'


@pytest.fixture
def image(odd_registry: OddRegistry) -> str:
    """An image with a newer tag."""
    odd_registry.push_tags("web", ["1.0.0", "1.3.0", "2.0.0"])
    return f"{odd_registry.host}/web"


def fleet_of(git_host: GitHost, pilotfish: Pilotfish, image: str, *, push: str) -> Remote:
    """Return a repository with Flux's objects alone; the automation pushes to `push`."""
    marked = MARKED.format(image=image)
    remote = git_host.create(
        "fleet",
        {
            "clusters/prod/web.yaml": marked,
            "elsewhere/web.yaml": marked,
            "flux/objects.yaml": OBJECTS.format(image=image, branch=push),
        },
    )
    assert remote.url_http is not None
    pilotfish.repository = remote.url_http
    return remote


def test_an_automation_that_pushes_to_the_base_commits_as_flux_would(
    git_host: GitHost, pilotfish: Pilotfish, image: str
) -> None:
    remote = fleet_of(git_host, pilotfish, image, push="main")
    (made,) = pilotfish.json("run").json["commits"]
    assert made["sha"] == remote.head()
    (commit, _) = remote.log()
    assert commit.subject == "Update fleet"
    assert f"- {image}:1.0.0 -> {image}:1.3.0" in commit.message
    assert (commit.author_name, commit.author_mail) == ("fluxbot", "fluxbot@example.test")
    assert f"{image}:1.3.0".encode() in remote.read("clusters/prod/web.yaml")
    assert f"{image}:1.0.0".encode() in remote.read("elsewhere/web.yaml")
    head = remote.head()
    pilotfish.json("run")
    assert remote.head() == head


def test_an_automation_with_a_push_branch_fills_that_branch(
    git_host: GitHost, pilotfish: Pilotfish, image: str, odd_registry: OddRegistry
) -> None:
    remote = fleet_of(git_host, pilotfish, image, push="updates")
    pilotfish.json("run")
    assert set(remote.branches()) == {"main", "updates"}
    assert f"{image}:1.3.0".encode() in remote.read("clusters/prod/web.yaml", "updates")
    pushes = git_host.pushes()
    pilotfish.json("run")
    assert git_host.pushes() == pushes
    odd_registry.push_image("web", "1.4.0")
    pilotfish.json("run")
    assert f"{image}:1.4.0".encode() in remote.read("clusters/prod/web.yaml", "updates")
    assert f"{image}:1.0.0".encode() in remote.read("clusters/prod/web.yaml")
