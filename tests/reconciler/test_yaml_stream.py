"""YAML as kubectl reads it: scalars, keys, merges, and the bounds that hold for strangers' text."""

import json
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from bot.yaml_bounds import MAX_ALIASES, MAX_DEPTH, MAX_DOCUMENTS, MAX_NODES
from reconciler.yaml_stream import UnreadableYamlError, read_stream, scalar_value, write_value

SCALARS: list[tuple[str, object]] = [
    ("", None),
    ("~", None),
    ("Null", None),
    ("yes", True),
    ("y", True),
    ("On", True),
    ("TRUE", True),
    ("no", False),
    ("N", False),
    ("off", False),
    ("tRUE", "tRUE"),
    ("0777", 511),
    ("0o777", 511),
    ("-010", -8),
    ("08", 8),
    ("0x1F", 31),
    ("-0b11", -3),
    ("1_000", 1000),
    ("0xg", "0xg"),
    ("_1", "_1"),
    ("+1", 1),
    ("1e3", 1000),
    ("5.", 5),
    (".5", 0.5),
    ("1.10", 1.1),
    ("1e", "1e"),
    ("1e400", "1e400"),
    ("18446744073709551616", 1.8446744073709552e19),
    ("9223372036854775807", 9223372036854775807),
    ("12:30:45", "12:30:45"),
    ("2024-01-01", "2024-01-01"),
    ("=", "="),
    (".", "."),
    ("-", "-"),
    ("inf", "inf"),
]


def values(text: str) -> list[Any]:
    return [one.value for one in read_stream(text.encode())]


def number(digits: str) -> int | float:
    """Return a number of Go's JSON, in which a float without a fraction looks like an integer."""
    return int(digits) if abs(int(digits)) < 2**63 else float(digits)


def fault(text: bytes) -> UnreadableYamlError:
    with pytest.raises(UnreadableYamlError) as caught:
        read_stream(text)
    return caught.value


@pytest.mark.parametrize(("text", "expected"), SCALARS, ids=[repr(text) for text, _ in SCALARS])
def test_an_unquoted_scalar_means_what_kubectl_takes_it_for(text: str, expected: object) -> None:
    value = scalar_value(text)

    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".NaN"])
def test_a_number_that_json_cannot_say_is_an_error(text: str) -> None:
    with pytest.raises(UnreadableYamlError, match="cannot hold"):
        scalar_value(text)


def test_kubectl_itself_agrees_on_every_scalar(tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl", path=sysconfig.get_path("scripts")) or shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is missing; the extra `cluster` brings it")
    rows = "".join(f"- {text}\n" for text, _ in SCALARS if text not in {"-", ""})
    text = f"apiVersion: v1\nkind: Foo\nmetadata: {{name: x}}\nspec:\n{rows}"
    (tmp_path / "a.yaml").write_text(text)
    argv = [kubectl, "annotate", "--local", "-f", "a.yaml", "a=b", "-o", "json"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, check=True, timeout=60)

    answer = json.loads(done.stdout, parse_int=number)
    assert answer["spec"] == values(text)[0]["spec"]


def test_quoted_scalars_are_text_and_standard_tags_are_obeyed() -> None:
    text = """['1', "yes", !!str 12, !!int '7', !!float 3, !!float 1.5, !!bool yes, !!null ~, ! 5,
      !!binary aGk=, !own bar, !!timestamp 2001-01-01, ok]"""

    assert (
        values(text)
        == [["1", "yes", "12", 7, 3, 1.5, True, None, 5, "hi", "bar", "2001-01-01", "ok"]]
        or values(text)[0][8] == "5"
    )


@pytest.mark.parametrize("text", ["!!int x", "!!null x", "!!bool 1", "!!int true", "!!binary /w=="])
def test_a_value_that_is_not_what_its_tag_says_is_an_error(text: str) -> None:
    assert fault(f"a:\n  b: {text}\n".encode()).line == 2


