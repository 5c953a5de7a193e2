"""Builds one commit in the bare cache from new bytes for some paths.

One proposal is one commit, all files or none (I8). Bytes go in as they are, without filters
(FG21); modes stay; links and submodules are refused (C6, FG15). What was built is read back
before anyone may push it: one parent, the one asked for, and no path changed but those asked
for (I7, FG12). Building only adds objects: until a push nothing outside sees them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.git.faults import SigningError, UnsafeEditError, translate_local
from bot.git.history import Commit, read_commits
from bot.git.names import EntryKind, Identity, RelPath, Sha, TreeEntry
from bot.git.reading import blob_id
from bot.git.trailers import clean_message
from bot.telemetry import shown

if TYPE_CHECKING:
    from bot.git.command import Git
    from bot.git.signing import Signer

_BUILT_REF = "refs/pilotfish/built"
_NEW_FILE_MODE = "100644"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A commit to be built; `parent` None makes the first of a history."""

    parent: Sha | None
    edits: Mapping[str, bytes]
    message: str
    author: Identity
    when: datetime


async def build_commit(
    git: Git, draft: Draft, tree: Sequence[TreeEntry], *, signer: Signer | None
) -> Sha | None:
    """Return the id of the new commit, or None when no byte would change.

    `tree` is what the parent holds. Building the same draft twice gives the same id, but
    for signatures that are not repeatable.

    Raises:
        UnsafeEditError: An edit names a link, a submodule, a folder or a path outside.
        SigningError: It must be signed and cannot be.
        DiskFullError: There is no room; nothing refers to what was written.
    """
    modes = _changed_modes(draft, tree)
    if not modes:
        return None
    result = await git.local(
        "fast-import", "--quiet", "--force", "--done", "--date-format=raw",
        stdin=_stream(draft, modes),
    )  # fmt: skip
    built = Sha(result.stdout.decode("ascii").strip())
    if signer is not None:
        built = await _sign(git, draft, await _read_back(git, built, draft, modes), signer)
    return (await _read_back(git, built, draft, modes)).sha


def _changed_modes(draft: Draft, tree: Sequence[TreeEntry]) -> dict[str, str]:
    """Return the modes of the paths whose bytes change, after looking at every edit."""
    entries = {entry.path: entry for entry in tree}
    folders = {path[:at] for path in entries for at in _slashes(path)} if draft.edits else set()
    modes: dict[str, str] = {}
    for path, content in draft.edits.items():
        entry = entries.get(path)
        if entry is None:
            if str(RelPath(path)) != path or not path or path in folders:
                raise _unsafe(path, "is no path for a file")
            if any(path[:at] in entries for at in _slashes(path)):
                raise _unsafe(path, "lies below something that is no folder")
            modes[path] = _NEW_FILE_MODE
        elif entry.kind is not EntryKind.FILE:
            raise _unsafe(path, f"is a {entry.kind.value}, which is never edited")
        elif blob_id(content, like=entry.sha) != entry.sha:
            modes[path] = entry.mode
    return modes


def _slashes(path: str) -> list[int]:
    return [at for at, sign in enumerate(path) if sign == "/"]


def _unsafe(path: str, why: str) -> UnsafeEditError:
    return UnsafeEditError(
        f"{shown(path)} {why}",
        where=shown(path),
        hint="Edit the file itself by hand, or move the marker",
    )


def _stream(draft: Draft, modes: Mapping[str, str]) -> bytes:
    who = f"{draft.author.text} {_seconds(draft.when)} +0000"
    message = clean_message(draft.message).encode("utf-8", "replace")
    parts = [
        b"feature done\nfeature get-mark\n",
        f"commit {_BUILT_REF}\nmark :1\nauthor {who}\ncommitter {who}\n".encode(),
        b"data %d\n%b\n" % (len(message), message),
        f"from {draft.parent}\n".encode() if draft.parent else b"",
    ]
    for path, mode in modes.items():
        content = draft.edits[path]
        parts.append(b"M %b inline %b\n" % (mode.encode(), _quoted(path)))
        parts.append(b"data %d\n%b\n" % (len(content), content))
    parts.append(b"get-mark :1\ndone\n")
    return b"".join(parts)


def _seconds(when: datetime) -> int:
    return int(when.astimezone(UTC).timestamp())


def _quoted(path: str) -> bytes:
    raw = path.encode("utf-8", "surrogateescape")
    return b'"%b"' % raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")


async def _sign(git: Git, draft: Draft, unsigned: Commit, signer: Signer) -> Sha:
    date = f"{_seconds(draft.when)} +0000"
    who = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (
            ("NAME", draft.author.name),
            ("EMAIL", draft.author.email),
            ("DATE", date),
        )
    }
    parents = ["-p", str(draft.parent)] if draft.parent else []
    result = await git.local(
        "commit-tree", "-S", *parents, "-F", "-", unsigned.tree,
        stdin=clean_message(draft.message).encode("utf-8", "replace"),
        more={**signer.environment, **who},
        accepted=tuple(range(256)),
    )  # fmt: skip
    if result.code:
        fault = translate_local(result, where=git.where)
        raise SigningError(
            f"the commit could not be signed: {shown(result.error_text)}",
            where="commit signing",
            hint="Check the key and its passphrase, and that the key has not expired",
        ) from fault
    signed = Sha(result.stdout.decode("ascii").strip())
    await signer.verify(signed)
    return signed


async def _read_back(git: Git, built: Sha, draft: Draft, modes: Mapping[str, str]) -> Commit:
    """Return the commit as git has it, once it is exactly what was asked for."""
    (commit,) = await read_commits(git, [built], limit=1, with_changes=True)
    wanted_parents = (draft.parent,) if draft.parent else ()
    changed = {path: change.new_mode for path, change in commit.changes.items()}
    if commit.parents != wanted_parents or changed != dict(modes):
        raise UnsafeEditError(
            "the commit that was built is not the one that was asked for; it was not pushed",
            where=git.where,
            hint="Please report this with the names of the changed files",
        )
    return commit
