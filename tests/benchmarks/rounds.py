"""Rounds: our command and its reference in turn, medians of both, and their ratio.

A figure without the reference of the same round means little on a shared machine, so each
benchmark runs A B A B … and compares medians. Wall seconds, CPU seconds of the whole process
tree that was waited for, and the greatest resident size of one process are the kernel's own.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One finished process: wall and CPU in seconds, greatest resident size in MiB."""

    wall_s: float
    cpu_s: float
    rss_mib: float
    output: str


@dataclass(slots=True, kw_only=True)
class Result:
    """Our runs beside the reference's; `budget` is how many times slower we may be."""

    name: str
    what: str
    reference: str
    budget: float | None
    ours: list[Run] = field(default_factory=list)
    theirs: list[Run] = field(default_factory=list)
    rss_budget_mib: float | None = None

    @property
    def ratio(self) -> float:
        """Return the ratio of the medians of wall time."""
        return self.median("ours", "wall_s") / self.median("theirs", "wall_s")

    def median(self, side: str, figure: str) -> float:
        """Return the median of one figure of one side."""
        figures: list[float] = [getattr(run, figure) for run in getattr(self, side)]
        return statistics.median(figures)

    @property
    def kept(self) -> bool:
        """Return whether the budgets were kept."""
        rss = max(run.rss_mib for run in self.ours)
        return (self.budget is None or self.ratio <= self.budget) and (
            self.rss_budget_mib is None or rss <= self.rss_budget_mib
        )

    def as_json(self) -> dict[str, object]:
        """Return every figure, for those who compare over time."""
        return {
            "name": self.name,
            "what": self.what,
            "reference": self.reference,
            "ours_wall_s": [round(run.wall_s, 4) for run in self.ours],
            "ours_cpu_s": [round(run.cpu_s, 4) for run in self.ours],
            "ours_rss_mib": round(max(run.rss_mib for run in self.ours), 1),
            "reference_wall_s": [round(run.wall_s, 4) for run in self.theirs],
            "reference_cpu_s": [round(run.cpu_s, 4) for run in self.theirs],
            "ratio": round(self.ratio, 2),
            "budget": self.budget,
            "rss_budget_mib": self.rss_budget_mib,
            "kept": self.kept,
        }


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    accepted: Sequence[int] = (0,),
) -> Run:
    """Run one process to its end and return what it cost.

    Raises:
        RuntimeError: It ended with a code that is not accepted; its output is in the text.
    """
    started = time.perf_counter()
    child = subprocess.Popen(
        argv,
        cwd=cwd,
        env=dict(environment) if environment is not None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )
    assert child.stdout is not None
    output = child.stdout.read().decode("utf-8", "replace")
    _, status, usage = os.wait4(child.pid, 0)
    wall_s = time.perf_counter() - started
    child.stdout.close()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in accepted:
        raise RuntimeError(f"{' '.join(argv)} ended with {child.returncode}:\n{output[-2000:]}")
    return Run(
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        rss_mib=usage.ru_maxrss / 1024,
        output=output,
    )


def both(a: Run, b: Run) -> Run:
    """Return two processes that follow one another as one."""
    return Run(
        wall_s=a.wall_s + b.wall_s,
        cpu_s=a.cpu_s + b.cpu_s,
        rss_mib=max(a.rss_mib, b.rss_mib),
        output=a.output + b.output,
    )


def in_turn(
    result: Result, ours: Callable[[int], Run], theirs: Callable[[int], Run], *, rounds: int
) -> Result:
    """Fill `result` with `rounds` runs of each, in turn, after one of each that is not counted."""
    for number in range(rounds + 1):
        our_run, their_run = ours(number), theirs(number)
        if number:
            result.ours.append(our_run)
            result.theirs.append(their_run)
    return result


def table(results: Sequence[Result]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| benchmark | ours, wall (CPU) s | MiB | reference | its wall (CPU) s | ratio | budget |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in results:
        ours = f"{one.median('ours', 'wall_s'):.3f} ({one.median('ours', 'cpu_s'):.3f})"
        theirs = f"{one.median('theirs', 'wall_s'):.3f} ({one.median('theirs', 'cpu_s'):.3f})"
        rss = max(run.rss_mib for run in one.ours)
        budget = f"{one.budget:g}" if one.budget else "reported"
        mark = "" if one.kept else " **over**"
        lines.append(
            f"| {one.what} | {ours} | {rss:.0f} | {one.reference} | {theirs} "
            f"| {one.ratio:.2f}{mark} | {budget} |"
        )
    return "\n".join(lines)
