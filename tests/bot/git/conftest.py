"""An opener of remotes for every test of Git."""

from pathlib import Path

import pytest

from tests.bot.git.situations import HastyClock, Opener


@pytest.fixture
def opened(tmp_path: Path) -> Opener:
    """Open remotes with a cache folder of this test, and a clock that never waits."""
    return Opener(cache_folder=tmp_path / "cache", clock=HastyClock())
