"""From tags and facts to updates: one policy's fields, decided together.

Selection knows no Git; here each field adds its floor, its gates and its holds
(`product.md` 10, "Order of a run"). What facts are missing is returned, the edge finds them
out, and the decision is made again: it is final when nothing is missing.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.errors import Problem, Severity
from bot.planning.evidence import evidence_of
from bot.planning.plan import Considered, HeldTag, PassedOver, Update
from bot.planning.reverts import tag_in
from bot.rewrite.marker import Part
from bot.rewrite.splice import RefusedEditError, is_current, new_value, new_values
from policies.age import known_date, missing_for_age, without_future
from policies.comparison import higher_versions
from policies.gates import decide
from policies.policy import NO_FACTS, DigestMode, Fact, Facts, Gates
from policies.reference import InvalidReference, parse_reference
from policies.selection import follows_current, select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bot.planning.holds import HoldBook
    from bot.planning.plan import Binding
    from bot.rewrite.fields import Field
    from policies.gates import Decision
    from policies.policy import TagPolicy
    from policies.selection import Selection

_NO_GATES = Gates()  # a digest follows its tag, which passed the gates
_SHOWN_PASSED_OVER = 5  # as many as a reviewer reads; `explain` has all


@dataclass(slots=True, kw_only=True)
class Choice:
    """What was decided for the fields of one policy; final when `missing` is empty.

    `undated` are image, tag and digest of what waits for an age that nothing but our own first
    sight can tell.
    """

    updates: list[Update] = field(default_factory=list)
    held: list[HeldTag] = field(default_factory=list)
    considered: list[Considered] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    missing: dict[str, frozenset[Fact]] = field(default_factory=dict)
    undated: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _Round:
    """What one round of deciding knows, and what it has decided so far."""

    tags: Sequence[str]
    facts: Mapping[str, Facts]
    holds: HoldBook
    now: datetime
    choice: Choice = field(default_factory=Choice)
    effective: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    selections: dict[tuple[TagPolicy, str | None], Selection] = field(default_factory=dict)

    def selection(self, policy: TagPolicy, current_tag: str | None) -> Selection:
        """Select once for all fields that nothing tells apart."""
        key = policy, current_tag if follows_current(policy) else None
        found = self.selections.get(key)
        if found is None:
            found = select(policy, self.tags, facts=self.facts, current_tag=key[1])
            self.selections[key] = found
        return found


def choose(
    bindings: Sequence[Binding],
    *,
    tags: Sequence[str],
    facts: Mapping[str, Facts],
    holds: HoldBook,
    now: datetime,
) -> Choice:
    """Decide for every field of one policy and image.

    Tags come first, then names and digests, which follow what was decided for the tags.
    """
    known = _Round(tags=tags, facts=facts, holds=holds, now=now)
    for binding in sorted(bindings, key=lambda one: one.field.part in {Part.DIGEST, Part.NAME}):
        if binding.field.part is Part.NAME:
            _choose_name(binding, known.choice)
        elif binding.field.part is Part.DIGEST:
            _choose_digest(binding, known)
        else:
            _choose_tag(binding, known)
    return known.choice


def current_of(field_: Field) -> tuple[str, str]:
    """Return the tag and the digest that a field's value holds, empty where it holds none."""
    if field_.part is Part.IMAGE:
        try:
            written = parse_reference(field_.value)
        except InvalidReference:
            return "", ""
        return written.tag or "", written.digest or ""
    if field_.part is Part.DIGEST:
        return "", field_.value
    tag, _, digest = field_.value.partition("@")
    return tag_in(field_.value, field_.part) or tag, digest


def _choose_tag(binding: Binding, known: _Round) -> None:
    written, choice = binding.field, known.choice
    current_tag, digest_here = current_of(written)
    companion = written.companion
    current_digest = digest_here or (companion.value if companion else "")
    selection = known.selection(binding.policy, current_tag or None)
    _add_missing(choice, selection.missing)
    decision = decide(
        binding.policy,
        selection,
        current_tag=current_tag or None,
        current_digest=current_digest or None,
        now=known.now,
        facts=known.facts,
        holds=known.holds.for_binding(binding),
        want_digest=bool(current_digest)
        or companion is not None
        or written.part is Part.TAG_AT_DIGEST,
    )
    _add_missing(choice, decision.missing)
    choice.considered.append(Considered(binding=binding, selection=selection, decision=decision))
    _tell_nothing_to_choose(binding, selection, choice)
    choice.held.extend(_held(binding, decision))
    _note_undated(binding, decision, known)
    effective = decision.chosen.tag if decision.chosen else current_tag
    known.effective.setdefault(written.file, []).append((written.line, effective))
    if decision.chosen is not None and not choice.missing:
        _write_tag(binding, decision, (current_tag, current_digest), known)


def _note_undated(binding: Binding, decision: Decision, round_: _Round) -> None:
    """Note what is to be dated by our first sight; a tag set anew is another sight."""
    if binding.policy.gates.min_age is None:
        return
    for one in decision.held:
        known = without_future(round_.facts.get(one.tag, NO_FACTS), round_.now)
        if missing_for_age(known) is not None or known_date(known) is not None:
            continue
        if known.digest is not None:
            round_.choice.undated.append((binding.image, one.tag, known.digest))
        elif not _unavailable(known):
            _add_missing(round_.choice, {one.tag: frozenset({Fact.DIGEST})})


def _tell_nothing_to_choose(binding: Binding, selection: Selection, choice: Choice) -> None:
    if selection.error is None or selection.missing:
        return
    choice.problems.append(
        _problem(
            binding.field,
            f"{binding.policy_name}: {selection.error.message}",
            f"See `pilotfish explain {binding.policy_name}`; the field is left alone",
            severity=Severity.WARNING,
        )
    )


