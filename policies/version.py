"""Versions: the SemVer grammar, lenient tags, one total order, and the range grammar.

Parsing, ranges and their treatment of pre-releases are those of Masterminds/semver 3.5,
which Flux and Helm use; precedence is SemVer 2.0.0 clause 11. Versions are compared as
plain tuples, because ten thousands of tags are. Two differences: pre-release numbers of any
length compare by value (Masterminds: as text beyond 64 bits), and see decision 0006.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

import re2

from policies.policy import InvalidPolicy

PreKey: TypeAlias = tuple[tuple[int, int, str], ...]
# major, minor, patch, 1 for a release or 0, pre-release identifiers
VersionKey: TypeAlias = tuple[int, int, int, int, PreKey]

_LARGEST = 2**64 - 1  # what Go's uint64 holds; larger numbers are no versions there
_SHORT = 19  # digits that always fit
_MAX_VERSION = 256  # bytes, as Masterminds 3.5
_MAX_RANGE = 512
_MAX_GROUPS = 32
_MINOR, _PARTS = 2, 3  # how many numbers reach to the minor, and how many there are

_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_LENIENT = re.compile(
    rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-({_IDENTIFIERS}))?(?:\+({_IDENTIFIERS}))?"
)
_HINT = "Ranges look like '^1.4', '1.x', '>=1.2 <2' or '1.2 - 1.5 || 3.x'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version with three numbers; leading zeros and a `v` are gone."""

    major: int
    minor: int = 0
    patch: int = 0
    prerelease: str = ""
    build: str = ""

    @property
    def key(self) -> VersionKey:
        """Return what orders versions; build metadata has no part in it."""
        if not self.prerelease:
            return (self.major, self.minor, self.patch, 1, ())
        return (self.major, self.minor, self.patch, 0, prerelease_key(self.prerelease))

    def __str__(self) -> str:
        prerelease = f"-{self.prerelease}" if self.prerelease else ""
        build = f"+{self.build}" if self.build else ""
        return f"{self.major}.{self.minor}.{self.patch}{prerelease}{build}"


def parse_version(text: str) -> Version | None:
    """Return the version that `text` is, missing parts as 0, or None.

    Takes one to three numbers with an optional `v`; refuses numbers beyond 64 bits and
    numeric pre-release identifiers with a leading zero.
    """
    match = _LENIENT.fullmatch(text)
    if match is None or len(text) > _MAX_VERSION:
        return None
    first, second, third, prerelease, build = match.groups()
    numbers = (int(first), int(second or 0), int(third or 0))
    if max(numbers) > _LARGEST or (prerelease and _has_leading_zero(prerelease)):
        return None
    return Version(
        major=numbers[0],
        minor=numbers[1],
        patch=numbers[2],
        prerelease=prerelease or "",
        build=build or "",
    )


def version_key(text: str) -> VersionKey | None:
    """Return the key of `text` as `parse_version` would, without making the object."""
    match = _LENIENT.fullmatch(text)
    if match is None or len(text) > _MAX_VERSION:
        return None
    first, second, third, prerelease, _ = match.groups()
    major, minor, patch = int(first), int(second or 0), int(third or 0)
    if len(text) > _SHORT and max(major, minor, patch) > _LARGEST:
        return None
    if prerelease is None:
        return (major, minor, patch, 1, ())
    if _has_leading_zero(prerelease):
        return None
    return (major, minor, patch, 0, prerelease_key(prerelease))


def tag_key(tag: str) -> VersionKey | None:
    """Return the key of a tag that is a version by Flux's rule: three pieces between dots.

    The dots may stand in the pre-release, so `1.0-rc.1` counts, as it does in Flux.
    """
    return version_key(tag) if tag.count(".") >= _PARTS - 1 else None


def prerelease_key(text: str) -> PreKey:
    """Return the order of a pre-release: numbers by value and below words, more is greater."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in text.split("."))


def _has_leading_zero(prerelease: str) -> bool:
    return any(
        part[0] == "0" and len(part) > 1 and part.isdigit() for part in prerelease.split(".")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparator:
    """One operator and its version.

    `parts` is how many numbers were written before a wildcard or the end: 0 for `*`, 3 for
    a whole version.
    """

    operator: str
    key: VersionKey
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Alternatives (`||`), each a list of comparators that must all admit a version."""

    text: str
    groups: tuple[tuple[Comparator, ...], ...]
    opens_prereleases: tuple[bool, ...]

    def admits(self, key: VersionKey) -> bool:
        """Is the version with `key` in the range?

        A pre-release is, only where some comparator of its group names one.
        """
        for group, opens in zip(self.groups, self.opens_prereleases, strict=True):
            if not (opens or key[3]):
                continue
            for comparator in group:
                if not _CHECKS[comparator.operator](key, comparator.key, comparator.parts):
                    break
            else:
                return True
        return False


def _at_least(key: VersionKey, bound: VersionKey, _: int) -> bool:
    return key >= bound


def _below(key: VersionKey, bound: VersionKey, _: int) -> bool:
    return key < bound


def _above(key: VersionKey, bound: VersionKey, parts: int) -> bool:
    """`>1` begins at 2.0.0 and `>1.2` at 1.3.0; `>*` above 0.0.0."""
    if parts in {1, _MINOR}:
        return key[:parts] > bound[:parts]
    return key > bound


