"""One repository of the test GitHub: a real bare one, its proposals, and what people do there.

The refs of the bare repository are the truth: whatever is asked, `settle` first looks where the
branches stand now and lets the pull requests follow. Every public verb holds the host's lock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from tests.servers import github_merging as merging
from tests.servers.github_hooks import write_hook
from tests.servers.github_state import (
    ROLES,
    Account,
    AutoMerge,
    Comment,
    Demand,
    Dispatch,
    Issue,
    Label,
    Protection,
    Pull,
    Reaction,
    Release,
    Review,
    Role,
    Ruleset,
    Settings,
    Status,
)

if TYPE_CHECKING:
    from tests.servers.github import GitHub
    from tests.servers.remote import Remote

MAX_TITLE_CHARS = 256
_BUSY_RETRIES = 5


class GitHubRepository:
    """A repository with its state. `bare` is the repository itself, for reads and git's verbs."""

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
            pull.updated = self.host.now()
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
        pull.auto_merge = None
        if merge_commit:
            pull.merged, pull.merged_by, pull.merge_commit = now, by, merge_commit

    def _merge_by_itself(self, pull: Pull) -> None:
        asked = pull.auto_merge
        if asked is None or merging.obstacle(self, pull, method=asked.method) is not None:
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

    # -- what people and bots do; the API does the same through these verbs

    def open_pull(
        self,
        title: str,
        *,
        branch: str,
        by: Account,
        base: str = "main",
        body: str = "",
        draft: bool = False,
        head_repository: GitHubRepository | None = None,
    ) -> Pull:
        with self._acting() as now:
            source = head_repository or self
            head, base_commit = source.branch(branch), self.branch(base)
            assert head is not None
            assert base_commit is not None
            pull = Pull(
                repository=self,
                number=self._number(),
                title=title,
                body=body,
                author=by,
                created=now,
                updated=now,
                branch=branch,
                head_repository=source,
                head=head,
                base_branch=base,
                base=base_commit,
                draft=draft,
                hidden_listings=self.host.faults.listings_behind,
            )
            self._bring(pull, head)
            self.issues[pull.number] = pull
            return pull

    def open_issue(self, title: str, *, by: Account, body: str = "") -> Issue:
        with self._acting() as now:
            issue = Issue(
                repository=self,
                number=self._number(),
                title=title,
                body=body,
                author=by,
                created=now,
                updated=now,
            )
            self.issues[issue.number] = issue
            return issue

    def push(
        self,
        files: Mapping[str, str | bytes | None],
        message: str = "Change something",
        *,
        by: Account | None = None,
        branch: str = "main",
        start: str | None = None,
        executable: Iterable[str] = (),
    ) -> str:
        """Commit and push as a person does, past every rule."""
        with self._acting():
            who = by or self.owner
            made = self.bare.commit(
                files,
                message,
                author=(who.login, who.mail),
                branch=branch,
                start=start,
                executable=executable,
            )
            self.settle(by=who)
            return made

    def reset_branch(self, branch: str, commit: str, *, by: Account | None = None) -> None:
        """Force-push: let a branch stand at another commit, or make it."""
        with self._acting():
            self.bare.git("update-ref", f"refs/heads/{branch}", commit)
            self.settle(by=by)

    def delete_branch(self, branch: str, *, by: Account | None = None) -> None:
        with self._acting():
            self.bare.delete_branch(branch)
            self.settle(by=by)

    def close(self, number: int, *, by: Account | None = None) -> None:
        with self._acting() as now:
            issue = self.issues[number]
            who = by or self.owner
            if isinstance(issue, Pull):
                self._end(issue, by=who)
            issue.open, issue.closed, issue.closed_by, issue.updated = False, now, who, now

    def reopen(self, number: int) -> None:
        with self._acting() as now:
            issue = self.issues[number]
            assert not (isinstance(issue, Pull) and issue.merged), "a merged one stays merged"
            issue.open, issue.closed, issue.closed_by, issue.updated = True, None, None, now

    def merge(
        self,
        number: int,
        *,
        by: Account | None = None,
        method: str = "merge",
        title: str | None = None,
        message: str | None = None,
    ) -> str:
        """Merge as the owner may, past every rule, and return the commit on the base."""
        with self._acting():
            pull, who = self.pull(number), by or self.owner
            made = merging.merge(self, pull, by=who, method=method, title=title, message=message)
            self.finish(pull, by=who)
            return made

    def comment(self, number: int, body: str, *, by: Account | None = None) -> Comment:
        with self._acting() as now:
            issue = self.issues[number]
            made = Comment(
                id=self.host.next_id(),
                number=number,
                author=by or self.owner,
                body=body,
                created=now,
                updated=now,
            )
            issue.comments.append(made)
            issue.updated = now
            return made

    def edit_comment(self, comment: Comment, body: str) -> None:
        with self._acting() as now:
            comment.body, comment.updated = body, now

    def react(self, comment: Comment, content: str, *, by: Account) -> tuple[Reaction, bool]:
        """Return the reaction, and whether it is a new one."""
        with self._acting() as now:
            for each in comment.reactions:
                if (each.account, each.content) == (by, content):
                    return each, False
            made = Reaction(id=self.host.next_id(), account=by, content=content, created=now)
            comment.reactions.append(made)
            return made, True

    def edit(self, number: int, *, title: str | None = None, body: str | None = None) -> None:
        with self._acting() as now:
            issue = self.issues[number]
            issue.title = issue.title if title is None else title
            issue.body = issue.body if body is None else body
            issue.updated = now

    def tick(self, number: int, text: str) -> None:
        """Tick the checkbox whose line holds `text`."""
        lines = self.issues[number].body.splitlines(keepends=True)
        found = [at for at, line in enumerate(lines) if text in line and "[ ]" in line]
        assert found, f"no open checkbox with {text!r}"
        lines[found[0]] = lines[found[0]].replace("[ ]", "[x]", 1)
        self.edit(number, body="".join(lines))

    def retarget(self, number: int, base: str) -> None:
        with self._acting():
            pull, commit = self.pull(number), self.branch(base)
            assert commit is not None
            pull.base_branch, pull.base, pull.auto_merge = base, commit, None
            pull.updated = self.host.now()

    def review(
        self,
        number: int,
        *,
        by: Account,
        state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED"] = "APPROVED",
        body: str = "",
    ) -> Review:
        with self._acting() as now:
            pull = self.pull(number)
            made = Review(
                id=self.host.next_id(),
                author=by,
                state=state,
                body=body,
                commit=pull.head,
                submitted=now,
            )
            pull.reviews.append(made)
            pull.updated = now
            self.settle()
            return made

    def set_status(
        self,
        commit: str,
        context: str,
        state: str = "success",
        *,
        by: Account | None = None,
        description: str = "",
        target_url: str | None = None,
        run: bool = False,
    ) -> Status:
        """Put a status on a commit, or with `run` a check run whose conclusion is `state`."""
        with self._acting() as now:
            made = Status(
                id=self.host.next_id(),
                context=context,
                state=state,
                description=description,
                creator=by or self.owner,
                created=now,
                target_url=target_url,
                run=run,
            )
            self.statuses.setdefault(self.bare.head(commit), []).append(made)
            self.settle()
            return made

    def set_labels(self, number: int, names: Iterable[str]) -> None:
        with self._acting() as now:
            issue = self.issues[number]
            issue.labels = list(dict.fromkeys(names))
            issue.updated = now
            for name in issue.labels:
                self.make_label(name)

    def make_label(self, name: str, color: str = "ededed", description: str = "") -> Label:
        return self.labels.setdefault(
            name.lower(),
            Label(id=self.host.next_id(), name=name, color=color, description=description),
        )

    def ask_auto_merge(self, number: int, *, by: Account, method: str = "merge") -> None:
        with self._acting():
            self.pull(number).auto_merge = AutoMerge(by=by, method=method)
            self.settle()

    def release(self, tag: str, *, name: str = "", body: str = "", commit: str = "main") -> Release:
        with self._acting() as now:
            self.bare.git("update-ref", f"refs/tags/{tag}", self.bare.head(commit))
            made = Release(
                id=self.host.next_id(),
                tag=tag,
                name=name or tag,
                body=body,
                author=self.owner,
                created=now,
            )
            self.releases.append(made)
            return made

    def protect(self, branch: str = "main", protection: Protection | None = None) -> None:
        """Protect a branch; from then on nobody pushes to it unless `refuse_pushes` is off."""
        with self._acting():
            self.protections[branch] = protection or Protection()
            write_hook(self.bare, self.protections, self.rulesets)

    def rule(self, branches: str, **rules: Mapping[str, object]) -> Ruleset:
        """Add a ruleset; each keyword is the type of a rule with its parameters."""
        with self._acting():
            made = Ruleset(id=self.host.next_id(), branches=branches, rules=tuple(rules.items()))
            self.rulesets.append(made)
            write_hook(self.bare, self.protections, self.rulesets)
            return made

    def set_role(self, account: Account, role: Role) -> None:
        with self._acting():
            self.roles[account.login] = role

    def block(self, account: Account) -> None:
        """Forbid an account to comment, open or review here."""
        with self._acting():
            self.blocked.add(account.login)
            self.roles.pop(account.login, None)

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
