"""Registry documents: bytes to types, their digest verified, nothing ambiguous let through.

Rules: OCI image-spec and distribution-spec 1.1, Docker's schema 2; threats R7, R10 and R11:
a stated media type must agree with the header, a document that is both an index and a manifest
is refused, a digest has the right shape before anything is done with it, and JSON is neither
deep nor says a key twice.

Must not know HTTP, nor where the bytes came from.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from bot.errors import RefusedError

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MEDIA_TYPES = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST)
ACCEPT = ", ".join(MEDIA_TYPES)

MAX_MANIFEST_BYTES = 4 << 20  # OCI distribution-spec, "Pushing Manifests"
MAX_CONFIG_BYTES = 8 << 20  # `peers.md` 6.6
MAX_PAGE_BYTES = 32 << 20  # threat R7
_MATCHED_AT_ONCE = 5000  # arbitrary: the engine remembers every repetition
_MAX_DEPTH = 32
_MAX_TEXT = 4096  # of a label or annotation; longer ones are cut
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_TAG_GRAMMAR = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_TAG = re.compile(_TAG_GRAMMAR)
_TAGS = re.compile(rf"(?:{_TAG_GRAMMAR}\n)*{_TAG_GRAMMAR}")
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?"
)
_ARCHITECTURES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386"}
_PLAIN_VARIANTS = {("amd64", "v1"), ("arm64", "v8"), ("arm64", "8")}

_NOTHING: Mapping[str, str] = MappingProxyType({})


class DocumentRefusedError(RefusedError):
    """The registry's document is not what it claims, or not one that we read."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Platform:
    """Operating system, architecture and variant, normalised as container engines do."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        """Return `os/architecture[/variant]`, as it is written in configuration."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A pointer from one document to another, as OCI image-spec's descriptor.

    `platform` is `None` where none is stated, or where it is stated as unknown.
    """

    media_type: str
    digest: str
    size: int = 0
    platform: Platform | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One image, or one artifact."""

    digest: str
    media_type: str
    config: Descriptor
    artifact_type: str = ""
    subject: str = ""
    annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """One image per platform, and what was attached to them."""

    digest: str
    media_type: str
    entries: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    @property
    def images(self) -> tuple[Descriptor, ...]:
        """Return the entries that are images: those that state a platform."""
        return tuple(each for each in self.entries if each.platform is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """What an image says of itself. `created` is as stated, `None` when it states no time."""

    platform: Platform | None
    created: datetime | None
    labels: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagPage:
    """One page of a tag list. `dropped` counts the names that are no tags."""

    tags: tuple[str, ...]
    dropped: int = 0


def is_digest(text: str) -> bool:
    """Answer whether `text` has the shape of a digest that we verify."""
    return _DIGEST.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Answer whether `text` is a tag (OCI distribution-spec, "Pulling manifests")."""
    return _TAG.fullmatch(text) is not None


def digest_of(body: bytes, *, like: str = "sha256:") -> str:
    """Return the digest of `body` by the algorithm that `like` begins with."""
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, body, usedforsecurity=True).hexdigest()}"


def verify_digest(body: bytes, digest: str) -> None:
    """Check that `body` is what `digest` names.

    Raises:
        DocumentRefusedError: It is not, or the digest is none.
    """
    if not is_digest(digest):
        raise _refused("it names a digest of an unknown kind", "sha256 and sha512 are verified")
    if not hmac.compare_digest(digest_of(body, like=digest), digest):
        raise _refused(
            f"the content is not what {digest[:19]}… names",
            "Nothing of it was used; ask who runs the registry",
        )


def normal_platform(os: str, architecture: str, variant: str = "") -> Platform | None:
    """Return the platform in its one spelling; `None` when it is stated as unknown.

    `arm64/v8` is `arm64`, `amd64/v1` is `amd64`, `arm` is `arm/v7`, as containerd has it.
    """
    os, architecture = os.strip().lower(), architecture.strip().lower()
    variant = variant.strip().lower()
    if not os or not architecture or "unknown" in {os, architecture}:
        return None
    architecture = _ARCHITECTURES.get(architecture, architecture)
    if (architecture, variant) in _PLAIN_VARIANTS:
        variant = ""
    if architecture in {"arm", "armhf", "armel"}:
        variant = variant or {"armel": "v6"}.get(architecture, "v7")
        variant = variant if variant.startswith("v") else f"v{variant}"
        architecture = "arm"
    return Platform(os=os, architecture=architecture, variant=variant)


def read_platform(text: str) -> Platform | None:
    """Return `os/architecture[/variant]` as a platform; `None` when it is none."""
    parts = text.split("/")
    return normal_platform(*parts) if len(parts) in {2, 3} else None


def read_document(body: bytes, *, content_type: str, digest: str = "") -> Manifest | Index:
    """Return a manifest or an index, checked against `digest` where one is given.

    Raises:
        DocumentRefusedError: Wrong digest, unknown or contradicting media types, or no
            document of that kind.
    """
    if digest:
        verify_digest(body, digest)
    fields = _read_object(body, "document")
    stated = fields.get("mediaType", "")
    header = content_type.partition(";")[0].strip().lower()
    media_type = header or (stated if isinstance(stated, str) else "")
    if media_type not in MEDIA_TYPES:
        raise _refused(
            f"it answers with a document of the kind {media_type[:80] or 'unknown'!r}",
            "OCI and Docker schema 2 are read; older images must be pushed again",
        )
    if stated not in {"", media_type}:
        raise _refused("the document's own media type contradicts the header", _ASK)
    is_index = media_type in {OCI_INDEX, DOCKER_LIST}
    if ("manifests" in fields) != is_index or (is_index and {"layers", "config"} & set(fields)):
        raise _refused("the document could be read as an index and as a manifest", _ASK)
    digest = digest or digest_of(body)
    if is_index:
        return Index(
            digest=digest,
            media_type=media_type,
            entries=tuple(_descriptor(each) for each in _items(fields.get("manifests"))),
            annotations=_texts(fields.get("annotations")),
        )
    subject = fields.get("subject")
    return Manifest(
        digest=digest,
        media_type=media_type,
        config=_descriptor(fields.get("config")),
        artifact_type=_text(fields.get("artifactType")),
        subject=_descriptor(subject).digest if subject is not None else "",
        annotations=_texts(fields.get("annotations")),
    )


def read_config(body: bytes, *, digest: str) -> ImageConfig:
    """Return an image's configuration, verified against `digest`.

    Raises:
        DocumentRefusedError: Wrong digest, or no such document.
    """
    verify_digest(body, digest)
    fields = _read_object(body, "image configuration")
    inner = fields.get("config")
    return ImageConfig(
        platform=normal_platform(
            _text(fields.get("os")),
            _text(fields.get("architecture")),
            _text(fields.get("variant")),
        ),
        created=read_time(_text(fields.get("created"))),
        labels=_texts(inner.get("Labels") if isinstance(inner, dict) else None),
    )


def read_tag_page(body: bytes) -> TagPage:
    """Return one page of `tags/list`; `null` and a missing list are an empty page.

    Raises:
        DocumentRefusedError: It is no such page, so the list is not known.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _refused("the tag list is not JSON", "Nothing of it was used") from error
    names = fields.get("tags", ...) if isinstance(fields, dict) else ...
    if names is None or (names is ... and isinstance(fields, dict) and "name" in fields):
        names = []
    if not isinstance(names, list):
        raise _refused("the tag list has another shape than the specification's", _ASK)
    if _are_tags(names):
        return TagPage(tags=tuple(names))
    fits = _TAG.fullmatch
    tags = tuple(name for name in names if isinstance(name, str) and fits(name))
    return TagPage(tags=tags, dropped=len(names) - len(tags))


def _are_tags(names: list[object]) -> bool:
    """Answer whether all are tags, in one match, where that is cheaper than one match each."""
    if len(names) > _MATCHED_AT_ONCE:
        return False
    try:
        joined = "\n".join(names)  # type: ignore[arg-type]  # a list of something else raises
    except TypeError:
        return False
    return joined.count("\n") == len(names) - 1 and _TAGS.fullmatch(joined) is not None


def read_error(body: bytes) -> tuple[str, str]:
    """Return code and message of an error answer (distribution-spec, "Error Codes").

    Both are foreign text, to be shown through `bot.telemetry.shown` only; empty when the body
    is no such answer.
    """
    try:
        fields = json.loads(body)
        first = fields["errors"][0]
        return _text(first.get("code")), _text(first.get("message"))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return "", ""


def read_time(text: str) -> datetime | None:
    """Return an RFC 3339 time in UTC, cut to microseconds; `None` when it is none."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    *numbers, fraction, zone = match.groups()
    micro = int(((fraction or "") + "000000")[:6])
    offset = "+00:00" if zone in {None, "Z", "z"} else zone
    try:
        base = datetime.fromisoformat("{}-{}-{}T{}:{}:{}".format(*numbers) + offset)
        return base.replace(microsecond=micro).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_ASK = "Nothing of it was used; ask who pushed it or who runs the registry"


def _refused(what: str, hint: str) -> DocumentRefusedError:
    return DocumentRefusedError(what, hint=hint)


def _read_object(body: bytes, name: str) -> dict[str, object]:
    try:
        value = json.loads(body, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _refused(f"the {name} is not plain JSON", _ASK) from error
    if not isinstance(value, dict) or _depth(value) > _MAX_DEPTH:
        raise _refused(f"the {name} is no JSON object of a sensible depth", _ASK)
    return value


def _once(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    pairs = list(pairs)
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _depth(value: object) -> int:
    level, depth = [value], 0
    while level and depth <= _MAX_DEPTH:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return depth


def _items(value: object) -> list[object]:
    if not isinstance(value, list):
        raise _refused("the index lists nothing", _ASK)
    return value


def _descriptor(value: object) -> Descriptor:
    fields = value if isinstance(value, dict) else {}
    digest, size = _text(fields.get("digest")), fields.get("size")
    if not is_digest(digest):
        raise _refused("the document points to something without a proper digest", _ASK)
    stated = fields.get("platform")
    platform = stated if isinstance(stated, dict) else {}
    return Descriptor(
        media_type=_text(fields.get("mediaType")),
        digest=digest,
        size=size if isinstance(size, int) and size >= 0 else 0,
        platform=normal_platform(
            _text(platform.get("os")),
            _text(platform.get("architecture")),
            _text(platform.get("variant")),
        ),
        artifact_type=_text(fields.get("artifactType")),
        annotations=_texts(fields.get("annotations")),
    )


def _text(value: object) -> str:
    return value[:_MAX_TEXT] if isinstance(value, str) else ""


def _texts(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict) or not value:
        return _NOTHING
    return MappingProxyType({k: _text(v) for k, v in value.items() if isinstance(v, str)})
