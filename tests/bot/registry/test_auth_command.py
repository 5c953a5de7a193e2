"""`pilotfish auth test`: which entry was used, each step, and what to do when it fails."""

import json
from pathlib import Path

import pytest

from bot.cli.main import main
from tests.servers.distribution import Distribution
from tests.servers.odd_registry import OddRegistry


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run where no configuration is."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_names_the_entry_and_never_its_secret(
    registry_htpasswd: Distribution,
    unique_name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    registry_htpasswd.push_tags(unique_name, ["1", "2"])
    registry_htpasswd.docker_config(tmp_path)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    code = main(["auth", "test", f"{registry_htpasswd.host}/{unique_name}"])

    shown = capsys.readouterr()
    assert code == 0
    assert f"auths[{registry_htpasswd.host}] of {tmp_path}/config.json" in shown.out
    assert "asks for Basic" in shown.out
    assert "tags:        2" in shown.out
    assert "secret" not in shown.out.replace("secrets", "") + shown.err


def test_a_failure_says_what_to_do(
    registry_htpasswd: Distribution, unique_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["auth", "test", f"{registry_htpasswd.host}/{unique_name}"])

    shown = capsys.readouterr()
    assert code == 1
    assert "credential:  none, asked without a login" in shown.out
    assert f"docker login {registry_htpasswd.host}" in shown.err


def test_the_same_as_json(odd_registry: OddRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    digest = odd_registry.push_image("app", "1.0")

    code = main(["auth", "test", f"{odd_registry.host}/app:1.0", "-o", "json"])

    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (told["ok"], told["tags"], told["digest"]) == (True, 1, digest)
    assert told["credential"] is None
    assert told["steps"][0].startswith("GET http://127.0.0.1")


def test_the_configuration_of_the_folder_counts(
    registry_bearer: Distribution,
    unique_name: str,
    empty_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    registry_bearer.push_tags(unique_name, ["1"])
    monkeypatch.setenv("REGISTRY_WORD", "secret")
    (empty_folder / ".pilotfish.yaml").write_text(
        f"""\
version: 1
registries:
  "{registry_bearer.host}":
    auth: {{username: person, password: {{env: REGISTRY_WORD}}}}
    token-hosts: ["{registry_bearer.tokens.host}"]
"""
    )

    code = main(["auth", "test", f"{registry_bearer.host}/{unique_name}"])

    shown = capsys.readouterr()
    assert code == 0, shown.err
    assert "of the configuration" in shown.out
    assert "token for repository:" in shown.out


def test_what_is_no_image_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["auth", "test", "Not An Image"]) == 2
    assert "such as ghcr.io/acme/api" in capsys.readouterr().err
