"""YAML text as nodes that know their place, read within bounds.

Everything a person or a stranger wrote passes here first: size, depth and number of nodes
are limited before anything is built, aliases are references and never copies, no tag
makes an object, duplicate keys are faults (`reliability-security.md` E1 to E3). Scalars
keep the text that was written: `1.10` stays `1.10`.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import yaml

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 100_000
_MERGE = "<<"
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})


class UnreadableYaml(ValueError):
    """The text is not YAML that we read; `place` is line and column, from 1."""

    def __init__(self, message: str, place: tuple[int, int] = (0, 0)) -> None:
        super().__init__(message)
        self.place = place


class Kind(Enum):
    """What a node is."""

    SCALAR = "a single value"
    LIST = "a list"
    MAPPING = "a mapping"


class Node:
    """One YAML node: its kind, its place (line and column, from 1) and what it holds.

    `text` is a scalar's decoded text, `plain` whether it was written without quotes and
    without a tag; `entries` are a mapping's, in order, merge keys expanded.
    """

    __slots__ = ("entries", "items", "kind", "place", "plain", "text")

    def __init__(self, kind: Kind, place: tuple[int, int]) -> None:
        self.kind = kind
        self.place = place
        self.text = ""
        self.plain = False
        self.items: list[Node] = []
        self.entries: list[Entry] = []

    @property
    def is_null(self) -> bool:
        """Return whether nothing was said here."""
        return self.kind is Kind.SCALAR and self.plain and self.text in _NULL

    def get(self, key: str) -> Node | None:
        """Return the value under `key`; `None` when absent, null, or this is no mapping."""
        for entry in self.entries:
            if entry.key == key:
                return None if entry.value.is_null else entry.value
        return None

    def key_place(self, key: str) -> tuple[int, int]:
        """Return where `key` is written, else where this node is."""
        return next((e.place for e in self.entries if e.key == key), self.place)

    def at(self, *path: str | int) -> Node | None:
        """Return the node that `path` of keys and indexes leads to, `None` where it ends."""
        here: Node | None = self
        for step in path:
            if here is None:
                return None
            if isinstance(step, int):
                here = here.items[step] if 0 <= step < len(here.items) else None
            else:
                here = here.get(step)
        return here

    def string(self, *path: str | int) -> str:
        """Return the text of the scalar that `path` leads to, empty when there is none."""
        found = self.at(*path)
        return found.text if found is not None and found.kind is Kind.SCALAR else ""

    def plain_value(self, *, typed: bool = True) -> object:
        """Return the node as lists, dicts, texts, `True`, `False` and `None`.

        Numbers stay the text they were written as; unless `typed`, so do truth values, and
        entries of mappings that say nothing are left out. Aliases are followed.

        Raises:
            UnreadableYaml: Following them would make more than `MAX_NODES` values.
        """
        return _value_of(self, [MAX_NODES], 0, typed=typed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a mapping."""

    key: str
    place: tuple[int, int]
    value: Node

    @property
    def key_node(self) -> Node:
        """Return the key as a node."""
        node = Node(Kind.SCALAR, self.place)
        node.text = self.key
        return node


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A key that one mapping holds twice; the first one counts."""

    key: str
    place: tuple[int, int]
    first: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a stream; `root` is `None` when it is empty."""

    root: Node | None
    duplicates: tuple[Duplicate, ...]


