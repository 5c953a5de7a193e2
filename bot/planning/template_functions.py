"""The functions that a message template may call: Sprig's hermetic ones, within bounds.

As in Flux there is no date, random number, environment or network among them, and neither
is anything that makes keys, since a message must be the same whenever it is made. Every
call is charged for what it takes and gives, so that no template can fill the memory
(`reliability-security.md` C12).
"""

from __future__ import annotations

import functools
import re
import urllib.parse
from collections.abc import Callable, Mapping

MAX_WORK_CHARS = 4 * 1024 * 1024  # taken and given by all calls of one rendering; arbitrary
_MAX_COUNT = 10_000  # of repeat, until and the like; arbitrary
_MAX_WIDTH = re.compile(r"%[^%a-zA-Z]*(?:[0-9]{4,}|\*)")

_REFUSED = re.compile(
    r"ago|bcrypt|buildCustomCert|(must_?)?date_?[mM]odify|mustDateModify|decryptAES|derivePassword|"
    r"encryptAES|gen[A-Z].*|htpasswd|randInt|shuffle|(must)?[tT]oDate|duration(Round)?|unixEpoch"
)
_COUNTS = frozenset(
    {"repeat", "indent", "nindent", "until", "untilStep", "seq", "wrap", "wrapWith"}
)
_MULTIPLIES = frozenset(
    {
        "repeat",
        "indent",
        "nindent",
        "replace",
        "join",
        "regexReplaceAll",
        "regexReplaceAllLiteral",
        "mustRegexReplaceAll",
        "mustRegexReplaceAllLiteral",
        "wrapWith",
    }
)


class TooMuchWork(ValueError):
    """A template asks for more than one message can need."""


class _Account:
    """What one rendering has used so far."""

    def __init__(self) -> None:
        self.left = MAX_WORK_CHARS

    def charge(self, chars: int) -> None:
        self.left -= chars
        if self.left < 0:
            raise TooMuchWork("the template makes more text than one message can need")


def bounded_functions() -> Mapping[str, Callable[..., object]]:
    """Return the functions for one rendering, with an account of their own."""
    from gotpl.funcs.sprig import hermetic_text_func_map

    account = _Account()

    functions = {
        name: function
        for name, function in hermetic_text_func_map().items()
        if not _REFUSED.fullmatch(name)
    }
    functions.update(_BUILT_IN)
    return {name: _bounded(name, function, account) for name, function in functions.items()}


def _bounded(
    name: str, function: Callable[..., object], account: _Account
) -> Callable[..., object]:
    @functools.wraps(function)
    def call(*values: object) -> object:
        if name in _COUNTS and any(
            isinstance(value, int) and abs(value) > _MAX_COUNT for value in values
        ):
            raise TooMuchWork(f"{name} is asked for more than {_MAX_COUNT}")
        sizes = [_size(value, account.left) for value in values]
        if name in _MULTIPLIES:
            product = 1
            for value, size in zip(values, sizes, strict=True):
                product *= max(1, abs(value) if isinstance(value, int) else size)
            account.charge(product)
        account.charge(sum(sizes))
        result = function(*values)
        account.charge(_size(result, account.left))
        return result

    return call


def _size(value: object, enough: int) -> int:
    """Return roughly how much text `value` is, counting no further than `enough`.

    What is held twice counts twice, as it would be printed twice.
    """
    total, left = 0, [value]
    while left and total <= enough:
        here = left.pop()
        total += 1
        if isinstance(here, str | bytes):
            total += len(here)
        elif isinstance(here, Mapping):
            left.extend(here)
            left.extend(here.values())
        elif isinstance(here, list | tuple):
            left.extend(here)
    return total


def _text(value: object) -> str:
    from gotpl.runtime.gofmt import sprintf

    return value if isinstance(value, str) else str(sprintf("%v", value))


def _printf(text: str, *values: object) -> str:
    from gotpl.runtime.gofmt import sprintf

    if _MAX_WIDTH.search(text):
        raise TooMuchWork("printf is asked for a width of more than 999")
    return str(sprintf(text, *values))


def _print(*values: object) -> str:
    """Join as Go's Sprint does: a space between two neighbours of which neither is a text."""
    made: list[str] = []
    for position, value in enumerate(values):
        if position and not isinstance(value, str) and not isinstance(values[position - 1], str):
            made.append(" ")
        made.append(_text(value))
    return "".join(made)


def _println(*values: object) -> str:
    return " ".join(_text(value) for value in values) + "\n"


def _html(*values: object) -> str:
    return _print(*values).translate(_HTML)


def _js(*values: object) -> str:
    return "".join(
        _JS.get(char) or (char if char.isprintable() else f"\\u{ord(char):04X}")
        for char in _print(*values)
    )


def _urlquery(*values: object) -> str:
    return urllib.parse.quote_plus(_print(*values), errors="replace")


_HTML = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;", "\0": "\ufffd"}
)
_JS = {
    "\\": "\\\\",
    "'": "\\'",
    '"': '\\"',
    "<": "\\u003C",
    ">": "\\u003E",
    "&": "\\u0026",
    "=": "\\u003D",
}
# gotpl's own of these look at no budget until their text is made.
_BUILT_IN: Mapping[str, Callable[..., object]] = {
    "html": _html,
    "js": _js,
    "print": _print,
    "printf": _printf,
    "println": _println,
    "urlquery": _urlquery,
}
