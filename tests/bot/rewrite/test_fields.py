"""Which scalar a marker binds, what it is about, and what is reported."""

from __future__ import annotations

import pytest

from bot.errors import Severity
from bot.rewrite.fields import Field, FieldSearch
from bot.rewrite.marker import Part
from bot.rewrite.tree import find_fields
from bot.yaml_bounds import MAX_NODES

D = "sha256:" + "a" * 64


def search(text: str) -> FieldSearch:
    return find_fields([("a.yaml", text.encode())])


def only(text: str) -> Field:
    found = search(text)
    assert found.problems == ()
    assert len(found.fields) == 1
    return found.fields[0]


def messages(text: str, severity: Severity = Severity.ERROR) -> list[str]:
    found = search(text)
    assert found.fields == ()
    return [problem.message for problem in found.problems if problem.severity is severity]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("image: x:1 # pilotfish: semver 1", "x:1"),
        ("# pilotfish: semver 1\nimage: x:1", "x:1"),
        ("a:\n  # pilotfish: semver 1\n  image: >-\n    x:1\n", "x:1"),
        ("image: >- # pilotfish: semver 1\n  x:1\n", "x:1"),
        ("image:\n  # pilotfish: semver 1\n  x:1\n", "x:1"),
        ("image: 'x:1' # pilotfish: semver 1", "x:1"),
        ("c: {name: a, image: x:1} # pilotfish: semver 1", "x:1"),
        ("c: [{name: a, image: x:1}] # pilotfish: semver 1", "x:1"),
        ("c: {\n  name: a,\n  image: x:1 } # pilotfish: semver 1", "x:1"),
        ("- x:1 # pilotfish: semver 1", "x:1"),
        ("%YAML 1.1\n---\nimage: x:1 # pilotfish: semver 1", "x:1"),
        ("a: &x !y z # no\nimage: x:1 # pilotfish: semver 1", "x:1"),
        ("image: &x x:1 # pilotfish: semver 1\nb: *x", "x:1"),
        ('image: "x:1"# pilotfish: semver 1', "x:1"),
        ("image: x:1\\\n  more # pilotfish: semver 1".replace("\\\n  more", ""), "x:1"),
    ],
)
def test_a_marker_of_ours_binds_one_scalar(text: str, value: str) -> None:
    assert only(text).value == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image: # pilotfish: semver 1\n  x:1", "only a key"),
        ("a: *x # pilotfish: semver 1", "alias"),
        ("c: {a: 1} # pilotfish: semver 1", "no value inside"),
        ("c: [x:1, y:2] # pilotfish: semver 1", "several values inside"),
        ("# pilotfish: semver 1\n\nimage: x:1", "no value on the next line"),
        ("image: x:1\n# pilotfish: semver 1\n", "no value on the next line"),
        ("a: [ # pilotfish: semver 1\n  x:1 ]", "no value ends"),
        ("x:1 # pilotfish: semver 1", "document that is one scalar"),
        ("# pilotfish: semver 1\nimage: x:1 # pilotfish: semver 2", "more than one marker"),
        ("image: x:1 # pilotfish: newest", "is no policy"),
        ("port: 80 # pilotfish: semver 1", "nothing says which part"),
    ],
)
def test_none_or_several_is_a_fault(text: str, message: str) -> None:
    assert any(message in one for one in messages(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('# {"$imagepolicy": "a:b"}\nimage: x:1', "above a key"),
        ('image: x:1\nc: [x] # {"$imagepolicy": "a:b"}', "closing bracket"),
        ("image: x:1 # {'$imagepolicy': 'a:b'}", "single quotes"),
        ('a: 1\na: x:1 # {"$imagepolicy": "a:b"}', "stands twice"),
        ('l:\n# one\n# {"$imagepolicy": "a:b"}\n- x:1', "several comment lines"),
        ('l:\n# {"$imagepolicy": "a:b"}\n- x:1 # note', "comment of its own"),
        ('l:\n- y\n# {"$imagepolicy": "a:b"}\n\n- x:1', "item above"),
        ('- # {"$imagepolicy": "a:b"}\n  k: v', "no value ends"),
    ],
)
def test_what_flux_passes_over_is_said(text: str, message: str) -> None:
    assert any(message in one for one in messages(text, Severity.WARNING))


def test_marker_text_inside_a_scalar_is_text() -> None:
    found = search('a: |\n  image: x:1 # {"$imagepolicy": "a:b"}\nb: "x # pilotfish: semver 1"\n')

    assert found == FieldSearch((), ())


