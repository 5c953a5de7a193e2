"""Flux's observed behaviour, case by case: what counts as contract holds exactly."""

import json
from pathlib import Path
from typing import Any

import pytest

from policies import (
    InvalidPolicy,
    InvalidReference,
    Selection,
    parse_repository,
    read_policy,
    select,
)

CASES = Path(__file__).parents[1] / "cases"
# Where exact numbers beat Flux's floats; the reasons are in decision 0006.
DIFFERENT = {
    "underflow is zero": "1e-400",
    "17 digits collide in float64: the older tag wins": "20240101123456789",
    "2^53 boundary": "9007199254740993",
}


def cases(name: str) -> list[Any]:
    return [
        pytest.param(case, id=f"{case['kind']}: {case['name']}")
        for case in json.loads((CASES / f"{name}.json").read_text())
    ]


def selected(options: dict[str, object], tags: list[str]) -> Selection:
    return select(read_policy(options, native=False), tags)


def options_of(case: dict[str, Any]) -> dict[str, object]:
    given = case["input"]
    if case["kind"] == "policy-semver":
        return {"semver": given["range"]}
    if case["kind"] != "filter-tags":
        return {case["kind"].removeprefix("policy-"): given.get("order") or "asc"}
    rule = {key: value.get("range") or value.get("order") for key, value in given["policy"].items()}
    return {**rule, "filter": given["pattern"], "extract": given["extract"]}


@pytest.mark.parametrize("case", cases("policies") + cases("filters"))
def test_chooses_what_flux_chooses(case: dict[str, Any]) -> None:
    expected = case["expect"]
    if expected.get("invalidPolicy"):
        with pytest.raises(InvalidPolicy):
            read_policy(options_of(case), native=False)
        return

    selection = selected(options_of(case), case["input"]["tags"])

    if "candidates" in expected:
        values = sorted(v.value for v in selection.verdicts if v.passed_filter)
        assert values == sorted(expected["candidates"])
    if "error" in expected:
        assert selection.error is not None
        assert selection.error.kind == expected["error"]
        assert selection.chosen is None
        return
    assert selection.chosen is not None
    chosen = selection.chosen.tag
    if case["name"] in DIFFERENT:
        assert case["level"] == "quirk"
        assert chosen == DIFFERENT[case["name"]]
    else:
        assert chosen in expected.get("latestOneOf", [expected.get("latest")])


@pytest.mark.parametrize("case", cases("exclusions"))
def test_stores_what_flux_stores(case: dict[str, Any]) -> None:
    options = {"alphabetical": "asc", "exclude": case["input"]["exclusionList"]}
    if "error" in case["expect"]:
        with pytest.raises(InvalidPolicy) as failure:
            read_policy(options, native=False)
        assert failure.value.key == "exclude"
        return

    selection = selected(options, case["input"]["tags"])

    assert [v.tag for v in selection.verdicts if v.passed_filter] == case["expect"]["stored"]


@pytest.mark.parametrize("case", cases("images"))
def test_names_repositories_as_flux_does(case: dict[str, Any]) -> None:
    image = case["input"]["image"]
    if "error" in case["expect"]:
        with pytest.raises(InvalidReference) as failure:
            parse_repository(image)
        assert failure.value.kind == case["expect"]["error"]
    else:
        assert parse_repository(image).canonical == case["expect"]["canonicalImageName"]
