"""New values into old bytes: nothing but the chosen scalars changes.

Quotes, block headers, anchors and tags stay; quotes are added where the new value would
read as anything but that text. The result is parsed again by the same parser and compared
event by event: where anything but the chosen scalars differs, the file is refused whole
(rule I1 and I2 of the threat model). Applying the same values again changes nothing.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.errors import RefusedError
from bot.rewrite.comments import Layout
from bot.rewrite.fields import Style
from bot.rewrite.line_rule import marked_lines, unquoted
from bot.rewrite.marker import FluxMarker, Part
from bot.rewrite.nodes import UnreadableError, parse, signature_of
from bot.rewrite.offsets import Offsets
from bot.rewrite.siblings import is_bare_digest, split_image
from bot.rewrite.spelling import double_quoted, may_be_plain, single_quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.rewrite.fields import Field
    from bot.rewrite.nodes import Node, Tree

_CORE_TAG = "tag:yaml.org,2002:"


class RefusedEditError(RefusedError):
    """An edit that would change more, or other things, than asked for."""


def new_value(field: Field, *, image: str, tag: str, digest: str | None) -> str:
    """Return what `field` holds once `image:tag` is written, with `digest` when there is one.

    A marker of ours never changes the repository; a Flux marker writes `image` as given.

    Raises:
        RefusedEditError: A digest stands here under a marker of ours and none is given.
    """
    ours = not isinstance(field.marker, FluxMarker)
    part = field.part
    old = field.value.strip("\n")
    if ours and digest is None and field.holds_digest and part is not Part.NAME:
        raise RefusedEditError(
            "a digest stands here, and none is known for the new tag",
            where=field.where,
            hint="Set `digest: if-not-present` in the policy, or remove the digest",
        )
    suffix = f"@{digest}" if digest is not None else ""
    match part:
        case Part.NAME:
            return old if ours else image
        case Part.DIGEST:
            return _as_written(digest or "", old) if ours else digest or ""
        case Part.TAG_AT_DIGEST:
            return tag + suffix
        case Part.TAG:
            return tag + suffix if "@sha" in old else tag
        case _:
            name = split_image(old)[0] if ours else image
            return f"{name}:{tag}{suffix}"


def new_values(
    field: Field, *, image: str, tag: str, digest: str | None
) -> list[tuple[Field, str]]:
    """Return what to write into `field` and the digest beside it, what is current left out.

    Raises:
        RefusedEditError: As `new_value`; also where a digest stands beside the tag and none
            is given, because the digest would win when the image is pulled.
    """
    pairs = [(field, new_value(field, image=image, tag=tag, digest=digest))]
    if field.companion is not None:
        if digest is None:
            raise RefusedEditError(
                f"the digest beside it, in line {field.companion.line}, would win over the new tag",
                where=field.where,
                hint="Give the digest with the tag, or remove the digest key",
            )
        pairs.append((field.companion, _as_written(digest, field.companion.value)))
    return [(one, value) for one, value in pairs if not is_current(one, value)]


def _as_written(digest: str, old: str) -> str:
    """Return `digest` without its algorithm where the old one had none, as charts may want."""
    return digest.removeprefix("sha256:") if is_bare_digest(old) else digest


def is_current(field: Field, value: str) -> bool:
    """Return whether `field` holds `value` already; a block's last line ends do not count."""
    if field.style in {Style.LITERAL, Style.FOLDED}:
        return field.value.strip("\n") == value
    return field.value == value


def edit_file(
    file: str, text: bytes, edits: Sequence[tuple[Field, str]], *, layout: Layout | None = None
) -> bytes:
    """Return `text` with the new value in every field of `edits`; `file` is for messages.

    `layout` saves parsing when the caller has just parsed these very bytes.

    Raises:
        RefusedEditError: The text is not the one the fields were found in, a value cannot
            be written in its place, or more than the chosen scalars would differ.
    """
    changes = sorted(
        ((field, value) for field, value in edits if not is_current(field, value)),
        key=lambda change: change[0].start,
    )
    if not changes:
        return text
    if changes[0][0].style is Style.LINE:
        return _edit_lines(file, text, changes)
    return _edit_tree(file, text, layout or _laid_out(file, text), changes)


def _decoded(file: str, text: bytes) -> str:
    try:
        return text.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _changed_meanwhile(file) from error


def _changed_meanwhile(where: str) -> RefusedEditError:
    return RefusedEditError(
        "the file is not the one its fields were found in", where=where, hint="Run again"
    )


def _laid_out(file: str, text: bytes) -> Layout:
    characters = _decoded(file, text)
    try:
        return Layout(characters, parse(characters))
    except UnreadableError as error:
        raise _changed_meanwhile(file) from error


