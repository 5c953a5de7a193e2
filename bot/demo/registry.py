"""A small image registry in memory, on the loopback interface, for the demo alone.

Serves what the product asks of a registry, by the OCI distribution specification 1.1: the tag
list in pages (`n`, `last`, `Link`), manifests by tag and digest with HEAD and GET, blobs. Images
are put in by method calls; nothing can be pushed to it over HTTP.

Must not know the story that is told with it.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_LOOPBACK = "127.0.0.1"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_PAGE = 1000  # tags of a page when nothing is asked; what most registries answer with


@dataclass(slots=True, kw_only=True)
class _Shelf:
    """What one repository holds: its tags, and content by digest."""

    tags: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class DemoRegistry:
    """Images by repository path and tag. `host` is `127.0.0.1:PORT` while it is served."""

    host: str = ""
    _shelves: dict[str, _Shelf] = field(default_factory=dict)

    def push(self, repository: str, tag: str, *, build: str = "") -> str:
        """Put an image in and return its digest; another `build` of one tag has another digest."""
        shelf = self._shelves.setdefault(repository, _Shelf())
        config = _as_bytes(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Labels": {"build": build or tag}},
                "rootfs": {"type": "layers", "diff_ids": []},
            }
        )
        layer = f"{repository}:{tag}:{build}".encode()
        manifest = _as_bytes(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": _descriptor(_CONFIG, config),
                "layers": [_descriptor(_LAYER, layer)],
            }
        )
        for blob in (config, layer):
            shelf.blobs[_digest(blob)] = blob
        digest = _digest(manifest)
        shelf.manifests[digest] = manifest
        shelf.tags[tag] = digest
        return digest

    def application(self) -> web.Application:
        """Return the registry as something that aiohttp can serve."""
        made = web.Application()
        made.router.add_get("/v2/", self._greet)
        made.router.add_get("/v2/{repository:.+}/tags/list", self._list_tags)
        made.router.add_get("/v2/{repository:.+}/manifests/{reference}", self._give_manifest)
        made.router.add_get("/v2/{repository:.+}/blobs/{digest}", self._give_blob)
        return made

    async def _greet(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({}, headers={"Docker-Distribution-Api-Version": "registry/2.0"})

    async def _list_tags(self, request: web.Request) -> web.Response:
        repository = request.match_info["repository"]
        shelf = self._shelves.get(repository)
        if shelf is None:
            return _refuse(404, "NAME_UNKNOWN", f"there is no repository {repository}")
        asked = request.query.get("n", str(_PAGE))
        if not asked.isascii() or not asked.isdigit():
            return _refuse(400, "PAGINATION_NUMBER_INVALID", "n must be a number")
        count = min(int(asked), _PAGE)
        left = [tag for tag in sorted(shelf.tags) if tag > request.query.get("last", "")]
        page = left[:count]
        headers = {}
        if page and len(page) < len(left):
            following = request.rel_url.with_query({"n": str(count), "last": page[-1]})
            headers["Link"] = f'<{following}>; rel="next"'
        return web.json_response({"name": repository, "tags": page}, headers=headers)

    async def _give_manifest(self, request: web.Request) -> web.Response:
        shelf = self._shelves.get(request.match_info["repository"], _Shelf())
        reference = request.match_info["reference"]
        digest = shelf.tags.get(reference, reference)
        if digest not in shelf.manifests:
            return _refuse(404, "MANIFEST_UNKNOWN", f"there is no manifest {reference}")
        return _content(shelf.manifests[digest], digest, _MANIFEST)

    async def _give_blob(self, request: web.Request) -> web.Response:
        shelf = self._shelves.get(request.match_info["repository"], _Shelf())
        digest = request.match_info["digest"]
        if digest not in shelf.blobs:
            return _refuse(404, "BLOB_UNKNOWN", f"there is no blob {digest}")
        return _content(shelf.blobs[digest], digest, "application/octet-stream")


@asynccontextmanager
async def serve(registry: DemoRegistry) -> AsyncIterator[DemoRegistry]:
    """Serve `registry` on a port that the kernel chooses, for the length of the block."""
    runner = web.AppRunner(registry.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, _LOOPBACK, 0).start()
        registry.host = f"{_LOOPBACK}:{runner.addresses[0][1]}"
        yield registry
    finally:
        registry.host = ""
        await runner.cleanup()


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _as_bytes(document: dict[str, object]) -> bytes:
    return json.dumps(document, sort_keys=True).encode()


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _content(content: bytes, digest: str, media_type: str) -> web.Response:
    headers = {"Docker-Content-Digest": digest, "Content-Type": media_type}
    return web.Response(body=content, headers=headers)


def _refuse(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status)
