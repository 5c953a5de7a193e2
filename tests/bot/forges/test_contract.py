"""What every forge owes us, on a real Gitea and on the test servers of GitHub and GitLab.

Plain Git has no adapter: a branch is the proposal there, and the tests of bot/proposals cover
it. `harness.py` says what a forge brings to be tested here.
"""

import importlib
from collections.abc import AsyncIterator
from typing import cast

import pytest

from bot.forges.forge import AlreadyOpenError, Proposal, State, Text
from tests.bot.forges.harness import ForgeUnderTest, OpenUnderTest

BRANCH = "pilotfish/web"
CHANGED = {"apps/web.yaml": b"image: example.test/web:1.1.0\n"}


@pytest.fixture(
    params=[
        pytest.param("gitea", marks=pytest.mark.servers),
    ]
)
async def under_test(
    request: pytest.FixtureRequest, unique_name: str
) -> AsyncIterator[ForgeUnderTest]:
    module = importlib.import_module(f"tests.bot.forges.harness_{request.param}")
    opened = cast("OpenUnderTest", module.open_under_test)
    async with opened(request.getfixturevalue, unique_name) as one:
        yield one


async def propose(
    under_test: ForgeUnderTest,
    branch: str = BRANCH,
    *,
    title: str = "chore(images): web 1.0.0 → 1.1.0",
    body: str = "Updates web.",
    labels: tuple[str, ...] = ("images", "minor"),
    draft: bool = False,
) -> Proposal:
    """Push a commit of ours on a new branch and open its proposal."""
    under_test.repository.commit(branch, CHANGED)
    text = Text(title=title, body=body, labels=labels, draft=draft)
    return await under_test.forge.open(branch, "main", text)


async def test_an_opened_proposal_is_listed_as_it_was_opened(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)

    (listed,) = (await under_test.forge.listing()).proposals

    assert (listed.number, listed.state, listed.ours, listed.own_repository) == (
        opened.number,
        State.OPEN,
        True,
        True,
    )
    assert (listed.title, listed.body) == (opened.title, "Updates web.")
    assert (listed.branch, listed.base) == (BRANCH, "main")
    assert listed.head == under_test.repository.head(BRANCH)
    assert set(listed.labels) == {"images", "minor"}


async def test_a_second_proposal_of_a_branch_is_refused(under_test: ForgeUnderTest) -> None:
    opened = await propose(under_test)

    with pytest.raises(AlreadyOpenError):
        await under_test.forge.open(BRANCH, "main", Text(title="again", body=""))

    assert [one.number for one in await under_test.forge.proposals_of(BRANCH)] == [opened.number]
