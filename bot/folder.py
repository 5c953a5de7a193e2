"""The door to folders: which files are visited, how they are read, how one is replaced.

Files are visited by Flux's rule (image automation, "Which files"): every `.yaml` and
`.yml` and every `Kustomization`, hidden folders included, linked folders not followed,
linked files read through the link, dangling links passed over. A file is searched for a
few bytes before anything else sees it; above two thousand files two processes share the
work, which halves the time (measured; threads and memory maps make it slower). A file is
replaced as a whole or not at all.

Must not know what the bytes mean.
"""

from __future__ import annotations

import gc
import os
import pickle
import stat
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from bot.errors import AccessError, ConflictError, Problem, ProductError, Severity, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Work = Callable[[str, bytes], "Result"]

Result = TypeVar("Result")

MAX_READ_BYTES = 5 * 1024 * 1024 + 1  # one more than any reader of ours accepts
_BUFFER_BYTES = 256 * 1024  # holds nearly every file in one read
_SHARED_FROM_FILES = 2_000  # below this a second process costs more than it saves
_COLLECT_EVERY = 30_000  # objects; about twenty parsed files
_EXTENSIONS = (".yaml", ".yml")
_BARE_NAME = "Kustomization"
_TEMPORARY_SUFFIX = ".pilotfish-part"


class MissingFolderError(ProductError):
    """The folder or file that was named is not there, or lies outside the one above it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit(Generic[Result]):
    """What the work on the files gave, by file, and what could not be read or was passed over."""

    results: tuple[Result, ...]
    problems: tuple[Problem, ...]
    files: int


def visit(
    root: Path,
    below: str | None,
    needles: Sequence[bytes],
    work: Callable[[str, bytes], Result],
    *,
    also: Callable[[str], bool] | None = None,
) -> Visit[Result]:
    """Return `work(file, content)` for every file below `root` that holds a needle.

    `also` tells by a file's own name whether it is visited beside those of Flux's rule.

    `file` is relative to `root`, also when only what is `below` it is visited: a folder or
    one file. Without needles every file is worked on. `work` may run in another process:
    it must have no effects, and its results must pickle.

    Raises:
        MissingFolderError: `root` or `below` does not exist, or `below` leaves `root`.
        AccessError: `root` cannot be listed.
    """
    wanted = _wanted(also)
    files, passed = _list(root, below, wanted)
    problems: list[Problem] = []
    shares = _shares(files)
    done = (
        _in_two_processes(str(root), shares, tuple(needles), work)
        if len(shares) > 1
        else [_read_all(str(root), files, tuple(needles), work)]
    )
    results = [result for found, _ in done for result in found]
    problems += [problem for _, troubles in done for problem in troubles]
    problems += _passed_over(str(root), passed, tuple(needles))
    return Visit(results=tuple(results), problems=tuple(problems), files=len(files))


def _wanted(also: Callable[[str], bool] | None) -> Callable[[str], bool]:
    if also is None:
        return _is_visited
    return lambda name: _is_visited(name) or also(name)


def _list(
    root: Path, below: str | None, wanted: Callable[[str], bool]
) -> tuple[list[str], list[str]]:
    """Return the files to visit and those with a name that is nearly right, both sorted."""
    base = os.path.realpath(root)
    start = os.path.realpath(os.path.join(base, below)) if below else base
    if start != base and not start.startswith(base.rstrip(os.sep) + os.sep):
        raise MissingFolderError(
            f"{below!r} leads out of the folder",
            where=str(root),
            hint="Name a folder or file below it",
        )
    if not os.path.lexists(start):
        raise MissingFolderError(
            "no such file or directory",
            where=os.path.join(root, below) if below else str(root),
            hint="Check the name",
        )
    if os.path.isfile(start):
        name = os.path.relpath(start, base) if start != base else ""
        if not name:
            raise MissingFolderError(
                "this is a file", where=str(root), hint="Name its folder, and the file by --path"
            )
        return ([name], []) if wanted(os.path.basename(name)) else ([], [name])
    return _walk(base, start, str(root), wanted)


def _walk(
    base: str, start: str, shown: str, wanted: Callable[[str], bool]
) -> tuple[list[str], list[str]]:
    files: list[str] = []
    passed: list[str] = []
    links: list[str] = []
    prefix = "" if start == base else os.path.relpath(start, base) + "/"
    pending = [(start, prefix)]
    while pending:
        folder, above = pending.pop()
        try:
            entries = os.scandir(folder)
        except OSError as error:
            if folder == start:
                raise AccessError(
                    f"the folder cannot be read: {error.strerror}",
                    where=shown,
                    hint="Grant read access to it",
                ) from error
            passed.append(above)
            continue
        with entries:
            for entry in entries:
                name = entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append((entry.path, f"{above}{name}/"))
                elif wanted(name):
                    (links if entry.is_symlink() else files).append(above + name)
                elif _is_nearly_visited(name):
                    passed.append(above + name)
    files += _linked(base, links, set(files) if links else set())
    return sorted(files), sorted(passed)


def _linked(base: str, links: list[str], files: set[str]) -> list[str]:
    """Return the links to files that are not visited under their own name."""
    kept: dict[str, str] = {}
    for link in sorted(links):
        target = os.path.realpath(os.path.join(base, link))
        if os.path.isfile(target) and os.path.relpath(target, base) not in files:
            kept.setdefault(target, link)
    return list(kept.values())


def _is_visited(name: str) -> bool:
    return name.endswith(_EXTENSIONS) or name == _BARE_NAME


def _is_nearly_visited(name: str) -> bool:
    return name.lower().endswith(_EXTENSIONS) or name.lower() == _BARE_NAME.lower()


def _shares(files: list[str]) -> list[list[str]]:
    """Return the files in one share, or in two where a second process pays and is safe."""
    # A timer that only waits holds no lock that a child would miss.
    running = sum(not isinstance(one, threading.Timer) for one in threading.enumerate())
    if len(files) <= _SHARED_FROM_FILES or running > 1 or not hasattr(os, "fork"):
        return [files]
    middle = len(files) // 2
    return [files[:middle], files[middle:]]


_Done = tuple[list[Result], list[Problem]]


def _in_two_processes(
    root: str,
    shares: list[list[str]],
    needles: tuple[bytes, ...],
    work: Callable[[str, bytes], Result],
) -> list[_Done[Result]]:
    """Do the second share in a child; when it dies, do it here."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _serve_share(writing, root, shares[1], needles, work)
    os.close(writing)
    try:
        first = _read_all(root, shares[0], needles, work)
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read()
    finally:
        _, status = os.waitpid(child, 0)
    if status == 0:
        second: _Done[Result] = pickle.loads(answer)  # noqa: S301  # our own child wrote it
    else:
        second = _read_all(root, shares[1], needles, work)
    return [first, second]


