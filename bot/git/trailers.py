"""Trailers: the `Key: value` lines that close a commit message.

We recognise our own commits by them, so a value must never be able to begin a line: every
value is brought to one line, and text that precedes the block can neither extend it nor
imitate it (rule C13 of the threat model). Reading follows `git interpret-trailers`: the
last paragraph counts, when every line of it is a trailer or continues one.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*\Z")
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)[ \t]*:[ \t]*(.*)\Z", re.DOTALL)
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f\x85\u2028\u2029]+")

Trailer = tuple[str, str]


def with_trailers(message: str, trailers: Iterable[Trailer]) -> str:
    """Return `message` closed by `trailers`, in their order, and one line end.

    A message that ends in a block of its own gets ours as a new paragraph, which alone is
    the block from then on. Values become one line; a trailer with an empty value is kept.

    Raises:
        ValueError: A key is not letters, digits and dashes.
    """
    body = clean_message(message)
    lines = []
    for key, value in trailers:
        if not _KEY.match(key):
            raise ValueError(f"{key!r} cannot be a trailer's key")
        lines.append(f"{key}: {one_line(value)}".rstrip())
    if not lines:
        return body
    return body + "\n" + "\n".join(lines) + "\n"


def read_trailers(message: str) -> tuple[Trailer, ...]:
    """Return the trailers of `message` in order; none when its last paragraph is prose.

    A subject alone never is a block. Continued lines are joined by a blank.
    """
    lines = message.replace("\r\n", "\n").rstrip().split("\n")
    start = len(lines)
    while start and lines[start - 1].strip():
        start -= 1
    if not start:
        return ()
    found: list[Trailer] = []
    for line in lines[start:]:
        match = _LINE.match(line)
        if match:
            found.append((match[1], match[2].strip()))
        elif line[0] in " \t" and found:
            key, value = found[-1]
            found[-1] = (key, f"{value} {line.strip()}".strip())
        else:
            return ()
    return tuple(found)


def one_line(value: str) -> str:
    """Return `value` with every line end, tab and control character as one blank."""
    return _BREAKS.sub(" ", value).strip()


def clean_message(message: str) -> str:
    """Return a commit message with plain line ends, no NUL, and exactly one line end last."""
    text = message.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return text.strip("\n").rstrip() + "\n"
