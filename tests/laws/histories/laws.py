"""What may never happen to proposals, whatever did: invariants I5 to I8, read from the server.

Nothing here is the product's: what a proposal changes is read from its commit, what was closed
from what the person saw, and what we moved from the receiving side. A head that a person made is
theirs until it is merged: nothing of it is lost then (`product.md` 10.9).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.laws.histories.stage import Move, Seen, Stage

Change = tuple[str, str]  # an image and the tag that it is moved to
_LINE = re.compile(rb"image: acme/(\w+):(\S+)")
_BASE, _OURS, _NOTES, _MOMENT = (
    "refs/heads/main",
    "refs/heads/pilotfish/",
    "refs/notes/pilotfish",
    "refs/heads/pilotfish-commit/",
)


# A change of a proposal itself, as our requests name it; comments on it are none.
_EDIT = re.compile(r"^\S+ \S*/(?:pulls|merge_requests)/(\d+)(?:/merge|/requested_reviewers)? ->")


def _edited(told: str) -> int:
    """Return the number of the proposal that a write changed, 0 for none."""
    found = _EDIT.match(told)
    return int(found[1]) if found else 0


class Violation(AssertionError):
    """A law that was broken."""


def tags_in(files: dict[str, bytes]) -> dict[str, str]:
    """Return the tag of each image that stands in `files`."""
    return {
        found[1].decode(): found[2].decode()
        for text in files.values()
        for found in _LINE.finditer(text)
    }


@dataclass(slots=True, kw_only=True)
class Closed:
    """What a person said no to by ending proposal `number`; `lifted` once somebody took it back."""

    number: int
    changes: frozenset[Change]
    lifted: set[str] = field(default_factory=set)

    def forbids(self, change: Change) -> bool:
        """Return whether this is not to be proposed again."""
        return change in self.changes and change[0] not in self.lifted


@dataclass(slots=True)
class Laws:
    """The laws of one history, with what persons did so far."""

    stage: Stage
    closed: list[Closed] = field(default_factory=list)
    given_back: set[str] = field(default_factory=set)  # heads that a writer let us throw away
    made: set[str] = field(default_factory=set)  # commits that we pushed
    passed: set[str] = field(default_factory=set)  # commits whose checks passed
    texts: dict[str, str] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)  # proposals that a person closed
    paused: dict[int, str] = field(default_factory=dict)  # branches by proposal, at the last look
    _read: int = 0
    _read_writes: int = 0
    _trees: dict[str, dict[str, bytes]] = field(default_factory=dict)
    _parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    # What a person does

    def note_close(self, one: Seen, *, as_told: bool = False) -> None:
        """Remember what a person said no to.

        `as_told`: only what the body showed, because with the branch went what the commit said.
        """
        self.ended.add(one.number)
        if one.head not in self.made:
            return
        said_no = {
            (image, tag)
            for image, tag in self.changes(one.head)
            if not as_told or (image in one.body and tag in one.body)
        }
        self.closed.append(Closed(number=one.number, changes=frozenset(said_no)))

    def note_reopen(self, number: int) -> None:
        """Forget the no."""
        self.ended.discard(number)
        for record in self.closed:
            if record.number == number:
                record.lifted |= {image for image, _ in record.changes}

    def note_unhold(self, image: str) -> None:
        """Forget every no to an image."""
        for record in self.closed:
            record.lifted.add(image)

    # At every instant

    def look(self) -> None:
        """Hold what is open at this very moment to I5; called from the server's thread."""
        branches = [one.branch for one in self.stage.ours() if one.is_open and one.base == "main"]
        double = {one for one in branches if branches.count(one) > 1}
        if double:
            self.broken.append(f"I5: two open proposals at once on {sorted(double)}")

    # After every step

    def check(self, known_closes: int) -> None:
        """Hold everything since the last look to the laws.

        `known_closes`: how many closes came before the step, so that what a person closed while
        we were at work is not held against us.
        """
        if self.broken:
            raise Violation(self.broken[0])
        if self.stage.wire.reopened:
            raise Violation(f"I6: reopened by us: {self.stage.wire.reopened}")
        moves = self.stage.moves()
        seen = self.stage.ours()
        self._check_paused(seen, moves[self._read :])
        for move in moves[self._read :]:
            self._check_move(move, seen, known_closes)
        self._read = len(moves)
        self._check_open(seen, known_closes)
        self._check_texts()

    def _check_paused(self, seen: Iterable[Seen], moves: Iterable[Move]) -> None:
        """Hold what a person paused before this step, and has paused still, to their word."""
        wrote = self.stage.wire.wrote[self._read_writes :]
        self._read_writes += len(wrote)
        labelled = {one.number: one.branch for one in seen if one.paused}
        for one in seen:
            if self.paused.get(one.number) is None or one.number not in labelled:
                continue
            if one.merged or one.number in self.ended:
                continue
            moved = [move for move in moves if move.ref == f"refs/heads/{one.branch}"]
            edits = [told for told in wrote if _edited(told) == one.number]
            if moved or edits or not one.is_open:
                raise Violation(f"paused {one.number}, and yet: {moved} {edits} {one.is_open}")
        self.paused = labelled

    def _check_move(self, move: Move, seen: Iterable[Seen], known_closes: int) -> None:
        if move.ref == _NOTES or move.ref.startswith(_MOMENT):
            return
        if move.ref == _BASE:
            self._check_merge(move)
            return
        if not move.ref.startswith(_OURS):
            raise Violation(f"I7: moved {move.ref}, which is not ours")
        if move.old and move.old not in self.made and move.old not in self.given_back:
            merged = {one.head for one in seen if one.merged}
            if move.old not in merged and not self._is_in_base(move.old):
                raise Violation(f"I6: {move.ref} stood at a person's commit {move.old}: {move}")
        if move.new:
            self._check_commit(move)
            for change in self.changes(move.new):
                self._check_wanted(change, known_closes, f"pushed to {move.ref}")
            self.made.add(move.new)

    def _check_merge(self, move: Move) -> None:
        """Hold a push to the base to what quiet merges are: the very commit that was checked."""
        if move.new not in self.made or self.parents(move.new) != (move.old,):
            raise Violation(f"I7: the base was moved to something else: {move}")
        if move.new not in self.passed:
            raise Violation(f"I7: merged without checks that passed: {move}")

    def _check_commit(self, move: Move) -> None:
        parents = self.parents(move.new)
        if len(parents) != 1:
            raise Violation(f"I7: {move.new} has the parents {parents}")
        if parents[0] not in self._base_tips():
            raise Violation(f"I7: {move.new} is not made on a tip of the base")
        before, after = self.files(parents[0]), self.files(move.new)
        if set(before) != set(after):
            raise Violation(f"I8: {move.new} adds or removes files")
        touched = [path for path in before if before[path] != after[path]]
        if not touched:
            raise Violation(f"I8: {move.new} changes nothing")
        for path in touched:
            if _LINE.sub(b"", before[path]) != _LINE.sub(b"", after[path]):
                raise Violation(f"I8: {move.new} changes more than what is marked in {path}")

    def _check_wanted(self, change: Change, known_closes: int, what: str, number: int = 0) -> None:
        for record in self.closed[:known_closes]:
            if record.forbids(change) and record.number != number:
                raise Violation(f"I6: {change} {what}, which a person closed with {record.number}")

    def _check_open(self, seen: list[Seen], known_closes: int) -> None:
        keeps: dict[str, int] = {}
        for one in seen:
            if not one.is_open or one.base != "main" or one.head not in self.made:
                continue
            for change in self.changes(one.head):
                other = keeps.setdefault(change[0], one.number)
                if other != one.number:
                    raise Violation(f"I5: {one.number} and {other} both move {change[0]}")
                self._check_wanted(change, known_closes, f"stands open in {one.number}", one.number)

    def _check_texts(self) -> None:
        now = self.stage.texts_of_persons()
        for name, text in self.texts.items():
            if now.get(name) != text:
                raise Violation(f"I6: what a person wrote changed: {name}")
        self.texts = now

    # What Git says

    def changes(self, commit: str) -> frozenset[Change]:
        """Return what a commit moves against its first parent."""
        before = tags_in(self.files(self.parents(commit)[0]))
        after = tags_in(self.files(commit))
        return frozenset((image, tag) for image, tag in after.items() if before.get(image) != tag)

    def files(self, commit: str) -> dict[str, bytes]:
        if commit not in self._trees:
            self._trees[commit] = self.stage.bare.files(commit)
        return self._trees[commit]

    def parents(self, commit: str) -> tuple[str, ...]:
        if commit not in self._parents:
            said = self.stage.bare.git("show", "-s", "--format=%P", commit)
            self._parents[commit] = tuple(said.split())
        return self._parents[commit]

    def _base_tips(self) -> set[str]:
        return set(self.stage.bare.git("rev-list", "--first-parent", "main").split())

    def _is_in_base(self, commit: str) -> bool:
        return commit in self.stage.bare.git("rev-list", "main").split()
