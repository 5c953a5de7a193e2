"""What a CI job found and did: the one value its summary, marks, outputs and SARIF are made from.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.cli.ci_job import Job
    from bot.planning.plan import Considered, HeldTag, Update

_BRANCHES_ALONE = {"pushed", "merged"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The answer of a job.

    `updates` are all that were found, `behind` those that Git does not hold now. `proposals`
    and `commits` have the form of `run -o json`. `good` are lines about what is in order.
    """

    job: Job
    code: int
    updates: tuple[Update, ...] = ()
    behind: tuple[Update, ...] = ()
    held: tuple[HeldTag, ...] = ()
    considered: tuple[Considered, ...] = ()
    proposals: tuple[Mapping[str, object], ...] = ()
    commits: tuple[Mapping[str, object], ...] = ()
    problems: tuple[Problem, ...] = ()
    good: tuple[str, ...] = ()
    changed: bool = False
    sentence: str = ""

    @property
    def shown_proposals(self) -> list[Mapping[str, object]]:
        """Return those that exist or existed, not the ones that wait or are held.

        A branch that waits for its checks, or was merged quietly, is none yet, or never was.
        """
        return [
            one
            for one in self.proposals
            if one.get("number") or (one.get("head") and one.get("state") not in _BRANCHES_ALONE)
        ]

    @property
    def verified(self) -> bool:
        """Return whether commits were made, and the forge signed every one of them."""
        made = [one for one in self.proposals if one.get("operation") in {"opened", "refreshed"}]
        return bool(made) and all(one.get("verified") for one in made) and not self.commits

    @property
    def problems_of_files(self) -> list[Problem]:
        """Return those that stand on a line, which can be marked there."""
        return [one for one in self.problems if one.file and one.line]

    def as_json(self) -> dict[str, object]:
        """Return the report of a job."""
        return {
            "mode": self.job.mode.value,
            "degraded": self.job.degraded or self.job.refused or None,
            "code": self.code,
            "updates": [one.as_json() for one in self.updates],
            "held": [one.as_json() for one in self.held],
            "policies": [policy_row(one) for one in self.considered],
            "proposals": list(self.proposals),
            "commits": list(self.commits),
            "problems": [one.as_json() for one in self.problems],
            "good": list(self.good),
        }


def policy_row(one: Considered) -> dict[str, object]:
    """Return what a policy selects among the tags of its image, gates and holds aside."""
    selection = one.selection
    return {
        "policy": one.binding.policy_name,
        "image": one.binding.image,
        "file": one.binding.field.file,
        "line": one.binding.field.line,
        "chosen": selection.chosen.tag if selection.chosen else None,
        "candidates": sum(1 for verdict in selection.verdicts if verdict.passed_filter),
        "error": selection.error.message if selection.error else None,
    }


def refused(job: Job) -> Problem:
    """Return the problem of a job that may not do what it was asked."""
    return Problem(
        severity=Severity.ERROR,
        message=job.refused,
        hint="Write from `schedule` or `workflow_dispatch`, and use mode `check` here",
    )
