"""May a proposal be merged without a person? The rules, and the sentence that says so.

Only by an explicit rule of its update for every item, or a person's approval; never for a
downgrade, another repository, or a digest that no tag names (`peers.md` 3.6). The forge's own
way comes first, and only where the base demands checks; else we merge once every check has
passed. Off after a merge without a person was taken back, until a person merges once.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.forges.forge import CheckState, State
from bot.planning.reverts import tags_in
from bot.rewrite.marker import Part
from policies.comparison import compare, higher_versions
from policies.policy import Fact
from policies.reference import InvalidReference, parse_reference, parse_repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bot.forges.forge import Abilities, BaseRules, Check
    from bot.planning.metadata import Metadata
    from bot.planning.plan import Binding, PlannedProposal, Update
    from bot.planning.remembered import HoldRecord
    from bot.proposals.standing import Known

AFTER_CHECKS = "after-checks"
QUIET = "quiet"  # by its branch alone; where a proposal was opened after all, as after-checks
OUR_STATUS = "pilotfish"  # what the names of our own statuses start with; they prove nothing
_DATES = frozenset({Fact.CREATED, Fact.PUSHED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether, and who merges: `how` is `forge`, `bot`, or empty; `reason` a whole sentence."""

    allowed: bool
    how: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstance:
    """What is true of a proposal beside its plan.

    `approved`: a person with write permission approved that it merges by itself, for this
    head. `ours`: its head is the commit we pushed, on the base we opened it for, and nobody
    else's commit is in it. `off`: policies whose last such merge a person took back.
    """

    approved: bool = False
    ours: bool = True
    draft: bool = False
    off: frozenset[str] = frozenset()


def may_merge(
    planned: PlannedProposal, rules: BaseRules, abilities: Abilities, around: Circumstance
) -> Verdict:
    """Return whether a proposal may be merged by itself; the same answer while nothing changes."""
    why = (
        _not_by_rule(planned, abilities, approved=around.approved)
        or _never(planned)
        or _not_now(planned, abilities, around)
    )
    if why:
        return Verdict(allowed=False, reason=why)
    return _by_whom(rules, abilities)


def _not_by_rule(planned: PlannedProposal, abilities: Abilities, *, approved: bool) -> str:
    if approved:
        return ""
    allowed = _kinds_that_merge(planned, {AFTER_CHECKS, QUIET})
    lacking = sorted(_kinds(planned) - allowed)
    if not lacking:
        return ""
    if not allowed:
        return f"A person merges this {abilities.word}; no `automerge` is configured."
    names = " and ".join(lacking)
    return f"A person merges this {abilities.word}: `automerge` does not allow {names} updates."


def merges_quietly(
    planned: PlannedProposal, rules: BaseRules, reverts: Iterable[HoldRecord]
) -> bool:
    """Return whether it may be merged without a proposal once its branch's checks passed.

    Every update of it must be allowed to. Where the base asks for a review or has a queue, a
    proposal is needed. What was taken back once needs one until a version above it is written.
    """
    if _kinds(planned) - _kinds_that_merge(planned, {QUIET}) or _never(planned):
        return False
    if rules.required_approvals > 0 or rules.merge_queue:
        return False
    return not any(_is_below(one, fall) for one in planned.updates for fall in reverts)


def _is_below(one: Update, fall: HoldRecord) -> bool:
    """Return whether what is written is not surely above what was taken back."""
    taken_back = fall.up_to or fall.tag
    if fall.policy != one.binding.policy_name or not taken_back:
        return False
    order = compare(one.binding.policy, one.from_tag, taken_back) if one.from_tag else None
    return order is None or order <= 0


def _kinds(planned: PlannedProposal) -> set[str]:
    return {_kind(one, planned.updates) for one in planned.updates}


def _kinds_that_merge(planned: PlannedProposal, words: set[str]) -> set[str]:
    return {kind for kind, when in planned.update.automerge.items() if when in words}


def _kind(one: Update, all_of_it: Sequence[Update]) -> str:
    """Return the type of an update; a digest that moves with its tag is of the tag's type."""
    if one.update_type != "digest" or one.binding.field.part is not Part.DIGEST:
        return one.update_type
    types = [
        other.update_type
        for other in all_of_it
        if (other.file, other.to_tag) == (one.file, one.to_tag) and other is not one
    ]
    return next((kind for kind in types if kind != "digest"), "digest")


def _never(planned: PlannedProposal) -> str:
    for one in planned.updates:
        if one.binding.field.part is Part.NAME or _moves_repository(one):
            return "A person merges it, because the image comes from another repository."
        if not one.tag_stands:
            return "A person merges it, because no tag says what the new digest is."
        if not _surely_rises(one):
            return "A person merges it, because a version may fall."
    return ""


def _moves_repository(one: Update) -> bool:
    if one.binding.field.part is not Part.IMAGE or not one.binding.field.value:
        return False
    try:
        was = parse_reference(one.binding.field.value).repository
        return was.canonical != parse_repository(one.binding.image).canonical
    except InvalidReference:
        return True


