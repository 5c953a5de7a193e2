"""Where a secret is kept (environment, file), and a `Secret` that never prints.

A secret's text is asked for by `reveal()` at the moment of use and nowhere else;
printing, formatting, comparing and pickling give nothing away (rules S1, W2).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from bot.errors import ConfigError
from bot.telemetry import remember_secret


class Secret:
    """A text that must not be seen."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text
        remember_secret(text)

    def reveal(self) -> str:
        """Return the text, for the one place that must send it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("compare secrets with equals()")

    __hash__ = None  # type: ignore[assignment]  # a secret is no key

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """Where a secret stands: an environment variable or a file, exactly one of them."""

    env: str = ""
    file: str = ""

    def __str__(self) -> str:
        return f"env {self.env}" if self.env else f"file {self.file}"


def read_secret(ref: SecretRef, *, where: str, folder: Path) -> Secret:
    """Return the secret that `ref` names; a relative file is taken from `folder`.

    One final line end of a file is not part of the secret.

    Raises:
        ConfigError: The variable is not set, or the file cannot be read or is empty.
    """
    if ref.env:
        text = os.environ.get(ref.env, "")
        if not text:
            raise ConfigError(
                f"the environment variable {ref.env} is not set",
                where=where,
                hint=f"Set {ref.env}, or name another place for this secret",
            )
        return Secret(text)
    path = folder / ref.file
    try:
        text = path.read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigError(
            f"the secret file {ref.file} cannot be read",
            where=where,
            hint="Check that the file exists and may be read by this user",
        ) from fault
    if not text:
        raise ConfigError(f"the secret file {ref.file} is empty", where=where, hint="Fill it")
    return Secret(text)
