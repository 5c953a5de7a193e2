"""When a proposal is opened: at once, after the checks on its branch, after an approval, never."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.config.model import Limits
from bot.forges.forge import CheckState
from bot.planning.grouping import group_updates
from bot.planning.plan import PlannedProposal
from bot.planning.remembered import Remembered
from bot.proposals.lifecycle import Circumstances, OpenBranch, Standing, Step, changes_of, decide
from bot.proposals.steps import BranchChecks, Wait
from bot.proposals.wishes import Wishes
from tests.bot.planning.situations import NOW, chosen

MINUTE = timedelta(minutes=1)
BRANCH = "pilotfish/prod-web"
AROUND = Circumstances(
    limits=Limits(open=9, new_per_hour=9, pushes_per_hour=9), now=NOW, has_checks=True
)


def plan(rule: str = "", name: str = "web", to: str = "1.1.0") -> PlannedProposal:
    """Return the proposal of one image's move from 1.0.0 by an update of this rule."""
    config = f"dashboard: true\nupdates:\n- {{name: prod{rule}}}\n"
    line = f"image: {name}:1.0.0 # pilotfish: semver >=1\n"
    (one,), _ = group_updates(chosen(line, [to], config=config).updates, base="main")
    return one


APPROVED, CHECKED, QUIET = (
    plan(", open: approval"),
    plan(", open: after-checks"),
    plan(", automerge: {minor: quiet}"),
)
AT_QUIET = replace(AROUND, quiet=frozenset({BRANCH}))


def branch(
    standing: Standing = Standing.UNPROPOSED, to: str = "1.1.0", *, behind: bool = False
) -> OpenBranch:
    """Return the proposal's branch as it is found."""
    return OpenBranch(
        branch=BRANCH,
        head="h",
        standing=standing,
        key="prod/web",
        changes=changes_of(plan(to=to)),
        behind=behind,
    )


def decided(
    planned: PlannedProposal, found: OpenBranch | None, around: Circumstances = AROUND
) -> Step:
    """Decide for one branch."""
    here = {found.branch: found} if found is not None else {}
    (step,) = decide([planned], here, Remembered(), around)
    return step


def with_checks(
    state: CheckState,
    around: Circumstances = AROUND,
    *,
    reported: bool = True,
    waited: timedelta = MINUTE,
) -> Circumstances:
    """Return the circumstances with what the checks on the branch say."""
    said = BranchChecks(state=state, reported=reported, since=NOW - waited)
    return replace(around, checks={BRANCH: said})


@pytest.mark.parametrize("planned", [CHECKED, QUIET])
def test_checks_first_means_that_the_branch_is_pushed_alone(planned: PlannedProposal) -> None:
    step = decided(planned, None, AT_QUIET if planned is QUIET else AROUND)
    assert step.operation.value == "pushed"
    assert "checks" in step.reason


@pytest.mark.parametrize(
    ("state", "reported", "waited", "operation", "says"),
    [
        (CheckState.PASSED, True, MINUTE, "opened", "passed"),
        (CheckState.FAILED, True, MINUTE, "opened", "failed"),
        (CheckState.PENDING, True, MINUTE, "waiting", "not passed yet"),
        (CheckState.PENDING, True, 61 * MINUTE, "waiting", "not passed yet"),
        (CheckState.PENDING, True, 24 * 60 * MINUTE, "opened", "within a day"),
        (CheckState.PENDING, False, 59 * MINUTE, "waiting", "not passed yet"),
        (CheckState.PENDING, False, 60 * MINUTE, "opened", "no check reported"),
    ],
)
def test_a_branch_is_opened_once_its_checks_ended_or_none_will_come(
    state: CheckState, reported: bool, waited: timedelta, operation: str, says: str
) -> None:
    around = with_checks(state, reported=reported, waited=waited)
    step = decided(CHECKED, branch(), around)
    assert step.operation.value == operation
    assert says in step.reason
    assert (step.waits_for is Wait.CHECKS) is (operation == "waiting")
    assert step.stands


