"""A person's label has a proposal stand as it is, whatever is planned and whatever stands."""

from dataclasses import replace

import pytest

from bot.config.model import Limits
from bot.planning.grouping import group_updates
from bot.planning.plan import PlannedProposal
from bot.planning.remembered import ChangeRecord, ClosedRecord, Remembered
from bot.proposals.lifecycle import (
    Circumstances,
    OpenBranch,
    Operation,
    Standing,
    Step,
    changes_of,
    decide,
)
from bot.proposals.paused import is_paused
from bot.proposals.wishes import Wishes
from tests.bot.planning.situations import NOW, chosen

PLENTY = Limits(open=99, new_per_hour=99, pushes_per_hour=99)
ALL = "updates:\n- {name: default, group: all}\n"


def plan(*names: str, config: str = "") -> PlannedProposal:
    """Return the proposal that moves images from 1.0.0 to 1.1.0."""
    files = {f"{name}.yaml": f"image: {name}:1.0.0 # pilotfish: semver >=1\n" for name in names}
    made = chosen(files, ["1.1.0"], config=config)
    (one,), _ = group_updates(made.updates, base="main")
    return one


WEB = plan("web")
PAUSED = OpenBranch(
    branch="pilotfish/web",
    head="h",
    standing=Standing.OURS,
    key="web",
    changes=changes_of(WEB),
    number=7,
    paused=True,
)
OLDER = frozenset(replace(one, new="web:1.0.5") for one in changes_of(WEB))
CLOSED = Remembered(
    closed=(ClosedRecord(key="web", when=NOW, changes=tuple(sorted(changes_of(WEB)))),)
)


def decided(
    planned: list[PlannedProposal], *found: OpenBranch, memory: Remembered | None = None
) -> list[Step]:
    """Decide with every wish granted."""
    wishes = Wishes(rebase=frozenset({WEB.branch}), recreate=frozenset({WEB.branch}))
    around = Circumstances(limits=PLENTY, now=NOW, wishes=wishes, up_to_date=True)
    here = {one.branch: one for one in found}
    return decide(planned, here, memory or Remembered(), around)


@pytest.mark.parametrize("standing", [one for one in Standing if one is not Standing.ABSENT])
@pytest.mark.parametrize("changes", [changes_of(WEB), OLDER])
@pytest.mark.parametrize("memory", [Remembered(), CLOSED])
@pytest.mark.parametrize("planned", [[], [WEB]])
def test_nothing_is_done_to_a_paused_one(
    standing: Standing,
    changes: frozenset[ChangeRecord],
    memory: Remembered,
    planned: list[PlannedProposal],
) -> None:
    found = replace(PAUSED, standing=standing, changes=changes, conflicts=True, behind=True)
    (step,) = decided(planned, found, memory=memory)
    assert (step.operation, step.number) == (Operation.PAUSED, 7)
    assert "pilotfish/paused" in step.reason
    assert not step.operation.writes


def test_what_a_paused_one_changes_is_proposed_nowhere_else() -> None:
    both = plan("api", "web", config=ALL)
    steps = {one.branch: one for one in decided([both], PAUSED)}
    assert steps[PAUSED.branch].operation is Operation.PAUSED
    (other,) = (one for branch, one in steps.items() if branch != PAUSED.branch)
    assert other.operation is Operation.OPENED
    assert other.planned is not None
    assert [one.binding.image for one in other.planned.updates] == ["api"]


def test_where_nothing_else_is_left_nothing_else_is_proposed() -> None:
    elsewhere = replace(WEB, branch="pilotfish/elsewhere")
    assert [one.operation for one in decided([elsewhere], PAUSED)] == [Operation.PAUSED]


def test_a_paused_one_counts_among_those_that_are_open() -> None:
    around = Circumstances(limits=replace(PLENTY, open=1), now=NOW)
    steps = decide([plan("api")], {PAUSED.branch: PAUSED}, Remembered(), around)
    assert {one.operation for one in steps} == {Operation.PAUSED, Operation.WAITING}


def test_without_the_label_it_goes_on() -> None:
    (step,) = decided([WEB], replace(PAUSED, paused=False, changes=OLDER))
    assert step.operation is Operation.REFRESHED


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((), False),
        (("images", "pilotfish/paused"), True),
        (("Pilotfish/Paused",), True),
        (("paused", "pilotfish/pause", "pilotfish/paused-by"), False),
    ],
)
def test_the_label_is_known_by_its_whole_name(labels: tuple[str, ...], expected: bool) -> None:
    assert is_paused(labels) is expected
