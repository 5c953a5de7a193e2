"""What the contract suite needs of a forge under test: ours, and the acts of persons beside it.

Each forge has a module `harness_<kind>.py` beside this file with one function,
`open_under_test(fixture, name)`, an asynchronous context manager: `fixture` gives a fixture of
conftest.py by its name, `name` is one that nothing on a shared server has yet. It gives a
`ForgeUnderTest` on a new repository whose branch `main` holds `START_FILES` in one commit.

Acts of persons are plain calls that block; they return once the forge itself tells the outcome.
What a person does is done by another account than ours, over the forge's own interface or Git.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol

from bot.clock import Clock
from bot.forges.forge import CheckState, Forge

Who = Literal["writer", "reader", "outsider"]

START_FILES: dict[str, bytes] = {
    "apps/web.yaml": b"image: example.test/web:1.0.0\n",
    "apps/db.yaml": b"image: example.test/db:2.0.0\n",
}
WRONG_TOKEN = "wrong-token-0123456789abcdef0123456789abcdef"


class RepositoryFace(Protocol):
    """The repository as persons and their machines see it."""

    def head(self, branch: str) -> str:
        """Return the commit of a branch, empty where there is no such branch."""

    def parents(self, commit: str) -> tuple[str, ...]:
        """Return the parents of a commit."""

    def message(self, commit: str) -> str:
        """Return the message of a commit, without line ends at its end."""

    def files(self, commit: str) -> dict[str, bytes]:
        """Return every file of a commit."""

    def commit(
        self, branch: str, files: Mapping[str, bytes], *, message: str = "Change", start: str = ""
    ) -> str:
        """Push a commit that gives `files` these texts, and return it.

        A branch that is missing begins at `start`, or at main.
        """

    def delete_branch(self, branch: str) -> None:
        """Delete a branch."""

    def close(self, number: int) -> None:
        """Close a proposal without merging it."""

    def reopen(self, number: int) -> None:
        """Open a closed proposal again."""

    def merge(self, number: int, *, squash: bool = False) -> str:
        """Merge a proposal, and return the new head of its base; its branch stays."""

    def comment(self, number: int, body: str, *, by: Who = "writer") -> str:
        """Comment on a proposal or issue and return the comment's id as ours shows it."""

    def edit_comment(self, number: int, comment_id: str, body: str) -> None:
        """Give the writer's comment another text, so much later that the forge can tell."""

    def edit_body(self, number: int, body: str) -> None:
        """Give a proposal another body."""

    def label(self, number: int, labels: Sequence[str]) -> None:
        """Put labels on a proposal; they are made where they are missing."""

    def unlabel(self, number: int, label: str) -> None:
        """Take a label off a proposal."""

    def people_on(self, number: int) -> tuple[set[str], set[str]]:
        """Return who is asked to review a proposal, and who is assigned."""

    def open(self, branch: str, base: str, title: str, body: str = "") -> int:
        """Open a proposal as the writer and return its number."""

    def open_issue(self, title: str, body: str = "") -> int:
        """Open an issue as the writer and return its number."""

    def approve(self, number: int) -> None:
        """Approve a proposal as the writer."""

    def set_check(self, commit: str, name: str, state: CheckState) -> None:
        """Put a commit status on a commit, as a CI system does."""

    def protect(
        self,
        branch: str,
        *,
        checks: Sequence[str] = (),
        approvals: int = 0,
        signatures: bool = False,
        up_to_date: bool = False,
    ) -> None:
        """Let a branch demand these things before anything is merged into it.

        What a forge cannot demand is left out (GitLab names no checks: any check there means
        that the pipeline must pass).
        """

    def status_of(self, commit: str, name: str) -> tuple[CheckState, str] | None:
        """Return state and text of a commit status as persons see it."""

    def reactions(self, number: int, comment_id: str) -> list[str]:
        """Return the reactions on a comment, each by the forge's own word for it."""


class ForgeUnderTest(Protocol):
    """Our adapter on one repository, and what is beside it.

    `forge` is ours with an account `bot` that may do all that we need. `writer` may push,
    `reader` may only read and comment, `outsider` is a login without any right there; each is
    a login. `token` is our token's text, `repository_path` is `owner/name`.
    """

    kind: str
    forge: Forge
    clock: Clock
    repository: RepositoryFace
    repository_path: str
    bot: str
    writer: str
    reader: str
    outsider: str
    token: str

    def forge_with(self, token: str) -> Forge:
        """Return ours on the same repository with another token; the harness closes it."""

    def forge_at(self, path: str) -> Forge:
        """Return ours with the same token on another repository; the harness closes it."""


OpenUnderTest = Callable[
    [Callable[[str], Any], str],
    AbstractAsyncContextManager[ForgeUnderTest],
]
