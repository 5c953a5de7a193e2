"""Options that every command shares, and how their values are read."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """How results are shown: as text or JSON, with colour or not, with progress or not."""

    json: bool
    colour: bool
    quiet: bool
    verbosity: int

    @property
    def progress(self) -> bool:
        """Return whether a progress bar may be drawn: a person is looking at standard error."""
        return not self.quiet and sys.stderr.isatty()


class _Parser(argparse.ArgumentParser):
    def __init__(self, **settings: object) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        settings.setdefault("allow_abbrev", False)
        super().__init__(**settings)  # type: ignore[arg-type]  # passed through as given


def parser(command: str, purpose: str, *, examples: str) -> argparse.ArgumentParser:
    """Return a parser for `pilotfish COMMAND` with the options that all commands share."""
    made = _Parser(
        prog=f"pilotfish {command}", description=purpose, epilog=f"examples:\n{examples}"
    )
    add_shared(made)
    return made


def add_shared(made: argparse.ArgumentParser) -> None:
    """Add the options that every command takes."""
    group = made.add_argument_group("output")
    group.add_argument("-o", "--output", choices=("text", "json"), default="text")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress, no news")
    group.add_argument("-v", "--verbose", action="count", default=0, help="news; twice: everything")
    group.add_argument("--no-color", action="store_true", help="also by NO_COLOR")


def read_display(given: argparse.Namespace) -> Display:
    """Return how to show results, and set the log up for it."""
    from bot.telemetry import set_up_logging

    set_up_logging(verbosity=given.verbose)
    as_json = given.output == "json"
    wanted = sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR"))
    colour = wanted and not given.no_color and not os.environ.get("NO_COLOR")
    return Display(json=as_json, colour=colour, quiet=given.quiet, verbosity=given.verbose)
