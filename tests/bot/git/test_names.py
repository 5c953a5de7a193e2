"""Names that go to git: what fits our grammar fits git's, and what could hurt fits neither."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.git.names import EntryKind, Identity, InvalidName, RefName, RelPath, Sha, TreeEntry

HOSTILE = [
    "-x",
    "--upload-pack=touch /tmp/x",
    "a;id",
    "a$(id)",
    "a`id`",
    "refs/heads/x",
    "@",
    "HEAD",
    "a b",
    "a\nb",
    "a\x00b",
    "../x",
    "a/../b",
    "a/-b",
    "a/.b",
    "a..b",
    "a@{1}",
    "a.lock",
    "a.lock/b",
    "a./b",
    "a.",
    "/a",
    "a/",
    "a//b",
    "a:b",
    "a^b",
    "a~1",
    "a*",
    "a?",
    "a[b",
    "a\\b",
    "",
    "é",
    "\u202eb",
    "x" * 300,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_branch_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        RefName(text)


@pytest.mark.parametrize(
    "text", ["main", "release/1.x", "pilotfish/main/api", "fix#12", "a@b", "v1.2+3", "x=y", "_a"]
)
def test_a_usual_branch_name_is_taken_and_qualified(text: str) -> None:
    assert RefName(text).ref == f"refs/heads/{text}"


@settings(max_examples=60, deadline=None)
@given(st.from_regex(r"[A-Za-z0-9_.+#=@/{-]{1,12}", fullmatch=True))
def test_what_we_take_for_a_branch_git_takes_too(text: str) -> None:
    try:
        name = RefName(text)
    except InvalidName:
        return

    assert subprocess.run(["git", "check-ref-format", name.ref], check=False).returncode == 0


@pytest.mark.parametrize("text", ["", "abc", "0" * 40, "G" * 40, "a" * 41, "-" + "a" * 39])
def test_only_a_whole_object_id_is_one(text: str) -> None:
    with pytest.raises(InvalidName):
        Sha(text)


@pytest.mark.parametrize(
    "text", ["/etc/passwd", "../x", "a/../../x", ".git/config", "a/.GIT/x", "a\nb", "a\x1bb", "a\0"]
)
def test_a_path_that_leaves_the_tree_is_refused(text: str) -> None:
    with pytest.raises(InvalidName) as caught:
        RelPath(text)

    assert caught.value.hint == "Give a path relative to its top, without '..'"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a/b", "a/b"), ("./a//b/", "a/b"), (".", ""), ("", ""), ("a b/ü.yaml", "a b/ü.yaml")],
)
def test_a_path_is_brought_to_one_form(text: str, expected: str) -> None:
    assert RelPath(text) == expected


@pytest.mark.parametrize(
    ("name", "email"),
    [("a\nb", "a@b"), ("a<b", "a@b"), ("", "a@b"), ("a", ""), ("a", "a b@c"), ("a", "a>@b")],
)
def test_a_person_who_would_break_the_author_line_is_refused(name: str, email: str) -> None:
    with pytest.raises(InvalidName):
        Identity(name=name, email=email)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("100644", EntryKind.FILE),
        ("100755", EntryKind.FILE),
        ("120000", EntryKind.LINK),
        ("160000", EntryKind.SUBMODULE),
    ],
)
def test_the_mode_tells_the_kind(mode: str, kind: EntryKind) -> None:
    assert TreeEntry("a", mode, Sha("1" * 40)).kind is kind