def _at_most(key: VersionKey, bound: VersionKey, parts: int) -> bool:
    """`<=1` ends before 2.0.0, `<=1.2` before 1.3.0, and `<=*` holds 0.0.x alone."""
    if parts == _PARTS:
        return key <= bound
    return key[:1] <= bound[:1] if parts == 1 else key[:2] <= bound[:2]


def _unequal(key: VersionKey, bound: VersionKey, parts: int) -> bool:
    if parts == 1:
        return key[:1] != bound[:1]
    if parts == _MINOR:
        return key[:2] != bound[:2] or key[3:] != bound[3:]
    return key != bound  # `!=*` leaves out 0.0.0 alone


def _tilde(key: VersionKey, bound: VersionKey, parts: int) -> bool:
    """`~1.2.3` stays on 1.2, `~1` on 1; `~0.0.0` and `~*` admit everything (a quirk kept)."""
    if key < bound:
        return False
    if parts in {0, _PARTS} and bound[:3] == (0, 0, 0):
        return True
    return key[:1] == bound[:1] if parts == 1 else key[:2] == bound[:2]


def _equal(key: VersionKey, bound: VersionKey, parts: int) -> bool:
    return key == bound if parts == _PARTS else _tilde(key, bound, parts)


def _caret(key: VersionKey, bound: VersionKey, parts: int) -> bool:
    """Nothing may change up to the first part that is not 0; `^*` holds 0.0.0 alone."""
    if key < bound:
        return False
    if bound[0] > 0 or parts == 1:
        return key[0] == bound[0]
    if bound[1] > 0 or parts == _MINOR:
        return key[:2] == bound[:2]
    return key[:3] == bound[:3]


_CHECKS = {
    "": _equal,
    "=": _equal,
    "!=": _unequal,
    ">": _above,
    "<": _below,
    ">=": _at_least,
    "=>": _at_least,
    "<=": _at_most,
    "=<": _at_most,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}

# RE2, because the blanks between comparators would backtrack without end in the standard
# library's engine. The bar inside the classes is Masterminds' and never survives the parse.
_OPERATOR = r"(?:=||!=|>|<|>=|=>|<=|=<|~|~>|\^)"
_NUMBER = r"[0-9|xX*]+"
_BOUND = (
    rf"v?(?:{_NUMBER})(?:\.{_NUMBER})?(?:\.{_NUMBER})?"
    rf"(?:-{_IDENTIFIERS})?(?:\+{_IDENTIFIERS})?"
)


def _pattern(text: str) -> Any:
    return re2.compile(text)  # type: ignore[no-untyped-call]  # ships no types


_GROUP = _pattern(rf"\s*{_OPERATOR}\s*{_BOUND}\s*(?:(?:\s+|,\s*){_OPERATOR}\s*{_BOUND}\s*)*")
_FIND = _pattern(
    rf"({_OPERATOR})\s*v?({_NUMBER})(?:\.({_NUMBER}))?(?:\.({_NUMBER}))?"
    rf"(?:-({_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?"
)
_HYPHEN = _pattern(rf"\s*({_BOUND})\s+-\s+({_BOUND})\s*")


def parse_range(text: str) -> Range:
    """Return the range that `text` writes in Masterminds' grammar (not npm's).

    Raises:
        InvalidPolicy: `key` is semver.
    """
    if len(text.encode("utf-8", "surrogatepass")) > _MAX_RANGE:
        raise InvalidPolicy(f"the range is longer than {_MAX_RANGE} bytes", key="semver")
    if not text.isascii():
        raise _improper(text)
    alternatives = _rewrite_hyphens(text).split("||")
    if len(alternatives) > _MAX_GROUPS:
        raise InvalidPolicy(f"the range has more than {_MAX_GROUPS} alternatives", key="semver")
    groups = []
    for alternative in alternatives:
        if _GROUP.fullmatch(alternative) is None:
            raise _improper(text)
        groups.append(
            tuple(_comparator(found.groups(), text) for found in _FIND.finditer(alternative))
        )
    return Range(
        text=text,
        groups=tuple(groups),
        opens_prereleases=tuple(
            any(not comparator.key[3] for comparator in group) for group in groups
        ),
    )


def _improper(text: str) -> InvalidPolicy:
    return InvalidPolicy(f"the range {text!r} cannot be read", key="semver", hint=_HINT)


def _rewrite_hyphens(text: str) -> str:
    """Turn `A - B` into two comparators; the blanks round the hyphen are what makes it one."""
    rewritten = text
    for found in _HYPHEN.finditer(text):
        rewritten = rewritten.replace(found[0], f">= {found[1]}, <= {found[2]} ", 1)
    return rewritten


def _comparator(written: tuple[str | None, ...], text: str) -> Comparator:
    operator, *numbers, prerelease = written
    known = []
    for number in numbers:
        if number is None or number in {"x", "X", "*"}:
            break
        known.append(number)
    padded = ".".join([*known, *("0" for _ in range(_PARTS - len(known)))])
    version = parse_version(padded + (f"-{prerelease}" if prerelease else ""))
    if version is None:
        raise _improper(text)
    return Comparator(operator=operator or "", key=version.key, parts=len(known))
