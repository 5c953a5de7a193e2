"""What every test finds: a private home, a fixed identity, and servers by name.

A server that cannot be had here skips its tests and says which command would help; with `CI=true`
that is a failure. Tests that use a server get the mark `servers` by themselves.
"""

import itertools
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from bot import telemetry
from tests.servers.cluster import ControlPlane
from tests.servers.distribution import Distribution, Mode
from tests.servers.git_host import CREDENTIALS, GitHost
from tests.servers.gitea import Gitea
from tests.servers.github import GitHub
from tests.servers.gitlab import GitLab
from tests.servers.missing import Missing
from tests.servers.odd_registry import OddRegistry
from tests.servers.ssh_host import SshHost

_IN_CI = os.environ.get("CI") == "true"
_SERVERS = frozenset(
    {
        "cluster",
        "cluster_to_break",
        "gitea",
        "git_host",
        "git_host_basic",
        "git_host_tls",
        "github",
        "gitlab",
        "odd_registry",
        "odd_registry_elsewhere",
        "registry",
        "registry_bearer",
        "registry_htpasswd",
        "registry_mtls",
        "registry_tls",
        "registry_to_stop",
        "ssh_host",
    }
)
_FORGOTTEN_PREFIXES = ("GIT_", "PILOTFISH_", "SSH_", "XDG_", "GNUPG", "GITHUB_", "GITEA_")
_FORGOTTEN = frozenset(
    {
        "ALL_PROXY",
        "COLUMNS",
        "CURL_CA_BUNDLE",
        "DOCKER_CONFIG",
        "FORCE_COLOR",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "KUBECONFIG",
        "NO_COLOR",
        "NO_PROXY",
        "REGISTRY_AUTH_FILE",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
    }
)
_GIT_CONFIGURATION = """\
[user]
	name = Test Person
	email = person@example.test
[init]
	defaultBranch = main
[gc]
	auto = 0
"""
_homes = itertools.count(1)


class _Server(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...


S = TypeVar("S", bound=_Server)


def pytest_configure() -> None:
    """Let children be interrupted: a job in the background hands "ignore it" on to them."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.servers)


@pytest.fixture(autouse=True)
def own_secrets() -> Iterator[None]:
    """Mask in each test what that test made secret, and nothing of another's."""
    before = set(telemetry._known)
    yield
    telemetry._known.clear()
    telemetry._known.update(before)


@pytest.fixture(scope="session")
def _homes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def private_home(_homes_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a home of its own, and an environment that says nothing of this machine."""
    home = _homes_folder / str(next(_homes))
    home.mkdir()
    (home / ".gitconfig").write_text(_GIT_CONFIGURATION, encoding="utf-8")
    for name in list(os.environ):
        if name.upper() in _FORGOTTEN or name.startswith(_FORGOTTEN_PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / ".local" / "share"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / ".local" / "state"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    return home


@pytest.fixture
def unique_name() -> str:
    """Return a name that nothing on a shared server has yet."""
    return f"app-{uuid.uuid4().hex[:10]}"


def _serve(make: Callable[[], S]) -> Iterator[S]:
    try:
        server = make()
    except Missing as missing:
        if _IN_CI:
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _serve_registry(
    paths: pytest.TempPathFactory, mode: Mode, *, on_disk: bool = False
) -> Iterator[Distribution]:
    folder = paths.mktemp(f"registry-{mode}")
    for registry in _serve(lambda: Distribution(folder, mode=mode, on_disk=on_disk)):
        yield registry
        registry.shut_down()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distribution]:
    """A real registry that lets everyone push."""
    yield from _serve_registry(tmp_path_factory, "open")


@pytest.fixture(scope="session")
def registry_htpasswd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distribution]:
    """A real registry behind Basic."""
    yield from _serve_registry(tmp_path_factory, "htpasswd")


@pytest.fixture(scope="session")
def registry_bearer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distribution]:
    """A real registry behind tokens, with its token service."""
    yield from _serve_registry(tmp_path_factory, "bearer")


@pytest.fixture(scope="session")
def registry_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distribution]:
    """A real registry over https with an authority that nobody knows."""
    yield from _serve_registry(tmp_path_factory, "tls")


@pytest.fixture(scope="session")
def registry_mtls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distribution]:
    """A real registry over https that asks for a client certificate."""
    yield from _serve_registry(tmp_path_factory, "mtls")


@pytest.fixture
def registry_to_stop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distribution]:
    """A real registry for this test alone, which may stop and start it."""
    yield from _serve_registry(tmp_path_factory, "open", on_disk=True)


@pytest.fixture(scope="session")
def gitea(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gitea]:
    """A real Gitea over https: forge, Git host and registry."""
    yield from _serve(lambda: Gitea(tmp_path_factory.mktemp("gitea")))


@pytest.fixture
def git_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    """Bare repositories over HTTP, for this test alone."""
    yield from _serve(lambda: GitHost(tmp_path_factory.mktemp("git")))


@pytest.fixture
def git_host_basic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    """Bare repositories over HTTP behind Basic."""
    folder = tmp_path_factory.mktemp("git-basic")
    yield from _serve(lambda: GitHost(folder, credentials=CREDENTIALS))


@pytest.fixture
def git_host_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    """Bare repositories over https with an authority that nobody knows."""
    yield from _serve(lambda: GitHost(tmp_path_factory.mktemp("git-tls"), tls=True))


@pytest.fixture
def gitlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitLab]:
    """The test GitLab, for this test alone: its API and Git over HTTP."""
    yield from _serve(lambda: GitLab(tmp_path_factory.mktemp("gitlab")))


@pytest.fixture
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHub]:
    """Our GitHub, for this test alone; an answer that breaks GitHub's description fails it."""
    for host in _serve(lambda: GitHub(tmp_path_factory.mktemp("github"))):
        yield host
        if host.violations:
            pytest.fail("\n".join(host.violations), pytrace=False)


@pytest.fixture(scope="session")
def ssh_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHost]:
    """Bare repositories behind a real OpenSSH server."""
    yield from _serve(lambda: SshHost(tmp_path_factory.mktemp("ssh")))


@pytest.fixture
def odd_registry() -> Iterator[OddRegistry]:
    """The stand-in for what no real registry can be made to do."""
    yield from _serve(OddRegistry)


@pytest.fixture
def odd_registry_elsewhere() -> Iterator[OddRegistry]:
    """A second stand-in: another port, hence another origin."""
    yield from _serve(OddRegistry)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real control plane with two nodes; tests share it, each in namespaces of its own."""
    yield from _serve(lambda: ControlPlane(tmp_path_factory.mktemp("cluster")))


@pytest.fixture
def cluster_to_break(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real control plane for this test alone, which may kill its API server."""
    yield from _serve(lambda: ControlPlane(tmp_path_factory.mktemp("cluster-to-break")))
