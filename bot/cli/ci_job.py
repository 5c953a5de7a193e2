"""What a CI job is to do, read from its environment: the inputs, the runner, whose change it is.

Inputs are `PILOTFISH_…` variables, so that no value is ever part of a script (threat S6). A
change that comes from a fork, or from Dependabot, runs with a token that may only read: writing
becomes `check`, and says so. Where such a change runs with a token that may write
(`pull_request_target`, `workflow_run`), writing is refused (threat S7). What such a change says
about registries and forges is not believed in any mode. Rules: `peers.md` 4.2 and 4.4.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from bot.errors import FaultsError, Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVER_DEFAULT = "https://github.com"
_EVENTS_OF_CHANGES = frozenset(
    {"pull_request", "pull_request_review", "pull_request_review_comment", "merge_request"}
)
_EVENTS_WITH_RIGHTS = frozenset({"pull_request_target", "workflow_run"})
_DEPENDABOT = "dependabot[bot]"
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"", "false", "0", "no"})
FAIL_ON = ("never", "outdated", "error")


class Mode(Enum):
    """What is asked for."""

    PR = "pr"
    COMMIT = "commit"
    CHECK = "check"
    PLAN = "plan"
    TEST = "test"


class Runner(Enum):
    """Whose job this is; Gitea and Forgejo speak the dialect of GitHub's runner."""

    GITHUB = "github"
    GITEA = "gitea"
    GITLAB = "gitlab"
    NONE = ""

    @property
    def takes_commands(self) -> bool:
        """Return whether lines of output are read as commands."""
        return self in {Runner.GITHUB, Runner.GITEA}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job. `mode` is what is done, which `degraded` explains where something else was asked.

    `refused` says why nothing may be done at all, empty where it may. `stranger`: the files may
    come from somebody without any right here. `web` is the address of the job's repository, for
    links, and `commit` what was checked out. `dashboard`: keep that issue, whatever is configured.
    """

    mode: Mode
    runner: Runner
    degraded: str = ""
    refused: str = ""
    stranger: bool = False
    config: str = ""
    paths: tuple[str, ...] = (".",)
    repository: str = ""
    base: str = ""
    only: str = ""
    dry_run: bool = False
    offline: bool = False
    fail_on: str = "error"
    max_open: int | None = None
    dashboard: bool = False
    report: str = ""
    web: str = ""
    commit: str = ""

    @property
    def elsewhere(self) -> bool:
        """Return whether another repository than the job's own is meant."""
        return bool(self.repository) and self.repository.removesuffix(".git") != self.web


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    """Where a change comes from: `why` in words, empty for a person's or a timer's own run."""

    why: str = ""
    has_rights: bool = False


def read_job(environment: Mapping[str, str], event: Mapping[str, object]) -> Job:
    """Return the job that the environment describes; `event` is the runner's, parsed.

    Raises:
        FaultsError: Inputs are wrong; each is named.
    """
    faults: list[Problem] = []
    given = _Inputs(environment=environment, faults=faults)
    runner = runner_of(environment)
    asked = Mode(given.choice("MODE", tuple(one.value for one in Mode), "pr"))
    dry_run, offline = given.flag("DRY_RUN"), given.flag("OFFLINE")
    fail_on = given.choice("FAIL_ON", FAIL_ON, "error")
    max_open = given.number("MAX_PROPOSALS")
    dashboard = given.flag("DASHBOARD")
    if faults:
        raise FaultsError(faults)
    origin = _origin(environment, event, runner)
    writing = asked in {Mode.PR, Mode.COMMIT} and not dry_run
    degraded = refused = ""
    if writing and origin.why and origin.has_rights:
        refused = f"nothing is written for {origin.why}, because this event has a token that may"
    elif origin.why and asked in {Mode.PR, Mode.COMMIT, Mode.PLAN}:
        degraded = f"this runs for {origin.why}, so `{asked.value}` became `check`"
    return Job(
        mode=Mode.CHECK if degraded else asked,
        runner=runner,
        degraded=degraded,
        refused=refused,
        stranger=bool(origin.why),
        config=given.text("CONFIG"),
        paths=given.lines("PATHS") or (".",),
        repository=_repository(given.text("REPOSITORY"), environment, runner),
        base=given.text("BASE"),
        only=given.text("ONLY"),
        dry_run=dry_run,
        offline=offline,
        fail_on=fail_on,
        max_open=max_open,
        dashboard=dashboard,
        report=given.text("REPORT"),
        web=own_repository(environment, runner),
        commit=environment.get("GITHUB_SHA") or environment.get("CI_COMMIT_SHA") or "",
    )


