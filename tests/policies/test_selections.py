"""A selection gives a reason for every tag, in an order that nobody's listing changes."""

import pytest

from policies import InvalidPolicy, read_policy, select


@pytest.mark.parametrize(
    ("tags", "kind"),
    [([], "no-candidates"), (["1.sig"], "no-candidates"), (["2.0.0"], "no-match")],
)
def test_says_why_nothing_is_chosen(tags: list[str], kind: str) -> None:
    selection = select(read_policy({"semver": "^1"}, native=True), tags)

    assert selection.chosen is None
    assert selection.error is not None
    assert selection.error.kind == kind
    assert selection.error.message


def test_every_tag_has_a_reason() -> None:
    options: dict[str, object] = {"semver": "^1", "filter": "^v(.*)$", "extract": "$1"}
    tags = ["v1.2.0", "v1.1.0", "v2.0.0", "v1.3.0-rc.1", "v1.2", "1.9.0", "v9.sig", "v1.2.0"]

    selection = select(read_policy(options, native=True), tags)

    assert {v.tag: v.reason for v in selection.verdicts} == {
        "v9.sig": r"excluded by '^.*\.sig$'",
        "v2.0.0": "outside semver ^1",
        "v1.3.0-rc.1": "a pre-release, and semver ^1 admits releases only",
        "v1.2.0": "the best by semver ^1",
        "v1.2": "no version of three numbers (precision: keep compares other lengths)",
        "v1.1.0": "admitted, but v1.2.0 is better",
        "1.9.0": "does not match filter '^v(.*)$' as '$1'",
    }
    assert [v.tag for v in selection.verdicts] == sorted(tags, reverse=True)


def test_one_tag_stands_for_all_that_extract_alike() -> None:
    options: dict[str, object] = {"alphabetical": "asc", "filter": r"^(\d+)-", "extract": "$1"}

    selection = select(read_policy(options, native=True), ["1-c", "1-a", "1-b"])

    assert [c.tag for c in selection.ranking] == ["1-a"]
    assert [v.passed_filter for v in selection.verdicts] == [False, False, True]
    assert "'1-b'" in selection.verdicts[0].reason


def test_follows_the_written_tag_where_none_is_named() -> None:
    follow = read_policy({"digest-of": True}, native=True)

    chosen = select(follow, ["3.19", "3.20"], current_tag="3.19").chosen

    assert chosen is not None
    assert chosen.tag == "3.19"


@pytest.mark.parametrize(("named", "current"), [("4", "3.19"), (True, None)])
def test_a_followed_tag_that_is_not_there_is_no_match(named: object, current: str | None) -> None:
    selection = select(
        read_policy({"digest-of": named}, native=True), ["3.19"], current_tag=current
    )

    assert selection.error is not None
    assert selection.error.kind == "no-match"


def test_a_hostile_range_is_an_error_at_once() -> None:
    with pytest.raises(InvalidPolicy):
        read_policy({"semver": "~" * 512}, native=True)


def test_a_range_with_precision_kept_compares_two_parts() -> None:
    two_parts = read_policy({"semver": "^1", "precision": "keep"}, native=True)

    chosen = select(two_parts, ["1.9", "1.10", "1.11.0", "2.0"], current_tag="1.2").chosen

    assert chosen is not None
    assert chosen.tag == "1.10"
