"""Variant and precision are a tag's identity, and versions of any length compare by number."""

import json
from pathlib import Path
from typing import Any

import pytest

from policies import newest_like, read_policy, select, update_type
from policies.policy import Candidate
from policies.variant import Identity, Shape, alike, read_shape

CASES = Path(__file__).parents[1] / "cases" / "peers_policies.json"
# What another bot does otherwise, and why we do not: see decision 0006.
OTHERWISE = {
    "img_20230915.3": "img_20231011.1",  # a later build of the same thing
    "3.3-apache-202209221209": "4.11-apache-202502070602",  # precision stays
    "1803-KB4487017": None,  # a word with digits is a variant
}


def peer_cases(kind: str, peer: str = "") -> list[Any]:
    return [
        pytest.param(case, id=json.dumps(case["input"])[:60])
        for case in json.loads(CASES.read_text())
        if case["kind"] == kind and peer in case["peer"]
    ]


def shape_of(tag: str) -> Shape:
    shape = read_shape(tag)
    assert shape is not None
    return shape


@pytest.mark.parametrize("case", peer_cases("select", "dependabot"))
def test_finds_the_newest_of_the_same_kind(case: dict[str, Any]) -> None:
    current = case["input"]["current"]
    expected = OTHERWISE.get(current, case["expect"]["tag"])

    newest = newest_like(case["input"]["tags"], current)

    assert newest.tag == (None if expected == current else expected)


@pytest.mark.parametrize("case", peer_cases("candidate-allowed"))
def test_crosses_neither_variant_nor_precision(case: dict[str, Any]) -> None:
    newest = newest_like([case["input"]["candidate"]], case["input"]["current"])

    assert (newest.tag is not None) is case["expect"]


@pytest.mark.parametrize("case", peer_cases("versioning:docker:compatible"))
def test_agrees_about_what_is_compatible(case: dict[str, Any]) -> None:
    current, other = shape_of(case["input"]["current"]), shape_of(case["input"]["version"])
    identity = Identity(shape=current, keep_variant=True, keep_precision=True)

    assert (identity.refusal(other) == "") is case["expect"]


@pytest.mark.parametrize("case", peer_cases("looks-like-prerelease"))
def test_tells_a_prerelease(case: dict[str, Any]) -> None:
    # `1.0-dev` and the like without a number are variants that stand beside releases.
    word = case["input"].rpartition("-")[2]
    channel = word in {"dev", "nightly", "canary", "unstable"}

    assert bool(shape_of(case["input"]).prerelease) is (case["expect"] and not channel)


@pytest.mark.parametrize("case", peer_cases("comparable"))
def test_dated_tags_never_follow_undated_ones(case: dict[str, Any]) -> None:
    one, other = shape_of(case["input"]["a"]), shape_of(case["input"]["b"])

    assert (one.suffix == other.suffix) is case["expect"]


@pytest.mark.parametrize(
    ("tag", "prefix", "numbers", "suffix"),
    [
        ("1.25.3-alpine3.22", "", (1, 25, 3), "-alpine3.22"),
        ("v1.2", "v", (1, 2), ""),
        ("postgresql-v1.37.0", "postgresql-v", (1, 37, 0), ""),
        ("jdk17.0.1-alpine", "jdk", (17, 0, 1), "-alpine"),
        ("arm64v8-1.2", "arm64v8-", (1, 2), ""),
        ("main-8f31c02-1718", "main-~-", (1718,), ""),
        ("17.0.1_12-jre", "", (17, 0, 1), "_#-jre"),
        ("1.1.1w", "", (1, 1, 1), "w"),
        ("4.2.21.Final", "", (4, 2, 21), ".Final"),
        ("20231101-230548-g159857a0b", "", (20231101,), "-#-~"),
        ("1.2.3+b.9", "", (1, 2, 3), ""),
    ],
)
def test_takes_a_tag_apart(tag: str, prefix: str, numbers: tuple[int, ...], suffix: str) -> None:
    shape = shape_of(tag)

    assert (shape.prefix, shape.numbers, shape.suffix) == (prefix, numbers, suffix)


@pytest.mark.parametrize("tag", ["latest", "sha-0a1b2c3", "0a1b2c3", "", "1" * 300])
def test_a_word_or_commit_holds_no_version(tag: str) -> None:
    assert read_shape(tag) is None


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("4.0.9", "4.0.12"),
        ("1.2.3.9", "1.2.3.10"),
        ("1.0-rc1", "1.0-rc2"),
        ("1.0-rc9", "1.0-rc10"),
        ("1.0-rc.1", "1.0"),
        ("21-ea-32", "21-ea-33"),
        ("1.0.0-beta", "1.0.0-rc"),
        ("1.1.5-99", "1.1.5-100"),
        ("1.0a1", "1.0b1"),
    ],
)
def test_orders_by_number_not_by_text(lower: str, higher: str) -> None:
    assert shape_of(lower).key < shape_of(higher).key


def test_trailing_zeros_change_no_order() -> None:
    assert shape_of("1.2").key == shape_of("1.2.0").key
    assert shape_of("0").key == shape_of("0.0").key


@pytest.mark.parametrize(
    ("current", "other"), [("7", "20240101"), ("1.2", "2024.1"), ("7", "1234567")]
)
def test_a_count_is_never_followed_by_a_date(current: str, other: str) -> None:
    assert newest_like([other], current).tag is None


def test_majors_are_told_apart() -> None:
    newest = newest_like(["1.3.0", "2.0.0", "1.2.0", "2.1.0-rc.1"], "1.2.0")

    assert (newest.tag, newest.same_major, newest.update_type) == ("2.0.0", "1.3.0", "major")


