"""References given by hand, applied to the markers of one file: what `set` does.

A reference is taken as given: no policy, no gate, no floor. A marker of ours that names a
policy takes part like Flux's; one with a rule of its own decides for itself and is left
alone.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import ConfigError, Problem, RefusedError, Severity
from bot.rewrite.marker import FluxMarker, InlineMarker
from bot.rewrite.siblings import is_digest, is_repository
from bot.rewrite.splice import edit_file, new_values
from bot.rewrite.tree import search_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.rewrite.fields import Field, ObjectIdentity

DEFAULT_NAMESPACE = "flux-system"
_GIVEN = re.compile(
    r"(?P<namespace>[^:=\s]+):(?P<name>[^:=\s]+)="
    r"(?P<image>[^:@\s]+(?::[0-9]+/[^:@\s]*)?):(?P<tag>[^@]+)(?:@(?P<digest>.+))?",
    re.DOTALL,
)
_PORT_AND_PATH = re.compile(r"[0-9]+/")
_FORM = "Write NAMESPACE:NAME=IMAGE:TAG, with @DIGEST behind it where there is one"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenReference:
    """What a policy's fields shall hold; `image` is written verbatim."""

    image: str
    tag: str
    digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field's old and new value; `setter` is the marker's own text."""

    file: str
    line: int
    setter: str
    old_value: str
    new_value: str
    identity: ObjectIdentity

    def as_json(self) -> dict[str, object]:
        """Return the form of the `set` contract."""
        return {
            "file": self.file,
            "line": self.line,
            "setter": self.setter,
            "oldValue": self.old_value,
            "newValue": self.new_value,
            "object": self.identity.as_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChanges:
    """What becomes of one file: `content` is the new text, None where nothing changes.

    `before` is the text it was made from.
    """

    file: str
    before: bytes
    content: bytes | None
    changes: tuple[FieldChange, ...]
    problems: tuple[Problem, ...]


def read_given(texts: Iterable[str]) -> dict[tuple[str, str], GivenReference]:
    """Return the references that `NAMESPACE:NAME=IMAGE:TAG[@DIGEST]` texts give, by policy.

    Raises:
        ConfigError: A text has another form, an image or digest is no such thing, or one
            policy is given twice.
    """
    given: dict[tuple[str, str], GivenReference] = {}
    for text in texts:
        found = _GIVEN.fullmatch(text)
        if found is None or _PORT_AND_PATH.match(found["tag"]):
            raise ConfigError(f"{text!r} gives no reference", hint=_FORM)
        key = (found["namespace"], found["name"])
        if key in given:
            raise ConfigError(f"the policy {':'.join(key)} is given twice", hint="Keep one")
        if not is_repository(found["image"]):
            raise ConfigError(
                f"{found['image']!r} is no image name",
                hint="Names are in small letters, with a registry in front where there is one",
            )
        digest = found["digest"]
        if digest is not None and not is_digest(digest):
            raise ConfigError(f"{digest!r} is no digest", hint="A digest looks like sha256:…")
        given[key] = GivenReference(image=found["image"], tag=found["tag"], digest=digest)
    return given


def set_given(
    file: str, content: bytes, given: Mapping[tuple[str, str], GivenReference]
) -> FileChanges:
    """Return `file` with every field of a given policy at its reference."""
    found, layout = search_file(file, content)
    problems = list(found.problems)
    edits: list[tuple[Field, str]] = []
    for field in found.fields:
        reference = given.get(_policy_of(field.marker))
        if reference is None:
            continue
        try:
            edits += new_values(
                field, image=reference.image, tag=reference.tag, digest=reference.digest
            )
        except RefusedError as fault:
            problems.append(_refusal(fault, file, field.line))
    if not edits:
        return _unchanged(file, content, problems)
    try:
        made = edit_file(file, content, edits, layout=layout)
    except RefusedError as fault:
        problems.append(_refusal(fault, file, edits[0][0].line))
        return _unchanged(file, content, problems)
    return FileChanges(
        file=file,
        before=content,
        content=made,
        changes=tuple(_change(field, value) for field, value in edits),
        problems=tuple(problems),
    )


def _unchanged(file: str, content: bytes, problems: list[Problem]) -> FileChanges:
    return FileChanges(
        file=file, before=content, content=None, changes=(), problems=tuple(problems)
    )


def _policy_of(marker: FluxMarker | InlineMarker) -> tuple[str, str]:
    if isinstance(marker, FluxMarker):
        return marker.namespace, marker.name
    if marker.kind != "policy":
        return "", ""
    namespace, _, name = marker.words[1].rpartition(":")
    return namespace or DEFAULT_NAMESPACE, name


def _refusal(fault: RefusedError, file: str, line: int) -> Problem:
    return Problem(
        severity=Severity.ERROR, message=fault.what, file=file, line=line, hint=fault.hint
    )


def _change(field: Field, value: str) -> FieldChange:
    return FieldChange(
        file=field.file,
        line=field.line,
        setter=field.marker.text,
        old_value=field.value,
        new_value=value,
        identity=field.identity,
    )
