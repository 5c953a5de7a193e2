"""What the keys around a scalar say: which part of a reference it holds, and of which one.

The key's own name decides the part where no `field=` does; the keys beside it name the
repository: `name` and `newName` for kustomize, `registry` and `repository` for Helm values.
A `digest:` key beside a tag wins when the image is pulled, so it goes with the tag (rules
of detail, 4).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.rewrite.marker import Part
from bot.rewrite.nodes import Kind

if TYPE_CHECKING:
    from bot.rewrite.nodes import Node

_DIGEST = re.compile(r"sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})\Z")
_BARE_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_REFERENCE = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?P<tag>:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?P<digest>@sha[0-9]+:[0-9a-f]+)?\Z"
)
_TAG_KEYS = frozenset({"tag", "newtag", "imagetag", "version"})
_NAME_KEYS = frozenset({"newname", "repository"})
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})


def is_digest(text: str) -> bool:
    """Return whether `text` is a digest of a known algorithm."""
    return _DIGEST.match(text) is not None


def is_bare_digest(text: str) -> bool:
    """Return whether `text` is a SHA-256 digest without the name of its algorithm."""
    return _BARE_DIGEST.match(text) is not None


def is_image(text: str) -> bool:
    """Return whether `text` reads as a reference with a tag or digest."""
    found = _REFERENCE.match(text)
    return found is not None and (found["tag"] is not None or found["digest"] is not None)


def is_repository(text: str) -> bool:
    """Return whether `text` names a repository, without tag and digest."""
    found = _REFERENCE.match(text)
    return found is not None and found["tag"] is None and found["digest"] is None


def split_image(text: str) -> tuple[str, str | None, str | None]:
    """Return repository as written, tag and digest of a reference; no part is judged."""
    name, _, digest = text.partition("@")
    colon = name.rfind(":")
    if colon > name.rfind("/"):
        return name[:colon], name[colon + 1 :], digest or None
    return name, None, digest or None


def key_name(node: Node) -> str:
    """Return the key that a value stands under, in lower case; empty for items."""
    return node.key.value.lower() if node.key is not None else ""


def looks_bound(node: Node) -> bool:
    """Return whether a scalar holds an image, tag or digest, by its key or its own text."""
    if node.kind is not Kind.SCALAR:
        return False
    key = key_name(node)
    if key in _TAG_KEYS or key == "digest" or key.endswith("image"):
        return True
    return is_digest(node.value) or (key not in _NAME_KEYS and is_image(node.value))


def part_of(node: Node, *, has_image: bool) -> Part | None:
    """Return which part of a reference a scalar holds, None when nothing tells.

    `has_image` says that the marker names the repository, so that a value on its own is a
    tag.
    """
    value, key = node.value.rstrip("\n"), key_name(node)
    if is_digest(value) or key == "digest":
        return Part.DIGEST
    if key in _TAG_KEYS:
        return Part.TAG_AT_DIGEST if "@sha" in value else Part.TAG
    if key in _NAME_KEYS:
        return Part.NAME
    if key.endswith("image") or (is_image(value) and not has_image):
        return Part.IMAGE
    if "@sha" in value and "/" not in value and ":" not in value.partition("@")[0]:
        return Part.TAG_AT_DIGEST if has_image else None
    if has_image:
        return Part.IMAGE if "/" in value or ":" in value else Part.TAG
    return Part.IMAGE if "/" in value else None


def image_beside(node: Node) -> str | None:
    """Return the repository that the keys beside a tag or digest name, None when none does."""
    around = node.parent
    if around is None or around.kind is not Kind.MAP:
        return None
    for name in ("newName", "repository", "image", "imageName"):
        if around.child(name) is not node and around.text(name):
            return _with_registry(around, split_image(around.text(name))[0])
    name = around.text("name")
    is_kustomize = around.child("newTag") is not None
    if name and (is_kustomize or key_name(around).endswith("image") or "/" in name):
        return _with_registry(around, name)
    return None


def _with_registry(around: Node, repository: str) -> str:
    registry = around.text("registry") or around.text("imageRegistry")
    if not registry or repository.startswith(registry.rstrip("/") + "/"):
        return repository
    return f"{registry.rstrip('/')}/{repository}"


def digest_beside(node: Node) -> Node | None:
    """Return the scalar under the `digest` key beside a bound tag, when it holds something."""
    around = node.parent
    if around is None or around.kind is not Kind.MAP:
        return None
    found = around.child("digest")
    if found is None or found is node or found.kind is not Kind.SCALAR:
        return None
    return None if found.value in _NOTHING else found
