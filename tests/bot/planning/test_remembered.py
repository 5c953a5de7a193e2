"""The small file in `refs/notes/pilotfish`: written, read again, and refused when damaged."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import ConfigError
from bot.planning.remembered import (
    ChangeRecord,
    ClosedRecord,
    HoldRecord,
    ProposalRecord,
    RegroupRecord,
    Remembered,
    UnholdRecord,
    read_remembered,
    write_remembered,
)
from tests.bot.planning.situations import NOW

_FROM = datetime(2000, 1, 1)  # noqa: DTZ001  # hypothesis adds the zone
_TO = datetime(2100, 1, 1)  # noqa: DTZ001
MOMENTS = st.datetimes(min_value=_FROM, max_value=_TO, timezones=st.just(UTC))
TEXTS = st.text(max_size=20)
NAMES = st.text(min_size=1, max_size=20)
CHANGES = st.builds(
    ChangeRecord, file=TEXTS, line=st.integers(0, 10**6), policy=TEXTS, old=TEXTS, new=TEXTS
)
MEMORIES = st.builds(
    Remembered,
    regroups=st.lists(
        st.builds(RegroupRecord, policy=NAMES, group=TEXTS, who=TEXTS, when=MOMENTS, update=TEXTS),
        max_size=3,
    ).map(tuple),
    holds=st.lists(
        st.builds(
            HoldRecord,
            policy=NAMES,
            reason=TEXTS,
            who=TEXTS,
            when=MOMENTS,
            tag=TEXTS,
            above=TEXTS,
            up_to=TEXTS,
            update=TEXTS,
            until=st.none() | MOMENTS,
            level=st.sampled_from(["", "major", "minor", "patch"]),
        ),
        max_size=3,
    ).map(tuple),
    unholds=st.lists(
        st.builds(UnholdRecord, policy=NAMES, who=TEXTS, when=MOMENTS, tag=TEXTS), max_size=3
    ).map(tuple),
    proposals=st.lists(
        st.builds(
            ProposalRecord,
            key=TEXTS,
            branch=TEXTS,
            head=TEXTS,
            opened=MOMENTS,
            pushed=st.lists(MOMENTS, max_size=3).map(tuple),
            changes=st.lists(CHANGES, max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    closed=st.lists(
        st.builds(
            ClosedRecord,
            key=TEXTS,
            when=MOMENTS,
            changes=st.lists(CHANGES, max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
)


@given(MEMORIES)
def test_what_was_written_is_read_again(memory: Remembered) -> None:
    assert read_remembered(write_remembered(memory)) == memory


@given(MEMORIES)
def test_the_same_memory_gives_the_same_bytes(memory: Remembered) -> None:
    assert write_remembered(read_remembered(write_remembered(memory))) == write_remembered(memory)


@pytest.mark.parametrize("text", [None, b""])
def test_nothing_there_is_an_empty_memory(text: bytes | None) -> None:
    assert read_remembered(text) == Remembered()


@pytest.mark.parametrize(
    "text",
    [
        b"[",
        b"[]",
        b"text",
        b"version: 2",
        b"holds: []",
        b"version: 1\nholds: 3",
        b"version: 1\nholds: [3]",
        b"version: 1\nholds: [{policy: web}]",
        b"version: 1\nholds: [{policy: web, when: yesterday}]",
        b"version: 1\nproposals: [{key: a, branch: b, head: c, opened: 2026-01-01, pushed: 3}]",
        b"version: 1\nclosed: [{key: a, when: 2026-01-01, changes: [{file: a}]}]",
        b"\xff\xfe\x00",
        b"version: 1\nholds: !!python/object:os.system []",
        b"a: 1\n" * 300_000,
        b"version: 1\nholds: " + b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_refused_and_named(text: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        read_remembered(text)
    assert caught.value.where == "refs/notes/pilotfish"
    assert caught.value.hint


def test_times_without_a_zone_are_utc() -> None:
    text = b"version: 1\nholds: [{policy: web, when: 2026-01-01 10:00:00}]"
    assert read_remembered(text).holds[0].when == datetime(2026, 1, 1, 10, tzinfo=UTC)


def test_a_proposal_stands_once_for_its_branch() -> None:
    one = ProposalRecord(key="k", branch="b", head="1", opened=NOW, pushed=(), changes=())
    two = ProposalRecord(key="k", branch="b", head="2", opened=NOW, pushed=(), changes=())
    memory = Remembered().with_proposal(one).with_proposal(two)
    assert memory.proposals == (two,)
    assert memory.without_proposal("b") == Remembered()
    assert memory.without_proposal("other") is memory


def test_the_oldest_close_is_dropped_beyond_the_bound() -> None:
    memory = Remembered()
    for number in range(501):
        when = NOW + timedelta(seconds=number)
        memory = memory.with_closed(ClosedRecord(key=str(number), when=when, changes=()))
    assert len(memory.closed) == 500
    assert memory.closed[0].key == "1"
