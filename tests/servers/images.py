"""Container images small enough to hold in the hand: real documents, one tiny layer.

Documents are as in the OCI image specification 1.1, or Docker's schema 2 where asked. Equal
arguments give equal bytes, hence equal digests.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Media = Literal["oci", "docker"]

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
_TYPES: Mapping[str, tuple[str, str, str]] = {
    "oci": (
        OCI_MANIFEST,
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.oci.image.layer.v1.tar+gzip",
    ),
    "docker": (
        DOCKER_MANIFEST,
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ),
}
_EMPTY = b"{}"
DEFAULT_CREATED = "2026-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A manifest with its blobs, or an index with its children (then `platform` is empty)."""

    manifest: bytes
    media_type: str
    blobs: tuple[bytes, ...] = ()
    children: tuple["Image", ...] = ()
    platform: str = ""

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def digest_of(content: bytes) -> str:
    """Return `sha256:` and the hexadecimal digest of `content`."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def build_image(
    *,
    platform: str = "linux/amd64",
    created: str | datetime | None = DEFAULT_CREATED,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    content: str = "",
    media: Media = "oci",
) -> Image:
    """Return an image for one platform whose only file holds `content`.

    `created` of None leaves the date out of the config, as reproducible builders may.
    """
    manifest_type, config_type, layer_type = _TYPES[media]
    archive = _archive(content)
    layer = gzip.compress(archive, mtime=0)
    config = _document(
        {
            "created": _timestamp(created),
            **_platform_fields(platform),
            "config": {"Labels": dict(labels)} if labels else {},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(archive)]},
        }
    )
    manifest = _document(
        {
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": _descriptor(config, config_type),
            "layers": [_descriptor(layer, layer_type)],
            "annotations": dict(annotations) if annotations else None,
        }
    )
    return Image(
        manifest=manifest, media_type=manifest_type, blobs=(config, layer), platform=platform
    )


def build_index(
    images: Sequence[Image],
    *,
    annotations: Mapping[str, str] | None = None,
    media: Media = "oci",
) -> Image:
    """Return an index over `images`, each entry with its platform."""
    media_type = OCI_INDEX if media == "oci" else DOCKER_INDEX
    entries = [
        _descriptor(each.manifest, each.media_type) | {"platform": _platform_fields(each.platform)}
        for each in images
    ]
    manifest = _document(
        {
            "schemaVersion": 2,
            "mediaType": media_type,
            "manifests": entries,
            "annotations": dict(annotations) if annotations else None,
        }
    )
    return Image(manifest=manifest, media_type=media_type, children=tuple(images))


def build_for(
    platform: str | Sequence[str],
    *,
    created: str | datetime | None = DEFAULT_CREATED,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    content: str = "",
    media: Media = "oci",
) -> Image:
    """Return one image for one platform, or an index for several."""
    if isinstance(platform, str):
        return build_image(
            platform=platform,
            created=created,
            labels=labels,
            annotations=annotations,
            content=content,
            media=media,
        )
    children = [
        build_image(
            platform=each,
            created=created,
            labels=labels,
            content=f"{content} for {each}",
            media=media,
        )
        for each in platform
    ]
    return build_index(children, annotations=annotations, media=media)


def build_artifact(
    *,
    subject: Mapping[str, object],
    artifact_type: str,
    annotations: Mapping[str, str] | None = None,
    content: str = "",
) -> Image:
    """Return a manifest that says something about `subject`, a descriptor of another manifest."""
    layer = content.encode() or _EMPTY
    manifest = _document(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": _descriptor(_EMPTY, "application/vnd.oci.empty.v1+json"),
            "layers": [_descriptor(layer, "application/octet-stream")],
            "subject": dict(subject),
            "annotations": dict(annotations) if annotations else None,
        }
    )
    return Image(manifest=manifest, media_type=OCI_MANIFEST, blobs=(_EMPTY, layer))


def _archive(content: str) -> bytes:
    body = content.encode()
    entry = tarfile.TarInfo("content.txt")
    entry.size = len(body)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(body))
    return buffer.getvalue()


def _descriptor(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _platform_fields(platform: str) -> dict[str, str]:
    names = ("os", "architecture", "variant")
    return dict(zip(names, platform.split("/"), strict=False))


def _timestamp(created: str | datetime | None) -> str | None:
    if isinstance(created, datetime):
        return created.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return created


def _document(fields: Mapping[str, object]) -> bytes:
    kept = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(kept, indent=2).encode()
