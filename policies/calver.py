"""The calver policy: the newest by a calendar format such as `YYYY.0M.MICRO`.

Tokens are those of calver.org: `YYYY YY 0Y`, `MM 0M`, `WW 0W`, `DD 0D`, and `MAJOR MINOR
MICRO` for counters; everything else stands for itself, and `[…]` may be missing. A tag is a
candidate when the whole of it fits. Tokens without padding take a leading zero as well,
since people write `YYYY.MM.DD` for 2024.01.02.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from policies.policy import Candidate, Fact, Facts, InvalidPolicy, Ranking

if TYPE_CHECKING:
    from policies.variant import Identity

Key: TypeAlias = tuple[int, ...]

_LONGEST = 128  # characters, of a format and of a tag
_CENTURY = 2000  # calver.org: short years count from here
_YEAR_DIGITS = 4
_ALWAYS_THERE = 28  # days that every month has
_YEARS = {"YYYY": r"[0-9]{4}", "YY": r"[0-9]{1,3}", "0Y": r"[0-9]{2,3}"}
_LOOSE = r"[0-9]{1,2}"
_FIXED = r"[0-9]{2}"
_PARTS = {"MM": _LOOSE, "0M": _FIXED, "WW": _LOOSE, "0W": _FIXED, "DD": _LOOSE, "0D": _FIXED}
_COUNTERS = {"MAJOR": r"[0-9]{1,18}", "MINOR": r"[0-9]{1,18}", "MICRO": r"[0-9]{1,18}"}
_TOKENS = {**_YEARS, **_PARTS, **_COUNTERS}
_TOKEN = re.compile("|".join(sorted(_TOKENS, key=len, reverse=True)))
_KIND = {"YYYY": "year", "YY": "year", "0Y": "year", "MM": "month", "0M": "month"} | {
    "WW": "week",
    "0W": "week",
    "DD": "day",
    "0D": "day",
}
_SIGNIFICANCE = ("year", "month", "week", "day")
_LAST = {"month": 12, "week": 53, "day": 31}
_HINT = f"Formats look like YYYY.0M.0D or YY.MM.MICRO; tokens: {' '.join(sorted(_TOKENS))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalVer:
    """The newest tag that fits `format`; `kinds` are its tokens in order of significance."""

    format: str
    pattern: re.Pattern[str] = field(repr=False, compare=False)
    kinds: tuple[str, ...] = field(repr=False, compare=False)

    @property
    def text(self) -> str:
        """Return the rule in words."""
        return f"calver {self.format}"

    @property
    def needs(self) -> frozenset[Fact]:
        """Return no fact: tags are enough."""
        return frozenset()

    def rank(
        self,
        candidates: Sequence[Candidate],
        *,
        facts: Mapping[str, Facts],
        identity: Identity | None,
    ) -> Ranking:
        """Order by date and counters; equal ones: the greatest tag is best."""
        refused: dict[str, str] = {}
        keyed: list[tuple[Key, Candidate]] = []
        for candidate in candidates:
            key = self.key(candidate.value)
            if key is None:
                refused[candidate.tag] = f"not a date as {self.format} writes it"
            else:
                keyed.append((key, candidate))
        keyed.sort(key=itemgetter(0), reverse=True)
        return Ranking(best_first=[candidate for _, candidate in keyed], refused=refused)

    def order(self, a: Candidate, b: Candidate, *, facts: Mapping[str, Facts]) -> int | None:
        """Compare two dates; unknown when either fits the format not."""
        first, second = self.key(a.value), self.key(b.value)
        if first is None or second is None:
            return None
        return (first > second) - (first < second)

    def key(self, value: str) -> Key | None:
        """Return what orders `value`, None when it does not fit or is no date."""
        match = self.pattern.fullmatch(value) if len(value) <= _LONGEST else None
        if match is None:
            return None
        found = {name: int(text) for name, text in match.groupdict().items() if text is not None}
        if "year" in found and len(match["year"]) != _YEAR_DIGITS:
            found["year"] += _CENTURY
        if not _is_date(found):
            return None
        return tuple(found.get(kind, -1) for kind in self.kinds)


def _is_date(found: Mapping[str, int]) -> bool:
    if any(not 1 <= found.get(kind, 1) <= last for kind, last in _LAST.items()):
        return False
    if found.get("day", 1) <= _ALWAYS_THERE or "month" not in found:
        return True
    try:
        date(found.get("year") or _CENTURY, found["month"], found["day"])
    except ValueError:
        return False
    return True


def read_calver(text: str) -> CalVer:
    """Return the rule for the format `text`.

    Raises:
        InvalidPolicy: No year token, one kind twice, or brackets that do not close.
    """
    if len(text) > _LONGEST:
        raise _wrong(text, f"is longer than {_LONGEST} characters")
    pattern = ""
    kinds: list[str] = []
    position = depth = 0
    previous_end = -1
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is not None:
            kind = _KIND.get(token[0], token[0].lower())
            if kind in kinds:
                raise _wrong(text, f"holds two tokens for the {kind}")
            kinds.append(kind)
            glued = previous_end == position or _TOKEN.match(text, token.end()) is not None
            pattern += f"(?P<{kind}>{_digits(token[0], glued=glued)})"
            position = previous_end = token.end()
            continue
        sign = text[position]
        depth += {"[": 1, "]": -1}.get(sign, 0)
        if depth not in {0, 1}:
            raise _wrong(text, "has brackets that do not fit")
        pattern += {"[": "(?:", "]": ")?"}.get(sign, re.escape(sign))
        position += 1
    if depth:
        raise _wrong(text, "has brackets that do not fit")
    if "year" not in kinds:
        raise _wrong(text, "has no token for the year")
    return CalVer(format=text, pattern=re.compile(pattern), kinds=_by_significance(kinds))


def _digits(token: str, *, glued: bool) -> str:
    """Return the token's pattern: two digits exactly where a neighbour would be ambiguous."""
    pattern = _TOKENS[token]
    return _FIXED if glued and (pattern == _LOOSE or token in {"YY", "0Y"}) else pattern


def _by_significance(kinds: list[str]) -> tuple[str, ...]:
    """Put the parts of the date in order of significance at the places where they stand."""
    dated = sorted((k for k in kinds if k in _SIGNIFICANCE), key=_SIGNIFICANCE.index)
    return tuple(dated.pop(0) if kind in _SIGNIFICANCE else kind for kind in kinds)


def _wrong(text: str, what: str) -> InvalidPolicy:
    return InvalidPolicy(f"the format {text[:_LONGEST]!r} {what}", key="calver", hint=_HINT)
