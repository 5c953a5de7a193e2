"""Flux's image objects, as files in Git, read into the one model.

ImageRepository, ImagePolicy, ImageUpdateAutomation and GitRepository at v1, v1beta2 and
v1beta1, with Flux's fields, defaults and meaning (`image-automation.md` 1.1, 2.1, 4.1). What
files cannot say (secrets of the cluster, values that kustomize fills in) is noted, never
guessed; what is wrong is an error with its place, and the other objects go on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.config.flux_objects import FluxObject, read_objects
from bot.config.flux_policies import read_flux_policies
from bot.config.flux_updates import read_flux_updates

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.config.model import NamedPolicy, PolicyKey, UpdateRule
    from bot.errors import Problem

# What a caller may search for before it hands files over.
NEEDLES = (b"image.toolkit.fluxcd.io", b"source.toolkit.fluxcd.io")
# Their definitions hold the groups as well, and are large; only objects have them here.
_HEADER = re.compile(rb"""apiVersion["']?[ \t]*:\s*["']?(?:image|source)\.toolkit\.fluxcd\.io/""")


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxReading:
    """What Flux's objects in Git say.

    `ambiguous` are the policies that two places define differently, each with its error,
    which stands among `problems` as well; they are not among `policies`.
    """

    policies: tuple[NamedPolicy, ...] = ()
    updates: tuple[UpdateRule, ...] = ()
    problems: tuple[Problem, ...] = ()
    ambiguous: tuple[PolicyKey, ...] = ()
    files: tuple[str, ...] = ()


def read_flux(files: Iterable[tuple[str, bytes]], *, repository_url: str | None) -> FluxReading:
    """Return what the objects in `files` say; files without any are not parsed.

    `repository_url` is the repository at hand: automations for another one do not count.
    `None` when it is not known; then all count, which is noted.
    """
    problems: list[Problem] = []
    objects: list[FluxObject] = []
    for file, text in files:
        if _HEADER.search(text):
            objects.extend(read_objects(file, text, problems))
    policies, ambiguous = read_flux_policies(objects, problems)
    updates = read_flux_updates(objects, problems, repository_url=repository_url)
    return FluxReading(
        policies=tuple(policies),
        updates=tuple(updates),
        problems=tuple(sorted(problems, key=lambda p: (p.file, p.line, p.column))),
        ambiguous=tuple(ambiguous),
        files=tuple(sorted({found.file for found in objects})),
    )
