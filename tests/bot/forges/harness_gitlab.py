"""The contract suite's harness for the test GitLab: our account is a developer of a public project.

Persons act by GitLab's own rules, beside the journal in which our writes are counted. Issues have
negative numbers, as ours shows them.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bot.clock import SystemClock
from bot.config.secret_refs import Secret
from bot.forges.forge import CheckState, Forge
from bot.forges.gitlab import GitLabAuth, GitLabForge, open_gitlab
from tests.bot.forges.harness import START_FILES, Who
from tests.servers.gitlab import GitLab
from tests.servers.gitlab_state import DEVELOPER, MAINTAINER, REPORTER, Protection

if TYPE_CHECKING:
    from tests.servers.gitlab_project import Project

STATES = {
    CheckState.PENDING: "pending",
    CheckState.PASSED: "success",
    CheckState.FAILED: "failed",
}


class GitLabFace:
    """One project as persons see it."""

    def __init__(self, server: GitLab, path: str) -> None:
        self.server = server
        self.made: Project = server.create_project(path, START_FILES)
        self.made.settings.private = False
        self.bot = server.add_person("pilotfish-bot", self.made, level=DEVELOPER)
        self.owner = server.add_person("olga", self.made, level=MAINTAINER)
        self.writer = server.add_person("wanda", self.made, level=MAINTAINER)
        self.reader = server.add_person("rita", self.made, level=REPORTER)
        self.outsider = server.add_person("otto")

    def act(self, method: str, path: str, given: Mapping[str, Any] | None = None) -> Any:
        """Do something as the writer."""
        return self.server.act(self.made, self.writer, method, path, given)

    def look(self) -> None:
        """Let GitLab see what was pushed, as it does at once after a push."""
        with self.server.alone():
            self.made.refresh()

    def head(self, branch: str) -> str:
        return self.made.heads().get(branch, "")

    def parents(self, commit: str) -> tuple[str, ...]:
        return self.made.remote.log(commit)[0].parents

    def message(self, commit: str) -> str:
        return self.made.remote.log(commit)[0].message.rstrip("\n")

    def files(self, commit: str) -> dict[str, bytes]:
        return self.made.remote.files(commit)

    def commit(
        self, branch: str, files: Mapping[str, bytes], *, message: str = "Change", start: str = ""
    ) -> str:
        made = self.made.remote.commit(files, message, branch=branch, start=start or "main")
        self.look()
        return made

    def delete_branch(self, branch: str) -> None:
        self.made.remote.delete_branch(branch)
        self.look()

    def close(self, number: int) -> None:
        self.act("PUT", f"merge_requests/{number}", {"state_event": "close"})

    def reopen(self, number: int) -> None:
        self.act("PUT", f"merge_requests/{number}", {"state_event": "reopen"})

    def merge(self, number: int, *, squash: bool = False) -> str:
        request = self.act("PUT", f"merge_requests/{number}/merge", {"squash": squash})
        return self.head(request["target_branch"])

    def comment(self, number: int, body: str, *, by: Who = "writer") -> str:
        person = {"writer": self.writer, "reader": self.reader, "outsider": self.outsider}[by]
        note = self.server.act(self.made, person, "POST", f"{_thing(number)}/notes", {"body": body})
        return str(note["id"])

    def edit_comment(self, number: int, comment_id: str, body: str) -> None:
        before = self.server.now
        self.server.now = lambda: before() + timedelta(minutes=1)
        self.act("PUT", f"{_thing(number)}/notes/{comment_id}", {"body": body})

    def edit_body(self, number: int, body: str) -> None:
        self.act("PUT", f"merge_requests/{number}", {"description": body})

    def label(self, number: int, labels: Sequence[str]) -> None:
        self.act("PUT", f"merge_requests/{number}", {"add_labels": ",".join(labels)})

    def unlabel(self, number: int, label: str) -> None:
        self.act("PUT", f"merge_requests/{number}", {"remove_labels": label})

    def people_on(self, number: int) -> tuple[set[str], set[str]]:
        found = self.made.merge_request(number)
        reviewers, assignees = found.reviewers, found.assignees
        return {one.username for one in reviewers}, {one.username for one in assignees}

    def open(self, branch: str, base: str, title: str, body: str = "") -> int:
        assert base == "main"
        return self.server.open(self.made, self.writer, branch, title, body)

    def open_issue(self, title: str, body: str = "") -> int:
        issue = self.act("POST", "issues", {"title": title, "description": body})
        return -int(issue["iid"])

    def approve(self, number: int) -> None:
        with self.server.alone():
            self.made.approve(self.made.merge_request(number), self.writer)
            self.made.refresh()

    def set_check(self, commit: str, name: str, state: CheckState) -> None:
        self.act("POST", f"statuses/{commit}", {"name": name, "state": STATES[state]})

    def protect(
        self,
        branch: str,
        *,
        checks: Sequence[str] = (),
        approvals: int = 0,
        signatures: bool = False,
        up_to_date: bool = False,
    ) -> None:
        self.made.protect(Protection(pattern=branch, merge_level=DEVELOPER))
        settings = self.made.settings
        settings.needs_pipeline = bool(checks)
        settings.approvals_required = approvals
        if signatures:
            self.made.reject_unsigned()
        if up_to_date:
            settings.merge_method = "rebase_merge"

    def status_of(self, commit: str, name: str) -> tuple[CheckState, str] | None:
        words = {word: state for state, word in STATES.items()}
        for one in self.made.newest_statuses(commit):
            if one.name == name:
                return words[one.state], one.description or ""
        return None

    def reactions(self, number: int, comment_id: str) -> list[str]:
        path = f"{_thing(number)}/notes/{comment_id}/award_emoji"
        return [str(one["name"]) for one in self.act("GET", path)]


class GitLabUnderTest:
    """Ours on one project of the test GitLab."""

    kind = "gitlab"
    bot, writer, reader, outsider = "pilotfish-bot", "wanda", "rita", "otto"

    def __init__(self, server: GitLab, path: str) -> None:
        self.server = server
        self.clock = SystemClock()
        self.repository = GitLabFace(server, path)
        self.repository_path = path
        self.token = self.repository.bot.token
        self.opened: list[GitLabForge] = []
        self.forge: Forge = self.open(path, self.token)

    def open(self, path: str, token: str) -> GitLabForge:
        auth = GitLabAuth(token=Secret(token))
        opened = open_gitlab(self.server.url, path, auth=auth, clock=self.clock)
        self.opened.append(opened)
        return opened

    def forge_with(self, token: str) -> Forge:
        return self.open(self.repository_path, token)

    def forge_at(self, path: str) -> Forge:
        return self.open(path, self.token)


@asynccontextmanager
async def open_under_test(
    fixture: Callable[[str], Any], name: str
) -> AsyncIterator[GitLabUnderTest]:
    """Give ours on a new project, in a group inside a group."""
    under_test = GitLabUnderTest(fixture("gitlab"), f"fleet/apps/{name}")
    yield under_test
    for each in under_test.opened:
        await each.aclose()


def _thing(number: int) -> str:
    return f"merge_requests/{number}" if number > 0 else f"issues/{-number}"
