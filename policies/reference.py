"""References to images: parsed, normalised and printed.

Names follow the OCI distribution specification 1.1 ("Pulling manifests"), tags and digests
its grammars; which first segment is a registry, and `library/` for Docker Hub, follow
Docker's rule as go-containerregistry and Flux apply it. Knows nothing about transport.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DOCKER_HUB = "index.docker.io"
_HUB_NAMES = frozenset({"docker.io", DOCKER_HUB})
_MAX_NAME = 255  # host and path together; the limit that many clients set

_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_HEX_LENGTH = {"sha256": 64, "sha384": 96, "sha512": 128}
_HEX = re.compile(r"[0-9a-f]+")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:.]+\])(?::[0-9]{{1,5}})?")


class InvalidReference(ValueError):
    """A text that names no image: the caller adds where it stands.

    `kind` is invalid-reference, tag-not-allowed or scheme-not-allowed.
    """

    def __init__(self, message: str, *, kind: str = "invalid-reference") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A named collection of images in a registry, normalised.

    `registry` is a host with its port as written (`index.docker.io` for Docker Hub), `path`
    what follows it, `library/` included.
    """

    registry: str
    path: str

    @property
    def canonical(self) -> str:
        """Return the one text that stands for this repository, as Flux's canonical name."""
        return f"{self.registry}/{self.path}"

    def __str__(self) -> str:
        return self.canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image: its repository, and the tag or digest that picks one from it.

    `name` is the repository exactly as it was written, without tag and digest.
    """

    name: str
    repository: Repository
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{self.name}{tag}{digest}"


def is_tag(text: str) -> bool:
    """Is `text` a tag by OCI distribution 1.1: at most 128 of letters, digits, `_.-`?"""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Is `text` a digest by the OCI image specification, with the length its algorithm has?"""
    if not _DIGEST.fullmatch(text):
        return False
    algorithm, _, encoded = text.partition(":")
    length = _HEX_LENGTH.get(algorithm)
    return length is None or (len(encoded) == length and _HEX.fullmatch(encoded) is not None)


def parse_reference(text: str) -> Reference:
    """Return the parts of an image reference such as `ghcr.io/acme/api:1.4@sha256:…`.

    A colon counts as a tag's only after the last slash, so that ports are none.

    Raises:
        InvalidReference: It has a scheme, or a part that the grammar does not allow.
    """
    _refuse_scheme(text)
    rest, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise InvalidReference(f"{digest!r} in {text!r} is no digest")
    name, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        name, colon, tag = rest, "", ""
    if colon and not is_tag(tag):
        raise InvalidReference(f"{tag!r} in {text!r} is no tag")
    return Reference(
        name=name,
        repository=_repository(name),
        tag=tag if colon else None,
        digest=digest if at else None,
    )


def parse_repository(text: str) -> Repository:
    """Return the repository that `text` names, where neither tag nor digest may stand.

    Raises:
        InvalidReference: `kind` tells a tag, a scheme and a bad name apart.
    """
    _refuse_scheme(text)
    if "@" in text or ":" in text.rpartition("/")[2]:
        raise InvalidReference(
            f"{text!r} names a tag or digest; only a repository may stand here",
            kind="tag-not-allowed",
        )
    return _repository(text)


def _refuse_scheme(text: str) -> None:
    if "://" in text:
        raise InvalidReference(
            f"{text!r} begins with a scheme; write it without", kind="scheme-not-allowed"
        )


def _repository(name: str) -> Repository:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, path = first, rest
    else:
        registry, path = DOCKER_HUB, name
    if registry in _HUB_NAMES:
        registry = DOCKER_HUB
        if "/" not in path:
            path = f"library/{path}"
    if len(registry) + len(path) + 1 > _MAX_NAME:
        raise InvalidReference(f"{name[:40]!r}… is longer than {_MAX_NAME} characters")
    if not _HOST.fullmatch(registry):
        raise InvalidReference(f"{registry!r} in {name!r} is no host of a registry")
    if not _PATH.fullmatch(path):
        raise InvalidReference(
            f"{name!r} is no image name: small letters and digits, joined by . _ - and /"
        )
    return Repository(registry=registry, path=path)
