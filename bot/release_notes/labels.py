"""What an image says of its own source, and what it only inherited from its base image.

A build copies the labels of its base, so that an image often carries the source of Debian or of
nginx; their release notes would be told as its own (`peers.md` 2, demand 28). Annotations are
never inherited. A label is taken for inherited

1. when the base image that the image names carries the same value, unless a source is named
   like the image, as in a repository that holds base and image both;
2. where no base is known: when the source is not named like the image, is the same in the old
   image, and either its name is that of a base image, or what comes with it cannot be the
   image's own: a version label other than the tag, or one revision for two tags.

`sure` is false where neither name, base nor version label speaks for the source; then only
releases that are named like both tags count.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bot.release_notes.tag_versions import read_tag

SOURCES = (
    "org.opencontainers.image.source",
    "org.label-schema.vcs-url",
    "org.opencontainers.image.url",  # often a home page; counts where it is a repository
)
_REVISIONS = ("org.opencontainers.image.revision", "org.label-schema.vcs-ref")
_VERSIONS = ("org.opencontainers.image.version", "org.label-schema.version")
_BASE_NAME = "org.opencontainers.image.base.name"
_BASE_DIGEST = "org.opencontainers.image.base.digest"

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_AROUND_A_NAME = re.compile(r"^(?:docker|container|oci)-|-(?:docker|container|images?|oci)$")
_OF_A_BASE = re.compile(r"(?:^|-)base(?:-?image)?(?:-|$)|baseimage")

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an image says of itself: its labels, and the annotations of index and manifest."""

    annotations: Mapping[str, str] = field(default_factory=lambda: _NONE)
    labels: Mapping[str, str] = field(default_factory=lambda: _NONE)

    def first(self, names: tuple[str, ...]) -> str:
        """Return the first of `names` that is said, annotations before labels."""
        for name in names:
            for texts in (self.annotations, self.labels):
                if text := texts.get(name, "").strip():
                    return text
        return ""

    @property
    def base(self) -> tuple[str, str]:
        """Return name and digest of the base image, each empty where it is not said."""
        return self.first((_BASE_NAME,)), self.first((_BASE_DIGEST,))

    @property
    def revision(self) -> str:
        """Return the commit it was built from, empty where none is said that looks like one."""
        text = self.first(_REVISIONS).lower()
        return text if _COMMIT.fullmatch(text) else ""

    @property
    def version(self) -> str:
        """Return the version that it says it is."""
        return self.first(_VERSIONS)

    def without(self, names: frozenset[str]) -> Said:
        """Return the same without some labels."""
        kept = {name: text for name, text in self.labels.items() if name not in names}
        return Said(annotations=self.annotations, labels=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image whose labels are judged: its path in the registry, its tag, what it says."""

    path: str
    tag: str
    said: Said


def is_named_like(source: str, path: str) -> bool:
    """Return whether a source repository's path (`owner/name`) fits an image's path.

    Its name is one of the path's parts, words around it such as `docker-` apart; or owner and
    owner are the same and one name begins the other, as `api` and `api-server`.
    """
    parts = [_plain(one) for one in path.split("/") if one != "library"]
    owner, _, name = source.rpartition("/")
    name, last = _plain(name), parts[-1]
    if name in parts:
        return True
    begins = name.startswith(f"{last}-") or last.startswith(f"{name}-")
    return begins and _plain(owner.partition("/")[0]) in parts[:-1]


def inherited_from(base: Said, new: Said, *, keep: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return the labels that are only the base's, by rule 1; `keep` are never among them."""
    names = (*SOURCES, *_REVISIONS, *_VERSIONS)
    same = {one for one in names if one in new.labels and new.labels[one] == base.labels.get(one)}
    return frozenset(same - keep)


def looks_inherited(source: str, new: Image, old: Image | None) -> bool:
    """Return whether the source in a label is only the base's, by rule 2."""
    if is_named_like(source, new.path):
        return False
    if old is not None and old.said.labels and _source(old.said) != _source(new.said):
        return False
    is_a_base = _OF_A_BASE.search(_plain(source.rpartition("/")[2])) is not None
    if is_a_base and not _OF_A_BASE.search(_plain(new.path.rpartition("/")[2])):
        return True
    return contradicts_tag(new) or _one_revision_for_two_tags(new, old)


def contradicts_tag(image: Image) -> bool:
    """Return whether the version label is another version than the tag is."""
    tag, said = read_tag(image.tag), read_tag(image.said.version)
    return tag is not None and said is not None and not (said.extends(tag) or tag.extends(said))


def confirms_tag(image: Image) -> bool:
    """Return whether the version label says what the tag says."""
    tag, said = read_tag(image.tag), read_tag(image.said.version)
    if tag is None or said is None:
        return bool(image.tag) and image.tag == image.said.version
    return said.extends(tag)


def _one_revision_for_two_tags(new: Image, old: Image | None) -> bool:
    if old is None or old.tag == new.tag:
        return False
    return bool(new.said.revision) and new.said.revision == old.said.revision


def _source(said: Said) -> str:
    return next((said.labels[one].strip() for one in SOURCES if said.labels.get(one)), "")


def _plain(name: str) -> str:
    """Return a name without the words that say only that it is an image."""
    return _AROUND_A_NAME.sub("", re.sub(r"[._]+", "-", name.lower()))
