"""What templates of commit messages use that Flux has removed (`image-automation.md` 4.4).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.errors import Problem, Severity

if TYPE_CHECKING:
    from bot.config.model import Config

_REMOVED = re.compile(r"\.Updated\.(Images|Files|Objects)|\.Changed\.ImageResult")
_REPLACED_BY = {
    "Images": "`range .Changed.Changes` and `.NewValue`",
    "Files": ".Changed.FileChanges",
    "Objects": ".Changed.Objects",
    None: ".Changed",
}


def notes_on_templates(config: Config) -> list[Problem]:
    """Return the notes on every message template that counts in `config`."""
    notes: list[Problem] = []
    for rule in config.updates:
        if rule.commit is not None:
            file, _, line = rule.where.rpartition(":")
            number = int(line) if line.isdecimal() else 0
            notes += removed_fields(rule.commit.message, file=file, line=number)
    file = next(iter(config.source), "")
    return [*removed_fields(config.commit.message, file=file, line=0), *notes]


def removed_fields(template: str, *, file: str, line: int) -> list[Problem]:
    """Return a note for each field in `template` that Flux has removed; they still work here."""
    found = dict.fromkeys(match[0] for match in _REMOVED.finditer(template))
    return [
        Problem(
            severity=Severity.NOTE,
            file=file,
            line=line,
            message=f"the template uses {name}, which Flux has removed; it works here",
            hint=f"Write {_REPLACED_BY[_last_part(name)]} to have it work in both",
        )
        for name in found
    ]


def _last_part(name: str) -> str | None:
    last = name.rpartition(".")[2]
    return last if last in _REPLACED_BY else None
