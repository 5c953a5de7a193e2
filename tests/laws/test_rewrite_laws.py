"""Two laws of rewriting: only marked scalars change (I1), and they read back exactly (I2).

The oracle is a second parser: it finds the marked scalars before and after, everything
outside their spans must be equal to the byte, and inside they must say the new value.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode as NewScalarNode
from ruamel.yaml.resolver import VersionedResolver
from yaml import ScalarNode
from yaml.resolver import Resolver

from bot.errors import Severity
from bot.rewrite.given import FileChanges, GivenReference, set_given

STRING = "tag:yaml.org,2002:str"
FLUX = '{"$imagepolicy": "flux-system:app:tag"}'
OURS = "pilotfish: policy app field=tag"
NASTY = [
    "1.10",
    "1e3",
    "0777",
    "0x1F",
    "0o17",
    "0b1",
    "08",
    "yes",
    "NO",
    "on",
    "y",
    "~",
    "null",
    "Null",
    ".inf",
    "-.INF",
    ".NaN",
    "1_000",
    "2024-01-15",
    "12:30:45",
    "1.2.3",
    "v1",
    "e1",
    "-",
    "-1",
    "+1",
    "---",
    "...",
    "=",
    "<<",
    "20240115103000",
    "0.4",
    "41",
    "2026.10",
    "true",
    "False",
    ".5",
    "5.",
    "1:20",
    "0_1",
    "2024-01-15T10:00:00Z",
    "#",
    "a#b",
    "a:",
    "b:c",
    "*x",
    "&x",
    "!x",
    "%x",
    "@x",
    "`x",
    "[x",
    "{x",
    "x,",
    "x]",
    "}",
    "|",
    ">",
    "'",
    '"',
    "\\",
    "é",
    "😀",
]


@dataclass(frozen=True)
class Page:
    """A YAML text and where its marked scalars begin, in characters."""

    text: str
    marked: tuple[int, ...]

    def as_bytes(self) -> bytes:
        return self.text.encode()


@dataclass(frozen=True)
class Piece:
    """Text of a page; a marked one is the scalar to be set."""

    text: str
    marked: bool = False


words = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)
fillers = st.sampled_from(
    [
        "",
        "   ",
        "# a comment",
        "#\ttabs\tin it",
        "# image: x:1 é 😀 'quote\" {[",
        '# see {"$imagepolicy": "a:b"} in the manual',
    ]
)
plain_values = st.sampled_from(["x", "1.0.0", "1.0", "v1", "0x1F", "yes", "~", "a b", "x:1", "é"])
comments = st.sampled_from([f"# {FLUX}", f"#{FLUX}", f"## {FLUX}", f"# {OURS}"])
gaps = st.sampled_from([" ", "   "])  # the second parser takes no tab here


@st.composite
def scalars(draw: st.DrawFn, *, flow: bool = False) -> list[Piece]:
    """Return a marked scalar with what may stand before it."""
    value = draw(plain_values)
    before = draw(st.sampled_from(["", "&anchor ", "!custom ", "!!str ", "&a !custom "]))
    style = draw(st.sampled_from(["plain", "single", "double"]))
    if flow and ":" in value:
        value = "x"
    written = {"plain": value, "single": f"'{value}'", "double": f'"{value}"'}[style]
    return [Piece(before), Piece(written, marked=True)]


@st.composite
def entries(draw: st.DrawFn, key: str, indent: str) -> list[Piece]:
    """Return one entry of a map, marked or not."""
    marker = Piece(draw(gaps) + draw(comments))
    match draw(st.integers(0, 9)):
        case 0:
            return [Piece(f"{indent}{key}: {draw(words)}  # plain\n")]
        case 1:
            return [Piece(indent + draw(fillers).rstrip("\n") + "\n")]
        case 2:
            lines = draw(st.lists(words, min_size=1, max_size=3))
            body = "".join(f"{indent}  {line}: x # {FLUX}\n" for line in lines)
            return [Piece(f"{indent}{key}: |\n{body}")]
        case 3:
            head = [Piece(f"{indent}{key}:\n{indent}- ")]
            return [*head, *draw(scalars()), marker, Piece(f"\n{indent}- y\n")]
        case 4:
            above = f"{indent}{key}:\n{indent}- y\n{indent}# {FLUX}\n{indent}- "
            return [Piece(above), *draw(scalars()), Piece("\n")]
        case 5:
            inside = [Piece(f"{indent}{key}: {{\n{indent}  a: "), *draw(scalars(flow=True))]
            return [*inside, Piece(","), marker, Piece(f"\n{indent}  b: [1, 2] }}\n")]
        case 6:
            header = draw(st.sampled_from([">-", "|-", ">", "|", "|+", ">2-"]))
            if header == ">2-":
                start = Piece(f"{indent}{key}: >2- # {FLUX}\n{indent}  ")
            else:
                start = Piece(f"{indent}{key}: {header} # {FLUX}\n{indent}    ")
            return [
                Piece(f"{indent}{key}: ", marked=False),
                Piece(start.text.removeprefix(f"{indent}{key}: ") + "x:1", marked=True),
                Piece("\n"),
            ]
        case 7:
            return [
                Piece(f"{indent}{key}:\n{indent}  deeper:\n{indent}      value: "),
                *draw(scalars()),
                marker,
                Piece("\n"),
            ]
        case _:
            return [Piece(f"{indent}{key}: "), *draw(scalars()), marker, Piece("\n")]


@st.composite
def pages(draw: st.DrawFn) -> Page:
    """Return a stream of one to three documents with any kind of line end."""
    pieces: list[Piece] = []
    for number in range(draw(st.integers(1, 3))):
        if number or draw(st.booleans()):
            pieces.append(Piece(draw(st.sampled_from(["---\n", "--- # again\n", "# top\n---\n"]))))
        for index in range(draw(st.integers(1, 6))):
            pieces += draw(entries(f"k{index}", ""))
        pieces.append(Piece(f"last{number}: 1\n"))
    text, marked = "", []
    line_end = draw(st.sampled_from(["\n", "\r\n"]))
    for piece in pieces:
        if piece.marked:
            marked.append(len(text))
        text += piece.text.replace("\n", line_end)
    if draw(st.booleans()):
        text = text.removesuffix(line_end)
    return Page(text, tuple(marked))


tags = st.one_of(
    st.sampled_from(NASTY),
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="@"), min_size=1),
)


def set_tag(content: bytes, tag: str) -> FileChanges:
    """Set every marked field to `tag`."""
    reference = GivenReference(image="ghcr.io/acme/app", tag=tag, digest=None)
    return set_given("a.yaml", content, {("flux-system", "app"): reference})


def scalars_of(text: str) -> list[tuple[int, int, str, str, str | None]]:
    """Return start, end, value, style and tag of every scalar, by the second parser."""
    return [
        (event.start_mark.index, event.end_mark.index, event.value, event.style or "", event.tag)
        for event in YAML(pure=True, typ="safe").parse(text)
        if type(event).__name__ == "ScalarEvent"
    ]


def masked(text: str, spans: list[tuple[int, int]]) -> str:
    """Return `text` with the spans cut out, a sign left in their place."""
    made, done = [], 0
    for start, end in spans:
        made += [text[done:start], "\0"]
        done = end
    return "".join([*made, text[done:]])


def targets(page: Page, text: str) -> list[tuple[int, int, str, str, str | None]]:
    """Return the marked scalars of `text`, by their place in the order of the page's."""
    places = [
        index
        for index, (start, end, *_) in enumerate(scalars_of(page.text))
        if any(start <= at < max(end, start + 1) for at in page.marked)
    ]
    found = scalars_of(text)
    return [found[index] for index in places]


