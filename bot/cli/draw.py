"""Tables and progress bars; rich is imported only to draw a bar that moves.

A table is text in columns, coloured where a person looks. In a terminal it is never wider than
that; in a log or a pipe every row is one line.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

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
def progress(label: str, display: Display) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on standard error for work that takes over a second; nothing in a pipe."""
    if not display.progress:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task(label, total=None, visible=False)

        def advance(done: int, total: int) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            bar.update(task, completed=done, total=total, visible=elapsed > _BAR_AFTER_S)

        yield advance
