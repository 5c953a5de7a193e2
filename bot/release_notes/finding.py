"""Finds the release notes of one update, and never stops it: what fails becomes a line of text.

The exact old and new image are asked what they say of their source; its forge is asked for
releases; what lies between the two is told (`peers.md` 2, demand 28, and 3.2, point 6). Where
the images name commits of that source, these are compared, else the tags of two releases.

Everything found is foreign text, passed on as it is and bounded in size.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from bot.errors import ProductError
from bot.forges.forge import Links
from bot.planning.release_notes import NotesOf, ReleaseNote
from bot.release_notes.forge_releases import MAX_PAGES, ForgeReleases, OwnForge
from bot.release_notes.labels import Image, Said
from bot.release_notes.releases import Passed, Release, passed
from bot.release_notes.source import Source, find_source, versions
from bot.telemetry import shown
from policies.reference import InvalidReference, Repository, parse_reference, parse_repository

if TYPE_CHECKING:
    from bot.http_client.client import HttpClient
    from bot.release_notes.places import Place

log = logging.getLogger(__name__)

# Registries where an image may say that its base lies; no label sends us anywhere else.
_BASES_AT = frozenset(
    {
        "cgr.dev",
        "gcr.io",
        "ghcr.io",
        "index.docker.io",
        "mcr.microsoft.com",
        "public.ecr.aws",
        "quay.io",
        "registry.access.redhat.com",
        "registry.gitlab.com",
        "registry.k8s.io",
    }
)


class Describer(Protocol):
    """Whoever can say what an image says of itself: `bot.registry.scan.Scanner`."""

    async def described(
        self, image: str, reference: str
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return annotations and labels of what a tag or digest names."""


class ReleaseNotes:
    """Release notes for the length of one run: each source is asked once."""

    def __init__(
        self,
        http: HttpClient,
        registries: Describer,
        *,
        sources: Mapping[str, str] | None = None,
        forge: OwnForge | None = None,
        patience_s: float = 10.0,
    ) -> None:
        """Take the doors; `sources` is the configuration's, `forge` where proposals go.

        `patience_s` bounds one question to a forge, and twice it all those about the images.
        """
        self._registries = registries
        self._sources = sources or {}
        self._forges = ForgeReleases(http, own=forge, patience_s=patience_s)
        self._patience_s = 2 * patience_s

    async def find(
        self, *, image: str, old_tag: str, old_digest: str, new_tag: str, new_digest: str
    ) -> NotesOf:
        """Return what is known of this update; tags and digests are empty where unknown."""
        try:
            repository = parse_repository(image)
        except InvalidReference:
            return _nothing(image, "its name cannot be read")
        new, old, base, fault = await self._ask_images(
            image, repository, (old_tag, old_digest), (new_tag, new_digest)
        )
        mapped = self._sources.get(repository.canonical, "")
        source = find_source(new, old, mapped=mapped, base=base, servers=self._forges.servers)
        if source.place is None:
            return _nothing(image, fault if fault and not mapped else source.why, source.link)
        return await self._read(
            image, source, source.place, versions(new, old, old_tag), repository
        )

    async def _ask_images(
        self, image: str, repository: Repository, old: tuple[str, str], new: tuple[str, str]
    ) -> tuple[Image, Image | None, Said | None, str]:
        """Return new and old image and the base's words, and why the new one said nothing."""
        fresh = Image(path=repository.path, tag=new[0], said=Said())
        try:
            async with asyncio.timeout(self._patience_s):
                said = await self._described(image, new[1] or new[0])
                fresh = Image(path=repository.path, tag=new[0], said=said)
                former = await self._described_or_none(image, old[1] or old[0])
                base = await self._base(repository, said)
        except TimeoutError:
            return fresh, None, None, "its labels could not be read in time"
        except ProductError as error:
            return fresh, None, None, f"its labels could not be read: {shown(error.what)}"
        was = None if former is None else Image(path=repository.path, tag=old[0], said=former)
        return fresh, was, base, ""

    async def _described(self, image: str, reference: str) -> Said:
        annotations, labels = await self._registries.described(image, reference)
        return Said(annotations=annotations, labels=labels)

    async def _described_or_none(self, image: str, reference: str) -> Said | None:
        if not reference:
            return None
        try:
            return await self._described(image, reference)
        except ProductError as error:
            log.debug("no labels", extra={"image": f"{image} {reference}", "fault": str(error)})
            return None

    async def _base(self, repository: Repository, said: Said) -> Said | None:
        """Return what the base image says of itself, where one is named that may be asked."""
        name, digest = said.base
        try:
            base = parse_reference(name)
        except InvalidReference:
            return None
        if base.repository.registry not in _BASES_AT | {repository.registry}:
            return None
        is_sound = digest.startswith(("sha256:", "sha512:"))
        reference = (digest if is_sound else "") or base.digest or base.tag or ""
        return await self._described_or_none(base.repository.canonical, reference)

    async def _read(
        self,
        image: str,
        source: Source,
        place: Place,
        span: tuple[str, str],
        repository: Repository,
    ) -> NotesOf:
        old, new = span
        seen: tuple[Release, ...] = ()
        found, fault = Passed(), ""
        for number in range(1, MAX_PAGES + 1):
            try:
                page = await self._forges.page(place, number)
            except ProductError as error:
                fault = fault or shown(error.what)
                break
            seen += page.releases
            found = passed(seen, old=old, new=new, names=_names(repository))
            if found.old_tag or not page.more:
                break
        if not source.sure and not (found.old_tag and found.new_tag):
            found = Passed()
        notes = tuple(_note(place, one) for one in found.releases)
        why = "" if notes else _told(place, source, span, len(seen), "" if seen else fault)
        return NotesOf(
            image=image,
            source_url=source.link,
            compare_url=_compare(place, source, found),
            notes=notes,
            looked_for=why,
        )


def _compare(place: Place, source: Source, found: Passed) -> str:
    links = Links(web=place.web, style=place.server.kind)
    old, new = source.revisions
    matched = bool(found.old_tag and found.new_tag)
    if old != new and (source.sure or matched):
        return links.compare(old, new)
    if not old and matched and found.old_tag != found.new_tag:
        return links.compare(found.old_tag, found.new_tag)
    return ""


def _told(place: Place, source: Source, span: tuple[str, str], count: int, fault: str) -> str:
    """Return what was looked for in vain."""
    old, new = (shown(text, max_chars=80) or "nothing" for text in span)
    where = place.web.removeprefix("https://")
    if fault:
        return f"the releases of {where} could not be read: {fault}"
    first, last = source.revisions
    if first and first == last:
        return f"old and new image were built from one commit of {where}, {first[:12]}"
    counted = f"{count} {'release was' if count == 1 else 'releases were'} looked at"
    if old == new:
        return f"both images are {new}; a release of {where} would not tell them apart"
    if not source.sure:
        return f"{where} has no releases for both {old} and {new}; {counted}"
    return f"{where} has no release after {old} and up to {new}; {counted}"


def _names(repository: Repository) -> tuple[str, ...]:
    """Return what the image is called, the most telling first."""
    return tuple(reversed([one for one in repository.path.split("/") if one != "library"]))


def _note(place: Place, release: Release) -> ReleaseNote:
    return ReleaseNote(
        version=release.tag,
        title=release.title,
        text=release.text,
        url=place.release(release.tag),
        published=release.published,
    )


def _nothing(image: str, why: str, link: str = "") -> NotesOf:
    return NotesOf(image=image, source_url=link, compare_url="", notes=(), looked_for=why)
