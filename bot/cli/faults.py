"""How a failure is told at the terminal, and which exit code it gives.

A product error is shown in its three parts: where, what, what to do. Anything else is a
fault of ours: it is named as one, with the traceback behind `-v`.
"""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

from bot.errors import ConfigError, FaultsError, ProductError, Severity, by_cause
from bot.telemetry import escaped, redact, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.errors import Problem

_ERROR = 1
_LONGEST_PLACE = 1_000
_SHOWN_ALIKE = 3
_USAGE = 2


def report(fault: BaseException, *, verbose: bool) -> int:
    """Tell `fault` on standard error and return the exit code it gives."""
    if isinstance(fault, FaultsError):
        tell_problems(fault.problems)
        return _USAGE
    if isinstance(fault, ProductError):
        tell(fault)
        if verbose:
            sys.stderr.write(redact("".join(traceback.format_exception(fault))))
        return _USAGE if isinstance(fault, ConfigError) else _ERROR
    if isinstance(fault, BaseExceptionGroup):
        return max(report(one, verbose=verbose) for one in fault.exceptions)
    sys.stderr.write(
        escaped(redact(f"pilotfish: a fault of ours: {type(fault).__name__}: {fault}\n"))
        + "  nothing was written after this point; report it with what -v shows\n"
    )
    if verbose:
        sys.stderr.write(redact("".join(traceback.format_exception(fault))))
    return _ERROR


def tell(fault: ProductError) -> None:
    """Write one failure to standard error: where, what, what to do."""
    lines = [_at(fault.where) + fault.what]
    if fault.hint:
        lines.append(f"  {fault.hint}")
    sys.stderr.write(escaped(redact("pilotfish: " + "\n".join(lines))) + "\n")


def _at(where: str) -> str:
    """Return the beginning of a line about a place, whose name may be anybody's."""
    return f"{shown(where, max_chars=_LONGEST_PLACE)}: " if where else ""


def tell_problems(problems: Iterable[Problem], *, every: bool = True) -> None:
    """Write each problem to standard error, a line and what to do about it.

    Without `every`, those of one cause are one, and those of one place or kind beyond the third
    are counted, not shown: twenty templates that no parser reads.
    """
    alike: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in problems if every else by_cause(problems):
        host = "" if problem.line else problem.file
        alike.setdefault((problem.severity.value, problem.hint, host), []).append(problem)
    for group in alike.values():
        shown = group if every else group[:_SHOWN_ALIKE]
        for problem in shown:
            line = f"{problem.severity.value}: {_at(problem.where)}{problem.message}"
            sys.stderr.write(escaped(redact(line)) + "\n")
        if len(shown) < len(group):
            sys.stderr.write(f"  … and {len(group) - len(shown)} more like these; -v shows all\n")
        if group[0].hint:
            sys.stderr.write(escaped(redact(f"  {group[0].hint}")) + "\n")


def has_errors(problems: Iterable[Problem]) -> bool:
    """Return whether any problem counts for an exit code."""
    return any(problem.severity is Severity.ERROR for problem in problems)
