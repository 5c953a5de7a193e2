"""The marker grammar: what is a marker, what nearly is, what is prose."""

from __future__ import annotations

import pytest

from bot.rewrite.marker import (
    AlmostMarker,
    FluxMarker,
    InlineMarker,
    NotAMarker,
    Part,
    read_marker,
)


@pytest.mark.parametrize(
    ("comment", "part"),
    [
        ('# {"$imagepolicy": "ns:app"}', Part.IMAGE),
        ('#{"$imagepolicy":"ns:app:tag"}', Part.TAG),
        ('## {"$imagepolicy": "ns:app:name"}', Part.NAME),
        ('# {"x": "y", "$imagepolicy": "ns:app:digest"}  ', Part.DIGEST),
    ],
)
def test_a_flux_marker_names_policy_and_part(comment: str, part: Part) -> None:
    marker = read_marker(comment)

    assert isinstance(marker, FluxMarker)
    assert (marker.namespace, marker.name, marker.part) == ("ns", "app", part)


@pytest.mark.parametrize(
    ("comment", "reason"),
    [
        ('# {"$imagepolicy": "ns:app"} note', "after"),
        ('# note {"$imagepolicy": "ns:app"}', "before"),
        ("# {'$imagepolicy': 'ns:app'}", "single quotes"),
        ('# {"$imagePolicy": "ns:app"}', "key is not"),
        ('# {"$imagepolicy": "ns:app", "n": 1}', "must be a string"),
        ('# {"$imagepolicy": "ns:app:Tag"}', "no part"),
        ('# {"$imagepolicy": "ns: app"}', "not NAMESPACE:NAME"),
        ('# {"$imagepolicy": "app"}', "not NAMESPACE:NAME"),
        ('# {"$imagepolicy": "ns:app:"}', "not NAMESPACE:NAME"),
        ('# {"$imagepolicy": "a:b", "$imagepolicy": "c:d"}', "twice"),
        ('# {$imagepolicy: "ns:app"}', "not a JSON object"),
        ("# pilotfish : semver 1.x", "lower case"),
        ("# Pilotfish: semver 1.x", "lower case"),
        ("# pilotfish semver 1.x", "lower case"),
        ("# pilotfish:semver 1.x", "lower case"),
        ("# see pilotfish: semver 1.x", "before"),
    ],
)
def test_what_nearly_is_a_marker_is_told(comment: str, reason: str) -> None:
    marker = read_marker(comment)

    assert isinstance(marker, AlmostMarker)
    assert reason in marker.reason
    assert not marker.faulty


@pytest.mark.parametrize(
    ("comment", "reason"),
    [
        ('# pilotfish: semver 1 {"$imagepolicy": "ns:app"}', "both kinds"),
        ("# pilotfish:", "names no policy"),
        ("# pilotfish: newest", "is no policy"),
        ("# pilotfish: policy", "takes one name"),
        ("# pilotfish: semver '1.x", "not closed"),
        ("# pilotfish: semver 1.x field=port", "no part"),
        ("# pilotfish: semver 1.x image=", "names no repository"),
        ("# pilotfish: semver 1.x filter=a filter=b", "twice"),
    ],
)
def test_a_marker_of_ours_with_a_fault_is_a_fault(comment: str, reason: str) -> None:
    marker = read_marker(comment)

    assert isinstance(marker, AlmostMarker)
    assert reason in marker.reason
    assert marker.faulty


@pytest.mark.parametrize(
    "comment", ["# nothing", "# watched by pilotfish", "# pilotfish is a fish", "#", "# {}"]
)
def test_prose_is_no_marker(comment: str) -> None:
    assert isinstance(read_marker(comment), NotAMarker)


@pytest.mark.parametrize(
    ("comment", "words", "options"),
    [
        ("# pilotfish: semver ^1.4", ("semver", "^1.4"), {}),
        ("# pilotfish: semver >=1.2 <2", ("semver", ">=1.2", "<2"), {}),
        (
            r"#pilotfish: numerical asc filter='^main-(?P<n>\d+)$' extract='$n'",
            ("numerical", "asc"),
            {"filter": r"^main-(?P<n>\d+)$", "extract": "$n"},
        ),
        (r"# pilotfish: semver filter=^v\d", ("semver",), {"filter": r"^v\d"}),
        (
            r'# pilotfish: semver filter="a\"b\\c\d"',
            ("semver",),
            {"filter": r"a\"b\c\d".replace('\\"', '"')},
        ),
        ('# pilotfish: ignore "frozen, see #412"', ("ignore", "frozen, see #412"), {}),
        ("# pilotfish: digest min-age=3d # why", ("digest",), {"min-age": "3d"}),
        ("# pilotfish: semver 'min-age=3d'", ("semver", "min-age=3d"), {}),
    ],
)
def test_words_and_options_are_told_apart(
    comment: str, words: tuple[str, ...], options: dict[str, str]
) -> None:
    marker = read_marker(comment)

    assert isinstance(marker, InlineMarker)
    assert marker.words == words
    assert marker.options == options


def test_image_and_field_are_no_policy_options() -> None:
    marker = read_marker("# pilotfish: policy web image=ghcr.io/acme/web field=tag@digest")

    assert isinstance(marker, InlineMarker)
    assert (marker.kind, marker.image, marker.part, marker.options) == (
        "policy",
        "ghcr.io/acme/web",
        Part.TAG_AT_DIGEST,
        {},
    )
