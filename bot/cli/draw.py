"""Tables and progress bars; rich is imported only to draw a bar that moves.

A table is text in columns, coloured where a person looks. In a terminal it is never wider than
that; in a log or a pipe every row is one line.
"""

from __future__ import annotations

import shutil
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.progress import Progress

    from bot.cli.options import Display

_SHOWN_CANDIDATES = 20
_BAR_AFTER_S = 1.0
_LONGEST_CELL = 2000  # characters; a foreign text beyond that is no text
_CODES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    display: Display,
    *,
    title: str = "",
    styles: Sequence[str] = (),
) -> None:
    """Print a table to standard output, no wider than the terminal; `styles` are per column."""
    from bot.cli.columns import lay_out
    from bot.telemetry import shown

    cells = [[shown(cell, max_chars=_LONGEST_CELL) for cell in row] for row in rows]
    head, body = lay_out(headings, cells, _width())
    if title:
        print(coloured(title, "bold", display))
    for line in head:
        print(coloured("".join(piece.text for piece in line).rstrip(), "bold", display))
    for line in body:
        texts = []
        for piece in line:
            known = piece.column is not None and piece.column < len(styles)
            style = styles[piece.column] if known and piece.column is not None else ""
            texts.append(coloured(piece.text, style, display))
        print("".join(texts).rstrip())


def _width() -> int | None:
    """Return the columns of the terminal, or as `COLUMNS` says; `None` in a file or a pipe."""
    return shutil.get_terminal_size(fallback=(0, 0)).columns or None


def coloured(text: str, style: str, display: Display) -> str:
    """Return `text` in a style (words such as `bold green`) where a person looks, else as it is."""
    if not display.colour or not style or not text:
        return text
    codes = ";".join(_CODES[word] for word in style.split())
    return f"\x1b[{codes}m{text}\x1b[0m"


def candidate_table(candidates: Sequence[dict[str, Any]], display: Display) -> None:
    """Print candidates with their reasons, the chosen one first, the rest counted."""
    ordered = sorted(candidates, key=lambda one: not one["chosen"])
    shown = ordered[:_SHOWN_CANDIDATES]
    rows = [
        ("✓" if one["chosen"] else "", one["tag"] or '""', one["value"], one["reason"])
        for one in shown
    ]
    table(("", "tag", "value", "reason"), rows, display, styles=("green", "bold", "", "dim"))
    if len(ordered) > len(shown):
        print(f"… and {len(ordered) - len(shown)} more; -o json prints all")


@contextmanager
def progress(
    label: str, display: Display, *, before: str = ""
) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on standard error for work that takes over a second; nothing in a pipe.

    It pulses until the first count is given, under the words `before` where there are some.
    """
    if not display.progress:
        yield None
        return
    bar = _LateBar(label, before or label)
    # While it only waits it does not keep files from being read by two processes (bot/folder.py).
    soon = threading.Timer(_BAR_AFTER_S, bar.show)
    soon.daemon = True
    soon.start()
    try:
        yield bar.advance
    finally:
        soon.cancel()
        soon.join()
        bar.close()


class _LateBar:
    """A bar that may be counted before it is shown; shown from another thread."""

    def __init__(self, label: str, before: str) -> None:
        self._label = label
        self._words = before
        self._counts = (0, 0)
        self._lock = threading.Lock()
        self._bar: Progress | None = None

    def advance(self, done: int, total: int) -> None:
        """Count `done` of `total`."""
        with self._lock:
            self._words, self._counts = self._label, (done, total)
            if self._bar is not None:
                self._draw(self._bar)

    def show(self) -> None:
        """Begin to draw."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[of]}"))
        bar = Progress(*columns, console=Console(file=sys.stderr), transient=True)
        with self._lock:
            self._bar = bar
            bar.add_task(self._words, total=None, of="")
            self._draw(bar)
            bar.start()

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            self._bar.stop()

    def _draw(self, bar: Progress) -> None:
        done, total = self._counts
        of = f"{done}/{total}" if total else ""
        task = bar.task_ids[0]
        bar.update(task, description=self._words, completed=done, total=total or None, of=of)
