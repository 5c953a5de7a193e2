"""Versions are read, printed and ordered, and ranges admit what Masterminds' admit."""

import itertools

import pytest

from policies import InvalidPolicy
from policies.version import parse_range, parse_version, tag_key, version_key

ASCENDING = [
    "0.0.0-0",
    "0.0.0",
    "0.1.0-1",
    "0.1.0-a",
    "0.1.0-a.1",
    "0.1.0-a.a",
    "0.1.0",
    "1.0.0-rc.9",
    "1.0.0-rc.10",
    "1.0.0-rc10",
    "1.0.0-rc9",
    "1.0.0",
    "1.0.1",
    "1.9.0",
    "1.10.0",
    "18446744073709551615.0.0",
]


def test_orders_as_semver_does() -> None:
    for lower, higher in itertools.combinations(ASCENDING, 2):
        low, high = version_key(lower), version_key(higher)
        assert low is not None
        assert high is not None
        assert low < high


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("v1", "1.0.0"),
        ("1.2", "1.2.0"),
        ("01.02.03", "1.2.3"),
        ("1.2.3-rc.1+b.5", "1.2.3-rc.1+b.5"),
    ],
)
def test_reads_leniently_and_prints_strictly(text: str, printed: str) -> None:
    version = parse_version(text)

    assert version is not None
    assert str(version) == printed
    assert version.key == version_key(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "V1",
        "1.2.3.4",
        "1.2.3-",
        "1.2.3-01",
        "1.2.3-a..b",
        "1.2.x",
        "a",
        "1.2.3\n",
        "\u0661.2.3",
        "18446744073709551616.0.0",
        "1.0.99999999999999999999",
        "1.0.0-" + "a" * 300,
    ],
)
def test_refuses_what_is_no_version(text: str) -> None:
    assert parse_version(text) is None
    assert version_key(text) is None


def test_a_tag_needs_three_pieces() -> None:
    assert tag_key("1.2") is None
    assert tag_key("1.2-rc.1") == version_key("1.2.0-rc.1")


@pytest.mark.parametrize(
    ("text", "version", "admitted"),
    [
        ("!=1.2", "1.2.5", False),
        ("!=1.2-0", "1.2.5-rc", True),
        ("!=1.2-0", "1.2.5-0", False),
        ("!=1", "1.5.0", False),
        ("!=*", "0.0.0", False),
        ("<=*", "0.0.9", True),
        ("<=*", "0.1.0", False),
        (">*", "0.0.0", False),
        ("^0.0.3", "0.0.4", False),
        ("^0.2", "1.2.0", False),
        ("1 - 2 || 4", "4.1.0", True),
        ("1.2.3-rc.1", "1.2.3", False),
        (">=1.0-0, <2 || 3", "3.0.0-rc", False),
        ("=>1 =<1.5", "1.5.9", True),
        ("~>1.2", "1.2.9", True),
        ("~1.2.3", "1.2.2", False),
        ("^2", "1.0.0", False),
    ],
)
def test_ranges_admit_as_masterminds_does(text: str, version: str, admitted: bool) -> None:
    key = version_key(version)

    assert key is not None
    assert parse_range(text).admits(key) is admitted


@pytest.mark.parametrize(
    "text", ["1|2", "^\u0663", "1" * 600, " || ".join(["1"] * 33), "99999999999999999999", "\ud800"]
)
def test_refuses_what_is_no_range(text: str) -> None:
    with pytest.raises(InvalidPolicy) as failure:
        parse_range(text)

    assert failure.value.key == "semver"


def test_many_blanks_take_no_time() -> None:
    with pytest.raises(InvalidPolicy):
        parse_range(" ".join(["1   "] * 80) + "!")
