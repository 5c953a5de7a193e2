"""What policies need to know about images: tags, and exactly the facts that are asked for.

Images are asked about side by side, each registry at its own pace; one flight for each
repository, whoever asks; what fails, fails for that image alone. Dates are believed in the order
of `peers.md` 6.4: what the registry says of the push, `Last-Modified`, the image's own `created`
(of an index the newest over the wanted platforms), annotations, a label; a date at the beginning
of time or in the future is unknown.

Must not know policies, nor Git.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from bot.errors import ConfigError, ProductError, RefusedError
from bot.registry.cache import ScanCache
from bot.registry.documents import (
    Descriptor,
    DocumentRefusedError,
    ImageConfig,
    Index,
    Manifest,
    Platform,
    read_config,
    read_document,
    read_platform,
    read_time,
)
from bot.registry.host import NotFoundError
from policies.policy import Fact, Facts
from policies.reference import InvalidReference, Repository, parse_repository

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.registry.client import RegistryClient
    from bot.registry.tag_list import TagList

T = TypeVar("T")

_ANNOTATION = "org.opencontainers.image.created"
_LABEL = "org.label-schema.build-date"
_BEGINNING = datetime(1980, 1, 2, tzinfo=UTC)  # epoch zero and 1980-01-01: reproducible builds
_CLOCK_SKEW = timedelta(minutes=10)  # threat R18
_USUAL = "linux/amd64"
_MAX_PLATFORMS = 32  # of one index; arbitrary
_IMAGE_CONFIGS = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """One tag's document, and when the registry says it was put there."""

    document: Manifest | Index
    last_modified: datetime | None


