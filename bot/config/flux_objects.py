"""The Flux objects of a file: found, checked for their version, and placed.

A `List` is unwrapped. An object whose identity holds a `${variable}` is known only in the
cluster, and is reported. Other kinds of the same groups are none of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.config.nodes import Kind, Node, UnreadableYaml, read_documents
from bot.errors import Problem, Severity
from bot.telemetry import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILE_BYTES = 4 * 1024 * 1024  # an export of all CRDs is 1 MiB; arbitrary
_IMAGE_GROUP = "image.toolkit.fluxcd.io"
_SOURCE_GROUP = "source.toolkit.fluxcd.io"
_VERSIONS = frozenset({"v1", "v1beta2", "v1beta1"})
_KINDS = {
    "ImageRepository": _IMAGE_GROUP,
    "ImagePolicy": _IMAGE_GROUP,
    "ImageUpdateAutomation": _IMAGE_GROUP,
    "GitRepository": _SOURCE_GROUP,
}
_MOST_CHARS = 400  # of one message; arbitrary


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxObject:
    """One object: its identity (an empty namespace is not written), its `spec`, its place."""

    kind: str
    namespace: str
    name: str
    file: str
    root: Node
    spec: Node
    fingerprint: str

    @property
    def where(self) -> str:
        """Return `file:line` of the object."""
        return f"{self.file}:{self.root.place[0]}"

    @property
    def title(self) -> str:
        """Return kind and name, for messages."""
        return f"{self.kind} {self.namespace or '?'}/{self.name}"

    def problem(
        self, severity: Severity, message: str, hint: str = "", *, at: Node | None = None
    ) -> Problem:
        """Return a problem of this object, placed at `at` or at the object itself."""
        place = (at or self.root).place
        return Problem(
            severity=severity,
            file=self.file,
            line=place[0],
            column=place[1],
            message=shown(f"{self.title}: {message}", max_chars=_MOST_CHARS),
            hint=shown(hint, max_chars=_MOST_CHARS),
        )


def holds_variable(text: str) -> bool:
    """Return whether Flux would substitute a `${variable}` in `text` in the cluster."""
    return "${" in text.replace("$${", "")


def read_objects(file: str, text: bytes, problems: list[Problem]) -> list[FluxObject]:
    """Return the Flux objects of one file, adding what is wrong to `problems`."""
    try:
        documents = read_documents(text, max_bytes=MAX_FILE_BYTES)
    except UnreadableYaml as fault:
        problems.append(
            Problem(
                severity=Severity.WARNING,
                file=file,
                line=fault.place[0],
                column=fault.place[1],
                message=shown(f"Flux objects are not read: {fault}", max_chars=_MOST_CHARS),
                hint="Mend the file, or keep Flux's objects out of templates",
            )
        )
        return []
    found: list[FluxObject] = []
    for document in documents:
        for root in _unwrapped(document.root):
            one = _read_one(file, root, problems)
            if one is not None:
                found.append(one)
    return found


def _unwrapped(root: Node | None) -> Iterator[Node]:
    if root is None:
        return
    items = root.get("items")
    if root.string("kind") == "List" and items is not None:
        yield from (item for item in items.items if item.kind is Kind.MAPPING)
    else:
        yield root


def _read_one(file: str, root: Node, problems: list[Problem]) -> FluxObject | None:
    kind = root.string("kind")
    group, _, version = root.string("apiVersion").partition("/")
    if _KINDS.get(kind) != group:
        return None
    name, namespace = root.string("metadata", "name"), root.string("metadata", "namespace")
    spec = root.get("spec")
    try:
        fingerprint = repr(spec.plain_value()) if spec is not None else ""
    except UnreadableYaml as fault:
        fingerprint, name = str(fault), ""
    one = FluxObject(
        kind=kind,
        namespace=namespace,
        name=name,
        file=file,
        root=root,
        spec=spec if spec is not None else Node(Kind.MAPPING, root.place),
        fingerprint=fingerprint,
    )
    if version not in _VERSIONS:
        message = f"the version {version!r} is not known"
        problems.append(one.problem(Severity.WARNING, message, "Write v1, v1beta2 or v1beta1"))
        return None
    if not name:
        problems.append(one.problem(Severity.WARNING, "it has no name", "Add metadata.name"))
        return None
    if holds_variable(name + namespace):
        message = "its name is known only in the cluster, where Flux fills in variables"
        problems.append(one.problem(Severity.WARNING, message, "Write the name out"))
        return None
    return one
