"""What the test GitHub remembers: accounts, tokens, proposals, issues, checks and rules."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tests.servers.github_repository import GitHubRepository

Role = Literal["none", "read", "triage", "write", "maintain", "admin"]
Kind = Literal["classic", "fine-grained", "actions", "installation"]
ROLES: tuple[Role, ...] = ("none", "read", "triage", "write", "maintain", "admin")
LEVELS = ("none", "read", "write", "admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person or a bot; `token` is a classic one that may do what the account may."""

    login: str
    id: int
    token: str
    bot: bool = False

    @property
    def mail(self) -> str:
        return f"{self.id}+{self.login}@users.noreply.github.com"


@dataclass(slots=True, kw_only=True)
class Token:
    """A credential. `permissions` of None are all; `repositories` of None are all as well."""

    value: str
    account: Account
    kind: Kind
    permissions: Mapping[str, str] | None = None
    repositories: frozenset[str] | None = None
    expires: datetime | None = None
    revoked: bool = False

    def may(self, permission: str, level: str) -> bool:
        if self.permissions is None:
            return True
        held = self.permissions.get(permission, "none")
        if permission == "metadata":
            held = "read"
        return LEVELS.index(held) >= LEVELS.index(level)

    def sees(self, repository: str) -> bool:
        return self.repositories is None or repository in self.repositories


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A GitHub App with one installation; `private_key` is a PEM text for the product."""

    id: int
    slug: str
    account: Account
    private_key: str
    public_key: str
    installation: int
    permissions: Mapping[str, str]
    repositories: frozenset[str] | None
    suspended: bool = False


@dataclass(slots=True, kw_only=True)
class Comment:
    """A comment on an issue or pull request."""

    id: int
    number: int
    author: Account
    body: str
    created: datetime
    updated: datetime
    reactions: list[Reaction] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What an account put on a comment."""

    id: int
    account: Account
    content: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label of a repository."""

    id: int
    name: str
    color: str = "ededed"
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One word of one person about a pull request."""

    id: int
    author: Account
    state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED"]
    body: str
    commit: str
    submitted: datetime


@dataclass(slots=True, kw_only=True)
class Issue:
    """An issue; a pull request is one too and shares its numbers, labels and comments."""

    repository: GitHubRepository
    number: int
    title: str
    body: str
    author: Account
    created: datetime
    updated: datetime
    open: bool = True
    closed: datetime | None = None
    closed_by: Account | None = None
    labels: list[str] = field(default_factory=list)
    assigned: list[Account] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    locked: bool = False

    @property
    def id(self) -> int:
        return self.repository.id * 100_000 + self.number

    @property
    def node_id(self) -> str:
        return node_id("I", self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoMerge:
    """Who wants the pull request merged once it may be, and how."""

    by: Account
    method: str
    title: str = ""
    message: str = ""


@dataclass(slots=True, kw_only=True)
class Pull(Issue):
    """A pull request. `head` and `base` are the commits that its branches had when last seen."""

    branch: str
    head_repository: GitHubRepository
    head: str
    base_branch: str
    base: str
    draft: bool = False
    merged: datetime | None = None
    merged_by: Account | None = None
    merge_commit: str | None = None
    auto_merge: AutoMerge | None = None
    queued: Account | None = None
    reviews: list[Review] = field(default_factory=list)
    requested: list[Account] = field(default_factory=list)
    hidden_listings: int = 0

    @property
    def node_id(self) -> str:
        return node_id("PR", self.id)

    def approvals(self) -> list[Account]:
        """Return who approves the pull request, by the newest word of each person."""
        said: dict[str, Review] = {}
        for review in self.reviews:
            if review.state != "COMMENTED":
                said[review.author.login] = review
        return [each.author for each in said.values() if each.state == "APPROVED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A commit status, or with `run` a check run of a `suite` in the words of a status."""

    id: int
    context: str
    state: str
    description: str
    creator: Account
    created: datetime
    target_url: str | None = None
    run: bool = False
    suite: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """Classic branch protection; an admin passes it unless `enforce_admins`."""

    checks: tuple[str, ...] = ()
    strict: bool = False
    approvals: int = 0
    dismiss_stale: bool = False
    signatures: bool = False
    linear: bool = False
    enforce_admins: bool = False
    refuse_pushes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruleset:
    """Rules for branches whose name matches `branches`; nobody passes them."""

    id: int
    branches: str
    rules: tuple[tuple[str, Mapping[str, object]], ...]

    def covers(self, branch: str) -> bool:
        return fnmatchcase(branch, self.branches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What must hold before something is merged into a branch, by all of its rules together."""

    checks: tuple[str, ...] = ()
    strict: bool = False
    approvals: int = 0
    signatures: bool = False
    linear: bool = False
    queue: bool = False
    passable: bool = False
    methods: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.checks or self.approvals or self.strict or self.signatures or self.queue)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release with its notes."""

    id: int
    tag: str
    name: str
    body: str
    author: Account
    created: datetime
    draft: bool = False
    prerelease: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """A workflow that was started by hand or by us."""

    workflow: str
    ref: str
    inputs: Mapping[str, object]
    account: Account


@dataclass(slots=True, kw_only=True)
class Settings:
    """What a repository's pages of settings hold."""

    private: bool = False
    archived: bool = False
    has_issues: bool = True
    allow_auto_merge: bool = False
    queue_is_busy: bool = False
    allow_merge_commit: bool = True
    allow_squash_merge: bool = True
    allow_rebase_merge: bool = True
    delete_branch_on_merge: bool = False
    actions_may_open: bool = False
    squash_title: Literal["PR_TITLE", "COMMIT_OR_PR_TITLE"] = "COMMIT_OR_PR_TITLE"
    squash_message: Literal["COMMIT_MESSAGES", "PR_BODY", "BLANK"] = "COMMIT_MESSAGES"

    def methods(self) -> tuple[str, ...]:
        allowed = {
            "merge": self.allow_merge_commit,
            "squash": self.allow_squash_merge,
            "rebase": self.allow_rebase_merge,
        }
        return tuple(name for name, yes in allowed.items() if yes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One write that arrived: by REST, by GraphQL (`path` is then the mutation) or by push."""

    kind: Literal["rest", "graphql", "push"]
    method: str
    path: str
    account: str
    status: int


def node_id(kind: str, number: int | str) -> str:
    return f"{kind}_{hashlib.sha256(f'{kind}:{number}'.encode()).hexdigest()[:20]}"
