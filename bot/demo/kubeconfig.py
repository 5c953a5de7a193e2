"""Which cluster a kubeconfig means: its files, the context, and the server's address.

Read as kubectl reads it: `$KUBECONFIG` may name several files, of which the first that says
something wins; without it the usual file. Nothing is asked of the cluster and no log-in program
is run, so that a person can be told where things would go before anything goes there.

Must not know what is done in the cluster.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.errors import ConfigError
from bot.telemetry import shown
from reconciler.yaml_stream import UnreadableYamlError, read_stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_USER = re.compile(r"//[^/]*@")  # a name and a password before the host
_MAX_BYTES = 4 << 20  # of one file, arbitrary; certificates inside take a few kilobytes each


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAddress:
    """A context by name and what it leads to; `files` are absolute, as `KUBECONFIG` takes them."""

    context: str
    server: str
    files: str


def find_address(
    context: str, kubeconfig: Path | None, environment: Mapping[str, str]
) -> ClusterAddress:
    """Return the cluster that `context` names; the current one when it is empty.

    Raises:
        ConfigError: There is no such context, no kubeconfig that can be read, or the extra
            `cluster` is not installed.
    """
    if find_spec("kubernetes") is None:
        raise ConfigError(
            "the Kubernetes client is not installed",
            where="kubernetes",
            hint="Install it with: pip install 'pilotfish[cluster]'",
        )
    named = [Path(kubeconfig)] if kubeconfig else _usual_files(environment)
    paths = [path for path in (one.expanduser().absolute() for one in named) if path.exists()]
    where = os.pathsep.join(map(str, named))
    if not paths:
        raise ConfigError(
            "there is no kubeconfig", where=where, hint="Name one with --kubeconfig FILE"
        )
    documents = [_read(path) for path in paths]
    known = dict(_entries(documents, "contexts", "context"))
    name = context or next(filter(None, (_text(one, "current-context") for one in documents)), "")
    if name not in known:
        listed = ", ".join(shown(one, max_chars=80) for one in sorted(known)) or "none"
        what = f"there is no context {shown(name)!r}" if name else "no context is the current one"
        raise ConfigError(what, where=where, hint=f"Name one with --context; there are: {listed}")
    clusters = dict(_entries(documents, "clusters", "cluster"))
    server = _text(clusters.get(_text(known[name], "cluster"), {}), "server")
    return ClusterAddress(
        context=name,
        server=shown(_USER.sub("//", server)) or "a server that the kubeconfig does not name",
        files=os.pathsep.join(map(str, paths)),
    )


def _usual_files(environment: Mapping[str, str]) -> list[Path]:
    parts = [part for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [Path(part) for part in parts] or [Path("~/.kube/config")]


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            documents = read_stream(file.read(_MAX_BYTES))
    except (OSError, UnreadableYamlError) as fault:
        raise ConfigError(
            f"the kubeconfig cannot be read: {shown(str(fault))}",
            where=str(path),
            hint="Check the file; `kubectl config view` shows what it says",
        ) from fault
    value = documents[0].value if documents else None
    return value if isinstance(value, dict) else {}


def _entries(
    documents: list[dict[str, Any]], key: str, inner: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield names and what they stand for; the first file that has a name comes last and wins."""
    for document in reversed(documents):
        held = document.get(key)
        for one in reversed(held if isinstance(held, list) else []):
            name = _text(one, "name") if isinstance(one, dict) else ""
            if name and name.isprintable():  # others could write over what the person reads
                content = one.get(inner)
                yield name, content if isinstance(content, dict) else {}


def _text(content: dict[str, Any], key: str) -> str:
    value = content.get(key)
    return value if isinstance(value, str) else ""
