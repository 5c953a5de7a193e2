"""The sources of a configuration merged into one, and the policy that a marker means.

One `namespace:name` in two sources is a fault that names both places (`product.md` 10.3).
Updates of `.pilotfish.yaml` are stronger than Flux's automations; where nothing is said,
one update covers the whole repository.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.config.flux import FluxReading, read_flux
from bot.config.flux_policies import two_places
from bot.config.model import Config, UpdateRule
from bot.config.native import read_native
from bot.config.removed_fields import notes_on_templates
from bot.errors import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bot.config.native import Trust


def read_all(
    native: tuple[str, bytes] | None,
    files: Iterable[tuple[str, bytes]],
    *,
    folder: Path,
    trust: Trust,
    repository_url: str | None,
) -> tuple[Config, list[Problem]]:
    """Return what `.pilotfish.yaml` and Flux's objects in `files` say, as one.

    No secret is read. Problems of Flux's objects are returned, the objects at fault left out.

    Raises:
        FaultsError: `.pilotfish.yaml` has faults.
    """
    flux = read_flux(files, repository_url=repository_url)
    names = {name for p in flux.policies for name in (p.key.name, str(p.key))}
    own = None
    if native is not None:
        file, text = native
        own = read_native(file, text, folder=folder, trust=trust, elsewhere=names)
    return merge(own, flux)


def merge(native: Config | None, flux: FluxReading) -> tuple[Config, list[Problem]]:
    """Return one configuration of both sources, and the problems of reading and joining them."""
    problems = list(flux.problems)
    base = native if native is not None else Config()
    policies = dict(base.policies)
    for policy in flux.policies:
        own = base.policies.get(policy.key)
        if own is None:
            policies[policy.key] = policy
        else:
            policies.pop(policy.key, None)
            problems.append(two_places(policy.key, own.where, policy.where))
    for key in flux.ambiguous:
        policies.pop(key, None)
    has_own_updates = any(rule.where for rule in base.updates)
    updates: tuple[UpdateRule, ...] = base.updates
    if flux.updates and has_own_updates:
        problems.append(_note_that_own_updates_win(base.updates[0], flux.updates))
    elif flux.updates:
        updates = flux.updates
    merged = replace(
        base,
        policies=MappingProxyType(policies),
        updates=updates,
        source=tuple(dict.fromkeys((*base.source, *flux.files))),
    )
    return merged, [*problems, *notes_on_templates(merged)]


def _note_that_own_updates_win(own: UpdateRule, flux: tuple[UpdateRule, ...]) -> Problem:
    file, _, line = flux[0].where.rpartition(":")
    return Problem(
        severity=Severity.NOTE,
        file=file,
        line=int(line),
        message=f"{len(flux)} of Flux's automations do not count: {own.where} says what happens",
        hint="Remove `updates` there to go by Flux's automations",
    )