def _serve_share(
    writing: int,
    root: str,
    share: list[str],
    needles: tuple[bytes, ...],
    work: Callable[[str, bytes], Result],
) -> None:
    """Run in the child: write the answer and leave without any of the parent's clean-up."""
    code = 1
    try:
        answer = pickle.dumps(_read_all(root, share, needles, work), pickle.HIGHEST_PROTOCOL)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(answer)
        code = 0
    finally:
        os._exit(code)


def _read_all(
    root: str,
    files: list[str],
    needles: tuple[bytes, ...],
    work: Callable[[str, bytes], Result],
) -> _Done[Result]:
    """Read and work on `files`, with the garbage collected less often meanwhile.

    A parsed file is thousands of small objects that die together; at the usual pace the
    collector takes a third of the time (measured).
    """
    results: list[Result] = []
    problems: list[Problem] = []
    buffer = bytearray(_BUFFER_BYTES)
    lead = root.rstrip("/") + "/"
    pace = gc.get_threshold()
    gc.set_threshold(_COLLECT_EVERY, *pace[1:])
    try:
        for file in files:
            try:
                content = _read(lead + file, buffer, needles)
            except OSError as error:
                if not isinstance(error, FileNotFoundError):
                    problems.append(_unreadable(file, error))
                continue
            if content is not None:
                results.append(work(file, content))
    finally:
        gc.set_threshold(*pace)
    return results, problems


