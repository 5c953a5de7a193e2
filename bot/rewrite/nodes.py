"""The door to the YAML parsers: text in, a tree of marked positions out.

PyYAML's C events give the positions; what PyYAML refuses, ruamel.yaml's own parser is
asked about, which takes a few more files and fourteen milliseconds each (rules of detail,
16). No constructor runs, nothing is resolved, nothing is ever dumped. Every bound is
counted while the events come: the parser is stopped at the first excess.

Positions are character indexes into the text given, without a byte-order mark.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from bot.rewrite.bounds import MAX_ALIASES, MAX_DEPTH, MAX_DOCUMENTS, MAX_NODES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SECOND_OPINION_CHARS = 512 * 1024  # ruamel's parser needs seconds beyond this


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


@dataclass(slots=True, eq=False, repr=False)
class Node:
    """One node with its place; the span of a scalar begins at its anchor or tag, if any.

    `key` is the node of the key that this value stands under, None for items, roots and
    keys themselves. `items` are a sequence's items; `pairs` a map's entries, duplicates
    included.
    """

    kind: Kind
    start: int
    end: int
    value: str = ""
    style: str = ""
    anchor: str | None = None
    tag: str | None = None
    flow: bool = False
    is_key: bool = False
    parent: Node | None = None
    key: Node | None = None
    items: list[Node] = field(default_factory=list)
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    document: int = 0
    firsts: dict[str, Node] | None = None

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


@dataclass(frozen=True, slots=True, eq=False)
class Stop:
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
    """Return the signature of `text` as `engine` reads it.

    Raises:
        UnreadableError: That parser does not take the text, or it exceeds a bound.
    """
    return parse(text, engine=engine).signature


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
    """Builds the tree while the events come, and counts."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.roots: list[Node] = []
        self.stops: list[Stop] = []
        self.signature: list[tuple[object, ...]] = []
        self.scalars: list[Node] = []
        self.places: list[int] = []
        self.open: list[Node] = []
        self.waiting: list[Node | None] = []
        self.documents = 0
        self.aliases = 0

    def build(self, events: Iterable[Any]) -> Tree:
        for event in self._counted(events):
            name = type(event).__name__
            if name == "ScalarEvent":
                self._scalar(event)
            elif name in {"MappingStartEvent", "SequenceStartEvent"}:
                self._open(event, Kind.MAP if name[0] == "M" else Kind.SEQ)
            elif name in {"MappingEndEvent", "SequenceEndEvent"}:
                self._close(event, name)
            elif name == "AliasEvent":
                self._alias(event)
            elif name == "DocumentStartEvent":
                self._document(event)
            else:
                self.signature.append((name,))
        return Tree(self.roots, self.stops, self.signature, self.scalars, self.places, self.engine)

    def _counted(self, events: Iterable[Any]) -> Iterator[Any]:
        for count, event in enumerate(events):
            if count > MAX_NODES:
                raise UnreadableError(f"the file has more than {MAX_NODES} nodes")
            yield event

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > MAX_DOCUMENTS:
            raise UnreadableError(f"the file has more than {MAX_DOCUMENTS} documents")
        self.signature.append(("document", event.version, str(event.tags)))

    def _scalar(self, event: Any) -> None:
        start, end = event.start_mark, event.end_mark
        style = event.style or ""
        node = Node(
            Kind.SCALAR,
            start.index,
            end.index,
            event.value,
            style,
            event.anchor,
            event.tag,
        )
        self._place(node)
        self.scalars.append(node)
        self.places.append(len(self.signature))
        self.signature.append(("scalar", event.value, event.anchor, event.tag, style))
        if start.index != end.index:
            self.stops.append(Stop(start.index, end.index, node, closes=False))

    def _alias(self, event: Any) -> None:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise UnreadableError(f"the file has more than {MAX_ALIASES} aliases")
        start, end = event.start_mark, event.end_mark
        node = Node(Kind.ALIAS, start.index, end.index, anchor=event.anchor)
        self._place(node)
        self.signature.append(("alias", event.anchor))
        self.stops.append(Stop(start.index, end.index, node, closes=False))

    def _open(self, event: Any, kind: Kind) -> None:
        start = event.start_mark
        if len(self.open) >= MAX_DEPTH:
            raise UnreadableError(
                f"the file is nested deeper than {MAX_DEPTH} levels", start.line + 1
            )
        node = Node(
            kind,
            start.index,
            event.end_mark.index,
            anchor=event.anchor,
            tag=event.tag,
            flow=bool(event.flow_style),
        )
        self._place(node)
        self.signature.append((kind, event.anchor, event.tag, node.flow))
        self.open.append(node)
        self.waiting.append(None)

    def _close(self, event: Any, name: str) -> None:
        node = self.open.pop()
        self.waiting.pop()
        node.end = event.end_mark.index
        self.signature.append((name,))
        if node.flow:
            self.stops.append(Stop(event.start_mark.index, node.end, node, closes=True))

    def _place(self, node: Node) -> None:
        """Hang `node` where it belongs: a root, an item, a key or the value of the last key."""
        node.document = self.documents - 1
        if not self.open:
            self.roots.append(node)
            return
        parent = self.open[-1]
        node.parent = parent
        if parent.kind is Kind.SEQ:
            parent.items.append(node)
            return
        key = self.waiting[-1]
        if key is None:
            node.is_key = True
            self.waiting[-1] = node
        else:
            node.key = key
            parent.pairs.append((key, node))
            self.waiting[-1] = None
