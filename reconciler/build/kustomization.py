"""What a kustomization refers to: every path it bears, and what it may not ask for.

All fields are known by name; one that is not is refused, because it might bear a path. Refused as
well are what runs code or fetches something: plugins, functions, Helm charts, remote bases
(`reconciler.md` 2.6; `reliability-security.md` M1, M6, M7). Whether a path stays inside is for
whoever joins it to a folder.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bot.errors import RefusedError
from reconciler.yaml_stream import UnreadableYamlError, read_stream

KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_WITHOUT_PATHS_TEXT = """
apiVersion buildMetadata commonAnnotations commonLabels generatorOptions imageTags images
kind labels metadata namePrefix nameSuffix namespace replicas sortOptions vars
"""
_WITHOUT_PATHS = frozenset(_WITHOUT_PATHS_TEXT.split())
_CODE = frozenset({"helmChartInflationGenerator", "helmCharts", "helmGlobals"})
_BUILT_IN_TEXT = """
AnnotationsTransformer ConfigMapGenerator HashTransformer IAMPolicyGenerator ImageTagTransformer
LabelTransformer LegacyOrderTransformer NamespaceTransformer PatchJson6902Transformer
PatchStrategicMergeTransformer PatchTransformer PrefixSuffixTransformer PrefixTransformer
ReplacementTransformer ReplicaCountTransformer SecretGenerator SortOrderTransformer
SuffixTransformer ValueAddTransformer
"""
_BUILT_IN = frozenset(_BUILT_IN_TEXT.split())
_FUNCTIONS = ("config.kubernetes.io/function", "config.k8s.io/function")
# What kustomize would take for an address rather than a path, and then some.
_REMOTE = re.compile(
    r"://|^git::|^gh:|^[^/]*@[^/]*[:/]|^(?:www\.)?github\.com[:/]|//|_git/|\.git(?:/|$|\?)"
    r"|\?(?:ref|version|timeout|submodules)=|^[\w.-]+:",
    re.IGNORECASE,
)


class RefusedBuildError(RefusedError):
    """The folder asks for something that a build does not do."""


class Use(Enum):
    """What a path is used as: objects may be a file or a folder, a component is a folder."""

    OBJECTS = "objects"
    COMPONENT = "a component"
    FILE = "a file"
    PLUGIN = "the configuration of a transformer or generator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One path as it is written, relative to the kustomization; `field` says where it stands."""

    path: str
    use: Use
    field: str


def references_of(content: Mapping[str, Any], *, where: str) -> list[Reference]:
    """Return every path that a kustomization bears.

    Raises:
        RefusedBuildError: It has a field we do not know, runs code, or is remote.
    """
    found = list(_references(content, where))
    for one in found:
        refuse_remote(one, where=where)
    return found


def refuse_remote(one: Reference, *, where: str) -> None:
    """Let no address and no absolute path pass.

    Raises:
        RefusedBuildError: It is one.
    """
    place = f"{where}: {one.field}"
    if _REMOTE.search(one.path):
        raise RefusedBuildError(
            f"{one.path!r} is remote",
            where=place,
            hint="Copy it into the folder: a build fetches nothing",
        )
    if one.path.startswith(("/", "~")) or "\\" in one.path or "\0" in one.path or not one.path:
        raise RefusedBuildError(
            f"{one.path!r} is no path within the folder",
            where=place,
            hint="Write a relative path with `/`",
        )


def _references(content: Mapping[str, Any], where: str) -> Iterator[Reference]:
    for key, value in content.items():
        if key in _WITHOUT_PATHS or value is None:
            continue
        if key in _CODE:
            raise _code(f"{where}: {key}", "Helm charts are not rendered here")
        reader = _FIELDS.get(key)
        if reader is None:
            raise RefusedBuildError(
                f"the field {key!r} is not known",
                where=where,
                hint="Correct its name; a field that might bear a path is not passed on unread",
            )
        yield from reader(value, key, where)


def _code(where: str, what: str) -> RefusedBuildError:
    return RefusedBuildError(
        what, where=where, hint="Render it beforehand and keep the result in the folder"
    )


def _shape(field: str, where: str) -> RefusedBuildError:
    return RefusedBuildError(
        f"{field} has an unexpected shape", where=where, hint="See kustomize's reference"
    )


def _items(value: Any, field: str, where: str) -> Iterator[tuple[Any, str]]:
    if not isinstance(value, list):
        raise _shape(field, where)
    for index, one in enumerate(value):
        yield one, f"{field}[{index}]"


def _texts(value: Any, field: str, where: str) -> Iterator[tuple[str, str]]:
    for one, place in _items(value, field, where):
        if not isinstance(one, str):
            raise _shape(place, where)
        yield one, place


