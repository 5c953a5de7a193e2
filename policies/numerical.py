"""The numerical policy: the greatest, or least, number wins.

What is a number is Go's `strconv.ParseFloat`, as in Flux: decimal, hexadecimal with `p`,
exponent, `_` between digits, infinity. Values compare exactly, never as floats, since build
numbers grow past 2**53 (decision 0006). Equal numbers: the smallest text is best, as in
Flux. What has no order, NaN, is refused.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING

from policies.policy import Candidate, Fact, Facts, Ranking, SelectionError

if TYPE_CHECKING:
    from policies.variant import Identity

_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_DECIMAL = re.compile(
    rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?"
)
_HEX_DIGITS = r"[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*"
_HEX = re.compile(
    rf"[+-]?0[xX](?=_?\.?[0-9a-fA-F])(_?{_HEX_DIGITS})?(?:\.({_HEX_DIGITS})?)?[pP]([+-]?{_DIGITS})"
)
_INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_LONGEST = 512  # characters; a tag has at most 128
_TOO_LARGE = Decimal(2**1024 - 2**970)  # what Go rounds to infinity and calls out of range
_SMALLEST_POWER = 2048  # below 2**-2048 a hexadecimal value is 0, as in Go
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numerical:
    """The greatest number wins, or the least when `descending`.

    With `strict` one candidate that is no number fails the whole selection, as Flux does;
    without, it is refused alone.
    """

    descending: bool = False
    strict: bool = False

    @property
    def text(self) -> str:
        """Return the rule in words."""
        return f"numerical {'desc' if self.descending else 'asc'}"

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
        """Order by value; of equal ones the smallest tag is best."""
        numbers: list[tuple[Decimal, Candidate]] = []
        refused: dict[str, str] = {}
        for candidate in reversed(candidates):
            number = read_number(candidate.value)
            if number is not None and not number.is_nan():
                numbers.append((number, candidate))
                continue
            refused[candidate.tag] = f"{candidate.value!r} is not a number that has an order"
            if number is None and self.strict:
                return self._failed(candidates)
        numbers.sort(key=lambda pair: pair[0], reverse=not self.descending)
        return Ranking(best_first=[candidate for _, candidate in numbers], refused=refused)

    def _failed(self, candidates: Sequence[Candidate]) -> Ranking:
        wrong = [c for c in candidates if read_number(c.value) is None]
        message = f"{wrong[0].value!r} is not a number, and one such tag fails the whole policy"
        refused = {c.tag: "another tag is not a number" for c in candidates}
        refused.update({c.tag: f"{c.value!r} is not a number" for c in wrong})
        error = SelectionError(kind="not-a-number", message=message)
        return Ranking(best_first=(), refused=refused, error=error)

    def order(
        self,
        a: Candidate,
        b: Candidate,
        *,
        facts: Mapping[str, Facts],
    ) -> int | None:
        """Compare the values as numbers; unknown when either is none."""
        first, second = read_number(a.value), read_number(b.value)
        if first is None or second is None or first.is_nan() or second.is_nan():
            return None
        rising = (first > second) - (first < second)
        return -rising if self.descending else rising


def read_number(text: str) -> Decimal | None:
    """Return the exact value of `text`, None where Go's ParseFloat reports an error."""
    if len(text) > _LONGEST:
        return None
    if _DECIMAL.fullmatch(text):
        number = _decimal(text.replace("_", ""))
    elif match := _HEX.fullmatch(text):
        number = _hexadecimal(text, match)
    elif _INFINITE.fullmatch(text):
        return Decimal(text)
    else:
        return Decimal("nan") if text.lower() == "nan" else None
    return None if number is None or abs(number) >= _TOO_LARGE else number


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:  # the exponent has more digits than any number needs
        mantissa, _, exponent = text.lower().partition("e")
        return Decimal(0) if exponent.startswith("-") or not Decimal(mantissa) else None


def _hexadecimal(text: str, match: re.Match[str]) -> Decimal | None:
    whole, fraction, power = (part.replace("_", "") if part else "" for part in match.groups())
    mantissa = int(whole + fraction, 16)
    if len(power) > len(str(_SMALLEST_POWER)) + 1 or mantissa == 0:
        return Decimal(0) if mantissa == 0 or power.startswith("-") else None
    exponent = int(power) - 4 * len(fraction)
    if exponent >= 0:
        number = Decimal(mantissa << exponent)
    elif exponent < -_SMALLEST_POWER - 4 * _LONGEST:
        return Decimal(0)
    else:  # m / 2**k is m * 5**k / 10**k, which decimals hold exactly
        number = Decimal(mantissa * 5**-exponent).scaleb(exponent, context=_EXACT)
    return -number if text.startswith("-") else number
