"""Where a comment counts: from a comment that may hold a marker to the scalar it binds.

A Flux marker counts where Flux honours it (Flux image automation, observed): on the line of
a scalar value, on the header line of a block, after an entry of a flow collection, and as
the single comment line above a scalar of a block sequence. Ours belongs to the scalar that
ends on its line; after a closing `}` or `]` to the only scalar inside that holds an image,
tag or digest; on a line of its own to the scalar of the next line (rules of detail, 2).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.rewrite.nodes import Kind, Node
from bot.rewrite.siblings import looks_bound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.rewrite.nodes import Stop, Tree

_NEEDLE = re.compile(r"\$image_?policy|pilotfish", re.IGNORECASE)
_DASH = re.compile(r"[ \t]*-[ \t]+")
_COMMENT = re.compile(r"(?:\A|(?<=[\s,\[\]{}\"']))#")
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, eq=False)
class Comment:
    """A comment that may be a marker.

    `start` is where its `#` stands, `line` counts from 0; `before` is what ended last on
    its line, None when it stands alone or after dashes only; `header_of` is the block
    scalar on whose header line it stands.
    """

    text: str
    start: int
    line: int
    column: int
    before: Stop | None
    alone: bool
    header_of: Node | None = None


class Layout:
    """A text with its tree, where its lines begin and what ends where."""

    def __init__(self, text: str, tree: Tree) -> None:
        self.text = text
        self.tree = tree
        self.starts = [0, *(found.end() for found in _LINE_END.finditer(text))]
        self.ends = [stop.end for stop in tree.stops]

    def number(self, at: int) -> int:
        """Return the line of the character `at`, from 0."""
        return bisect_right(self.starts, at) - 1

    def line(self, number: int) -> str:
        """Return a line without its end; empty beyond the text."""
        if not 0 <= number < len(self.starts):
            return ""
        end = self.starts[number + 1] if number + 1 < len(self.starts) else len(self.text)
        return self.text[self.starts[number] : end].rstrip("\r\n")

    def is_comment(self, number: int) -> bool:
        """Return whether a line holds nothing but a comment."""
        return self.line(number).lstrip().startswith("#")

    def text_start(self, node: Node) -> int:
        """Return where a scalar's own text begins, behind its anchor and tag."""
        text, at = self.text, node.start
        while node.anchor is not None or node.tag is not None:
            while at < node.end and text[at].isspace():
                at += 1
            if text[at : at + 1] == "#":
                at = self.starts[self.number(at) + 1]
            elif text[at : at + 1] in {"&", "!"} and at < node.end:
                while at < node.end and not text[at].isspace():
                    at += 1
            else:
                return at
        return at

    def stops_from(self, at: int) -> Iterator[Stop]:
        """Yield what ends behind the character `at`, in order."""
        for index in range(bisect_right(self.ends, at), len(self.ends)):
            yield self.tree.stops[index]


def find_comments(layout: Layout) -> Iterator[Comment]:
    """Yield every comment of the text that mentions a marker's word, in order."""
    seen = -1
    for found in _NEEDLE.finditer(layout.text):
        at = found.start()
        if at < seen:
            continue
        number = layout.number(at)
        around = next(layout.stops_from(at), None)
        if around is not None and around.start <= at and not around.closes:
            comment = _on_header(layout, around, number, at)
        else:
            comment = _in_gap(layout, number, at)
        if comment is not None:
            seen = layout.starts[number] + len(layout.line(number))
            yield comment


def _on_header(layout: Layout, stop: Stop, number: int, at: int) -> Comment | None:
    """Return the comment on the header line of a block scalar; other text is no comment."""
    if stop.node.style not in {"|", ">"}:
        return None
    line_start = layout.starts[number]
    header = layout.text_start(stop.node)
    if not line_start <= header <= at:
        return None
    start = layout.text.find("#", header, at + 1)
    if start < 0:
        return None
    text = layout.line(number)[start - line_start :]
    return Comment(text, start, number, start - line_start + 1, stop, False, stop.node)


def _in_gap(layout: Layout, number: int, at: int) -> Comment | None:
    """Return the comment between two tokens that holds the character `at`."""
    line_start = layout.starts[number]
    index = bisect_right(layout.ends, at) - 1
    before = layout.tree.stops[index] if index >= 0 else None
    here = before if before is not None and before.end > line_start else None
    gap = here.end if here is not None else line_start
    start = gap
    if layout.text[gap : gap + 1] != "#":
        found = _COMMENT.search(layout.text[gap : at + 1])
        if found is None:
            return None
        start = gap + found.end() - 1
    column = start - line_start + 1
    lead = layout.line(number)[: start - line_start]
    text = layout.line(number)[start - line_start :]
    return Comment(text, start, number, column, here, alone=not lead.strip())


