"""Patterns with `*`, `?` and `[…]` that a value begins or ends with, in linear time.

Written for `${v#pattern}` and its three kin: `*` matches anything, slashes too, `[^a]` and `[!a]`
match all but `a`, a backslash takes the next sign as it is. A pattern that is not one (an open
bracket, say) matches nothing.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signs:
    """One place of a pattern: `ranges` of signs, or with `negated` all others; or any run."""

    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = False
    is_run: bool = False

    def takes(self, sign: str) -> bool:
        return any(low <= sign <= high for low, high in self.ranges) is not self.negated


_RUN = _Signs(negated=True, is_run=True)
_ANY = _Signs(negated=True)


class _Malformed(ValueError):
    pass


def matching_lengths(pattern: str, text: str, *, from_end: bool = False) -> list[int]:
    """Return how long those beginnings of `text` are that `pattern` matches, ascending.

    With `from_end` its endings. Empty beginnings are left out, and so is everything when the
    pattern is malformed.
    """
    try:
        places = _places(pattern)
    except _Malformed:
        return []
    if from_end:
        places, text = places[::-1], text[::-1]
    end = len(places)
    states = _with_runs({0}, places)
    found = []
    for length, sign in enumerate(text, start=1):
        following = set()
        for state in states:
            if state < end and places[state].takes(sign):
                following.add(state if places[state].is_run else state + 1)
        states = _with_runs(following, places)
        if not states:
            break
        if end in states:
            found.append(length)
    return found


def _with_runs(states: Iterable[int], places: list[_Signs]) -> set[int]:
    """Return `states` and those that follow from them because a run may be empty."""
    reached = set()
    for state in states:
        here = state
        reached.add(here)
        while here < len(places) and places[here].is_run:
            here += 1
            reached.add(here)
    return reached


def _places(pattern: str) -> list[_Signs]:
    places: list[_Signs] = []
    here = 0
    while here < len(pattern):
        sign = pattern[here]
        if sign == "*":
            if not places or not places[-1].is_run:
                places.append(_RUN)
            here += 1
        elif sign == "?":
            places.append(_ANY)
            here += 1
        elif sign == "[":
            signs, here = _class(pattern, here + 1)
            places.append(signs)
        else:
            literal, here = _sign(pattern, here)
            places.append(_Signs(ranges=((literal, literal),)))
    return places


def _sign(pattern: str, here: int) -> tuple[str, int]:
    if pattern[here : here + 1] == "\\":
        here += 1
    if here >= len(pattern):
        raise _Malformed
    return pattern[here], here + 1


def _class(pattern: str, here: int) -> tuple[_Signs, int]:
    negated = pattern[here : here + 1] in {"^", "!"}
    here += negated
    ranges: list[tuple[str, str]] = []
    while not ranges or pattern[here : here + 1] != "]":
        if pattern[here : here + 1] in {"", "-", "]"}:
            raise _Malformed
        low, here = _sign(pattern, here)
        high = low
        if pattern[here : here + 1] == "-":
            if pattern[here + 1 : here + 2] in {"", "-", "]"}:
                raise _Malformed
            high, here = _sign(pattern, here + 1)
        ranges.append((low, high))
    return _Signs(ranges=tuple(ranges), negated=negated), here + 1
