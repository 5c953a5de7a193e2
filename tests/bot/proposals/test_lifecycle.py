"""What is done about a proposal, for every state of its branch, its plan and its memory."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.config.model import Limits, Schedule
from bot.planning.grouping import group_updates
from bot.planning.plan import PlannedProposal
from bot.planning.remembered import (
    ChangeRecord,
    ClosedRecord,
    ProposalRecord,
    Remembered,
    UnholdRecord,
)
from bot.proposals.lifecycle import (
    Circumstances,
    OpenBranch,
    Operation,
    Standing,
    Step,
    changes_of,
    decide,
)
from bot.proposals.wishes import Wishes
from tests.bot.planning.situations import NOW, ONE, TWO, chosen

HOUR = timedelta(hours=1)
PLENTY = Limits(open=99, new_per_hour=99, pushes_per_hour=99)


def plan(name: str = "web", to: str = "1.1.0") -> PlannedProposal:
    """Return the proposal of one image's move from 1.0.0."""
    made = chosen(f"image: {name}:1.0.0 # pilotfish: semver >=1\n", [to])
    (one,), _ = group_updates(made.updates, base="main")
    return one


WANTED = plan()
CHANGES = changes_of(WANTED)
OTHER = changes_of(plan(to="1.0.5"))
ALL = "updates:\n- {name: default, group: all}\n"
WEB = frozenset({"pilotfish/web"})
RECORD = ProposalRecord(
    key="web",
    branch="pilotfish/web",
    head="h",
    opened=NOW - 2 * HOUR,
    pushed=(),
    changes=tuple(CHANGES),
)
OPEN = Remembered(proposals=(RECORD,))
OPEN_OLDER = Remembered(proposals=(replace(RECORD, changes=tuple(OTHER)),))
CLOSED = Remembered(closed=(ClosedRecord(key="web", when=NOW, changes=tuple(CHANGES)),))
NOTHING = Remembered()


def branch(
    standing: Standing, changes: frozenset[ChangeRecord] = CHANGES, *, conflicts: bool = False
) -> OpenBranch:
    """Return the proposal's branch as it is found."""
    ours = {Standing.OURS, Standing.EDITED, Standing.UNPROPOSED, Standing.REFUSED}
    kept = changes if standing in ours else frozenset()
    return OpenBranch(
        branch="pilotfish/web",
        head="h",
        standing=standing,
        key="web",
        changes=kept,
        conflicts=conflicts,
    )


def decided(
    planned: list[PlannedProposal],
    found: OpenBranch | None,
    memory: Remembered = NOTHING,
    unknown: frozenset[str] = frozenset(),
    limits: Limits = PLENTY,
) -> list[Step]:
    """Decide for one branch."""
    here = {found.branch: found} if found and found.standing is not Standing.ABSENT else {}
    around = Circumstances(unknown_keys=unknown, limits=limits, now=NOW)
    return decide(planned, here, memory, around)


@pytest.mark.parametrize(
    ("found", "memory", "operation"),
    [
        (branch(Standing.ABSENT), NOTHING, "opened"),
        (branch(Standing.ABSENT), OPEN, "ignored"),
        (branch(Standing.ABSENT), OPEN_OLDER, "opened"),
        (branch(Standing.ABSENT), CLOSED, "ignored"),
        (branch(Standing.OURS), NOTHING, "unchanged"),
        (branch(Standing.OURS), OPEN, "unchanged"),
        (branch(Standing.OURS), CLOSED, "unchanged"),
        (branch(Standing.OURS, conflicts=True), OPEN, "refreshed"),
        (branch(Standing.OURS, OTHER), OPEN_OLDER, "refreshed"),
        (branch(Standing.OURS, OTHER), CLOSED, "closed"),
        (branch(Standing.EDITED), NOTHING, "left"),
        (branch(Standing.EDITED), OPEN, "left"),
        (branch(Standing.EDITED, OTHER), CLOSED, "left"),
        (branch(Standing.FOREIGN), NOTHING, "refused"),
        (branch(Standing.FOREIGN), OPEN, "refused"),
        (branch(Standing.MERGED), NOTHING, "opened"),
        (branch(Standing.MERGED), OPEN_OLDER, "opened"),
        (branch(Standing.MERGED), CLOSED, "closed"),
        (branch(Standing.UNPROPOSED), NOTHING, "opened"),
        (branch(Standing.UNPROPOSED, OTHER), NOTHING, "opened"),
        (branch(Standing.UNPROPOSED), CLOSED, "closed"),
        (branch(Standing.REFUSED), CLOSED, "ignored"),
        (branch(Standing.REFUSED, OTHER), NOTHING, "opened"),
    ],
)
def test_what_is_wanted_meets_what_stands(
    found: OpenBranch, memory: Remembered, operation: str
) -> None:
    (step,) = decided([WANTED], found, memory)
    assert step.operation.value == operation
    assert step.reason