def test_something_newer_is_pushed_to_the_branch_that_waits() -> None:
    step = decided(CHECKED, branch(to="1.0.5"), with_checks(CheckState.PASSED))
    assert (step.operation.value, step.expected) == ("pushed", "h")


def test_without_a_forge_there_are_no_checks_to_wait_for() -> None:
    step = decided(CHECKED, None, replace(AROUND, has_checks=False))
    assert step.operation.value == "opened"


def test_a_proposal_that_is_open_is_refreshed_whatever_opened_it() -> None:
    found = replace(branch(Standing.OURS, to="1.0.5"), number=7)
    assert decided(CHECKED, found).operation.value == "refreshed"
    assert decided(APPROVED, found).operation.value == "refreshed"
    assert decided(QUIET, found, AT_QUIET).operation.value == "refreshed"


@pytest.mark.parametrize(
    ("wishes", "operation"),
    [
        (Wishes(), "waiting"),
        (Wishes(approve=frozenset({BRANCH})), "waiting"),
        (Wishes(open=frozenset({"pilotfish/prod-api"})), "waiting"),
        (Wishes(open=frozenset({BRANCH})), "opened"),
        (Wishes(open_all=True), "opened"),
    ],
)
def test_an_approval_opens_and_nothing_else_does(wishes: Wishes, operation: str) -> None:
    step = decided(APPROVED, None, replace(AROUND, wishes=wishes))
    assert step.operation.value == operation
    assert (step.waits_for is Wait.APPROVAL) is (operation == "waiting")
    assert "approv" in step.reason


def test_what_was_approved_and_pushed_is_opened_without_a_second_approval() -> None:
    assert decided(APPROVED, branch()).operation.value == "opened"


def test_what_waits_for_an_approval_uses_up_no_limit() -> None:
    limits = Limits(open=1, new_per_hour=1, pushes_per_hour=1)
    others = [plan(", open: approval"), plan(name="api")]
    steps = decide(others, {}, Remembered(), replace(AROUND, limits=limits))
    assert {one.branch: one.operation.value for one in steps} == {
        BRANCH: "waiting",
        "pilotfish/prod-api": "opened",
    }


def test_an_approval_still_waits_for_its_turn() -> None:
    limits = Limits(open=0, new_per_hour=1, pushes_per_hour=1)
    wishes = Wishes(open=frozenset({BRANCH}))
    step = decided(APPROVED, None, replace(AROUND, limits=limits, wishes=wishes))
    assert step.waits_for is Wait.TURN


@pytest.mark.parametrize(
    ("state", "behind", "operation"),
    [
        (CheckState.PASSED, False, "merged"),
        (CheckState.PASSED, True, "pushed"),
        (CheckState.PENDING, False, "waiting"),
        (CheckState.PENDING, True, "pushed"),
        (CheckState.FAILED, False, "opened"),
    ],
)
def test_a_quiet_branch_is_merged_on_the_tip_alone(
    state: CheckState, behind: bool, operation: str
) -> None:
    step = decided(QUIET, branch(behind=behind), with_checks(state, AT_QUIET))
    assert step.operation.value == operation


def test_what_may_not_be_merged_quietly_is_opened() -> None:
    step = decided(QUIET, branch(), with_checks(CheckState.PASSED))
    assert step.operation.value == "opened"


def test_one_branch_at_most_is_merged_in_a_run_and_comes_last() -> None:
    names = ("web", "api", "db")
    several = [plan(", automerge: {minor: quiet}", name=name) for name in names]
    branches = {
        one.branch: replace(branch(), branch=one.branch, key=one.key, changes=changes_of(one))
        for one in several
    }
    passed = BranchChecks(state=CheckState.PASSED, reported=True, since=NOW)
    around = replace(AROUND, quiet=frozenset(branches), checks=dict.fromkeys(branches, passed))
    steps = decide(several, branches, Remembered(), around)
    assert [one.operation.value for one in steps] == ["waiting", "waiting", "merged"]
