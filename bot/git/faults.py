"""What git says when it fails, in our words: one table from its messages to our errors.

git is asked to speak English (`LC_ALL=C`). Lines that begin with `remote:` are the other
side's: they are shown escaped, and never decide that our own cache is broken. The order of
the table matters, since one failure makes git say several things.
"""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from bot.errors import (
    AccessError,
    ConfigError,
    ConflictError,
    ProductError,
    RefusedError,
    UnavailableError,
)
from bot.telemetry import shown

if TYPE_CHECKING:
    from bot.process import Completed


class GitTooOldError(ConfigError):
    """The git of this machine lacks what we need."""


class EmptyRemoteError(ConfigError):
    """The remote has no commit yet."""


class BranchMissingError(ConfigError):
    """The remote has no such branch."""


class SigningError(ConfigError):
    """A commit that must be signed could not be: the key is missing, expired or locked."""


class HostKeyError(AccessError):
    """The server's SSH key is unknown or another than the one we know."""


class GitAccessError(AccessError):
    """The remote does not know us, or hides the repository."""


class GitUnavailableError(UnavailableError):
    """The remote cannot be reached, or git failed for a reason that may pass."""


class DiskFullError(UnavailableError):
    """The cache cannot be written; nothing was published."""


class CorruptCacheError(UnavailableError):
    """Our own copy of the remote is damaged; it is set aside and fetched anew."""


class MovedError(ConflictError):
    """The branch is not where it was when the change was planned."""


class PushRefusedError(RefusedError):
    """The remote took the connection and refused the change: a hook, or a protected branch."""


class UnsafeObjectsError(RefusedError):
    """The remote sent objects that git's checks refuse."""


class UnsafeEditError(RefusedError):
    """An edit that would touch a link, a submodule, or more than was asked for."""


def _any(*texts: str) -> re.Pattern[str]:
    return re.compile("|".join(texts), re.IGNORECASE)


_DISK = _any(
    "no space left on device",
    "disk quota exceeded",
    "file too large",
    "out of diskspace",
    "died of signal 25",
)
_HOST_KEY = _any("host key verification failed", "remote host identification has changed")
_ACCESS = _any(
    "authentication failed",
    "could not read username",
    "could not read password",
    "returned error: 40[13]",
    r"permission denied \(",
    "terminal prompts disabled",
    "access denied",
    "too many authentication failures",
)
_NOT_FOUND = _any(
    "repository .* not found",
    "returned error: 404",
    "does not appear to be a git repository",
    "does not exist",
)
_REF_GONE = _any("couldn't find remote ref")
_MOVED_AWAY = _any("returned error: 30[1278]", "unable to update url base from redirection")
_TRUST = _any("ssl certificate problem", "certificate verif", "unable to get local issuer")
_CORRUPT = _any(
    "corrupt",
    "object file .* is empty",
    "inflate",
    "bad object",
    "unable to (?:read|parse) (?:tree|object|commit)",
    "unable to unpack",
    "packfile .* (?:cannot be|is|does not)",
    "is not a git packfile",
    "reference broken",
    "bad shallow line",
    "not a tree object",
    "index file .* is",
    "not a git repository",
    "missing (?:blob|tree|commit|object)",
    "bad config",
    "bad tree",
    "(?:failed|could not) (?:to )?(?:open|read|parse|traverse)",
    "did not send all necessary objects",
    "hash mismatch",
    "bad (?:pack|signature|ref)",
    "shallow file",
    "unknown repository extension",
    "expected git repo version",
    "garbage",
    "broken ref",
)
_FORBIDDEN = _any("transport '.*' not allowed", "protocol '.*' is not supported")
_FSCK = _any("fsck error")


def own_lines(stderr: str) -> str:
    """Return what our own git said, without what it passed on from the other side."""
    return "\n".join(line for line in stderr.splitlines() if not line.startswith("remote:"))


def remote_lines(stderr: str) -> str:
    """Return what the other side said, without blank lines and the prefixes, on one line."""
    said = [line[7:].strip() for line in stderr.splitlines() if line.startswith("remote:")]
    lines = [re.sub(r"^(?:(?:remote|error|fatal):\s*)+", "", line) for line in said]
    return shown(" ".join(line for line in lines if line), max_chars=600)


def is_disk_full(result: Completed) -> bool:
    """Tell whether the child failed for want of space, or of a right to larger files."""
    return result.code == -signal.SIGXFSZ or _DISK.search(own_lines(result.error_text)) is not None


def translate_network(result: Completed, *, where: str) -> ProductError:
    """Return the error for a command that spoke to the remote and failed."""
    said = result.error_text
    own = own_lines(said)
    if is_disk_full(result):
        return _disk_full(where)
    if _FSCK.search(own):
        return UnsafeObjectsError(
            f"the remote sent objects that git's checks refuse: {_gist(own)}",
            where=where,
            hint="Look at the history of this repository with git fsck",
        )
    for pattern, kind, what, hint in _NETWORK_FAULTS:
        if pattern.search(said):
            return kind(what, where=where, hint=hint)
    if _CORRUPT.search(own):
        return _corrupt(own, where)
    return GitUnavailableError(
        f"git could not finish: {_gist(said) or f'exit status {result.code}'}",
        where=where,
        hint="Try again; if it stays, check the server and the network",
    )


_NETWORK_FAULTS: tuple[tuple[re.Pattern[str], type[ProductError], str, str], ...] = (
    (
        _HOST_KEY,
        HostKeyError,
        "the server's SSH key is not the one that is known",
        "If the server has a new key, put it into the known hosts file; "
        "otherwise someone may be in between",
    ),
    (
        _ACCESS,
        GitAccessError,
        "the server does not let us in",
        "Check the token or key, that it has not expired, and that it may read and write this "
        "repository; PILOTFISH_FORGE_TOKEN is the token for every host",
    ),
    (
        _NOT_FOUND,
        GitAccessError,
        "there is no such repository, or it is hidden from us",
        "Check the address, and that the token or key may see this repository",
    ),
    (
        _REF_GONE,
        MovedError,
        "a branch was deleted meanwhile",
        "The change is planned again on what is there now",
    ),
    (
        _MOVED_AWAY,
        ConfigError,
        "the server sends us to another address, which is not followed",
        "Use the repository's present address, often one that ends in .git",
    ),
    (
        _TRUST,
        GitAccessError,
        "the server's certificate is not trusted",
        "Name the certificate authority's file in the configuration",
    ),
    (
        _FORBIDDEN,
        ConfigError,
        "git would use a way to the remote that is not allowed",
        "Use https or ssh; look for an insteadOf in git's configuration",
    ),
)


def translate_local(result: Completed, *, where: str) -> ProductError:
    """Return the error for a command that worked on our cache alone and failed.

    With arguments that are checked before, there are two causes only: no room, or damage.
    """
    if is_disk_full(result):
        return _disk_full(where)
    return _corrupt(own_lines(result.error_text) or f"exit status {result.code}", where)


def _disk_full(where: str) -> DiskFullError:
    return DiskFullError(
        "there is no room to write the cached copy; nothing was published",
        where=where,
        hint="Free some space, or name another cache folder",
    )


def _corrupt(own: str, where: str) -> CorruptCacheError:
    return CorruptCacheError(
        f"the cached copy is damaged: {_gist(own)}",
        where=where,
        hint="It is fetched anew; if this stays, delete the cache folder and check the disk",
    )


def _gist(said: str) -> str:
    """Return the line that says most: the first fatal one, else the last."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    loud = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))]
    return shown((loud or lines[-1:] or [""])[0], max_chars=300)