def _edit_tree(file: str, text: bytes, layout: Layout, changes: list[tuple[Field, str]]) -> bytes:
    tree = layout.tree
    offsets = Offsets(layout.text, text)
    by_start = {
        offsets.byte(layout.text_start(node)): index
        for index, node in _near(tree, layout, offsets, changes)
    }
    wanted = list(tree.signature)
    pieces: list[bytes] = []
    done = 0
    for field, value in changes:
        index = by_start.get(field.start)
        node = tree.scalars[index] if index is not None else None
        if index is None or node is None or node.value != field.value or field.start < done:
            raise _changed_meanwhile(field.where)
        start, end, written, meant = _spelled(layout, field, node, value)
        pieces += [text[done : offsets.byte(start)], written.encode()]
        done = offsets.byte(end)
        wanted[tree.places[index]] = ("ScalarEvent", meant, node.anchor, node.tag)
    pieces.append(text[done:])
    made = b"".join(pieces)
    _verify(file, made, wanted, tree.engine, changes)
    return made


def _near(
    tree: Tree, layout: Layout, offsets: Offsets, changes: list[tuple[Field, str]]
) -> list[tuple[int, Node]]:
    """Return the scalars in whose span an edit begins, with their places among all."""
    found = []
    starts = [offsets.character(field.start) for field, _ in changes]
    at = 0
    for index, node in enumerate(tree.scalars):
        while at < len(starts) and starts[at] < node.start:
            at += 1
        if at < len(starts) and node.start <= starts[at] <= node.end and not node.is_key:
            found.append((index, node))
    return found


def _spelled(layout: Layout, field: Field, node: Node, value: str) -> tuple[int, int, str, str]:
    """Return span, new text and the meaning it must have when it is read again."""
    if node.tag is not None and node.tag.startswith(_CORE_TAG) and node.tag != _CORE_TAG + "str":
        raise RefusedEditError(
            f"the value carries the type {node.tag.removeprefix(_CORE_TAG)}, "
            "which the new one is not",
            where=field.where,
            hint="Remove the type tag before the value",
        )
    start = layout.text_start(node)
    if node.style in {"|", ">"}:
        return _spelled_block(layout, field, node, value)
    if node.style == "'":
        return start, node.end, single_quoted(value), value
    if node.style == '"':
        return start, node.end, double_quoted(value), value
    in_flow = node.parent is not None and node.parent.flow
    plain = may_be_plain(value, flow=in_flow)
    return start, node.end, value if plain else double_quoted(value), value


def _spelled_block(
    layout: Layout, field: Field, node: Node, value: str
) -> tuple[int, int, str, str]:
    """Return the span of a block's content lines; header, indent and line ends stay."""
    first = layout.number(layout.text_start(node)) + 1
    last = layout.number(node.end - 1) if node.end > node.start else first
    while first <= last and not layout.line(first).strip():
        first += 1
    while last >= first and not layout.line(last).strip():
        last -= 1
    if first > last or not value or value != value.strip() or not value.isprintable():
        raise RefusedEditError(
            "this block scalar cannot take the new value",
            where=field.where,
            hint="Write the value on the line of its key, in quotes",
        )
    line = layout.line(first)
    said = node.value.lstrip("\n")
    indent = len(line) - len(line.lstrip(" ")) - (len(said) - len(said.lstrip(" ")))
    start = layout.starts[first] + indent
    end = layout.starts[last] + len(layout.line(last))
    stripped = node.value.rstrip("\n")
    leading = len(node.value) - len(node.value.lstrip("\n"))
    return start, end, value, "\n" * leading + value + node.value[len(stripped) :]


def _verify(
    file: str,
    made: bytes,
    wanted: list[tuple[object, ...]],
    engine: str,
    changes: list[tuple[Field, str]],
) -> None:
    """Refuse `made` unless it means exactly what was wanted."""
    try:
        found = signature_of(_decoded(file, made), engine=engine)
    except UnreadableError as error:
        raise _too_much(file, changes, str(error)) from error
    if len(found) == len(wanted):
        for one, other in zip(found, wanted, strict=True):
            if one != other and one[:4] != other:
                break
        else:
            return
    raise _too_much(file, changes, "other values would change with it")


def _too_much(file: str, changes: list[tuple[Field, str]], reason: str) -> RefusedEditError:
    field, value = changes[0]
    return RefusedEditError(
        f"writing {value!r} would damage the file: {reason}",
        where=f"{file}:{field.line}",
        hint="The file was left as it is; report it with the file, and edit it by hand",
    )


def _edit_lines(file: str, text: bytes, changes: list[tuple[Field, str]]) -> bytes:
    """Edit a file that no parser reads, by the line rule alone."""
    before = [(line.line, line.value) for line in marked_lines(_decoded(file, text))]
    wanted = dict(before)
    pieces: list[bytes] = []
    done = 0
    for field, value in changes:
        old = text[field.start : field.end].decode(errors="replace")
        if field.start < done or unquoted(old) != field.value:
            raise _changed_meanwhile(field.where)
        pieces += [text[done : field.start], _spelled_line(old, value).encode()]
        done = field.end
        wanted[field.line] = value
    pieces.append(text[done:])
    made = b"".join(pieces)
    after = [(line.line, line.value) for line in marked_lines(_decoded(file, made))]
    if len(after) != len(before) or dict(after) != wanted:
        raise _too_much(file, changes, "the lines would not read back")
    return made


def _spelled_line(old: str, value: str) -> str:
    if old[:1] == '"':
        return double_quoted(value)
    if old[:1] == "'":
        return single_quoted(value)
    return value if may_be_plain(value, flow=True) else double_quoted(value)
