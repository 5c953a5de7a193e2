"""The marker grammar: which comments bind a field to a policy, and which nearly do.

Two forms. Flux's: the whole comment is one JSON object of strings whose key `$imagepolicy`
says `NAMESPACE:NAME`, optionally with `:tag`, `:name` or `:digest` (image automation, Flux
v1). Ours: `# pilotfish: POLICY [key=value …]` with quoting as in a shell, but with a
backslash that stands for itself outside double quotes, so that patterns need no doubling.
A comment that nearly is a marker is told apart from prose: silence is what people suffer
from.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum

FLUX_KEY = "$imagepolicy"
_RULES = frozenset(
    {"semver", "alphabetical", "numerical", "calver", "newest-built", "newest-pushed", "digest"}
)
_OPTION = re.compile(r"[a-z-]+=")
_ALMOST_FLUX = re.compile(r"\$image_?policy", re.IGNORECASE)
_OURS = re.compile(r"pilotfish:(?:\s|$)")
_ALMOST_OURS = re.compile(r"pilotfish(?:\s*:|\s+(?P<word>[\w-]+))", re.IGNORECASE)
_BLANK = re.compile(r"\s")


class Part(Enum):
    """Which part of a reference a field holds; the values are the words of `field=`."""

    IMAGE = "image"
    NAME = "name"
    TAG = "tag"
    DIGEST = "digest"
    TAG_AT_DIGEST = "tag@digest"


_FLUX_PARTS = {"tag": Part.TAG, "name": Part.NAME, "digest": Part.DIGEST}


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxMarker:
    """A Flux marker; `text` is `NAMESPACE:NAME` with the part, as written."""

    namespace: str
    name: str
    part: Part
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineMarker:
    """A policy on the line itself.

    `words` is the policy word with its arguments; `options` the remaining `key=value`
    pairs, unjudged; `part` and `image` what `field=` and `image=` say, None when unsaid;
    `text` the marker without `#`.
    """

    words: tuple[str, ...]
    options: dict[str, str]
    part: Part | None
    image: str | None
    text: str

    @property
    def kind(self) -> str:
        """Return `policy` for a named one, `ignore`, or `rule`."""
        return self.words[0] if self.words[0] in {"policy", "ignore"} else "rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAMarker:
    """A comment that means nothing to us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlmostMarker:
    """A comment that was probably meant as a marker and is none.

    `faulty` tells a marker of ours with a fault, which a person must correct, from text
    that may be prose.
    """

    reason: str
    hint: str
    faulty: bool = False


def read_marker(comment: str) -> FluxMarker | InlineMarker | NotAMarker | AlmostMarker:
    """Return what `comment`, from its first `#` to the end of its line, says."""
    text = comment.strip().lstrip("#").strip()
    is_flux = _ALMOST_FLUX.search(text) is not None
    if is_flux and "pilotfish:" in text:
        return AlmostMarker(
            reason="both kinds of marker stand on one line",
            hint="Keep one of them",
            faulty=True,
        )
    if is_flux:
        return _read_flux(text)
    if _OURS.match(text):
        return _read_inline(text)
    return _nearly_inline(text)


def _read_flux(text: str) -> FluxMarker | AlmostMarker:
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return _broken_flux(text)
    if not isinstance(pairs, list) or not all(_is_text_pair(pair) for pair in pairs):
        return AlmostMarker(
            reason="every value of the marker's JSON object must be a string",
            hint='Write {"$imagepolicy": "NAMESPACE:NAME"}',
        )
    keys = [key for key, _ in pairs]
    if keys.count(FLUX_KEY) > 1:
        return AlmostMarker(
            reason=f"the marker says {FLUX_KEY} twice",
            hint="Keep one of them; Flux would take the last",
        )
    if FLUX_KEY not in keys:
        return AlmostMarker(
            reason=f"the marker's key is not {FLUX_KEY}",
            hint=f'Write {{"{FLUX_KEY}": "NAMESPACE:NAME"}}, in lower case',
        )
    return _flux_reference(dict(pairs)[FLUX_KEY])


def _is_text_pair(pair: object) -> bool:
    return isinstance(pair, tuple) and isinstance(pair[1], str)


def _flux_reference(reference: str) -> FluxMarker | AlmostMarker:
    pieces = reference.split(":")
    if len(pieces) not in {2, 3} or not all(pieces) or _BLANK.search(reference):
        return AlmostMarker(
            reason=f"{reference!r} is not NAMESPACE:NAME or NAMESPACE:NAME:tag",
            hint="Write the namespace and name of an image policy, without blanks",
        )
    if len(pieces) == 3 and pieces[2] not in _FLUX_PARTS:  # noqa: PLR2004  # namespace, name, part
        return AlmostMarker(
            reason=f"{pieces[2]!r} is no part of an image",
            hint="The parts are tag, name and digest, in lower case",
        )
    part = _FLUX_PARTS[pieces[2]] if pieces[2:] else Part.IMAGE
    return FluxMarker(namespace=pieces[0], name=pieces[1], part=part, text=reference)


