"""What tests of planning start from: files and a configuration as people write them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from bot.config.discover import read_all
from bot.config.model import Config
from bot.config.native import FILE_NAME, Trust
from bot.errors import Problem
from bot.planning.binding import bind_fields
from bot.planning.choice import Choice, choose
from bot.planning.holds import HoldBook
from bot.planning.plan import Binding
from bot.rewrite.tree import find_fields
from policies.policy import Facts

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NOTHING_HELD = HoldBook(records=())
ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def configured(text: str = "", flux: Mapping[str, str] | None = None) -> Config:
    """Return the configuration that `.pilotfish.yaml` of `text` gives."""
    native = (FILE_NAME, ("version: 1\n" + text).encode()) if text else None
    files = [(name, one.encode()) for name, one in (flux or {}).items()]
    config, problems = read_all(
        native, files, folder=Path("/"), trust=Trust.PERSON, repository_url=None
    )
    assert not problems
    return config


def bind(files: Mapping[str, str] | str, config: str = "") -> tuple[list[Binding], list[Problem]]:
    """Bind the fields of `files`; a text alone is `a.yaml`."""
    named = {"a.yaml": files} if isinstance(files, str) else files
    search = find_fields([(name, text.encode()) for name, text in named.items()])
    assert not search.problems
    made = configured(config)
    return bind_fields(search.fields, made, made.updates)


def bound(files: Mapping[str, str] | str, config: str = "") -> list[Binding]:
    """Bind fields that have no fault."""
    bindings, problems = bind(files, config)
    assert problems == []
    return bindings


def chosen(
    files: Mapping[str, str] | str,
    tags: list[str],
    *,
    config: str = "",
    digests: Mapping[str, str] | None = None,
    facts: Mapping[str, Facts] | None = None,
    holds: HoldBook = NOTHING_HELD,
) -> Choice:
    """Decide for the fields of one policy."""
    known = dict(facts or {})
    known |= {tag: Facts(digest=digest) for tag, digest in (digests or {}).items()}
    return choose(bound(files, config), tags=tags, facts=known, holds=holds, now=NOW)


def written(choice: Choice) -> list[str]:
    """Return the new values, in the order they were decided."""
    return [one.value for one in choice.updates]
