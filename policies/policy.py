"""The vocabulary of choosing: candidates, facts, gates, and the rule that a policy follows.

A policy is a rule (which tag is best), a filter (which tags count, and which part of
them), exclusions, gates (what may be proposed now) and what happens to digests. The words
are those of the glossary in CONTRIBUTING; this module knows no particular rule.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from policies.tag_filter import Exclusion, TagFilter
    from policies.variant import Identity


class InvalidPolicy(ValueError):
    """A policy that cannot be meant: the caller adds where it stands.

    `key` is the option that is wrong, empty when it is the policy as a whole; `hint` says
    what to write instead.
    """

    def __init__(self, message: str, *, key: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.hint = hint


class Fact(Enum):
    """Something about a candidate that costs a request."""

    CREATED = "created"
    PUSHED = "pushed"
    DIGEST = "digest"
    PLATFORMS = "platforms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about one tag's present content; None is "not asked, or not to be had".

    `pushed` is the registry's push date or a `Last-Modified`, `created` the build date that
    the image states, `first_seen` when we first saw this tag with this digest; all aware.
    `dated_by` says in words where the push date comes from. `platforms` are texts such as
    `linux/arm64/v8`, and `images` the digest of each one's own image. `unavailable` names each
    fact that was asked for in vain, and why.
    """

    created: datetime | None = None
    pushed: datetime | None = None
    first_seen: datetime | None = None
    dated_by: str = ""
    digest: str | None = None
    platforms: frozenset[str] | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    unavailable: Mapping[Fact, str] = field(default_factory=dict)


NO_FACTS = Facts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A tag that could be chosen, and the value that rules compare (the tag, or its extract)."""

    tag: str
    value: str


class DigestMode(Enum):
    """When a digest is looked up and written beside the tag (Flux's digestReflectionPolicy)."""

    NEVER = "never"
    IF_NOT_PRESENT = "if-not-present"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionError:
    """Why nothing was chosen: `kind` is no-candidates, no-match or not-a-number."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """A rule's answer: the candidates it admits, best first, and why it refuses the others.

    `missing` are facts without which the order is not final.
    """

    best_first: Sequence[Candidate]
    refused: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, frozenset[Fact]] = field(default_factory=dict)
    error: SelectionError | None = None


class Rule(Protocol):
    """Which candidate is best; `text` is how a person would write it."""

    @property
    def text(self) -> str:
        """Return the rule in one short line, as in `semver ^1.4`."""

    @property
    def needs(self) -> frozenset[Fact]:
        """Return the facts without which this rule cannot order."""

    def rank(
        self,
        candidates: Sequence[Candidate],
        *,
        facts: Mapping[str, Facts],
        identity: Identity | None,
    ) -> Ranking:
        """Order `candidates`, which come in stored order (descending bytes of the tag).

        `identity` is what the written tag must have in common with the chosen one, None
        when nothing has been asked for. Equal candidates stay in an order that is stated.
        """

    def order(self, a: Candidate, b: Candidate, *, facts: Mapping[str, Facts]) -> int | None:
        """Return 1 when `a` is better, -1 when `b` is, 0 when equal, None when it cannot say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """A tag that is never proposed, and why."""

    tag: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What may be proposed now.

    `max_jump` is how many majors one update may climb (None: any number).
    """

    min_age: timedelta | None = None
    platforms: tuple[str, ...] = ()
    deny: tuple[Deny, ...] = ()
    allow_downgrade: bool = False
    max_jump: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagPolicy:
    """One policy, read and checked.

    `keep_variant` and `keep_precision` make prefix, suffix and number of parts of the
    written tag part of what the chosen one must share.
    """

    rule: Rule
    filter: TagFilter | None
    exclude: Exclusion
    digest: DigestMode = DigestMode.NEVER
    gates: Gates = Gates()
    keep_variant: bool = False
    keep_precision: bool = False

    @property
    def text(self) -> str:
        """Return the policy in one line that a person reads."""
        parts = [self.rule.text]
        if self.filter is not None:
            parts.append(self.filter.text)
        parts.extend(describe_gates(self.gates))
        if self.keep_variant or self.keep_precision:
            kept = ["variant"] * self.keep_variant + ["precision"] * self.keep_precision
            parts.append(f"same {' and '.join(kept)}")
        if self.digest is not DigestMode.NEVER:
            parts.append(f"digest {self.digest.value}")
        return ", ".join(parts)

    @property
    def needs(self) -> frozenset[Fact]:
        """Return every fact that the rule, the gates or the digest may ask for."""
        needed = set(self.rule.needs)
        if self.gates.min_age is not None:
            needed.add(Fact.PUSHED)
        if self.gates.platforms:
            needed.add(Fact.PLATFORMS)
        if self.digest is not DigestMode.NEVER:
            needed.add(Fact.DIGEST)
        return frozenset(needed)


def describe_gates(gates: Gates) -> list[str]:
    """Return each gate that is set, in words."""
    words = []
    if gates.min_age is not None:
        words.append(f"at least {describe_age(gates.min_age)} old")
    if gates.platforms:
        words.append(f"on {' and '.join(gates.platforms)}")
    if gates.deny:
        words.append(f"never {', '.join(denied.tag for denied in gates.deny)}")
    if gates.max_jump is not None:
        words.append(f"at most {gates.max_jump} major{'s' * (gates.max_jump != 1)} at once")
    if gates.allow_downgrade:
        words.append("downgrades allowed")
    return words


def describe_age(age: timedelta) -> str:
    """Return `age` as people write it: `3d`, `36h`, `90m`, `1d12h`, `45s`."""
    seconds = int(age.total_seconds())
    words = ""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        words += f"{count}{unit}" if count else ""
    return words or "0s"
