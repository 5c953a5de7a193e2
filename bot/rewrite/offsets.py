"""From characters to bytes: parsers count characters, edits cut bytes.

A byte-order mark stands before the first character and counts three bytes.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from bisect import bisect_right

_CHUNK_CHARS = 4096
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Offsets:
    """Byte offsets of the characters of `text`, which is `content` decoded."""

    def __init__(self, text: str, content: bytes) -> None:
        self.text = text
        self.shift = len(_BYTE_ORDER_MARK) if content.startswith(_BYTE_ORDER_MARK) else 0
        self.plain = text.isascii()
        self.chunks = [0] if self.plain else self._measured()

    def _measured(self) -> list[int]:
        ends = [0]
        for start in range(0, len(self.text), _CHUNK_CHARS):
            ends.append(ends[-1] + len(self.text[start : start + _CHUNK_CHARS].encode()))
        return ends

    def byte(self, at: int) -> int:
        """Return the byte offset of the character `at`."""
        if self.plain:
            return at + self.shift
        chunk = at // _CHUNK_CHARS
        rest = self.text[chunk * _CHUNK_CHARS : at]
        return self.shift + self.chunks[chunk] + len(rest.encode())

    def character(self, byte: int) -> int:
        """Return the character that begins at `byte`."""
        byte -= self.shift
        if self.plain:
            return byte
        chunk = max(0, bisect_right(self.chunks, byte) - 1)
        rest = self.text[chunk * _CHUNK_CHARS :].encode()[: byte - self.chunks[chunk]]
        return chunk * _CHUNK_CHARS + len(rest.decode())
