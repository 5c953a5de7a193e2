"""The semver policy: the highest version in a range, or the highest of the same identity.

With a range, tags and ranges are read as Flux reads them. Without one, any release counts
that shares variant and precision with the written tag, however many parts it has; a
pre-release counts only where the written tag is one.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from policies.policy import Candidate, Fact, Facts, Ranking
from policies.variant import Identity, Shape, alike, read_shape
from policies.version import Range, VersionKey, tag_key, version_key

if TYPE_CHECKING:
    from policies.variant import ShapeKey

_NO_VERSION = "no version of three numbers (precision: keep compares other lengths)"
_EARLY = "a pre-release, and {} admits releases only"
_PARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Semver:
    """The highest version that `range` admits; None admits every release."""

    range: Range | None = None

    @property
    def text(self) -> str:
        """Return the rule in words."""
        return "semver" if self.range is None else f"semver {self.range.text}"

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
        """Order by precedence; equal versions (`v1.0.0`, `1.0.0`): the greatest tag is best."""
        if identity is not None:
            return self._rank_alike(candidates, identity)
        refused: dict[str, str] = {}
        keyed: list[tuple[VersionKey, Candidate]] = []
        early, outside = _EARLY.format(self.text), f"outside {self.text}"
        for candidate in candidates:
            key = tag_key(candidate.value)
            if key is None:
                refused[candidate.tag] = _NO_VERSION
            elif not self._admits(key):
                refused[candidate.tag] = early if self._refuses_early(key) else outside
            else:
                keyed.append((key, candidate))
        keyed.sort(key=itemgetter(0), reverse=True)
        return Ranking(best_first=[candidate for _, candidate in keyed], refused=refused)

    def order(self, a: Candidate, b: Candidate, *, facts: Mapping[str, Facts]) -> int | None:
        """Compare two versions of one, two or three parts; else their numbers, part by part."""
        first, second = version_key(a.value), version_key(b.value)
        if self.range is not None and first is not None and second is not None:
            return (first > second) - (first < second)
        one, other = read_shape(a.value), read_shape(b.value)
        if one is None or other is None:
            return None
        return (one.key > other.key) - (one.key < other.key)

    def _admits(self, key: VersionKey) -> bool:
        return bool(key[3]) if self.range is None else self.range.admits(key)

    def _refuses_early(self, key: VersionKey) -> bool:
        return not key[3] and (self.range is None or not any(self.range.opens_prereleases))

    def _rank_alike(self, candidates: Sequence[Candidate], identity: Identity) -> Ranking:
        kept, refused = alike(candidates, identity)
        keyed: list[tuple[ShapeKey, Candidate]] = []
        for shape, candidate in kept:
            why = self._shape_refusal(shape, identity)
            if why:
                refused[candidate.tag] = why
            else:
                keyed.append((shape.key, candidate))
        keyed.sort(key=itemgetter(0), reverse=True)
        return Ranking(best_first=[candidate for _, candidate in keyed], refused=refused)

    def _shape_refusal(self, shape: Shape, identity: Identity) -> str:
        if self.range is None:
            if shape.prerelease and not identity.shape.prerelease:
                return "a pre-release, and the written tag is a release"
            return ""
        if len(shape.numbers) > _PARTS:
            return f"more than three parts, which {self.text} cannot judge"
        numbers = (*shape.numbers, 0, 0)
        early = bool(shape.prerelease)
        key = (numbers[0], numbers[1], numbers[2], 0 if early else 1, shape.prerelease)
        if self.range.admits(key):
            return ""
        return _EARLY.format(self.text) if self._refuses_early(key) else f"outside {self.text}"
