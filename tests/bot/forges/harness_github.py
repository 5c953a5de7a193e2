"""The contract suite's harness for the test GitHub: our account may push to another's repository.

The base is protected by a ruleset, which everybody may read; classic protection is in
`test_github.py`. Persons act through the server's own verbs, whose clock is moved before each, so
that GitHub's whole seconds tell one act from the next.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bot.clock import SystemClock
from bot.config.secret_refs import Secret
from bot.forges.forge import CheckState, Forge
from bot.forges.github import GitHubAuth, GitHubForge, open_github
from tests.bot.forges.harness import START_FILES, Who
from tests.servers.github import GitHub
from tests.servers.github_state import Account, Comment

STATES = {
    CheckState.PENDING: "pending",
    CheckState.PASSED: "success",
    CheckState.FAILED: "failure",
}
BOT, WRITER, READER, OUTSIDER = "pilotfish-bot", "wanda", "rita", "otto"


def account_of(host: GitHub, login: str) -> Account:
    """Return an account, made where it is missing."""
    return host.account(login) or host.create_account(login)


class GitHubFace:
    """One repository as persons see it."""

    def __init__(self, host: GitHub, name: str) -> None:
        self._host = host
        self._people = {login: account_of(host, login) for login in (BOT, WRITER, READER, OUTSIDER)}
        self.made = host.create_repository(
            name,
            START_FILES,
            roles={
                self._people[BOT]: "write",
                self._people[WRITER]: "write",
                self._people[READER]: "read",
            },
        )
        self.made.settings.allow_auto_merge = True

    @property
    def writer(self) -> Account:
        self._host.advance(1)
        return self._people[WRITER]

    def head(self, branch: str) -> str:
        return self.made.branch(branch) or ""

    def parents(self, commit: str) -> tuple[str, ...]:
        return tuple(self.made.bare.git("show", "-s", "--format=%P", commit).split())

    def message(self, commit: str) -> str:
        return self.made.bare.git("show", "-s", "--format=%B", commit).rstrip("\n")

    def files(self, commit: str) -> dict[str, bytes]:
        return self.made.bare.files(commit)

    def commit(
        self, branch: str, files: Mapping[str, bytes], *, message: str = "Change", start: str = ""
    ) -> str:
        start = start or ("" if self.head(branch) else "main")
        return self.made.push(files, message, by=self.writer, branch=branch, start=start or None)

    def delete_branch(self, branch: str) -> None:
        self.made.delete_branch(branch)

    def close(self, number: int) -> None:
        self.made.close(number, by=self.writer)

    def reopen(self, number: int) -> None:
        self.made.reopen(number)

    def merge(self, number: int, *, squash: bool = False) -> str:
        return self.made.merge(number, by=self.writer, method="squash" if squash else "merge")

    def comment(self, number: int, body: str, *, by: Who = "writer") -> str:
        self._host.advance(1)
        login = {"writer": WRITER, "reader": READER, "outsider": OUTSIDER}[by]
        return str(self.made.comment(number, body, by=self._people[login]).id)

    def edit_comment(self, number: int, comment_id: str, body: str) -> None:
        self._host.advance(1)
        self.made.edit_comment(self._comment(number, comment_id), body)

    def _comment(self, number: int, comment_id: str) -> Comment:
        found = self.made.issues[number].comments
        return next(one for one in found if one.id == int(comment_id))

    def edit_body(self, number: int, body: str) -> None:
        self.made.edit(number, body=body)

    def label(self, number: int, labels: Sequence[str]) -> None:
        self.made.set_labels(number, [*self.made.issues[number].labels, *labels])

    def unlabel(self, number: int, label: str) -> None:
        kept = [one for one in self.made.issues[number].labels if one != label]
        self.made.set_labels(number, kept)

    def people_on(self, number: int) -> tuple[set[str], set[str]]:
        pull = self.made.pull(number)
        return {one.login for one in pull.requested}, {one.login for one in pull.assigned}

    def open(self, branch: str, base: str, title: str, body: str = "") -> int:
        return self.made.open_pull(
            title, branch=branch, by=self.writer, base=base, body=body
        ).number

    def open_issue(self, title: str, body: str = "") -> int:
        return self.made.open_issue(title, by=self.writer, body=body).number

    def approve(self, number: int) -> None:
        self.made.review(number, by=self.writer)

    def set_check(self, commit: str, name: str, state: CheckState) -> None:
        self.made.set_status(commit, name, STATES[state], description="said by CI")

    def protect(
        self,
        branch: str,
        *,
        checks: Sequence[str] = (),
        approvals: int = 0,
        signatures: bool = False,
        up_to_date: bool = False,
    ) -> None:
        rules: dict[str, Mapping[str, object]] = {"pull_request": review_rule(approvals)}
        if checks:
            rules["required_status_checks"] = check_rule(checks, strict=up_to_date)
        if signatures:
            rules["required_signatures"] = {}
        self.made.rule(branch, **rules)

    def status_of(self, commit: str, name: str) -> tuple[CheckState, str] | None:
        words = {word: state for state, word in STATES.items()}
        for one in reversed(self.made.statuses.get(commit, [])):
            if one.context == name:
                return words[one.state], one.description
        return None

    def reactions(self, number: int, comment_id: str) -> list[str]:
        return [one.content for one in self._comment(number, comment_id).reactions]


def review_rule(approvals: int) -> dict[str, object]:
    """Return the parameters of a ruleset's rule that changes come by pull request."""
    return {
        "required_approving_review_count": approvals,
        "dismiss_stale_reviews_on_push": False,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_review_thread_resolution": False,
    }


def check_rule(checks: Sequence[str], *, strict: bool = False) -> dict[str, object]:
    """Return the parameters of a ruleset's rule that checks must pass."""
    return {
        "required_status_checks": [{"context": name} for name in checks],
        "strict_required_status_checks_policy": strict,
    }


class GitHubUnderTest:
    """Ours on one repository of the test GitHub, without its second between writes."""

    kind = "github"
    bot, writer, reader, outsider = BOT, WRITER, READER, OUTSIDER

    def __init__(self, host: GitHub, name: str) -> None:
        self.host = host
        self.clock = SystemClock()
        self.repository = GitHubFace(host, name)
        self.repository_path = self.repository.made.full_name
        self.token = account_of(host, BOT).token
        self.opened: list[GitHubForge] = []
        self.forge: Forge = self.open(self.repository_path, self.token)

    def open(self, path: str, token: str) -> GitHubForge:
        auth = GitHubAuth(token=Secret(token))
        opened = open_github(self.host.url, path, auth=auth, clock=self.clock, pace_s=0.0)
        self.opened.append(opened)
        return opened

    def forge_with(self, token: str) -> Forge:
        return self.open(self.repository_path, token)

    def forge_at(self, path: str) -> Forge:
        return self.open(path, self.token)


@asynccontextmanager
async def open_under_test(
    fixture: Callable[[str], Any], name: str
) -> AsyncIterator[GitHubUnderTest]:
    """Give ours on a new repository."""
    under_test = GitHubUnderTest(fixture("github"), name)
    yield under_test
    for each in under_test.opened:
        await each.aclose()
