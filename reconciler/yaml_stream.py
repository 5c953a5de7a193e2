"""YAML text as plain values, read as kubectl reads it and within bounds; the door to PyYAML here.

Kubernetes reads YAML 1.1 through go-yaml 2 and JSON: `yes` and `y` are true, `0777` and `0o777`
are 511, dates and `12:30` stay text, a whole number without a fraction is an integer
(`sigs.k8s.io/yaml`; compared with kubectl itself in the tests). PyYAML's own rules differ in each
of these, so its events alone are used; no constructor of it runs.

Text of strangers is bounded while the events come (`reliability-security.md` E1 to E3, M4): an
alias is copied and every copy counted, a key that stands twice is an error with both places.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

import yaml

from bot.yaml_bounds import MAX_ALIASES, MAX_DEPTH, MAX_DOCUMENTS, MAX_NODES, out_of_bounds

_TRUE = frozenset({"true", "True", "TRUE", "yes", "Yes", "YES", "y", "Y", "on", "On", "ON"})
_FALSE = frozenset({"false", "False", "FALSE", "no", "No", "NO", "n", "N", "off", "Off", "OFF"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)"
    r"|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
)
_BASES = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}
_STARTS_NUMBER = frozenset("+-.0123456789")
_INT64 = range(-(2**63), 2**63)
_MERGE = "<<"
_STANDARD = "tag:yaml.org,2002:"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class UnreadableYamlError(ValueError):
    """The text is not YAML that we read; `line` counts from 1, 0 when it is not known."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document that says something: its value, and the line it begins on, from 1."""

    value: Any
    line: int


def read_stream(text: bytes) -> list[Document]:
    """Return the documents of a YAML stream; those that are empty or null are left out.

    Values are dicts with text keys, lists, texts, `True`, `False`, `None`, integers of 64 bits
    and finite floats: what JSON can say. A mark of byte order at the start is passed over.

    Raises:
        UnreadableYamlError: No YAML, no UTF-8, a key twice, or beyond the bounds.
    """
    reason = out_of_bounds(text)
    if reason:
        raise UnreadableYamlError(reason)
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = text.count(b"\n", 0, fault.start) + 1
        raise UnreadableYamlError("the text is not UTF-8", line) from fault
    reader = _Reader()
    try:
        for event in yaml.parse(decoded, Loader=_LOADER):
            reader.take(event)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line = mark.line + 1 if mark is not None else 0
        raise UnreadableYamlError(f"this is not YAML: {fault.problem}", line) from fault
    except yaml.YAMLError as fault:
        raise UnreadableYamlError("this holds a character that YAML forbids") from fault
    return reader.documents


def write_value(value: object) -> str:
    """Return `value` as block YAML with sorted keys, which `read_stream` and kubectl read back."""
    return str(yaml.dump(value, Dumper=_Writer, allow_unicode=True, default_flow_style=False))


_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Writer(_Dumper):  # type: ignore[misc]  # with and without C
    """Quotes every text that kubectl would take for something else; PyYAML knows fewer."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _written_text(writer: Any, text: str) -> Any:
    try:
        is_plain = scalar_value(text) == text
    except UnreadableYamlError:
        is_plain = False
    return writer.represent_scalar(_STANDARD + "str", text, style=None if is_plain else "'")


_Writer.add_representer(str, _written_text)


def scalar_value(text: str) -> str | bool | int | float | None:
    """Return what an unquoted scalar means to kubectl.

    Raises:
        UnreadableYamlError: It is infinite or no number, which JSON cannot say.
    """
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] not in _STARTS_NUMBER:
        return text
    if _NOT_FINITE.fullmatch(text):
        raise UnreadableYamlError(f"{text!r} is a number that Kubernetes cannot hold")
    plain = text.replace("_", "")
    found = _INTEGER.fullmatch(plain)
    if found is not None:
        base = found.lastgroup or "dec"
        return _number(int(found["sign"] + found[base], _BASES[base]))
    if _FLOAT.fullmatch(plain):
        number = float(plain)
        return _number(number) if number not in {float("inf"), float("-inf")} else text
    return text


def _number(number: float) -> int | float:
    """Return what is left of a number after its way through JSON: an integer if it is one."""
    if number == int(number) and int(number) in _INT64:
        return int(number)
    return float(number)


class _Open:
    """A collection whose end has not come; `key` is a mapping's next one, `None` for `<<`."""

    __slots__ = ("anchor", "held", "is_key", "key", "lines", "mapping", "merged")

    def __init__(self, anchor: str | None, *, mapping: bool) -> None:
        self.anchor = anchor
        self.mapping = mapping
        self.held: Any = {} if mapping else []
        self.key: str | None = None
        self.is_key = mapping
        self.lines: dict[str, int] = {}
        self.merged: list[tuple[Any, int]] = []


_MERGE_KEY = object()  # stands for `<<`


