"""Branch names made of group keys: accepted by git, stable, told apart when long."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config.slugs import MAX_CHARS, group_slug, slug


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("api", "api"),
        ("Front End", "front-end"),
        ("ghcr.io/acme/api", "ghcr.io-acme-api"),
        ("a..b--c", "a.b-c"),
        (".x.lock", "x"),
        ("-~^:?*[\\", "x"),
    ],
)
def test_slugs(text: str, expected: str) -> None:
    assert slug(text) == expected


def test_the_default_update_leaves_its_name_out() -> None:
    assert group_slug("default", "api") == "api"
    assert group_slug("prod", "api") == "prod-api"


def test_long_slugs_that_begin_alike_stay_apart() -> None:
    assert slug("a" * 300) != slug("a" * 301)


@given(st.text(max_size=300))
def test_any_text_makes_a_ref_that_git_accepts(text: str) -> None:
    made = slug(text)

    assert re.fullmatch(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?", made)
    assert ".." not in made
    assert not made.endswith(".lock")
    assert len(made) <= MAX_CHARS
    assert slug(made) == made