def read_documents(text: bytes, *, max_bytes: int = MAX_BYTES) -> list[Document]:
    """Return the documents of a YAML stream.

    Raises:
        UnreadableYaml: It is no YAML, no UTF-8, or beyond the bounds of this module.
    """
    if len(text) > max_bytes:
        raise UnreadableYaml(f"the file is larger than {max_bytes} bytes")
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = text.count(b"\n", 0, fault.start) + 1
        raise UnreadableYaml("the file is not UTF-8", (line, 1)) from fault
    builder = _Builder()
    try:
        for event in yaml.parse(decoded, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            builder.take(event)
    except yaml.MarkedYAMLError as fault:
        place = _place(fault.problem_mark or fault.context_mark)
        raise UnreadableYaml(f"this is not YAML: {fault.problem}", place) from fault
    except (yaml.YAMLError, ValueError) as fault:
        if isinstance(fault, UnreadableYaml):
            raise
        raise UnreadableYaml("this is not YAML: it holds a character that YAML forbids") from fault
    return builder.documents


def _place(mark: Any) -> tuple[int, int]:  # two classes of marks, with and without C
    return (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)


class _Builder:
    """Makes nodes of events, without recursion."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self._root: Node | None = None
        self._stack: list[Node] = []
        self._keys: list[list[Node]] = []
        self._anchors: dict[str, Node] = {}
        self._duplicates: list[Duplicate] = []
        self._count = 0

    def take(self, event: yaml.Event) -> None:
        place = _place(event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            node = Node(Kind.SCALAR, place)
            node.text = event.value
            node.plain = not event.style and event.implicit[0]  # None, or empty from C
            self._put(self._anchored(event, node))
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise UnreadableYaml(f"the anchor {event.anchor!r} is not defined", place)
            self._count_one(place)
            self._put(self._anchors[event.anchor])
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            node = Node(Kind.MAPPING if is_mapping else Kind.LIST, place)
            self._open(event, node)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._close()
        elif isinstance(event, yaml.DocumentStartEvent):
            self._root, self._anchors, self._duplicates = None, {}, []
        elif isinstance(event, yaml.DocumentEndEvent):
            root = self._root if self._root is not None and not self._root.is_null else None
            self.documents.append(Document(root=root, duplicates=tuple(self._duplicates)))

    def _count_one(self, place: tuple[int, int]) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            raise UnreadableYaml(f"the file holds more than {MAX_NODES} values", place)

    def _anchored(self, event: yaml.NodeEvent, node: Node) -> Node:
        self._count_one(node.place)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _open(self, event: yaml.NodeEvent, node: Node) -> None:
        self._count_one(node.place)
        if len(self._stack) >= MAX_DEPTH:
            raise UnreadableYaml(f"the file is nested deeper than {MAX_DEPTH} levels", node.place)
        self._stack.append(node)
        self._keys.append([])
        if event.anchor is not None:  # known only when closed: no node may hold itself
            self._keys[-1].append(_AnchorNote(event.anchor))

    def _close(self) -> None:
        node, held = self._stack.pop(), self._keys.pop()
        if held and isinstance(held[0], _AnchorNote):
            self._anchors[held.pop(0).text] = node
        if node.kind is Kind.LIST:
            node.items = held
        else:
            self._fill(node, held)
        self._put(node)

    def _put(self, node: Node) -> None:
        if self._keys:
            self._keys[-1].append(node)
        else:
            self._root = node

    def _fill(self, mapping: Node, held: list[Node]) -> None:
        merged: list[Entry] = []
        first: dict[str, tuple[int, int]] = {}
        for key, value in zip(held[::2], held[1::2], strict=True):
            if key.kind is not Kind.SCALAR:
                raise UnreadableYaml("a key must be a single value", key.place)
            if key.text == _MERGE and key.plain:
                merged.extend(self._merged_entries(value))
            elif key.text in first:
                self._duplicates.append(
                    Duplicate(key=key.text, place=key.place, first=first[key.text])
                )
            else:
                first[key.text] = key.place
                mapping.entries.append(Entry(key=key.text, place=key.place, value=value))
        for entry in merged:
            if entry.key not in first:
                first[entry.key] = entry.place
                mapping.entries.append(entry)

    def _merged_entries(self, value: Node) -> Iterator[Entry]:
        for source in value.items if value.kind is Kind.LIST else [value]:
            if source.kind is not Kind.MAPPING:
                raise UnreadableYaml("only a mapping can be merged by '<<'", source.place)
            for entry in source.entries:
                self._count_one(entry.place)
                yield entry


class _AnchorNote(Node):
    """Remembers the anchor of a collection that is still open."""

    __slots__ = ()

    def __init__(self, anchor: str) -> None:
        super().__init__(Kind.SCALAR, (0, 0))
        self.text = anchor


def _value_of(node: Node, left: list[int], depth: int, *, typed: bool) -> object:
    left[0] -= 1
    if left[0] < 0:
        raise UnreadableYaml(f"aliases repeat more than {MAX_NODES} values", node.place)
    if depth > MAX_DEPTH:
        raise UnreadableYaml(f"aliases nest deeper than {MAX_DEPTH} levels", node.place)
    if node.kind is Kind.LIST:
        return [_value_of(item, left, depth + 1, typed=typed) for item in node.items]
    if node.kind is Kind.MAPPING:
        return {
            entry.key: _value_of(entry.value, left, depth + 1, typed=typed)
            for entry in node.entries
            if typed or not entry.value.is_null
        }
    if typed and node.plain and node.text in _TRUE:
        return True
    if typed and node.plain and node.text in _FALSE:
        return False
    return None if node.is_null else node.text