def _surely_rises(one: Update) -> bool:
    """Return whether the new tag is certainly not below the old one, by the policy's order."""
    if not one.from_tag or one.from_tag == one.to_tag:
        return True
    policy = one.binding.policy
    order = compare(policy, one.to_tag, one.from_tag)
    if order is not None:
        return order >= 0
    if policy.gates.allow_downgrade:
        return False
    if policy.rule.needs & _DATES:
        return True  # the dates were compared when it was chosen: the written tag is the floor
    return bool(higher_versions([one.to_tag], one.from_tag))


def _not_now(planned: PlannedProposal, abilities: Abilities, around: Circumstance) -> str:
    if around.draft:
        return f"It is a draft, so that nothing merges this {abilities.word} by itself."
    if not around.ours:
        return "Somebody else changed it, so that a person merges it."
    off = {one.binding.policy_name for one in planned.updates} & around.off
    if off:
        return "What was merged by itself before was taken back; a person merges this one."
    return ""


def _by_whom(rules: BaseRules, abilities: Abilities) -> Verdict:
    demands = rules.requires_checks or rules.merge_queue or rules.required_approvals > 0
    if demands and abilities.own_automerge and rules.may_automerge:
        what = "by the merge queue" if rules.merge_queue else "by the forge"
        needs = " and it is approved" if rules.required_approvals > 0 else ""
        once = f"once what the base requires has passed{needs}"
        return Verdict(
            allowed=True,
            how="forge",
            reason=f"It is merged {what}, by itself, {once}.",
        )
    if rules.merge_queue:
        return Verdict(allowed=False, reason="A person puts it into the merge queue.")
    if rules.required_approvals > 0:
        return Verdict(
            allowed=False,
            reason="A person merges it: the base asks for an approval, "
            "and merging by itself is switched off here.",
        )
    return Verdict(
        allowed=True, how="bot", reason="It is merged by itself once all its checks have passed."
    )


def of_others(checks: Iterable[Check]) -> list[Check]:
    """Return the checks that prove something: all but our own statuses."""
    return [one for one in checks if not one.name.startswith(OUR_STATUS)]


def checks_passed(checks: Iterable[Check]) -> CheckState:
    """Return what the checks say together; none at all, or only our own, is pending."""
    states = {one.state for one in of_others(checks)}
    if CheckState.FAILED in states:
        return CheckState.FAILED
    return CheckState.PASSED if states == {CheckState.PASSED} else CheckState.PENDING


# What the metadata says of it


def is_approved(metadata: Metadata | None) -> bool:
    """Return whether a person approved that this head merges by itself."""
    return metadata is not None and "approved" in metadata.automerge.split()


def is_asked(metadata: Metadata | None) -> bool:
    """Return whether the forge was told to merge this head, or we were about to."""
    return metadata is not None and "asked" in metadata.automerge.split()


def with_word(automerge: str, word: str) -> str:
    """Return the metadata's `automerge` with `approved` or `asked` added."""
    return " ".join(sorted({*automerge.split(), word}))


def without_word(automerge: str, word: str) -> str:
    """Return the metadata's `automerge` without a word."""
    return " ".join(sorted({*automerge.split()} - {word}))


# Taken back


def merges_taken_back(
    ended: Iterable[Known], reverts: Iterable[HoldRecord], bindings: Iterable[Binding]
) -> frozenset[str]:
    """Return the policies whose last merge without a person was taken back.

    `ended` are proposals that the forge still lists as merged, `reverts` the falls found in
    history. A merge by a person after that switches it on again; commits' own dates count for
    nothing, because who pushes them writes them.
    """
    merged = [one for one in ended if one.proposal.state is State.MERGED and one.metadata]
    parts: dict[tuple[str, str], set[Part]] = {}
    for one in bindings:
        parts.setdefault((one.field.file, one.policy_name), set()).add(one.field.part)
    off: set[str] = set()
    for fall in reverts:
        of_policy = [o for o in merged if any(c.policy == fall.policy for c in o.changes)]
        brought = [o for o in of_policy if is_asked(o.metadata) and _brought(o, fall, parts)]
        if not brought:
            continue
        last = max(_ended(one) for one in brought)
        if not any(not is_asked(one.metadata) and _ended(one) > last for one in of_policy):
            off.add(fall.policy)
    return frozenset(off)


def _ended(known: Known) -> float:
    return (known.proposal.closed or known.proposal.opened).timestamp()


def _brought(known: Known, fall: HoldRecord, parts: Mapping[tuple[str, str], set[Part]]) -> bool:
    """Return whether a proposal brought the version that was taken back."""
    return any(
        change.policy == fall.policy
        and tags_in(change.new, parts.get((change.file, change.policy), {Part.IMAGE}))
        & {fall.up_to, fall.tag}
        for change in known.changes
    )
