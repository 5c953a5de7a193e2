"""What a tag is apart from its version: variant and precision, its identity.

`1.25.3-alpine` and `1.25.4-alpine` are the same thing at two times; `1.25.4` and `1.26`
are other things. Prefix, suffix words and number of parts stay unless a policy says
otherwise (demands 16 and 17 of the peers survey: `fpm` became `apache`, `1.2` became `1`,
4.0.9 beat 4.0.12). Numbers compare by value, however many there are.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from policies.version import PreKey, prerelease_key

if TYPE_CHECKING:
    from policies.policy import Candidate

ShapeKey: TypeAlias = tuple[tuple[int, ...], int, PreKey, tuple[int, ...]]

_MAX_TAG = 256  # characters; a tag has at most 128, an extracted value may have more
_LONG_NUMBER = 6  # digits: from here on a first number is a date, a time or a commit
_FIRST_YEAR, _LAST_YEAR = 2000, 2199

# Words of a pre-release wherever they stand; those of the second line only with a number, as
# `1.2-dev` and `1.2-nightly` are variants that some projects keep beside each release.
_ALWAYS_BEFORE = frozenset({"alpha", "beta", "rc", "cr", "pre", "preview", "milestone", "ea"})
_BEFORE_WITH_NUMBER = frozenset(
    {"a", "b", "m", "dev", "nightly", "canary", "snapshot", "unstable", "next"}
)
_SEPARATED = re.compile(r"([-_])")
_CORE = re.compile(r"([A-Za-z]*)([0-9]+(?:\.[0-9]+)*)(?:\.?([A-Za-z]+)([0-9]*))?")
_EARLY = re.compile(r"([A-Za-z]+)\.?([0-9]+(?:\.[0-9A-Za-z]+)*)?")
_COMMIT = re.compile(r"g?(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{7,40}")
_COUNT, _COMMIT_SIGN = "#", "~"  # what stands in a variant for a build number or a commit


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A tag taken apart: `prefix` and `suffix` are its variant, the rest orders it.

    `numbers` are the dotted numbers, `prerelease` is empty for a release, `builds` are lone
    numbers in the suffix, such as the 32 of `21-jre-32`. `era` tells counted versions from
    years and from dates, times or commits: 7 is never followed by 20240101.
    """

    prefix: str
    numbers: tuple[int, ...]
    suffix: str
    prerelease: PreKey
    builds: tuple[int, ...]
    era: str

    @property
    def key(self) -> ShapeKey:
        """Return what orders tags of one variant: numbers, pre-release below release, builds."""
        end = len(self.numbers)
        while end > 1 and self.numbers[end - 1] == 0:
            end -= 1
        return (self.numbers[:end], 0 if self.prerelease else 1, self.prerelease, self.builds)

    @property
    def variant(self) -> str:
        """Return prefix and suffix in words."""
        return f"'{self.prefix}…{self.suffix}'" if self.prefix or self.suffix else "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a tag must share with the written one, whose shape this is."""

    shape: Shape
    keep_variant: bool
    keep_precision: bool

    def refusal(self, shape: Shape) -> str:
        """Return why a tag of `shape` is something else, empty when it is not."""
        mine = self.shape
        if self.keep_variant and (shape.prefix, shape.suffix) != (mine.prefix, mine.suffix):
            return f"another variant: {shape.variant}, not {mine.variant}"
        if self.keep_precision and len(shape.numbers) != len(mine.numbers):
            return f"another precision: {_parts(shape)}, not {_parts(mine)}"
        if shape.era != mine.era:
            return f"another kind of number: {shape.era}, not {mine.era}"
        return ""


def alike(
    candidates: Sequence[Candidate], identity: Identity
) -> tuple[list[tuple[Shape, Candidate]], dict[str, str]]:
    """Return the candidates that share `identity` with their shapes, and why others do not."""
    kept: list[tuple[Shape, Candidate]] = []
    refused: dict[str, str] = {}
    plain = _plain_releases(identity)
    prefix = identity.shape.prefix if identity.keep_variant and _is_v(identity.shape) else ""
    for candidate in candidates:
        value = candidate.value
        match = plain.fullmatch(value) if plain else None
        shape: Shape | None
        if match is not None and len(value) <= _MAX_TAG:
            shape = _release_like(identity.shape, match[1])
        elif value.startswith(prefix):
            shape = read_shape(value)
        else:
            refused[candidate.tag] = f"another variant: it does not begin with {prefix!r}"
            continue
        why = "it holds no version" if shape is None else identity.refusal(shape)
        if shape is None or why:
            refused[candidate.tag] = why
        else:
            kept.append((shape, candidate))
    return kept, refused