def flux_target(layout: Layout, comment: Comment) -> Node | str:
    """Return the scalar that a Flux marker in `comment` sets, or why there is none."""
    if comment.header_of is not None:
        return _value(comment.header_of)
    if comment.before is not None:
        if comment.before.closes:
            return "it stands behind a closing bracket"
        return _value(comment.before.node)
    if comment.alone:
        return _below_head(layout, comment)
    return _behind_dash(layout, comment)


def _behind_dash(layout: Layout, comment: Comment) -> Node | str:
    start = layout.starts[comment.line]
    if _DASH.fullmatch(layout.text[start : comment.start]):
        node = _next_scalar(layout, comment.start)
        if node is not None and node.parent is not None and node.parent.kind is Kind.SEQ:
            lead = layout.text[layout.starts[layout.number(node.start)] : node.start]
            if not lead.strip():
                return node
    return "no value ends on its line"


def _value(node: Node) -> Node | str:
    if node.kind is Kind.ALIAS:
        return "it stands on an alias; mark the anchor's value"
    if node.is_key:
        return "no value ends on its line, only a key"
    if node.parent is None:
        return "it stands on a document that is one scalar"
    return node


def _below_head(layout: Layout, comment: Comment) -> Node | str:
    """Apply Flux's rule for the single comment line above a scalar of a block sequence."""
    elsewhere = "it stands above a key or below a value, where Flux does not look"
    node = _next_scalar(layout, comment.start)
    if node is None or node.parent is None or node.parent.kind is not Kind.SEQ or node.parent.flow:
        return elsewhere
    line = layout.number(node.start)
    between = [layout.line(number).strip() for number in range(comment.line + 1, line)]
    if not _DASH.fullmatch(layout.text[layout.starts[line] : node.start]) or any(between):
        return elsewhere
    if layout.is_comment(comment.line - 1):
        return "it is one of several comment lines"
    first = node.parent.items[0] is node
    follows_blank = comment.line > 0 and not layout.line(comment.line - 1).strip()
    if between and not first and not follows_blank:
        return "it belongs to the item above, because a blank line follows"
    if _has_line_comment(layout, node):
        return "the item has a comment of its own, which hides the one above"
    return node


def _has_line_comment(layout: Layout, node: Node) -> bool:
    at = layout.text_start(node) if node.style in {"|", ">"} else node.end
    number = layout.number(at)
    rest = layout.line(number)[at - layout.starts[number] :]
    return "#" in rest if node.style in {"|", ">"} else rest.lstrip().startswith("#")


def _next_scalar(layout: Layout, at: int) -> Node | None:
    """Return the scalar that comes next behind `at`, unless something else does."""
    stop = next(layout.stops_from(at), None)
    return stop.node if stop is not None and stop.node.kind is Kind.SCALAR else None


def inline_target(layout: Layout, comment: Comment) -> Node | str:
    """Return the scalar that a marker of ours in `comment` binds, or why there is none."""
    if comment.header_of is not None:
        return _value(comment.header_of)
    if comment.alone:
        return _only(list(_starting_on(layout, comment.line + 1)), "on the next line")
    if comment.before is None:
        return "no value ends on its line"
    if comment.before.closes:
        return _only(list(_scalars_of(comment.before.node)), "inside the brackets", bound=True)
    ending = list(_ending_on(layout, comment))
    return _only(ending, "on its line") if ending else _value(comment.before.node)


def _ending_on(layout: Layout, comment: Comment) -> Iterator[Node]:
    for stop in layout.stops_from(layout.starts[comment.line]):
        if stop.end > comment.start:
            return
        if not stop.closes and isinstance(_value(stop.node), Node):
            yield stop.node


def _starting_on(layout: Layout, line: int) -> Iterator[Node]:
    if line >= len(layout.starts):
        return
    for stop in layout.stops_from(layout.starts[line]):
        begins = layout.number(stop.start)
        if begins > line:
            return
        if stop.closes or not isinstance(_value(stop.node), Node):
            continue
        if layout.number(layout.text_start(stop.node)) == line:
            yield stop.node


def _only(nodes: list[Node], place: str, *, bound: bool = False) -> Node | str:
    """Return the only scalar, or the only one of several that holds an image, tag or digest."""
    if len(nodes) == 1 and not bound:
        return nodes[0]
    fitting = [node for node in nodes if looks_bound(node)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        return f"no value {place} holds an image, tag or digest"
    return f"several values {place} hold an image, tag or digest"


def _scalars_of(node: Node) -> Iterator[Node]:
    if node.kind is Kind.SCALAR:
        yield node
    for item in node.items:
        yield from _scalars_of(item)
    for _, value in node.pairs:
        yield from _scalars_of(value)
