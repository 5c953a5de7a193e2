"""Which repository an image was made from, how sure that is, and from what to what it went.

What a person wrote under `sources` is stronger than annotations, those than labels; labels that
are only the base image's do not count (`bot.release_notes.labels`).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.release_notes.labels import (
    SOURCES,
    Image,
    Said,
    confirms_tag,
    inherited_from,
    is_named_like,
    looks_inherited,
)
from bot.release_notes.places import Place, Server, find_place, fit_to_link
from bot.release_notes.tag_versions import WHOLE, read_tag

_MENDING = "`sources` in `.pilotfish.yaml` can name its source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where an image comes from.

    `place` is a repository that can be asked, `link` an address for people, empty where there
    is none. `revisions` are old and new commit, both empty where they are not known to be of
    this place. `why` says in a line why there is no place.
    """

    place: Place | None = None
    link: str = ""
    sure: bool = False
    revisions: tuple[str, str] = ("", "")
    why: str = ""


def find_source(
    new: Image, old: Image | None, *, mapped: str, base: Said | None, servers: Iterable[Server]
) -> Source:
    """Return the source of `new`.

    `mapped` is what a person wrote, empty where nobody did; `base` what the base image says
    of itself, where it could be asked.
    """
    servers = tuple(servers)
    if mapped:
        place = find_place(mapped, servers)
        return _source(place, mapped, new, old, servers, sure=True)
    said, dropped = _without_inherited(new, base, servers)
    image = Image(path=new.path, tag=new.tag, said=said)
    guess = ""
    for text, is_label in _addresses(said):
        place = find_place(text, servers)
        link = place.web if place else fit_to_link(text)
        if not link:
            continue
        path = place.path if place else urlsplit(link).path.strip("/")
        if is_label and base is None and looks_inherited(path, image, old):
            guess = guess or link
            continue
        sure = not is_label or base is not None or is_named_like(path, new.path)
        return _source(place, link, image, old, servers, sure=sure or confirms_tag(image))
    if dropped:
        return Source(
            why=f"the labels that name its source are those of its base image; {_MENDING}"
        )
    if guess:
        return Source(why=f"its source label, {guess}, looks like that of a base image; {_MENDING}")
    return Source(why=f"it has no label {SOURCES[0]}; {_MENDING}")


def versions(new: Image, old: Image | None, old_tag: str) -> tuple[str, str]:
    """Return what the update goes from and to: the tags, or version labels that say more."""
    return _version(old_tag, old.said if old else Said()), _version(new.tag, new.said)


def _version(tag: str, said: Said) -> str:
    """Return the version label where the tag holds no version, or one that moves."""
    mine, label = read_tag(tag), read_tag(said.version)
    if label is None:
        return tag
    moves = mine is not None and len(mine.numbers) < WHOLE and label.extends(mine)
    return said.version if mine is None or moves else tag


def _without_inherited(
    new: Image, base: Said | None, servers: tuple[Server, ...]
) -> tuple[Said, bool]:
    """Return what is left of `new` without its base's labels, and whether a source went."""
    if base is None:
        return new.said, False
    own = {
        name
        for name in SOURCES
        if (place := find_place(new.said.labels.get(name, ""), servers))
        and is_named_like(place.path, new.path)
    }
    dropped = inherited_from(base, new.said, keep=frozenset(own))
    return new.said.without(dropped), bool(dropped & set(SOURCES))


def _addresses(said: Said) -> Iterator[tuple[str, bool]]:
    """Yield what may name the source, the strongest first, and whether a label says it."""
    for name in SOURCES:
        for texts, is_label in ((said.annotations, False), (said.labels, True)):
            if text := texts.get(name, "").strip():
                yield text, is_label


def _source(
    place: Place | None,
    address: str,
    new: Image,
    old: Image | None,
    servers: tuple[Server, ...],
    *,
    sure: bool,
) -> Source:
    if place is None:
        link = fit_to_link(address)
        host = urlsplit(link).hostname or "its host"
        return Source(
            link=link,
            why=f"{host} is none of the forges that are asked for releases",
        )
    revisions = ("", "")
    if old and all(_is_from(place, one.said, servers) for one in (old, new)):
        revisions = (old.said.revision, new.said.revision)
    known = revisions if all(revisions) else ("", "")
    return Source(place=place, link=place.web, sure=sure, revisions=known)


def _is_from(place: Place, said: Said, servers: tuple[Server, ...]) -> bool:
    """Return whether the revision in `said` can be one of `place`: nothing there says otherwise."""
    found = [one for text, _ in _addresses(said) if (one := find_place(text, servers))]
    return not found or found[0].web.lower() == place.web.lower()
