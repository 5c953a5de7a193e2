"""`select`: which tag is best, and the reason for every other.

Exclusions, then the filter, then the rule. Tags are put in descending byte order first, as
Flux stores them, and that order settles whatever a rule leaves equal: the result depends
on the set of tags alone, never on how a registry listed them (invariant I4). Knows neither
Git nor registries; gates and the floor come later, in `policies.gates`.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from policies.digest import FollowDigest
from policies.policy import (
    Candidate,
    Fact,
    Facts,
    Ranking,
    Rule,
    SelectionError,
    TagPolicy,
)
from policies.semver import Semver
from policies.variant import Identity, alike, read_shape

_SHOWN = 60  # characters of a rule or tag in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one tag.

    `value` is what was compared, `passed_filter` whether it came as far as the rule,
    `admitted` whether the rule would have it; `reason` is the first rule that rejected it,
    or why it was not chosen all the same.
    """

    tag: str
    value: str
    admitted: bool
    reason: str
    passed_filter: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The chosen candidate and every other one.

    `ranking` holds what the rule admits, best first; `verdicts` one entry per tag listed, in
    descending byte order. While `missing` names facts, nothing is chosen: find them out and
    ask again.
    """

    chosen: Candidate | None
    ranking: tuple[Candidate, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    error: SelectionError | None = None
    missing: Mapping[str, frozenset[Fact]] = field(default_factory=dict)


def select(
    policy: TagPolicy,
    tags: Iterable[str],
    *,
    facts: Mapping[str, Facts] | None = None,
    current_tag: str | None = None,
) -> Selection:
    """Return the best of `tags` by `policy`, with a verdict for each.

    `current_tag` gives the identity where the policy keeps variant or precision, and the tag
    that is followed where the policy names none. No floor and no gate applies here.
    """
    stored = sorted(tags, reverse=True)
    candidates, dropped = _candidates(policy, stored)
    rule = policy.rule
    if isinstance(rule, FollowDigest) and rule.tag is None:
        rule = replace(rule, tag=current_tag)
    ranking = _rank(rule, candidates, facts=facts or {}, identity=_identity(policy, current_tag))
    error = ranking.error or _nothing(rule, stored, candidates, ranking)
    unknown = bool(ranking.missing)
    chosen = None if error or unknown else ranking.best_first[0]
    return Selection(
        chosen=chosen,
        ranking=tuple(ranking.best_first),
        verdicts=_verdicts(stored, candidates, dropped, ranking=ranking, rule=rule, chosen=chosen),
        error=error,
        missing=ranking.missing,
    )


def follows_current(policy: TagPolicy) -> bool:
    """Return whether a selection by `policy` depends on the tag that is written now."""
    names_none = isinstance(policy.rule, FollowDigest) and policy.rule.tag is None
    return names_none or policy.keep_variant or policy.keep_precision


def candidate_of(policy: TagPolicy, tag: str) -> Candidate | None:
    """Return `tag` with the value that `policy` compares, None when its filter drops it."""
    value = tag if policy.filter is None else policy.filter.value(tag)
    return None if value is None else Candidate(tag=tag, value=value)


def _candidates(policy: TagPolicy, stored: Sequence[str]) -> tuple[list[Candidate], dict[str, str]]:
    """Return the candidates in stored order, one per value, and why other tags are none.

    Of several tags with one extracted value the smallest stands for it, as in Flux.
    """
    dropped: dict[str, str] = {}
    owners: dict[str, str] = {}
    refusal = policy.exclude.refusal
    for tag in stored:
        why = refusal(tag)
        if why:
            dropped[tag] = why
            continue
        value = tag if policy.filter is None else policy.filter.value(tag)
        if value is None:
            dropped[tag] = f"does not match {policy.filter.text if policy.filter else ''}"
            continue
        bested = owners.pop(value, tag)
        owners[value] = tag
        if bested != tag:
            dropped[bested] = f"extracts {value!r} as {tag!r} does, which stands for both"
    return [Candidate(tag=tag, value=value) for value, tag in owners.items()], dropped


def _identity(policy: TagPolicy, current_tag: str | None) -> Identity | None:
    if current_tag is None or not (policy.keep_variant or policy.keep_precision):
        return None
    current = candidate_of(policy, current_tag)
    shape = None if current is None else read_shape(current.value)
    if shape is None:
        return None
    return Identity(
        shape=shape, keep_variant=policy.keep_variant, keep_precision=policy.keep_precision
    )


def _rank(
    rule: Rule,
    candidates: Sequence[Candidate],
    *,
    facts: Mapping[str, Facts],
    identity: Identity | None,
) -> Ranking:
    if identity is None or isinstance(rule, Semver):
        return rule.rank(candidates, facts=facts, identity=identity)
    kept, refused = alike(candidates, identity)
    ranking = rule.rank([c for _, c in kept], facts=facts, identity=identity)
    return replace(ranking, refused={**refused, **ranking.refused})


def _nothing(
    rule: Rule, stored: Sequence[str], candidates: Sequence[Candidate], ranking: Ranking
) -> SelectionError | None:
    """Return why there is no best one, None when there is or may be."""
    if not candidates:
        count = len(set(stored))
        what = f"of {count} tag{'s' * (count != 1)} none is left by exclusions and filter"
        message = what if count else "there are no tags"
        return SelectionError(kind="no-candidates", message=message)
    if ranking.best_first or ranking.missing:
        return None
    first = next((ranking.refused[c.tag] for c in candidates if c.tag in ranking.refused), "")
    message = f"{rule.text[:_SHOWN]} admits none of {len(candidates)} candidates"
    return SelectionError(kind="no-match", message=f"{message}; the first: {first}")


def _verdicts(
    stored: Sequence[str],
    candidates: Sequence[Candidate],
    dropped: Mapping[str, str],
    *,
    ranking: Ranking,
    rule: Rule,
    chosen: Candidate | None,
) -> tuple[Verdict, ...]:
    values = {candidate.tag: candidate.value for candidate in candidates}
    if chosen is None:
        admitted = "cannot be judged before every date is known" if ranking.missing else ""
    else:
        admitted = f"admitted, but {chosen.tag[:_SHOWN]} is better"
    refused = ranking.refused
    verdicts = []
    for tag in stored:
        passed = tag in values
        value = values.get(tag, tag)
        if not passed:
            reason = dropped[tag]
        elif tag in refused:
            reason = refused[tag]
        elif chosen is not None and tag == chosen.tag:
            reason = f"the best by {rule.text[:_SHOWN]}"
        else:
            reason = admitted
        verdicts.append(
            Verdict(
                tag=tag,
                value=value,
                admitted=passed and tag not in refused,
                reason=reason,
                passed_filter=passed,
            )
        )
    return tuple(verdicts)
