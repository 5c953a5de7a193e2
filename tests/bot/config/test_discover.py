"""One configuration of several sources, and the policy that a marker means."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config.discover import merge, read_all
from bot.config.flux import FluxReading, read_flux
from bot.config.lookup import nearest_policy, policy_for_marker
from bot.config.model import Config, PolicyKey, UpdateRule
from bot.config.native import Trust
from bot.errors import FaultsError, Problem, Severity

NATIVE = b"""\
policies:
  app: {image: ghcr.io/acme/app, semver: "*"}
  web: {image: ghcr.io/acme/web, semver: "*"}
"""
FLUX = b"""\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: api, namespace: flux-system}
spec: {image: ghcr.io/acme/api}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: api, namespace: flux-system}
spec: {imageRepositoryRef: {name: api}, policy: {numerical: {order: asc}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: auto, namespace: flux-system}
spec: {sourceRef: {name: fleet}, git: {push: {branch: images}}}
"""


def read(native: bytes | None, flux: bytes = FLUX) -> tuple[Config, list[Problem]]:
    return read_all(
        (".pilotfish.yaml", native) if native is not None else None,
        [("flux.yaml", flux)],
        folder=Path("/srv"),
        trust=Trust.PERSON,
        repository_url=None,
    )


def key(name: str, namespace: str = "flux-system") -> PolicyKey:
    return PolicyKey(namespace=namespace, name=name)


def test_policies_of_both_sources_stand_side_by_side() -> None:
    config, _ = read(NATIVE)

    assert set(config.policies) == {key("app"), key("web"), key("api")}
    assert config.source == (".pilotfish.yaml", "flux.yaml")


def test_fluxs_automations_count_where_updates_are_not_said() -> None:
    config, _ = read(NATIVE)

    assert [rule.name for rule in config.updates] == ["auto"]


def test_own_updates_are_stronger_and_that_is_noted() -> None:
    config, problems = read(NATIVE + b"updates: [{name: mine}]\n")

    assert [rule.name for rule in config.updates] == ["mine"]
    assert any("1 of Flux's automations" in problem.message for problem in problems)
    assert all(problem.severity is Severity.NOTE for problem in problems)


def test_nothing_configured_means_one_update_for_everything() -> None:
    assert merge(None, FluxReading()) == (Config(), [])
    assert Config().updates == (UpdateRule(),)


def test_one_policy_in_two_sources_is_an_error_that_names_both() -> None:
    config, problems = read(NATIVE.replace(b"web:", b"api:"))

    assert key("api") not in config.policies
    (problem,) = [p for p in problems if p.severity is Severity.ERROR]
    assert problem.where == "flux.yaml:6"
    assert ".pilotfish.yaml:3" in problem.message


def test_groups_of_the_file_may_hold_fluxs_policies() -> None:
    config, _ = read(NATIVE + b"updates: [{name: mine, group: {all-of-it: [api, app]}}]\n")

    assert config.updates[0].group.named == {"all-of-it": ("api", "app")}


def test_a_fault_of_the_file_stops_the_reading() -> None:
    with pytest.raises(FaultsError):
        read(NATIVE + b"updates: [{name: mine, group: {all-of-it: [nobody]}}]\n")


@pytest.mark.parametrize(
    ("namespace", "name", "found"),
    [
        ("flux-system", "app", "app"),
        ("flux-system", "api", "api"),
        ("other", "app", None),
        (None, "app", "app"),
        (None, "nobody", None),
        ("flux-system", "nobody", None),
    ],
)
def test_a_marker_means_a_policy_of_its_namespace(
    namespace: str | None, name: str, found: str | None
) -> None:
    config, _ = read(NATIVE)

    policy = policy_for_marker(config, namespace, name)

    assert (policy.key.name if policy else None) == found


def test_a_plain_name_finds_the_only_policy_of_that_name_in_any_namespace() -> None:
    config, _ = read(None, FLUX.replace(b"flux-system", b"apps"))

    assert policy_for_marker(config, None, "api") is not None
    assert policy_for_marker(config, "flux-system", "api") is None


def test_a_policy_without_a_namespace_is_meant_by_any_marker() -> None:
    reading = read_flux(
        [("f.yaml", FLUX.replace(b", namespace: flux-system", b""))], repository_url=None
    )
    config, _ = merge(None, reading)

    assert policy_for_marker(config, "anything", "api") is not None


def test_a_policy_that_two_places_define_differently_is_not_guessed() -> None:
    config, problems = read(None, FLUX + b"---\n" + FLUX.replace(b"asc", b"desc"))

    assert policy_for_marker(config, "flux-system", "api") is None
    assert any(problem.severity is Severity.ERROR for problem in problems)


def test_an_unknown_name_gets_the_nearest_one() -> None:
    config, _ = read(NATIVE)

    assert nearest_policy(config, "wbe") == "Did you mean 'web'?"


def test_a_template_with_what_flux_removed_is_noted_where_it_counts() -> None:
    old = "{git: {commit: {messageTemplate: '{{ .Updated.Images }}'}, push: {branch: images}}"
    flux = FLUX.replace(b"{sourceRef: {name: fleet}, git: {push: {branch: images}}}", b"")
    flux = flux.rstrip() + f" {old}, sourceRef: {{name: fleet}}}}\n".encode()
    own = NATIVE + b"updates: [{name: all}]\ncommit: {message: '{{ .Changed.ImageResult }}'}\n"

    _, by_flux = read(None, flux)
    _, by_both = read(own, flux)

    noted = [
        [one for one in seen if "Flux has removed" in one.message] for seen in (by_flux, by_both)
    ]
    assert [one.file for one in noted[0]] == ["flux.yaml"]
    assert [one.file for one in noted[1]] == [".pilotfish.yaml"]
    assert {one.severity for seen in noted for one in seen} == {Severity.NOTE}
