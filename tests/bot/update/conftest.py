"""A forge to run against: the ones of the contract suite, each a new repository."""

import importlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from tests.bot.update.forge_stage import Stage, stage_on

if TYPE_CHECKING:
    from tests.bot.forges.harness import OpenUnderTest


FORGES = ("gitea", "github", "gitlab")


@pytest.fixture(params=[pytest.param(one, marks=pytest.mark.servers) for one in FORGES])
async def stage(
    request: pytest.FixtureRequest, unique_name: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """Give ours on a new repository of each forge."""
    module = importlib.import_module(f"tests.bot.forges.harness_{request.param}")
    opened = cast("OpenUnderTest", module.open_under_test)
    async with (
        opened(request.getfixturevalue, unique_name) as under_test,
        stage_on(under_test, tmp_path) as made,
    ):
        yield made
