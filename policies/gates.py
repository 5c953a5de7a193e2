"""Gates: may this be proposed now?

A selection says which tags are best; here the written value becomes the floor (product
rule 7, invariant I3), and denied tags, holds, jumps of majors, age and platforms say no or
not yet. The ranking is walked best first: the first tag that passes is chosen, those above
it that must wait are `held`, each with until-when or what it needs. Who set a hold, and
where dates are kept, is unknown here.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from policies.age import known_date, missing_for_age, without_future
from policies.comparison import (
    Newest,
    compare,
    majors_between,
    newest_like,
    update_type,
    variant_change,
)
from policies.decision import Decision, Held, Rejected, TagHold
from policies.digest import FollowDigest
from policies.platform import missing_platforms, same_images
from policies.policy import (
    NO_FACTS,
    Candidate,
    DigestMode,
    Fact,
    Facts,
    TagPolicy,
    describe_age,
)
from policies.selection import Selection, candidate_of

__all__ = [
    "Decision",
    "Held",
    "Newest",
    "Rejected",
    "TagHold",
    "compare",
    "decide",
    "newest_like",
    "update_type",
]

_DATES = frozenset({Fact.CREATED, Fact.PUSHED})


def decide(
    policy: TagPolicy,
    selection: Selection,
    *,
    current_tag: str | None,
    current_digest: str | None,
    now: datetime,
    facts: Mapping[str, Facts],
    holds: Sequence[TagHold] = (),
    want_digest: bool = False,
) -> Decision:
    """Return what one field should hold now, by the policy's gates and the written value.

    `want_digest` says that the field, or one beside it, holds a digest. Never chooses
    something that is not strictly better than `current_tag` by the policy's own order,
    unless the policy allows downgrades or that tag has no place in the order.
    """
    walk = _Walk(
        policy=policy,
        current_tag=current_tag,
        current_digest=current_digest,
        now=now,
        facts={tag: without_future(known, now) for tag, known in facts.items()},
        holds=[hold for hold in holds if hold.until is None or hold.until > now],
        want_digest=want_digest,
    )
    return walk.run(selection)


class _Walk:
    """One walk down a ranking; holds what was found on the way."""

    def __init__(
        self,
        *,
        policy: TagPolicy,
        current_tag: str | None,
        current_digest: str | None,
        now: datetime,
        facts: Mapping[str, Facts],
        holds: Sequence[TagHold],
        want_digest: bool,
    ) -> None:
        self.policy = policy
        self.gates = policy.gates
        self.current = current_tag
        self.current_digest = current_digest
        self.now = now
        self.facts = facts
        self.holds = holds
        self.follows = isinstance(policy.rule, FollowDigest)
        self.writes_digest = (
            want_digest
            or current_digest is not None
            or self.follows
            or policy.digest is not DigestMode.NEVER
        )
        self.held: list[Held] = []
        self.rejected: list[Rejected] = []
        self.missing: dict[str, frozenset[Fact]] = {}

    def run(self, selection: Selection) -> Decision:
        """Return the decision."""
        floor = self._floor()
        self.missing.update(selection.missing)
        if self.missing:
            return self._leave("it is not known yet which is best", floor)
        for candidate in selection.ranking:
            if not self._is_above(candidate):
                break
            if self._passes(candidate, is_refresh=False):
                if not self.missing:
                    return self._take(candidate, floor)
                break
            if any(hold.all for hold in self.holds):
                break
            # Ask for as many tags at once as had to wait so far, so that a long row of young
            # ones takes few rounds and the common case one request.
            if len(self.missing) > len(self.held):
                break
        if self.missing:
            return self._leave("it is not known yet what may be proposed", floor)
        return self._refresh(floor) or self._leave(self._why_nothing(selection), floor)

    def _floor(self) -> str:
        if self.current is None:
            return "no floor: no tag is written yet"
        if self.gates.allow_downgrade:
            return "no floor: the policy allows downgrades"
        own = self.facts.get(self.current, NO_FACTS)
        unknown = frozenset(
            fact
            for fact in self.policy.rule.needs & _DATES
            if getattr(own, fact.value) is None and fact not in own.unavailable
        )
        if unknown:
            self.missing[self.current] = unknown
        elif compare(self.policy, self.current, self.current, facts=self.facts) is None:
            return f"no floor: {self.policy.rule.text} cannot order {self.current!r}"
        return f"nothing that is not better than {self.current}"

    def _is_above(self, candidate: Candidate) -> bool:
        """Is `candidate` above the floor? When it is not, none that follows is."""
        if candidate.tag == self.current:
            return False
        if self.current is None or self.gates.allow_downgrade:
            return True
        order = compare(self.policy, candidate.tag, self.current, facts=self.facts)
        return order is None or order > 0

    def _passes(self, candidate: Candidate, *, is_refresh: bool) -> bool:
        """May `candidate` be proposed now? Notes who waits, is rejected, or lacks a fact."""
        tag = candidate.tag
        denied = next((d for d in self.gates.deny if d.tag == tag), None)
        if denied is not None:
            why = f"denied: {denied.reason}" if denied.reason else "denied by the policy"
            self.rejected.append(Rejected(tag=tag, reason=why))
            return False
        undated = self._undated(tag)
        if undated:
            self.rejected.append(Rejected(tag=tag, reason=undated))
            return False
        held = self._hold(candidate) or (None if is_refresh else self._jump(candidate))
        if held is None and tag not in self.missing:
            held = self._age(tag) or self._platforms(tag) or self._digest(tag)
        if held is not None:
            self.held.append(held)
        return held is None and tag not in self.missing

    def _undated(self, tag: str) -> str:
        """Return why a tag that was ranked by its date has none after all: only now knows."""
        known = self.facts.get(tag, NO_FACTS)
        for fact in self.policy.rule.needs & _DATES:
            if getattr(known, fact.value) is None:
                return f"its {fact.value} date counts for nothing: {known.unavailable[fact]}"
        return ""

    def _hold(self, candidate: Candidate) -> Held | None:
        for hold in self.holds:
            doubt = self._covers(hold, candidate.tag)
            if doubt is not None:
                return hold.held(candidate.tag, doubt)
        return None

    def _covers(self, hold: TagHold, tag: str) -> str | None:
        """Return a text when `hold` covers `tag` (not empty: in doubt), None when it does not.

        A bound that the tag cannot be ordered against covers it: a rollback stays rolled back.
        """
        if hold.all or tag in {hold.tag, hold.up_to}:
            return ""
        if hold.level is not None:
            return self._covers_step(hold, tag)
        if hold.above is None and hold.up_to is None:
            return None
        doubt = ""
        for bound, side in ((hold.above, 1), (hold.up_to, -1)):
            if bound is None:
                continue
            order = compare(self.policy, tag, bound, facts=self.facts)
            if order is None:
                for fact in self.policy.rule.needs & _DATES:
                    self._lacks(bound, fact)
                doubt = f" (it cannot be ordered against {bound})"
            elif order != side:
                return None
        return doubt

    def _covers_step(self, hold: TagHold, tag: str) -> str | None:
        if self.current is None or update_type(self.current, tag) != hold.level:
            return None
        if hold.tag is None:
            return f" (every {hold.level} step)"
        return None if update_type(hold.tag, tag) == hold.level else f" (as {hold.tag} is)"

    def _jump(self, candidate: Candidate) -> Held | None:
        most, current = self.gates.max_jump, self.current
        if most is None or current is None:
            return None
        written = candidate_of(self.policy, current)
        majors = majors_between(written.value, candidate.value) if written else None
        if majors is None or majors <= most:
            return None
        return Held(
            tag=candidate.tag,
            reason=f"it is {majors} majors above {current}, more than {most} at once",
            needs="a person: write it by hand, or raise max-jump",
        )

    def _age(self, tag: str) -> Held | None:
        if self.gates.min_age is None:
            return None
        known = self.facts.get(tag, NO_FACTS)
        fact = missing_for_age(known)
        if fact is not None:
            self._ask(tag, fact)
            return None
        wanted = describe_age(self.gates.min_age)
        dated = known_date(known)
        if dated is None:
            return Held(
                tag=tag,
                reason=f"its age is not known ({_reasons(known)}); it counts from now on",
                until=self.now + self.gates.min_age,
                needs=f"to have been seen for {wanted}",
            )
        until = dated.at + self.gates.min_age
        if until <= self.now:
            return None
        reason = f"younger than {wanted}: {dated.at:%Y-%m-%d %H:%M} UTC, {dated.source}"
        return Held(tag=tag, reason=reason, until=until)

    def _platforms(self, tag: str) -> Held | None:
        if not self.gates.platforms or self._lacks(tag, Fact.PLATFORMS):
            return None
        known = self.facts.get(tag, NO_FACTS)
        if known.platforms is None:
            return _unreadable(tag, known, Fact.PLATFORMS)
        lacking = missing_platforms(self.gates.platforms, known.platforms)
        if not lacking:
            return None
        there = ", ".join(sorted(known.platforms)) or "none"
        names = " and ".join(lacking)
        return Held(
            tag=tag,
            reason=f"not ready: {names} is missing, there is {there}",
            needs=f"{names} to be pushed",
        )

    def _digest(self, tag: str) -> Held | None:
        if not self.writes_digest or self._lacks(tag, Fact.DIGEST):
            return None
        known = self.facts.get(tag, NO_FACTS)
        return _unreadable(tag, known, Fact.DIGEST) if known.digest is None else None

    def _lacks(self, tag: str, fact: Fact) -> bool:
        """Note that `fact` must be asked for, when it was not."""
        known = self.facts.get(tag, NO_FACTS)
        if getattr(known, fact.value) is None and fact not in known.unavailable:
            self._ask(tag, fact)
            return True
        return False

    def _ask(self, tag: str, fact: Fact) -> None:
        self.missing[tag] = self.missing.get(tag, frozenset()) | {fact}

    def _take(self, candidate: Candidate, floor: str) -> Decision:
        digest = self.facts.get(candidate.tag, NO_FACTS).digest if self.writes_digest else None
        notes = [f"best by {self.policy.text}"]
        if self.held:
            notes.append(f"{len(self.held)} better wait")
        written = candidate_of(self.policy, self.current) if self.current else None
        if written is not None and (note := variant_change(written.value, candidate.value)):
            notes.append(note)
        return Decision(
            chosen=candidate,
            digest=digest,
            update_type=update_type(self.current, candidate.tag) if self.current else "other",
            reason="; ".join(notes),
            held=tuple(self.held),
            rejected=tuple(self.rejected),
            floor=floor,
        )

    def _refresh(self, floor: str) -> Decision | None:
        """Return the written tag with its present digest, where that is wanted and new."""
        current = candidate_of(self.policy, self.current) if self.current else None
        follow = self.follows or self.policy.digest is DigestMode.ALWAYS
        fill = self.current_digest is None and self.writes_digest
        if current is None or not (follow or fill) or not self._is_followed(current.tag):
            return None
        if self._lacks(current.tag, Fact.DIGEST):
            return self._leave("the digest of the written tag is not known yet", floor)
        known = self.facts[current.tag]
        if known.digest is None or known.digest == self.current_digest:
            return None
        if same := self._same_images(current.tag, known):
            return self._leave(same, floor)
        if not self._passes(current, is_refresh=True):
            what = "is not known yet" if self.missing else "waits"
            return self._leave(f"a new digest of {current.tag} {what}", floor)
        return Decision(
            chosen=current,
            digest=known.digest,
            update_type="digest",
            reason=f"{current.tag} has a new digest",
            held=tuple(self.held),
            rejected=tuple(self.rejected),
            floor=floor,
        )

    def _same_images(self, tag: str, known: Facts) -> str:
        """Return why a new digest brings the wanted platforms nothing, empty where it may.

        Where the registry has the written one no more, the new one counts.
        """
        if not self.gates.platforms or self.current_digest is None:
            return ""
        self._lacks(self.current_digest, Fact.PLATFORMS)
        if self._lacks(tag, Fact.PLATFORMS) or self.missing:
            return f"whether a new digest of {tag} brings anything is not known yet"
        written = self.facts.get(self.current_digest, NO_FACTS).images
        if not same_images(self.gates.platforms, written, known.images):
            return ""
        return f"the new digest of {tag} is the same image on {' and '.join(self.gates.platforms)}"

    def _is_followed(self, tag: str) -> bool:
        rule = self.policy.rule
        return not isinstance(rule, FollowDigest) or rule.tag in {None, tag}

    def _why_nothing(self, selection: Selection) -> str:
        if selection.error is not None:
            return selection.error.message
        if self.held or self.rejected:
            count = len(self.held) + len(self.rejected)
            return f"nothing may be proposed now: {count} better wait or are denied"
        return f"{self.current} is the best by {self.policy.rule.text}"

    def _leave(self, reason: str, floor: str) -> Decision:
        return Decision(
            chosen=None,
            reason=reason,
            held=tuple(self.held),
            rejected=tuple(self.rejected),
            missing=self.missing,
            floor=floor,
        )


def _reasons(known: Facts) -> str:
    return "; ".join(dict.fromkeys(known.unavailable.values())) or "no date can be believed"


def _unreadable(tag: str, known: Facts, fact: Fact) -> Held:
    return Held(
        tag=tag,
        reason=f"its {fact.value} cannot be read: {known.unavailable[fact]}",
        needs="the registry to answer",
    )
