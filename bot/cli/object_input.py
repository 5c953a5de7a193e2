"""The objects that a command is given: a file, a folder of YAML or JSON, or standard input."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from bot.errors import ConfigError
from reconciler.objects import raw_objects

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDARD_INPUT = "-"
_ENDINGS = (".yaml", ".yml", ".json")


def read_input(name: str) -> Iterator[tuple[Any, str]]:
    """Yield every document of what `name` stands for, with the place it begins at.

    Of a folder the YAML and JSON files directly in it are read, by name.

    Raises:
        ConfigError: It cannot be read, or holds something that is no YAML.
    """
    if name == STANDARD_INPUT:
        yield from raw_objects(sys.stdin.buffer.read(), source="standard input")
        return
    names = [name]
    if os.path.isdir(name):
        listed = sorted(one for one in os.listdir(name) if one.endswith(_ENDINGS))
        names = [os.path.join(name, one) for one in listed]
    for one in names:
        yield from raw_objects(read_bytes(one), source=one)


def read_bytes(name: str) -> bytes:
    """Return what a file, or with `-` standard input, holds.

    Raises:
        ConfigError: It cannot be read.
    """
    if name == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError as fault:
        raise ConfigError(
            f"it cannot be read: {fault.strerror}",
            where=name,
            hint="Name a file that exists, or - for standard input",
        ) from fault
