"""What can be asked of registries: tags, digests, manifests, configurations, what is attached.

OCI distribution-spec 1.1 with the rules of `peers.md` 6. Every digest that comes back by GET is
verified; HEAD is used where a digest alone is wanted, since it is not counted as a pull.

Must not know policies.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Self

from bot.http_client.client import HttpClient
from bot.http_client.proxies import Proxies
from bot.registry.auth import Tell, Tokens
from bot.registry.credentials import Credentials, docker_folder
from bot.registry.docker_config import canonical_host
from bot.registry.documents import (
    ACCEPT,
    MAX_CONFIG_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_PAGE_BYTES,
    MEDIA_TYPES,
    OCI_INDEX,
    Descriptor,
    DocumentRefusedError,
    ImageConfig,
    Index,
    Manifest,
    digest_of,
    is_digest,
    read_config,
    read_document,
    verify_digest,
)
from bot.registry.host import NotFoundError, RegistryHost
from bot.registry.push_dates import KNOWN, MAX_ANSWER_BYTES, PushDates
from bot.registry.tag_list import PageMemory, TagList, list_all

if TYPE_CHECKING:
    from types import TracebackType

    from bot.clock import Clock
    from bot.config.model import RegistrySettings
    from bot.http_client.exchange import Answer
    from policies.reference import Repository

_DOCKER_AUTH = "DOCKER_AUTH_CONFIG"
_BAD_REQUEST, _NOT_ALLOWED = 400, 405
_NO_HEAD = frozenset({400, 405, 501})
_MAX_HEAD_BYTES = 8 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a tag names at this moment. `last_modified` as the registry states it, or `None`."""

    digest: str
    media_type: str
    last_modified: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A document with the bytes it was read from, and when the registry says it came."""

    document: Manifest | Index
    body: bytes
    last_modified: datetime | None = None


class RegistryClient:
    """Asks any number of registries, side by side, until the end of `async with`."""

    def __init__(
        self,
        settings: Iterable[RegistrySettings] = (),
        *,
        clock: Clock,
        credentials: Credentials | None = None,
        proxies: Proxies | None = None,
        http: HttpClient | None = None,
        tell: Tell | None = None,
        push_dates: Mapping[str, PushDates] = KNOWN,
    ) -> None:
        """Take what was configured; an `http` that is given is not closed.

        `tell` hears of each step in words, secrets left out.
        """
        settings = tuple(settings)
        self._settings = {canonical_host(each.host): each for each in settings}
        self.credentials = credentials or Credentials(settings)
        self._stack = AsyncExitStack()
        self._own = http is None
        self._http = http or HttpClient(clock=clock, proxies=proxies)
        self._tokens = Tokens(self._http, clock=clock, tell=tell)
        self._tell = tell
        self._push_dates = push_dates
        self._hosts: dict[str, RegistryHost] = {}

    async def __aenter__(self) -> Self:
        if self._own:
            await self._stack.enter_async_context(self._http)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def host(self, name: str) -> RegistryHost:
        """Return the registry of that name, the same one each time."""
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = RegistryHost(
                name,
                http=self._http,
                credentials=self.credentials,
                tokens=self._tokens,
                settings=self._settings.get(canonical_host(name)),
                tell=self._tell,
            )
        return host

    async def list_tags(
        self, repository: Repository, *, memory: PageMemory | None = None
    ) -> TagList:
        """Return every tag of `repository`, in the order the registry gives them.

        Raises:
            AccessError: The registry knows us not, or hides this repository.
            UnavailableError: It is down or busy, or the list cannot be had to its end.
            RefusedError: A page is too large, or no tag list.
        """
        host = self.host(repository.registry)
        settings = self._settings.get(canonical_host(repository.registry))

        async def ask(target: str, headers: Mapping[str, str]) -> Answer:
            return await host.ask(
                "GET",
                target,
                path=repository.path,
                headers=headers,
                max_bytes=MAX_PAGE_BYTES,
                pass_on=frozenset({_BAD_REQUEST, _NOT_ALLOWED}),
            )

        return await list_all(
            ask,
            where=repository.canonical,
            path=repository.path,
            page_size=settings.page_size if settings else None,
            memory=memory,
        )

    async def head(self, repository: Repository, reference: str) -> Seen:
        """Return what `reference`, a tag or a digest, names, by HEAD where the registry can.

        Raises:
            NotFoundError: There is no such tag.
            ProductError: As `list_tags`.
        """
        answer = await self.host(repository.registry).ask(
            "HEAD",
            _manifest_target(repository, reference),
            path=repository.path,
            headers={"Accept": ACCEPT},
            max_bytes=_MAX_HEAD_BYTES,
            subject=_named(repository, reference),
            pass_on=_NO_HEAD,
        )
        digest = answer.header("Docker-Content-Digest").strip()
        media_type = answer.header("Content-Type").partition(";")[0].strip().lower()
        if answer.status in _NO_HEAD or not is_digest(digest) or media_type not in MEDIA_TYPES:
            fetched = await self.manifest(repository, reference)
            return Seen(
                digest=fetched.document.digest,
                media_type=fetched.document.media_type,
                last_modified=fetched.last_modified,
            )
        return Seen(digest=digest, media_type=media_type, last_modified=_last_modified(answer))

    async def manifest(self, repository: Repository, reference: str) -> Fetched:
        """Return the manifest or index that `reference` names, its digest verified.

        Raises:
            NotFoundError: There is none.
            DocumentRefusedError: It is not what it claims to be.
            ProductError: As `list_tags`.
        """
        answer = await self.host(repository.registry).ask(
            "GET",
            _manifest_target(repository, reference),
            path=repository.path,
            headers={"Accept": ACCEPT},
            max_bytes=MAX_MANIFEST_BYTES,
            subject=_named(repository, reference),
        )
        claimed = answer.header("Docker-Content-Digest").strip()
        with _placed(f"{repository.registry}/{_named(repository, reference)}"):
            if claimed:
                verify_digest(answer.body, claimed)
            asked = reference if ":" in reference else ""
            document = read_document(
                answer.body,
                content_type=answer.header("Content-Type"),
                digest=asked or claimed or digest_of(answer.body),
            )
        return Fetched(document=document, body=answer.body, last_modified=_last_modified(answer))

    async def config(self, repository: Repository, digest: str) -> tuple[ImageConfig, bytes]:
        """Return an image's configuration and its bytes, the digest verified.

        Raises:
            ProductError: As `manifest`.
        """
        answer = await self.host(repository.registry).ask(
            "GET",
            f"/v2/{repository.path}/blobs/{_digest(digest)}",
            path=repository.path,
            max_bytes=MAX_CONFIG_BYTES,
            subject=_named(repository, digest),
        )
        with _placed(f"{repository.registry}/{_named(repository, digest)}"):
            return read_config(answer.body, digest=digest), answer.body

    async def push_date(self, repository: Repository, tag: str) -> tuple[datetime, str] | None:
        """Return when the registry says `tag` was pushed, and in words where it says so.

        `None` when this registry tells no such thing, or not of this repository.

        Raises:
            UnavailableError: It would, but is down or busy.
            ProductError: As `list_tags`.
        """
        source = self._push_dates.get(repository.registry)
        if source is None:
            return None
        answer = await self._http.request(
            "GET",
            source.address(repository.path, tag),
            headers={"Accept": "application/json"},
            max_bytes=MAX_ANSWER_BYTES,
            follow=False,
        )
        when = source.read(answer.body, tag) if answer.status == 200 else None  # noqa: PLR2004
        return None if when is None else (when.astimezone(UTC), source.name)

    async def referrers(
        self, repository: Repository, digest: str, *, artifact_type: str = ""
    ) -> tuple[Descriptor, ...]:
        """Return what is attached to `digest`: signatures, attestations, SBOMs.

        Where the registry has no such question, the tags `sha256-<hex>` and `sha256-<hex>.sig`
        are looked at instead (distribution-spec, "Referrers Tag Schema").

        Raises:
            ProductError: As `manifest`.
        """
        query = f"?artifactType={urllib.parse.quote(artifact_type, safe='')}"
        answer = await self.host(repository.registry).ask(
            "GET",
            f"/v2/{repository.path}/referrers/{_digest(digest)}{query if artifact_type else ''}",
            path=repository.path,
            headers={"Accept": OCI_INDEX},
            max_bytes=MAX_MANIFEST_BYTES,
            subject=_named(repository, digest),
            pass_on=frozenset({404, 405, 501}),
        )
        if answer.status != 200:  # noqa: PLR2004
            found = await self._attached_by_tag(repository, digest)
        else:
            with _placed(f"{repository.registry}/{_named(repository, digest)}"):
                document = read_document(answer.body, content_type=answer.header("Content-Type"))
            found = document.entries if isinstance(document, Index) else ()
        return tuple(
            each for each in found if not artifact_type or each.artifact_type == artifact_type
        )

    async def _attached_by_tag(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        tag = digest.replace(":", "-", 1)
        found: list[Descriptor] = []
        try:
            document = (await self.manifest(repository, tag)).document
            found.extend(document.entries if isinstance(document, Index) else ())
        except NotFoundError:
            pass
        try:
            signature = (await self.manifest(repository, f"{tag}.sig")).document
            kind = "application/vnd.dev.cosign.simplesigning.v1+json"
            found.append(
                Descriptor(
                    media_type=signature.media_type, digest=signature.digest, artifact_type=kind
                )
            )
        except NotFoundError:
            pass
        return tuple(found)


def open_registries(
    settings: Iterable[RegistrySettings],
    *,
    clock: Clock,
    environment: Mapping[str, str],
    tell: Tell | None = None,
) -> RegistryClient:
    """Return a client for a command that a person or a CI job runs.

    It takes Docker's configuration and the proxies from `environment` (`product.md` 3.2);
    `DOCKER_AUTH_CONFIG`, which CI systems set, holds such a configuration itself, and counts
    first.
    """
    settings = tuple(settings)
    given = environment.get(_DOCKER_AUTH, "")
    return RegistryClient(
        settings,
        clock=clock,
        credentials=Credentials(
            settings,
            docker_config=docker_folder(environment),
            pull_secrets={_DOCKER_AUTH: given.encode()} if given.strip() else None,
        ),
        proxies=Proxies.from_environment(environment),
        tell=tell,
    )


class _placed:  # noqa: N801 - read as a phrase
    """Says in a refused document's error where the document came from."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DocumentRefusedError) and not error.where:
            error.where = self._where


def _digest(text: str) -> str:
    if not is_digest(text):
        raise DocumentRefusedError(
            "this is no digest that can be verified", hint="sha256 and sha512 are"
        )
    return text


def _manifest_target(repository: Repository, reference: str) -> str:
    name = _digest(reference) if ":" in reference else urllib.parse.quote(reference, safe="")
    return f"/v2/{repository.path}/manifests/{name}"


def _named(repository: Repository, reference: str) -> str:
    return f"{repository.path}{'@' if ':' in reference else ':'}{reference}"


def _last_modified(answer: Answer) -> datetime | None:
    try:
        when = parsedate_to_datetime(answer.header("Last-Modified"))
    except (ValueError, OverflowError):
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
