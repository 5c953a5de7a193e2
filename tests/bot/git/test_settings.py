"""git's configuration for our runs: read by git as written, and what a person's may add."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.config.secret_refs import Secret
from bot.errors import ConfigError
from bot.git.settings import (
    OWN_SETTINGS,
    GitAccess,
    access_settings,
    config_file,
    imported_settings,
)
from bot.telemetry import redact


def read_by_git(path: Path) -> list[tuple[str, str]]:
    said = subprocess.run(
        ["git", "config", "--file", str(path), "--list", "-z"], capture_output=True, check=True
    ).stdout.decode()
    return [(e.split("\n", 1)[0], e.split("\n", 1)[1]) for e in said.split("\0") if e]


def listing(*entries: tuple[str, str, str]) -> bytes:
    return "".join(f"{scope}\0{key}\n{value}\0" for scope, key, value in entries).encode()


def test_git_reads_our_own_settings_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(config_file(OWN_SETTINGS))

    assert read_by_git(tmp_path / "config") == [(key.lower(), value) for key, value in OWN_SETTINGS]


@settings(max_examples=40, deadline=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20),
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=20),
)
def test_no_value_can_become_another_setting(
    tmp_path_factory: pytest.TempPathFactory, value: str, subsection: str
) -> None:
    path = tmp_path_factory.mktemp("config") / "config"
    path.write_bytes(config_file([(f"url.{subsection}.insteadof", value)]))

    assert read_by_git(path) == [(f"url.{subsection}.insteadof", value)]


def test_a_person_lends_names_credentials_proxies_and_rewrites() -> None:
    entries = [
        ("global", "user.name", "Alice"),
        ("global", "credential.helper", "store"),
        ("system", "http.proxy", "http://proxy.acme.io"),
        ("global", "url.https://git.acme.io/.insteadof", "acme:"),
    ]

    assert imported_settings(listing(*entries), with_credentials=True) == [
        (key, value) for _, key, value in entries
    ]


@pytest.mark.parametrize(
    "key",
    [
        "core.sshcommand",
        "core.hookspath",
        "core.fsmonitor",
        "core.askpass",
        "user.signingkey",
        "http.followredirects",
        "http.https://x/.followredirects",
        "url.x.pushinsteadof",
        "alias.push",
        "protocol.ext.allow",
        "include.path",
    ],
)
def test_nothing_else_of_a_person_is_taken_over(key: str) -> None:
    assert imported_settings(listing(("global", key, "x")), with_credentials=True) == []


@pytest.mark.parametrize(
    "key", ["credential.helper", "http.proxy", "http.sslverify", "url.x.insteadof"]
)
def test_the_clone_one_stands_in_names_no_program_and_no_way(key: str) -> None:
    assert imported_settings(listing(("local", key, "!touch x")), with_credentials=True) == []


def test_the_header_that_a_ci_job_left_in_the_clone_is_used_and_kept_secret() -> None:
    header = "AUTHORIZATION: basic Y2FuYXJ5LXRva2VuLTE3"
    entry = ("local", "http.https://github.com/.extraheader", header)

    found = imported_settings(listing(entry), with_credentials=True)

    assert found == [(entry[1], header)]
    assert "Y2FuYXJ5LXRva2VuLTE3" not in redact("sent Y2FuYXJ5LXRva2VuLTE3")


def test_a_token_given_for_this_run_keeps_helpers_and_headers_out() -> None:
    entries = [
        ("global", "credential.helper", "store"),
        ("local", "http.https://github.com/.extraheader", "AUTHORIZATION: basic abcdef"),
        ("global", "user.name", "Alice"),
    ]

    assert imported_settings(listing(*entries), with_credentials=False) == [("user.name", "Alice")]


def test_a_token_is_not_among_the_settings() -> None:
    found = access_settings(GitAccess(token=Secret("canary-token-18"), username="bot"))

    assert "canary" not in str(found)
    assert ("credential.helper", "") in found


def test_a_missing_authority_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"/nowhere/ca\.pem cannot be read"):
        access_settings(GitAccess(ca_file=Path("/nowhere/ca.pem")))
