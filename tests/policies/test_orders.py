"""Numbers are exact, calendars are calendars, dates are believed with care."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from policies import Fact, Facts, InvalidPolicy, compare, read_policy, select
from policies.age import known_date, without_future
from policies.calver import read_calver
from policies.numerical import read_number

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def best(options: dict[str, object], tags: list[str]) -> str | None:
    chosen = select(read_policy(options, native=True), tags).chosen
    return chosen.tag if chosen else None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1_000", 1000),
        (".5", "0.5"),
        ("5.", 5),
        ("+5", 5),
        ("1_2.5_0e+1_0", "12.5e10"),
        ("0x1p4", 16),
        ("-0x.8p1", -1),
        ("0x_1_0p0", 16),
        ("0x1p-2", "0.25"),
        ("0x0p99999", 0),
        ("0x1p-99999", 0),
        ("0x" + "1" * 400 + "p-99999", 0),
        ("0x1p-9999", 0),
        ("0x.0000000000000000000000000000001p-8190", None),
        ("0e99999999999999999999", 0),
        ("1e-99999999999999999999", 0),
        ("20240101123456789", 20240101123456789),
    ],
)
def test_reads_numbers_exactly(text: str, value: int | str | None) -> None:
    number = read_number(text)

    assert number is not None
    assert value is None or number == Decimal(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v1",
        "1.2.3",
        "0x10",
        "0b1",
        " 1",
        "1 ",
        "1e",
        "1__0",
        "_1",
        "1_",
        "1,0",
        "+nan",
        "1e400",
        "-1e400",
        "1e99999999999999999999",
        "0x1p99999",
        "0x1p1024",
        "\u0661",
        "1" * 600,
    ],
)
def test_refuses_what_go_refuses(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize(
    ("order", "tags", "chosen"),
    [
        ("asc", ["9007199254740992", "9007199254740993"], "9007199254740993"),
        ("desc", ["9007199254740992", "9007199254740993"], "9007199254740992"),
        ("asc", ["1", "1.0", "01"], "01"),
        ("asc", ["latest", "7", "nan"], "7"),
        ("asc", ["inf", "7"], "inf"),
        ("asc", ["latest"], None),
    ],
)
def test_numerical_skips_what_is_no_number(order: str, tags: list[str], chosen: str | None) -> None:
    assert best({"numerical": order}, tags) == chosen


def test_one_wrong_tag_fails_the_whole_policy_in_flux_form() -> None:
    selection = select(read_policy({"numerical": "asc"}, native=False), ["1", "x", "nan"])

    assert selection.error is not None
    assert "'x'" in selection.error.message
    assert {v.tag: v.admitted for v in selection.verdicts} == dict.fromkeys(
        ["1", "x", "nan"], False
    )


@pytest.mark.parametrize(
    ("form", "tags", "chosen"),
    [
        ("YYYY.MM.DD", ["2024.01.02", "2024.2.1", "2023.12.31", "2024.13.1"], "2024.2.1"),
        ("YYYY.0M", ["2024.9", "2024.09", "latest"], "2024.09"),
        ("YYYY0M0D-MICRO", ["20240101-2", "20240101-10"], "20240101-10"),
        ("YYMMDD", ["240101", "231231", "2401011"], "240101"),
        ("YY.0M[.MICRO]", ["22.04", "22.04.1", "20.10"], "22.04.1"),
        ("DD.MM.YYYY", ["31.01.2023", "01.02.2024"], "01.02.2024"),
        ("vYYYY.WW", ["v2024.53", "v2024.54"], "v2024.53"),
        ("MAJOR.YYYY", ["1.2025", "2.2024"], "2.2024"),
        ("YYYY.MM.DD", ["2023.02.29", "2024.02.29", "2025.02.30"], "2024.02.29"),
        ("[YYYY.]MM.DD", ["02.29", "1999.01.01"], "1999.01.01"),
        ("YYYY.DD", ["2024.31", "2024.32"], "2024.31"),
        ("0Y.MINOR", ["06.1", "106.0"], "106.0"),
        ("YYYY", ["x" * 200], None),
    ],
)
def test_calver_reads_calendars(form: str, tags: list[str], chosen: str | None) -> None:
    assert best({"calver": form}, tags) == chosen


@pytest.mark.parametrize(
    "form", ["MM.DD", "YYYY.MM.0M", "YYYY.[MM", "YYYY]", "[YYYY[.MM]]", "", "YYYY" + "x" * 200]
)
def test_calver_refuses_a_format_that_means_nothing(form: str) -> None:
    with pytest.raises(InvalidPolicy) as failure:
        read_calver(form)

    assert failure.value.key == "calver"


@pytest.mark.parametrize(
    ("options", "a", "b", "expected"),
    [
        ({"semver": "^1"}, "2.0.0", "1.0", 1),
        ({"semver": "^1"}, "1.0.0", "v1", 0),
        ({"semver": "^1"}, "latest", "1.0.0", None),
        ({"semver": "^1"}, "1.2.3.4", "1.2.3.5", -1),
        ({"semver": True}, "1.2.3.10", "1.2.3.9", 1),
        ({"semver": True}, "main", "1.2.3", None),
        ({"alphabetical": "asc"}, "b", "a", 1),
        ({"alphabetical": "desc"}, "b", "a", -1),
        ({"numerical": "asc"}, "10", "9", 1),
        ({"numerical": "desc"}, "10", "9", -1),
        ({"numerical": "asc"}, "x", "9", None),
        ({"numerical": "asc"}, "9", "nan", None),
        ({"calver": "YYYY.MM"}, "2024.10", "2024.9", 1),
        ({"calver": "YYYY.MM"}, "2024.10", "x", None),
        ({"digest-of": True}, "a", "a", 0),
        ({"digest-of": True}, "a", "b", None),
        ({"newest-built": True}, "a", "b", None),
        ({"newest-pushed": True}, "a", "b", None),
        ({"alphabetical": "asc", "filter": "^v"}, "v1", "1", None),
    ],
)
def test_compares_by_the_policys_own_order(
    options: dict[str, object], a: str, b: str, expected: int | None
) -> None:
    assert compare(read_policy(options, native=True), a, b) == expected


@pytest.mark.parametrize(
    ("rule", "fact"), [("newest-built", "created"), ("newest-pushed", "pushed")]
)
def test_the_newest_date_wins(rule: str, fact: str) -> None:
    policy = read_policy({rule: True}, native=True)
    facts = {
        "old": Facts(**{fact: NOW - timedelta(days=2)}),  # type: ignore[arg-type]
        "new": Facts(**{fact: NOW}),  # type: ignore[arg-type]
        "same": Facts(**{fact: NOW}),  # type: ignore[arg-type]
        "zero": Facts(**{fact: datetime.fromtimestamp(0, UTC)}),  # type: ignore[arg-type]
        "gone": Facts(unavailable={Fact(fact): "404"}),
    }

    selection = select(policy, facts, facts=facts)

    assert [candidate.tag for candidate in selection.ranking] == ["same", "new", "old"]
    assert compare(policy, "new", "old", facts=facts) == 1
    reasons = {verdict.tag: verdict.reason for verdict in selection.verdicts}
    assert "404" in reasons["gone"]
    assert "reproducible" in reasons["zero"]


def test_nothing_is_chosen_before_every_date_is_known() -> None:
    policy = read_policy({"newest-built": None}, native=True)

    selection = select(policy, ["a", "b"], facts={"a": Facts(created=NOW)})

    assert selection.chosen is None
    assert selection.error is None
    assert selection.missing == {"b": frozenset({Fact.CREATED})}


def test_a_date_in_the_future_is_none() -> None:
    future = NOW + timedelta(hours=1)
    old_reasons = {Fact.CREATED: "unreadable", Fact.PUSHED: "unreadable"}
    facts = without_future(Facts(created=future, pushed=future, unavailable=old_reasons), NOW)

    assert facts.created is None
    assert facts.pushed is None
    assert "future" in facts.unavailable[Fact.CREATED]
    assert known_date(facts) is None


def test_a_clock_that_runs_a_little_ahead_is_believed() -> None:
    facts = Facts(created=NOW + timedelta(minutes=5))

    assert without_future(facts, NOW) == facts


@pytest.mark.parametrize(
    ("facts", "source"),
    [
        (Facts(pushed=NOW, created=NOW, dated_by="Last-Modified"), "Last-Modified"),
        (Facts(pushed=NOW), "push date"),
        (Facts(pushed=datetime(1980, 1, 1, tzinfo=UTC), created=NOW), "build date"),
        (Facts(created=datetime(1980, 1, 1, tzinfo=UTC), first_seen=NOW), "first seen"),
    ],
)
def test_says_which_date_it_believes(facts: Facts, source: str) -> None:
    dated = known_date(facts)

    assert dated is not None
    assert dated.source.startswith(source)
