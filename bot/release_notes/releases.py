"""Releases as forges list them, and those that lie between two images.

Shapes: GitHub's, GitLab's and Gitea's lists of releases. Drafts and announced ones are left
out; pre-releases count only where the new image is one. A repository may release several
components: those named like the image come first, then those that carry no name at all.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from bot.release_notes.tag_versions import TagVersion, read_tag

MAX_NOTES = 30  # of one update
_MAX_TEXT = 8_000  # characters of one note; a proposal holds 65,536 in all
_MAX_TITLE = 200
_MAX_TAG = 200

_Dated: TypeAlias = tuple[TagVersion, "Release"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release of a source repository; every text is foreign."""

    tag: str
    title: str
    text: str
    published: datetime | None
    prerelease: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """The releases that an update passes, newest first, and the tags of both its ends.

    `old_tag` and `new_tag` are empty where that end has no release of its own.
    """

    releases: tuple[Release, ...] = ()
    old_tag: str = ""
    new_tag: str = ""


def read_releases(body: bytes) -> tuple[Release, ...]:
    """Return one page of any forge's list of releases.

    Raises:
        ValueError: It is no such list.
    """
    try:
        rows = json.loads(body)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(rows, list):
        raise ValueError("no list")  # noqa: TRY004 - one error for whatever it is instead
    return tuple(found for row in rows if (found := _read(row)) is not None)


def _read(row: object) -> Release | None:
    if not isinstance(row, dict) or row.get("draft") is True or row.get("upcoming_release") is True:
        return None
    tag = _text(row, "tag_name")
    if not tag or len(tag) > _MAX_TAG or not tag.isprintable():
        return None
    return Release(
        tag=tag,
        title=" ".join(_text(row, "name").split())[:_MAX_TITLE],
        text=_cut(_text(row, "body") or _text(row, "description")),
        published=_time(_text(row, "published_at") or _text(row, "released_at")),
        prerelease=row.get("prerelease") is True,
    )


def passed(releases: Sequence[Release], *, old: str, new: str, names: Iterable[str]) -> Passed:
    """Return what lies after the version or tag `old`, up to and with `new`.

    `names` are what the image is called, the most telling first. Where one of the two holds no
    version, both must be the tags of releases, and dates decide.
    """
    old_version, new_version = read_tag(old), read_tag(new)
    if old_version is None or new_version is None:
        return _by_date(releases, old, new)
    if old_version.era != new_version.era:
        return Passed()
    groups: dict[str, list[_Dated]] = {}
    for release in releases:
        version = read_tag(release.tag)
        if version is not None and version.era == new_version.era:
            groups.setdefault(version.component, []).append((version, release))
    best = Passed()
    for component in _in_turn(groups, (new_version.component, *names)):
        found = _between(groups[component], old_version, new_version)
        if found.new_tag:
            return found
        best = best if best.releases else found
    return best


def _in_turn(groups: dict[str, list[_Dated]], names: Iterable[str]) -> list[str]:
    """Return the components that can be meant, the likeliest first."""
    wanted = [name.lower() for name in names if name]
    ends = [one for one in groups if one and any(name.endswith(f"-{one}") for name in wanted)]
    found = [one for one in dict.fromkeys((*wanted, *ends, "")) if one in groups]
    return found or (list(groups) if len(groups) == 1 else [])


def _between(group: list[_Dated], old: TagVersion, new: TagVersion) -> Passed:
    new_tag, early = "", bool(new.prerelease)
    old_tag = next((one.tag for version, one in group if _is(version, old)), "")
    for version, release in group:
        if _is(version, new):
            new_tag, early = release.tag, early or release.prerelease
            break
    chosen = [
        (version, release)
        for version, release in group
        if version.is_after(old)
        and version.is_within(new)
        and (early or not (release.prerelease or version.prerelease))
    ]
    chosen.sort(key=lambda one: one[0].order, reverse=True)
    kept = tuple(release for _, release in chosen[:MAX_NOTES])
    return Passed(releases=kept, old_tag=old_tag, new_tag=new_tag)


def _is(release: TagVersion, image: TagVersion) -> bool:
    """Return whether this is the image's own release, build for build where both count them."""
    mine, theirs = release.order, image.order
    return mine == theirs or (mine[0] == theirs[0] and not (mine[1] and theirs[1]))


def _by_date(releases: Sequence[Release], old: str, new: str) -> Passed:
    first, last = _named(releases, old), _named(releases, new)
    if last is None:
        return Passed()
    if first is None or first.published is None or last.published is None:
        alone = () if first is last or old == new else (last,)
        return Passed(releases=alone, old_tag=first.tag if first else "", new_tag=last.tag)
    dated = [(one.published, one) for one in releases if one.published is not None]
    chosen = [
        one
        for moment, one in sorted(dated, key=lambda each: each[0], reverse=True)
        if first.published < moment <= last.published and (last.prerelease or not one.prerelease)
    ]
    return Passed(releases=tuple(chosen[:MAX_NOTES]), old_tag=first.tag, new_tag=last.tag)


def _named(releases: Sequence[Release], tag: str) -> Release | None:
    names = {tag, f"v{tag}"} if tag else set()
    return next((one for one in releases if one.tag in names), None)


def _text(row: dict[str, object], key: str) -> str:
    value = row.get(key)
    return value.strip() if isinstance(value, str) else ""


def _cut(text: str) -> str:
    """Return the beginning of a text, whole lines where it has any."""
    text = text.replace("\r\n", "\n")
    if len(text) <= _MAX_TEXT:
        return text
    head = text[:_MAX_TEXT]
    line_end = head.rfind("\n")
    return (head[:line_end] if line_end > _MAX_TEXT // 2 else head) + "\n…"


def _time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
