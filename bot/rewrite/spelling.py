"""How a text is written as a scalar so that it reads back as that very text.

A plain scalar stays plain only when YAML 1.1 and YAML 1.2 both read it as a string: tags
such as `1.10`, `1e3`, `0777`, `yes` or `2024-01-15` get double quotes. The tables here are
ours, wider than either standard on purpose: what any reader in use takes for a number, a
date, a truth value or nothing is quoted.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re

_WORDS = frozenset(
    spelling
    for word in ("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf")
    for spelling in (word, word.capitalize(), word.upper())
) | {"~", "=", "<<", "NaN"}
_NUMBER = re.compile(
    r"""
    [-+]?(?:
        0b[01_]+ | 0o[0-7_]+ | 0x[0-9a-f_]+           # other bases
      | [0-9][0-9_]*(?::[0-9][0-9_]?)+(?:\.[0-9_]*)?  # base sixty
      | [0-9][0-9_]*(?:\.[0-9_]*)?(?:e[-+]?[0-9_]+)?
      | \.[0-9][0-9_]*(?:e[-+]?[0-9_]+)?
      | \.inf
    ) | \.nan
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{1,2}(?::[0-9]{1,2}(?:\.[0-9]*)?)?"
    r"(?:[ \t]*(?:Z|z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?)?"
)
_PLAIN = re.compile(r"[A-Za-z0-9_./+^$;()][^\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff]*")
_FLOW_MARKS = re.compile(r"[,\[\]{}]")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def reads_as_string(text: str) -> bool:
    """Return whether YAML 1.1 and 1.2 both read the plain scalar `text` as a string."""
    return not (text == "" or text in _WORDS or _NUMBER.fullmatch(text) or _DATE.fullmatch(text))


def may_be_plain(text: str, *, flow: bool) -> bool:
    """Return whether `text` may stand without quotes, inside a flow collection with `flow`."""
    if not reads_as_string(text) or _PLAIN.fullmatch(text) is None:
        return False
    if text in {"---", "..."} or text.endswith(":") or text.startswith(("---", "...")):
        return False
    return not (flow and _FLOW_MARKS.search(text))


def double_quoted(text: str) -> str:
    """Return `text` in double quotes."""
    return '"' + "".join(_escaped(mark) for mark in text) + '"'


def _escaped(mark: str) -> str:
    if mark in _ESCAPES:
        return _ESCAPES[mark]
    if mark.isprintable() or mark == " ":
        return mark
    code = ord(mark)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004  # the BMP


def single_quoted(text: str) -> str:
    """Return `text` in single quotes, or in double ones where single ones cannot say it."""
    if not text.isprintable():
        return double_quoted(text)
    return "'" + text.replace("'", "''") + "'"
