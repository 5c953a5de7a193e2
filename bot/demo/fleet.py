"""The demo's Git side: a bare remote, a person's clone of it, and the small fleet inside.

The fleet follows images in each way there is: by a marker on the line, by a policy that
`.pilotfish.yaml` names, by digest, and not at all. Comments, blank lines and an odd indent are
there on purpose: none of them may change.

Everything stands below one folder that the caller owns; nothing of the person's is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import UnavailableError
from bot.process import clean_environment, run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bot.demo.registry import DemoRegistry

BASE = "main"
PERSON = "Robin"
PERSON_ADDRESS = "robin@localhost"

_WEB = """\
# The shop's front. Mind the indent below: it is odd, and it stays.
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web,   labels: {{tier: front}}}}
spec:
  {replicas}selector: {{matchLabels: {{app: web}}}}
  template:
     metadata: {{labels: {{app: web}}}}
     spec:
        containers:

        - name: web      # two spaces, a comment, a blank line
          image: {host}/shop/web:1.4.0  # pilotfish: semver ^1.4
"""
_API = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  {replicas}selector:
    matchLabels: {{app: api}}
  template:
    metadata:
      labels: {{app: api}}
    spec:
      containers:
        - name: api
          image: {host}/shop/api:main-3fa91c2-17 # {{"$imagepolicy": "flux-system:api"}}
"""
_DB = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec:
  {replicas}serviceName: db
  selector: {{matchLabels: {{app: db}}}}
  template:
        metadata: {{labels: {{app: db}}}}
        spec:
            containers:
            - {{name: db, image: "{host}/shop/db:16@{db}"}} # pilotfish: digest
"""
_JOB = """\
kind: CronJob
apiVersion: batch/v1
metadata: {{name: job}}
spec:
  schedule: "0 3 * * *"
  {suspend}jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: job
              image: {host}/shop/job:0.9.1 # pilotfish: ignore "frozen"
"""
_NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
"""
# What keeps a cluster from pulling what it cannot reach.
_IDLE = {
    "replicas": "replicas: 0          # a cluster cannot pull from this registry\n  ",
    "suspend": "suspend: true\n  ",
}
_CONFIGURATION = """\
version: 1
policies:
  api:                       # markers call it flux-system:api
    image: {host}/shop/api
    filter: '^main-[0-9a-f]+-(?P<n>[0-9]+)$'
    extract: '$n'
    numerical: asc
forge: {{kind: plain}}         # no forge: a branch is the proposal
"""
_PERSONAL_GIT = f"""\
[user]
	name = {PERSON}
	email = {PERSON_ADDRESS}
[init]
	defaultBranch = {BASE}
[gc]
	auto = 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Where things stand: all of it below `folder`."""

    folder: Path

    @property
    def clone(self) -> Path:
        """Return the person's clone, in which commands are typed."""
        return self.folder / "fleet"

    @property
    def remote(self) -> Path:
        """Return the bare remote, which stands for a Git host."""
        return self.folder / "remote" / "fleet.git"

    @property
    def home(self) -> Path:
        """Return the home folder that commands of the demo see."""
        return self.folder / "home"

    def environment(self, *, colour: bool, columns: int) -> dict[str, str]:
        """Return the whole environment of every command: no token, no setting of the person's."""
        shown = {"FORCE_COLOR": "1"} if colour else {"NO_COLOR": "1"}
        personal = self.home / ".gitconfig"
        return clean_environment(
            {
                "HOME": str(self.home),
                "TMPDIR": str(self.folder),
                "PILOTFISH_CACHE": str(self.folder / "cache"),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": str(personal),
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "color.ui",
                "GIT_CONFIG_VALUE_0": "always" if colour else "never",
                "COLUMNS": str(columns),
                "TERM": "xterm-256color" if colour else "dumb",
                **shown,
            }
        )


async def build_fleet(folder: Path, registry: DemoRegistry, *, namespace: str = "") -> Fleet:
    """Fill the registry and the remote, and clone it, below the empty `folder`.

    With a `namespace` the fleet makes it, and its workloads are at rest.

    Raises:
        ProgramMissingError: There is no git on this machine.
        UnavailableError: git could not do it, for want of space or rights.
    """
    fleet = Fleet(folder=folder)
    db = _fill(registry)
    fleet.home.mkdir()
    (fleet.home / ".gitconfig").write_text(_PERSONAL_GIT, encoding="utf-8")
    fleet.remote.parent.mkdir()
    environment = fleet.environment(colour=False, columns=100)
    await _git(environment, folder, "init", "--quiet", "--bare", str(fleet.remote))
    await _git(environment, folder, "clone", "--quiet", str(fleet.remote), str(fleet.clone))
    for name, text in _files(registry.host, db, namespace).items():
        path = fleet.clone / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    await _git(environment, fleet.clone, "add", ".")
    await _git(environment, fleet.clone, "commit", "--quiet", "--message", "The fleet as it is")
    await _git(environment, fleet.clone, "push", "--quiet", "--set-upstream", "origin", BASE)
    # The tag is built again after it was written down: what it stands for has moved.
    registry.push("shop/db", "16", build="second")
    return fleet


def _fill(registry: DemoRegistry) -> str:
    for tag in ("1.3.9", "1.4.0", "1.4.1", "1.5.0-rc.1", "2.0.0"):
        registry.push("shop/web", tag)
    for tag in ("main-3fa91c2-17", "main-b07d4ee-18", "pr-412-99"):
        registry.push("shop/api", tag)
    for tag in ("0.9.1", "1.0.0"):
        registry.push("shop/job", tag)
    return registry.push("shop/db", "16", build="first")


def _files(host: str, db: str, namespace: str) -> Mapping[str, str]:
    texts = {
        ".pilotfish.yaml": _CONFIGURATION,
        "apps/api.yaml": _API,
        "apps/db.yaml": _DB,
        "apps/job.yaml": _JOB,
        "apps/web.yaml": _WEB,
    }
    if namespace:
        texts["apps/namespace.yaml"] = _NAMESPACE
    rest = _IDLE if namespace else dict.fromkeys(_IDLE, "")
    return {
        name: text.format(host=host, db=db, namespace=namespace, **rest)
        for name, text in texts.items()
    }


async def _git(environment: Mapping[str, str], where: Path, *words: str) -> None:
    ended = await run(["git", *words], environment=environment, cwd=where, timeout_s=30)
    if ended.code:
        raise UnavailableError(
            f"git {words[0]} could not prepare the demo: {ended.error_text}",
            where=str(where),
            hint="See that the folder for temporary files has space and may be written (TMPDIR)",
        )
