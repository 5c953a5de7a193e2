"""The JSON schema that editors use: made of the shapes, and every key explained."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.cli.schema_command import run
from bot.config.native import Trust, read_native
from bot.config.schema import schema
from policies.spec import RULES


def walk(value: object, path: str = "") -> Iterator[tuple[str, dict[str, object]]]:
    if isinstance(value, dict):
        yield path, value
        for key, item in value.items():
            yield from walk(item, f"{path}/{key}")
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from walk(item, f"{path}/{position}")


EXAMPLE = """
version: 1
registries:
  registry.example.org:
    auth: {username: bot, password: {env: TOKEN}}
    ca: certs/private.pem
    rate: 20/s
policies:
  web: {image: ghcr.io/acme/web, semver: ">=6.0 <7"}
  job:
    image: registry.example.org/team/job
    filter: '^main-(?P<ts>[0-9]+)$'
    extract: '$ts'
    numerical: asc
    digest: always
    exclude: ['-debug$']
    min-age: 3d
    platforms: [linux/amd64]
    deny: [{tag: main-1700, reason: "breaks login"}, main-1701]
    allow-downgrade: false
updates:
  - name: prod
    paths: [clusters/prod]
    deliver: pull-request
    group: {front: [web]}
    labels: [images]
    reviewers: [acme/platform]
    assignees: [otto]
    automerge: {patch: after-checks}
    schedule: {within: "Mon-Fri 08:00-17:00", timezone: Europe/Berlin}
forge: {kind: gitea, url: "https://git.example.org", token: {env: FORGE_TOKEN}}
sources: {ghcr.io/acme/api: https://github.com/acme/api}
limits: {open: 10, new-per-hour: 4, pushes-per-hour: 20}
commit: {author: "bot <bot@example.org>", sign: {ssh: {file: /etc/key}}, message: "x"}
namespace: flux-system
"""
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def fits(value: object, rule: dict[str, Any], root: dict[str, Any]) -> bool:
    """Return whether `value` is what `rule` asks for: the words of JSON schema used here."""
    if "$ref" in rule:
        rule = {**root["$defs"][rule["$ref"].removeprefix("#/$defs/")], **rule}
    kinds = rule.get("type", [])
    named = [kinds] if isinstance(kinds, str) else kinds
    if named and not any(isinstance(value, _TYPES[kind]) for kind in named):
        return False
    if "enum" in rule and value not in rule["enum"]:
        return False
    if "anyOf" in rule and not any(fits(value, choice, root) for choice in rule["anyOf"]):
        return False
    if "oneOf" in rule and sum(fits(value, choice, root) for choice in rule["oneOf"]) != 1:
        return False
    if isinstance(value, list):
        return all(fits(item, rule.get("items", {}), root) for item in value)
    if not isinstance(value, dict):
        return True
    known, others = rule.get("properties", {}), rule.get("additionalProperties", {})
    return set(rule.get("required", [])) <= set(value) and all(
        fits(item, known[key], root)
        if key in known
        else others is not False and fits(item, others, root)
        for key, item in value.items()
    )


def test_a_full_example_fits_the_schema_and_is_read() -> None:
    whole = schema()

    assert fits(yaml.safe_load(EXAMPLE), whole, whole)
    read_native("f", EXAMPLE.encode(), folder=Path("/srv"), trust=Trust.PERSON)


@pytest.mark.parametrize(
    "text",
    [
        "registies: {}",
        "updates: [{name: x, deliver: mail}]",
        "updates: [{deliver: commit}]",
        "policies: {p: {image: a, semver: '*', numerical: asc}}",
        "forge: {token: literal}",
        "sources: [https://github.com/acme/api]",
    ],
)
def test_what_the_program_refuses_does_not_fit(text: str) -> None:
    whole = schema()

    assert not fits(yaml.safe_load(text), whole, whole)


def test_every_key_is_explained_and_unknown_ones_are_refused() -> None:
    undocumented = []
    for path, value in walk(schema()):
        properties = value.get("properties")
        if isinstance(properties, dict):
            assert value.get("additionalProperties") is False, path
            undocumented += [f"{path}/{k}" for k, v in properties.items() if "description" not in v]

    assert undocumented == []


def test_words_of_a_closed_list_are_listed() -> None:
    definitions = schema()["$defs"]
    assert isinstance(definitions, dict)

    assert definitions["UpdateShape"]["properties"]["deliver"]["enum"] == [
        "files",
        "commit",
        "branch",
        "pull-request",
    ]
    assert definitions["PolicyShape"]["properties"]["digest"]["enum"][0] == "never"


def test_a_policy_has_exactly_one_rule() -> None:
    definitions = schema()["$defs"]
    assert isinstance(definitions, dict)

    assert definitions["PolicyShape"]["oneOf"] == [{"required": [rule]} for rule in RULES]


def test_null_and_repeated_names_are_left_out() -> None:
    text = json.dumps(schema())

    assert '"null"' not in text
    assert text.count('"title"') == 1


def test_every_reference_leads_somewhere() -> None:
    whole = schema()
    definitions = whole["$defs"]
    assert isinstance(definitions, dict)

    for _, value in walk(whole):
        if isinstance(value.get("$ref"), str):
            assert str(value["$ref"]).removeprefix("#/$defs/") in definitions


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-o", "json"]) == 0

    assert json.loads(capsys.readouterr().out) == schema()


def test_the_command_has_help_with_an_example() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot.cli.main", "schema", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "yaml-language-server" in done.stdout
