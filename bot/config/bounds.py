"""What an operator asks of a repository's policies, kept whatever the repository's files say.

A repository's own file may narrow what the operator of `pilotfish serve` wrote and never
widen it (`product.md` 3.2; threats C10 and I19): the older age, the smaller jump, all the
platforms and exclusions of both count. It is applied to each policy when it is bound, after
defaults, named options and those of the line, so that there is no way around it.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.config.model import Config, Limits
from policies.policy import DigestMode, Gates, TagPolicy
from policies.semver import Semver
from policies.tag_filter import read_exclusion

if TYPE_CHECKING:
    from bot.config.model import Bounds, CommitSettings, ForgeSettings, RegistrySettings

_STRICTEST_LAST = (DigestMode.NEVER, DigestMode.IF_NOT_PRESENT, DigestMode.ALWAYS)


def within(policy: TagPolicy, bounds: Bounds | None) -> TagPolicy:
    """Return `policy` with everything that `bounds` asks for; itself where that is nothing."""
    if bounds is None or not bounds.options:
        return policy
    asked, by = bounds.options, bounds.policy
    is_semver = isinstance(policy.rule, Semver)
    return replace(
        policy,
        exclude=read_exclusion(
            tuple(dict.fromkeys((*policy.exclude.patterns, *by.exclude.patterns))), ()
        )
        if "exclude" in asked
        else policy.exclude,
        digest=max(policy.digest, by.digest, key=_STRICTEST_LAST.index),
        gates=_gates(policy.gates, by.gates, asked, is_semver=is_semver),
        keep_variant=policy.keep_variant or (is_semver and "variant" in asked and by.keep_variant),
        keep_precision=policy.keep_precision
        or (is_semver and "precision" in asked and by.keep_precision),
    )


def _gates(own: Gates, by: Gates, asked: frozenset[str], *, is_semver: bool) -> Gates:
    ages = [age for age in (own.min_age, by.min_age) if age is not None]
    jumps = [
        jump for jump in (own.max_jump, by.max_jump if is_semver else None) if jump is not None
    ]
    return replace(
        own,
        min_age=max(ages, default=None),
        platforms=tuple(dict.fromkeys((*own.platforms, *by.platforms))),
        allow_downgrade=own.allow_downgrade
        and ("allow-downgrade" not in asked or by.allow_downgrade),
        max_jump=min(jumps, default=None),
    )


def narrowed(
    own: Config,
    *,
    limits: Limits | None,
    bounds: Bounds | None,
    registries: tuple[RegistrySettings, ...],
    forge: ForgeSettings | None,
    commit: CommitSettings | None,
) -> Config:
    """Return a repository's own configuration as it counts on an operator's server.

    Registries and credentials are the operator's alone; of each limit the smaller counts. The
    forge and who signs are the operator's where said.
    """
    return replace(
        own,
        registries=registries,
        limits=own.limits if limits is None else _limits(own, limits),
        bounds=bounds,
        forge=own.forge if forge is None else replace(forge, kind=forge.kind or own.forge.kind),
        commit=own.commit if commit is None else _commit(own.commit, commit),
    )


def _limits(own: Config, by: Limits) -> Limits:
    """Return the operator's limits, each narrowed where the repository's file says less."""

    def least(key: str, theirs: int, operators: int) -> int:
        return min(theirs, operators) if key in own.said_limits else operators

    return Limits(
        open=least("open", own.limits.open, by.open),
        new_per_hour=least("new-per-hour", own.limits.new_per_hour, by.new_per_hour),
        pushes_per_hour=least("pushes-per-hour", own.limits.pushes_per_hour, by.pushes_per_hour),
    )


def _commit(own: CommitSettings, by: CommitSettings) -> CommitSettings:
    author = by if by.author_email else own
    text = own if own.message else by
    return replace(
        own,
        author_name=author.author_name,
        author_email=author.author_email,
        message=text.message,
        values=text.values,
        signing=by.signing,
    )
