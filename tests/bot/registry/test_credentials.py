"""Which credential is found for a repository, in every form that people write them."""

import base64
import json
import os
from pathlib import Path

import pytest

from bot.config.model import RegistrySettings
from bot.config.secret_refs import Secret
from bot.errors import ConfigError
from bot.registry.credentials import Credentials, docker_folder
from bot.registry.docker_config import Credential, fitting, read_docker_config
from bot.telemetry import redact


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def users(text: object, host: str, path: str) -> list[str]:
    config = read_docker_config(json.dumps(text).encode(), source="config.json")
    return [c.username for c in fitting(config, host, path) if isinstance(c, Credential)]


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("https://ghcr.io/", "ghcr.io"),
        ("http://ghcr.io/v2/", "ghcr.io"),
        ("https://ghcr.io/v1/", "ghcr.io"),
        ("GHCR.io", "ghcr.io"),
        ("ghcr.io:443", "ghcr.io"),
        ("ghcr.io", "ghcr.io:443"),
        ("reg.example:5000", "reg.example:5000"),
        ("https://index.docker.io/v1/", "index.docker.io"),
        ("docker.io", "index.docker.io"),
        ("registry-1.docker.io", "index.docker.io"),
        ("*.azurecr.io", "acme.azurecr.io"),
        ("reg*.example", "reg7.example"),
        ("[::1]:5000", "[::1]:5000"),
    ],
)
def test_keys_are_read_as_people_write_them(key: str, host: str) -> None:
    assert users({"auths": {key: auth("me", "word")}}, host, "team/app") == ["me"]


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("ghcr.io", "ghcr.io.evil.example"),
        ("ghcr.io", "evil-ghcr.io"),
        ("ghcr.io", "ghcr.io:8443"),
        ("ghcr.io", "ghcr.io."),
        ("ghcr.io", "xghcr.io"),
        ("*.azurecr.io", "a.b.azurecr.io"),
        ("*.azurecr.io", "azurecr.io"),
        ("*.azurecr.io", "acme.azurecr.io:8443"),
        ("user@ghcr.io", "ghcr.io"),
        ("*", "ghcr.io"),
    ],
)
def test_look_alikes_get_nothing(key: str, host: str) -> None:
    assert users({"auths": {key: auth("me", "word")}}, host, "team/app") == []


def test_the_longest_path_wins_and_the_others_follow() -> None:
    auths = {
        "ghcr.io": auth("host", "w"),
        "ghcr.io/team/app": auth("exact", "w"),
        "ghcr.io/team": auth("team", "w"),
        "ghcr.io/tea": auth("other", "w"),
        "*.io": auth("wild", "w"),
    }

    assert users({"auths": auths}, "ghcr.io", "team/app") == ["exact", "team", "host", "wild"]


def test_a_password_may_hold_colons_and_is_a_secret() -> None:
    text = json.dumps({"auths": {"ghcr.io": auth("me", "canary:with:colons")}}).encode()
    config = read_docker_config(text, source="x")
    credential = config.entries[0].credential

    assert credential.password is not None
    assert credential.password.reveal() == "canary:with:colons"
    assert "canary" not in repr(config)
    assert auth("me", "canary:with:colons")["auth"] not in redact(text.decode())


@pytest.mark.parametrize(
    "text",
    [
        {"ghcr.io": {"username": "me", "password": "word", "email": "x"}},
        {"auths": {"ghcr.io": {"username": "me", "password": "word"}}},
    ],
)
def test_pull_secrets_of_both_kinds_are_read(text: object) -> None:
    assert users(text, "ghcr.io", "a") == ["me"]


def test_a_token_that_is_ready_made_is_kept_as_one() -> None:
    text = {"auths": {"ghcr.io": {"registrytoken": "ready-made"}}}
    config = read_docker_config(json.dumps(text).encode(), source="x")

    assert config.entries[0].credential.registry_token is not None


def test_an_empty_password_is_no_credential() -> None:
    assert users({"auths": {"ghcr.io": auth("me", "")}}, "ghcr.io", "a") == []


def test_a_host_of_impossible_letters_fits_nothing() -> None:
    assert users({"auths": {"gh cr.io": auth("me", "word")}}, "ghcr.io", "a") == []


def test_an_entry_that_cannot_be_read_is_told_and_the_others_count() -> None:
    text = {"auths": {"a.io": {"auth": "!!"}, "b.io": {"auth": "bm9jb2xvbg=="}, "c.io": 7}}
    config = read_docker_config(
        json.dumps(text | {"credsStore": "../../bin/sh"}).encode(), source="config.json"
    )

    assert len(config.faults) == 3
    assert config.store == ""
    assert "a.io" in config.faults[0]


@pytest.mark.parametrize("text", [b"", b"[]", b"nonsense", b"\xff"])
def test_what_is_no_configuration_is_an_error(text: bytes) -> None:
    with pytest.raises(ConfigError, match="not Docker's configuration"):
        read_docker_config(text, source="config.json")