def _write_tag(
    binding: Binding, decision: Decision, written: tuple[str, str], known: _Round
) -> None:
    chosen, choice = decision.chosen, known.choice
    if chosen is None:  # pragma: no cover  # the caller asked
        return
    try:
        pairs = new_values(
            binding.field, image=binding.image, tag=chosen.tag, digest=decision.digest
        )
    except RefusedEditError as fault:
        choice.problems.append(_problem(binding.field, fault.what, fault.hint))
        return
    selection = choice.considered[-1].selection
    made = Update(
        binding=binding,
        value="",
        from_tag=written[0],
        from_digest=written[1],
        to_tag=chosen.tag,
        digest=decision.digest or "",
        update_type=decision.update_type,
        reason=decision.reason,
        passed_over=_passed_over(selection, decision, chosen.tag),
        evidence=evidence_of(
            binding.policy.gates,
            selection,
            known.facts.get(chosen.tag, NO_FACTS),
            digest=decision.digest or "",
            now=known.now,
        ),
    )
    choice.updates += [
        replace(made, binding=replace(binding, field=place), value=value) for place, value in pairs
    ]


def _choose_name(binding: Binding, choice: Choice) -> None:
    """Write the policy's repository where a Flux marker asks for it; inline never moves it."""
    if binding.inline or binding.field.value == binding.image:
        return
    choice.updates.append(
        Update(
            binding=binding,
            value=binding.image,
            from_tag="",
            to_tag="",
            digest="",
            update_type="other",
            reason=f"the policy's repository is {binding.image}",
        )
    )


def _choose_digest(binding: Binding, round_: _Round) -> None:
    """Write the digest of the tag that runs: the nearest bound one in the file, else the best."""
    choice, facts = round_.choice, round_.facts
    tags_in_file = round_.effective.get(binding.field.file, [])
    tag = _nearest(tags_in_file, binding.field.line)
    if not tag:
        selection = round_.selection(binding.policy, None)
        _add_missing(choice, selection.missing)
        tag = selection.chosen.tag if selection.chosen else ""
    if not tag:
        return
    if _keeps_digest(binding, tag, tags_in_file, choice):
        return
    known = facts.get(tag, Facts())
    if known.digest is None:
        if _unavailable(known):
            choice.problems.append(
                _problem(
                    binding.field,
                    f"the digest of {binding.image}:{tag} is not to be had: "
                    f"{known.unavailable[Fact.DIGEST]}",
                    "The digest is left as it is; try again when the registry gives one",
                )
            )
        else:
            _add_missing(choice, {tag: frozenset({Fact.DIGEST})})
        return
    value = new_value(binding.field, image=binding.image, tag=tag, digest=known.digest)
    if not is_current(binding.field, value):
        choice.updates.append(
            Update(
                binding=binding,
                value=value,
                from_tag=tag,
                to_tag=tag,
                digest=known.digest,
                update_type="digest",
                reason=f"the digest of {tag}",
                from_digest=current_of(binding.field)[1],
                evidence=evidence_of(_NO_GATES, None, known, digest=known.digest, now=round_.now),
                tag_stands=bool(tags_in_file),
            )
        )


def _keeps_digest(
    binding: Binding, tag: str, tags_in_file: Sequence[tuple[int, str]], choice: Choice
) -> bool:
    """Return whether a digest that stands may stay: its tag did not move, and none asks again."""
    if not binding.field.value or binding.policy.digest is DigestMode.ALWAYS or not tags_in_file:
        return False
    moved = any(one.file == binding.field.file and one.to_tag == tag for one in choice.updates)
    return not moved


def _nearest(tags_in_file: Sequence[tuple[int, str]], line: int) -> str:
    return min(tags_in_file, key=lambda one: abs(one[0] - line), default=(0, ""))[1]


def _unavailable(known: Facts) -> bool:
    return Fact.DIGEST in known.unavailable


def _add_missing(choice: Choice, missing: Mapping[str, frozenset[Fact]]) -> None:
    for tag, wanted in missing.items():
        choice.missing[tag] = choice.missing.get(tag, frozenset()) | wanted


def _held(binding: Binding, decision: Decision) -> list[HeldTag]:
    return [
        HeldTag(
            policy=binding.policy_name,
            tag=one.tag,
            reason=one.reason,
            until=one.until,
            needs=one.needs,
            update=binding.update.name,
            where=f"{binding.field.file}:{binding.field.line}",
            by_hold=one.by_hold,
        )
        for one in decision.held
    ]


def _passed_over(selection: Selection, decision: Decision, chosen: str) -> tuple[PassedOver, ...]:
    """Return what a reviewer would ask about: held and denied tags, then higher versions."""
    reasons = {one.tag: one.reason for one in decision.held}
    reasons |= {one.tag: one.reason for one in decision.rejected}
    refused = {one.tag: one.reason for one in selection.verdicts if not one.admitted}
    reasons |= {tag: refused[tag] for tag in higher_versions(refused, chosen)}
    reasons.pop(chosen, None)
    shown = list(reasons.items())[:_SHOWN_PASSED_OVER]
    return tuple(PassedOver(tag=tag, reason=reason) for tag, reason in shown)


def _problem(
    place: Field, message: str, hint: str, *, severity: Severity = Severity.ERROR
) -> Problem:
    return Problem(
        severity=severity,
        message=message,
        file=place.file,
        line=place.line,
        column=place.column,
        hint=hint,
    )
