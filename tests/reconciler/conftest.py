"""A namespace of the shared control plane for each test that applies something."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reconciler.applying import Applier, applier_in
from tests.servers.cluster import ControlPlane


@pytest.fixture
def applier(cluster: ControlPlane, tmp_path: Path) -> Iterator[Applier]:
    """One set in a new namespace of the shared control plane."""
    yield from applier_in(cluster, tmp_path / "kinds")
