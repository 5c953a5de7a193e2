"""What a scan may remember: documents by digest for ever, tag pages while the registry confirms.

Nothing read back is believed: a document must still hash to its name, a page must still hash to
what was noted, and then the registry is asked with its validator (threat S8). The folder belongs
to its user alone (S4), files appear whole or not at all, and the oldest go when it grows past
its bound (`peers.md` row 14). Losing it costs requests, never an answer.

Must not know what the documents say.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections import OrderedDict
from pathlib import Path

from bot.registry.documents import DocumentRefusedError, read_tag_page, verify_digest
from bot.registry.tag_list import KnownPage

_MAX_BYTES = 64 << 20
_MAX_TAGS_HELD = 500_000  # pages kept in memory; about 50 MB at the worst
_MAX_FILE_BYTES = 40 << 20


class ScanCache:
    """A memory of pages, and a folder of documents and confirmed pages where one is given."""

    def __init__(self, folder: Path | None = None, *, max_bytes: int = _MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._pages: OrderedDict[str, KnownPage] = OrderedDict()
        self._tags_held = 0
        self._written = False

    def holds_any(self, repository: str) -> bool:
        """Answer whether any document of `repository` is kept."""
        return self._folder is not None and self._room(repository).is_dir()

    def document(self, repository: str, digest: str) -> bytes | None:
        """Return the document of that digest, hashed again; `None` when it is not kept."""
        if self._folder is None:
            return None
        path = self._room(repository) / digest.replace(":", "-")
        body = _read(path)
        if body is None:
            return None
        try:
            verify_digest(body, digest)
        except DocumentRefusedError:
            path.unlink(missing_ok=True)
            return None
        return body

    def keep_document(self, repository: str, digest: str, body: bytes) -> None:
        """Keep a document that was verified."""
        if self._folder is not None:
            self._write(self._room(repository) / digest.replace(":", "-"), body)

    def recall(self, key: str) -> KnownPage | None:
        """Return a page of a tag list as it was last seen; only its validator makes it good."""
        page = self._pages.get(key)
        if page is not None or self._folder is None:
            return page
        text = _read(self._page_path(key))
        head, _, body = (text or b"").partition(b"\n")
        try:
            noted = json.loads(head)
            if hashlib.sha256(body).hexdigest() != noted["hash"]:
                return None
            page = KnownPage(
                etag=str(noted["etag"]),
                body_hash=noted["hash"],
                page=read_tag_page(body),
                next_target=str(noted["next"]),
            )
        except (ValueError, LookupError, TypeError, DocumentRefusedError):
            return None
        self._hold(key, page)
        return page

    def keep(self, key: str, page: KnownPage, body: bytes) -> None:
        """Keep a page: in memory, and in the folder when the registry can confirm it later."""
        self._hold(key, page)
        if self._folder is not None and page.etag:
            noted = {"etag": page.etag, "hash": page.body_hash, "next": page.next_target}
            self._write(self._page_path(key), json.dumps(noted).encode() + b"\n" + body)

    def trim(self) -> None:
        """Remove the files that were not written for longest, until the rest fits the bound."""
        if self._folder is None or not self._written:
            return
        files = []
        for path in self._folder.rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file() and not path.is_symlink():
                    stat = path.stat()
                    files.append((stat.st_mtime, stat.st_size, path))
        size = sum(each[1] for each in files)
        for _, bytes_, path in sorted(files):
            if size <= self._max_bytes:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                size -= bytes_

    def _hold(self, key: str, page: KnownPage) -> None:
        old = self._pages.pop(key, None)
        self._tags_held += len(page.page.tags) - (len(old.page.tags) if old else 0)
        self._pages[key] = page
        while self._tags_held > _MAX_TAGS_HELD and len(self._pages) > 1:
            _, gone = self._pages.popitem(last=False)
            self._tags_held -= len(gone.page.tags)

    def _room(self, repository: str) -> Path:
        assert self._folder is not None  # noqa: S101 - callers asked
        return self._folder / "documents" / _name(repository)

    def _page_path(self, key: str) -> Path:
        assert self._folder is not None  # noqa: S101 - callers asked
        return self._folder / "pages" / _name(key)

    def _write(self, path: Path, body: bytes) -> None:
        """Write a whole file or none; a full or read-only disk only costs the memory."""
        with contextlib.suppress(OSError):
            for folder in (self._folder, path.parent.parent, path.parent):
                if folder is not None:
                    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if _is_others(path.parent):
                return
            handle, name = tempfile.mkstemp(dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(body)
                os.replace(name, path)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
            self._written = True


def _is_others(folder: Path) -> bool:
    """Answer whether others than this user may write to `folder` (audit findings of E 0.1)."""
    stat = folder.stat()
    return stat.st_uid != os.getuid() or bool(stat.st_mode & 0o022)


def _name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE_BYTES)
    except OSError:
        return None
