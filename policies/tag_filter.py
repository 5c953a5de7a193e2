r"""Filters and exclusions: which tags count, and which part of a tag is compared.

Patterns are RE2's, found anywhere in a tag, as Flux's `filterTags` and `exclusionList`
use them through Go's regexp; templates expand as Go's `Regexp.Expand`. What RE2's C++
library takes and Go refuses (`\C`) is refused here. Linear time in
the tag whatever the pattern, so that a pattern from a stranger's file is harmless (C9).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import re2

from policies.policy import InvalidPolicy

SIGNATURES = (r"^.*\.sig$",)
# What cosign and its like store beside an image: signature, attestation and SBOM tags, and the
# referrers tag schema of OCI distribution 1.1.
STORED_BESIDE_IMAGES = (*SIGNATURES, r"^.*\.(att|sbom)$", r"^sha(256|512)-[0-9a-f]{32,128}$")
# Every tag that one of these excludes matches this, in a tenth of RE2's time.
_PERHAPS_STORED_BESIDE = re.compile(r"\.(?:sig|att|sbom)\Z|\Asha")

_MAX_PATTERN = 4096  # bytes; arbitrary, far above what people write
_MAX_TEMPLATE = 1024
_PROGRAM_MEMORY = 8 << 20  # bytes for one compiled program; RE2's own default
# How a pattern that means whole tags begins and ends, `.*` as good as an anchor.
_BEGINNING = re.compile(r"(?:\(\?[imsU]+\))?(?:\((?:\?:|\?P?<[^>]*>)?)*(?:\^|\\A|\.\*)")
_END = re.compile(r"(?:(?<!\\)(?:\\\\)*(?:\$|\\z)|(?<!\\)\.\*)\)*\Z")
_ATOM = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?\]?(?:\[:\^?[a-z]+:\]|\\.|[^\]\\])*\]", re.DOTALL)
_INNERMOST_GROUP = re.compile(r"\([^()]*\)")
_LARGEST_GROUP = 100_000_000  # Go reads a longer number as a name


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFilter:
    """Keeps the tags that hold `pattern`; `extract`, when not empty, makes the value."""

    pattern: str
    extract: str = ""
    program: Any = field(repr=False, compare=False)
    pieces: tuple[str | tuple[int, ...], ...] = field(default=(), repr=False, compare=False)

    @property
    def text(self) -> str:
        """Return the filter in words."""
        extract = f" as {_quoted(self.extract)}" if self.extract else ""
        return f"filter {_quoted(self.pattern)}{extract}"

    @property
    def is_anchored(self) -> bool:
        """Does the pattern say where a tag begins and ends? A check notes when it does not.

        Read from its signs alone: `(^a$|^b$)` counts as anchored and `^a$|^b$` does not.
        """
        outside = _ATOM.sub("", self.pattern)
        while (without := _INNERMOST_GROUP.sub("", outside)) != outside:
            outside = without
        has_ends = _BEGINNING.match(self.pattern) and _END.search(self.pattern)
        return has_ends is not None and "|" not in outside

    def value(self, tag: str) -> str | None:
        """Return what is compared for `tag`, None when the pattern is not found in it."""
        match = self.program.search(_as_bytes(tag))
        if match is None:
            return None
        if not self.extract:
            return tag
        expanded = b"".join(
            piece.encode("utf-8", "surrogatepass")
            if isinstance(piece, str)
            else next((text for group in piece if (text := match.group(group)) is not None), b"")
            for piece in self.pieces
        )
        return expanded.decode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Drops the tags that hold any of `patterns`, before anything else looks at them."""

    patterns: tuple[str, ...]
    programs: tuple[Any, ...] = field(repr=False, compare=False)
    quick: re.Pattern[str] | None = field(default=None, repr=False, compare=False)

    def refusal(self, tag: str) -> str:
        """Return why `tag` is excluded, empty when it is not."""
        if self.quick is not None and self.quick.search(tag) is None:
            return ""
        text = _as_bytes(tag)
        for pattern, program in zip(self.patterns, self.programs, strict=True):
            if program.search(text) is not None:
                return f"excluded by {_quoted(pattern)}"
        return ""


def read_filter(pattern: str, extract: str = "") -> TagFilter:
    """Return the filter; an empty pattern is found in every tag.

    Raises:
        InvalidPolicy: RE2 or Go does not take the pattern; `key` is filter or extract.
    """
    program = _compile(pattern, key="filter")
    if len(extract) > _MAX_TEMPLATE:
        raise InvalidPolicy(
            f"the template is longer than {_MAX_TEMPLATE} characters", key="extract"
        )
    pieces = tuple(_pieces(extract, _group_names(pattern), program.groups))
    return TagFilter(pattern=pattern, extract=extract, program=program, pieces=pieces)


