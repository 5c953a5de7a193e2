"""Which updates share a proposal, and the branch it lives on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config.slugs import slug
from bot.planning.grouping import branch_of, group_key, group_updates
from tests.bot.planning.situations import bound, chosen

WEB = "image: acme/web:1.0.0 # pilotfish: semver ^1\n"


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ("", "acme/web"),
        ("updates:\n  - {name: prod}\n", "prod/acme/web"),
        ("updates:\n  - {name: prod, group: all}\n", "prod/all"),
        ("updates:\n  - {name: prod, group: {front: [acme/web]}}\n", "prod/front"),
    ],
)
def test_the_key_is_the_update_and_what_is_grouped(config: str, key: str) -> None:
    (one,) = bound(WEB, config)
    assert group_key(one)[0] == key


def test_the_key_does_not_know_the_range() -> None:
    (one,) = bound(WEB)
    (other,) = bound(WEB.replace("^1", ">=1 <9"))
    assert group_key(one) == group_key(other)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("acme/web", "acme-web"),
        ("Prod/Acme Web", "prod-acme-web"),
        ("a..b", "a.b"),
        ("-x.", "x"),
        ("web.lock", "web"),
        ("???", "x"),
        ("ghcr.io/acme:5000", "ghcr.io-acme-5000"),
    ],
)
def test_a_slug_reads_like_its_key(key: str, text: str) -> None:
    assert slug(key) == text


@given(st.text(max_size=300))
def test_a_slug_is_a_branch_that_git_takes(key: str) -> None:
    text = slug(key)
    assert 0 < len(text.encode()) <= 120
    assert not text.startswith(("-", "."))
    assert not text.endswith((".", ".lock", "/"))
    assert ".." not in text
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")


def test_long_keys_that_differ_at_the_end_have_different_slugs() -> None:
    assert slug("x" * 200 + "a") != slug("x" * 200 + "b")


def test_the_base_is_in_the_branch_only_where_there_are_several() -> None:
    assert branch_of("web", base="main", several_bases=False) == "pilotfish/web"
    assert branch_of("web", base="release/1", several_bases=True) == "pilotfish/release-1/web"


def test_equal_slugs_are_a_fault_that_names_both() -> None:
    updates = chosen(WEB, ["1.1.0"]).updates
    updates += chosen("image: acme-web:1.0.0 # pilotfish: semver ^1\n", ["1.1.0"]).updates
    proposals, (problem,) = group_updates(updates, base="main")
    assert [one.key for one in proposals] == ["acme-web"]
    assert "'acme-web'" in problem.message
    assert "'acme/web'" in problem.message
