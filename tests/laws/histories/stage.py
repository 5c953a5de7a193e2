"""Where a history plays: one repository of a forge, ours and persons beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.clock import Clock
from bot.config.secret_refs import Secret
from bot.forges.forge import CheckState
from tests.bot.forges.harness import Who
from tests.laws.histories.wire import Wire
from tests.servers.remote import Remote

CONFIG, SHOP, STORE = ".pilotfish.yaml", "apps/shop.yaml", "apps/store.yaml"
PAUSED = "pilotfish/paused"
OTHER, FOREIGN = "other", "pilotfish/foreign"
# What a push of ours moved, in the order in which it arrived; persons' own acts pass no hook.
HOOK = 'while read -r old new ref; do echo "$old $new $ref" >> "$GIT_DIR/moves"; done'


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A proposal of ours as the server itself has it."""

    number: int
    branch: str
    base: str
    head: str
    body: str
    is_open: bool
    merged: bool
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One move of one ref by a push of ours; a commit is empty where there was or is none."""

    ref: str
    old: str
    new: str


class People(Protocol):
    """What persons do."""

    def label(self, number: int, labels: Sequence[str]) -> None:
        """Put labels on a proposal."""

    def unlabel(self, number: int, label: str) -> None:
        """Take a label off a proposal."""

    def commit(
        self, branch: str, files: Mapping[str, bytes], *, message: str = "Change", start: str = ""
    ) -> str:
        """Push a commit."""

    def delete_branch(self, branch: str) -> None:
        """Delete a branch."""

    def close(self, number: int) -> None:
        """Close a proposal."""

    def reopen(self, number: int) -> None:
        """Open a closed proposal again."""

    def merge(self, number: int, *, squash: bool = False) -> str:
        """Merge a proposal."""

    def comment(self, number: int, body: str, *, by: Who = "writer") -> str:
        """Comment on a proposal."""

    def edit_body(self, number: int, body: str) -> None:
        """Give a proposal another body."""

    def set_check(self, commit: str, name: str, state: CheckState) -> None:
        """Put what CI says on a commit."""

    def open(self, branch: str, base: str, title: str, body: str = "") -> int:
        """Open a proposal as a person."""


class Stage(Protocol):
    """One repository. `forge` are our settings of it.

    `refuses_doubles`: two proposals of one branch are never open together, not for a moment; a
    forge that lets two calls at once through (Gitea) leaves it to us to close the second.
    """

    kind: str
    url: str
    forge: str
    wire: Wire
    has_forge: bool
    refuses_doubles: bool

    @property
    def bare(self) -> Remote:
        """Return the repository itself."""

    @property
    def people(self) -> People:
        """Return the persons."""

    @property
    def clock(self) -> Clock:
        """Return the clock of both sides."""

    @property
    def token(self) -> Secret | None:
        """Return our token, where there is something that asks for one."""

    def ours(self) -> list[Seen]:
        """Return every proposal that we opened, oldest first."""

    def moves(self) -> list[Move]:
        """Return what our pushes moved so far."""

    def push(self, branch: str, files: Mapping[str, bytes], *, date: str) -> str:
        """Let a person push a commit that was made at `date` to a branch that is there."""

    def retarget(self, number: int) -> None:
        """Let a person turn a proposal to the branch `other`."""

    def lag(self, listings: int) -> None:
        """Leave proposals that are opened from now on out of so many listings."""

    def catch_up(self) -> None:
        """Let listings show all that there is."""

    def texts_of_persons(self) -> dict[str, str]:
        """Return what persons wrote, by a name that stays: comments, proposals of theirs."""

    def pass_time(self, seconds: float) -> None:
        """Let time pass, on both sides."""


def read_moves(bare: Remote) -> list[Move]:
    """Return what the hook wrote down."""
    place = bare.folder / "moves"
    if not place.exists():
        return []
    rows = [line.split(" ", 2) for line in place.read_text("utf-8").splitlines()]
    none = "0" * 40
    return [
        Move(ref=ref, old="" if old == none else old, new="" if new == none else new)
        for old, new, ref in rows
    ]
