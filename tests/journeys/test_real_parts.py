"""The journey of a tag on real parts: two registries, Gitea over https, the installed command."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tests.journeys.commands import Pilotfish
from tests.journeys.fleet import tag_in
from tests.servers.distribution import Distribution
from tests.servers.gitea import Gitea, GiteaRepository

WEB, API = "apps/web.yaml", "apps/api.yaml"


@dataclass(kw_only=True)
class RealFleet:
    """A repository on Gitea that follows an image of each registry."""

    gitea: Gitea
    registry: Distribution
    name: str
    repository: GiteaRepository
    run: Pilotfish

    def publish(self, tag: str) -> None:
        """Push a tag of both images."""
        self.registry.push_image(f"{self.name}/web", tag)
        self.gitea.push_image(f"{self.gitea.owner}/{self.name}", tag)

    def tags(self, branch: str = "main") -> tuple[str, str]:
        """Return the tags of both images on a branch."""
        read = self.repository.read_file
        return tag_in(read(WEB, branch)), tag_in(read(API, branch))


@pytest.fixture
def real(
    gitea: Gitea, registry: Distribution, unique_name: str, pilotfish: Pilotfish, tmp_path: Path
) -> RealFleet:
    """Both images on 1.0.0, and 1.1.0 published."""
    web = f"{registry.host}/{unique_name}/web"
    api = f"{gitea.host}/{gitea.owner}/{unique_name}"
    files: Mapping[str, str] = {
        WEB: f"image: {web}:1.0.0  # pilotfish: semver ^1\n",
        API: f'image: {api}:1.0.0  # {{"$imagepolicy": "flux-system:api"}}\n',
        ".pilotfish.yaml": f"""\
version: 1
registries:
  "{gitea.host}":
    ca: {gitea.ca_file}
policies:
  api:
    image: {api}
    semver: ^1
updates:
  - name: prod
    group: all
forge: {{kind: plain}}
""",
    }
    repository = gitea.create_repository(unique_name, files)
    pilotfish.repository = repository.url
    docker = tmp_path / "docker"
    docker.mkdir()
    gitea.docker_config(docker)
    pilotfish.environment |= {
        "DOCKER_CONFIG": str(docker),
        "GITEA_TOKEN": gitea.token,
        "PILOTFISH_GIT_CA": str(gitea.ca_file),
    }
    made = RealFleet(
        gitea=gitea, registry=registry, name=unique_name, repository=repository, run=pilotfish
    )
    made.publish("1.0.0")
    made.publish("1.1.0")
    return made


def test_three_runs_propose_refresh_and_rest_and_a_merge_ends_it(real: RealFleet) -> None:
    branch = "pilotfish/prod-all"
    first = real.run.json("run")
    assert first.operations() == {branch: "opened"}
    assert real.tags(branch) == ("1.1.0", "1.1.0")
    real.publish("1.2.0")
    assert real.run.json("run").operations() == {branch: "refreshed"}
    assert real.tags(branch) == ("1.2.0", "1.2.0")
    (commit, *_) = real.repository.log(branch)
    assert commit.author_name == "pilotfish"
    assert commit.author_mail == "pilotfish@users.noreply.127.0.0.1"
    heads = real.repository.branches()
    assert real.run.json("run").operations() == {branch: "unchanged"}
    assert real.repository.branches() == heads
    real.repository.merge_branch(branch, delete_branch=False)
    assert real.run.json("run").operations() == {branch: "closed"}
    assert set(real.repository.branches()) == {"main"}
    assert real.tags() == ("1.2.0", "1.2.0")
    assert real.run.json("run").json["proposals"] == []


@pytest.mark.parametrize("style", ["squash", "rebase"])
def test_every_style_of_merging_ends_the_proposal(
    real: RealFleet, style: Literal["squash", "rebase"]
) -> None:
    real.run.json("run")
    real.repository.merge_branch("pilotfish/prod-all", style=style, delete_branch=True)
    assert real.run.json("run").json["proposals"] == []
    assert real.tags() == ("1.1.0", "1.1.0")


def test_commits_go_straight_to_the_base(real: RealFleet) -> None:
    answer = real.run.json("run", "--deliver", "commit")
    (made,) = answer.json["commits"]
    assert made["branch"] == "main"
    assert real.repository.branches()["main"] == made["sha"]
    assert real.tags() == ("1.1.0", "1.1.0")
    heads = real.repository.branches()
    assert real.run.json("run", "--deliver", "commit").json["commits"] == []
    assert real.repository.branches() == heads


def test_a_protected_base_says_so_and_nothing_is_lost(real: RealFleet) -> None:
    real.repository.protect_branch()
    heads = real.repository.branches()
    answer = real.run("run", "--deliver", "commit")
    assert answer.code in {1, 4}
    assert "main" in answer.err
    assert real.repository.branches() == heads


def test_files_of_a_clone_are_edited_in_place(real: RealFleet, private_home: Path) -> None:
    clone = real.run.folder.parent / "clone"
    config = private_home / ".gitconfig"
    with config.open("a", encoding="utf-8") as file:
        file.write(f"[http]\n\tsslCAInfo = {real.gitea.ca_file}\n")
    del real.run.environment["PILOTFISH_GIT_CA"]
    subprocess.run(["git", "clone", "-q", real.repository.url_with_token, str(clone)], check=True)
    subprocess.run(
        ["git", "-C", str(clone), "remote", "set-url", "origin", real.repository.url], check=True
    )
    real.run.folder, real.run.repository = clone, ""
    answer = real.run.json("run", "--deliver", "files")
    assert sorted(answer.json["files"]) == [API, WEB]
    assert tag_in((clone / WEB).read_bytes()) == "1.1.0"
    assert tag_in((clone / API).read_bytes()) == "1.1.0"
    assert real.tags() == ("1.0.0", "1.0.0")
    assert real.run.json("run", "--deliver", "files").json["files"] == []
