"""Substitution of `${variables}` in text, as Flux does it after a build (`reconciler.md` 2.4).

Only `${…}` means something; `$name` stays, `$$` is written for one `$`. Lengths and offsets count
bytes of UTF-8. Where Flux's engine fails or surprises, we do what people expect of it:

* `${v-d}` works, as `${v=d}` does; both take the default when `v` is unset or empty;
* a default that is not needed is not looked at, so it cannot fail;
* all variables that are not set are named at once, with line and column;
* a pattern that is replaced ends at `}`: a forgotten slash is an error and eats no text;
* `${v%[0-9]}` takes off a digit; a negative length is an error.

Must not know where values come from.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from bot.errors import ConfigError
from reconciler.build.globs import matching_lengths

_MAX_DEPTH = 64  # of defaults within defaults, arbitrary
_DEFAULTS = frozenset("=-?+")
_NUMBER = re.compile(r"[-+]?[0-9]+")
_INT64 = range(-(2**63), 2**63)


class Trouble(Enum):
    """What is wrong; the words are a contract (`cli.md`, `substitute`)."""

    NOT_SET = "variable-not-set"
    NO_CLOSING_BRACE = "missing-closing-brace"
    BAD_NAME = "bad-variable-name"
    BAD_SUBSTITUTION = "bad-substitution"
    BAD_NESTED = "bad-nested-substitution"


_HINTS = {
    Trouble.NOT_SET: "Set it, or give a default as in ${name:=default}",
    Trouble.NO_CLOSING_BRACE: "Close it with `}`, or write `$${` where no variable is meant",
    Trouble.BAD_NAME: "A name has letters, digits and underscores; `$${` is a plain `${`",
    Trouble.BAD_SUBSTITUTION: "Correct the expression, or write `$${` where no variable is meant",
    Trouble.BAD_NESTED: "Something is missing before `}`; `$${` is a plain `${`",
}


class SubstitutionError(ConfigError):
    """The text cannot be substituted; `trouble` says what kind of reason it is."""

    def __init__(self, trouble: Trouble, what: str, *, where: str) -> None:
        super().__init__(what, where=where, hint=_HINTS[trouble])
        self.trouble = trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """One `${…}`: the variable, what is done with it, and with what; `start` is its offset.

    `operator` is empty for a plain variable and `len` for `${#v}`.
    """

    name: str
    operator: str
    arguments: tuple[tuple[Part, ...], ...]
    start: int


Part = str | Expression


def substitute(
    text: str, variables: Mapping[str, str], *, strict: bool = False, source: str = ""
) -> str:
    """Return `text` with its expressions replaced.

    Values are put in as they are and not looked at again. A variable that is not set is empty,
    with `strict` an error unless it has a default. `source` names the text in errors. Bytes that
    are no UTF-8 pass when they were decoded with `surrogateescape`.

    Raises:
        SubstitutionError: An expression is wrong, or with `strict` variables are not set.
    """
    parts = _Parser(text, source).parse()
    evaluation = _Evaluation(text, source, variables)
    result = evaluation.joined(parts)
    if strict and evaluation.unset:
        raise evaluation.not_set()
    return result


def _place(text: str, offset: int, source: str) -> str:
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return f"{source}:{line}:{column}" if source else f"line {line}, column {column}"


class _Parser:
    """Reads expressions by descent; the order of its questions is that of Flux's engine."""

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self._here = 0

    def parse(self) -> list[Part]:
        parts: list[Part] = []
        while (found := self._text.find("$", self._here)) >= 0:
            following = self._text[found + 1 : found + 2]
            if following == "{":
                parts.append(self._text[self._here : found])
                self._here = found + 2
                parts.append(self._expression(found, 0))
            else:
                parts.append(self._text[self._here : found + 1])
                self._here = found + (2 if following == "$" else 1)
        parts.append(self._text[self._here :])
        return parts

    def _peek(self) -> str:
        return self._text[self._here : self._here + 1]

    def _fault(self, trouble: Trouble, start: int) -> SubstitutionError:
        line = self._text[start : start + 40].split("\n")[0]
        where = _place(self._text, start, self._source)
        return SubstitutionError(trouble, f"{line!r} cannot be read", where=where)

    def _name(self) -> str:
        start = self._here
        while (sign := self._peek()) and (sign == "_" or sign.isalpha() or sign.isdecimal()):
            self._here += 1
        return self._text[start : self._here]

    def _take(self, sign: str, trouble: Trouble, start: int) -> None:
        if self._peek() != sign:
            raise self._fault(trouble, start)
        self._here += 1

    def _expression(self, start: int, depth: int) -> Expression:
        if depth > _MAX_DEPTH:
            raise self._fault(Trouble.BAD_NESTED, start)
        if self._peek() == "#":
            return self._length(start)
        name = self._name()
        if not name:
            raise self._fault(Trouble.BAD_NAME, start)
        operator = self._operator()
        arguments: list[tuple[Part, ...]] = []
        if operator == "":
            self._take("}", Trouble.NO_CLOSING_BRACE, start)
        elif operator[-1] in _DEFAULTS:
            arguments.append(self._default(start, depth))
        elif operator[0] in "^,":
            self._take("}", Trouble.BAD_SUBSTITUTION, start)
        elif operator == ":":
            arguments += self._range(start, depth)
        elif operator[0] == "/":
            arguments += self._replacement(start, depth)
        else:
            arguments.append((self._argument(start, depth, "}", escapes=False),))
            self._take("}", Trouble.BAD_SUBSTITUTION, start)
        return Expression(name=name, operator=operator, arguments=tuple(arguments), start=start)

    def _length(self, start: int) -> Expression:
        self._here += 1
        name = self._name()
        if not name:
            raise self._fault(Trouble.BAD_SUBSTITUTION, start)
        self._take("}", Trouble.BAD_SUBSTITUTION, start)
        return Expression(name=name, operator="len", arguments=(), start=start)

    def _operator(self) -> str:
        """Take what is done with the variable; nothing when a brace or anything else follows."""
        first, both = self._peek(), self._text[self._here : self._here + 2]
        second = both[1:]
        if first == ":":
            operator = both if second in _DEFAULTS else first
        elif first == "/":
            operator = both if second in {"/", "#", "%"} else first
        elif first in {"^", ","}:
            operator = both if second in {"^", ","} else first
        elif first in {"#", "%"}:
            operator = both if second == first else first
        else:
            operator = first if first in {"=", "-"} else ""
        self._here += len(operator)
        return operator

    def _default(self, start: int, depth: int) -> tuple[Part, ...]:
        parts: list[Part] = []
        while self._peek() != "}":
            parts.append(self._argument(start, depth, "}", escapes=False))
        self._here += 1
        return tuple(parts)

    def _range(self, start: int, depth: int) -> list[tuple[Part, ...]]:
        if not self._peek():
            raise self._fault(Trouble.BAD_SUBSTITUTION, start)
        arguments: list[tuple[Part, ...]] = [
            (self._argument(start, depth, ":}", escapes=False),),
        ]
        if self._peek() == ":":
            self._here += 1
            arguments.append((self._argument(start, depth, "}", escapes=False),))
        self._take("}", Trouble.BAD_SUBSTITUTION, start)
        return arguments

    def _replacement(self, start: int, depth: int) -> list[tuple[Part, ...]]:
        if self._peek() == "}":
            raise self._fault(Trouble.BAD_SUBSTITUTION, start)
        arguments: list[tuple[Part, ...]] = [
            (self._argument(start, depth, "/}", escapes=True),),
        ]
        self._take("/", Trouble.BAD_SUBSTITUTION, start)
        if self._peek() != "}":
            arguments.append((self._argument(start, depth, "}", escapes=True),))
        self._take("}", Trouble.BAD_SUBSTITUTION, start)
        return arguments

    def _argument(self, start: int, depth: int, ends: str, *, escapes: bool) -> Part:
        """Take one expression, or text up to a sign of `ends` or the next expression."""
        if self._text.startswith("${", self._here):
            begun = self._here
            self._here += 2
            return self._expression(begun, depth + 1)
        taken: list[str] = []
        while (sign := self._peek()) and sign not in ends:
            both = self._text[self._here : self._here + 2]
            if both == "${":
                break
            if escapes and both in {"$$", "\\/", "\\\\"}:
                self._here += 1
                sign = both[1]
            taken.append(sign)
            self._here += 1
        if not taken:
            raise self._fault(Trouble.BAD_NESTED, start)
        return "".join(taken)


