"""Laws of choosing: I4, the set of tags alone decides; I3, never down; and what versions obey."""

import re
from typing import Any

import semver
from hypothesis import given
from hypothesis import strategies as st

from policies import Decision, Facts, Selection, decide, read_policy, select
from policies.version import parse_version, version_key
from tests.laws import strategies as some


def selection_of(
    options: dict[str, object], tags: list[str], current: str | None, facts: dict[str, Facts]
) -> Selection:
    policy = read_policy(options, native=True)
    return select(policy, tags, facts=facts, current_tag=current)


def complete_facts(data: st.DataObject, tags: list[str]) -> dict[str, Facts]:
    return {tag: data.draw(some.facts_of()) for tag in sorted(set(tags))}


@given(some.options, some.tag_lists, st.none() | some.tags, st.data())
def test_order_and_repetition_of_tags_never_matter(
    options: dict[str, object], tags: list[str], current: str | None, data: st.DataObject
) -> None:
    facts = complete_facts(data, tags)
    again = data.draw(st.permutations(tags + data.draw(st.lists(st.sampled_from(tags or [""])))))
    shuffled = [tag for tag in again if tag in tags]

    one = selection_of(options, tags, current, facts)
    other = selection_of(options, shuffled, current, facts)

    assert (one.chosen, one.ranking, one.error) == (other.chosen, other.ranking, other.error)


@given(some.options, some.tag_lists, st.none() | some.tags, st.data())
def test_pages_of_tags_never_matter(
    options: dict[str, object], tags: list[str], current: str | None, data: st.DataObject
) -> None:
    facts = complete_facts(data, tags)
    cut = data.draw(st.integers(0, len(tags)))
    pages = [tags[cut:], tags[:cut], tags[cut : cut + 1]]

    one = selection_of(options, tags, current, facts)
    other = selection_of(options, [tag for page in pages for tag in page], current, facts)

    assert one.chosen == other.chosen


@given(some.options, some.tag_lists, st.none() | some.tags, st.data())
def test_what_is_chosen_was_given_and_is_the_best(
    options: dict[str, object], tags: list[str], current: str | None, data: st.DataObject
) -> None:
    selection = selection_of(options, tags, current, complete_facts(data, tags))

    assert {candidate.tag for candidate in selection.ranking} <= set(tags)
    assert [verdict.tag for verdict in selection.verdicts] == sorted(tags, reverse=True)
    assert all(verdict.reason for verdict in selection.verdicts)
    if selection.error is None:
        assert selection.chosen == selection.ranking[0]
    else:
        assert selection.chosen is None


@given(some.options, some.tag_lists, st.none() | some.tags, st.data())
def test_a_tag_that_does_not_count_changes_nothing(
    options: dict[str, object], tags: list[str], current: str | None, data: st.DataObject
) -> None:
    facts = complete_facts(data, tags)
    before = selection_of(options, tags, current, facts)
    useless = data.draw(
        st.sampled_from([v.tag for v in before.verdicts if not v.admitted] or ["x.sig"])
    )

    without = [tag for tag in tags if tag != useless]
    after = selection_of(options, without, current, facts)

    # Of several tags that extract alike one stands for all; the others are no use by themselves.
    assert (before.chosen, before.ranking) == (after.chosen, after.ranking)


def decision_of(
    options: dict[str, object], tags: list[str], current: str, facts: dict[str, Facts]
) -> Decision:
    policy = read_policy(options, native=True)
    return decide(
        policy,
        select(policy, tags, facts=facts, current_tag=current),
        current_tag=current,
        current_digest=None,
        now=some.NOW,
        facts=facts,
    )


# A model of the orders that shares no line with the product: python-semver for versions,
# integers for build numbers, text for text, dates for dates; None where it cannot tell.
def model_value(options: dict[str, object], tag: str, facts: dict[str, Facts]) -> Any:
    if "alphabetical" in options:
        return tag.encode()
    if "numerical" in options:
        if "filter" in options:
            build = re.fullmatch(r"main-[0-9a-f]+-([0-9]+)", tag)
            return int(build[1]) if build else None
        return int(tag) if re.fullmatch("[0-9]+", tag) else None
    known = facts.get(tag, Facts())
    if "newest-built" in options:
        date = known.created
        return date if date and date.year > 1980 and date <= some.NOW else None
    if "newest-pushed" in options:
        return known.pushed if known.pushed and known.pushed <= some.NOW else None
    version = re.fullmatch(r"v?([0-9]+\.[0-9]+\.[0-9]+)(-(?:rc|beta)\.[0-9]+)?", tag)
    return semver.Version.parse(version[1] + (version[2] or "")) if version else None


@given(some.options, some.tag_lists, some.tags, st.data())
def test_never_goes_down(
    options: dict[str, object], tags: list[str], current: str, data: st.DataObject
) -> None:
    facts = complete_facts(data, [*tags, current])

    decision = decision_of(options, tags, current, facts)

    if decision.chosen is None:
        return
    assert decision.chosen.tag in tags
    assert decision.chosen.tag != current
    old = model_value(options, current, facts)
    new = model_value(options, decision.chosen.tag, facts)
    if {"newest-built", "newest-pushed"} & options.keys():
        assert new is not None
    if old is not None and new is not None:
        descending = "desc" in options.values()
        assert new < old if descending else new > old


@given(some.options, some.tag_lists, some.tags, st.data())
def test_what_was_written_stays_when_asked_again(
    options: dict[str, object], tags: list[str], current: str, data: st.DataObject
) -> None:
    facts = complete_facts(data, [*tags, current])
    first = decision_of(options, tags, current, facts)
    if first.chosen is None:
        return

    again = decision_of(options, tags, first.chosen.tag, facts)

    assert again.chosen is None or again.chosen.tag != first.chosen.tag


@given(st.data())
def test_printing_a_version_and_reading_it_is_identity(data: st.DataObject) -> None:
    version = parse_version(data.draw(some.versions()))

    assert version is not None
    assert parse_version(str(version)) == version


@given(some.versions(), some.versions())
def test_precedence_is_that_of_semver(a: str, b: str) -> None:
    one, other = version_key(a), version_key(b)
    theirs = semver.Version.parse(a.removeprefix("v")).compare(b.removeprefix("v"))

    assert one is not None
    assert other is not None
    assert (one > other) - (one < other) == theirs


@given(st.lists(st.text(max_size=8), max_size=12), some.options)
def test_no_text_stops_a_selection(tags: list[str], options: dict[str, object]) -> None:
    selection = select(read_policy(options, native=True), tags, current_tag="1.0.0")

    assert len(selection.verdicts) == len(tags)
