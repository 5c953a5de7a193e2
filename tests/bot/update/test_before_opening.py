"""What the checks on a branch without a proposal say, before anything is opened."""

import pytest

from bot.forges.forge import Check, CheckState
from bot.update.before_opening import said_by
from tests.bot.planning.situations import NOW

LINT = Check(name="ci/lint", state=CheckState.PASSED)
TESTS = Check(name="ci/test", state=CheckState.PASSED)
GATES = Check(name="pilotfish/gates", state=CheckState.PASSED)


@pytest.mark.parametrize(
    ("checks", "required", "state", "reported"),
    [
        ([], [], CheckState.PENDING, False),
        ([GATES], [], CheckState.PENDING, False),
        ([LINT], [], CheckState.PASSED, True),
        ([GATES, LINT], [], CheckState.PASSED, True),
        ([LINT], ["ci/test"], CheckState.PENDING, True),
        ([LINT, TESTS], ["ci/test"], CheckState.PASSED, True),
    ],
)
def test_our_own_status_is_no_report_and_what_is_required_must_be_there(
    checks: list[Check], required: list[str], state: CheckState, reported: bool
) -> None:
    said = said_by(checks, required, since=NOW)
    assert (said.state, said.reported, said.since) == (state, reported, NOW)