class _Evaluation:
    """The values of one substitution; `unset` are expressions whose variable has no value."""

    def __init__(self, text: str, source: str, variables: Mapping[str, str]) -> None:
        self._text = text
        self._source = source
        self._variables = variables
        self.unset: list[Expression] = []

    def joined(self, parts: list[Part] | tuple[Part, ...]) -> str:
        return "".join(one if isinstance(one, str) else self._value(one) for one in parts)

    def not_set(self) -> SubstitutionError:
        """Return the error that names every variable without a value, where it is first used."""
        first: dict[str, int] = {}
        for one in self.unset:
            first.setdefault(one.name, one.start)
        (name, start), *others = first.items()
        text = f"the variable {name!r} is not set"
        if others:
            listed = ", ".join(
                f"{other!r} ({_place(self._text, at, '').replace('column ', '')})"
                for other, at in others
            )
            text = f"{text}, and neither are {listed}"
        where = _place(self._text, start, self._source)
        return SubstitutionError(Trouble.NOT_SET, text, where=where)

    def _value(self, one: Expression) -> str:
        value = self._variables.get(one.name)
        if one.operator and one.operator[-1] in _DEFAULTS:
            return value or self.joined(one.arguments[0])
        if value is None:
            self.unset.append(one)
            value = ""
        if not one.operator:
            return value
        arguments = [self.joined(argument) for argument in one.arguments]
        if one.operator == ":":
            return self._cut(one, value, arguments)
        done = _OPERATIONS.get(one.operator)
        return value if done is None else done(value, *arguments)

    def _cut(self, one: Expression, value: str, arguments: list[str]) -> str:
        numbers = [
            int(text) if _NUMBER.fullmatch(text) and int(text) in _INT64 else None
            for text in arguments
        ]
        if None in numbers:
            return value
        start, *lengths = (number for number in numbers if number is not None)
        if lengths and lengths[0] < 0:
            raise SubstitutionError(
                Trouble.BAD_SUBSTITUTION,
                f"the length {lengths[0]} of ${{{one.name}:…}} is negative",
                where=_place(self._text, one.start, self._source),
            )
        raw = value.encode("utf-8", "surrogateescape")
        kept = raw[start if start >= 0 else max(0, len(raw) + start) :]
        return kept[: lengths[0] if lengths else None].decode("utf-8", "surrogateescape")


