"""Substitution: every recorded case, and where we do better than Flux's engine."""

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.build.substitute import SubstitutionError, Trouble, substitute

CASES = json.loads((Path(__file__).parents[2] / "cases" / "substitution.json").read_text())
# A default that is not needed is not looked at here, so it cannot fail.
DIFFERENT = {"default-nested-evaluated-even-if-unused-strict"}
VALUES = {"name": "web", "empty": "", "path": "/srv/app/x.tar.gz", "neg": "-1", "u": "éa"}


def done(text: str, *, strict: bool = False) -> str:
    return substitute(text, VALUES, strict=strict)


def trouble(text: str, *, strict: bool = False) -> SubstitutionError:
    with pytest.raises(SubstitutionError) as caught:
        done(text, strict=strict)
    return caught.value


ALIKE = [case for case in CASES if case["id"] not in DIFFERENT]


@pytest.mark.parametrize("case", ALIKE, ids=[case["id"] for case in ALIKE])
def test_agrees_with_flux(case: dict[str, Any]) -> None:
    if "error" in case and "recommended" not in case:
        with pytest.raises(SubstitutionError) as caught:
            substitute(case["input"], case["vars"], strict=case["strict"])

        assert caught.value.trouble.value == case["error"]
        return

    expected = case.get("recommended", case.get("expected"))
    assert substitute(case["input"], case["vars"], strict=case["strict"]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("${name:=${nope}}", "web", id="a-default-that-is-not-needed"),
        pytest.param("${empty-d}", "d", id="empty-is-unset"),
        pytest.param("${path%.[a-z][a-z]}", "/srv/app/x.tar", id="a-class-at-the-end"),
        pytest.param("${name%%*[d-f]?}", "", id="longest-at-the-end"),
        pytest.param("${name/#w/}", "web", id="a-start-needs-something-in-its-place"),
        pytest.param("${name/#w/x}${name/%b/x}", "xebwex", id="start-and-end"),
        pytest.param("${name^,}", "web", id="a-mixed-case-is-none"),
        pytest.param("${name:${neg}}", "b", id="from-the-end"),
        pytest.param("${name:99999999999999999999}", "web", id="beyond-all-numbers"),
        pytest.param("${u#?}", "a", id="signs-not-bytes"),
        pytest.param("${u:1:1}${u:0:1}", "\udca9\udcc3", id="halves-of-a-sign"),
    ],
)
def test_where_flux_surprises_we_do_what_is_expected(text: str, expected: str) -> None:
    assert done(text, strict=True) == expected


def test_letters_whose_other_case_is_two_stay() -> None:
    assert substitute("${s^^} ${t,,}", {"s": "ßx", "t": "İX"}) == "ßX İx"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("${name:0:-1}", Trouble.BAD_SUBSTITUTION),
        ("${rep/a} and /x}", Trouble.BAD_SUBSTITUTION),
        ("${name/}", Trouble.BAD_SUBSTITUTION),
        ("${name:", Trouble.BAD_SUBSTITUTION),
        ("${name:=", Trouble.BAD_NESTED),
        ("${#}", Trouble.BAD_SUBSTITUTION),
        ("${#name", Trouble.BAD_SUBSTITUTION),
        ("${name^x}", Trouble.BAD_SUBSTITUTION),
        ("${name#a${u}}", Trouble.BAD_SUBSTITUTION),
        ("${a:=" * 100, Trouble.BAD_NESTED),
    ],
)
def test_what_cannot_be_read_is_told_by_its_kind(text: str, kind: Trouble) -> None:
    assert trouble(text).trouble is kind


def test_an_error_says_where_and_what_to_do() -> None:
    fault = trouble("a: 1\nb: ${na me}\n")

    assert fault.where == "line 2, column 4"
    assert fault.what == "'${na me}' cannot be read"
    assert "$${" in fault.hint


def test_all_variables_that_are_not_set_are_named_at_once_and_first_places_given() -> None:
    with pytest.raises(SubstitutionError) as caught:
        substitute("${b}\n ${a^} ${b}", {}, strict=True, source="f.yaml")

    assert caught.value.trouble is Trouble.NOT_SET
    assert caught.value.where == "f.yaml:1:1"
    assert caught.value.what == "the variable 'b' is not set, and neither are 'a' (line 2, 2)"


def test_one_variable_that_is_not_set_is_named_alone() -> None:
    assert trouble("${nope}", strict=True).what == "the variable 'nope' is not set"


def test_bytes_that_are_no_text_pass() -> None:
    text = b"\xff${name}\xfe".decode("utf-8", "surrogateescape")

    assert done(text).encode("utf-8", "surrogateescape") == b"\xffweb\xfe"


def test_a_pattern_of_stars_does_not_explode() -> None:
    assert substitute(f"${{v#{'*a' * 50}b}}", {"v": "a" * 5000}) == "a" * 5000
