"""Faults of a configuration, gathered until all are known, and the words for them.

A person mends several faults at once, so reading goes on after the first; every fault has
file, line, column and, where a word is wrong, the nearest allowed one (`product.md` 3.2).
Foreign text inside a message is cut, escaped and redacted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bot.config.nodes import Kind
from bot.config.notation import Unreadable
from bot.errors import FaultsError, Problem, Severity
from bot.telemetry import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.config.nodes import Node

_Value = TypeVar("_Value")

_MOST_CHARS = 400  # of one message; arbitrary


class Faults:
    """What has been found wrong in one file so far."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(
        self,
        place: tuple[int, int],
        message: str,
        hint: str = "",
        *,
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Note one fault at `place`, a line and column that count from 1."""
        line, column = place
        self.problems.append(
            Problem(
                severity=severity,
                file=self.file,
                line=line,
                column=column,
                message=shown(message, max_chars=_MOST_CHARS),
                hint=shown(hint, max_chars=_MOST_CHARS),
            )
        )

    def read(self, node: Node | None, reader: Callable[[str], _Value]) -> _Value | None:
        """Return what `reader` makes of the text of `node`, noting its complaint in place.

        `None` when there is no such text or it cannot be read.
        """
        if node is None or node.kind is not Kind.SCALAR:
            return None
        try:
            return reader(node.text)
        except Unreadable as fault:
            self.add(node.place, str(fault), fault.hint)
            return None

    def raise_if_any(self) -> None:
        """Raise all faults as one error, in the order of the file.

        Raises:
            FaultsError: At least one fault was noted.
        """
        if self.problems:
            raise FaultsError(sorted(self.problems, key=lambda p: (p.line, p.column)))
