"""A namespace of the shared control plane for each test that applies something."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reconciler.applying import Applier, applier_in
from tests.servers.api_proxy import ApiProxy
from tests.servers.cluster import ControlPlane


@pytest.fixture
def applier(cluster: ControlPlane, tmp_path: Path) -> Iterator[Applier]:
    """One set in a new namespace of the shared control plane."""
    yield from applier_in(cluster, tmp_path / "kinds")


@pytest.fixture
def proxy(cluster: ControlPlane) -> Iterator[ApiProxy]:
    """Stands before the shared control plane for this test."""
    made = ApiProxy(cluster)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def through(applier: Applier, proxy: ApiProxy) -> Applier:
    """One set, applied by way of `proxy`."""
    name = f"through-{applier.namespace}"
    applier.kubeconfig = applier.cluster.kubeconfig_of(name, "person-token", proxy.url)
    return applier
