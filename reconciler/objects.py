"""A Kubernetes object and its identity: what a text of YAML holds, told apart.

Identity is group, kind, namespace and name; the version is none of it, so that a move from one
version to the next is a change and no removal (`reconciler.md` 2.8). Lists are opened, an object
that stands twice or asks for a generated name is an error (`reliability-security.md` M10).

Must not know the API server.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bot.errors import ConfigError
from reconciler.yaml_stream import UnreadableYamlError, read_stream

MAX_OBJECTS = 20_000  # of one set, arbitrary; the inventory of Flux ends near there
_MAX_LIST_DEPTH = 8
_RBAC_GROUP = "rbac.authorization.k8s.io"
_RBAC_KINDS = frozenset({"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"})
_LIST = "List"
_MAX_NAME = 253


class InvalidObjectError(ConfigError):
    """The text holds something that is no Kubernetes object, or one that we refuse."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Identity:
    """Which object: `group` is empty for the core group, `namespace` for a cluster-wide one."""

    namespace: str
    name: str
    group: str
    kind: str

    @property
    def id(self) -> str:
        """Return `<namespace>_<name>_<group>_<kind>`, the form that inventories hold.

        A colon in the name of a role or a binding is written as two underscores.
        """
        return f"{self.namespace}_{self._written_name}_{self.group}_{self.kind}"

    @property
    def _written_name(self) -> str:
        is_role = self.group == _RBAC_GROUP and self.kind in _RBAC_KINDS
        return self.name.replace(":", "__") if is_role else self.name

    @property
    def short(self) -> str:
        """Return `Kind/namespace/name`, for sentences."""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)

    def __str__(self) -> str:
        """Return `group/Kind/namespace/name`, without the parts that are empty."""
        return f"{self.group}/{self.short}" if self.group else self.short


