"""The door to the YAML parsers: text in, a tree of marked positions out.

PyYAML's C events give the positions; what PyYAML refuses, ruamel.yaml's own parser is
asked about, which takes a few more files and fourteen milliseconds each (rules of detail,
16). No constructor runs, nothing is resolved, nothing is ever dumped. Every bound is
counted while the events come: the parser is stopped at the first excess.

Positions are character indexes into the text given, without a byte-order mark.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from bot.yaml_bounds import MAX_ALIASES, MAX_DEPTH, MAX_DOCUMENTS, MAX_NODES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SECOND_OPINION_CHARS = 512 * 1024  # ruamel's parser needs seconds beyond this


_OPENING = frozenset({"MappingStartEvent", "SequenceStartEvent"})
_CLOSING = frozenset({"MappingEndEvent", "SequenceEndEvent"})
_MOST = {"AliasEvent": (MAX_ALIASES, "aliases"), "DocumentStartEvent": (MAX_DOCUMENTS, "documents")}
_NO_ITEMS: list[Node] = []  # shared by all that hold none; never written
_NO_PAIRS: list[tuple[Node, Node]] = []


class Kind(Enum):
    """What a node is."""

    SCALAR = "scalar"
    ALIAS = "alias"
    MAP = "map"
    SEQ = "sequence"


class UnreadableError(ValueError):
    """The text is not YAML or exceeds a bound; `line` counts from 1, 0 when unknown."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line


class Node:
    """One node with its place; the span of a scalar begins at its anchor or tag, if any.

    `key` is the node of the key that this value stands under, None for items, roots and
    keys themselves. `items` are a sequence's items; `pairs` a map's entries, duplicates
    included. `document` counts from 0. Written by hand because a file has hundreds.
    """

    __slots__ = (
        "anchor",
        "document",
        "end",
        "firsts",
        "flow",
        "is_key",
        "items",
        "key",
        "kind",
        "pairs",
        "parent",
        "start",
        "style",
        "tag",
        "value",
    )

    def __init__(  # noqa: PLR0917  # by position, because hundreds of thousands are made
        self,
        kind: Kind,
        start: int = 0,
        end: int = 0,
        value: str = "",
        style: str = "",
        anchor: str | None = None,
        tag: str | None = None,
    ) -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.value = value
        self.style = style
        self.anchor = anchor
        self.tag = tag
        self.flow = False
        self.is_key = False
        self.parent: Node | None = None
        self.key: Node | None = None
        self.document = 0
        self.items: list[Node] = _NO_ITEMS
        self.pairs: list[tuple[Node, Node]] = _NO_PAIRS
        self.firsts: dict[str, Node] | None = None

    def child(self, name: str) -> Node | None:
        """Return the value under the first key `name` of a map; ask when the tree is whole."""
        if self.firsts is None:
            self.firsts = {}
            for key, value in self.pairs:
                if key.kind is Kind.SCALAR:
                    self.firsts.setdefault(key.value, value)
        return self.firsts.get(name)

    def text(self, name: str) -> str:
        """Return the scalar under the first key `name` of a map, empty when there is none."""
        found = self.child(name)
        return found.value if found is not None and found.kind is Kind.SCALAR else ""