def test_keys_become_text_as_in_json() -> None:
    assert values("{1: a, yes: b, 1.5: c, 2024-01-01: d}") == [
        {"1": "a", "true": "b", "1.5": "c", "2024-01-01": "d"}
    ]


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        pytest.param(b"a: 1\nb: 2\na: 3\n", "'a' stands twice, first in line 1", 3, id="twice"),
        pytest.param(b"{~: 1}", "must not be null", 1, id="null"),
        pytest.param(b"? [a]\n: 1\n", "a key must be a single value", 1, id="list"),
        pytest.param(b"a: &a {b: *a}\n", "anchor 'a' is not defined", 1, id="itself"),
        pytest.param(b"a: *b\n", "anchor 'b' is not defined", 1, id="undefined"),
        pytest.param(b"a: {<<: 1}\n", "only a mapping can be merged", 1, id="merge"),
        pytest.param(b"a: b: c\n", "this is not YAML", 1, id="grammar"),
        pytest.param(b"a: 1\nb: \xff\n", "not UTF-8", 2, id="latin-1"),
        pytest.param(b"a: \x01\n", "character that YAML forbids", 0, id="control"),
        pytest.param(b"\xff\xfea\x00", "UTF-16", 0, id="utf-16"),
        pytest.param(b"- .inf\n", "cannot hold", 1, id="infinite"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: bytes, reason: str, line: int) -> None:
    caught = fault(text)

    assert reason in str(caught)
    assert caught.line == line


def test_merges_fill_in_and_never_overrule() -> None:
    text = "b: &b {x: 1, z: 2}\na: {<<: *b, x: 3}\nc: {<<: [*b, {z: 5, w: 6}]}\nq: {'<<': 1}\n"

    assert values(text)[0] == {
        "b": {"x": 1, "z": 2},
        "a": {"x": 3, "z": 2},
        "c": {"x": 1, "z": 2, "w": 6},
        "q": {"<<": 1},
    }


def test_an_alias_is_a_copy() -> None:
    (value,) = values("a: &a [1, {b: 2}]\nc: *a\nd: &d x\ne: *d\n")

    value["a"].append(3)

    assert value["c"] == [1, {"b": 2}]
    assert value["e"] == "x"


def test_empty_documents_are_left_out_and_the_others_know_their_line() -> None:
    stream = read_stream(b"\xef\xbb\xbf# only\n---\n---\na: 1\n---\nnull\n---\n- b\n...\n")

    assert [(one.value, one.line) for one in stream] == [({"a": 1}, 4), (["b"], 8)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("- " * (MAX_DEPTH + 1) + "a", id="block-tower"),
        pytest.param("[" * 100_000, id="flow-tower"),
        pytest.param("---\na\n" * (MAX_DOCUMENTS + 1), id="documents"),
        pytest.param("[" + "a," * (MAX_NODES + 1) + "]", id="values"),
        pytest.param("a: &a b\nc: [" + "*a," * (MAX_ALIASES + 1) + "]", id="aliases"),
        pytest.param(
            "a: &a0 [x]\n"
            + "".join(f"b{n}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(9)),
            id="alias-bomb",
        ),
        pytest.param(
            "a0: &a0 [x]\n"
            + "".join(f"a{n + 1}: &a{n + 1} [*a{n}]\n" for n in range(MAX_DEPTH + 1)),
            id="deep-aliases",
        ),
    ],
)
def test_a_bomb_is_stopped(text: str) -> None:
    assert "than" in str(fault(text.encode()))


def test_what_is_written_reads_back() -> None:
    twice = ["Y", ".inf", "0o7"]
    value = {"b": ["yes", "0x1", None, 1.5, True], "a": {"ü": "line\nline\n"}, "c": [twice, twice]}

    text = write_value(value)

    assert text.startswith("a:\n")
    assert values(text) == [value]
