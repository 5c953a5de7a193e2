"""Filters that a part of a tag is enough for, which few people mean (`peers.md` demand 34).

`v1` finds `dev1-broken` as well. Flux takes such filters, so this is a note and no fault.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.errors import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.config.model import Config
    from bot.planning.plan import Binding
    from policies.policy import TagPolicy


def loose_filters(config: Config, bindings: Iterable[Binding]) -> list[Problem]:
    """Return a note for each policy, named or on a line, whose filter does not mean whole tags."""
    named = [one.policy.filter for one in config.policies.values()]
    places = [(one.policy, *_place(one.where)) for one in config.policies.values()]
    places += [
        (one.policy, one.field.file, one.field.line)
        for one in bindings
        if one.policy.filter not in named
    ]
    return [note for policy, file, line in places for note in _notes(policy, file, line)]


def _place(where: str) -> tuple[str, int]:
    file, _, line = where.rpartition(":")
    return (file, int(line)) if line.isdecimal() else (where, 0)


def _notes(policy: TagPolicy, file: str, line: int) -> Iterator[Problem]:
    found = policy.filter
    if found is None or not found.pattern or found.is_anchored:
        return
    yield Problem(
        severity=Severity.NOTE,
        file=file,
        line=line,
        message=f"the {found.text} need not cover a whole tag",
        hint="Begin it with ^ and end it with $, if whole tags are meant; `pilotfish policy test` "
        "shows what it takes",
    )