def _plain_releases(identity: Identity) -> re.Pattern[str] | None:
    """Return a pattern for releases of the same variant, which need no taking apart.

    None where the variant holds something that varies, or more than a `v` before.
    """
    shape = identity.shape
    if not _is_v(shape) or _COUNT in shape.suffix or _COMMIT_SIGN in shape.suffix:
        return None
    numbers = r"([0-9]+(?:\.[0-9]+)*)"
    return re.compile(re.escape(shape.prefix) + numbers + re.escape(shape.suffix))


def _is_v(shape: Shape) -> bool:
    return shape.prefix in {"", "v", "V"}


def _release_like(shape: Shape, text: str) -> Shape:
    numbers = tuple(map(int, text.split(".")))
    return Shape(
        prefix=shape.prefix,
        numbers=numbers,
        suffix=shape.suffix,
        prerelease=(),
        builds=(),
        era=_era(text, numbers),
    )


def _parts(shape: Shape) -> str:
    count = len(shape.numbers)
    return f"{count} part{'s' * (count != 1)}"


def read_shape(tag: str) -> Shape | None:
    """Return the shape of `tag`, None when it holds no version.

    The version is the first word that is dotted numbers with at most a `v` before; else the
    first that ends in them (`jdk17.0.1`). Commits are no versions. What follows a `+` counts
    for nothing, as build metadata in SemVer.
    """
    if len(tag) > _MAX_TAG:
        return None
    pieces = _SEPARATED.split(tag.partition("+")[0])
    second_best: tuple[int, re.Match[str]] | None = None
    for index in range(0, len(pieces), 2):
        match = _CORE.fullmatch(pieces[index])
        if match is None or _COMMIT.fullmatch(pieces[index]):
            continue
        if match[1] in {"", "v", "V"}:
            return _shape(pieces, index, match)
        second_best = second_best or (index, match)
    return _shape(pieces, *second_best) if second_best else None


def _shape(pieces: list[str], index: int, match: re.Match[str]) -> Shape:
    before = "".join(
        _COMMIT_SIGN if _COMMIT.fullmatch(piece) else piece for piece in pieces[:index]
    )
    after = _Suffix()
    after.add_glued(match[3] or "", match[4] or "", pieces[index][match.end(2) :])
    for position in range(index + 1, len(pieces), 2):
        after.add(pieces[position], pieces[position + 1])
    numbers = tuple(int(number) for number in match[2].split("."))
    return Shape(
        prefix=before + match[1],
        numbers=numbers,
        suffix=after.text,
        prerelease=tuple(after.prerelease),
        builds=tuple(after.builds),
        era=_era(match[2], numbers),
    )


class _Suffix:
    """Gathers what follows the version: variant words, pre-release, build numbers."""

    def __init__(self) -> None:
        self.text = ""
        self.prerelease: list[tuple[int, int, str]] = []
        self.builds: list[int] = []
        self._word_waits = False  # for the number of a pre-release, as in `ea-32`

    def add_glued(self, word: str, number: str, written: str) -> None:
        if _is_early(word, number):
            self._begin(word, number)
        else:
            self.text += written

    def add(self, separator: str, word: str) -> None:
        waits, self._word_waits = self._word_waits, False
        if word.isascii() and word.isdigit():
            if waits:
                self.prerelease.append((0, int(word), ""))
            else:
                self.builds.append(int(word))
                self.text += separator + _COUNT
        elif _COMMIT.fullmatch(word):
            self.text += separator + _COMMIT_SIGN
        elif (match := _EARLY.fullmatch(word)) and _is_early(match[1], match[2] or ""):
            self._begin(match[1], match[2] or "")
        else:
            self.text += separator + word

    def _begin(self, word: str, number: str) -> None:
        self.prerelease.append((1, 0, word.lower()))
        if number:
            self.prerelease.extend(prerelease_key(number))
        self._word_waits = not number


def _is_early(word: str, number: str) -> bool:
    small = word.lower()
    return small in _ALWAYS_BEFORE or (bool(number) and small in _BEFORE_WITH_NUMBER)


def _era(text: str, numbers: tuple[int, ...]) -> str:
    if len(text.partition(".")[0]) >= _LONG_NUMBER:
        return "a date, time or commit"
    if len(numbers) > 1 and _FIRST_YEAR <= numbers[0] <= _LAST_YEAR:
        return "a year"
    return "a count"