def runner_of(environment: Mapping[str, str]) -> Runner:
    """Return which runner set this environment up."""
    if environment.get("GITHUB_ACTIONS") == "true" or environment.get("GITHUB_OUTPUT"):
        is_gitea = environment.get("GITEA_ACTIONS") or environment.get("FORGEJO_ACTIONS")
        return Runner.GITEA if is_gitea else Runner.GITHUB
    return Runner.GITLAB if environment.get("GITLAB_CI") == "true" else Runner.NONE


def own_repository(environment: Mapping[str, str], runner: Runner) -> str:
    """Return the address of the repository that the job runs for, empty where none is told."""
    if runner is Runner.GITLAB:
        return environment.get("CI_PROJECT_URL", "")
    name = environment.get("GITHUB_REPOSITORY", "")
    return f"{environment.get('GITHUB_SERVER_URL') or SERVER_DEFAULT}/{name}" if name else ""


def _repository(asked: str, environment: Mapping[str, str], runner: Runner) -> str:
    """Return `asked` as an address; a bare path is one on the job's own server."""
    if not asked or "://" in asked or "@" in asked or asked.startswith(("/", ".")):
        return asked
    server = environment.get("CI_SERVER_URL" if runner is Runner.GITLAB else "GITHUB_SERVER_URL")
    return f"{server or SERVER_DEFAULT}/{asked}"


def _origin(environment: Mapping[str, str], event: Mapping[str, object], runner: Runner) -> _Origin:
    if runner is Runner.GITLAB:
        target = environment.get("CI_MERGE_REQUEST_PROJECT_ID", "")
        source = environment.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "")
        return _Origin(why="a merge request from a fork" if source != target else "")
    name = environment.get("GITHUB_EVENT_NAME", "")
    if name not in _EVENTS_OF_CHANGES | _EVENTS_WITH_RIGHTS:
        return _Origin()
    own = environment.get("GITHUB_REPOSITORY", "")
    has_rights = name in _EVENTS_WITH_RIGHTS
    if name == "workflow_run":
        run = _inside(event, "workflow_run")
        of_change = str(run.get("event", "")).startswith("pull_request")
        head = str(_inside(run, "head_repository").get("full_name", ""))
        is_fork = of_change and head.lower() != own.lower()
        return _Origin(why="a pull request from a fork" if is_fork else "", has_rights=has_rights)
    change = _inside(event, "pull_request")
    head = str(_inside(_inside(change, "head"), "repo").get("full_name", ""))
    if head.lower() != own.lower():  # also a fork that was deleted, and an event that says nothing
        return _Origin(why="a pull request from a fork", has_rights=has_rights)
    people = {environment.get("GITHUB_ACTOR"), _inside(change, "user").get("login")}
    return _Origin(
        why="a pull request of Dependabot" if _DEPENDABOT in people else "", has_rights=False
    )


def _inside(value: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inputs:
    """Reads inputs by name, and notes each that is wrong."""

    environment: Mapping[str, str]
    faults: list[Problem]

    def text(self, name: str) -> str:
        return self.environment.get(f"PILOTFISH_{name}", "").strip()

    def lines(self, name: str) -> tuple[str, ...]:
        return tuple(one.strip() for one in self.text(name).splitlines() if one.strip())

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        found = self.text(name) or default
        if found not in allowed:
            self._fault(name, found, f"Use one of {', '.join(allowed)}")
            return default
        return found

    def flag(self, name: str) -> bool:
        found = self.text(name).lower()
        if found not in _TRUE | _FALSE:
            self._fault(name, found, "Use true or false")
        return found in _TRUE

    def number(self, name: str) -> int | None:
        found = self.text(name)
        if found and not (found.isascii() and found.isdecimal()):
            self._fault(name, found, "Use a whole number, 0 or more")
            return None
        return int(found) if found else None

    def _fault(self, name: str, found: str, hint: str) -> None:
        self.faults.append(
            Problem(
                severity=Severity.ERROR,
                message=f"the input {_INPUTS.get(name, name.lower())} may not be {found!r}",
                hint=hint,
            )
        )


_INPUTS = {"DRY_RUN": "dry-run", "FAIL_ON": "fail-on", "MAX_PROPOSALS": "max-prs"}
