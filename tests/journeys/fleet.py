"""A small fleet: one image followed by a marker on its line, in a repository of plain Git."""

from dataclasses import dataclass

from tests.journeys.commands import Answer, Pilotfish
from tests.servers.git_host import GitHost
from tests.servers.odd_registry import OddRegistry
from tests.servers.remote import Remote

PLAIN = "version: 1\nforge: {kind: plain}\n"
FILE = "apps/web.yaml"


def deployment(image: str, marker: str = "pilotfish: semver ^1") -> str:
    """Return a Deployment whose image carries a marker."""
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  template:
    spec:
      containers:
        - name: web
          image: {image}  # {marker}
"""


@dataclass(kw_only=True)
class Fleet:
    """A repository with `apps/web.yaml` on 1.0.0, its registry, its Git host, the command."""

    registry: OddRegistry
    host: GitHost
    remote: Remote
    run: Pilotfish

    @property
    def image(self) -> str:
        """Return the followed repository as it is written."""
        return f"{self.registry.host}/shop/web"

    @property
    def branch(self) -> str:
        """Return the branch of the image's proposal."""
        return "pilotfish/shop-web"

    def publish(self, *tags: str) -> None:
        """Push new tags of the image."""
        for tag in tags:
            self.registry.push_image("shop/web", tag)

    def write(
        self, tag: str, message: str = "Change it by hand", *, date: str = "2026-01-02T03:04:05Z"
    ) -> str:
        """Let a person write a tag; returns the commit."""
        text = deployment(f"{self.image}:{tag}")
        return self.remote.commit({FILE: text}, message, author=PERSON, date=date)

    def tag(self, branch: str = "main") -> str:
        """Return the tag that stands in Git."""
        return tag_in(self.remote.read(FILE, branch))

    def proposed(self) -> dict[str, str]:
        """Return each branch of ours and the tag on it."""
        names = [name for name in self.remote.branches() if name.startswith("pilotfish/")]
        return {name: self.tag(name) for name in names}

    def go(self, *words: str, code: int = 0) -> Answer:
        """Run once, with JSON, and hold it to its exit code."""
        return self.run.json("run", *words, code=code)


PERSON = ("Kim Person", "kim@example.test")


def tag_in(text: bytes) -> str:
    """Return the tag on the marked line."""
    line = next(one for one in text.decode().splitlines() if "image:" in one)
    return line.split("  #")[0].rpartition(":")[2].strip().partition("@")[0]
