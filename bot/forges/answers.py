"""Reads what a forge's API answers, field by field and by type.

A field that is missing or of another type, or a page of HTML with status 200, is an error with
its place and never a default: a forge that answers something else than it promised must not
change what we do (threat G7, fault FF17).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar

from bot.errors import UnavailableError

_T = TypeVar("_T")


class NotUnderstoodError(UnavailableError):
    """The forge answered something that its API does not promise."""

    def __init__(self, where: str, found: str) -> None:
        super().__init__(
            f"the forge's answer is not understood: {found}",
            where=where,
            hint="A proxy or a maintenance page may have answered; else update Pilotfish",
        )


class Row:
    """One JSON object of an answer. `place` says what was asked, for errors.

    Each method takes a field that must be there. Those that end in `_or_none` take null as well;
    `has` tells a field that the API's description lets out.
    """

    __slots__ = ("_found", "place")

    def __init__(self, found: Mapping[str, object], *, place: str) -> None:
        self._found = found
        self.place = place

    def has(self, name: str) -> bool:
        """Return whether the field is there and not null."""
        return self._found.get(name) is not None

    def text(self, name: str) -> str:
        """Return a text."""
        return self._typed(name, str)

    def text_or_none(self, name: str) -> str | None:
        """Return a text, or `None` for null."""
        return None if self._any(name) is None else self._typed(name, str)

    def number(self, name: str) -> int:
        """Return a whole number."""
        found = self._typed(name, int)
        if isinstance(found, bool):
            raise NotUnderstoodError(self.place, f"{name} is no number")
        return found

    def flag(self, name: str) -> bool:
        """Return true or false."""
        return self._typed(name, bool)

    def moment(self, name: str) -> datetime:
        """Return a moment, aware; one without a zone is in UTC."""
        text = self._typed(name, str)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise NotUnderstoodError(self.place, f"{name} is no moment") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def moment_or_none(self, name: str) -> datetime | None:
        """Return a moment, or `None` for null."""
        return None if self._any(name) is None else self.moment(name)

    def one_of(self, words: Mapping[str, _T], name: str) -> _T:
        """Return what a word stands for."""
        found = self.text(name)
        if found not in words:
            raise NotUnderstoodError(self.place, f"{name} is a word that we do not know")
        return words[found]

    def row(self, name: str) -> Row:
        """Return an object."""
        return _row(self._any(name), name, self.place)

    def row_or_none(self, name: str) -> Row | None:
        """Return an object, or `None` for null."""
        return None if self._any(name) is None else self.row(name)

    def rows(self, name: str) -> list[Row]:
        """Return a list of objects."""
        return [_row(one, name, self.place) for one in self._typed(name, list)]

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        found = self._typed(name, list)
        if not all(isinstance(one, str) for one in found):
            raise NotUnderstoodError(self.place, f"{name} is no list of texts")
        return [str(one) for one in found]

    def fields(self) -> Mapping[str, object]:
        """Return all fields, where their names are values."""
        return self._found

    def _any(self, name: str) -> object:
        if name not in self._found:
            raise NotUnderstoodError(self.place, f"{name} is missing")
        return self._found[name]

    def _typed(self, name: str, kind: type[_T]) -> _T:
        found = self._any(name)
        if not isinstance(found, kind):
            raise NotUnderstoodError(self.place, f"{name} is no {_WORDS[kind]}")
        return found


_WORDS = {str: "text", int: "number", bool: "true or false", list: "list"}


def read_row(text: str, *, place: str) -> Row:
    """Return the object that `text` holds."""
    return _row(_json(text, place), "it", place)


def read_rows(text: str, *, place: str) -> list[Row]:
    """Return the list of objects that `text` holds."""
    found = _json(text, place)
    if not isinstance(found, list):
        raise NotUnderstoodError(place, "it is no list")
    return [_row(one, "an entry", place) for one in found]


def _row(found: object, name: str, place: str) -> Row:
    if not isinstance(found, Mapping):
        raise NotUnderstoodError(place, f"{name} is no object")
    return Row(found, place=place)


def _json(text: str, place: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise NotUnderstoodError(place, "it is no JSON") from None
