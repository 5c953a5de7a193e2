"""Lists of releases: read whatever they hold, and cut to what lies between two images."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.release_notes.releases import MAX_NOTES, Release, passed, read_releases

START = datetime(2026, 1, 1, tzinfo=UTC)


def releases(*tags: str, early: tuple[str, ...] = ()) -> list[Release]:
    """Return releases made one a day, in this order, listed newest first as forges do."""
    made = [
        Release(
            tag=tag,
            title="",
            text="",
            published=START + timedelta(days=day),
            prerelease=tag in early,
        )
        for day, tag in enumerate(tags)
    ]
    return made[::-1]


def tags(found: list[Release], old: str, new: str, *names: str) -> list[str]:
    return [one.tag for one in passed(found, old=old, new=new, names=names).releases]


def test_the_new_version_and_those_between_are_told_newest_first() -> None:
    found = releases("v1.0.0", "v1.1.0", "v1.0.1", "v1.10.0", "v1.2.0", "v2.0.0")

    assert tags(found, "1.0.0", "1.10.0") == ["v1.10.0", "v1.2.0", "v1.1.0", "v1.0.1"]


def test_both_ends_are_known_by_their_own_releases() -> None:
    found = passed(releases("v1.0.0", "v1.1.0"), old="1.0.0-alpine", new="1.1.0-alpine", names=())

    assert (found.old_tag, found.new_tag) == ("v1.0.0", "v1.1.0")


def test_an_older_image_passes_nothing() -> None:
    assert tags(releases("1.0.0", "1.1.0"), "1.1.0", "1.0.0") == []


def test_prereleases_count_only_on_the_way_to_one() -> None:
    found = releases("1.0.0", "1.1.0-rc.1", "1.1.0-rc.2", "1.1.0", "1.2.0", early=("1.2.0",))

    assert tags(found, "1.0.0", "1.1.0") == ["1.1.0"]
    assert tags(found, "1.0.0", "1.1.0-rc.2") == ["1.1.0-rc.2", "1.1.0-rc.1"]
    assert tags(found, "1.1.0", "1.2.0") == ["1.2.0"], "the image is that one"
    assert tags(found, "1.1.0", "1.2.1") == []


def test_a_component_named_like_the_image_comes_first() -> None:
    found = releases(
        "chart-1.0.0", "v1.0.0", "controller-v1.0.0", "controller-v1.1.0", "v1.1.0", "chart-1.1.0"
    )

    assert tags(found, "v1.0.0", "v1.1.0", "controller") == ["controller-v1.1.0"]
    assert tags(found, "v1.0.0", "v1.1.0", "nginx-controller") == ["controller-v1.1.0"]
    assert tags(found, "1.0.0", "1.1.0", "other") == ["v1.1.0"]


def test_a_chart_of_the_images_name_does_not_stand_for_the_image() -> None:
    found = releases("loki-6.0.0", "v3.0.0", "v3.1.0", "loki-6.1.0")

    assert tags(found, "3.0.0", "3.1.0", "loki") == ["v3.1.0"]


def test_the_only_component_counts_whatever_its_name() -> None:
    assert tags(releases("app-1.0.0", "app-1.1.0"), "1.0.0", "1.1.0", "x") == ["app-1.1.0"]
    assert tags(releases("a-1.0.0", "b-1.1.0"), "1.0.0", "1.1.0", "x") == []


def test_tags_that_hold_no_version_are_ordered_by_date() -> None:
    found = releases("RELEASE.2026-01-01T0Z", "RELEASE.2026-02-01T0Z", "RELEASE.2026-03-01T0Z")

    assert tags(found, "RELEASE.2026-01-01T0Z", "RELEASE.2026-03-01T0Z") == [
        "RELEASE.2026-03-01T0Z",
        "RELEASE.2026-02-01T0Z",
    ]
    assert tags(found, "main-1f3c2a1", "RELEASE.2026-03-01T0Z") == ["RELEASE.2026-03-01T0Z"]
    assert tags(found, "stable", "stable") == []
    assert tags(found, "stable", "nightly") == []


def test_years_are_never_between_counted_versions() -> None:
    assert tags(releases("1.0.0", "2026.1.0", "1.1.0"), "1.0.0", "1.1.0") == ["1.1.0"]
    assert tags(releases("2026.1.0"), "1.0.0", "2026.1.0") == []


def test_the_number_of_notes_is_bounded() -> None:
    found = releases(*(f"1.0.{number}" for number in range(80)))

    assert tags(found, "1.0.0", "1.0.79")[0] == "1.0.79"
    assert len(tags(found, "1.0.0", "1.0.79")) == MAX_NOTES


def test_drafts_and_announcements_are_left_out() -> None:
    rows = [
        {"tag_name": "3", "draft": True},
        {"tag_name": "2", "upcoming_release": True},
        {"tag_name": "1", "name": "  One \n more ", "body": None, "description": "text"},
    ]

    (found,) = read_releases(json.dumps(rows).encode())

    assert (found.tag, found.title, found.text) == ("1", "One more", "text")
    assert found.published is None


def test_a_long_text_is_cut_at_a_line() -> None:
    (found,) = read_releases(
        json.dumps([{"tag_name": "1", "body": "word\r\n" * 4000 + "end"}]).encode()
    )

    assert len(found.text) <= 8_002
    assert found.text.endswith("word\n…")


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"<html>", b"[" * 100_000, b'{"a":1}'])
def test_what_is_no_list_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_releases(body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["tag_name", "name", "body", "draft", "published_at", "prerelease"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(st.lists(_JSON, max_size=4))
def test_any_list_is_read_and_searched(rows: list[object]) -> None:
    found = read_releases(json.dumps(rows).encode())

    for one in passed(found, old="1.0.0", new="2.0.0", names=("app",)).releases:
        assert one in found