class _Reader:
    """Makes values of events, without recursion but for copies of aliases."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Any] = {}
        self._root: Any = None
        self._line = 0
        self._first_line = 0
        self._nodes = 0
        self._aliases = 0
        self._begun = 0

    def take(self, event: Any) -> None:  # marks differ with and without C
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._line = event.start_mark.line + 1
            self._scalar(event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self._line = event.start_mark.line + 1
            self._open(event, mapping=kind is yaml.MappingStartEvent)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._close()
        elif kind is yaml.AliasEvent:
            self._line = event.start_mark.line + 1
            self._alias(event)
        elif kind is yaml.DocumentStartEvent:
            self._begin()
        elif kind is yaml.DocumentEndEvent and self._root is not None:
            self.documents.append(Document(value=self._root, line=self._first_line))

    def _begin(self) -> None:
        self._begun += 1
        if self._begun > MAX_DOCUMENTS:
            raise UnreadableYamlError(f"the stream has more than {MAX_DOCUMENTS} documents")
        self._root, self._anchors = None, {}
        self._first_line = 0

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise UnreadableYamlError(f"the text holds more than {MAX_NODES} values", self._line)

    def _scalar(self, event: Any) -> None:
        self._count()
        tag, text = event.tag, event.value
        plain = event.implicit[0] and not event.style
        if self._expects_key() and text == _MERGE and (plain or tag == _STANDARD + "merge"):
            self._put(_MERGE_KEY)
            return
        try:
            value = scalar_value(text) if plain and tag is None else text
            if tag is not None:
                value = _tagged(text, tag)
        except UnreadableYamlError as fault:
            raise UnreadableYamlError(str(fault), self._line) from None
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        self._put(value)

    def _expects_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].is_key

    def _alias(self, event: Any) -> None:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise UnreadableYamlError(f"the text has more than {MAX_ALIASES} aliases", self._line)
        if event.anchor not in self._anchors:
            raise UnreadableYamlError(f"the anchor {event.anchor!r} is not defined", self._line)
        self._put(self._copy(self._anchors[event.anchor], len(self._stack)))

    def _copy(self, value: Any, depth: int) -> Any:
        self._count()
        if depth > MAX_DEPTH:
            raise UnreadableYamlError(
                f"aliases nest the text deeper than {MAX_DEPTH} levels", self._line
            )
        if isinstance(value, dict):
            return {key: self._copy(one, depth + 1) for key, one in value.items()}
        if isinstance(value, list):
            return [self._copy(one, depth + 1) for one in value]
        return value

    def _open(self, event: Any, *, mapping: bool) -> None:
        self._count()
        if len(self._stack) >= MAX_DEPTH:
            raise UnreadableYamlError(
                f"the text is nested deeper than {MAX_DEPTH} levels", self._line
            )
        if self._expects_key():
            raise UnreadableYamlError("a key must be a single value", self._line)
        if not self._stack:
            self._first_line = self._line
        self._stack.append(_Open(event.anchor, mapping=mapping))

    def _close(self) -> None:
        done = self._stack.pop()
        for source, line in done.merged:
            self._merge(done.held, source, line)
        if done.anchor is not None:  # known only now: no value may hold itself
            self._anchors[done.anchor] = done.held
        self._put(done.held)

    def _merge(self, into: dict[str, Any], source: Any, line: int) -> None:
        for one in source if isinstance(source, list) else [source]:
            if not isinstance(one, dict):
                raise UnreadableYamlError("only a mapping can be merged by '<<'", line)
            for key, value in one.items():
                into.setdefault(key, value)

    def _put(self, value: Any) -> None:
        if not self._stack:
            self._root = value
            self._first_line = self._first_line or self._line
            return
        top = self._stack[-1]
        if not top.mapping:
            top.held.append(value)
        elif top.is_key:
            top.key = None if value is _MERGE_KEY else self._key(top, value)
            top.is_key = False
        elif top.key is None:
            top.merged.append((value, self._line))
            top.is_key = True
        else:
            top.held[top.key] = value
            top.is_key = True

    def _key(self, top: _Open, value: Any) -> str:
        if value is None:
            raise UnreadableYamlError("a key must not be null", self._line)
        key = str(value).lower() if isinstance(value, bool) else str(value)
        if key in top.lines:
            raise UnreadableYamlError(
                f"the key {key!r} stands twice, first in line {top.lines[key]}", self._line
            )
        top.lines[key] = self._line
        return key


def _tagged(text: str, tag: str) -> str | bool | int | float | None:
    if not tag.startswith(_STANDARD):
        return text
    name = tag.removeprefix(_STANDARD)
    if name == "binary":
        try:
            return base64.b64decode(text, validate=False).decode()
        except (binascii.Error, UnicodeDecodeError) as fault:
            raise UnreadableYamlError("a !!binary value holds no Base64 of text") from fault
    allowed: dict[str, tuple[type, ...]] = {
        "null": (type(None),),
        "bool": (bool,),
        "int": (int,),
        "float": (int, float),
    }
    if name not in allowed:
        return text
    value = scalar_value(text)
    if type(value) not in allowed[name]:
        raise UnreadableYamlError(f"{text!r} is not of the kind that its tag !!{name} says")
    return value
