"""What a person wrote becomes a policy, or an error that names the option and the way out."""

from datetime import timedelta

import pytest

from policies import (
    ALLOWED_OPTIONS,
    Deny,
    DigestMode,
    Fact,
    Gates,
    InvalidPolicy,
    TagPolicy,
    read_policy,
    select,
)
from policies.platform import normalised_platform


def policy(**options: object) -> TagPolicy:
    named = {key.replace("_", "-"): value for key, value in options.items()}
    return read_policy({"semver": "^1", **named}, native=True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"semver": "^1.4"}, "semver ^1.4"),
        ({"semver": 1}, "semver 1"),
        ({"semver": True}, "semver, at most 1 major at once, same variant and precision"),
        ({"semver": "", "variant": "any"}, "semver, at most 1 major at once, same precision"),
        ({"semver": None, "max-jump": "any", "precision": "any"}, "semver, same variant"),
        ({"semver": "*", "max-jump": "2"}, "semver *, at most 2 majors at once"),
        ({"alphabetical": "DESC"}, "alphabetical desc"),
        ({"numerical": ""}, "numerical asc"),
        ({"numerical": True}, "numerical asc"),
        ({"numerical": None}, "numerical asc"),
        ({"calver": "YYYY.0M"}, "calver YYYY.0M"),
        ({"newest-built": True}, "newest-built"),
        ({"newest-pushed": ""}, "newest-pushed"),
        ({"digest-of": True}, "digest of the written tag"),
        ({"digest-of": "3.19"}, "digest of 3.19"),
        ({"digest-of": 3}, "digest of 3"),
        ({"semver": "1", "filter": "^v", "extract": "$0"}, "semver 1, filter '^v' as '$0'"),
        ({"semver": "1", "min-age": "1d12h"}, "semver 1, at least 1d12h old"),
        ({"semver": "1", "min-age": "90s"}, "semver 1, at least 1m30s old"),
        ({"semver": "1", "platforms": "linux/amd64"}, "semver 1, on linux/amd64"),
        ({"semver": "1", "deny": "1.2,1.3"}, "semver 1, never 1.2, 1.3"),
        ({"semver": "1", "digest": "always"}, "semver 1, digest always"),
        ({"semver": "1", "allow-downgrade": "yes"}, "semver 1, downgrades allowed"),
    ],
)
def test_reads_and_describes(options: dict[str, object], text: str) -> None:
    assert read_policy(options, native=True).text == text


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({}, ""),
        ({"semvr": "1"}, "semvr"),
        ({"semver": "1", "numerical": "asc"}, "numerical"),
        ({"semver": 1.2}, "semver"),
        ({"semver": False}, "semver"),
        ({"semver": "^^1"}, "semver"),
        ({"alphabetical": "up"}, "alphabetical"),
        ({"numerical": 1}, "numerical"),
        ({"calver": True}, "calver"),
        ({"newest-built": "x"}, "newest-built"),
        ({"newest-pushed": False}, "newest-pushed"),
        ({"digest-of": 3.19}, "digest-of"),
        ({"digest-of": False}, "digest-of"),
        ({"digest-of": "a b"}, "digest-of"),
        ({"semver": "1", "filter": "["}, "filter"),
        ({"semver": "1", "filter": 1}, "filter"),
        ({"semver": "1", "extract": "$1"}, "extract"),
        ({"semver": "1", "exclude": "["}, "exclude"),
        ({"semver": "1", "exclude": [1]}, "exclude"),
        ({"semver": "1", "digest": "alway"}, "digest"),
        ({"semver": "1", "digest": True}, "digest"),
        ({"semver": "1", "min-age": 3}, "min-age"),
        ({"semver": "1", "min-age": "3 days"}, "min-age"),
        ({"semver": "1", "platforms": "linux"}, "platforms"),
        ({"semver": "1", "platforms": ["unknown/unknown"]}, "platforms"),
        ({"semver": "1", "deny": 1}, "deny"),
        ({"semver": "1", "deny": [1.2]}, "deny"),
        ({"semver": "1", "deny": [{"tag": 1.2}]}, "deny"),
        ({"semver": "1", "deny": [{"tag": "1.2", "why": "x"}]}, "deny"),
        ({"semver": "1", "deny": ["a b"]}, "deny"),
        ({"semver": "1", "allow-downgrade": "perhaps"}, "allow-downgrade"),
        ({"semver": "1", "allow-downgrade": [1]}, "allow-downgrade"),
        ({"semver": "1", "variant": "kept"}, "variant"),
        ({"semver": "1", "precision": True}, "precision"),
        ({"semver": "1", "max-jump": -1}, "max-jump"),
        ({"semver": "1", "max-jump": True}, "max-jump"),
        ({"numerical": "asc", "max-jump": 1}, "max-jump"),
    ],
)
def test_names_the_wrong_option(options: dict[str, object], key: str) -> None:
    with pytest.raises(InvalidPolicy) as failure:
        read_policy(options, native=True)

    assert failure.value.key == key


