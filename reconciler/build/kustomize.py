"""A folder → objects: `kubectl kustomize` on a private copy, plain files as they are.

What a kustomization needs is found beforehand, by its paths, and copied into a folder of its own;
kustomize runs there, without PATH, home or network, and finds nothing else. A folder without a
kustomization is read file by file; folders below it that have one are built as such, as Flux's
generated kustomization would (`reconciler.md` 2.6). Names that begin with a dot are passed over.

Must not know the cluster.
"""

from __future__ import annotations

import asyncio
import logging
import posixpath
import shutil
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.errors import ConfigError, UnavailableError
from bot.process import run
from reconciler.build.confined import ConfinedFolder
from reconciler.build.gather import MAX_DEPTH, gather, kustomization_in
from reconciler.build.kustomization import RefusedBuildError
from reconciler.objects import MAX_OBJECTS, KubernetesObject, read_objects, refuse_duplicates

_TIMEOUT_S = 60.0
_MAX_OUTPUT_BYTES = 128 * 1024 * 1024
_ENDINGS = (".yaml", ".yml")
_NOWHERE = "http://127.0.0.1:9"  # the discard port: should it ask anyone, nobody answers
_SEPARATOR = b"---\n"
_log = logging.getLogger(__name__)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class BuildError(ConfigError):
    """kustomize does not accept the folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a folder holds: as a YAML stream, and as objects in its order."""

    text: bytes = field(repr=False)
    objects: tuple[KubernetesObject, ...]


async def build(folder: Path, *, root: Path | None = None) -> Built:
    """Return the objects of a folder, or of one file.

    Nothing outside `root` is read; by default that is the folder itself.

    Raises:
        ConfigError: It is not there, not YAML, holds no objects or one twice, or kustomize
            rejects it.
        RefusedError: It leads out of `root`, is remote, runs code, or goes beyond the bounds.
        UnavailableError: There is no kubectl and one is needed.
    """
    confined, start = await asyncio.to_thread(_open, folder, root)
    parts: list[bytes] = []
    objects: list[KubernetesObject] = []
    for path in await asyncio.to_thread(_paths, confined, start):
        text, found = await _part(confined, path)
        parts.append(text)
        objects += found
        if len(objects) > MAX_OBJECTS:
            raise RefusedBuildError(
                f"there are more than {MAX_OBJECTS} objects", where=str(folder), hint="Divide it"
            )
    refuse_duplicates(objects)
    return Built(text=_joined(parts), objects=tuple(objects))


def _open(folder: Path, root: Path | None) -> tuple[ConfinedFolder, str]:
    """Return where may be read, and the path of `folder` in it."""
    if not folder.exists():
        raise ConfigError("it is not there", where=str(folder), hint="Name a folder that exists")
    confined = ConfinedFolder(root or (folder if folder.is_dir() else folder.parent))
    try:
        return confined, folder.resolve().relative_to(confined.root).as_posix()
    except ValueError as fault:
        raise RefusedBuildError(
            f"it is not inside {confined.root}", where=str(folder), hint="Name a wider --root"
        ) from fault


def _paths(confined: ConfinedFolder, start: str) -> list[str]:
    return [start] if confined.is_file(start) else list(_builds_below(confined, start, 0))


async def _part(confined: ConfinedFolder, path: str) -> tuple[bytes, list[KubernetesObject]]:
    if confined.is_file(path):
        return await asyncio.to_thread(_plain, confined, path)
    return await _kustomized(confined, path)


def _builds_below(confined: ConfinedFolder, folder: str, depth: int) -> Iterator[str]:
    """Yield the plain files below a folder, and the folders that kustomize builds, by path."""
    if kustomization_in(confined, folder):
        yield folder
        return
    if depth > MAX_DEPTH:
        raise RefusedBuildError(
            f"folders nest deeper than {MAX_DEPTH}", where=folder, hint="Flatten them"
        )
    for name in confined.names(folder):
        path = posixpath.normpath(posixpath.join(folder, name))
        if name.startswith("."):
            continue
        if confined.is_folder(path):
            yield from _builds_below(confined, path, depth + 1)
        elif name.endswith(_ENDINGS):
            yield path


def _plain(confined: ConfinedFolder, path: str) -> tuple[bytes, list[KubernetesObject]]:
    text = confined.read(path).removeprefix(_BYTE_ORDER_MARK)
    return text, read_objects(text, source=path)


def _joined(parts: list[bytes]) -> bytes:
    """Return streams as one: each begins a document of its own and ends its line."""
    whole = bytearray()
    for part in parts:
        if whole and not part.startswith((b"---", b"%")):
            whole += _SEPARATOR
        whole += part
        if part and not part.endswith(b"\n"):
            whole += b"\n"
    return bytes(whole)


async def _kustomized(
    confined: ConfinedFolder, folder: str
) -> tuple[bytes, list[KubernetesObject]]:
    files = await asyncio.to_thread(gather, confined, folder)
    kubectl = find_kubectl()
    with tempfile.TemporaryDirectory(prefix="pilotfish-build-") as private:
        copy = await asyncio.to_thread(_write, Path(private), files)
        done = await run(
            [kubectl, "kustomize", str(copy / folder), "--load-restrictor=LoadRestrictionsNone"],
            environment=_fenced(private),
            cwd=copy,
            timeout_s=_TIMEOUT_S,
            max_output_bytes=_MAX_OUTPUT_BYTES,
        )
    if done.code:
        said = done.error_text.replace(str(copy), str(confined.root)).removeprefix("error: ")
        raise BuildError(
            " ".join(said.split()) or f"kustomize ended with code {done.code}",
            where=folder,
            hint="Correct the kustomization; `kubectl kustomize` says the same",
        )
    if done.error_text:
        _log.info("kustomize has a warning", extra={"folder": folder, "said": done.error_text})
    return done.stdout, _read_built(done.stdout, folder)


def _read_built(text: bytes, folder: str) -> list[KubernetesObject]:
    """Return the objects of kustomize's output, each document within the bounds by itself."""
    objects: list[KubernetesObject] = []
    for number, document in enumerate(text.split(b"\n" + _SEPARATOR), start=1):
        objects += read_objects(document, source=f"{folder} (object {number} of its build)")
    return objects


def _fenced(home: str) -> dict[str, str]:
    """Return an environment in which nothing can be started, found or fetched."""
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _NOWHERE)
    return {
        "PATH": "",
        "HOME": home,
        "TMPDIR": home,
        "NO_PROXY": "",
        "LC_ALL": "C.UTF-8",
        **proxies,
    }


def _write(private: Path, files: Mapping[str, bytes]) -> Path:
    """Write `files` below a folder in `private` and return that folder."""
    copy = private.resolve() / "copy"
    for path, text in files.items():
        target = copy / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)
    return copy


def find_kubectl() -> str:
    """Return the path of kubectl: beside our own interpreter, else the one on the PATH.

    Ours comes first, so that the extra `cluster` builds the same bytes on every machine.

    Raises:
        UnavailableError: There is neither.
    """
    scripts = sysconfig.get_path("scripts")
    found = shutil.which("kubectl", path=scripts) or shutil.which("kubectl")
    if found is None:
        raise UnavailableError(
            "kubectl is missing, and with it kustomize",
            where="kubectl",
            hint="Install kubectl, or the extra: pip install 'pilotfish[cluster]'",
        )
    return found
