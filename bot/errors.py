"""The five kinds of failure, by what happens next, and the problem a run reports without stopping.

Modules raise their own subclass, kept beside the code that raises it; the kind alone
decides what happens next (house rules, "Errors"). A message has three parts: where,
what, what to do. The reader is on call and has not seen this code.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum


class ProductError(Exception):
    """A failure that a person can understand and act on.

    `what` is a sentence without a final stop, `where` a file with line, a host or a
    branch, `hint` what to do about it. Neither may hold a secret.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.hint}" if self.hint else text


class ConfigError(ProductError):
    """A person must edit a file; never retried."""


class AccessError(ProductError):
    """A person must grant or renew something; retried at the next run."""


class UnavailableError(ProductError):
    """The other side is down or busy; retried, with back-off.

    `wait_s` is how long the other side asked us to wait, in seconds, when it said so. `cause`
    is what is wrong with it, the same for everyone who asked it in vain.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        hint: str = "",
        wait_s: float | None = None,
        cause: str = "",
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.wait_s = wait_s
        self.cause = cause or what


class ConflictError(ProductError):
    """Someone moved it under us; planned again at once."""


class RefusedError(ProductError):
    """Our own safety limit said no; never retried."""


class Severity(Enum):
    """How much a problem weighs: only `ERROR` counts for an exit code, in every command."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that was left alone or could not be done, while the rest went on.

    `file` is relative to the folder or repository in question with `/` as separator, or a
    host or policy where no file is concerned; `line` and `column` count from 1, 0 when
    there is none. `hint` says what to do. `cause` is set where other problems may have the
    same one, and then `fields` counts what this one leaves as it is.
    """

    severity: Severity
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    hint: str = ""
    cause: str = ""
    fields: int = 0

    @property
    def where(self) -> str:
        """Return `file:line:column` as far as they are known."""
        parts = [self.file] if self.file else []
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)

    def as_json(self) -> dict[str, object]:
        """Return the form that every command's JSON uses."""
        return {
            "severity": self.severity.value,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "hint": self.hint,
        }


class FaultsError(ConfigError):
    """Every fault of a configuration at once, each a `Problem` with its own place."""

    def __init__(self, problems: list[Problem]) -> None:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(first.message + more, where=first.where, hint=first.hint)
        self.problems = problems


def by_cause(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems with those of one cause made one: the images of a registry that is down.

    What they have in common is told, and how many images and fields it concerns.
    """
    alike: dict[object, list[Problem]] = {}
    for number, one in enumerate(problems):
        key = (one.severity, one.file, one.cause) if one.cause else number
        alike.setdefault(key, []).append(one)
    return [group[0] if len(group) == 1 else _as_one(group) for group in alike.values()]


def _as_one(group: Sequence[Problem]) -> Problem:
    fields = sum(one.fields for one in group)
    left = f", {fields} fields left as they are" if fields else ""
    message = f"{group[0].cause}; {len(group)} images not asked{left}"
    return replace(group[0], message=message, fields=fields)
