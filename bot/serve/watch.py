"""Has the configuration changed? Content counts, wherever a file system tells nothing.

The operator's file and every file that it names (tokens, keys, certificates) are looked at
every few seconds; a link that is swapped, as Kubernetes does, is a change of what it leads to.

Must not know what the files mean.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

_Stamp = tuple[int, int, int] | None


class Watch:
    """Remembers what files looked like when they were last asked about."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._stamps: dict[Path, _Stamp] = {}
        self._hashes: dict[Path, bytes] = {}
        self.follow(files)

    def follow(self, files: Iterable[Path]) -> None:
        """Look at exactly `files` from now on, as they are now."""
        self._stamps = {file: _stamp(file) for file in files}
        self._hashes = {file: _hash(file) for file in self._stamps}

    def changed(self) -> list[Path]:
        """Return the files whose content is another than when this was last asked."""
        found: list[Path] = []
        for file, before in self._stamps.items():
            now = _stamp(file)
            if now == before:
                continue
            self._stamps[file] = now
            content = _hash(file)
            if content != self._hashes[file]:
                self._hashes[file] = content
                found.append(file)
        return found


def _stamp(file: Path) -> _Stamp:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _hash(file: Path) -> bytes:
    try:
        return hashlib.sha256(file.read_bytes()).digest()
    except OSError:
        return b""
