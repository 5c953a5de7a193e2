"""A stand-in registry, only for what no real registry can be made to do on demand.

It speaks enough of the OCI distribution specification 1.1 to be read from: tag lists, manifests,
blobs, referrers. Everything odd about it is switched on by a verb or an attribute; untouched, it
behaves. What a real registry can show is tested on a real one.
"""

import bisect
import hashlib
import json
import re
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from tests.servers.http_thread import HttpThread, Response, SeenRequest
from tests.servers.images import (
    DEFAULT_CREATED,
    OCI_INDEX,
    Image,
    Media,
    build_artifact,
    build_for,
    digest_of,
)

_Answer = Callable[[], Response | None]
_HANG_S = 600.0
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class OddRegistry(HttpThread):
    """Serves what was pushed to it in memory.

    Attributes to set: `page_size` (pages with a relative Link; None gives whole lists),
    `absolute_links`, `etags`, `referrers_api`, `digest_header`, `accepted` (Authorization values
    let in once `challenge` was called), `token_answer` (what `/token` says).
    """

    def __init__(self) -> None:
        super().__init__()
        self.page_size: int | None = None
        self.absolute_links = False
        self.etags = False
        self.referrers_api = False
        self.digest_header = True
        self.accepted: set[str] = set()
        self.token_answer: dict[str, object] = {"token": "t", "expires_in": 300}
        self._tags: dict[str, dict[str, str]] = {}
        self._sorted: dict[str, list[str]] = {}  # made on demand: 100,000 tags, page by page
        self._manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self._blobs: dict[tuple[str, str], bytes] = {}
        self._coming: list[_Answer] = []
        self._challenges: list[str] = []
        self._claimed: dict[tuple[str, str], str] = {}
        self._corrupt: set[tuple[str, str]] = set()
        self._oversize: dict[str, int] = {}
        self._redirects: dict[str, str] = {}
        self._forgotten: list[str] = []
        self._drip: tuple[int, float] | None = None
        self._loop = False
        self._foreign_link: str | None = None
        self._cut: tuple[int, bool] | None = None

    # what it holds

    def push_image(
        self,
        repository: str,
        tag: str,
        *,
        platform: str | Sequence[str] = "linux/amd64",
        created: str | datetime | None = DEFAULT_CREATED,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        content: str | None = None,
        media: Media = "oci",
    ) -> str:
        """Hold an image, or an index when `platform` is several, and return its digest."""
        image = build_for(
            platform,
            created=created,
            labels=labels,
            annotations=annotations,
            content=tag if content is None else content,
            media=media,
        )
        self.push(repository, tag, image)
        return image.digest

    def push_tags(self, repository: str, tags: Iterable[str], *, content: str = "") -> str:
        """Hold one image under many tags and return its digest."""
        image = build_for("linux/amd64", content=content or f"all of {repository}")
        self.push(repository, image.digest, image)
        self._tags.setdefault(repository, {}).update(dict.fromkeys(tags, image.digest))
        self._sorted.pop(repository, None)
        return image.digest

    def push_artifact(
        self,
        repository: str,
        *,
        subject_digest: str,
        artifact_type: str,
        annotations: Mapping[str, str] | None = None,
        content: str = "",
        tag: str | None = None,
    ) -> str:
        """Hold a manifest whose subject is `subject_digest` and return its digest."""
        body, media_type = self._manifests[repository, subject_digest]
        artifact = build_artifact(
            subject={"mediaType": media_type, "digest": subject_digest, "size": len(body)},
            artifact_type=artifact_type,
            annotations=annotations,
            content=content,
        )
        self.push(repository, tag or artifact.digest, artifact)
        return artifact.digest

    def push(self, repository: str, reference: str, image: Image) -> None:
        """Hold `image` with all its parts under `reference`, a tag or its own digest."""
        for child in image.children:
            self.push(repository, child.digest, child)
        for blob in image.blobs:
            self._blobs[repository, digest_of(blob)] = blob
        self._manifests[repository, image.digest] = (image.manifest, image.media_type)
        tags = self._tags.setdefault(repository, {})
        if not _DIGEST.fullmatch(reference):
            tags[reference] = image.digest
        self._sorted.pop(repository, None)

    def delete_tag(self, repository: str, tag: str) -> None:
        del self._tags[repository][tag]
        self._sorted.pop(repository, None)

    # what the next requests meet, in order; requests for a token are spared

    def say_busy(self, times: int = 1, retry_after: str | None = "0", status: int = 429) -> None:
        """Ask the next requests to come back later."""
        wait = [("Retry-After", retry_after)] if retry_after is not None else []
        body = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}'
        self._coming += [lambda: Response(status=status, headers=wait, body=body)] * times

    def fail(self, times: int = 1, status: int = 503) -> None:
        """Answer the next requests with `status` and a page that is no JSON."""
        page = b"<html>bad gateway</html>"
        kind = [("Content-Type", "text/html")]
        self._coming += [lambda: Response(status=status, headers=kind, body=page)] * times

    def drop(self, times: int = 1) -> None:
        """Begin an answer to the next requests and close the connection in the middle of it."""
        self._coming += [lambda: Response(body=b"{", cut=True)] * times

    def hang(self, times: int = 1) -> None:
        """Never answer the next requests, until the server stops."""

        def wait() -> Response | None:
            self.pause(_HANG_S)
            return None

        self._coming += [wait] * times

    # how it is odd from now on

    def loop_pages(self) -> None:
        """Give every page of a tag list a Link to itself."""
        self._loop = True

    def link_elsewhere(self, url: str) -> None:
        """Give every page of a tag list a Link to `url`, as it is."""
        self._foreign_link = url

    def cut_lists(self, at: int = 100, *, continues: bool = True) -> None:
        """Cut tag lists at `at` and send no Link; `last` is obeyed only when `continues`."""
        self._cut = (at, continues)

    def claim_digest(self, repository: str, tag: str, digest: str) -> None:
        """Name `digest` in the header of this tag's manifest, whatever the body is."""
        self._claimed[repository, tag] = digest

    def corrupt(self, repository: str, reference: str) -> None:
        """Answer this tag or digest with a body that differs, headers unchanged."""
        self._corrupt.add((repository, reference))

    def oversize(self, part: str, size: int) -> None:
        """Pad the body of every path that holds `part` to `size` bytes."""
        self._oversize[part] = size

    def drip(self, bytes_per_chunk: int = 64, delay_s: float = 0.05) -> None:
        """Send every body a little at a time."""
        self._drip = (bytes_per_chunk, delay_s)

    def redirect(self, url: str, part: str = "/manifests/") -> None:
        """Send every path that holds `part` to the same path below `url`."""
        self._redirects[part] = url

    def forget(self, part: str) -> None:
        """Answer 404 to every path that holds `part`."""
        self._forgotten.append(part)

    def challenge(self, *headers: str) -> None:
        """Ask for a login with these WWW-Authenticate headers until one in `accepted` comes."""
        self._challenges = list(headers)

    def require_bearer(self, token: str = "t", *, realm: str | None = None) -> None:
        """Ask for `token`, which `/token` (or another `realm`) gives to everyone."""
        self.accepted = {f"Bearer {token}"}
        self.token_answer = {"token": token, "expires_in": 300}
        self.challenge(f'Bearer realm="{realm or self.url + "/token"}",service="odd"')

    # how it answers

    def respond(self, request: SeenRequest) -> Response | None:
        if request.path == "/token":
            return _json(self.token_answer)
        if self._coming:
            return self._coming.pop(0)()
        if self._challenges and request.headers.get("authorization") not in self.accepted:
            login = [("WWW-Authenticate", each) for each in self._challenges]
            return _error(401, "UNAUTHORIZED", headers=login)
        for part, url in self._redirects.items():
            if part in request.path:
                query = f"?{request.raw_query}" if request.raw_query else ""
                return Response(status=307, headers=[("Location", url + request.path + query)])
        if any(part in request.path for part in self._forgotten):
            return _error(404, "NAME_UNKNOWN")
        return self._dress(request, self._route(request))

    def _route(self, request: SeenRequest) -> Response:
        if request.path == "/v2/":
            return _json({})
        parts = re.fullmatch(r"/v2/(.+)/(tags|manifests|blobs|referrers)/([^/]+)", request.path)
        if parts is None or request.method not in {"GET", "HEAD"}:
            return _error(404, "UNSUPPORTED")
        repository, kind, reference = parts.groups()
        if kind == "tags":
            return self._list_tags(repository, request)
        if kind == "manifests":
            return self._find_manifest(repository, reference)
        if kind == "referrers":
            return self._list_referrers(repository, reference)
        blob = self._blobs.get((repository, reference))
        if blob is None:
            return _error(404, "BLOB_UNKNOWN")
        return Response(
            headers=[("Content-Type", "application/octet-stream")],
            body=self._falsify(repository, reference, blob),
        )

    def _list_tags(self, repository: str, request: SeenRequest) -> Response:
        if repository not in self._tags:
            return _error(404, "NAME_UNKNOWN")
        names = self._sorted_tags(repository)
        asked = int(request.query["n"]) if "n" in request.query else None
        last = request.query.get("last")
        if last is not None and (self._cut is None or self._cut[1]):
            names = names[bisect.bisect_right(names, last) :]
        limits = [limit for limit in (asked, self.page_size) if limit is not None]
        if self._cut:
            limits.append(self._cut[0])
        size = min(limits, default=len(names))
        page = names[:size]
        link = self._link(repository, request, page, more=len(names) > size, size=size)
        headers = [("Link", f'<{link}>; rel="next"')] if link else []
        return _json({"name": repository, "tags": page}, headers=headers)

    def _sorted_tags(self, repository: str) -> list[str]:
        if repository not in self._sorted:
            self._sorted[repository] = sorted(self._tags[repository])
        return self._sorted[repository]

    def _link(
        self, repository: str, request: SeenRequest, page: list[str], *, more: bool, size: int
    ) -> str | None:
        here = request.path + (f"?{request.raw_query}" if request.raw_query else "")
        if self._foreign_link:
            return self._foreign_link
        if self._loop:
            return here
        if not more or not page or self._cut:
            return None
        query = urllib.parse.urlencode({"last": page[-1], "n": size})
        target = f"/v2/{repository}/tags/list?{query}"
        return self.url + target if self.absolute_links else target

    def _find_manifest(self, repository: str, reference: str) -> Response:
        digest = self._tags.get(repository, {}).get(reference, reference)
        found = self._manifests.get((repository, digest))
        if found is None:
            return _error(404, "MANIFEST_UNKNOWN")
        body, media_type = found
        headers = [("Content-Type", media_type)]
        if self.digest_header:
            claimed = self._claimed.get((repository, reference), digest)
            headers.append(("Docker-Content-Digest", claimed))
        return Response(headers=headers, body=self._falsify(repository, reference, body))

    def _list_referrers(self, repository: str, digest: str) -> Response:
        if not self.referrers_api:
            return _error(404, "UNSUPPORTED")
        entries = []
        for (holder, own), (body, media_type) in self._manifests.items():
            fields = json.loads(body)
            if holder == repository and fields.get("subject", {}).get("digest") == digest:
                entry = {"mediaType": media_type, "digest": own, "size": len(body)}
                entry["artifactType"] = fields.get("artifactType")
                entries.append({**entry, "annotations": fields.get("annotations", {})})
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        return _json(index, kind=OCI_INDEX)

    def _falsify(self, repository: str, reference: str, body: bytes) -> bytes:
        return body + b"\n" if (repository, reference) in self._corrupt else body

    def _dress(self, request: SeenRequest, response: Response) -> Response:
        headers = list(response.headers)
        body = response.body
        size = max((n for part, n in self._oversize.items() if part in request.path), default=0)
        body = body.ljust(size, b" ")
        if self.etags and response.status == 200:
            tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            headers.append(("ETag", tag))
            if request.headers.get("if-none-match") == tag:
                return Response(status=304, headers=headers)
        chunk, delay_s = self._drip or (None, 0.0)
        return Response(
            status=response.status,
            headers=headers,
            body=body,
            chunk_bytes=chunk,
            delay_s=delay_s,
        )


def _json(
    fields: Mapping[str, object],
    *,
    status: int = 200,
    headers: Sequence[tuple[str, str]] = (),
    kind: str = "application/json",
) -> Response:
    return Response(
        status=status,
        headers=[("Content-Type", kind), *headers],
        body=json.dumps(fields).encode(),
    )


def _error(status: int, code: str, *, headers: Sequence[tuple[str, str]] = ()) -> Response:
    errors = [{"code": code, "message": code.lower().replace("_", " ")}]
    return _json({"errors": errors}, status=status, headers=headers)
