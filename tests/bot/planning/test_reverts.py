"""A version that a person took back is held; what we did ourselves is not."""

from datetime import timedelta

import pytest

from bot.planning.message import recorded_changes, trailers
from bot.planning.remembered import ChangeRecord, HoldRecord
from bot.planning.reverts import PastCommit, moves_between, reverted
from bot.rewrite.fields import Field
from bot.rewrite.tree import find_fields
from tests.bot.planning.situations import NOW, ONE, bound

FILE = "a.yaml"


def text(tag: str) -> str:
    """Return a file at `tag`."""
    return f"image: acme/web:{tag} # pilotfish: semver >=1\n"


def fields(content: str) -> tuple[Field, ...]:
    """Return the marked fields of a file."""
    return find_fields([(FILE, content.encode())]).fields


def commit(old: str, new: str, recorded: frozenset[ChangeRecord] = frozenset()) -> PastCommit:
    """Return a commit that moves the file from one text to another."""
    return PastCommit(
        sha="abcdef0123456789",
        author="Kim <kim@example.test>",
        when=NOW - timedelta(hours=1),
        moves=tuple(moves_between(FILE, fields(old), fields(new))),
        recorded=recorded,
    )


def record(old: str, new: str, file: str = FILE) -> ChangeRecord:
    """Return what our trailer says of a move."""
    return ChangeRecord(
        file=file, line=1, policy="acme/web", old=f"acme/web:{old}", new=f"acme/web:{new}"
    )


def found(*commits: PastCommit) -> list[HoldRecord]:
    """Return the holds that a history gives for the file at 1.0.0."""
    return reverted(commits, bound(text("1.0.0")))


def test_a_fall_by_a_person_holds_what_lies_between() -> None:
    (hold,) = found(commit(text("1.2.0"), text("1.0.0")))
    assert (hold.above, hold.up_to, hold.policy) == ("1.0.0", "1.2.0", "acme/web")
    assert hold.who == "Kim <kim@example.test>"
    assert "abcdef0123" in hold.reason


def test_a_rise_holds_nothing() -> None:
    assert found(commit(text("1.0.0"), text("1.2.0"))) == []


def test_our_own_fall_is_known_by_its_trailer() -> None:
    ours = frozenset({record("1.2.0", "1.0.0")})
    assert found(commit(text("1.2.0"), text("1.0.0"), ours)) == []


@pytest.mark.parametrize(
    "stale",
    [record("1.0.0", "1.2.0"), record("1.3.0", "1.0.0"), record("1.2.0", "1.0.0", "b.yaml")],
    ids=["the other way", "another start", "another file"],
)
def test_a_stale_trailer_does_not_make_a_fall_ours(stale: ChangeRecord) -> None:
    assert len(found(commit(text("1.2.0"), text("1.0.0"), frozenset({stale})))) == 1


def test_a_squash_that_kept_our_trailer_is_ours() -> None:
    rows = trailers("acme/web", [record("1.2.0", "1.0.0")])
    message = "Web (#3)\n\n" + "\n".join(f"* {name}: {value}" for name, value in rows)
    assert found(commit(text("1.2.0"), text("1.0.0"), recorded_changes(message))) == []


def test_a_value_that_cannot_be_ordered_is_no_fall() -> None:
    assert found(commit(text("latest"), text("1.0.0"))) == []


def test_a_digest_alone_is_no_fall() -> None:
    line = f"image: acme/web:1.0.0@{ONE} # pilotfish: semver >=1\n"
    assert found(commit(line, text("1.0.0"))) == []


def test_two_falls_hold_both() -> None:
    holds = found(commit(text("1.2.0"), text("1.0.0")), commit(text("1.9.0"), text("1.1.0")))
    assert [(one.above, one.up_to) for one in holds] == [("1.0.0", "1.2.0"), ("1.1.0", "1.9.0")]


def test_the_same_fall_in_two_commits_is_one_hold() -> None:
    fall = commit(text("1.2.0"), text("1.0.0"))
    assert len(found(fall, fall)) == 1


def test_a_field_that_moved_within_its_file_is_the_same_field() -> None:
    assert len(found(commit("a: 1\n" + text("1.2.0"), text("1.0.0")))) == 1


def test_a_field_whose_marker_is_gone_holds_nothing() -> None:
    assert found(commit("image: acme/web:1.2.0\n", text("1.0.0"))) == []


def test_a_marker_that_changed_its_range_with_the_fall_still_holds() -> None:
    narrow = "image: acme/web:1.2.0 # pilotfish: semver ^1\n"
    assert len(found(commit(narrow, text("1.0.0")))) == 1
