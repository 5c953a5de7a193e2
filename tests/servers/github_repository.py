"""What people and bots do in a repository of the test GitHub.

The API does the same through these verbs. Every one holds the host's lock, and looks first where
the branches stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from tests.servers import github_merging as merging
from tests.servers.github_hooks import write_hook
from tests.servers.github_standing import StandingRepository
from tests.servers.github_state import (
    Account,
    AutoMerge,
    Comment,
    Issue,
    Label,
    Protection,
    Pull,
    Reaction,
    Release,
    Review,
    Role,
    Ruleset,
    Status,
)


class GitHubRepository(StandingRepository):
    """One repository of the host, with the verbs of those who use it."""

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
            if isinstance(issue, Pull):
                assert not issue.merged, "a merged one stays merged"
                assert not self._is_doubled(issue), "another one is open for this branch"
            issue.open, issue.closed, issue.closed_by, issue.updated = True, None, None, now

    def _is_doubled(self, pull: Pull) -> bool:
        ends = (pull.head_repository, pull.branch, pull.base_branch)
        return any(
            each.open and (each.head_repository, each.branch, each.base_branch) == ends
            for each in self.pulls()
            if each is not pull
        )

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
        suite: int = 1,
    ) -> Status:
        """Put a status on a commit, or with `run` a check run whose conclusion is `state`.

        `suite` is the run of a workflow that a check run belongs to.
        """
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
                suite=suite,
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
