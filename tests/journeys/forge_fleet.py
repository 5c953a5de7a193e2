"""A small fleet on a forge: images followed in one repository, ours and persons beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bot.forges.harness_gitea import GiteaFace, people_of
from tests.journeys.commands import Answer, Pilotfish
from tests.journeys.fleet import deployment, tag_in
from tests.servers.gitea import Gitea
from tests.servers.odd_registry import OddRegistry

WEB, API = "apps/web.yaml", "apps/api.yaml"
BRANCH = "pilotfish/shop-web"


@dataclass(kw_only=True)
class ForgeFleet:
    """A repository on a real Gitea that follows `shop/web` and `shop/api`, both on 1.0.0."""

    gitea: Gitea
    registry: OddRegistry
    face: GiteaFace
    run: Pilotfish
    token: str

    def publish(self, *tags: str, name: str = "web") -> None:
        """Push new tags of an image."""
        for tag in tags:
            self.registry.push_image(f"shop/{name}", tag)

    def go(self, *words: str, code: int = 0) -> Answer:
        """Run once, with JSON, and hold it to its exit code."""
        return self.run.json("run", *words, code=code)

    def pulls(self, state: str = "open") -> list[Any]:
        """Return the pull requests of a state, oldest first."""
        found = self.face.api("GET", f"/pulls?state={state}&limit=50")
        return sorted(found, key=lambda one: int(one["number"]))

    def pull(self) -> Any:
        """Return the only open pull request."""
        (found,) = self.pulls()
        return found

    def comments(self, number: int) -> list[Any]:
        """Return the comments on a pull request, oldest first."""
        return list(self.face.api("GET", f"/issues/{number}/comments"))

    def tag(self, branch: str = "main", file: str = WEB) -> str:
        """Return the tag that stands on a branch."""
        return tag_in(self.face.made.read_file(file, branch))

    def write(self, tag: str, *, branch: str = "main", message: str = "Change it by hand") -> str:
        """Let a person write the web's tag."""
        text = deployment(f"{self.registry.host}/shop/web:{tag}")
        return self.face.commit(branch, {WEB: text.encode()}, message=message)

    def state(self) -> tuple[Any, ...]:
        """Return what stands there, and every call and push of ours that could have changed it."""
        heads = sorted(self.face.made.branches().items())
        pulls = [
            (one["number"], one["state"], one["title"], one["body"]) for one in self.pulls("all")
        ]
        return heads, pulls, self.gitea.writes("pilotfish-bot")


def forge_fleet(
    gitea: Gitea,
    registry: OddRegistry,
    run: Pilotfish,
    name: str,
    *,
    config: str = "",
    files: Mapping[str, str] | None = None,
    folder: Path,
) -> ForgeFleet:
    """Make the repository; `config` is added to its `.pilotfish.yaml`."""
    people = people_of(gitea)
    face = GiteaFace(gitea, name, people)
    apps = files or {
        WEB: deployment(f"{registry.host}/shop/web:1.0.0"),
        API: deployment(f"{registry.host}/shop/api:1.0.0"),
    }
    head = f"version: 1\nforge: {{kind: gitea, ca: {gitea.ca_file}}}\n"
    texts = {**apps, ".pilotfish.yaml": head + config}
    face.made.commit_files({path: text.encode() for path, text in texts.items()}, "Follow images")
    token = people["pilotfish-bot"].token
    run.repository = face.made.url
    run.environment |= {
        "GITEA_TOKEN": token,
        "PILOTFISH_GIT_CA": str(gitea.ca_file),
        "DOCKER_CONFIG": str(folder),
    }
    made = ForgeFleet(gitea=gitea, registry=registry, face=face, run=run, token=token)
    made.publish("1.0.0")
    made.publish("1.0.0", name="api")
    return made
