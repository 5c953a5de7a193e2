"""What a branch is on a forge: every answer of Git beside every answer of the forge."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.forges.forge import Proposal, State
from bot.planning.metadata import Metadata, write_metadata
from bot.planning.remembered import ChangeRecord
from bot.proposals.lifecycle import OpenBranch, Standing
from bot.proposals.standing import OnForge, on_their_branches, our_proposals, standing_on_forge
from tests.bot.planning.situations import NOW
from tests.bot.proposals.test_lifecycle import CHANGES, WANTED

BRANCH = "pilotfish/web"
METADATA = Metadata(key="web", base="main", branch=BRANCH, head="h", changes=CHANGES)


def proposal(state: State, *, metadata: Metadata | None = METADATA, number: int = 1) -> Proposal:
    """Return a proposal of ours as a forge tells it."""
    return Proposal(
        number=number,
        url="",
        state=state,
        title="t",
        body="text\n\n" + (write_metadata(metadata) if metadata else ""),
        branch=BRANCH,
        head="h",
        base="main",
        author="pilotfish",
        ours=True,
        own_repository=True,
        opened=NOW + timedelta(minutes=number),
        closed=None if state is State.OPEN else NOW,
    )


def known(*found: Proposal) -> OnForge:
    return our_proposals(found, base="main")


NONE = known()
OPEN = known(proposal(State.OPEN))
REFUSED = known(proposal(State.CLOSED))
BY_US = known(proposal(State.CLOSED, metadata=replace(METADATA, closed_why="superseded")))
MERGED = known(proposal(State.MERGED))


def branch(standing: Standing, head: str = "h") -> OpenBranch:
    return OpenBranch(branch=BRANCH, head=head, standing=standing, key="web", changes=CHANGES)


@pytest.mark.parametrize(
    ("git", "forge", "expected"),
    [
        (Standing.ABSENT, NONE, "absent"),
        (Standing.ABSENT, OPEN, "absent"),
        (Standing.ABSENT, REFUSED, "absent"),
        (Standing.ABSENT, BY_US, "absent"),
        (Standing.ABSENT, MERGED, "absent"),
        (Standing.OURS, NONE, "unproposed"),
        (Standing.OURS, OPEN, "ours"),
        (Standing.OURS, REFUSED, "refused"),
        (Standing.OURS, BY_US, "unproposed"),
        (Standing.OURS, MERGED, "merged"),
        (Standing.EDITED, NONE, "edited"),
        (Standing.EDITED, OPEN, "edited"),
        (Standing.EDITED, REFUSED, "edited"),
        (Standing.EDITED, BY_US, "edited"),
        (Standing.EDITED, MERGED, "merged"),
        (Standing.FOREIGN, NONE, "foreign"),
        (Standing.FOREIGN, OPEN, "ours"),
        (Standing.FOREIGN, REFUSED, "foreign"),
        (Standing.FOREIGN, BY_US, "foreign"),
        (Standing.FOREIGN, MERGED, "foreign"),
        (Standing.MERGED, NONE, "merged"),
        (Standing.MERGED, OPEN, "merged"),
        (Standing.MERGED, REFUSED, "merged"),
        (Standing.MERGED, BY_US, "merged"),
        (Standing.MERGED, MERGED, "merged"),
    ],
)
def test_git_and_the_forge_are_read_together(git: Standing, forge: OnForge, expected: str) -> None:
    assert standing_on_forge(branch(git), forge, base="main").standing.value == expected


def test_a_foreign_head_under_an_open_proposal_of_ours_is_a_persons() -> None:
    found = standing_on_forge(branch(Standing.FOREIGN, head="other"), OPEN, base="main")
    assert (found.standing, found.number) == (Standing.EDITED, 1)


@pytest.mark.parametrize("ended", [REFUSED, MERGED])
def test_a_branch_that_moved_on_since_is_to_be_proposed(ended: OnForge) -> None:
    found = standing_on_forge(branch(Standing.OURS, head="newer"), ended, base="main")
    assert found.standing is Standing.UNPROPOSED


@pytest.mark.parametrize("git", list(Standing))
def test_a_label_pauses_what_is_open_and_nothing_else(git: Standing) -> None:
    for state, expected in ((State.OPEN, True), (State.CLOSED, False), (State.MERGED, False)):
        labelled = known(replace(proposal(state), labels=("images", "pilotfish/paused")))
        assert standing_on_forge(branch(git), labelled, base="main").paused is expected
    assert not standing_on_forge(branch(git), OPEN, base="main").paused


def test_what_a_person_turned_to_another_base_is_theirs() -> None:
    turned = known(replace(proposal(State.OPEN), base="release"))
    assert standing_on_forge(branch(Standing.OURS), turned, base="main").standing is Standing.EDITED


@pytest.mark.parametrize("change", [{"ours": False}, {"own_repository": False}])
def test_what_we_did_not_open_here_is_none_of_ours(change: dict[str, bool]) -> None:
    copied = known(replace(proposal(State.OPEN), **change))  # type: ignore[arg-type]  # two flags
    assert (copied.open, copied.everything) == ({}, ())


def test_a_close_is_a_persons_unless_we_wrote_why_before() -> None:
    assert [one.changes for one in REFUSED.closed] == [tuple(sorted(CHANGES))]
    assert BY_US.closed == ()
    assert MERGED.closed == ()


def test_a_proposal_that_was_opened_again_is_not_closed() -> None:
    again = known(proposal(State.CLOSED), proposal(State.OPEN, number=2))
    assert set(again.open) == {BRANCH}
    assert standing_on_forge(branch(Standing.OURS), again, base="main").number == 2


def test_a_proposal_is_found_by_what_its_body_says_before_its_branch() -> None:
    elsewhere = replace(proposal(State.OPEN), branch="older-prefix/web")
    (found,) = on_their_branches([WANTED], known(elsewhere))
    assert found.branch == "older-prefix/web"


def test_two_of_one_key_are_told_apart_by_their_branches() -> None:
    twice = known(
        replace(proposal(State.OPEN), branch="one/web"),
        replace(proposal(State.OPEN, number=2), branch="two/web"),
    )
    (found,) = on_their_branches([WANTED], twice)
    assert found.branch == BRANCH


def test_a_body_without_its_metadata_closes_nothing_by_itself() -> None:
    bare = known(proposal(State.CLOSED, metadata=None))
    assert [one.changes for one in bare.closed] == [()]


def test_the_last_hour_is_told_by_what_was_opened_whatever_became_of_it() -> None:
    assert len(known(proposal(State.CLOSED), proposal(State.MERGED, number=2)).opened) == 2


def test_other_changes_of_a_record_stay_with_it() -> None:
    other = ChangeRecord(file="b.yaml", line=1, policy="b", old="1", new="2")
    more = known(proposal(State.OPEN, metadata=replace(METADATA, changes=CHANGES | {other})))
    assert more.records[0].changes == tuple(sorted(CHANGES | {other}))