@pytest.mark.parametrize(("number", "way"), [(0, "delete it"), (7, "comment `/recreate`")])
def test_what_a_person_pushed_to_is_given_back_as_its_place_allows(number: int, way: str) -> None:
    (step,) = decided([WANTED], replace(branch(Standing.EDITED), number=number))
    assert way in step.reason


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        ({}, "there is something newer"),
        ({one.policy: "1.2.0 is held by wanda" for one in OTHER}, "what may come now has changed"),
    ],
)
def test_a_fall_to_what_is_not_held_is_not_called_newer(held: dict[str, str], reason: str) -> None:
    around = Circumstances(limits=PLENTY, now=NOW, held=held)
    stands = {"pilotfish/web": branch(Standing.OURS, OTHER)}
    (step,) = decide([WANTED], stands, OPEN_OLDER, around)
    assert (step.operation.value, step.reason) == ("refreshed", reason)


@pytest.mark.parametrize(
    ("standing", "known", "operation"),
    [
        (Standing.OURS, True, "closed"),
        (Standing.OURS, False, "unchanged"),
        (Standing.MERGED, True, "closed"),
        (Standing.MERGED, False, "closed"),
        (Standing.EDITED, True, "left"),
        (Standing.EDITED, False, "left"),
        (Standing.FOREIGN, True, "left"),
        (Standing.FOREIGN, False, "left"),
        (Standing.UNPROPOSED, True, "closed"),
        (Standing.UNPROPOSED, False, "unchanged"),
        (Standing.REFUSED, True, "ignored"),
        (Standing.REFUSED, False, "ignored"),
    ],
)
def test_what_is_no_longer_wanted_goes_only_when_that_is_known(
    standing: Standing, known: bool, operation: str
) -> None:
    unknown = frozenset() if known else frozenset({"web"})
    (step,) = decided([], branch(standing), OPEN, unknown)
    assert step.operation.value == operation


def test_every_pair_of_states_has_one_step_that_touches_only_ours() -> None:
    for standing, wanted, memory, unknown in itertools.product(
        Standing, (True, False), (NOTHING, OPEN, OPEN_OLDER, CLOSED), (True, False)
    ):
        found = branch(standing)
        planned = [WANTED] if wanted and not unknown else []
        steps = decided(planned, found, memory, frozenset({"web"}) if unknown else frozenset())
        assert len(steps) <= 1
        for step in steps:
            assert step.reason
            if standing in {Standing.EDITED, Standing.FOREIGN}:
                assert step.operation in {Operation.LEFT, Operation.REFUSED}
            if step.operation is Operation.CLOSED:
                assert step.expected == "h"


def test_a_close_by_deletion_is_to_be_remembered() -> None:
    (step,) = decided([WANTED], None, OPEN)
    assert step.remember_closed == CHANGES


def test_a_close_is_remembered_though_something_newer_is_opened() -> None:
    (step,) = decided([WANTED], None, OPEN_OLDER)
    assert (step.operation, step.remember_closed) == (Operation.OPENED, OTHER)


def test_a_close_counts_for_other_lines_of_the_same_change() -> None:
    moved = tuple(replace(one, line=99, old="web:0.9") for one in CHANGES)
    memory = Remembered(closed=(ClosedRecord(key="web", when=NOW, changes=moved),))
    (step,) = decided([WANTED], None, memory)
    assert step.operation is Operation.IGNORED


