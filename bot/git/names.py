"""Names that go to git: commits, branches, paths and people, checked where they are made.

The grammar is stricter than git's own, which takes `-x`, `a;id` and `a$(id)` for branches
(finding E7 and rules C2, C5, C7, G6 of the threat model): what has one of these types can
be an argument, a line of input or a path in a tree without being taken for anything else.
Branches of a remote whose names do not fit are passed over, never guessed at.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from bot.errors import RefusedError

_SHA = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+#=@-]*(?:/[A-Za-z0-9_][A-Za-z0-9._+#=@-]*)*\Z")
_MAX_BRANCH_CHARS = 240  # a file name below refs/ and `.lock` must fit 255 bytes
_MAX_PATH_BYTES = 4096
_PEOPLE = re.compile(r"[\x00-\x1f\x7f<>\u0085\u2028\u2029]+")


class InvalidName(RefusedError):
    """A commit id, branch, path or person that cannot be passed to git safely."""


class Sha(str):
    """An object id in full: 40 or 64 lower-case hexadecimal digits, not all zero."""

    __slots__ = ()

    def __new__(cls, text: str) -> Sha:
        """Return `text` as an object id.

        Raises:
            InvalidName: It is none.
        """
        if not _SHA.match(text) or not text.strip("0"):
            raise InvalidName(f"{text[:80]!r} is no commit id", hint="Give the id in full")
        return super().__new__(cls, text)


class RefName(str):
    """A branch name without `refs/heads/`."""

    __slots__ = ()

    def __new__(cls, text: str) -> RefName:
        """Return `text` as a branch name.

        Raises:
            InvalidName: It is outside our grammar.
        """
        if not is_branch_name(text):
            raise InvalidName(
                f"{text[:80]!r} cannot be a branch name here",
                hint="Use letters, digits and . _ + # = @ - /, no part beginning with . or -",
            )
        return super().__new__(cls, text)

    @property
    def ref(self) -> str:
        """Return the qualified name, `refs/heads/…`."""
        return f"refs/heads/{self}"


class RelPath(str):
    """A path below the top of a tree, with `/`, that stays inside it.

    Unicode forms are kept as they are: a tree may hold either, and a byte more or less is
    another file.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> RelPath:
        """Return `text` as a path; `.` and a final `/` are not part of it.

        Raises:
            InvalidName: It is absolute, leaves the tree, names `.git`, or holds control
                characters. Says the same whether or not such a file exists (C7).
        """
        parts = [part for part in text.split("/") if part not in {"", "."}]
        if (
            text.startswith("/")
            or any(part == ".." or part.lower() == ".git" for part in parts)
            or any(not c.isprintable() and c not in "\u00a0\u3000" for c in text)
            or len(text.encode("utf-8", "surrogatepass")) > _MAX_PATH_BYTES
        ):
            raise InvalidName(
                f"{text[:80]!r} is no path inside the repository",
                hint="Give a path relative to its top, without '..'",
            )
        return super().__new__(cls, "/".join(parts))


def is_branch_name(text: str) -> bool:
    """Tell whether `text` can be a branch name in our grammar."""
    return (
        len(text) <= _MAX_BRANCH_CHARS
        and _BRANCH.match(text) is not None
        and not any(wrong in text for wrong in ("..", "@{", "./", ".lock/"))
        and not text.endswith((".", ".lock"))
        and not text.startswith("refs/")
        and text not in {"HEAD", "@"}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person or bot as git writes it: `name <email>`."""

    name: str
    email: str

    def __post_init__(self) -> None:
        for field in (self.name, self.email):
            if _PEOPLE.search(field) or field != field.strip():
                raise InvalidName(
                    f"{field[:80]!r} cannot stand in an author line",
                    hint="Write it as 'name <mail@example.org>', on one line",
                )
        if not self.name or not self.email or " " in self.email:
            raise InvalidName(
                f"{self.text[:80]!r} is no author", hint="Write it as 'name <mail@example.org>'"
            )

    @property
    def text(self) -> str:
        """Return `name <email>`."""
        return f"{self.name} <{self.email}>"


class EntryKind(Enum):
    """What a tree entry is; only `FILE` is ever read or written."""

    FILE = "file"
    LINK = "link"
    SUBMODULE = "submodule"


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry of a tree: a path with `/`, a mode as git writes it, and the blob's id."""

    path: str
    mode: str
    sha: Sha

    @property
    def kind(self) -> EntryKind:
        """Tell files, which may be edited, from links and submodules, which never are."""
        if self.mode == "120000":
            return EntryKind.LINK
        return EntryKind.SUBMODULE if self.mode == "160000" else EntryKind.FILE
