"""New values into old bytes: styles, quotes, digests, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.rewrite import splice
from bot.rewrite.nodes import signature_of
from bot.rewrite.spelling import may_be_plain, reads_as_string
from bot.rewrite.splice import RefusedEditError, edit_file, new_value, new_values
from bot.rewrite.tree import find_fields

if TYPE_CHECKING:
    from bot.rewrite.fields import Field

FLUX = '# {"$imagepolicy": "a:b%s"}'
OURS = "# pilotfish: semver 1"
OLD = "sha256:" + "a" * 64
NEW = "sha256:" + "b" * 64


def field_in(text: str) -> Field:
    (field,) = find_fields([("a.yaml", text.encode())]).fields
    return field


def edited(text: str, value: str) -> str:
    return edit_file("a.yaml", text.encode(), [(field_in(text), value)]).decode()


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("tag: x", "v1.1.0", "tag: v1.1.0"),
        ("tag: 1.0", "1.10", 'tag: "1.10"'),
        ("tag: 'x'", "1.10", "tag: '1.10'"),
        ("tag: 'x'", "it's", "tag: 'it''s'"),
        ("tag: 'x'", "a\tb", 'tag: "a\\tb"'),
        ('tag: "x"', 'a"b\\c', 'tag: "a\\"b\\\\c"'),
        ("tag: x", "", 'tag: ""'),
        ("tag: x", "é", 'tag: "é"'),
        ("tag: x", "\U0001f600\u200b", 'tag: "\U0001f600\\u200b"'),
        ("tag: &a !!str x", "1.10", 'tag: &a !!str "1.10"'),
        ("tag: &a # why\n  x", "v2", "tag: &a # why\n  v2"),
        ("tag: one\n  two", "v2", "tag: v2"),
        ('tag: "one\n  two"', "v2", 'tag: "v2"'),
    ],
)
def test_style_is_kept_and_quotes_are_added_where_needed(
    before: str, value: str, after: str
) -> None:
    mark = " " + FLUX % ":tag" + "\n"

    assert edited(before + mark, value) == after + mark


@pytest.mark.parametrize("header", ["|", "|-", "|+", ">", ">-", ">2-", "|2"])
def test_a_block_keeps_its_form(header: str) -> None:
    text = f"tag: {header} {FLUX % ':tag'}\n\n  one\n  two\n\nb: 1\n"

    assert edited(text, "v2") == text.replace("one\n  two", "v2")


def test_a_block_with_its_own_indentation_keeps_it() -> None:
    text = f"tag: |2- {FLUX % ':tag'}\n    x\nb: 1\n"

    assert edited(text, "v2") == text.replace("    x", "  v2")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"tag: |- {FLUX % ':tag'}\n\nb: 1", "v2"),
        (f"tag: |- {FLUX % ':tag'}\n  x\nb: 1", ""),
        (f"tag: |- {FLUX % ':tag'}\n  x\nb: 1", "a\nb"),
        (f"tag: |- {FLUX % ':tag'}\n  x\nb: 1", " a"),
        (f"tag: !!float 1.0 {FLUX % ':tag'}\n", "v2"),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_place(text: str, value: str) -> None:
    with pytest.raises(RefusedEditError) as refusal:
        edited(text, value)

    assert refusal.value.where.startswith("a.yaml:1")


def test_flow_collections_quote_their_own_marks() -> None:
    text = f"a: [\n  x, {FLUX % ':tag'}\n  y]\n"

    assert edited(text, "v1,2") == text.replace("x,", '"v1,2",')


def test_crlf_byte_order_mark_and_missing_line_end_stay() -> None:
    text = f"\ufeffa: é\r\ntag: x {FLUX % ':tag'}\r\n\r\nb:   1"
    content = text.encode()
    (field,) = find_fields([("a.yaml", content)]).fields

    made = edit_file("a.yaml", content, [(field, "v2")])

    assert made == content.replace(b"tag: x", b"tag: v2")


def test_a_current_value_changes_nothing() -> None:
    text = f"tag:    'v2'   {FLUX % ':tag'}"

    assert edited(text, "v2") == text


@pytest.mark.parametrize(
    "other", [b"b: x\n", b"a: [\n", b"\xff\n", b"xxxxxxxxxxxxxxxxxxxxxxxxxxx: 1"]
)
def test_another_text_than_the_searched_one_is_refused(other: bytes) -> None:
    field = field_in(f"tag: x {FLUX % ':tag'}\n")

    with pytest.raises(RefusedEditError, match="not the one"):
        edit_file("a.yaml", other, [(field, "v2")])


def test_two_edits_of_one_field_are_refused() -> None:
    text = f"tag: x {FLUX % ':tag'}\n"
    field = field_in(text)

    with pytest.raises(RefusedEditError):
        edit_file("a.yaml", text.encode(), [(field, "v2"), (field, "v3")])


def test_a_file_read_by_the_second_parser_is_edited_by_it() -> None:
    text = f"a: &é b\ntag: x {FLUX % ':tag'}\n"

    assert edited(text, "1.10") == text.replace("tag: x", 'tag: "1.10"')


@pytest.mark.parametrize(
    ("line", "part", "digest", "expected"),
    [
        ("image: old/x:1", "", None, "i/n:2"),
        ("image: old/x:1", "", NEW, f"i/n:2@{NEW}"),
        (f"image: old/x:1@{OLD}", "", None, "i/n:2"),
        ("name: old/x", ":name", NEW, "i/n"),
        ("tag: 1", ":tag", NEW, "2"),
        (f"tag: 1@{OLD}", ":tag", NEW, f"2@{NEW}"),
        (f"tag: 1@{OLD}", ":tag", None, "2"),
        (f"digest: {OLD}", ":digest", NEW, NEW),
        ("digest: x", ":digest", None, ""),
    ],
)
def test_a_flux_marker_writes_the_reference_as_given(
    line: str, part: str, digest: str | None, expected: str
) -> None:
    field = field_in(f"{line} {FLUX % part}")

    assert new_value(field, image="i/n", tag="2", digest=digest) == expected


@pytest.mark.parametrize(
    ("line", "digest", "expected"),
    [
        ("image: r:5000/x:1", None, "r:5000/x:2"),
        ("image: old/x", None, "old/x:2"),
        (f"image: old/x:1@{OLD}", NEW, f"old/x:2@{NEW}"),
        ("repository: old/x", NEW, "old/x"),
        ("tag: 1", None, "2"),
        (f"tag: 1@{OLD}", NEW, f"2@{NEW}"),
        (f"digest: {OLD}", NEW, NEW),
        ("digest: " + "a" * 64, NEW, "b" * 64),
    ],
)
def test_a_marker_of_ours_never_changes_the_repository(
    line: str, digest: str | None, expected: str
) -> None:
    field = field_in(f"{line} {OURS}")

    assert new_value(field, image="i/n", tag="2", digest=digest) == expected


@pytest.mark.parametrize("line", [f"image: old/x:1@{OLD}", f"tag: 1@{OLD}", f"digest: {OLD}"])
def test_a_written_digest_needs_a_new_one(line: str) -> None:
    with pytest.raises(RefusedEditError, match="a digest stands here"):
        new_value(field_in(f"{line} {OURS}"), image="i/n", tag="2", digest=None)


def test_a_digest_beside_the_tag_is_written_with_it() -> None:
    text = f"tag: 1 {FLUX % ':tag'}\ndigest: '{OLD}'\n"
    edits = new_values(field_in(text), image="i", tag="2", digest=NEW)

    made = edit_file("a.yaml", text.encode(), edits).decode()

    assert made == f"tag: \"2\" {FLUX % ':tag'}\ndigest: '{NEW}'\n"


def test_a_digest_beside_the_tag_and_none_given_is_refused() -> None:
    field = field_in(f"tag: 1 {FLUX % ':tag'}\ndigest: {OLD}\n")

    with pytest.raises(RefusedEditError, match="would win"):
        new_values(field, image="i", tag="2", digest=None)


def test_the_span_that_counts_is_the_parsers() -> None:
    text = f"a: &x 1 {FLUX % ':tag'}\nb: 2\n"
    field = replace(field_in(text), end=len(text))

    made = edit_file("a.yaml", text.encode(), [(field, "v2")])

    assert made.decode() == text.replace("&x 1", "&x v2")


@pytest.mark.parametrize("made", [b"tag: v2\nb: 1\n", b"tag: v3\n", b"tag: [\n"])
def test_a_result_that_means_anything_else_is_refused(made: bytes) -> None:
    field = field_in(f"tag: x {FLUX % ':tag'}\n")
    wanted = signature_of("tag: v2\n", engine="pyyaml")

    with pytest.raises(RefusedEditError, match="would damage the file"):
        splice._verify("a.yaml", made, wanted, "pyyaml", [(field, "v2")])


@pytest.mark.parametrize(
    "text",
    [
        "1.10",
        "1e3",
        "yes",
        "0777",
        "0x1F",
        "1_000",
        "2024-01-15",
        "12:30:45",
        "null",
        "~",
        ".inf",
        "y",
        "N",
        "08",
        "0o17",
        "-1",
        "+.5",
        "=",
        "<<",
        "1:20.5",
    ],
)
def test_what_a_reader_takes_for_something_else_is_no_string(text: str) -> None:
    assert not reads_as_string(text)


@pytest.mark.parametrize("text", ["1.2.3", "v1", "e1", "1.2.3-rc.1", "a/b:c", "latest", "0a"])
def test_what_is_a_string_stays_plain(text: str) -> None:
    assert may_be_plain(text, flow=True)


@pytest.mark.parametrize("text", ["", "a:", "a b", "#a", "-", "---", "...", "*a", "a\u2028b", "?"])
def test_what_yaml_would_misread_is_never_plain(text: str) -> None:
    assert not may_be_plain(text, flow=False)
