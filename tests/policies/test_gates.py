"""What may be proposed now: the floor, denials, holds, jumps, age, platforms and digests."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from policies import Decision, Fact, Facts, TagHold, decide, read_policy, select

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TAGS = ["1.0.0", "1.1.0", "1.2.0"]
OLD = Facts(pushed=NOW - 30 * DAY, dated_by="Last-Modified")
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def decided(
    options: dict[str, object],
    current: str | None,
    tags: list[str] = TAGS,
    *,
    facts: Mapping[str, Facts] | None = None,
    holds: list[TagHold] | None = None,
    digest: str | None = None,
    want_digest: bool = False,
) -> Decision:
    policy = read_policy({"semver": "*", **options} if _no_rule(options) else options, native=True)
    selection = select(policy, tags, facts=facts or {}, current_tag=current)
    return decide(
        policy,
        selection,
        current_tag=current,
        current_digest=digest,
        now=NOW,
        facts=facts or {},
        holds=holds or [],
        want_digest=want_digest,
    )


def _no_rule(options: dict[str, object]) -> bool:
    rules = {"semver", "numerical", "newest-built", "newest-pushed", "digest-of", "alphabetical"}
    return not rules & options.keys()


def chosen(decision: Decision) -> str | None:
    return decision.chosen.tag if decision.chosen else None


def test_takes_the_best() -> None:
    decision = decided({}, "1.0.0")

    assert (chosen(decision), decision.update_type, decision.digest) == ("1.2.0", "minor", None)
    assert "1.0.0" in decision.floor


@pytest.mark.parametrize(
    ("current", "warned"), [("1.0.0-alpine", True), ("1.0.0", False), ("latest", False)]
)
def test_a_range_that_changes_the_variant_is_pointed_out(current: str, warned: bool) -> None:
    decision = decided({"semver": "^1"}, current)

    assert chosen(decision) == "1.2.0"
    assert ("the variant changes from '…-alpine' to plain" in decision.reason) is warned


@pytest.mark.parametrize("current", ["1.2.0", "2.0.0", "v1.2.0"])
def test_never_goes_down_or_sideways(current: str) -> None:
    decision = decided({}, current)

    assert chosen(decision) is None
    assert decision.update_type == "none"


def test_goes_down_where_the_policy_allows_it() -> None:
    decision = decided({"allow-downgrade": True}, "2.0.0")

    assert (chosen(decision), decision.floor) == (
        "1.2.0",
        "no floor: the policy allows downgrades",
    )


@pytest.mark.parametrize(
    ("current", "words"), [("latest", "cannot order 'latest'"), (None, "no tag is written")]
)
def test_says_when_there_is_no_floor(current: str | None, words: str) -> None:
    decision = decided({}, current)

    assert chosen(decision) == "1.2.0"
    assert words in decision.floor
    assert decision.update_type == "other"


def test_a_denied_tag_is_passed_over_with_its_reason() -> None:
    options: dict[str, object] = {"deny": [{"tag": "1.2.0", "reason": "breaks login"}, "1.1.0"]}

    decision = decided(options, "1.0.0")

    assert chosen(decision) is None
    assert [(r.tag, r.reason) for r in decision.rejected] == [
        ("1.2.0", "denied: breaks login"),
        ("1.1.0", "denied by the policy"),
    ]


@pytest.mark.parametrize(
    ("hold", "expected"),
    [
        (TagHold(tag="1.2.0", reason="slow", who="ada"), "1.1.0"),
        (TagHold(above="1.0.0", up_to="1.1.0"), "1.2.0"),
        (TagHold(above="1.0.0", up_to="1.2.0"), None),
        (TagHold(above="1.1.0"), "1.1.0"),
        (TagHold(up_to="1.1.0"), "1.2.0"),
        (TagHold(all=True), None),
        (TagHold(), "1.2.0"),
        (TagHold(all=True, until=NOW - DAY), "1.2.0"),
        (TagHold(all=True, until=NOW + DAY), None),
        (TagHold(above="main"), None),
        (TagHold(above="main", up_to="1.1.0"), "1.2.0"),
        (TagHold(level="minor"), None),
        (TagHold(level="major"), "1.2.0"),
    ],
)
def test_a_hold_covers_what_it_says(hold: TagHold, expected: str | None) -> None:
    decision = decided({}, "1.0.0", holds=[hold])

    assert chosen(decision) == expected
    assert all(held.needs and held.until == hold.until for held in decision.held)


def test_a_hold_says_who_why_and_what_ends_it() -> None:
    hold = TagHold(above="1.0.0", up_to="1.2.0", reason="slow start", who="ada")

    held = decided({}, "1.0.0", holds=[hold]).held[0]

    assert held.reason == "held by ada: slow start"
    assert held.needs == "a tag above 1.2.0, or `pilotfish unhold`"


def test_a_hold_on_everything_names_the_best_alone() -> None:
    decision = decided({}, "1.0.0", holds=[TagHold(all=True)])

    assert [held.tag for held in decision.held] == ["1.2.0"]


def test_a_hold_of_a_major_lets_the_next_one_and_smaller_steps_through() -> None:
    holds = [TagHold(level="major", tag="2.0.0")]
    tags = ["1.0.0", "1.1.0", "2.0.0", "2.3.0"]

    assert chosen(decided({}, "1.0.0", tags, holds=holds)) == "1.1.0"
    assert chosen(decided({}, "1.0.0", [*tags, "3.0.0"], holds=holds)) == "3.0.0"
    assert chosen(decided({}, "2.0.0", tags, holds=holds)) == "2.3.0"


def test_a_hold_by_level_lets_smaller_steps_through() -> None:
    tags = ["1.0.0", "1.0.1", "1.1.0", "2.0.0"]
    holds = [TagHold(level="major", who="ada"), TagHold(level="minor", who="ada")]

    decision = decided({"semver": ">=1"}, "1.0.0", tags, holds=holds)

    assert chosen(decision) == "1.0.1"
    assert [(held.tag, held.reason) for held in decision.held] == [
        ("2.0.0", "held by ada (every major step)"),
        ("1.1.0", "held by ada (every minor step)"),
    ]


def test_a_hold_in_doubt_stands_and_says_so() -> None:
    held = decided({}, "1.0.0", holds=[TagHold(above="main")]).held[0]

    assert "cannot be ordered against main" in held.reason


def test_a_jump_over_a_major_waits_for_a_person() -> None:
    decision = decided({"semver": ""}, "0.3.4", ["0.3.5", "3.0.8", "1.0.0"])

    assert chosen(decision) == "1.0.0"
    assert decision.held[0].tag == "3.0.8"
    assert "3 majors" in decision.held[0].reason
    assert "max-jump" in decision.held[0].needs


@pytest.mark.parametrize("current", ["latest", None])
def test_without_a_written_major_nothing_jumps(current: str | None) -> None:
    assert chosen(decided({"max-jump": 0}, current, ["3.0.0"])) == "3.0.0"


def test_a_written_tag_that_the_filter_drops_has_no_major() -> None:
    options: dict[str, object] = {"max-jump": 0, "filter": "^v", "semver": "*"}

    assert chosen(decided(options, "1.0.0", ["v3.0.0"])) == "v3.0.0"


def test_a_young_tag_waits_and_an_older_one_is_taken() -> None:
    young = Facts(pushed=NOW - DAY, dated_by="Last-Modified of the manifest")

    decision = decided({"min-age": "3d"}, "1.0.0", facts={"1.2.0": young, "1.1.0": OLD})

    assert chosen(decision) == "1.1.0"
    assert decision.held[0].until == NOW + 2 * DAY
    assert "Last-Modified of the manifest" in decision.held[0].reason
    assert "1 better wait" in decision.reason


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        (Facts(), Fact.PUSHED),
        (Facts(unavailable={Fact.PUSHED: "no date"}), Fact.CREATED),
        (Facts(pushed=datetime(1970, 1, 1, tzinfo=UTC)), Fact.CREATED),
        (Facts(pushed=NOW + DAY), Fact.CREATED),
    ],
)
def test_asks_for_one_date_after_the_other(known: Facts, asked: Fact) -> None:
    decision = decided({"min-age": "3d"}, "1.1.0", facts={"1.2.0": known})

    assert chosen(decision) is None
    assert decision.missing == {"1.2.0": frozenset({asked})}


@pytest.mark.parametrize(
    ("seen", "until"), [(None, NOW + 3 * DAY), (NOW - DAY, NOW + 2 * DAY), (NOW - 4 * DAY, None)]
)
def test_an_unknown_date_counts_from_first_seen(
    seen: datetime | None, until: datetime | None
) -> None:
    unknown = Facts(
        created=datetime(1980, 1, 1, tzinfo=UTC),
        unavailable={Fact.PUSHED: "this registry keeps no dates"},
        first_seen=seen,
    )

    decision = decided({"min-age": "3d"}, "1.1.0", facts={"1.2.0": unknown})

    assert chosen(decision) == ("1.2.0" if until is None else None)
    assert [held.until for held in decision.held] == ([until] if until else [])


def test_asks_for_more_at_once_the_more_had_to_wait() -> None:
    tags = [f"1.{minor}.0" for minor in range(9)]
    young = dict.fromkeys(["1.8.0", "1.7.0", "1.6.0"], Facts(pushed=NOW))

    decision = decided({"min-age": "3d"}, "1.0.0", tags, facts=young)

    assert set(decision.missing) == {"1.5.0", "1.4.0", "1.3.0", "1.2.0"}


def test_a_tag_below_an_unknown_one_is_not_taken_before_it() -> None:
    young, old = Facts(pushed=NOW), Facts(pushed=NOW - 9 * DAY)

    decision = decided(
        {"min-age": "3d"},
        "0.1.0",
        ["1.2.0", "1.1.0", "1.0.0"],
        facts={"1.2.0": young, "1.0.0": old},
    )

    assert chosen(decision) is None
    assert set(decision.missing) == {"1.1.0"}


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ({"linux/arm64/v8", "linux/amd64", "unknown/unknown"}, "1.2.0"),
        ({"linux/amd64"}, None),
        (set(), None),
    ],
)
def test_a_tag_must_have_every_platform(present: set[str], expected: str | None) -> None:
    facts = {"1.2.0": Facts(platforms=frozenset(present))}

    decision = decided({"platforms": "linux/arm64,linux/amd64"}, "1.1.0", facts=facts)

    assert chosen(decision) == expected
    assert all("linux/arm64" in held.needs for held in decision.held)


def test_asks_for_platforms() -> None:
    decision = decided({"platforms": "linux/amd64"}, "1.1.0")

    assert decision.missing == {"1.2.0": frozenset({Fact.PLATFORMS})}


@pytest.mark.parametrize(
    ("options", "fact"),
    [({"platforms": "linux/amd64"}, Fact.PLATFORMS), ({"digest": "always"}, Fact.DIGEST)],
)
def test_what_cannot_be_read_is_held_not_chosen(options: dict[str, object], fact: Fact) -> None:
    facts = {"1.2.0": Facts(unavailable={fact: "503"}), "1.1.0": Facts(unavailable={fact: "503"})}

    decision = decided(options, "1.1.0", facts=facts)

    assert chosen(decision) is None
    assert "503" in decision.held[0].reason


def test_a_new_tag_brings_its_digest_where_one_stands() -> None:
    assert decided({}, "1.1.0", digest=A).missing == {"1.2.0": frozenset({Fact.DIGEST})}

    decision = decided({}, "1.1.0", digest=A, facts={"1.2.0": Facts(digest=B)})

    assert (chosen(decision), decision.digest) == ("1.2.0", B)


def test_a_digest_that_moved_is_an_update_of_its_own() -> None:
    decision = decided({"digest-of": True}, "1.1.0", digest=A, facts={"1.1.0": Facts(digest=B)})

    assert (chosen(decision), decision.digest, decision.update_type) == ("1.1.0", B, "digest")


def test_a_named_tag_is_followed_from_any_other() -> None:
    facts = {"1.1.0": Facts(digest=B)}

    decision = decided({"digest-of": "1.1.0"}, "1.0.0", digest=A, facts=facts)

    assert (chosen(decision), decision.digest) == ("1.1.0", B)


def test_a_named_tag_that_is_gone_leaves_the_written_one_alone() -> None:
    assert chosen(decided({"digest-of": "4"}, "1.0.0", digest=A)) is None


def test_an_unchanged_digest_is_no_update() -> None:
    facts = {"1.1.0": Facts(digest=A)}

    assert chosen(decided({"digest-of": True}, "1.1.0", digest=A, facts=facts)) is None


ON_AMD = {"digest-of": True, "platforms": "linux/amd64, linux/arm64/v8"}
READ = frozenset({"linux/amd64", "linux/arm64", "linux/s390x"})


def images(amd64: str, arm64: str, s390x: str) -> Facts:
    """Return what is known of an index that holds these images."""
    found = {"linux/amd64": amd64, "linux/arm64": arm64, "linux/s390x": s390x}
    return Facts(platforms=READ, images=found)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (images("1", "2", "other"), None),
        (images("other", "2", "3"), "1.1.0"),
        (images("1", "other", "3"), "1.1.0"),
        (Facts(platforms=frozenset({"linux/amd64"}), images={"linux/amd64": "1"}), "1.1.0"),
        (Facts(unavailable={Fact.PLATFORMS: "it is gone"}), "1.1.0"),
    ],
)
def test_a_new_digest_counts_only_for_the_platforms_that_are_wanted(
    written: Facts, expected: str | None
) -> None:
    facts = {"1.1.0": replace(images("1", "2", "3"), digest=B), A: written}

    decision = decided(ON_AMD, "1.1.0", digest=A, facts=facts)

    assert chosen(decision) == expected
    if expected is None:
        assert "is the same image on linux/amd64 and linux/arm64" in decision.reason
        assert not decision.missing


def test_every_image_of_a_platform_counts() -> None:
    options = {"digest-of": True, "platforms": "linux/arm64"}
    old = Facts(platforms=READ, images={"linux/arm64": "1", "linux/arm64/v8": "2"})
    new = Facts(platforms=READ, images={"linux/arm64": "3", "linux/arm64/v8": "2"}, digest=B)

    assert chosen(decided(options, "1.1.0", digest=A, facts={"1.1.0": new, A: old})) == "1.1.0"


def test_what_the_written_digest_held_is_asked_for_by_that_digest() -> None:
    decision = decided(ON_AMD, "1.1.0", digest=A, facts={"1.1.0": Facts(digest=B)})

    wanted = frozenset({Fact.PLATFORMS})
    assert (chosen(decision), decision.missing) == (None, {"1.1.0": wanted, A: wanted})


def test_without_wanted_platforms_every_new_digest_counts() -> None:
    facts = {"1.1.0": replace(images("1", "2", "3"), digest=B), A: images("1", "2", "3")}

    assert chosen(decided({"digest-of": True}, "1.1.0", digest=A, facts=facts)) == "1.1.0"


def test_the_age_of_a_digest_counts_too() -> None:
    facts = {"1.1.0": Facts(digest=B, pushed=NOW)}

    decision = decided({"digest-of": True, "min-age": "3d"}, "1.1.0", digest=A, facts=facts)

    assert chosen(decision) is None
    assert decision.held[0].tag == "1.1.0"


def test_asks_for_the_age_of_a_digest() -> None:
    facts = {"1.1.0": Facts(digest=B)}

    decision = decided({"digest-of": True, "min-age": "3d"}, "1.1.0", digest=A, facts=facts)

    assert decision.missing == {"1.1.0": frozenset({Fact.PUSHED})}


def test_a_written_tag_that_the_filter_drops_keeps_its_digest() -> None:
    options: dict[str, object] = {"semver": "*", "digest": "always", "filter": "^v"}

    assert chosen(decided(options, "1.0.0", ["x"], digest=A)) is None


@pytest.mark.parametrize("rule", ["newest-built", "newest-pushed"])
def test_the_floor_of_a_date_is_asked_for(rule: str) -> None:
    facts = {"b": Facts(created=NOW - DAY, pushed=NOW - DAY)}

    decision = decided({rule: True}, "a", ["b"], facts=facts)

    assert set(decision.missing) == {"a"}


def test_a_date_in_the_future_never_wins() -> None:
    facts = {
        "a": Facts(created=NOW - 2 * DAY),
        "b": Facts(created=NOW + 900 * DAY),
    }

    decision = decided({"newest-built": True}, "a", ["a", "b"], facts=facts)

    assert chosen(decision) is None
    assert "future" in decision.rejected[0].reason


def test_a_hold_by_date_asks_for_its_bound() -> None:
    facts = {"a": Facts(created=NOW - 2 * DAY), "b": Facts(created=NOW - DAY)}

    decision = decided(
        {"newest-built": True}, "a", ["a", "b"], facts=facts, holds=[TagHold(up_to="c")]
    )

    assert set(decision.missing) == {"c"}


def digest_cases() -> list[Any]:
    path = Path(__file__).parents[1] / "cases" / "digests.json"
    return [pytest.param(case, id=case["name"]) for case in json.loads(path.read_text())]


@pytest.mark.parametrize("case", digest_cases())
def test_reflects_digests_when_flux_does(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expect"]
    written = given["status"]["latestRef"] or {}
    same_image = written.get("name") == given["selected"]["name"]
    tag = given["selected"]["tag"]
    options: dict[str, object] = {"digest": given["digestReflectionPolicy"] or "never"}
    digest = written.get("digest") if same_image else None
    current = written.get("tag")
    if options["digest"] == "Never":
        digest = None  # ours keeps a digest that a person wrote; Flux's status drops its own

    before = decided(options, current, [tag], digest=digest)
    after = decided(
        options, current, [tag], digest=digest, facts={tag: Facts(digest=given["registryDigest"])}
    )

    assert bool(before.missing) is expected["fetch"]
    assert (after.digest or digest) == expected["latestRef"].get("digest")