@pytest.mark.parametrize(
    ("text", "part", "image"),
    [
        ("image: ghcr.io/a/b:1 # pilotfish: semver 1", Part.IMAGE, "ghcr.io/a/b"),
        ("image: r:5000/b # pilotfish: semver 1", Part.IMAGE, "r:5000/b"),
        ("newTag: 2.0 # pilotfish: semver 1 image=ghcr.io/a/b", Part.TAG, "ghcr.io/a/b"),
        ("images:\n- name: app\n  newTag: v1 # pilotfish: semver 1", Part.TAG, "app"),
        ("- name: a\n  newName: b\n  newTag: v1 # pilotfish: semver 1", Part.TAG, "b"),
        (
            "image:\n  registry: q.io\n  repository: a/b\n  tag: v1 # pilotfish: semver 1",
            Part.TAG,
            "q.io/a/b",
        ),
        (
            "image:\n  repository: a\n  tag: v1@" + D + " # pilotfish: semver 1",
            Part.TAG_AT_DIGEST,
            "a",
        ),
        ("repository: a/b\ndigest: " + D + " # pilotfish: digest", Part.DIGEST, "a/b"),
        ("V: 1.4.2 # pilotfish: semver 1 image=a/b", Part.TAG, "a/b"),
        ("V: 1.4.2@" + D + " # pilotfish: semver 1 image=a/b", Part.TAG_AT_DIGEST, "a/b"),
        ("V: 1.4.2 # pilotfish: semver 1 field=tag", Part.TAG, None),
        ("repository: a/b # pilotfish: semver 1", Part.NAME, "a/b"),
        ('tag: v1 # {"$imagepolicy": "a:b:tag"}', Part.TAG, None),
    ],
)
def test_part_and_repository_come_from_the_keys(text: str, part: Part, image: str | None) -> None:
    field = only(text)

    assert (field.part, field.image) == (part, image)


def test_a_digest_key_beside_a_tag_goes_with_it() -> None:
    field = only(f"image:\n  repository: a\n  tag: v1 # pilotfish: semver 1\n  digest: {D}\n")

    assert field.companion is not None
    assert field.companion.value == D
    assert field.holds_digest


@pytest.mark.parametrize("digest", ['""', "~", '"" # nothing yet'])
def test_an_empty_digest_key_is_no_companion(digest: str) -> None:
    field = only(f"image:\n  repository: a\n  tag: v1 # pilotfish: semver 1\n  digest: {digest}\n")

    assert field.companion is None


def test_a_digest_with_a_marker_of_its_own_is_no_companion() -> None:
    found = search(
        f'tag: v1 # {{"$imagepolicy": "a:b:tag"}}\ndigest: {D} # {{"$imagepolicy": "a:b:digest"}}\n'
    )

    assert [field.companion for field in found.fields] == [None, None]


def test_places_count_from_one_and_bytes_behind_a_byte_order_mark() -> None:
    content = "\ufeffé: é\r\n😀:\r\n  image: &a 'x:1' # pilotfish: semver 1".encode()
    (field,) = find_fields([("a.yaml", content)]).fields

    assert (field.line, field.column) == (3, 13)
    assert content[field.start : field.end] == b"'x:1'"


def test_identity_is_that_of_the_document() -> None:
    text = (
        "apiVersion: v1\nkind: A\nmetadata: {name: a, namespace: n}\n---\n"
        "apiVersion: v2\nkind: B\nmetadata: x\nimage: x:1 # pilotfish: semver 1\n"
    )

    identity = only(text).identity

    assert identity.as_json() == {"apiVersion": "v2", "kind": "B", "namespace": "", "name": ""}


def test_a_sealed_file_is_left_alone_whole() -> None:
    text = "image: x:1 # pilotfish: semver 1\nsops:\n  mac: ENC[...]\n"

    assert messages(text) == []
    assert "SOPS" in messages(text, Severity.WARNING)[0]


def test_one_bad_file_does_not_stop_another() -> None:
    good = b"image: x:1 # pilotfish: semver 1"

    found = find_fields([("bad.yaml", b"a: ["), ("good.yaml", good)])

    assert [field.file for field in found.fields] == ["good.yaml"]
    assert [problem.file for problem in found.problems] == ["bad.yaml"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image: x:1 # pilotfish: semver 1".encode("utf-16"), "UTF-16"),
        (b"image: \xff # pilotfish: semver 1", "not UTF-8"),
        (b"[" * 5000 + b"# pilotfish: x", "nested deeper"),
        (b"a: [" * 150 + b"# pilotfish: x", "nested deeper"),
        (b"- " * 101 + b"x # pilotfish: x", "nested deeper"),
        (b"\n".join(b"%%TAG !a%d! b" % n for n in range(200)), "directives"),
        (b"---\na\n" * 1001, "documents"),
        (b"a: &a b\n" + b"c: *a\n" * 10_001, "aliases"),
        (b"#" * (5 * 1024 * 1024 + 1), "bytes"),
    ],
)
def test_what_exceeds_a_bound_is_reported_and_left_alone(content: bytes, message: str) -> None:
    found = find_fields([("a.yaml", content)])

    assert found.fields == ()
    assert message in found.problems[0].message
    assert found.problems[0].severity is Severity.ERROR


def test_too_many_nodes_stop_the_parser() -> None:
    found = find_fields([("a.yaml", b"[" + b"a," * (MAX_NODES + 1) + b"]")])

    assert f"more than {MAX_NODES} nodes" in found.problems[0].message


def test_a_path_annotation_that_stops_flux_is_a_warning() -> None:
    found = search(
        "metadata:\n  annotations:\n    config.kubernetes.io/path: b.yaml\n"
        "image: x:1 # pilotfish: semver 1\n"
    )

    assert len(found.fields) == 1
    assert found.problems[0].severity is Severity.WARNING


def test_what_only_the_second_parser_takes_is_read_by_it() -> None:
    text = "a: &é b\nimage: x:1 # pilotfish: semver 1\n"

    assert only(text).value == "x:1"