class Scanner:
    """Answers for the length of one run: whatever was asked once is not asked again."""

    def __init__(
        self,
        client: RegistryClient,
        clock: Clock,
        cache_folder: Path | None = None,
        *,
        cache: ScanCache | None = None,
    ) -> None:
        """Take the client; documents and confirmed pages are kept below `cache_folder`.

        A `cache` may be shared by scanners that follow one another.
        """
        self._client = client
        self._clock = clock
        self._cache = cache or ScanCache(cache_folder)
        self._flights: dict[object, asyncio.Lock] = {}
        self._known: dict[object, object] = {}

    async def tags(self, image: str) -> list[str]:
        """Return every tag of the repository that `image` names.

        Raises:
            ConfigError: `image` is no repository's name.
            ProductError: The whole list cannot be had; a part never is the answer.
        """
        repository = _repository(image)

        async def ask() -> TagList:
            return await self._client.list_tags(repository, memory=self._cache)

        return list((await self._once(("tags", repository.canonical), ask)).tags)

    async def facts(
        self,
        image: str,
        wanted: Mapping[str, frozenset[Fact]],
        *,
        platforms: Iterable[str] = (),
    ) -> dict[str, Facts]:
        """Return the facts that are `wanted` of each tag; a digest may stand in a tag's place.

        `platforms` limits whose build date counts in an index. A tag that is gone, or a document
        that is refused, leaves its facts unavailable with the reason. Where a push date is
        wanted and not to be had, the build date is looked up instead.

        Raises:
            ConfigError: `image` is no repository's name.
            ProductError: The registry cannot be asked now; nothing should be decided.
        """
        repository = _repository(image)
        only = frozenset(p for p in (read_platform(text) for text in platforms) if p)
        tags = [tag for tag, needs in wanted.items() if needs]
        answers = await _side_by_side(
            [self._facts_of(repository, tag, wanted[tag], only) for tag in tags]
        )
        found: dict[str, Facts] = {tag: Facts() for tag in wanted}
        for tag, answer in zip(tags, answers, strict=True):
            if isinstance(answer, ProductError):
                raise answer
            found[tag] = answer
        return found

    async def described(
        self, image: str, reference: str
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return the annotations and the labels of what a tag or digest names.

        Of an index one image speaks for all, the one for linux/amd64 where there is one; what
        the index itself says is stronger.

        Raises:
            ConfigError: `image` is no repository's name.
            ProductError: There is no such image, or it cannot be asked about now.
        """
        repository = _repository(image)
        if ":" in reference:
            document = await self._by_digest(repository, reference)
        else:
            document = (await self._document_of(repository, reference)).document
        manifest: Manifest | None = document if isinstance(document, Manifest) else None
        if isinstance(document, Index):
            entries = sorted(document.images, key=lambda each: str(each.platform) != _USUAL)
            manifest = await self._child(repository, entries[0]) if entries else None
        config = await self._config(repository, manifest) if manifest else None
        own = manifest.annotations if manifest else {}
        return {**own, **document.annotations}, config.labels if config else {}

    def close(self) -> None:
        """Keep the cache within its bound; call it at the end of a run."""
        self._cache.trim()

    async def _facts_of(
        self,
        repository: Repository,
        tag: str,
        wanted: frozenset[Fact],
        only: frozenset[Platform],
    ) -> Facts:
        try:
            return await self._look(repository, tag, wanted, only)
        except (NotFoundError, RefusedError) as error:
            return Facts(unavailable=dict.fromkeys(wanted, error.what))

    async def _look(
        self,
        repository: Repository,
        tag: str,
        wanted: frozenset[Fact],
        only: frozenset[Platform],
    ) -> Facts:
        looked: _Looked | None = None
        if wanted & {Fact.PLATFORMS, Fact.CREATED, Fact.DIGEST}:
            # A digest is written down only once its bytes were seen: a header may lie (R11).
            # Bytes are kept, so that an unchanged tag costs one HEAD in the runs after.
            looked = await self._document_of(repository, tag)
            digest, last_modified = looked.document.digest, looked.last_modified
        else:
            seen = await self._once(
                ("head", repository.canonical, tag), lambda: self._client.head(repository, tag)
            )
            digest, last_modified = seen.digest, seen.last_modified
        facts = Facts(digest=digest if Fact.DIGEST in wanted else None)
        if Fact.PUSHED in wanted:
            facts = await self._with_push(facts, repository, tag, last_modified, wanted)
            if facts.pushed is None and Fact.CREATED not in facts.unavailable:
                wanted |= {Fact.CREATED}
                looked = looked or await self._document_of(repository, tag)
        return await self._with_contents(facts, repository, looked, wanted, only)

    async def _with_push(
        self,
        facts: Facts,
        repository: Repository,
        tag: str,
        last_modified: datetime | None,
        wanted: frozenset[Fact],
    ) -> Facts:
        pushed, source, settled = await self._pushed(repository, tag, last_modified)
        if pushed is not None:
            return replace(facts, pushed=pushed, dated_by=source)
        lacking = {Fact.PUSHED: source}
        if settled and Fact.CREATED not in wanted:
            lacking[Fact.CREATED] = source
        return replace(facts, unavailable=lacking)

    async def _with_contents(
        self,
        facts: Facts,
        repository: Repository,
        looked: _Looked | None,
        wanted: frozenset[Fact],
        only: frozenset[Platform],
    ) -> Facts:
        lacking = dict(facts.unavailable)
        if Fact.PLATFORMS in wanted and looked:
            images = await self._images(repository, looked.document)
            facts = replace(facts, platforms=frozenset(images) or None, images=images)
            if not images:
                lacking[Fact.PLATFORMS] = "it states no platform, so it is no image to run"
        if Fact.CREATED in wanted and looked:
            created, source = await self._created(repository, looked.document, only)
            facts = replace(facts, created=created, dated_by=facts.dated_by or source)
            if created is None:
                lacking[Fact.CREATED] = source
        return replace(facts, unavailable=lacking)

    async def _pushed(
        self, repository: Repository, tag: str, last_modified: datetime | None
    ) -> tuple[datetime | None, str, bool]:
        """Return the push date and where it stands, or `None` and why there is none.

        Then the last says whether that settles it: a registry that would tell, but does not
        now, is asked again rather than replaced by the build date, which is older.
        """
        try:
            told = await self._client.push_date(repository, tag)
        except ProductError as error:
            return None, str(error), True
        if told and (when := self._believable(told[0])):
            return when, told[1], True
        if when := self._believable(last_modified):
            return when, "Last-Modified of the manifest", True
        return None, "the registry does not say when this was pushed", False

    async def _document_of(self, repository: Repository, tag: str) -> _Looked:
        """Return what `tag` names; by HEAD and from memory where something is remembered."""
        if ":" in tag:
            document = await self._by_digest(repository, tag)
            return _Looked(document=document, last_modified=None)
        return await self._once(
            ("document", repository.canonical, tag), lambda: self._fetch_by_tag(repository, tag)
        )

    async def _fetch_by_tag(self, repository: Repository, tag: str) -> _Looked:
        if self._cache.holds_any(repository.canonical):
            seen = await self._client.head(repository, tag)
            body = self._cache.document(repository.canonical, seen.digest)
            if body is not None:
                document = read_document(body, content_type=seen.media_type, digest=seen.digest)
                return _Looked(document=document, last_modified=seen.last_modified)
        fetched = await self._client.manifest(repository, tag)
        self._cache.keep_document(repository.canonical, fetched.document.digest, fetched.body)
        return _Looked(document=fetched.document, last_modified=fetched.last_modified)

    async def _child(self, repository: Repository, entry: Descriptor) -> Manifest | None:
        """Return the manifest that an index points to; `None` when it is no manifest."""
        document = await self._by_digest(repository, entry.digest, entry.media_type)
        return document if isinstance(document, Manifest) else None

    async def _by_digest(
        self, repository: Repository, digest: str, media_type: str = ""
    ) -> Manifest | Index:
        async def fetch() -> Manifest | Index:
            body = self._cache.document(repository.canonical, digest)
            if body is not None:
                with contextlib.suppress(DocumentRefusedError):  # it may not say what it is
                    return read_document(body, content_type=media_type, digest=digest)
            fetched = await self._client.manifest(repository, digest)
            self._cache.keep_document(repository.canonical, digest, fetched.body)
            return fetched.document

        return await self._once(("document", repository.canonical, digest), fetch)

    async def _config(self, repository: Repository, manifest: Manifest) -> ImageConfig | None:
        """Return the configuration of an image; `None` of an artifact."""
        if manifest.config.media_type not in _IMAGE_CONFIGS:
            return None
        digest = manifest.config.digest

        async def fetch() -> ImageConfig:
            body = self._cache.document(repository.canonical, digest)
            if body is not None:
                return read_config(body, digest=digest)
            config, body = await self._client.config(repository, digest)
            self._cache.keep_document(repository.canonical, digest, body)
            return config

        return await self._once(("config", repository.canonical, digest), fetch)

    async def _images(self, repository: Repository, document: Manifest | Index) -> dict[str, str]:
        """Return the digest of each platform's own image, of several with spaces between."""
        if isinstance(document, Index):
            found: dict[str, list[str]] = {}
            for each in document.images:
                found.setdefault(str(each.platform), []).append(each.digest)
            return {platform: " ".join(digests) for platform, digests in found.items()}
        config = await self._config(repository, document)
        return {str(config.platform): document.digest} if config and config.platform else {}

    async def _created(
        self, repository: Repository, document: Manifest | Index, only: frozenset[Platform]
    ) -> tuple[datetime | None, str]:
        """Return the build date and where it stands, or `None` and why there is none."""
        manifests = [document] if isinstance(document, Manifest) else []
        if isinstance(document, Index):
            entries = [e for e in document.images if not only or e.platform in only]
            children = [self._child(repository, e) for e in entries[:_MAX_PLATFORMS]]
            manifests = [m for m in _good(await _side_by_side(children)) if m is not None]
        configs = _good(await _side_by_side([self._config(repository, each) for each in manifests]))
        stated = [each.created for each in configs if each and each.created]
        labels = [each.labels.get(_LABEL, "") for each in configs if each]
        annotations = [each.annotations.get(_ANNOTATION, "") for each in (document, *manifests)]
        for dates, source in (
            (stated, "the image's own created date"),
            ([read_time(text) for text in annotations], f"the annotation {_ANNOTATION}"),
            ([read_time(text) for text in labels], f"the label {_LABEL}"),
        ):
            if good := [date for date in map(self._believable, dates) if date]:
                return max(good), source
        if stated:
            return None, f"its created date, {max(stated):%Y-%m-%d}, cannot be a build date"
        return None, "it states no build date"

    def _believable(self, when: datetime | None) -> datetime | None:
        if when is None or when < _BEGINNING or when > self._clock.now() + _CLOCK_SKEW:
            return None
        return when

    async def _once(self, key: object, ask: Callable[[], Awaitable[T]]) -> T:
        """Return what `ask` answers, or raise what it raises, asking a single time a run."""
        async with self._flights.setdefault(key, asyncio.Lock()):
            if key not in self._known:
                try:
                    self._known[key] = await ask()
                except ProductError as error:
                    self._known[key] = error
            known = self._known[key]
        if isinstance(known, ProductError):
            raise known
        return cast("T", known)


async def _side_by_side(asks: Iterable[Awaitable[T]]) -> list[T | ProductError]:
    """Return each answer or its error, in order; a bug stops them all."""

    async def one(ask: Awaitable[T]) -> T | ProductError:
        try:
            return await ask
        except ProductError as error:
            return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(ask)) for ask in asks]
    return [task.result() for task in tasks]


def _good(answers: list[T | ProductError]) -> list[T]:
    """Return the answers when all are good; the first error otherwise."""
    good: list[T] = []
    for answer in answers:
        if isinstance(answer, ProductError):
            raise answer
        good.append(answer)
    return good


def _repository(image: str) -> Repository:
    try:
        return parse_repository(image)
    except InvalidReference as error:
        raise ConfigError(
            str(error), where=image, hint="Write a repository, such as ghcr.io/acme/api"
        ) from error