def test_of_a_closed_group_only_what_is_new_comes_again() -> None:
    lines = (
        "- image: web:1.0.0 # pilotfish: semver >=1\n- image: api:1.0.0 # pilotfish: semver >=1\n"
    )

    def grouped(web: str, api: str) -> PlannedProposal:
        made = [
            one
            for name, to in (("web", web), ("api", api))
            for one in chosen(lines, [to], config=ALL).updates
            if one.binding.image == name
        ]
        (one,), _ = group_updates(made, base="main")
        return one

    memory = Remembered(
        closed=(
            ClosedRecord(key="all", when=NOW, changes=tuple(changes_of(grouped("1.1.0", "1.2.0")))),
        )
    )
    (step,) = decided([grouped("1.1.0", "1.3.0")], None, memory)
    assert step.operation is Operation.OPENED
    assert step.planned is not None
    assert [(u.binding.image, u.to_tag) for u in step.planned.updates] == [("api", "1.3.0")]
    assert [(u.binding.image, u.to_tag) for u in step.ignored] == [("web", "1.1.0")]


def test_an_unhold_after_a_close_lets_it_come_again() -> None:
    lifted = replace(CLOSED, unholds=(UnholdRecord(policy="web", who="ada", when=NOW),))
    (step,) = decided([WANTED], None, lifted)
    assert step.operation is Operation.OPENED


def test_what_a_person_opened_again_is_wanted() -> None:
    (step,) = decided([WANTED], branch(Standing.OURS), CLOSED)
    assert step.operation is Operation.UNCHANGED


@pytest.mark.parametrize(
    ("found", "wishes", "up_to_date", "operation"),
    [
        (replace(branch(Standing.OURS), behind=True), Wishes(), False, "unchanged"),
        (replace(branch(Standing.OURS), behind=True), Wishes(), True, "refreshed"),
        (replace(branch(Standing.OURS), behind=True), Wishes(rebase=WEB), False, "refreshed"),
        (branch(Standing.OURS), Wishes(rebase=WEB), False, "unchanged"),
        (branch(Standing.EDITED), Wishes(rebase=WEB), False, "left"),
        (branch(Standing.EDITED), Wishes(recreate=WEB), False, "refreshed"),
        (branch(Standing.FOREIGN), Wishes(recreate=WEB), False, "refused"),
    ],
)
def test_a_branch_is_made_on_the_tip_when_the_base_or_a_person_asks(
    found: OpenBranch, wishes: Wishes, up_to_date: bool, operation: str
) -> None:
    around = Circumstances(limits=PLENTY, now=NOW, wishes=wishes, up_to_date=up_to_date)
    (step,) = decide([WANTED], {found.branch: found}, NOTHING, around)
    assert step.operation.value == operation


def test_only_a_branch_that_holds_what_is_planned_needs_no_push() -> None:
    (step,) = decided([WANTED], branch(Standing.UNPROPOSED))
    assert step.stands
    (step,) = decided([WANTED], branch(Standing.UNPROPOSED, OTHER))
    assert not step.stands


def test_a_proposal_whose_changes_moved_names_its_successor() -> None:
    older = replace(branch(Standing.OURS), branch="pilotfish/older", key="older")
    around = Circumstances(limits=PLENTY, now=NOW)
    first, second = decide([WANTED], {older.branch: older}, NOTHING, around)
    assert (first.operation, first.successor) == (Operation.CLOSED, WANTED.branch)
    assert second.operation is Operation.OPENED


def test_new_digests_wait_until_the_last_ones_are_old_enough() -> None:
    text = f"image: web:1.0@{ONE} # pilotfish: digest\n"
    made = chosen(text, ["1.0"], digests={"1.0": TWO})
    (one,), _ = group_updates(made.updates, base="main")
    assert one.branch == "pilotfish/digests"
    for ago, operation in ((HOUR, "waiting"), (25 * HOUR, "opened")):
        around = Circumstances(limits=PLENTY, now=NOW, pushed={one.branch: NOW - ago})
        (step,) = decide([one], {}, NOTHING, around)
        assert step.operation.value == operation
        assert operation == "opened" or "wait until" in step.reason


