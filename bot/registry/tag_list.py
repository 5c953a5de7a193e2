"""A whole tag list, or an error: pages followed to the end, never a part taken for the whole.

OCI distribution-spec 1.1, "Listing Tags", and what registries do instead (`peers.md` 6.1, 6.2):
`Link` is followed on the same origin and path only (threat R2); a list cut at the number asked
for, or at a number that registries cut at, without a `Link` is continued with `last=`; a loop, a
foreign link or a page that cannot be read makes the whole list an error (faults FR4, FR5).

Must not know sockets, nor who asks.
"""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bot.errors import ConfigError, UnavailableError
from bot.http_client.exchange import Answer, origin_of
from bot.registry.documents import TagPage, read_tag_page

DEFAULT_PAGE_SIZE = 1000  # the most that ECR and distribution 3 allow
_SMALLER_SIZES = (1000, 100, 0)  # tried in turn when a registry refuses; 0 leaves it to it
_MAX_PAGES = 10_000  # threat R7
_MAX_BARREN_PAGES = 50  # pages in a row without a new tag; arbitrary
# lengths at which registries cut lists on their own, seen in `peers.md` 6.2; a list that is
# exactly that long is asked once more
_USUAL_CUTS = frozenset({100, 200, 250, 500, 1000, 2000, 5000, 10_000})
_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_NEXT = re.compile(r"""(?i);\s*rel\s*=\s*("[^"]*\bnext\b[^"]*"|'?next'?)""")
_TOO_MANY_ASKED = frozenset({400, 405})

Ask = Callable[[str, Mapping[str, str]], Awaitable[Answer]]


class PartialListError(UnavailableError):
    """The list of tags cannot be had to its end, so nothing is decided on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagList:
    """Every tag, in the registry's order, each once. `dropped` names were no tags."""

    tags: tuple[str, ...]
    dropped: int = 0
    pages: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPage:
    """A page as it was seen: its validator (`etag`, may be empty) and the hash of its body."""

    etag: str
    body_hash: str
    page: TagPage
    next_target: str


class PageMemory(Protocol):
    """Where pages are kept between lists, and between runs where they can be confirmed."""

    def recall(self, key: str) -> KnownPage | None:
        """Return the page kept under `key`."""

    def keep(self, key: str, page: KnownPage, body: bytes) -> None:
        """Keep `page`, which was read from `body`, under `key`."""


async def list_all(
    ask: Ask, *, where: str, path: str, page_size: int | None = None, memory: PageMemory | None
) -> TagList:
    """Return every tag of the repository `path`.

    `ask` puts one question (path and query, headers) and returns an answer of status 200, 304,
    400 or 405; `where` is how the repository is called in errors.

    Raises:
        PartialListError: The list has no end that we can see.
        DocumentRefusedError: A page is not what it should be.
    """
    walk = _Walk(ask, where=where, path=path, memory=memory)
    return await walk.run(page_size or DEFAULT_PAGE_SIZE)


class _Walk:
    def __init__(self, ask: Ask, *, where: str, path: str, memory: PageMemory | None) -> None:
        self._ask = ask
        self._where = where
        self._base = f"/v2/{path}/tags/list"
        self._memory = memory
        self._found: dict[str, None] = {}
        self._visited: set[str] = set()
        self._dropped = 0
        self._barren = 0

    async def run(self, page_size: int) -> TagList:
        size, target = page_size, f"{self._base}?n={page_size}"
        sought = False
        while target:
            self._visit(target)
            page = await self._page(target)
            if page is None:
                size = next(smaller for smaller in _SMALLER_SIZES if smaller < size)
                target = f"{self._base}?n={size}" if size else self._base
                continue
            target, sought = await self._turn(page, size, sought=sought)
        return TagList(tags=tuple(self._found), dropped=self._dropped, pages=len(self._visited))

    def _visit(self, target: str) -> None:
        if target in self._visited:
            raise self._partial("its pages lead back to where they began")
        if len(self._visited) >= _MAX_PAGES or self._barren > _MAX_BARREN_PAGES:
            raise self._partial(f"no end after {len(self._visited):,} pages")
        self._visited.add(target)

    async def _turn(self, known: KnownPage, size: int, *, sought: bool) -> tuple[str, bool]:
        """Take a page in; return where the next one is, and whether we made that up ourselves."""
        page = known.page
        before = len(self._found)
        self._found.update(dict.fromkeys(page.tags))
        fresh = len(self._found) > before
        self._dropped += page.dropped
        self._barren = 0 if fresh else self._barren + 1
        count = len(page.tags) + page.dropped
        if known.next_target:
            if count and not fresh:
                raise self._partial("its pages repeat themselves")
            return known.next_target, False
        if not page.tags:
            return "", False
        if not fresh:
            if sought:
                await self._check_whole()
            return "", False
        if count == size or count in _USUAL_CUTS:
            last = urllib.parse.quote(page.tags[-1], safe="")
            number = f"n={size}&" if size else ""
            return f"{self._base}?{number}last={last}", True
        return "", False

    async def _check_whole(self) -> None:
        """Make sure of a list whose registry ignores `last`: one that ignores `n` gave it all."""
        answer = await self._ask(f"{self._base}?n=1", {})
        page = read_tag_page(answer.body) if answer.status == 200 else TagPage(tags=())  # noqa: PLR2004
        if len(page.tags) + page.dropped < len(self._found):
            raise self._partial(
                f"it cuts the list after {len(self._found):,} tags and offers no way to go on"
            )

    async def _page(self, target: str) -> KnownPage | None:
        """Return one page; `None` when the registry finds the number asked for too large."""
        key = f"{self._where} {target}"
        known = self._memory.recall(key) if self._memory else None
        headers = {"If-None-Match": known.etag} if known and known.etag else {}
        answer = await self._ask(target, {"Accept": "application/json", **headers})
        if answer.status == 304 and known:  # noqa: PLR2004
            return known
        if answer.status in _TOO_MANY_ASKED:
            self._check_first(answer)
            return None
        body_hash = hashlib.sha256(answer.body).hexdigest()
        next_target = self._next(answer)
        if known and known.body_hash == body_hash and known.next_target == next_target:
            page = known.page
        else:
            page = read_tag_page(answer.body)
        fetched = KnownPage(
            etag=answer.header("ETag"), body_hash=body_hash, page=page, next_target=next_target
        )
        if self._memory:
            self._memory.keep(key, fetched, answer.body)
        return fetched

    def _check_first(self, answer: Answer) -> None:
        if self._found or answer.url.endswith(self._base):
            raise self._partial(f"it answered {answer.status} in the middle of the list")

    def _next(self, answer: Answer) -> str:
        """Return path and query of the next page, empty at the end."""
        for header in answer.header_list("Link"):
            for address, parameters in _LINK.findall(header):
                if _NEXT.search(parameters):
                    return self._checked(answer.url, address)
        return ""

    def _checked(self, url: str, address: str) -> str:
        target = urllib.parse.urljoin(url, address.strip())
        try:
            same = origin_of(target) == origin_of(url)
        except ConfigError:
            same = False
        parts = urllib.parse.urlsplit(target) if same else None
        if parts is None or parts.path != self._base:
            raise self._partial("the link to its next page leads somewhere else")
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def _partial(self, what: str) -> PartialListError:
        return PartialListError(
            f"the list of tags is not whole: {what}",
            where=self._where,
            hint="Nothing was decided on a part of it; ask who runs the registry,"
            " or set page-size for it",
        )