def _upper(text: str) -> str:
    return "".join(up if len(up := sign.upper()) == 1 else sign for sign in text)


def _lower(text: str) -> str:
    return "".join(low if len(low := sign.lower()) == 1 else sign for sign in text)


def _begin(value: str, pattern: str, choose: Callable[[list[int]], int]) -> str:
    lengths = matching_lengths(pattern, value)
    return value[choose(lengths) :] if lengths else value


def _end(value: str, pattern: str, choose: Callable[[list[int]], int]) -> str:
    lengths = matching_lengths(pattern, value, from_end=True)
    return value[: len(value) - choose(lengths)] if lengths else value


def _replace_begin(value: str, old: str, *new: str) -> str:
    return new[0] + value.removeprefix(old) if new and value.startswith(old) else value


def _replace_end(value: str, old: str, *new: str) -> str:
    return value.removesuffix(old) + new[0] if new and value.endswith(old) else value


_OPERATIONS: dict[str, Callable[..., str]] = {
    "len": lambda value: str(len(value.encode("utf-8", "surrogateescape"))),
    "^": lambda value: _upper(value[:1]) + value[1:],
    "^^": _upper,
    ",": lambda value: _lower(value[:1]) + value[1:],
    ",,": _lower,
    "#": lambda value, pattern: _begin(value, pattern, min),
    "##": lambda value, pattern: _begin(value, pattern, max),
    "%": lambda value, pattern: _end(value, pattern, min),
    "%%": lambda value, pattern: _end(value, pattern, max),
    "/": lambda value, old, new="": value.replace(old, new, 1),
    "//": lambda value, old, new="": value.replace(old, new),
    "/#": _replace_begin,
    "/%": _replace_end,
}
