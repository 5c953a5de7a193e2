"""Reads trees and blobs of the cache by their ids; no file of a repository is ever made.

Links and submodules are listed and never read (rule C6 and FG15). Every blob's content is
checked against its id, so that a damaged cache shows before anything is planned from it.
Blobs that are not here are named, not fetched: git is not told that it could (see
`bot.git.fetching`).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from bot.git.faults import CorruptCacheError
from bot.git.names import EntryKind, RelPath, Sha, TreeEntry

if TYPE_CHECKING:
    from bot.git.command import Git

MAX_BLOB_BYTES = 32 << 20  # larger ones are never read; six times what a marked file may have
_CHUNK_BYTES = 16 << 20


async def list_tree(git: Git, commit: Sha) -> tuple[TreeEntry, ...]:
    """Return every entry of `commit` but folders, in git's order.

    Paths that are not UTF-8 carry surrogate escapes and lead back to the same bytes.
    """
    result = await git.local("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit)
    entries = []
    for line in result.stdout.split(b"\0"):
        if line:
            head, _, path = line.partition(b"\t")
            mode, _, sha = head.split(b" ")
            entries.append(
                TreeEntry(
                    path.decode("utf-8", "surrogateescape"),
                    mode.decode("ascii"),
                    Sha(sha.decode("ascii")),
                )
            )
    return tuple(entries)


def below(entries: Iterable[TreeEntry], paths: Sequence[str]) -> list[TreeEntry]:
    """Return the entries that are one of `paths` or lie below one; all when there are none.

    Raises:
        InvalidName: A path leaves the repository.
    """
    places = [str(RelPath(path)) for path in paths]
    if not places or "" in places:
        return list(entries)
    folders = tuple(f"{place}/" for place in places)
    exact = set(places)
    return [e for e in entries if e.path in exact or e.path.startswith(folders)]


def regular(entries: Iterable[TreeEntry], accepts: Callable[[str], bool]) -> list[TreeEntry]:
    """Return the regular files whose paths are accepted."""
    return [e for e in entries if e.kind is EntryKind.FILE and accepts(e.path)]


async def blob_sizes(git: Git, blobs: Iterable[Sha]) -> tuple[dict[Sha, int], list[Sha]]:
    """Return the sizes in bytes of the blobs that are here, and the ids of those that are not."""
    wanted = list(dict.fromkeys(blobs))
    if not wanted:
        return {}, []
    result = await git.local(
        "cat-file",
        "--batch-check=%(objectname) %(objecttype) %(objectsize)",
        "--buffer",
        stdin=_lines(wanted),
    )
    sizes: dict[Sha, int] = {}
    missing: list[Sha] = []
    for sha, line in zip(wanted, result.stdout.decode("ascii").splitlines(), strict=True):
        words = line.split(" ")
        if words[-1] == "missing":
            missing.append(sha)
        elif words[1] == "blob":
            sizes[sha] = int(words[2])
        else:
            raise _damaged(git, sha)
    return sizes, missing


async def read_blobs(git: Git, sizes: Mapping[Sha, int]) -> AsyncIterator[tuple[Sha, bytes]]:
    """Yield the content of blobs that are here, about 16 MiB at a time.

    Raises:
        CorruptCacheError: One of them is not what its id says.
    """
    for chunk in _chunks(sizes):
        result = await git.local("cat-file", "--batch", "--buffer", stdin=_lines(chunk))
        answer, at = result.stdout, 0
        for sha in chunk:
            end = answer.find(b"\n", at)
            size = sizes[sha]
            if end < 0 or answer[at:end] != f"{sha} blob {size}".encode():
                raise _damaged(git, sha)
            content = answer[end + 1 : end + 1 + size]
            at = end + 2 + size
            if blob_id(content, like=sha) != sha:
                raise _damaged(git, sha)
            yield sha, content


def blob_id(content: bytes, *, like: Sha) -> Sha:
    """Return the id that git gives to a blob of `content`, by the hash that `like` uses."""
    name = "sha1" if len(like) == hashlib.sha1(usedforsecurity=False).digest_size * 2 else "sha256"
    digest = hashlib.new(name, b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return Sha(digest.hexdigest())


def _chunks(sizes: Mapping[Sha, int]) -> list[list[Sha]]:
    chunks: list[list[Sha]] = [[]]
    total = 0
    for sha, size in sizes.items():
        if chunks[-1] and total + size > _CHUNK_BYTES:
            chunks.append([])
            total = 0
        chunks[-1].append(sha)
        total += size
    return chunks if chunks[0] else []


def _lines(blobs: Iterable[Sha]) -> bytes:
    return "".join(f"{blob}\n" for blob in blobs).encode("ascii")


def _damaged(git: Git, sha: Sha) -> CorruptCacheError:
    return CorruptCacheError(
        f"the cached copy is damaged at object {sha}",
        where=git.where,
        hint="It is fetched anew; if this stays, check the disk",
    )
