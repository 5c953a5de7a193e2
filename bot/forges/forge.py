"""What a forge is to us: proposals, comments, checks and rules, in the words of no forge.

One protocol, three implementations; plain Git needs none, because a branch is the proposal
there. What differs between forges is declared as `Abilities`, so that nothing above this floor
asks which forge it is. Rules: `peers.md` 3, `reliability-security.md` 2.3, `product.md` 10.8
to 10.12.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from bot.errors import AccessError, ConflictError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


class State(Enum):
    """What became of a proposal."""

    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


class CheckState(Enum):
    """What a check or commit status says."""

    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"


class AlreadyOpenError(ConflictError):
    """The forge says that this branch has an open proposal already (fault FF2)."""


class HeadMovedError(ConflictError):
    """The proposal's head is not the one that was to be merged or written on."""


class NotFoundError(AccessError):
    """It is not there, or this token may not see it; forges do not tell which (fault FF10)."""


class RateLimitedError(UnavailableError):
    """The forge wants us to stop; nothing more is sent with this credential until `wait_s`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a forge can do, declared.

    `labels_on_open`: the call that opens a proposal sets its labels. `own_automerge`: it merges
    by itself once what the base requires has passed. `shared_comments`: one listing gives the
    comments of all proposals. `signed_commits`: commits that its API makes are signed by it.
    `tells_automerge`: its answers say whether a proposal will be merged by itself; else
    `Proposal.automerge` is always false. `automerge_keeps_head`: it forgets to merge by itself
    once anybody pushes to the proposal. `word` and `sign` are what people call a proposal and
    its number: "pull request", "#".
    """

    word: str = "pull request"
    sign: str = "#"
    drafts: bool = True
    labels_on_open: bool = False
    own_automerge: bool = True
    tells_automerge: bool = True
    automerge_keeps_head: bool = False
    shared_comments: bool = True
    signed_commits: bool = True
    statuses: bool = True
    reactions: bool = True
    issues: bool = True
    max_title_chars: int = 255
    max_body_chars: int = 65_536
    max_label_chars: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who we are there: `login` as comments and proposals show it, and what kind of token."""

    login: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A pull or merge request as the forge tells it.

    `ours`: this credential's account opened it. `own_repository`: its head is in the same
    repository, not in a fork. `head` is the commit that its branch had when it was asked, or
    when it was closed. `automerge`: the forge was told to merge it by itself.
    """

    number: int
    url: str
    state: State
    title: str
    body: str
    branch: str
    head: str
    base: str
    author: str
    ours: bool
    own_repository: bool
    opened: datetime
    closed: datetime | None = None
    draft: bool = False
    labels: tuple[str, ...] = ()
    merge_commit: str = ""
    automerge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Proposals that one run shares: every open one, and those closed of late.

    `complete` is true where nothing older was left out, so that a branch that is not in the
    list never had a proposal.
    """

    proposals: tuple[Proposal, ...]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What a proposal shows: title, body in Markdown, labels; and whom it is opened for.

    White space at the end of a body, and the carriage return of a line end, may be lost (GitLab).
    """

    title: str
    body: str
    labels: tuple[str, ...] = ()
    draft: bool = False
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment on a proposal or issue; `edited` once its text is not the first one."""

    id: str
    number: int
    author: str
    ours: bool
    body: str
    created: datetime
    edited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """An issue that we opened: the dashboard.

    `number` is what the methods of `Forge` take; it is negative where issues and proposals are
    counted apart (GitLab). For people there is `url`.
    """

    number: int
    url: str
    title: str
    body: str
    ours: bool
    open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check or commit status on a commit."""

    name: str
    state: CheckState
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A commit status of ours: `name` is its context; `says` at most 140 characters."""

    name: str
    state: CheckState
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRules:
    """What the base branch demands, as far as this token may read it.

    `known` is false where the forge would not say; the rest is then the most lenient reading,
    and nothing may be concluded from it. `required_checks` are names, where they are listed;
    `requires_checks` is also true where only their number or a pipeline is demanded.
    """

    known: bool = True
    required_checks: tuple[str, ...] = ()
    requires_checks: bool = False
    required_approvals: int = 0
    requires_signatures: bool = False
    requires_up_to_date: bool = False
    merge_queue: bool = False
    may_automerge: bool = False
    merge_method: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that preflight found: what is wrong and the fix, each in one line.

    `stops`: nothing can be proposed as long as it is so.
    """

    ok: bool
    what: str
    fix: str = ""
    stops: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Addresses for people, built from the forge's own address and never from its answers."""

    web: str
    style: str

    def file(self, commit: str, path: str, line: int) -> str:
        """Return where a line of a file is shown at a commit."""
        middle = {"gitlab": "-/blob/", "gitea": "src/commit/"}.get(self.style, "blob/")
        return f"{self.web}/{middle}{commit}/{quote(path)}#L{line}"

    def compare(self, old: str, new: str) -> str:
        """Return where the difference of two revisions or tags is shown."""
        middle = "-/compare/" if self.style == "gitlab" else "compare/"
        return f"{self.web}/{middle}{quote(old)}...{quote(new)}"

    def commit(self, commit: str) -> str:
        """Return where a commit is shown."""
        return f"{self.web}/{'-/' if self.style == 'gitlab' else ''}commit/{commit}"

    def proposal(self, number: int) -> str:
        """Return where a proposal is shown."""
        middle = {"gitlab": "-/merge_requests", "gitea": "pulls"}.get(self.style, "pull")
        return f"{self.web}/{middle}/{number}"


