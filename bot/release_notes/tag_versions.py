"""Versions of tags as far as release notes need them: what lies between two images.

Image tags and release tags are read alike (`policies.variant`): `v`, words such as `release-`
and a component before the version (`api-v1.2.3`, `api/v1.2.3`, `@acme/api@1.2.3`) are set
aside, so are variants after it (`-alpine`). A tag of fewer than three numbers, such as `1.26`,
moves, and stands for the newest of its releases.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from policies.variant import read_shape
from policies.version import PreKey

CoreKey: TypeAlias = tuple[tuple[int, ...], int, PreKey]

WHOLE = 3  # numbers of a version that does not move
_NEUTRAL = frozenset({"", "v", "r", "rel", "release", "releases", "ver", "version", "tag", "tags"})
_LONE_NUMBERS = re.compile(r"(?:[-_]#)+")  # as `policies.variant` writes them
_BUILD = re.compile(r"[-_](?:ls|r|rev|b|build|p)\.?(\d{1,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class TagVersion:
    """The version in a tag; `component` is what it is a version of, empty for the whole.

    `builds` number the builds of one version, `era` tells counted versions from years.
    """

    component: str
    numbers: tuple[int, ...]
    prerelease: PreKey
    builds: tuple[int, ...]
    era: str

    @property
    def order(self) -> tuple[CoreKey, tuple[int, ...]]:
        """Return what orders versions."""
        return self._core(len(self.numbers)), self.builds

    def extends(self, other: TagVersion) -> bool:
        """Return whether this is `other`, or one of its releases where `other` moves."""
        if len(other.numbers) >= WHOLE or len(self.numbers) <= len(other.numbers):
            return self._core(len(self.numbers)) == other._core(len(other.numbers))
        return self.numbers[: len(other.numbers)] == other.numbers

    def is_after(self, other: TagVersion) -> bool:
        """Return whether this release came after the image `other`."""
        mine, theirs = self._beside(other)
        return mine > theirs or (
            mine == theirs and bool(other.builds) and self.builds > other.builds
        )

    def is_within(self, other: TagVersion) -> bool:
        """Return whether the image `other` holds this release."""
        mine, theirs = self._beside(other)
        late = bool(self.builds) and bool(other.builds) and self.builds > other.builds
        return mine < theirs or (mine == theirs and not late)

    def _beside(self, other: TagVersion) -> tuple[CoreKey, CoreKey]:
        length = len(other.numbers) if len(other.numbers) < WHOLE else len(self.numbers)
        return self._core(length), other._core(len(other.numbers))

    def _core(self, length: int) -> CoreKey:
        numbers = self.numbers[:length]
        while len(numbers) > 1 and numbers[-1] == 0:
            numbers = numbers[:-1]
        return numbers, 0 if self.prerelease else 1, self.prerelease


def read_tag(tag: str) -> TagVersion | None:
    """Return the version in a tag, `None` where it holds none that can be compared."""
    head, text = _split(tag)
    shape = read_shape(text)
    if shape is None:
        return None
    own = shape.prefix.lower().strip("-_.")
    if own not in _NEUTRAL:
        own = re.sub(r"[-_.]v$", "", own).strip("-_.")
    if own[-1:].isdigit():
        return None  # a date or a commit, of which a part only looks like a version
    builds: tuple[int, ...] = ()
    if _LONE_NUMBERS.fullmatch(shape.suffix):
        builds = shape.builds
    elif found := _BUILD.fullmatch(shape.suffix):
        builds = (int(found[1]),)
    component = own if own not in _NEUTRAL else head.lower()
    return TagVersion(
        component="" if component in _NEUTRAL else component,
        numbers=shape.numbers,
        prerelease=shape.prerelease,
        builds=builds,
        era=shape.era,
    )


def _split(tag: str) -> tuple[str, str]:
    """Return the component that stands before a `/` or `@`, and the rest."""
    head, at, text = tag.rpartition("@")
    if not at:
        head, _, text = tag.rpartition("/")
    return head.rpartition("/")[2], text
