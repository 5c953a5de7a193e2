"""Files in, marked fields and problems out: the search of rewriting.

One file's trouble never stops another's. What Flux passes over in silence is said: a
comment that nearly is a marker, a marker where none counts, a file that no parser reads.
Files with a SOPS block are left alone whole, because one changed byte breaks them (rules
of detail, 5; corpus, 11).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.errors import Problem, Severity
from bot.rewrite.comments import Layout, find_comments, flux_target, inline_target
from bot.rewrite.fields import Field, FieldSearch, ObjectIdentity, Style
from bot.rewrite.marker import AlmostMarker, FluxMarker, InlineMarker, NotAMarker, Part, read_marker
from bot.rewrite.nodes import Kind, Node, UnreadableError, parse
from bot.rewrite.offsets import Offsets
from bot.rewrite.siblings import digest_beside, image_beside, part_of, split_image
from bot.rewrite.unparsable import fields_by_line
from bot.yaml_bounds import out_of_bounds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.rewrite.comments import Comment

NEEDLES: tuple[bytes, ...] = (b'"$imagepolicy"', b"pilotfish:")
_SOPS_KEYS = frozenset({"mac", "lastmodified", "encrypted_regex", "age", "pgp", "kms"})
_FOREIGN_PATH = frozenset({"config.kubernetes.io/path", "internal.config.kubernetes.io/path"})


def find_fields(files: Iterable[tuple[str, bytes]]) -> FieldSearch:
    """Return the marked fields of `files` (path and content), and what was left alone."""
    fields: list[Field] = []
    problems: list[Problem] = []
    for file, content in files:
        found, _ = search_file(file, content)
        fields += found.fields
        problems += found.problems
    return FieldSearch(tuple(fields), tuple(problems))


def search_file(file: str, content: bytes) -> tuple[FieldSearch, Layout | None]:
    """Return the marked fields of one file, and its layout where a parser reads it."""
    reason = out_of_bounds(content)
    if reason:
        return _unread(file, reason, 0), None
    try:
        text = content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        return _unread(file, f"the file is not UTF-8: {error.reason}", 0), None
    try:
        layout = Layout(text, parse(text))
    except UnreadableError as error:
        return fields_by_line(file, text, content, str(error), error.line), None
    return _FileSearch(file, layout, content).run(), layout


def _unread(file: str, reason: str, line: int) -> FieldSearch:
    problem = Problem(
        severity=Severity.ERROR,
        message=f"{reason}; its markers are left alone",
        file=file,
        line=line,
        hint="Make it a plain UTF-8 YAML file within the bounds, or remove the markers",
    )
    return FieldSearch((), (problem,))


class _FileSearch:
    def __init__(self, file: str, layout: Layout, content: bytes) -> None:
        self.file = file
        self.layout = layout
        self.offsets = Offsets(layout.text, content)
        self.problems: list[Problem] = []

    def run(self) -> FieldSearch:
        if any(_is_sops(root) for root in self.layout.tree.roots):
            return self._sealed()
        bound: list[tuple[Node, FluxMarker | InlineMarker, Comment]] = []
        for comment in find_comments(self.layout):
            found = self._read(comment)
            if found is not None:
                bound.append(found)
        fields = [self._field(*found) for found in self._single(bound)]
        self._warn_of_paths()
        marked = {field.start for field in fields if field is not None}
        made = [_without_marked_companion(field, marked) for field in fields if field is not None]
        return FieldSearch(tuple(sorted(made, key=lambda field: field.start)), tuple(self.problems))

    def _sealed(self) -> FieldSearch:
        for comment in find_comments(self.layout):
            if isinstance(read_marker(comment.text), FluxMarker | InlineMarker):
                self._tell(
                    comment,
                    "the file is sealed by SOPS; its markers are left alone",
                    "One changed byte breaks its checksum: move the image out of this file",
                    severity=Severity.WARNING,
                )
                break
        return FieldSearch((), tuple(self.problems))

    def _read(self, comment: Comment) -> tuple[Node, FluxMarker | InlineMarker, Comment] | None:
        marker = read_marker(comment.text)
        if isinstance(marker, NotAMarker):
            return None
        if isinstance(marker, AlmostMarker):
            severity = Severity.ERROR if marker.faulty else Severity.WARNING
            self._tell(comment, marker.reason, marker.hint, severity=severity)
            return None
        if isinstance(marker, FluxMarker):
            target = flux_target(self.layout, comment)
            if isinstance(target, str):
                self._tell(
                    comment,
                    f"the marker sets nothing: {target}",
                    "Put it at the end of the line of the value",
                    severity=Severity.WARNING,
                )
        else:
            target = inline_target(self.layout, comment)
            if isinstance(target, str):
                self._tell(
                    comment, f"the marker binds nothing: {target}", "Put it behind one value"
                )
        return None if isinstance(target, str) else (target, marker, comment)

    def _single(
        self, bound: list[tuple[Node, FluxMarker | InlineMarker, Comment]]
    ) -> list[tuple[Node, FluxMarker | InlineMarker, Comment]]:
        """Drop what is bound twice, and what stands under a key's second appearance."""
        times = Counter(id(node) for node, _, _ in bound)
        kept = []
        for node, marker, comment in bound:
            if times[id(node)] > 1:
                self._tell(
                    comment,
                    f"the value of line {self._line(node)} has more than one marker",
                    "Keep one of them",
                )
            elif _is_repeated(node):
                self._tell(
                    comment,
                    "its key stands twice in one map; only the first is set",
                    "Remove one of the two",
                    severity=Severity.WARNING,
                )
            else:
                kept.append((node, marker, comment))
        return kept

    def _field(
        self, node: Node, marker: FluxMarker | InlineMarker, comment: Comment
    ) -> Field | None:
        if isinstance(marker, FluxMarker):
            part: Part | None = marker.part
            named = None
        else:
            named = marker.image
            part = marker.part or part_of(node, has_image=named is not None)
        if part is None:
            self._tell(
                comment,
                f"nothing says which part of an image {node.value!r} is",
                "Add field=tag (or name, digest, image) and image=REPOSITORY to the marker",
            )
            return None
        made = self._at(node, marker, part)
        if part in {Part.IMAGE, Part.NAME} and named is None:
            return replace(made, image=split_image(node.value.rstrip("\n"))[0] or None)
        made = replace(made, image=named or image_beside(node))
        if part is not Part.TAG:
            return made
        beside = digest_beside(node)
        if beside is None:
            return made
        return replace(
            made,
            companion=replace(self._at(beside, marker, Part.DIGEST), image=made.image),
        )

    def _at(self, node: Node, marker: FluxMarker | InlineMarker, part: Part) -> Field:
        start = self.layout.text_start(node)
        line = self.layout.number(start)
        return Field(
            file=self.file,
            line=line + 1,
            column=start - self.layout.starts[line] + 1,
            start=self.offsets.byte(start),
            end=self.offsets.byte(node.end),
            value=node.value,
            style=Style(node.style),
            part=part,
            marker=marker,
            identity=identity_of(self.layout.tree.roots[node.document]),
        )

    def _line(self, node: Node) -> int:
        return self.layout.number(self.layout.text_start(node)) + 1

    def _warn_of_paths(self) -> None:
        for root in self.layout.tree.roots:
            metadata = root.child("metadata")
            notes = metadata.child("annotations") if metadata is not None else None
            for key in _FOREIGN_PATH if notes is not None else ():
                node = notes.child(key) if notes is not None else None
                if node is not None and node.value != self.file:
                    self.problems.append(self._foreign_path(key, node))

    def _foreign_path(self, key: str, node: Node) -> Problem:
        return Problem(
            severity=Severity.WARNING,
            message=f"the annotation {key} names another file; Flux's whole run would stop here",
            file=self.file,
            line=self._line(node),
            hint="Remove the annotation; nothing reads it from Git",
        )

    def _tell(
        self, comment: Comment, message: str, hint: str, *, severity: Severity = Severity.ERROR
    ) -> None:
        self.problems.append(
            Problem(
                severity=severity,
                message=message,
                file=self.file,
                line=comment.line + 1,
                column=comment.column,
                hint=hint,
            )
        )


def _without_marked_companion(field: Field, marked: set[int]) -> Field:
    """Drop a companion that has a marker of its own: that one decides."""
    if field.companion is None or field.companion.start not in marked:
        return field
    return replace(field, companion=None)


def _is_repeated(node: Node) -> bool:
    while node.parent is not None:
        if node.key is not None and node.parent.child(node.key.value) is not node:
            return True
        node = node.parent
    return False


def identity_of(root: Node) -> ObjectIdentity:
    """Return which object a document is, as it stands before any edit."""
    metadata = root.child("metadata")
    inner = metadata if metadata is not None and metadata.kind is Kind.MAP else None
    return ObjectIdentity(
        api_version=root.text("apiVersion"),
        kind=root.text("kind"),
        namespace=inner.text("namespace") if inner is not None else "",
        name=inner.text("name") if inner is not None else "",
    )


def _is_sops(root: Node) -> bool:
    block = root.child("sops")
    return block is not None and any(key.value in _SOPS_KEYS for key, _ in block.pairs)
