"""Every file that a kustomization needs, found by its paths before kustomize runs.

What is returned is all that a build sees (`reliability-security.md` M1, M2): kustomizations in it,
the objects, patches and values they name, and those of their bases. Folders are visited once.

Must not know kustomize, nor the cluster.
"""

from __future__ import annotations

import posixpath
from typing import Any

from reconciler.build.confined import ConfinedFolder, missing
from reconciler.build.kustomization import (
    KUSTOMIZATION_NAMES,
    Reference,
    RefusedBuildError,
    Use,
    plugin_references,
    references_of,
)
from reconciler.objects import InvalidObjectError
from reconciler.yaml_stream import UnreadableYamlError, read_stream

MAX_DEPTH = 32
_FOLDERS = frozenset({Use.OBJECTS, Use.COMPONENT})


def gather(confined: ConfinedFolder, folder: str) -> dict[str, bytes]:
    """Return the files that building `folder` needs, by their paths from the root.

    Raises:
        ConfigError: One is missing, or a kustomization is not YAML.
        RefusedError: One is outside, behind a link or remote; code would run; or a bound is hit.
    """
    gathering = _Gathering(confined)
    gathering.folder(folder, 0)
    return gathering.files


def kustomization_in(confined: ConfinedFolder, folder: str) -> str:
    """Return the path of a folder's kustomization, empty when it has none.

    Raises:
        RefusedBuildError: It has several.
    """
    names = [name for name in KUSTOMIZATION_NAMES if confined.is_file(posixpath.join(folder, name))]
    if len(names) > 1:
        raise RefusedBuildError(
            f"{' and '.join(names)} stand side by side", where=folder, hint="Keep one of them"
        )
    return posixpath.normpath(posixpath.join(folder, names[0])) if names else ""


class _Gathering:
    """The files found so far."""

    def __init__(self, confined: ConfinedFolder) -> None:
        self._confined = confined
        self.files: dict[str, bytes] = {}

    def folder(self, folder: str, depth: int) -> None:
        path = kustomization_in(self._confined, folder)
        if not path:
            raise missing(
                posixpath.normpath(posixpath.join(folder, KUSTOMIZATION_NAMES[0])), folder
            )
        if path in self.files:
            return
        if depth > MAX_DEPTH:
            raise RefusedBuildError(
                f"bases nest deeper than {MAX_DEPTH}", where=path, hint="Flatten them"
            )
        self.files[path] = self._confined.read(path)
        for one in references_of(_content(self.files[path], path), where=path):
            self._reference(folder, one, f"{path}: {one.field}", depth)

    def _reference(self, folder: str, one: Reference, where: str, depth: int) -> None:
        target = self._confined.inside(folder, one.path, where=where)
        if one.use in _FOLDERS and self._confined.is_folder(target, where=where):
            self.folder(target, depth + 1)
            return
        if one.use is Use.COMPONENT or not self._confined.is_file(target, where=where):
            raise missing(one.path, where)
        if target not in self.files:
            self.files[target] = self._confined.read(target, where=where)
        if one.use is Use.PLUGIN:
            for inner in plugin_references(self.files[target], where=target):
                self._reference(folder, inner, f"{target}: {inner.field}", depth)


def _content(text: bytes, path: str) -> dict[str, Any]:
    try:
        documents = read_stream(text)
    except UnreadableYamlError as fault:
        where = f"{path}:{fault.line}" if fault.line else path
        raise InvalidObjectError(str(fault), where=where, hint="Correct the YAML") from fault
    if len(documents) != 1 or not isinstance(documents[0].value, dict):
        raise InvalidObjectError(
            "this is no kustomization", where=path, hint="Write one mapping: `resources: […]`"
        )
    content: dict[str, Any] = documents[0].value
    return content
