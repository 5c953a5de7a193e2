"""Images that files name, without any configuration: what `scan` shows.

Told by shape: `image:` and keys that end in it, a repository with its tag beside it, the
`images:` list of a kustomization, `services:` of a Compose file, `ref.tag` of a Flux
OCIRepository, Dockerfiles, and in files that no YAML parser reads the lines that say
`image:`. Texts with a variable or template are no image yet. Flux's own image objects name
what to watch, not what runs, and are left out.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import Problem, Severity
from bot.rewrite.comments import Layout
from bot.rewrite.dockerfile import dockerfile_images, is_dockerfile
from bot.rewrite.nodes import Kind, Node, UnreadableError, parse
from bot.rewrite.offsets import Offsets
from bot.rewrite.siblings import (
    image_beside,
    is_bare_digest,
    is_digest,
    is_image,
    is_repository,
    key_name,
    split_image,
)
from bot.rewrite.tree import NEEDLES, search_file
from bot.yaml_bounds import out_of_bounds

if TYPE_CHECKING:
    from bot.rewrite.marker import FluxMarker, InlineMarker

_FLUX_GROUP = "image.toolkit.fluxcd.io/"
_WATCHED_ONLY = frozenset({"ImageRepository", "ImagePolicy", "ImageUpdateAutomation"})
_COMPOSE = re.compile(r"(?:docker-)?compose(?:[.-].*)?\.ya?ml\Z", re.IGNORECASE)
_KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
_LINE = re.compile(
    r"^[ \t]*(?:-[ \t]+)?(?P<key>[\w.-]*image)[\"']?:[ \t]+(?P<quote>[\"']?)"
    r"(?P<image>[^\s\"'#{}$]+)(?P=quote)[ \t]*\r?(?:#.*)?$",
    re.MULTILINE | re.IGNORECASE,
)
_TAG_LIKE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_OUR_OWN_FILE = ".pilotfish.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUse:
    """One place that names an image.

    `image` is the repository as written, its registry included where one is written;
    `start` and `end` are the bytes of the scalar that holds the tag, or the whole
    reference; `line` and `column` say where that begins, from 1.
    """

    file: str
    line: int
    column: int
    kind: str
    image: str
    tag: str | None
    digest: str | None
    start: int
    end: int
    marker: FluxMarker | InlineMarker | None = None

    def as_json(self) -> dict[str, object]:
        """Return the form of the `scan` contract."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "kind": self.kind,
            "image": self.image,
            "tag": self.tag,
            "digest": self.digest,
            "policy": self.marker.text if self.marker is not None else None,
        }


def find_images(file: str, text: bytes) -> tuple[list[ImageUse], list[Problem]]:
    """Return every image that `file` names, in order, and why it could not be read if so."""
    reason = out_of_bounds(text)
    if reason:
        return [], [_unread(file, reason, 0)]
    try:
        characters = text.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        return [], [_unread(file, f"the file is not UTF-8: {error.reason}", 0)]
    name = file.rpartition("/")[2]
    if name == _OUR_OWN_FILE:
        return [], []  # it says which images are followed; none of them runs from there
    if is_dockerfile(name):
        return _in_dockerfile(file, characters, text), []
    try:
        layout = Layout(characters, parse(characters, engine="pyyaml"))
    except UnreadableError as error:
        return _by_lines(file, characters, text, kind="other"), [_by_line(file, error)]
    found = _Finder(file, layout, text).run()
    return _with_markers(file, text, found)


def _unread(file: str, reason: str, line: int) -> Problem:
    return Problem(
        severity=Severity.ERROR,
        message=f"{reason}; its images are not listed",
        file=file,
        line=line,
        hint="Make it a plain UTF-8 YAML file within the bounds",
    )


def _by_line(file: str, error: UnreadableError) -> Problem:
    return Problem(
        severity=Severity.NOTE,
        message=f"{error}; only lines that say `image:` are listed",
        file=file,
        line=error.line,
        hint="Nothing to do, if the file is a template",
    )


def _with_markers(
    file: str, text: bytes, found: list[ImageUse]
) -> tuple[list[ImageUse], list[Problem]]:
    if not any(needle in text for needle in NEEDLES):
        return found, []
    from dataclasses import replace

    search, _ = search_file(file, text)
    markers = {field.start: field.marker for field in search.fields}
    marked = [replace(use, marker=markers.get(use.start)) for use in found]
    return marked, list(search.problems)


def _in_dockerfile(file: str, characters: str, text: bytes) -> list[ImageUse]:
    offsets = Offsets(characters, text)
    uses = []
    for line, start, end in dockerfile_images(characters):
        image, tag, digest = split_image(characters[start:end])
        column = start - (characters.rfind("\n", 0, start) + 1) + 1
        uses.append(
            ImageUse(
                file=file,
                line=line,
                column=column,
                kind="dockerfile",
                image=image,
                tag=tag,
                digest=digest,
                start=offsets.byte(start),
                end=offsets.byte(end),
            )
        )
    return uses


def _by_lines(
    file: str, characters: str, text: bytes, *, kind: str, start: int = 0, end: int | None = None
) -> list[ImageUse]:
    """Return the tagged images of lines that say `image:` between two characters."""
    offsets = Offsets(characters, text)
    uses = []
    for found in _LINE.finditer(characters, start, len(characters) if end is None else end):
        if not is_image(found["image"]):
            continue
        image, tag, digest = split_image(found["image"])
        at = found.start("image") - len(found["quote"])
        line_start = characters.rfind("\n", 0, at) + 1
        uses.append(
            ImageUse(
                file=file,
                line=characters.count("\n", 0, at) + 1,
                column=at - line_start + 1,
                kind=kind,
                image=image,
                tag=tag,
                digest=digest,
                start=offsets.byte(at),
                end=offsets.byte(found.end("image") + len(found["quote"])),
            )
        )
    return uses