class Stop(NamedTuple):
    """The end of something that a comment can follow: a scalar, an alias, a `}` or `]`."""

    start: int
    end: int
    node: Node
    closes: bool


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Everything a parser says about one text.

    `roots` holds one node for each document; `stops` is in the order of the text;
    `signature` has one entry for each event, without positions: two texts with equal
    signatures mean the same.
    """

    roots: list[Node]
    stops: list[Stop]
    signature: list[tuple[object, ...]]
    scalars: list[Node]
    places: list[int]  # of each scalar, its entry in `signature`
    engine: str


def parse(text: str, *, engine: str = "") -> Tree:
    """Return the tree of `text`; with `engine`, that parser alone is asked.

    Raises:
        UnreadableError: No parser takes the text, or it exceeds a bound.
    """
    if engine == "ruamel":
        return _with_ruamel(text)
    try:
        return _with_pyyaml(text)
    except _RefusedByParserError as refusal:
        if engine or len(text) > _SECOND_OPINION_CHARS:
            raise UnreadableError(str(refusal), refusal.line) from refusal
        try:
            return _with_ruamel(text)
        except UnreadableError:
            raise UnreadableError(str(refusal), refusal.line) from refusal


def signature_of(text: str, *, engine: str) -> list[tuple[object, ...]]:
    """Return the signature of `text` as `engine` reads it; the bounds are those of `parse`.

    Raises:
        UnreadableError: That parser does not take the text, or it exceeds a bound.
    """
    if engine == "ruamel":
        return _with_ruamel(text).signature
    import yaml

    try:
        events = yaml.parse(text, Loader=yaml.CLoader)
        return [_sign(event) for event in _counted(events)]
    except (yaml.YAMLError, ValueError) as error:
        raise UnreadableError(str(error)) from error


def _sign(event: Any) -> tuple[object, ...]:
    """Return what an event means, without its place."""
    name = event.__class__.__name__
    if name == "ScalarEvent":
        return name, event.value, event.anchor, event.tag, event.style or ""
    if name == "AliasEvent":
        return name, event.anchor
    if name == "DocumentStartEvent":
        return name, event.version, str(event.tags)
    if name in _OPENING:
        return name, event.anchor, event.tag, bool(event.flow_style)
    return (name,)


def _counted(events: Iterable[Any]) -> Iterator[Any]:
    """Yield the events and stop the parser at the first excess."""
    depth = 0
    seen = dict.fromkeys(_MOST, 0)
    for count, event in enumerate(events):
        name = event.__class__.__name__
        if name in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1
                raise UnreadableError(f"the file is nested deeper than {MAX_DEPTH} levels", line)
        elif name in _CLOSING:
            depth -= 1
        elif name in seen:
            seen[name] += 1
            most, what = _MOST[name]
            if seen[name] > most:
                raise UnreadableError(f"the file has more than {most} {what}")
        if count > MAX_NODES:
            raise UnreadableError(f"the file has more than {MAX_NODES} nodes")
        yield event


class _RefusedByParserError(Exception):
    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


def _with_pyyaml(text: str) -> Tree:
    import yaml

    try:
        return _Builder("pyyaml").build(yaml.parse(text, Loader=yaml.CLoader))
    except yaml.YAMLError as error:
        raise _RefusedByParserError(*_told(error)) from error
    except ValueError as error:
        if isinstance(error, UnreadableError):
            raise
        raise _RefusedByParserError("the text is not valid Unicode", 0) from error


def _with_ruamel(text: str) -> Tree:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return _Builder("ruamel").build(YAML(pure=True, typ="safe").parse(text))
    except YAMLError as error:
        raise UnreadableError(*_told(error)) from error
    except (ValueError, AttributeError, IndexError, RecursionError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError("the text is not YAML") from error


def _told(error: Exception) -> tuple[str, int]:
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
    return f"the text is not YAML: {reason}", mark.line + 1 if mark is not None else 0


class _Builder:
    """Builds the tree while the events come."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.roots: list[Node] = []
        self.stops: list[Stop] = []
        self.signature: list[tuple[object, ...]] = []
        self.scalars: list[Node] = []
        self.places: list[int] = []
        self.open: list[Node] = []
        self.parent: Node | None = None
        self.waiting: Node | None = None
        self.documents = 0

    def build(self, events: Iterable[Any]) -> Tree:
        steps = {
            "AliasEvent": self._alias,
            "MappingStartEvent": self._open_map,
            "SequenceStartEvent": self._open_seq,
            "MappingEndEvent": self._close,
            "SequenceEndEvent": self._close,
            "DocumentEndEvent": self._end_document,
        }
        sign, add, place = self.signature.append, self.scalars.append, self._place
        for event in _counted(events):
            name = event.__class__.__name__
            if name == "ScalarEvent":  # two of three events: kept out of a call of its own
                value, style, anchor, tag = event.value, event.style or "", event.anchor, event.tag
                start, end = event.start_mark.index, event.end_mark.index
                node = Node(Kind.SCALAR, start, end, value, style, anchor, tag)
                place(node)
                add(node)
                self.places.append(len(self.signature))
                if start != end:
                    self.stops.append(Stop(start, end, node, False))
                sign((name, value, anchor, tag, style))
                continue
            step = steps.get(name)
            if step is not None:
                step(event)
            sign(_sign(event))
        return Tree(self.roots, self.stops, self.signature, self.scalars, self.places, self.engine)

    def _end_document(self, _event: Any) -> None:
        self.documents += 1

    def _alias(self, event: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        node = Node(Kind.ALIAS, start, end, anchor=event.anchor)
        self._place(node)
        self.stops.append(Stop(start, end, node, False))

    def _open_map(self, event: Any) -> None:
        self._open(event, Kind.MAP).pairs = []

    def _open_seq(self, event: Any) -> None:
        self._open(event, Kind.SEQ).items = []

    def _open(self, event: Any, kind: Kind) -> Node:
        node = Node(
            kind,
            event.start_mark.index,
            event.end_mark.index,
            anchor=event.anchor,
            tag=event.tag,
        )
        node.flow = bool(event.flow_style)
        self._place(node)
        self.open.append(node)
        self.parent = node
        self.waiting = None
        return node

    def _close(self, event: Any) -> None:
        node = self.open.pop()
        node.end = event.end_mark.index
        self.parent = node.parent
        self.waiting = node if node.is_key else None
        if node.flow:
            self.stops.append(Stop(event.start_mark.index, node.end, node, True))

    def _place(self, node: Node) -> None:
        """Hang `node` where it belongs: a root, an item, a key or the value of the last key."""
        node.document = self.documents
        parent = self.parent
        if parent is None:
            self.roots.append(node)
            return
        node.parent = parent
        if parent.kind is Kind.SEQ:
            parent.items.append(node)
        elif self.waiting is None:
            node.is_key = True
            self.waiting = node
        else:
            node.key = self.waiting
            parent.pairs.append((self.waiting, node))
            self.waiting = None