def test_prereleases_follow_prereleases_alone() -> None:
    assert newest_like(["2.0.0-rc.2", "1.9.0"], "2.0.0-rc.1").tag == "2.0.0-rc.2"
    assert newest_like(["2.0.0-rc.2", "1.9.0"], "1.8.0").tag == "1.9.0"


def test_only_a_higher_major_leaves_the_same_major_empty() -> None:
    assert newest_like(["2.0.0"], "1.2.0").same_major is None


@pytest.mark.parametrize(("tags", "current"), [(["1.0"], "latest"), (["1.0"], "1.0")])
def test_says_why_nothing_is_newer(tags: list[str], current: str) -> None:
    newest = newest_like(tags, current)

    assert newest.tag is None
    assert current in newest.reason


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("1.2.3", "2.0.0", "major"),
        ("1.2", "1.3", "minor"),
        ("1.2.3", "1.2.4", "patch"),
        ("1.2.3.4", "1.2.3.5", "patch"),
        ("1.2.3-rc.1", "1.2.3", "patch"),
        ("1", "2", "major"),
        ("1.2", "1.2.1", "patch"),
        ("1.2.3", "1.2.3", "none"),
        ("1.2.3-a", "1.2.3-b", "other"),
        ("latest", "1.2.3", "other"),
        ("1.2.3", "main", "other"),
        ("1.2.3", "20240101", "other"),
        ("main-3fa91c2-17", "main-b07d4ee-18", "other"),
        ("1701", "1702", "other"),
        ("v15", "v16", "major"),
        ("15-alpine", "16-alpine", "major"),
    ],
)
def test_names_the_kind_of_update(old: str, new: str, expected: str) -> None:
    assert update_type(old, new) == expected


@pytest.mark.parametrize(
    ("options", "current", "tags", "chosen"),
    [
        pytest.param({}, "1.2-alpine", ["1.3", "1.3-alpine", "2-alpine"], "1.3-alpine", id="both"),
        pytest.param({}, "1.2.3.4", ["1.2.3.10", "1.2.3.9"], "1.2.3.10", id="four-parts"),
        pytest.param({}, "2.0.0-rc.1", ["2.0.0-rc.2", "1.9.0"], "2.0.0-rc.2", id="early"),
        pytest.param({}, "1.0.0", ["1.1.0-rc.1", "1.0.0"], "1.0.0", id="no-early"),
        pytest.param({}, "17.0.1_12", ["17.0.2_8", "18.0.0"], "17.0.2_8", id="build-number"),
        pytest.param({}, "latest", ["1.0.0", "2.0.0-rc.1"], "1.0.0", id="no-identity"),
        pytest.param(
            {"variant": "any"}, "1.2-alpine", ["1.3-debian", "2.0.0"], "1.3-debian", id="variant"
        ),
        pytest.param(
            {"precision": "any"}, "1.2", ["1.3.0", "1.2.9-alpine"], "1.3.0", id="precision"
        ),
        pytest.param(
            {"semver": "^1.2", "variant": "keep"},
            "1.2.0-alpine",
            ["1.3.0", "1.3.0-alpine", "2.0.0-alpine", "1.4.0-rc.1-alpine", "1.3.0.1-alpine"],
            "1.3.0-alpine",
            id="range-with-variant",
        ),
        pytest.param(
            {"semver": "^1.2-0", "variant": "keep"},
            "1.2-alpine",
            ["1.4-rc.1-alpine", "1.3-alpine"],
            "1.4-rc.1-alpine",
            id="range-open-to-early",
        ),
        pytest.param(
            {"filter": "^rel-(.*)$", "extract": "$1"},
            "rel-1.2",
            ["rel-1.3", "rel-1.4.0"],
            "rel-1.3",
            id="by-extract",
        ),
        pytest.param(
            {"filter": "^rel-(.*)$", "extract": "$1"},
            "1.2",
            ["rel-1.3", "rel-1.4.0"],
            "rel-1.4.0",
            id="filter-drops-the-written-tag",
        ),
    ],
)
def test_semver_keeps_the_identity_of_the_written_tag(
    options: dict[str, object], current: str, tags: list[str], chosen: str
) -> None:
    policy = read_policy({"semver": "", **options}, native=True)

    selection = select(policy, tags, current_tag=current)

    assert selection.chosen is not None
    assert selection.chosen.tag == chosen
    assert all(verdict.reason for verdict in selection.verdicts)


def test_other_rules_keep_an_identity_when_asked_to() -> None:
    policy = read_policy({"alphabetical": "asc", "variant": "keep"}, native=True)

    selection = select(policy, ["9-debian", "8-alpine", "zz"], current_tag="7-alpine")

    assert [candidate.tag for candidate in selection.ranking] == ["8-alpine"]


def test_the_quick_way_and_the_long_way_agree() -> None:
    tags = ["v1.2.3", "v1.2", "1.2.3", "v1.2.3-rc.1", "v" + "1" * 300, "vx", "v1.2.3-alpine"]
    identity = Identity(shape=shape_of("v1.0.0"), keep_variant=True, keep_precision=True)

    kept, refused = alike([Candidate(tag=tag, value=tag) for tag in tags], identity)

    assert [(c.tag, shape) for shape, c in kept] == [
        (tag, read_shape(tag)) for tag in ("v1.2.3", "v1.2.3-rc.1")
    ]
    assert set(refused) == set(tags) - {"v1.2.3", "v1.2.3-rc.1"}
    assert all(refused.values())