def read_exclusion(patterns: tuple[str, ...], default: tuple[str, ...]) -> Exclusion:
    """Return the exclusion; a list replaces the default, an empty one means the default.

    Raises:
        InvalidPolicy: RE2 or Go does not take one of the patterns; `key` is exclude.
    """
    chosen = patterns or default
    programs = tuple(_compile(pattern, key="exclude") for pattern in chosen)
    ours = set(chosen) <= set(STORED_BESIDE_IMAGES)
    quick = _PERHAPS_STORED_BESIDE if ours else None
    return Exclusion(patterns=chosen, programs=programs, quick=quick)


def _quoted(text: str) -> str:
    """Return `text` in quotes as it was written; only what does not print is escaped."""
    body = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
    quote = '"' if "'" in body and '"' not in body else "'"
    return f"{quote}{body}{quote}"


def _as_bytes(text: str) -> bytes:
    # Lone surrogates can come out of JSON; they match nothing but must not stop a selection.
    return text.encode("utf-8", "surrogatepass")


def _compile(pattern: str, *, key: str) -> Any:
    hint = "Patterns are RE2's: no look-around, no back references; see github.com/google/re2"
    text = _as_bytes(pattern)
    if len(text) > _MAX_PATTERN:
        raise InvalidPolicy(f"the pattern is longer than {_MAX_PATTERN} bytes", key=key)
    if any(token[0] == r"\C" for token in _TOKEN.finditer(pattern)):
        raise InvalidPolicy(rf"the pattern {_quoted(pattern)} holds \C", key=key, hint=hint)
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PROGRAM_MEMORY
    try:
        return re2.compile(text, options)  # type: ignore[no-untyped-call]  # ships no types
    except re2.error as failure:
        reason = failure.args[0] if failure.args else ""
        words = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise InvalidPolicy(
            f"the pattern {_quoted(pattern)} cannot be read: {words}", key=key, hint=hint
        ) from failure


# Quoted text, escapes, classes (a `]` first in one is itself) and the openings of groups.
_TOKEN = re.compile(
    r"\\Q.*?(?:\\E|\Z)"
    r"|\\."
    r"|\[\^?\]?(?:\[:\^?[a-z]+:\]|\\.|[^\]\\])*\]"
    r"|(?P<group>\((?:(?!\?)|\?P?<(?P<name>[^>]*)>))",
    re.DOTALL,
)


def _group_names(pattern: str) -> dict[str, tuple[int, ...]]:
    """Return the numbers of each named group; a name may stand twice, in two branches."""
    names: dict[str, tuple[int, ...]] = {}
    groups = (token["name"] for token in _TOKEN.finditer(pattern) if token["group"])
    for number, name in enumerate(groups, start=1):
        if name is not None:
            names[name] = (*names.get(name, ()), number)
    return names


def _pieces(
    template: str, names: dict[str, tuple[int, ...]], groups: int
) -> Iterator[str | tuple[int, ...]]:
    """Yield the template's texts and groups, by the rules of Go's Expand.

    Of several groups the first that took part in the match counts.
    """
    rest = template
    while True:
        literal, dollar, rest = rest.partition("$")
        if literal:
            yield literal
        if not dollar:
            return
        if rest.startswith("$"):
            yield "$"
            rest = rest[1:]
            continue
        name, after = _group_name(rest)
        if not name:
            yield "$"  # malformed: the sign stands for itself
            continue
        rest = after
        number = _group_number(name)
        if number is None:
            yield names.get(name, ())
        elif number <= groups:
            yield (number,)


def _group_name(text: str) -> tuple[str, str]:
    """Return the longest name at the start of `text`, in braces or not, and what follows it."""
    braced = text.startswith("{")
    start = 1 if braced else 0
    end = start
    while end < len(text) and (text[end].isalpha() or text[end].isdecimal() or text[end] == "_"):
        end += 1
    name = text[start:end]
    if not braced:
        return name, text[end:]
    if not text.startswith("}", end):
        return "", text
    return name, text[end + 1 :]


def _group_number(name: str) -> int | None:
    if not (name.isascii() and name.isdigit()) or (name[0] == "0" and len(name) > 1):
        return None
    # Go stops at eight digits and more and then looks for a group of that name: there is none.
    return int(name) if len(name) <= len(str(_LARGEST_GROUP)) else None