def test_a_tag_that_is_denied_goes_first() -> None:
    text = "image: old:1.0.0 # pilotfish: policy old\n"
    config = "policies:\n  old: {image: old, semver: '>=1', deny: [{tag: 1.0.0, reason: leaks}]}\n"
    made = chosen(text, ["1.0.0", "2.0.0"], config=config)
    (denied,), _ = group_updates(made.updates, base="main")
    steps = decided([plan("patch", "1.0.1"), denied], None, limits=replace(PLENTY, open=1))
    assert {one.key: one.operation.value for one in steps} == {"old": "opened", "patch": "waiting"}


def test_closing_comes_before_opening() -> None:
    gone = OpenBranch(branch="pilotfish/z", head="h", standing=Standing.MERGED, key="z")
    around = Circumstances(limits=PLENTY, now=NOW)
    steps = decide([WANTED], {"pilotfish/z": gone}, NOTHING, around)
    assert [one.operation for one in steps] == [Operation.CLOSED, Operation.OPENED]


def test_the_most_urgent_is_opened_first_and_the_rest_waits() -> None:
    plans = [plan("major", "2.0.0"), plan("minor", "1.1.0"), plan("patch", "1.0.1")]
    steps = decided(plans, None, limits=replace(PLENTY, open=2))
    states = {one.key: one.operation.value for one in steps}
    assert states == {"patch": "opened", "minor": "opened", "major": "waiting"}
    assert "2 proposals are open" in steps[-1].reason


def test_a_limit_on_open_ones_counts_those_that_stand() -> None:
    steps = decided(
        [WANTED, plan("api")], branch(Standing.OURS), OPEN, limits=replace(PLENTY, open=1)
    )
    assert {one.key: one.operation.value for one in steps} == {"web": "unchanged", "api": "waiting"}


def test_a_limit_on_new_ones_counts_the_last_hour() -> None:
    recent = Remembered(proposals=(replace(RECORD, opened=NOW - HOUR / 2),))
    steps = decided(
        [WANTED, plan("api")],
        branch(Standing.OURS),
        recent,
        limits=replace(PLENTY, new_per_hour=1),
    )
    assert {one.key: one.operation.value for one in steps} == {"web": "unchanged", "api": "waiting"}


def test_a_limit_on_pushes_lets_a_refresh_wait() -> None:
    busy = Remembered(proposals=(replace(RECORD, pushed=(NOW - HOUR / 2,)),))
    found = branch(Standing.OURS, OTHER)
    (step,) = decided([WANTED], found, busy, limits=replace(PLENTY, pushes_per_hour=1))
    assert step.operation is Operation.WAITING
    (step,) = decided([WANTED], found, busy, limits=replace(PLENTY, pushes_per_hour=2))
    assert step.operation is Operation.REFRESHED


@pytest.mark.parametrize(
    ("within", "found", "operation"),
    [
        ("Mon 08:00-17:00", branch(Standing.ABSENT), "waiting"),  # NOW is a Wednesday
        ("Wed 05:00-06:00", branch(Standing.ABSENT), "opened"),
        ("Mon 08:00-17:00", branch(Standing.OURS, OTHER), "waiting"),
        ("Mon 08:00-17:00", branch(Standing.OURS), "unchanged"),
        ("Mon 08:00-17:00", branch(Standing.EDITED), "left"),
    ],
)
def test_a_schedule_lets_openings_and_refreshes_wait(
    within: str, found: OpenBranch, operation: str
) -> None:
    rule = replace(WANTED.update, schedule=Schedule(within=within))
    (step,) = decided([replace(WANTED, update=rule)], found, NOTHING)
    assert step.operation.value == operation
    if operation == "waiting":
        assert "2026-03-09T08:00" in step.reason


def test_a_schedule_does_not_keep_a_merged_branch() -> None:
    (step,) = decided([], branch(Standing.MERGED))
    assert step.operation is Operation.CLOSED
