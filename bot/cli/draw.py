"""Tables and progress bars: the one place that knows rich, imported only to draw.

Without a terminal, tables are plain text in columns, so that a log or a pipe can hold them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bot.cli.options import Display

from contextlib import contextmanager

_SHOWN_CANDIDATES = 20
_BAR_AFTER_S = 1.0


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    display: Display,
    *,
    title: str = "",
    styles: Sequence[str] = (),
) -> None:
    """Print a table to standard output; `styles` are rich styles per column."""
    if display.colour:
        _rich_table(headings, rows, title, styles)
        return
    lines = [list(headings), *[list(row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    if title:
        print(title)
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        print("  ".join(cells).rstrip())


def _rich_table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], title: str, styles: Sequence[str]
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(headings):
        style = styles[number] if number < len(styles) else ""
        made.add_column(heading, style=style or None, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    Console().print(made)


def coloured(text: str, style: str, display: Display) -> str:
    """Return `text` with an ANSI style where a person looks, else as it is."""
    codes = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2", "cyan": "36"}
    return f"\x1b[{codes[style]}m{text}\x1b[0m" if display.colour else text


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
