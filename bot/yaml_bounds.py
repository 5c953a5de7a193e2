"""What no parser may see: files over our bounds, told by their bytes alone.

The figures are those of the threat model (YAML bombs): 5 MiB a file, 100 levels, 1,000
documents, half a million nodes. Size, encoding, directives and plain towers of brackets are
judged here before any parser starts; levels, documents, nodes and aliases are counted by
`bot/rewrite/nodes.py` and `reconciler/yaml_stream.py` while the events come, so that a
parser is stopped and never trusted.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re

MAX_BYTES = 5 * 1024 * 1024
MAX_DEPTH = 100
MAX_DOCUMENTS = 1_000
MAX_NODES = 500_000  # half the threat model's figure: a verdict within five seconds
MAX_ALIASES = 10_000  # arbitrary; real files have a few dozen
_MAX_DIRECTIVES = 100  # libyaml compares every %TAG with all before it; arbitrary
_TOWER = re.compile(rb"(?:[\[{]\s*){%d}" % (MAX_DEPTH + 1))
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def out_of_bounds(text: bytes) -> str:
    """Return why `text` must not be given to a parser; an empty text when it may."""
    if len(text) > MAX_BYTES:
        return f"the file has {len(text)} bytes, more than {MAX_BYTES}"
    if text.startswith(_UTF16_MARKS) or b"\0" in text:
        return "the file is UTF-16 or binary, not UTF-8"
    if text.startswith(b"%") or b"\n%" in text:
        directives = text.count(b"\n%") + text.startswith(b"%")
        if directives > _MAX_DIRECTIVES:
            return f"the file has {directives} directives, more than {_MAX_DIRECTIVES}"
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH and _TOWER.search(text):
        return f"the file is nested deeper than {MAX_DEPTH} levels"
    return ""