def _broken_flux(text: str) -> AlmostMarker:
    if not text.startswith("{"):
        return AlmostMarker(
            reason="text before the JSON object disables the marker",
            hint="Let the comment hold nothing but the object",
        )
    if "'" in text and '"' not in text:
        return AlmostMarker(
            reason="the marker is not JSON: it has single quotes",
            hint='Write {"$imagepolicy": "NAMESPACE:NAME"} with double quotes',
        )
    try:
        json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return AlmostMarker(
            reason="the marker is not a JSON object",
            hint='Write {"$imagepolicy": "NAMESPACE:NAME"}',
        )
    return AlmostMarker(
        reason="text after the JSON object disables the marker",
        hint="Let the comment hold nothing but the object",
    )


def _nearly_inline(text: str) -> NotAMarker | AlmostMarker:
    found = _ALMOST_OURS.search(text)
    if found is None:
        return NotAMarker()
    word = found["word"]
    if word is not None and word not in _RULES | {"policy", "ignore"}:
        return NotAMarker()
    if word is not None and found.start() > 0:
        return NotAMarker()
    if found.start() > 0:
        return AlmostMarker(
            reason="text before `pilotfish:` disables the marker",
            hint="Let the comment begin with `pilotfish:`",
        )
    return AlmostMarker(
        reason="a marker begins with `pilotfish: ` in lower case",
        hint="Write `# pilotfish: POLICY`, with the colon right after the name and a blank",
    )


class _UnreadableError(ValueError):
    """Why the text after `pilotfish:` cannot be read, and what to write instead."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.hint = hint


def _read_inline(text: str) -> InlineMarker | AlmostMarker:
    try:
        words, options = _split(text.removeprefix("pilotfish:"))
        _judge_words(words)
        part = _part(options.pop("field", None))
    except _UnreadableError as fault:
        return AlmostMarker(reason=str(fault), hint=fault.hint, faulty=True)
    image = options.pop("image", None)
    if image == "":
        return AlmostMarker(
            reason="image= names no repository", hint="Write image=REPOSITORY", faulty=True
        )
    return InlineMarker(
        words=tuple(words), options=options, part=part, image=image, text=text.rstrip()
    )


def _split(text: str) -> tuple[list[str], dict[str, str]]:
    """Return the words and the `key=value` options; a word that begins with `#` ends them."""
    words: list[str] = []
    options: dict[str, str] = {}
    at = 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text) or text[at] == "#":
            return words, options
        key = _OPTION.match(text, at)
        token, at = _token(text, at)
        if key is None or (not words and not key[0].startswith(("field=", "image="))):
            words.append(token)
            continue
        name = key[0][:-1]
        if name in options:
            raise _UnreadableError(f"{name}= stands there twice", "Keep one of them")
        options[name] = token[len(key[0]) :]


def _token(text: str, at: int) -> tuple[str, int]:
    """Return the token that begins at `at`, quotes removed, and where it ends."""
    made: list[str] = []
    while at < len(text) and not text[at].isspace():
        mark = text[at]
        if mark not in "'\"":
            made.append(mark)
            at += 1
            continue
        at += 1
        while at < len(text) and text[at] != mark:
            if mark == '"' and text[at] == "\\" and text[at + 1 : at + 2] in {'"', "\\"}:
                at += 1
            made.append(text[at])
            at += 1
        if at == len(text):
            raise _UnreadableError("a quote is not closed", "Close it on the same line")
        at += 1
    return "".join(made), at


def _judge_words(words: list[str]) -> None:
    known = sorted(_RULES | {"policy", "ignore"})
    if not words:
        raise _UnreadableError("the marker names no policy", f"Name one of {', '.join(known)}")
    if words[0] not in known:
        raise _UnreadableError(f"{words[0]!r} is no policy", f"The policies are {', '.join(known)}")
    if words[0] == "policy" and len(words) != 2:  # noqa: PLR2004  # the word and one name
        raise _UnreadableError("`policy` takes one name", "Write `pilotfish: policy NAME`")


def _part(word: str | None) -> Part | None:
    if word is None:
        return None
    for part in Part:
        if part.value == word:
            return part
    raise _UnreadableError(
        f"field={word} is no part of an image",
        f"The parts are {', '.join(part.value for part in Part)}",
    )
