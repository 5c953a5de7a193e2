"""Which updates share a proposal, and the branch it lives on."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config.slugs import slug
from bot.planning.grouping import (
    branch_of,
    group_key,
    group_updates,
    keys_of,
    regrouped,
    with_regroup,
)
from bot.planning.remembered import RegroupRecord, Remembered
from tests.bot.planning.situations import NOW, ONE, TWO, bound, chosen

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


def asked(group: str, update: str = "", hours: int = 0) -> RegroupRecord:
    """Return a person's wish for the group of one policy."""
    when = NOW + timedelta(hours=hours)
    return RegroupRecord(policy="acme/web", group=group, who="Kim", when=when, update=update)


@pytest.mark.parametrize(
    ("config", "said", "key"),
    [
        ("", [asked("front")], "front"),
        ("updates:\n  - {name: prod, group: all}\n", [asked("")], "prod/acme/web"),
        ("updates:\n  - {name: prod, group: all}\n", [asked("", "staging")], "prod/all"),
        ("updates:\n  - {name: prod, group: all}\n", [asked("", "prod")], "prod/acme/web"),
        ("", [asked("late", hours=1), asked("early")], "late"),
    ],
)
def test_what_a_person_asked_counts_above_the_configuration(
    config: str, said: list[RegroupRecord], key: str
) -> None:
    (one,) = regrouped(bound(WEB, config), said)
    assert group_key(one)[0] == key


def test_the_last_word_about_a_group_is_kept_in_whatever_order_it_comes() -> None:
    for order in ([asked("a"), asked("b", hours=1)], [asked("b", hours=1), asked("a")]):
        known = Remembered()
        for one in order:
            known = with_regroup(known, one)
        assert [one.group for one in known.regroups] == ["b"]


REDIS = f"image: acme/redis:7.2@{ONE} # pilotfish: digest\n"
PINNED = f"image: acme/web:1.0.0@{ONE} # pilotfish: semver ^1 digest=always\n"


def grouped(config: str, *texts: tuple[str, list[str]]) -> dict[str, set[str]]:
    """Return the images of each proposal; every tag has the digest TWO now."""
    updates = [
        update
        for text, tags in texts
        for update in chosen(text, tags, config=config, digests=dict.fromkeys(tags, TWO)).updates
    ]
    proposals, problems = group_updates(updates, base="main")
    assert problems == []
    return {one.key: {each.binding.image for each in one.updates} for one in proposals}


def test_new_digests_share_one_proposal_and_versions_have_their_own() -> None:
    found = grouped("", (REDIS, ["7.2"]), (PINNED, ["1.0.0"]), (WEB, ["1.1.0"]))
    assert found == {"digests": {"acme/redis", "acme/web"}, "acme/web": {"acme/web"}}


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ("updates:\n  - {name: prod}\n", "prod/digests"),
        ("updates:\n  - {name: prod, digests: {group: policy}}\n", "prod/acme/redis"),
        ("updates:\n  - {name: prod, group: all}\n", "prod/all"),
        ("updates:\n  - {name: prod, group: {data: [acme/redis]}}\n", "prod/data"),
    ],
)
def test_what_was_said_of_groups_counts_for_digests_too(config: str, key: str) -> None:
    assert set(grouped(config, (REDIS, ["7.2"]))) == {key}


def test_a_digest_that_moves_with_its_tag_goes_with_it() -> None:
    text = f"tag: 1.0.0 # pilotfish: semver ^1 image=acme/web\ndigest: {ONE}\n"
    assert set(grouped("", (text, ["1.1.0"]))) == {"acme/web"}


def test_proposals_are_made_by_type_where_that_is_asked() -> None:
    config = "updates:\n  - {name: prod, group: type}\n"
    major = "image: acme/db:1.0.0 # pilotfish: semver >=1\n"
    found = grouped(config, (WEB, ["1.1.0"]), (major, ["2.0.0"]), (REDIS, ["7.2"]))
    assert found == {
        "prod/minor": {"acme/web"},
        "prod/major": {"acme/db"},
        "prod/digest": {"acme/redis"},
    }


def test_every_key_that_an_update_may_get_is_known_before() -> None:
    by_type = "updates:\n  - {name: prod, group: type}\n"
    assert keys_of(bound(WEB)[0]) == {"acme/web"}
    assert keys_of(bound(REDIS)[0]) == {"acme/redis", "digests"}
    assert "prod/major" in keys_of(bound(WEB, by_type)[0])