@given(pages(), tags, st.booleans())
def test_only_marked_scalars_change(page: Page, tag: str, mark: bool) -> None:
    before = ("\ufeff" if mark else "").encode() + page.as_bytes()

    made = set_tag(before, tag)

    after = made.content if made.content is not None else before
    assert after.startswith(b"\xef\xbb\xbf") == mark
    text = after.decode().removeprefix("\ufeff")
    old = [(start, end) for start, end, *_ in targets(page, page.text)]
    new = [(start, end) for start, end, *_ in targets(page, text)]
    assert masked(page.text, old) == masked(text, new)


@given(pages(), tags)
def test_marked_scalars_read_back_exactly(page: Page, tag: str) -> None:
    made = set_tag(page.as_bytes(), tag)

    if any(problem.severity is Severity.ERROR for problem in made.problems):
        assert made.content is None  # refused whole
        return
    assert made.content is not None or not page.marked or all_are(page, tag)
    text = (made.content or page.as_bytes()).decode()
    before = [value for _, _, value, _, _ in targets(page, page.text)]
    for old, (_, _, value, style, kind) in zip(before, targets(page, text), strict=True):
        assert value.strip("\n") == tag
        if style == "" and kind is None and old != tag:  # what was current stays as it was
            assert reads_as_string(tag)


def all_are(page: Page, tag: str) -> bool:
    return all(value.strip("\n") == tag for _, _, value, _, _ in targets(page, page.text))


def reads_as_string(text: str) -> bool:
    old = Resolver().resolve(ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]  # no types
    new = VersionedResolver(version=(1, 2)).resolve(NewScalarNode, text, (True, False))
    return str(old) == STRING and str(new) == STRING


@given(pages(), tags)
def test_setting_twice_is_setting_once(page: Page, tag: str) -> None:
    made = set_tag(page.as_bytes(), tag)

    if made.content is not None:
        again = set_tag(made.content, tag)
        assert again.content is None
        assert again.changes == ()


@given(pages(), st.sampled_from(["a: [\n", "b: 'open\n", "{{- if .x }}\n", "- a\nb: c\n"]))
def test_a_file_with_an_unreadable_document_is_left_alone(page: Page, bad: str) -> None:
    content = page.text.rstrip().encode() + b"\n---\n" + bad.encode()

    made = set_given("a.yaml", content, {("flux-system", "app"): FLUX_ONLY})

    if OURS not in page.text:
        assert made.content is None
    assert made.problems


FLUX_ONLY = GivenReference(image="ghcr.io/acme/app", tag="2", digest=None)


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_read_or_reported(content: bytes, marked: bool) -> None:
    if marked:
        content += b'\nimage: x:1 # {"$imagepolicy": "flux-system:app"}\n'

    made = set_tag(content, "2")

    assert made.content is None or made.content != content
