"""The file of `pilotfish serve`: what it says, every fault at once, and what it bounds."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.config.bounds import narrowed, within
from bot.config.model import Bounds, Config, ForgeSettings, Limits, RegistrySettings
from bot.config.server import read_server_file
from bot.config.server_model import ServerConfig
from bot.errors import FaultsError
from bot.git.remote_url import parse_remote_url
from policies.spec import read_policy

WHOLE = """\
version: 1
server: {listen: 0.0.0.0:9000}
store: state/memory.db
jitter: 20%
limits: {concurrent: 2, errand-timeout: 90s}
registries:
  registry.example: {rate: 5/s, auth: {username: bot, password: {file: registry-token}}}
repositories:
  - name: fleet
    url: https://git.example.org/team/fleet
    branch: main
    interval: 1h30m
    schedule: {within: "Mon-Fri 08:00-17:00", timezone: Europe/Berlin}
    credentials: {token: {file: git-token}, ca: ca.pem}
    defaults: {min-age: 3d}
    limits: {open: 2}
    forge: {kind: plain}
targets:
  - name: prod
    repository: fleet
    path: clusters/prod
    namespace: apps
    kubeconfig: prod.kubeconfig
    prune: true
    vars: {region: eu}
"""


def read(text: str) -> ServerConfig:
    return read_server_file(
        "serve.yaml", text.encode(), folder=Path("/etc/pf"), check_url=parse_remote_url
    )


def faults_of(text: str) -> list[str]:
    with pytest.raises(FaultsError) as raised:
        read(text)
    return [f"{one.line}:{one.column} {one.message}" for one in raised.value.problems]


def test_everything_that_is_written_arrives() -> None:
    config = read(WHOLE)

    (fleet,), (prod,) = config.repositories, config.targets
    assert (config.host, config.port, config.jitter) == ("0.0.0.0", 9000, 0.2)
    assert (config.concurrent, config.errand_timeout) == (2, timedelta(seconds=90))
    assert config.store == "/etc/pf/state/memory.db"
    assert (fleet.name, fleet.branch, fleet.interval) == ("fleet", "main", timedelta(minutes=90))
    assert fleet.schedule is not None
    assert fleet.schedule.timezone == "Europe/Berlin"
    assert fleet.limits == Limits(open=2)
    assert fleet.bounds is not None
    assert fleet.bounds.policy.gates.min_age == timedelta(days=3)
    assert (prod.repository, prod.path, prod.namespace) == ("fleet", "clusters/prod", "apps")
    assert (prod.prune, prod.wait, prod.variables) == (True, True, {"region": "eu"})


def test_a_change_of_any_file_it_names_is_a_change_of_it() -> None:
    assert read(WHOLE).files == (
        "/etc/pf/ca.pem",
        "/etc/pf/git-token",
        "/etc/pf/prod.kubeconfig",
        "/etc/pf/registry-token",
    )


def test_what_is_not_said_has_its_default() -> None:
    config = read("repositories: [{name: a, url: 'https://git.example.org/a'}]")

    (one,) = config.repositories
    assert (config.host, config.port) == ("127.0.0.1", 8080)
    assert (one.interval, one.branch, one.bounds) == (timedelta(minutes=5), "", None)
    assert config.jitter == 0.1


def test_every_fault_is_told_at_once_with_its_place() -> None:
    found = faults_of(
        """\
repositories:
  - name: fleet
    url: ext::sh -c id
    intervall: 5m
  - name: fleet
    url: https://bot:hunter2@git.example.org/x
    interval: soon
targets:
  - name: prod
    repository: flete
server: {listen: nowhere}
"""
    )

    assert [one.split(" ")[0] for one in found] == [
        "3:10", "4:5", "5:5", "6:10", "7:15", "10:17", "11:18",
    ]  # fmt: skip
    assert "hunter2" not in "".join(found)


def test_a_misspelt_key_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(FaultsError) as raised:
        read("repositories: [{name: a, url: 'https://git.example.org/a', intervall: 5m}]")

    assert raised.value.problems[0].hint == "Did you mean 'interval'?"


def test_a_literal_secret_is_refused_and_not_repeated() -> None:
    (found,) = faults_of(
        "repositories: [{name: a, url: 'https://git.example.org/a', credentials: {token: hush}}]"
    )

    assert "only the place of a secret" in found
    assert "hush" not in found


@pytest.mark.parametrize("text", ["", "[]", "version: 1\n", "repositories: []"])
def test_a_file_with_nothing_to_look_after_is_wrong(text: str) -> None:
    assert faults_of(text)


def bounds(**options: object) -> Bounds:
    written = {name.replace("_", "-"): value for name, value in options.items()}
    return Bounds(
        options=frozenset(written), policy=read_policy({"semver": "*", **written}, native=True)
    )


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param({}, timedelta(days=3), id="unsaid"),
        pytest.param({"min-age": "1d"}, timedelta(days=3), id="younger"),
        pytest.param({"min-age": "9d"}, timedelta(days=9), id="older"),
    ],
)
def test_the_older_age_counts(own: dict[str, object], expected: timedelta) -> None:
    policy = read_policy({"semver": "^1", **own}, native=True)

    assert within(policy, bounds(min_age="3d")).gates.min_age == expected


def test_a_repository_narrows_and_never_widens() -> None:
    policy = read_policy(
        {
            "semver": "^1",
            "allow-downgrade": True,
            "variant": "any",
            "platforms": ["linux/arm64"],
            "exclude": ["-rc"],
            "max-jump": "9",
        },
        native=True,
    )
    asked = bounds(
        allow_downgrade=False,
        variant="keep",
        platforms=["linux/amd64"],
        exclude=["-debug"],
        max_jump="1",
        digest="always",
    )
    kept = within(policy, asked)

    assert not kept.gates.allow_downgrade
    assert kept.keep_variant
    assert set(kept.gates.platforms) == {"linux/arm64", "linux/amd64"}
    assert kept.exclude.refusal("1.2.0-rc")
    assert kept.exclude.refusal("1.2.0-debug")
    assert kept.gates.max_jump == 1
    assert kept.digest.value == "always"


def test_limits_are_the_smaller_and_registries_the_operators() -> None:
    theirs = RegistrySettings(host="ghcr.io")
    own = Config(
        limits=Limits(open=50, new_per_hour=1),
        said_limits=frozenset({"open", "new-per-hour"}),
        registries=(RegistrySettings(host="evil.example"),),
        forge=ForgeSettings(kind="gitea"),
    )
    counts = narrowed(
        own,
        limits=Limits(open=3, new_per_hour=4, pushes_per_hour=1000),
        bounds=None,
        registries=(theirs,),
        forge=ForgeSettings(kind="plain"),
        commit=None,
    )

    assert (counts.limits.open, counts.limits.new_per_hour) == (3, 1)
    assert counts.limits.pushes_per_hour == 1000, "nobody but the operator spoke of it"
    assert counts.registries == (theirs,)
    assert counts.forge.kind == "plain"
