"""A repository of the test GitHub as it stands: a real bare one and what is said about it.

The refs of the bare repository are the truth: whatever is asked, `settle` first looks where the
branches stand now and lets the pull requests follow.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from tests.servers import github_merging as merging
from tests.servers.github_state import (
    ROLES,
    Account,
    Demand,
    Dispatch,
    Issue,
    Label,
    Protection,
    Pull,
    Release,
    Role,
    Ruleset,
    Settings,
    Status,
)

if TYPE_CHECKING:
    from tests.servers.github import GitHub
    from tests.servers.github_repository import GitHubRepository
    from tests.servers.remote import Remote

_BUSY_RETRIES = 5


class StandingRepository:
    """A repository's state. `bare` is the repository itself, for reads and git's verbs."""

    def __init__(self, host: GitHub, owner: Account, bare: Remote, *, number: int) -> None:
        self.host = host
        self.owner = owner
        self.bare = bare
        self.id = number
        self.created = host.now()
        self.settings = Settings()
        self.default_branch = "main"
        self.parent: GitHubRepository | None = None
        self.roles: dict[str, Role] = {owner.login: "admin"}
        self.blocked: set[str] = set()
        self.protections: dict[str, Protection] = {}
        self.rulesets: list[Ruleset] = []
        self.issues: dict[int, Issue] = {}
        self.labels: dict[str, Label] = {}
        self.statuses: dict[str, list[Status]] = {}
        self.releases: list[Release] = []
        self.dispatches: list[Dispatch] = []
        self.workflows: list[str] = []
        self.verified: set[str] = set()
        self._next_number = 1
        self._contained: dict[tuple[str, str], bool] = {}

    @property
    def name(self) -> str:
        return self.bare.name

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    @property
    def url(self) -> str:
        return f"{self.host.url}/{self.full_name}"

    @property
    def url_http(self) -> str:
        return f"{self.url}.git"

    def git_url(self, account: Account) -> str:
        """Return the address with this account's credentials in it."""
        return self.url_http.replace("://", f"://{account.login}:{account.token}@", 1)

    # -- what is there

    def pulls(self) -> list[Pull]:
        return [each for each in self.issues.values() if isinstance(each, Pull)]

    def pull(self, number: int) -> Pull:
        """Return a pull request as it stands now."""
        with self.host.lock:
            self.settle()
            found = self.issues[number]
            assert isinstance(found, Pull), f"{number} is no pull request"
            return found

    def open_pulls(self) -> list[Pull]:
        with self.host.lock:
            self.settle()
            return [each for each in self.pulls() if each.open]

    def role_of(self, account: Account | None) -> Role:
        held = self.roles.get(account.login, "none") if account else "none"
        return "read" if held == "none" and not self.settings.private else held

    def may(self, account: Account | None, role: Role) -> bool:
        return ROLES.index(self.role_of(account)) >= ROLES.index(role)

    def branch(self, name: str) -> str | None:
        """Return the commit of a branch, read from the files that git keeps."""
        return self.ref(f"refs/heads/{name}")

    def ref(self, name: str) -> str | None:
        for _ in range(_BUSY_RETRIES):
            with contextlib.suppress(OSError):
                found = (self.bare.folder / name).read_text(encoding="ascii").strip()
                if found:
                    return found
            packed = self._packed().get(name)
            if packed or not (self.bare.folder / name).is_file():
                return packed
        return None

    def branches(self) -> dict[str, str]:
        return self.bare.branches()

    def contains(self, branch_commit: str, commit: str) -> bool:
        """Tell whether `commit` is reachable from `branch_commit`."""
        pair = (branch_commit, commit)
        if pair not in self._contained:
            try:
                self.bare.git("merge-base", "--is-ancestor", commit, branch_commit)
            except RuntimeError:
                self._contained[pair] = False
            else:
                self._contained[pair] = True
        return self._contained[pair]

    def checks_on(self, commit: str) -> dict[str, str]:
        """Return the newest state of each check and status on a commit."""
        return {each.context: each.state for each in self.statuses.get(commit, [])}

    def demand(self, branch: str) -> Demand:
        """Return what all rules of a branch ask together."""
        classic = self.protections.get(branch)
        found = Demand(
            checks=classic.checks if classic else (),
            strict=bool(classic and classic.strict),
            approvals=classic.approvals if classic else 0,
            signatures=bool(classic and classic.signatures),
            linear=bool(classic and classic.linear),
            passable=bool(classic and not classic.enforce_admins),
        )
        for name, parameters in self.rules_of(branch):
            found = _tighten(found, name, parameters)
        return found

    def rules_of(self, branch: str) -> list[tuple[str, Mapping[str, object]]]:
        return [rule for each in self.rulesets if each.covers(branch) for rule in each.rules]

    # -- how it follows the branches

    def settle(self, *, by: Account | None = None) -> None:
        """Let every open pull request follow its branches, then merge what waited for that.

        `by` is who moved them, where that is known.
        """
        for pull in self.pulls():
            if pull.open:
                self._follow(pull, by or self.owner)
        for pull in self.pulls():
            if pull.open and pull.auto_merge:
                self._merge_by_itself(pull)
        for pull in self.pulls():
            if pull.open and pull.queued and not self.settings.queue_is_busy:
                merging.merge(self, pull, by=pull.queued, method="merge")
                self.finish(pull, by=pull.queued)

    def _follow(self, pull: Pull, by: Account) -> None:
        base = self.branch(pull.base_branch)
        head = pull.head_repository.branch(pull.branch)
        if base is None or head is None:
            self._end(pull, by=by)
            return
        if (head, base) == (pull.head, pull.base):
            return
        if head != pull.head:
            self._bring(pull, head)
        if self.contains(base, head):
            by_base = base != pull.base and not (
                head != pull.head and self.contains(pull.base, head)
            )
            self._end(pull, by=by, merge_commit=base if by_base else None)
        if head != pull.head:
            protection = self.protections.get(pull.base_branch)
            if protection and protection.dismiss_stale:
                pull.reviews = [replace(each, state="DISMISSED") for each in pull.reviews]
            pull.updated, pull.queued = self.host.now(), None
        pull.head, pull.base = head, base

    def _bring(self, pull: Pull, head: str) -> None:
        """Keep the head's commits whatever becomes of its branch, as refs/pull does."""
        if pull.head_repository is not self:
            self.bare.git("fetch", "--quiet", str(pull.head_repository.bare.folder), head)
        path = self.bare.folder / "refs" / "pull" / str(pull.number) / "head"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{head}\n", encoding="ascii")

    def _end(self, pull: Pull, *, by: Account, merge_commit: str | None = None) -> None:
        now = self.host.now()
        pull.open, pull.closed, pull.closed_by, pull.updated = False, now, by, now
        pull.auto_merge = pull.queued = None
        if merge_commit:
            pull.merged, pull.merged_by, pull.merge_commit = now, by, merge_commit

    def _merge_by_itself(self, pull: Pull) -> None:
        asked = pull.auto_merge
        if asked is None or merging.obstacle(self, pull, method=asked.method) is not None:
            return
        if self.demand(pull.base_branch).queue:
            pull.auto_merge, pull.queued = None, asked.by
            return
        merging.merge(self, pull, by=asked.by, method=asked.method)
        self.finish(pull, by=asked.by)

    def finish(self, pull: Pull, *, by: Account) -> None:
        """Record that the base now holds the merge of this pull request."""
        commit = self.branch(pull.base_branch)
        assert commit is not None
        self._end(pull, by=by, merge_commit=commit)
        if self.settings.delete_branch_on_merge and pull.head_repository is self:
            self.bare.delete_branch(pull.branch)
        self.settle()

    def _packed(self) -> dict[str, str]:
        try:
            text = (self.bare.folder / "packed-refs").read_text(encoding="utf-8")
        except OSError:
            return {}
        rows = (line.split(" ", 1) for line in text.splitlines() if line[:1] not in "#^")
        return {name: commit for commit, name in rows}

    def _number(self) -> int:
        number, self._next_number = self._next_number, self._next_number + 1
        return number

    @contextlib.contextmanager
    def _acting(self) -> Iterator[datetime]:
        with self.host.lock:
            self.settle()
            yield self.host.now()


def _tighten(found: Demand, name: str, parameters: Mapping[str, object]) -> Demand:
    found = replace(found, passable=False)
    if name == "required_status_checks":
        rows = parameters.get("required_status_checks", [])
        assert isinstance(rows, list)
        names = tuple(str(row["context"]) for row in rows)
        strict = bool(parameters.get("strict_required_status_checks_policy"))
        return replace(found, checks=(*found.checks, *names), strict=found.strict or strict)
    if name == "pull_request":
        count = parameters.get("required_approving_review_count", 0)
        methods = parameters.get("allowed_merge_methods", [])
        assert isinstance(count, int)
        assert isinstance(methods, list)
        approvals = max(found.approvals, count)
        return replace(found, approvals=approvals, methods=tuple(methods) or found.methods)
    if name == "required_signatures":
        return replace(found, signatures=True)
    if name == "required_linear_history":
        return replace(found, linear=True)
    return replace(found, queue=True) if name == "merge_queue" else found