def parse_id(text: str) -> Identity:
    """Return the identity that an inventory's id names.

    The first underscore ends the namespace, the last two begin group and kind; two underscores
    in what is left are a colon.

    Raises:
        ValueError: It has not four parts.
    """
    namespace, found, rest = text.partition("_")
    parts = rest.rsplit("_", 2)
    if not found or len(parts) != 3 or not parts[0] or not parts[2]:  # noqa: PLR2004  # as above
        raise ValueError(f"{text!r} is no id of an inventory")
    name, group, kind = parts
    return Identity(namespace=namespace, name=name.replace("__", ":"), group=group, kind=kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesObject:
    """One object as it is desired; `content` is shared and never changed in place.

    `source` is the file and line it was read from, for errors.
    """

    identity: Identity
    version: str
    content: Mapping[str, Any] = field(repr=False)
    source: str = ""

    @property
    def api_version(self) -> str:
        """Return `group/version`, or the version alone for the core group."""
        group = self.identity.group
        return f"{group}/{self.version}" if group else self.version

    @property
    def labels(self) -> Mapping[str, str]:
        """Return its labels."""
        return labels_of(self.content)

    @property
    def annotations(self) -> Mapping[str, str]:
        """Return its annotations."""
        return annotations_of(self.content)


def mapping_at(content: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return the mapping that `path` leads to; an empty one when there is none."""
    here: Any = content
    for key in path:
        here = here.get(key) if isinstance(here, Mapping) else None
    return here if isinstance(here, Mapping) else {}


def labels_of(content: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the labels of a raw object."""
    return mapping_at(content, "metadata", "labels")


def annotations_of(content: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the annotations of a raw object."""
    return mapping_at(content, "metadata", "annotations")


def identity_of(content: Mapping[str, Any]) -> Identity:
    """Return the identity of a raw object that the API server or `object_of` has accepted."""
    group, _, _ = str(content.get("apiVersion", "")).rpartition("/")
    metadata = mapping_at(content, "metadata")
    return Identity(
        namespace=str(metadata.get("namespace") or ""),
        name=str(metadata.get("name") or ""),
        group=group,
        kind=str(content.get("kind", "")),
    )


def read_objects(text: bytes, *, source: str = "") -> list[KubernetesObject]:
    """Return the objects of a YAML or JSON stream in its order, lists opened.

    Raises:
        InvalidObjectError: It is not YAML, holds something else, or an object twice.
    """
    found = list(_opened(raw_objects(text, source=source)))
    refuse_duplicates(found)
    return found


def raw_objects(text: bytes, *, source: str = "") -> Iterator[tuple[Any, str]]:
    """Yield every document that says something, with `source:line`.

    Raises:
        InvalidObjectError: The text is not YAML, or beyond the bounds.
    """
    try:
        documents = read_stream(text)
    except UnreadableYamlError as fault:
        where = f"{source}:{fault.line}" if fault.line else source
        raise InvalidObjectError(str(fault), where=where, hint="Correct the YAML") from fault
    for document in documents:
        yield document.value, f"{source}:{document.line}" if source else f"line {document.line}"


def _opened(values: Iterable[tuple[Any, str]]) -> Iterator[KubernetesObject]:
    count = 0
    for value, source in values:
        for content in open_lists(value, source):
            count += 1
            if count > MAX_OBJECTS:
                raise InvalidObjectError(
                    f"there are more than {MAX_OBJECTS} objects",
                    where=source,
                    hint="Divide the set",
                )
            yield object_of(content, source=source)


def open_lists(value: Any, source: str = "", *, depth: int = 0) -> Iterator[Any]:
    """Yield `value`, or what it holds when it is a list of objects, lists in it opened as well.

    Items of a typed list such as `ConfigMapList` may leave out what its name says.

    Raises:
        InvalidObjectError: The lists nest deeper than we follow, or `items` is no list.
    """
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or not kind.endswith(_LIST) or "items" not in value:
        yield value
        return
    items = value["items"]
    if depth >= _MAX_LIST_DEPTH or not isinstance(items, list | None):
        what = "lists nest too deeply" if depth >= _MAX_LIST_DEPTH else "`items` is no list"
        raise InvalidObjectError(what, where=source, hint="Write the objects one after another")
    for item in items or []:
        if isinstance(item, dict) and kind != _LIST:
            stated = {"apiVersion": value.get("apiVersion"), "kind": kind.removesuffix(_LIST)}
            yield from open_lists({**stated, **item}, source, depth=depth + 1)
        else:
            yield from open_lists(item, source, depth=depth + 1)


def object_of(content: Any, *, source: str = "") -> KubernetesObject:
    """Return a raw object with its identity, having looked at what that rests on.

    Raises:
        InvalidObjectError: It is no object, has no name, or a name that Kubernetes cannot have.
    """
    if not isinstance(content, dict):
        raise _invalid(
            "this is no Kubernetes object", source, "It needs apiVersion, kind, metadata"
        )
    metadata = content.get("metadata")
    for key in ("apiVersion", "kind"):
        if not isinstance(content.get(key), str) or not content[key]:
            raise _invalid(
                f"an object has no {key}", source, f"Add `{key}:`, or keep the file elsewhere"
            )
    if not isinstance(metadata, dict):
        raise _invalid(f"a {content['kind']} has no metadata", source, "Add `metadata: {name: …}`")
    if not metadata.get("name") and "generateName" in metadata:
        raise _invalid(
            f"a {content['kind']} asks for a generated name",
            source,
            "Give it a name; each pass would make another one",
        )
    _check_names(content["kind"], metadata, source)
    _check_texts(content["kind"], metadata, source)
    identity = identity_of(content)
    version = content["apiVersion"].rpartition("/")[2]
    if not version or "/" in identity.group:
        raise _invalid(
            f"{content['apiVersion']!r} is no apiVersion", source, "Write `group/version` or `v1`"
        )
    if "_" in identity.group + identity.kind or parse_id(identity.id) != identity:
        raise _invalid(
            f"{identity} is a name that no inventory can hold", source, "Take out the underscores"
        )
    return KubernetesObject(identity=identity, version=version, content=content, source=source)


def _check_names(kind: str, metadata: dict[str, Any], source: str) -> None:
    for key in ("name", "namespace"):
        value = metadata.get(key, "")
        if key == "namespace" and value is None:
            continue
        if not isinstance(value, str):
            raise _invalid(f"the {key} of a {kind} is no text", source, "Put it in quotes")
        if len(value) > _MAX_NAME or "/" in value or "%" in value or value in {".", ".."}:
            raise _invalid(f"{value[:80]!r} cannot be the {key} of a {kind}", source, "Correct it")
    if not metadata.get("name"):
        raise _invalid(f"a {kind} has no name", source, "Add `metadata: {name: …}`")
    if "_" in str(metadata.get("namespace") or ""):
        raise _invalid(
            f"{metadata['namespace']!r} cannot be a namespace", source, "Take out the underscores"
        )


def _check_texts(kind: str, metadata: dict[str, Any], source: str) -> None:
    for key in ("labels", "annotations"):
        held = metadata.get(key)
        if held is None:
            continue
        if not isinstance(held, dict):
            raise _invalid(f"the {key} of {kind} {metadata['name']} are no mapping", source, "")
        wrong = [one for one, value in held.items() if not isinstance(value, str)]
        if wrong:
            raise _invalid(
                f"the {key[:-1]} {wrong[0]!r} of {kind} {metadata['name']} is no text",
                source,
                "Put its value in quotes",
            )


def _invalid(what: str, source: str, hint: str) -> InvalidObjectError:
    return InvalidObjectError(what, where=source, hint=hint)


def refuse_duplicates(objects: Iterable[KubernetesObject]) -> None:
    """Let no object stand twice in a set.

    Raises:
        InvalidObjectError: Two have one identity; both places are named.
    """
    first: dict[Identity, str] = {}
    for one in objects:
        if one.identity in first:
            elsewhere = first[one.identity]
            raise InvalidObjectError(
                f"{one.identity} stands twice, first at {elsewhere or 'an earlier place'}",
                where=one.source,
                hint="Keep one of the two",
            )
        first[one.identity] = one.source


def with_namespace(one: KubernetesObject, namespace: str) -> KubernetesObject:
    """Return `one` in `namespace` if it has none of its own; ask for namespaced kinds only."""
    if one.identity.namespace:
        return one
    metadata = {**one.content["metadata"], "namespace": namespace}
    return replace(
        one,
        identity=replace(one.identity, namespace=namespace),
        content={**one.content, "metadata": metadata},
    )


def with_labels(one: KubernetesObject, labels: Mapping[str, str]) -> KubernetesObject:
    """Return `one` with `labels` set over its own."""
    metadata = {**one.content["metadata"], "labels": {**one.labels, **labels}}
    return replace(one, content={**one.content, "metadata": metadata})
