"""What would change: bindings, updates, what is held, and the proposals they form.

These are the values that `plan`, `run`, the commit message, the proposal and `explain` are
all made from (`product.md` 2, principles 2 and 3).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.planning.evidence import NO_EVIDENCE, Evidence

if TYPE_CHECKING:
    from datetime import datetime

    from bot.config.model import UpdateRule
    from bot.errors import Problem
    from bot.rewrite.fields import Field
    from policies.gates import Decision
    from policies.policy import TagPolicy
    from policies.selection import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A marked field with the policy that decides for it.

    `policy_name` is what people call it: `namespace:name`, or the repository for an inline
    policy. `image` is the repository that is asked, as written. `group` is the part of the
    proposal's key that the policy gives (`product.md` 10.8); never a range or a version.
    `asked_group` is the group that a person moved it to by a comment, empty for its own proposal,
    `None` where nobody asked.
    """

    field: Field
    policy_name: str
    image: str
    policy: TagPolicy
    update: UpdateRule
    group: str
    inline: bool
    suspended: bool = False
    asked_group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """A tag that looks better than the chosen one, and why it was not chosen."""

    tag: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One field's from and to, with the reason.

    `from_tag` and `to_tag` are the tags where they are known; the written values are
    `field.value` and `value`; `from_digest` is the digest that stands beside `from_tag`, where
    one does. `update_type` is major, minor, patch, digest or other. `tag_stands` is false for a
    digest whose tag stands nowhere in its file.
    """

    binding: Binding
    value: str
    from_tag: str
    to_tag: str
    digest: str
    update_type: str
    reason: str
    passed_over: tuple[PassedOver, ...] = ()
    from_digest: str = ""
    evidence: Evidence = NO_EVIDENCE
    tag_stands: bool = True

    @property
    def file(self) -> str:
        """Return the file of the field."""
        return self.binding.field.file

    @property
    def from_text(self) -> str:
        """Return the value written now, in words where there is none."""
        return self.binding.field.value or "(empty)"

    def as_json(self) -> dict[str, object]:
        """Return the form of `plan` and `run`."""
        return {
            "file": self.file,
            "line": self.binding.field.line,
            "policy": self.binding.policy_name,
            "image": self.binding.image,
            "from": self.binding.field.value,
            "to": self.value,
            "fromTag": self.from_tag,
            "toTag": self.to_tag,
            "digest": self.digest or None,
            "type": self.update_type,
            "reason": self.reason,
            "passedOver": [{"tag": one.tag, "reason": one.reason} for one in self.passed_over],
            **self.evidence.as_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTag:
    """A tag that would be better and may not come now: why, until when, or what it needs.

    `by_hold`: a person's hold, or a revert, is the cause.
    """

    policy: str
    tag: str
    reason: str
    until: datetime | None
    needs: str
    update: str
    where: str
    by_hold: bool = False

    def as_json(self) -> dict[str, object]:
        """Return the form of `plan` and `run`."""
        return {
            "policy": self.policy,
            "tag": self.tag,
            "reason": self.reason,
            "until": self.until.isoformat() if self.until else None,
            "needs": self.needs,
            "update": self.update,
            "where": self.where,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedProposal:
    """The updates that share a proposal: `key` names it for ever, `branch` follows from it."""

    key: str
    title_name: str
    branch: str
    update: UpdateRule
    updates: tuple[Update, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """One field with the selection and the decision made for it, for `explain`."""

    binding: Binding
    selection: Selection
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePlan:
    """The updates of one run, grouped, and everything that was left alone with its reason."""

    updates: tuple[Update, ...]
    held: tuple[HeldTag, ...]
    proposals: tuple[PlannedProposal, ...]
    considered: tuple[Considered, ...]
    problems: tuple[Problem, ...]
    undated: tuple[tuple[str, str, str], ...] = ()
