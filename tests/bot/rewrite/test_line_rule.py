"""Files that no YAML parser reads: markers of ours by the line, Flux's left alone."""

from __future__ import annotations

import pytest

from bot.errors import Severity
from bot.rewrite.fields import Style
from bot.rewrite.marker import Part
from bot.rewrite.splice import RefusedEditError, edit_file, new_values
from bot.rewrite.tree import find_fields

HELM = "{{- if .Values.x }}\n"


def test_a_marked_value_on_its_line_is_found_and_set() -> None:
    content = (HELM + "  - image: 'a/b:1' # pilotfish: semver 1\r\n{{ end }}").encode()
    found = find_fields([("t.yaml", content)])
    (field,) = found.fields

    edits = new_values(field, image="a/b", tag="2", digest=None)
    made = edit_file("t.yaml", content, edits)

    assert (field.style, field.part, field.image) == (Style.LINE, Part.IMAGE, "a/b")
    assert made == content.replace(b"a/b:1", b"a/b:2")
    assert [problem.severity for problem in found.problems] == [Severity.NOTE]


def test_flux_markers_there_are_left_alone_and_reported() -> None:
    content = (HELM + 'image: a:1 # {"$imagepolicy": "a:b"}\n').encode()

    found = find_fields([("t.yaml", content)])

    assert found.fields == ()
    assert found.problems[0].severity is Severity.ERROR


@pytest.mark.parametrize(
    "line",
    [
        "image: {{ .Values.image }} # pilotfish: semver 1",
        'image: "{{ .x }}:1" # pilotfish: semver 1',
        "# pilotfish: semver 1",
        "image: # pilotfish: semver 1",
        "port: 80 # pilotfish: semver 1",
    ],
)
def test_a_line_without_a_plain_value_is_a_fault(line: str) -> None:
    found = find_fields([("t.yaml", (HELM + line + "\n").encode())])

    assert found.fields == ()
    assert all(problem.severity is Severity.ERROR for problem in found.problems)


@pytest.mark.parametrize(
    ("written", "tag", "expected"),
    [
        ("1.0", "1.10", '"1.10"'),
        ('"1.0"', "1.10", '"1.10"'),
        ("'1.0'", "it's", "'it''s'"),
        ("v1", "v2", "v2"),
    ],
)
def test_quotes_are_kept_or_added(written: str, tag: str, expected: str) -> None:
    content = f"{HELM}tag: {written} # pilotfish: semver 1 image=a/b\n".encode()
    (field,) = find_fields([("t.yaml", content)]).fields

    made = edit_file("t.yaml", content, [(field, tag)])

    assert f"tag: {expected} #".encode() in made


def test_a_value_that_would_not_read_back_is_refused() -> None:
    content = f'{HELM}tag: "v1" # pilotfish: semver 1 image=a/b\n'.encode()
    (field,) = find_fields([("t.yaml", content)]).fields

    with pytest.raises(RefusedEditError):
        edit_file("t.yaml", content, [(field, "a\nb")])


def test_another_text_than_the_searched_one_is_refused() -> None:
    content = f"{HELM}tag: v1 # pilotfish: semver 1 image=a/b\n".encode()
    (field,) = find_fields([("t.yaml", content)]).fields

    with pytest.raises(RefusedEditError):
        edit_file("t.yaml", b"x" + content, [(field, "v2")])


def test_a_sealed_template_is_left_alone() -> None:
    content = f"{HELM}tag: v1 # pilotfish: semver 1 image=a/b\nsops:\n  mac: x\n".encode()

    assert find_fields([("t.yaml", content)]).fields == ()