def _objects(value: Any, field: str, where: str) -> Iterator[Reference]:
    for path, place in _texts(value, field, where):
        yield Reference(path=path, use=Use.OBJECTS, field=place)


def _components(value: Any, field: str, where: str) -> Iterator[Reference]:
    for path, place in _texts(value, field, where):
        yield Reference(path=path, use=Use.COMPONENT, field=place)


def _files(value: Any, field: str, where: str) -> Iterator[Reference]:
    for path, place in _texts(value, field, where):
        yield Reference(path=path, use=Use.FILE, field=place)


def _path_keys(value: Any, field: str, where: str) -> Iterator[Reference]:
    """Read a list of mappings in which `path` may name a file: patches, replacements."""
    for one, place in _items(value, field, where):
        yield from _path_key(one, place, where)


def _path_key(value: Any, field: str, where: str) -> Iterator[Reference]:
    if not isinstance(value, Mapping):
        raise _shape(field, where)
    path = value.get("path")
    if path is None or path == "":
        return
    if not isinstance(path, str):
        raise _shape(f"{field}.path", where)
    yield Reference(path=path, use=Use.FILE, field=f"{field}.path")


def _is_inline(text: str) -> bool:
    return "\n" in text or text.lstrip().startswith(("{", "["))


def _files_or_inline(value: Any, field: str, where: str) -> Iterator[Reference]:
    for text, place in _texts(value, field, where):
        if not _is_inline(text):
            yield Reference(path=text, use=Use.FILE, field=place)


def _generators(value: Any, field: str, where: str) -> Iterator[Reference]:
    for one, place in _items(value, field, where):
        if not isinstance(one, Mapping):
            raise _shape(place, where)
        yield from _generator(one, place, where)


def _generator(one: Mapping[str, Any], field: str, where: str) -> Iterator[Reference]:
    """Read `files`, `envs` and `env` of a generator, whose files may be `key=path`."""
    for text, place in _texts(one.get("files") or [], f"{field}.files", where):
        path = text.partition("=")[2] or text
        yield Reference(path=path, use=Use.FILE, field=place)
    for text, place in _texts(one.get("envs") or [], f"{field}.envs", where):
        yield Reference(path=text, use=Use.FILE, field=place)
    env = one.get("env")
    if env:
        if not isinstance(env, str):
            raise _shape(f"{field}.env", where)
        yield Reference(path=env, use=Use.FILE, field=f"{field}.env")


def _plugins(value: Any, field: str, where: str) -> Iterator[Reference]:
    for text, place in _texts(value, field, where):
        if _is_inline(text):
            yield from plugin_references(text.encode(), where=f"{where}: {place}")
        else:
            yield Reference(path=text, use=Use.PLUGIN, field=place)


def plugin_references(text: bytes, *, where: str) -> list[Reference]:
    """Return the paths that the configurations of transformers and generators in `text` bear.

    Raises:
        RefusedBuildError: It is not one that kustomize brings itself, or it is remote.
    """
    try:
        documents = read_stream(text)
    except UnreadableYamlError as fault:
        raise RefusedBuildError(str(fault), where=where, hint="Correct the YAML") from fault
    found: list[Reference] = []
    for document in documents:
        found += _plugin(document.value, where)
    for one in found:
        refuse_remote(one, where=where)
    return found


def _plugin(value: Any, where: str) -> Iterator[Reference]:
    if not isinstance(value, Mapping):
        raise _shape("a transformer or generator", where)
    metadata = value.get("metadata")
    notes = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    runs_code = isinstance(notes, Mapping) and any(key in notes for key in _FUNCTIONS)
    kind = str(value.get("kind"))
    if runs_code or value.get("apiVersion") != "builtin" or kind not in _BUILT_IN:
        raise _code(where, f"{kind} is a plugin or function, and none is run here")
    yield from _path_key(value, kind, where)
    yield from _generator(value, kind, where)
    if value.get("paths"):
        yield from _files_or_inline(value["paths"], f"{kind}.paths", where)
    if value.get("replacements"):
        yield from _path_keys(value["replacements"], f"{kind}.replacements", where)


_FIELDS = {
    "bases": _objects,
    "components": _components,
    "configMapGenerator": _generators,
    "configurations": _files,
    "crds": _files,
    "generators": _plugins,
    "openapi": _path_key,
    "patches": _path_keys,
    "patchesJson6902": _path_keys,
    "patchesStrategicMerge": _files_or_inline,
    "replacements": _path_keys,
    "resources": _objects,
    "secretGenerator": _generators,
    "transformers": _plugins,
    "validators": _plugins,
}
