"""The fields of files that no parser reads: what the line rule finds, and what it leaves.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.errors import Problem, Severity
from bot.rewrite.fields import Field, FieldSearch, Style
from bot.rewrite.line_rule import is_sops, marked_lines
from bot.rewrite.marker import AlmostMarker, FluxMarker, Part
from bot.rewrite.nodes import Kind, Node
from bot.rewrite.offsets import Offsets
from bot.rewrite.siblings import part_of, split_image

if TYPE_CHECKING:
    from bot.rewrite.line_rule import MarkedLine

_TEMPLATE_HINT = "Write `# pilotfish: …` behind a value on the same line, or make the file YAML"


def fields_by_line(
    file: str, text: str, content: bytes, reason: str, reason_line: int
) -> FieldSearch:
    """Return what the line rule finds in `text`, which no parser reads for `reason`."""
    offsets = Offsets(text, content)
    fields: list[Field] = []
    problems: list[Problem] = []
    flux = 0
    for marked in marked_lines(text):
        if isinstance(marked.marker, FluxMarker):
            flux += 1
            continue
        found = _field(file, marked, offsets)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            fields.append(found)
    if is_sops(text):
        fields, problems = [], []
    if flux or not fields:
        problems.insert(0, _left_alone(file, reason, reason_line))
    else:
        problems.insert(0, _by_line(file, reason, reason_line))
    return FieldSearch(tuple(fields), tuple(problems))


def _left_alone(file: str, reason: str, line: int) -> Problem:
    return Problem(
        severity=Severity.ERROR,
        message=f"{reason}; its Flux markers are left alone",
        file=file,
        line=line,
        hint=_TEMPLATE_HINT,
    )


def _by_line(file: str, reason: str, line: int) -> Problem:
    return Problem(
        severity=Severity.NOTE,
        message=f"{reason}; its markers were found line by line",
        file=file,
        line=line,
        hint="Nothing to do, if the file is a template",
    )


def _field(file: str, marked: MarkedLine, offsets: Offsets) -> Field | Problem:
    marker = marked.marker
    if isinstance(marker, AlmostMarker):
        severity = Severity.ERROR if marker.faulty else Severity.WARNING
        return _problem(file, marked, marker.reason, marker.hint, severity)
    assert not isinstance(marker, FluxMarker)  # noqa: S101  # the caller counted those
    if marked.start < 0 or "{{" in marked.value or not marked.value:
        return _problem(
            file,
            marked,
            "the file is not YAML, and no plain value stands before this marker",
            "Put value and marker on one line, without a template in the value",
            Severity.ERROR,
        )
    node = Node(Kind.SCALAR, 0, 0, value=marked.value)
    node.key = Node(Kind.SCALAR, 0, 0, value=marked.key) if marked.key else None
    part = marker.part or part_of(node, has_image=marker.image is not None)
    if part is None:
        return _problem(
            file,
            marked,
            f"nothing says which part of an image {marked.value!r} is",
            "Add field=tag (or name, digest, image) and image=REPOSITORY to the marker",
            Severity.ERROR,
        )
    whole = part in {Part.IMAGE, Part.NAME} and marker.image is None
    return Field(
        file=file,
        line=marked.line,
        column=marked.column,
        start=offsets.byte(marked.start),
        end=offsets.byte(marked.end),
        value=marked.value,
        style=Style.LINE,
        part=part,
        marker=marker,
        image=split_image(marked.value)[0] if whole else marker.image,
    )


def _problem(file: str, marked: MarkedLine, message: str, hint: str, severity: Severity) -> Problem:
    return Problem(
        severity=severity,
        message=message,
        file=file,
        line=marked.line,
        column=marked.column,
        hint=hint,
    )