async def test_what_was_configured_comes_before_docker(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"ghcr.io": auth("d", "w")}}))
    settings = RegistrySettings(host="ghcr.io", username="own", password=Secret("word"))

    found = await Credentials([settings], docker_config=tmp_path).find("ghcr.io", "a")

    assert [each.username for each in found.credentials] == ["own"]


async def test_a_file_that_was_named_and_is_missing_is_an_error(tmp_path: Path) -> None:
    settings = RegistrySettings(host="ghcr.io", docker_config=str(tmp_path / "none.json"))

    with pytest.raises(ConfigError, match="cannot be read"):
        await Credentials([settings]).find("ghcr.io", "a")


async def test_no_docker_configuration_at_all_is_no_fault(tmp_path: Path) -> None:
    found = await Credentials(docker_config=tmp_path / "none").find("ghcr.io", "a")

    assert (found.credentials, found.faults) == ((), ())


async def test_pull_secrets_are_named_by_where_they_stand() -> None:
    secrets = {
        "secret flux-system/pull": json.dumps({"auths": {"ghcr.io": auth("k", "w")}}).encode()
    }

    found = await Credentials(pull_secrets=secrets).find("ghcr.io", "a")

    assert found.credentials[0].entry == "auths[ghcr.io] of secret flux-system/pull"


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A credential helper that notes how it was called and prints its `answer` file."""
    program = tmp_path / "docker-credential-fake"
    program.write_text(
        f"#!/bin/sh\n"
        f'echo "$@" >> {tmp_path}/arguments\ncat >> {tmp_path}/input\n'
        f"env > {tmp_path}/environment\n"
        f"cat {tmp_path}/answer\nexit $(cat {tmp_path}/code)\n"
    )
    program.chmod(0o755)
    (tmp_path / "code").write_text("0")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def with_helper(folder: Path, **fields: object) -> Credentials:
    (folder / "config.json").write_text(json.dumps(fields))
    return Credentials(docker_config=folder)


async def test_a_helper_gets_the_host_on_standard_input(
    helper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNRELATED_SECRET", "canary")
    monkeypatch.setenv("AWS_PROFILE", "acme")
    (helper / "answer").write_text('{"Username": "me", "Secret": "canary-word"}')
    credentials = with_helper(helper, credHelpers={"ghcr.io": "fake"})

    found = await credentials.find("ghcr.io", "a")
    await credentials.find("ghcr.io", "b")

    assert found.credentials[0].username == "me"
    assert "credHelpers[ghcr.io]" in found.credentials[0].entry
    assert (helper / "arguments").read_text() == "get\n"
    assert (helper / "input").read_text() == "ghcr.io"
    environment = (helper / "environment").read_text()
    assert "AWS_PROFILE=acme" in environment
    assert "canary" not in environment


async def test_the_store_is_asked_for_hub_by_its_old_name(helper: Path) -> None:
    (helper / "answer").write_text('{"Username": "<token>", "Secret": "identity"}')
    credentials = with_helper(helper, credsStore="fake", auths={"https://index.docker.io/v1/": {}})

    found = await credentials.find("index.docker.io", "library/alpine")

    assert found.credentials[0].identity_token is not None
    assert (helper / "input").read_text() == "https://index.docker.io/v1/"


async def test_a_forgotten_answer_is_asked_for_again(helper: Path) -> None:
    (helper / "answer").write_text('{"Username": "me", "Secret": "word"}')
    credentials = with_helper(helper, credHelpers={"ghcr.io": "fake"})

    await credentials.find("ghcr.io", "a")
    credentials.forget("ghcr.io")
    await credentials.find("ghcr.io", "a")

    assert (helper / "arguments").read_text() == "get\nget\n"


@pytest.mark.parametrize(
    ("answer", "code", "fault"),
    [
        ("credentials not found in native keychain", "1", ""),
        ("the vault is locked", "1", "the vault is locked"),
        ("nonsense", "0", "printed no credential"),
        ('{"Username": "me", "Secret": 7}', "0", "printed no credential"),
    ],
)
async def test_a_helper_without_an_answer_says_why(
    helper: Path, answer: str, code: str, fault: str
) -> None:
    (helper / "answer").write_text(answer)
    (helper / "code").write_text(code)

    found = await with_helper(helper, credsStore="fake").find("ghcr.io", "a")

    assert found.credentials == ()
    assert fault in "".join(found.faults)
    assert bool(found.faults) is bool(fault)


async def test_a_helper_that_is_missing_is_told(tmp_path: Path) -> None:
    found = await with_helper(tmp_path, credsStore="nowhere").find("ghcr.io", "a")

    assert "docker-credential-nowhere" in found.faults[0]


def test_docker_keeps_its_configuration_where_it_says() -> None:
    assert docker_folder({"DOCKER_CONFIG": "/x", "HOME": "/h"}) == Path("/x")
    assert docker_folder({"HOME": "/h"}) == Path("/h/.docker")
    assert docker_folder({}) is None