def _read(path: str, buffer: bytearray, needles: tuple[bytes, ...]) -> bytes | None:
    """Return the content of a file that holds a needle, at most `MAX_READ_BYTES` of it."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        count = os.readv(handle, [buffer])
        if count < _BUFFER_BYTES:
            if not needles:
                return bytes(buffer[:count])
            for needle in needles:
                if buffer.find(needle, 0, count) >= 0:
                    return bytes(buffer[:count])
            return None
        content = bytes(buffer) + _rest(handle)
    finally:
        os.close(handle)
    return content if not needles or any(needle in content for needle in needles) else None


def _rest(handle: int) -> bytes:
    pieces: list[bytes] = []
    wanted = MAX_READ_BYTES - _BUFFER_BYTES
    while wanted > 0 and (piece := os.read(handle, wanted)):
        pieces.append(piece)
        wanted -= len(piece)
    return b"".join(pieces)


def _unreadable(file: str, error: OSError) -> Problem:
    return Problem(
        severity=Severity.ERROR,
        message=f"the file cannot be read: {error.strerror}",
        file=file,
        hint="Grant read access to it",
    )


def _passed_over(root: str, files: list[str], needles: tuple[bytes, ...]) -> list[Problem]:
    """Warn of files with a marker whose name keeps them from being visited."""
    problems = [
        Problem(
            severity=Severity.ERROR,
            message="the folder cannot be read",
            file=file,
            hint="Grant read access to it",
        )
        for file in files
        if file.endswith("/")
    ]
    if not needles:
        return problems
    near, _ = _read_all(root, [file for file in files if file[-1] != "/"], needles, _name_of)
    return problems + [
        Problem(
            severity=Severity.WARNING,
            message="the file holds a marker, and its name keeps it from being visited",
            file=file,
            hint="Name it .yaml or .yml in small letters, or Kustomization",
        )
        for file in near
    ]


def _name_of(file: str, _content: bytes) -> str:
    return file


def replace_file(root: Path, file: str, *, old: bytes, new: bytes) -> None:
    """Put `new` in the place of `file` below `root`, which still holds `old`.

    The text is written beside the file and renamed over it: a full disk or a crash leaves
    the old file whole. Mode and, as far as allowed, owner stay; a link stays a link, and
    the file that it leads to is replaced.

    Raises:
        ConflictError: Someone else changed the file meanwhile.
        AccessError: The file or its folder may not be written, or the link leaves `root`.
        UnavailableError: The disk is full or failing.
    """
    base = os.path.realpath(root)
    path = os.path.realpath(os.path.join(base, file))
    if not path.startswith(base.rstrip(os.sep) + os.sep):
        raise AccessError(
            "the link leads out of the folder", where=file, hint="Edit the file it leads to"
        )
    temporary = f"{path}.{os.getpid()}{_TEMPORARY_SUFFIX}"
    try:
        _replace(path, temporary, old, new, file)
    except (PermissionError, FileNotFoundError) as error:
        raise AccessError(
            f"the file cannot be written: {error.strerror}", where=file, hint="Grant write access"
        ) from error
    except OSError as error:
        raise UnavailableError(
            f"the file cannot be written: {error.strerror}; it stands as it was",
            where=file,
            hint="Make room on the disk and run again",
        ) from error


def _replace(path: str, temporary: str, old: bytes, new: bytes, shown: str) -> None:
    with open(path, "rb") as current:
        if current.read() != old:
            raise ConflictError("someone changed the file meanwhile", where=shown, hint="Run again")
        status = os.fstat(current.fileno())
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        handle = os.open(temporary, flags, 0o600)
        with os.fdopen(handle, "wb") as made:
            made.write(new)
            made.flush()
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                _keep_owner(handle, status)
            os.fchmod(handle, stat.S_IMODE(status.st_mode))
        os.replace(temporary, path)
    except BaseException:
        _remove(temporary)
        raise


def _keep_owner(handle: int, status: os.stat_result) -> None:
    try:
        os.fchown(handle, status.st_uid, status.st_gid)
    except PermissionError:
        return  # only the administrator gives files away; the content matters more


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