def test_offers_the_nearest_word() -> None:
    with pytest.raises(InvalidPolicy) as failure:
        read_policy({"semver": "1", "min_age": "3d"}, native=True)

    assert "min-age" in failure.value.hint
    assert "min-age" in ALLOWED_OPTIONS


def test_reads_every_gate() -> None:
    gates = policy(
        min_age="3d",
        platforms=["linux/arm64/v8", "linux/x86_64", "linux/arm64"],
        deny=[{"tag": "1.2.3", "reason": "breaks login"}, "1.2.4"],
        allow_downgrade=True,
        max_jump=0,
    ).gates

    assert gates == Gates(
        min_age=timedelta(days=3),
        platforms=("linux/arm64", "linux/amd64"),
        deny=(Deny(tag="1.2.3", reason="breaks login"), Deny(tag="1.2.4", reason="")),
        allow_downgrade=True,
        max_jump=0,
    )


@pytest.mark.parametrize("value", [None, 0, "0", "0d"])
def test_no_age_is_no_gate(value: object) -> None:
    assert policy(min_age=value).gates.min_age is None


def test_an_age_that_is_taken_apart_again_reads_the_same() -> None:
    assert policy(min_age="1w2h").gates.min_age == timedelta(days=7, hours=2)


@pytest.mark.parametrize(
    ("word", "mode"),
    [
        ("never", DigestMode.NEVER),
        ("IfNotPresent", DigestMode.IF_NOT_PRESENT),
        ("if-not-present", DigestMode.IF_NOT_PRESENT),
        ("Always", DigestMode.ALWAYS),
    ],
)
def test_reads_digest_modes_in_both_spellings(word: str, mode: DigestMode) -> None:
    assert policy(digest=word).digest is mode


def test_asks_for_the_facts_that_it_may_need() -> None:
    assert policy().needs == frozenset()
    assert policy(min_age="1d", platforms="linux/amd64", digest="always").needs == {
        Fact.PUSHED,
        Fact.PLATFORMS,
        Fact.DIGEST,
    }


@pytest.mark.parametrize(
    ("rule", "needs"),
    [
        ({"semver": "*"}, set()),
        ({"alphabetical": "asc"}, set()),
        ({"numerical": "asc"}, set()),
        ({"calver": "YYYY"}, set()),
        ({"newest-built": True}, {Fact.CREATED}),
        ({"newest-pushed": True}, {Fact.PUSHED}),
        ({"digest-of": True}, {Fact.DIGEST}),
    ],
)
def test_only_dates_and_digests_cost_requests(rule: dict[str, object], needs: set[Fact]) -> None:
    assert read_policy(rule, native=True).needs == needs


def test_a_range_switches_identity_and_jump_guard_off() -> None:
    ranged, free = policy(), read_policy({"semver": True}, native=True)

    assert (ranged.keep_variant, ranged.keep_precision, ranged.gates.max_jump) == (
        False,
        False,
        None,
    )
    assert (free.keep_variant, free.keep_precision, free.gates.max_jump) == (True, True, 1)


@pytest.mark.parametrize("order", ["", "up"])
def test_flux_form_refuses_an_order_that_is_none(order: str) -> None:
    with pytest.raises(InvalidPolicy):
        read_policy({"numerical": order}, native=False)


def test_flux_form_refuses_the_empty_range() -> None:
    with pytest.raises(InvalidPolicy):
        read_policy({"semver": ""}, native=False)


def test_of_several_rules_flux_takes_the_first() -> None:
    options: dict[str, object] = {"numerical": None, "alphabetical": "asc", "semver": "1"}

    assert read_policy(options, native=False).text == "semver 1"


def test_in_flux_form_an_extract_needs_no_filter() -> None:
    flux = read_policy({"alphabetical": "asc", "extract": "x$0"}, native=False)

    assert [v.value for v in select(flux, ["a"]).verdicts] == ["x"]


@pytest.mark.parametrize(("native", "kept"), [(True, []), (False, ["1.att"])])
def test_default_exclusions_depend_on_the_form(native: bool, kept: list[str]) -> None:
    options: dict[str, object] = {"alphabetical": "asc", "exclude": []}

    selection = select(read_policy(options, native=native), ["1.sig", "1.att"])

    assert [candidate.tag for candidate in selection.ranking] == kept


def test_a_list_replaces_the_default_exclusions() -> None:
    own = read_policy({"alphabetical": "asc", "exclude": "-debug$"}, native=True)

    assert [c.tag for c in select(own, ["1.sig", "2-debug"]).ranking] == ["1.sig"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/arm64/v8", "linux/arm64"),
        ("Linux/AArch64", "linux/arm64"),
        ("linux/arm/v7", "linux/arm"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("unknown/unknown", None),
        ("linux", None),
    ],
)
def test_a_platform_has_one_spelling(text: str, expected: str | None) -> None:
    assert normalised_platform(text) == expected
