"""A reader of GraphQL documents, as far as clients of ours write them, and the picking of fields.

Directives, fragments by name and several operations in one document are not read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r'[\s,]+|#[^\n]*|("(?:[^"\\]|\\.)*"|\.\.\.|\$?\w+|-?\d+|[{}()\[\]:!=@|&])')


class BadQuery(Exception):
    """The document cannot be read, or asks for what is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a selection."""

    alias: str
    name: str
    arguments: Mapping[str, Any]
    fields: tuple["Field", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One operation."""

    kind: str
    fields: tuple[Field, ...]


def read(text: str, variables: Mapping[str, Any]) -> Query:
    """Read one operation and put the variables in."""
    reader = _Reader(text, variables)
    kind = "query"
    if reader.peek() in {"query", "mutation"}:
        kind = reader.take()
        if reader.peek() not in {"(", "{"}:
            reader.take()
        if reader.peek() == "(":
            reader.skip_declarations()
    found = Query(kind=kind, fields=reader.selection())
    if reader.peek():
        raise BadQuery(f"Expected one of end of document, actual: {reader.peek()}")
    return found


def pick(document: Any, fields: tuple[Field, ...], kind: str) -> Any:
    """Return what `fields` ask of `document`; a field that is not there is an error."""
    if document is None or not fields:
        if isinstance(document, dict):
            raise BadQuery(f"Field must have selections (field '{kind}' returns an object)")
        return document
    if isinstance(document, list):
        return [pick(each, fields, kind) for each in document]
    if not isinstance(document, dict):
        raise BadQuery(f"Selections can't be made on scalars (field '{kind}')")
    found = {}
    for field in fields:
        if field.name not in document:
            raise BadQuery(f"Field '{field.name}' doesn't exist on type '{kind}'")
        value = document[field.name]
        value = value(**field.arguments) if callable(value) else value
        found[field.alias] = pick(value, field.fields, field.name)
    return found


class _Reader:
    def __init__(self, text: str, variables: Mapping[str, Any]) -> None:
        self._tokens: list[str] = []
        self._variables = variables
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise BadQuery(f"Unexpected {text[at]!r}")
            if match.group(1):
                self._tokens.append(match.group(1))
            at = match.end()
        self._tokens.reverse()

    def peek(self) -> str:
        return self._tokens[-1] if self._tokens else ""

    def take(self, wanted: str = "") -> str:
        found = self.peek()
        if not found or (wanted and found != wanted):
            raise BadQuery(f"Expected {wanted or 'more'}, actual: {found or 'end of document'}")
        return self._tokens.pop()

    def skip_declarations(self) -> None:
        while self.take() != ")":
            pass

    def selection(self) -> tuple[Field, ...]:
        self.take("{")
        found: list[Field] = []
        while self.peek() != "}":
            if self.peek() == "...":
                self.take()
                self.take("on")
                self.take()
                found += self.selection()
            else:
                found.append(self._field())
        self.take("}")
        return tuple(found)

    def _field(self) -> Field:
        alias = name = self.take()
        if self.peek() == ":":
            self.take()
            name = self.take()
        arguments = {}
        if self.peek() == "(":
            self.take()
            while self.peek() != ")":
                key = self.take()
                self.take(":")
                arguments[key] = self._value()
            self.take(")")
        fields = self.selection() if self.peek() == "{" else ()
        return Field(alias=alias, name=name, arguments=arguments, fields=fields)

    def _value(self) -> Any:
        token = self.take()
        if token == "[":
            rows = []
            while self.peek() != "]":
                rows.append(self._value())
            self.take("]")
            return rows
        if token == "{":
            found = {}
            while self.peek() != "}":
                key = self.take()
                self.take(":")
                found[key] = self._value()
            self.take("}")
            return found
        return self._scalar(token)

    def _scalar(self, token: str) -> Any:
        if token.startswith("$"):
            return self._variables.get(token[1:])
        if token.startswith('"'):
            return token[1:-1].encode().decode("unicode_escape")
        if token in {"true", "false", "null"}:
            return {"true": True, "false": False, "null": None}[token]
        return int(token) if re.fullmatch(r"-?\d+", token) else token
