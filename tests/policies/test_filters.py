"""Patterns are RE2's and templates Go's, whatever they are given."""

import pytest

from policies import InvalidPolicy
from policies.tag_filter import read_exclusion, read_filter


@pytest.mark.parametrize(
    ("extract", "expected"),
    [
        ("$1", "12"),
        ("${n}", "12"),
        ("$n.$2", "12.ab"),
        ("$n_", ""),
        ("$01", ""),
        ("$9", ""),
        ("$999999999999", ""),
        ("${n", "${n"),
        ("${}", "${}"),
        ("a$$b", "a$b"),
        ("$-", "$-"),
        ("é$1", "é12"),
    ],
)
def test_expands_templates_as_go_does(extract: str, expected: str) -> None:
    assert read_filter(r"^v(?P<n>\d+)-(\w+)", extract).value("v12-ab") == expected


def test_a_group_named_twice_gives_the_one_that_matched() -> None:
    named = read_filter(r"^(?:main-(?P<n>\d+)|rel(\w)-(?P<n>\d+))$", "$n")

    assert [named.value(tag) for tag in ("main-1", "relx-2")] == ["1", "2"]


@pytest.mark.parametrize("pattern", [r"\C", r"a\Cb", "(?=x)", "a{1001}", "x" * 5000])
def test_refuses_what_go_refuses(pattern: str) -> None:
    with pytest.raises(InvalidPolicy) as failure:
        read_filter(pattern)

    assert failure.value.key == "filter"


@pytest.mark.parametrize("pattern", [r"\\C", r"\Qa\C\E", r"[\\C]"])
def test_a_backslash_before_a_capital_c_may_mean_something_else(pattern: str) -> None:
    assert read_filter(pattern).value("") is None


def test_refuses_a_template_without_end() -> None:
    with pytest.raises(InvalidPolicy) as failure:
        read_filter("a", "$1" * 1000)

    assert failure.value.key == "extract"


def test_half_a_surrogate_stops_nothing() -> None:
    assert read_filter("(.*)", "$1$0").value("\ud800") is not None


def test_a_hostile_pattern_takes_linear_time() -> None:
    assert read_filter("(a+)+$").value("a" * 5000 + "b") is None


@pytest.mark.parametrize(
    ("pattern", "extract", "expected"),
    [
        ("^v[0-9]+$", "", True),
        ("v1.2", "", False),
        ("^main-(?P<n>.*)$", "$n", True),
        ("^a(b)", "$1", False),
        (r"(?i)\Av[0-9]\z", "", True),
        ("^main-(?P<n>[0-9]+)", "$n", False),
        ("^main-(?P<n>.*)", "$n", True),
        (r"^a\$", "", False),
        (r"^a\\$", "", True),
        (r"^a\.*", "", False),
        ("^a|b$", "", False),
        ("^(a|b)$", "", True),
        ("(^a$|^b$)", "", True),
        (r"^a[|(]\|$", "", True),
    ],
)
def test_tells_whether_a_pattern_is_anchored(pattern: str, extract: str, expected: bool) -> None:
    assert read_filter(pattern, extract).is_anchored is expected


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [
        (r"^v(?P<n>\d+)\.x$", r"'^v(?P<n>\d+)\.x$'"),
        ("it's", '"it\'s"'),
        ('it\'s "so"', "'it's \"so\"'"),
        ("a\nb\x1b", r"'a\nb\x1b'"),
    ],
)
def test_a_pattern_is_shown_as_it_is_written_on_one_line(pattern: str, shown: str) -> None:
    assert read_filter(pattern, r"\1").text == rf"filter {shown} as '\1'"


def test_an_exclusion_is_shown_as_it_is_written() -> None:
    assert read_exclusion((r"\.rc$",), ()).refusal("1.rc") == r"excluded by '\.rc$'"


@pytest.mark.parametrize(
    ("tag", "excluded"),
    [
        ("1.0.sig", True),
        ("1.0.att", True),
        ("sha256-" + "a" * 64 + ".sbom", True),
        ("sha256-" + "a" * 64, True),
        ("sha-1234567", False),
        ("1.0", False),
        ("sig", False),
    ],
)
def test_what_stands_beside_images_is_excluded(tag: str, excluded: bool) -> None:
    default = read_exclusion((), (r"^.*\.sig$", r"^.*\.(att|sbom)$"))
    own = read_exclusion((r"^.*\.(sig|att|sbom)$", "^sha256-[0-9a-f]+$"), ())

    assert bool(own.refusal(tag)) is excluded
    assert bool(default.refusal(tag)) is (excluded and "." in tag)