class Forge(Protocol):
    """One repository on one forge, with one credential.

    Every method raises `AccessError` (`NotFoundError` among them), `UnavailableError`
    (`RateLimitedError` among them) or `RefusedError` besides what it names; none of their texts
    holds a token.
    """

    kind: str
    where: str
    abilities: Abilities
    links: Links

    @property
    def requests(self) -> int:
        """How many requests were sent so far."""

    async def account(self) -> Account:
        """Return who we are; asked once."""

    async def rules(self, base: str) -> BaseRules:
        """Return what the base branch demands; asked once for each."""

    async def preflight(self, base: str) -> list[Finding]:
        """Return what a first run would stumble over: token kind, permissions, settings."""

    async def listing(self) -> Listing:
        """Return the proposals that a run shares."""

    async def proposals_of(self, branch: str) -> list[Proposal]:
        """Return every proposal whose head is `branch` of this repository, newest first."""

    async def proposal(self, number: int) -> Proposal:
        """Return one proposal as it is now."""

    async def open(self, branch: str, base: str, text: Text) -> Proposal:
        """Open a proposal.

        Raises:
            AlreadyOpenError: There is one; it is found by `proposals_of`.
        """

    async def edit(self, number: int, *, title: str, body: str) -> None:
        """Give a proposal another title and body."""

    async def set_labels(
        self, number: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> None:
        """Add and remove labels; others stay. Labels that the forge lacks are made."""

    async def ask_people(
        self, number: int, *, reviewers: Sequence[str] = (), assignees: Sequence[str] = ()
    ) -> None:
        """Ask people to review a proposal, and assign it; those who are there stay.

        A reviewer `owner/team` is a team, where the forge knows such. Who cannot be asked is
        told in the log alone (fault FF14).
        """

    async def close(self, number: int) -> None:
        """Close a proposal without merging it; its branch stays."""

    async def approvers(self, number: int) -> tuple[str, ...]:
        """Return who approved the proposal as it stands."""

    async def comments(self, *, since: datetime, numbers: Sequence[int]) -> list[Comment]:
        """Return comments on these proposals and issues that were made since, oldest first.

        With `shared_comments` one listing gives them all; else each number is asked.
        """

    async def comments_on(self, number: int) -> list[Comment]:
        """Return every comment on a proposal or issue, oldest first."""

    async def comment(self, number: int, body: str) -> Comment:
        """Add a comment to a proposal or issue."""

    async def edit_comment(self, comment: Comment, body: str) -> None:
        """Give a comment of ours another text."""

    async def react(self, comment: Comment, *, agreed: bool) -> None:
        """Put a thumb up, or a confused face, on a comment; safe to repeat."""

    async def can_write(self, login: str) -> bool:
        """Return whether a person may push to this repository now, asked anew each time (P1)."""

    async def checks(self, commit: str) -> tuple[Check, ...]:
        """Return the checks and statuses on a commit, the newest of each name."""

    async def set_status(self, commit: str, status: Status) -> None:
        """Put a commit status of ours on a commit."""

    async def automerge(self, proposal: Proposal, *, wanted: bool) -> None:
        """Tell the forge to merge this head by itself once what is required has passed, or not.

        Raises:
            HeadMovedError: The head is not the proposal's any more.
        """

    async def merge(self, proposal: Proposal, *, title: str, message: str) -> None:
        """Merge exactly this head, never past a rule of the base.

        Raises:
            HeadMovedError: The head is not the proposal's any more.
        """

    async def commit(
        self, branch: str, *, start: str, files: Mapping[str, bytes], message: str
    ) -> str:
        """Make a commit on `start` that gives `files` these texts, and return its id.

        `branch` is one of our own for the moment: it is made by this call, on `start`, and
        deleted by the caller once the commit was fetched.
        """

    async def proposals_with(self, commit: str) -> list[Proposal]:
        """Return the merged proposals that brought this commit to its branch."""

    async def find_issue(self, title: str) -> Issue | None:
        """Return our own open issue of exactly this title, `None` where there is none."""

    async def open_issue(self, title: str, body: str) -> Issue:
        """Open an issue."""

    async def edit_issue(self, number: int, body: str) -> None:
        """Give an issue of ours another body."""

    async def start_workflow(self, workflow: str, branch: str) -> None:
        """Start a workflow of this name on a branch, where the forge can (`peers.md` 4.2)."""

    async def aclose(self) -> None:
        """Let go of connections."""