class _Finder:
    """Walks the documents of one file."""

    def __init__(self, file: str, layout: Layout, text: bytes) -> None:
        self.file = file
        self.name = file.rpartition("/")[2]
        self.layout = layout
        self.text = text
        self.offsets = Offsets(layout.text, text)
        self.found: list[ImageUse] = []
        self.kind = "other"

    def run(self) -> list[ImageUse]:
        for root in self.layout.tree.roots:
            if root.kind is Kind.SCALAR:
                continue
            self.kind = self._kind_of(root)
            if self.kind == "":
                continue
            if self.kind == "flux-source":
                self._flux_source(root)
            else:
                self._walk(root)
        return sorted(self.found, key=lambda use: use.start)

    def _kind_of(self, root: Node) -> str:
        """Return the kind of a document, empty for one that names nothing that runs."""
        version, kind = root.text("apiVersion"), root.text("kind")
        if version.startswith(_FLUX_GROUP) and kind in _WATCHED_ONLY:
            return ""
        if self.name in _KUSTOMIZATIONS or version.startswith("kustomize.config.k8s.io/"):
            return "kustomize"
        if kind == "OCIRepository" and root.child("spec") is not None:
            return "flux-source"
        if kind == "HelmRelease":
            return "helm-release"
        if version and kind:
            return "kubernetes"
        services = root.child("services")
        if services is not None and (_COMPOSE.match(self.name) or _is_compose(services)):
            return "compose"
        if "values" in self.name.lower() or "values" in self.file.lower().split("/")[:-1]:
            return "helm-values"
        return "other"

    def _flux_source(self, root: Node) -> None:
        spec = root.child("spec")
        reference = spec.child("ref") if spec is not None else None
        url = spec.text("url") if spec is not None else ""
        tag = reference.child("tag") if reference is not None else None
        digest = reference.text("digest") if reference is not None else ""
        if tag is None or tag.kind is not Kind.SCALAR or not url.startswith("oci://"):
            return
        if _TAG_LIKE.match(tag.value):
            self._add(tag, url.removeprefix("oci://").rstrip("/"), tag.value, digest or None)

    def _walk(self, root: Node) -> None:
        pending = [root]
        while pending:
            node = pending.pop()
            if node.kind is Kind.MAP:
                self._map(node)
                pending += [value for _, value in node.pairs]
            elif node.kind is Kind.SEQ:
                pending += node.items
            elif node.style in {"|", ">"} and "image:" in node.value:
                self._embedded(node)

    def _embedded(self, node: Node) -> None:
        self.found += _by_lines(
            self.file, self.layout.text, self.text, kind="other", start=node.start, end=node.end
        )

    def _map(self, node: Node) -> None:
        if self._is_split(node):
            self._split(node)
            return
        for key, value in node.pairs:
            if value.kind is Kind.SCALAR and self._names_image(node, key.value, value):
                image, tag, digest = split_image(value.value)
                self._add(value, image, tag, digest)

    def _is_split(self, node: Node) -> bool:
        """Return whether a map names an image in parts: kustomize's or a chart's."""
        if node.text("newTag") or node.text("newName"):
            return bool(node.text("name") or node.text("newName"))
        above = key_name(node)
        if node.text("repository"):
            beside = any(node.text(key) for key in ("tag", "digest", "pullPolicy"))
            return beside or above.endswith("image")
        named = bool(node.text("name") and node.text("tag"))
        return named and (above.endswith("image") or (self.kind == "kustomize" and above == ""))

    def _split(self, node: Node) -> None:
        tag = node.child("newTag") if node.text("newTag") else node.child("tag")
        digest = node.text("digest") or None
        name = node.child("newName") or node.child("repository") or node.child("name")
        if name is None or name.kind is not Kind.SCALAR:
            return
        holder = name
        said: str | None = None
        for one in (tag, node.child("digest")):
            if one is not None and one.kind is Kind.SCALAR and one.value not in {"", "~", "null"}:
                holder, said = one, one.value if one is tag else None
                break
        if said is not None and "@" in said:
            said, _, digest = said.partition("@")
        image = image_beside(holder) if holder is not name else name.value
        if holder is name:
            registry = node.text("registry")
            image = f"{registry}/{name.value}" if registry else name.value
        if image and is_repository(image) and (said is None or _TAG_LIKE.match(said)):
            if digest and is_bare_digest(digest):
                digest = f"sha256:{digest}"
            self._add(holder, image, said, digest if digest and is_digest(digest) else None)

    def _names_image(self, node: Node, key: str, value: Node) -> bool:
        text = value.value
        if key == "image":
            if is_image(text):
                return True
            return is_repository(text) and (self.kind in {"kubernetes", "compose"} or "/" in text)
        if key.lower().endswith("image"):
            return is_image(text)
        return key == "value" and node.text("path").endswith("/image") and is_image(text)

    def _add(self, node: Node, image: str, tag: str | None, digest: str | None) -> None:
        start = self.layout.text_start(node)
        line = self.layout.number(start)
        self.found.append(
            ImageUse(
                file=self.file,
                line=line + 1,
                column=start - self.layout.starts[line] + 1,
                kind=self.kind,
                image=image,
                tag=tag,
                digest=digest,
                start=self.offsets.byte(start),
                end=self.offsets.byte(node.end),
            )
        )


def _is_compose(services: Node) -> bool:
    return any(
        value.kind is Kind.MAP and (value.child("image") or value.child("build"))
        for _, value in services.pairs
    )
