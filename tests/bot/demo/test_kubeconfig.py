"""The demo tells which cluster a kubeconfig means, as kubectl would, without asking it."""

import os
from pathlib import Path

import pytest

from bot.demo.kubeconfig import ClusterAddress, find_address
from bot.errors import ConfigError

KIND = """\
apiVersion: v1
kind: Config
current-context: kind
contexts:
- {name: kind, context: {cluster: kind, user: me}}
- {name: shared, context: {cluster: kind, user: me}}
clusters:
- {name: kind, cluster: {server: "https://127.0.0.1:6443"}}
"""
PRODUCTION = """\
apiVersion: v1
kind: Config
current-context: production
contexts:
- {name: production, context: {cluster: far, user: me}}
- {name: shared, context: {cluster: far, user: me}}
clusters:
- {name: far, cluster: {server: "https://far.example.test"}}
"""


@pytest.fixture
def kind(tmp_path: Path) -> Path:
    path = tmp_path / "kind.yaml"
    path.write_text(KIND)
    return path


@pytest.fixture
def production(tmp_path: Path) -> Path:
    path = tmp_path / "production.yaml"
    path.write_text(PRODUCTION)
    return path


def both(*paths: Path) -> dict[str, str]:
    return {"KUBECONFIG": os.pathsep.join(map(str, paths))}


def test_the_current_context_is_meant_where_none_is_named(kind: Path) -> None:
    assert find_address("", kind, {}) == ClusterAddress(
        context="kind", server="https://127.0.0.1:6443", files=str(kind)
    )


def test_a_named_context_is_looked_up_in_every_file(kind: Path, production: Path) -> None:
    found = find_address("production", None, both(kind, production))
    assert found.server == "https://far.example.test"
    assert found.files == f"{kind}{os.pathsep}{production}"


def test_the_first_file_that_says_something_wins(kind: Path, production: Path) -> None:
    assert find_address("", None, both(kind, production)).context == "kind"
    assert find_address("", None, both(production, kind)).context == "production"
    shared = find_address("shared", None, both(production, kind))
    assert shared.server == "https://far.example.test"


def test_a_file_that_was_named_is_the_only_one(kind: Path, production: Path) -> None:
    with pytest.raises(ConfigError, match="there are: production, shared"):
        find_address("kind", production, both(kind))


def test_a_relative_file_is_told_in_full(kind: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(kind.parent)
    assert find_address("", None, {"KUBECONFIG": kind.name}).files == str(kind)


def test_the_usual_file_is_read_where_nothing_is_said(private_home: Path) -> None:
    (private_home / ".kube").mkdir()
    (private_home / ".kube" / "config").write_text(KIND)
    assert find_address("", None, {}).context == "kind"


@pytest.mark.usefixtures("private_home")
def test_without_a_kubeconfig_it_says_what_to_name() -> None:
    with pytest.raises(ConfigError, match="--kubeconfig"):
        find_address("", None, {})


@pytest.mark.parametrize(
    "text", ["a: [", "- a list", "contexts: 7", "contexts: [7, {name: 7}]", ""]
)
def test_a_file_that_is_no_kubeconfig_is_refused(kind: Path, text: str) -> None:
    kind.write_text(text)
    with pytest.raises(ConfigError):
        find_address("", kind, {})


def test_a_server_is_told_without_its_password(kind: Path) -> None:
    kind.write_text(KIND.replace("https://", "https://me:hunter2@"))
    assert "hunter2" not in find_address("", kind, {}).server


def test_a_name_that_would_write_over_the_terminal_is_no_context(kind: Path) -> None:
    kind.write_text(KIND.replace("current-context: kind", 'current-context: "kind\\e[2J"'))
    with pytest.raises(ConfigError) as caught:
        find_address("", kind, {})
    assert "\x1b" not in str(caught.value)
