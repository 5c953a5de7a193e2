"""Pushing images to a registry as `docker push` would, with plain requests.

The conversation is that of the OCI distribution specification 1.1: blobs by a POST that opens an
upload and a PUT that closes it, then the manifest. Logins are Basic, or Bearer when the registry
asks for it.
"""

import base64
import http.client
import json
import re
import ssl
import threading
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.servers.images import (
    DEFAULT_CREATED,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    Media,
    build_artifact,
    build_for,
)

_ACCEPT = ", ".join([OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX])
_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a registry said: header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class RefusedPush(Exception):
    """The registry did not do what was asked."""


class Pusher:
    """A registry to push to: `url`, `host`, and the login and authority it wants, if any."""

    def __init__(
        self,
        url: str,
        *,
        credentials: tuple[str, str] | None = None,
        ca_file: Path | None = None,
        client_certificate: Path | None = None,
        client_key: Path | None = None,
    ) -> None:
        self.url = url
        self.credentials = credentials
        self.ca_file = ca_file
        self.client_certificate = client_certificate
        self.client_key = client_key
        self._bearer: dict[str, str] = {}
        self._connections = threading.local()

    @property
    def host(self) -> str:
        """Return what stands before the first slash of a reference."""
        return urllib.parse.urlsplit(self.url).netloc

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
        """Push an image, or an index when `platform` is several, and return what `tag` names.

        Equal `content` gives an equal digest; without one it is the tag itself.
        """
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

    def push_tags(
        self,
        repository: str,
        tags: Iterable[str],
        *,
        platform: str | Sequence[str] = "linux/amd64",
        created: str | datetime | None = DEFAULT_CREATED,
        labels: Mapping[str, str] | None = None,
        content: str = "",
    ) -> str:
        """Push one image under many tags and return its digest."""
        image = build_for(
            platform, created=created, labels=labels, content=content or f"all of {repository}"
        )
        self._push_parts(repository, image)
        for tag in tags:
            self._put_manifest(repository, tag, image)
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
        """Push a manifest whose subject is `subject_digest` and return its digest."""
        subject = self._ask("GET", f"/v2/{repository}/manifests/{subject_digest}")
        _expect(subject, {200}, f"subject {subject_digest}")
        descriptor = {
            "mediaType": subject.headers["content-type"],
            "digest": subject_digest,
            "size": len(subject.body),
        }
        artifact = build_artifact(
            subject=descriptor,
            artifact_type=artifact_type,
            annotations=annotations,
            content=content,
        )
        self.push(repository, tag or artifact.digest, artifact)
        return artifact.digest

    def push(self, repository: str, reference: str, image: Image) -> None:
        """Push `image` with all its parts under `reference`, a tag or its own digest."""
        self._push_parts(repository, image)
        self._put_manifest(repository, reference, image)

    def delete_tag(self, repository: str, tag: str) -> None:
        """Take the tag away; what it named may stay."""
        _expect(self._ask("DELETE", f"/v2/{repository}/manifests/{tag}"), {202}, f"delete {tag}")

    def tags(self, repository: str) -> list[str]:
        """Return every tag, all pages read; none when there is no such repository."""
        found: list[str] = []
        target: str | None = f"/v2/{repository}/tags/list"
        while target:
            answer = self._ask("GET", target)
            if answer.status == 404:
                return found
            _expect(answer, {200}, f"tags of {repository}")
            found += json.loads(answer.body)["tags"] or []
            link = re.match(r'<([^>]*)>;\s*rel="?next', answer.headers.get("link", ""))
            target = urllib.parse.urljoin(target, link[1]) if link else None
        return found

    def digest(self, repository: str, reference: str) -> str:
        """Return the digest of what `reference` names."""
        answer = self._ask("HEAD", f"/v2/{repository}/manifests/{reference}")
        _expect(answer, {200}, f"{repository}:{reference}")
        return answer.headers["docker-content-digest"]

    def docker_config(self, folder: Path) -> Path:
        """Write `config.json` with this login into `folder`, as `docker login` leaves it."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "config.json"
        auths: dict[str, object] = {}
        if self.credentials:
            auths[self.host] = {"auth": _basic(self.credentials)}
        path.write_text(json.dumps({"auths": auths}), encoding="utf-8")
        return path

    def _push_parts(self, repository: str, image: Image) -> None:
        for child in image.children:
            self._push_parts(repository, child)
            self._put_manifest(repository, child.digest, child)
        for blob in image.blobs:
            self._put_blob(repository, blob)

    def _put_blob(self, repository: str, blob: bytes) -> None:
        from tests.servers.images import digest_of

        digest = digest_of(blob)
        if self._ask("HEAD", f"/v2/{repository}/blobs/{digest}").status == 200:
            return
        opened = self._ask("POST", f"/v2/{repository}/blobs/uploads/")
        _expect(opened, {202}, "open an upload")
        place = urllib.parse.urlsplit(opened.headers["location"])
        query = [*urllib.parse.parse_qsl(place.query), ("digest", digest)]
        target = f"{place.path}?{urllib.parse.urlencode(query)}"
        kind = {"Content-Type": "application/octet-stream"}
        _expect(self._ask("PUT", target, body=blob, headers=kind), {201}, "close an upload")

    def _put_manifest(self, repository: str, reference: str, image: Image) -> None:
        answer = self._ask(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            body=image.manifest,
            headers={"Content-Type": image.media_type},
        )
        _expect(answer, {201}, f"push {repository}:{reference}")

    def _ask(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        scope = _scope(target)
        for _ in range(2):
            own = {"Accept": _ACCEPT, **(headers or {})}
            if scope in self._bearer:
                own["Authorization"] = f"Bearer {self._bearer[scope]}"
            elif self.credentials:
                own["Authorization"] = f"Basic {_basic(self.credentials)}"
            answer = self._send(method, target, body, own)
            challenge = answer.headers.get("www-authenticate", "")
            if answer.status != 401 or not challenge.lower().startswith("bearer"):
                break
            self._bearer[scope] = self._fetch_token(challenge, scope)
        return answer

    def _fetch_token(self, challenge: str, scope: str) -> str:
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        query = urllib.parse.urlencode({"service": fields.get("service", ""), "scope": scope})
        realm = urllib.parse.urlsplit(fields["realm"])
        login = {"Authorization": f"Basic {_basic(self.credentials)}"} if self.credentials else {}
        connection = self._connect(realm.scheme, realm.netloc)
        try:
            connection.request("GET", f"{realm.path}?{query}", headers=login)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise RefusedPush(f"no token for {scope}: {response.status} {body[:200]!r}")
        fields = json.loads(body)
        return str(fields.get("token") or fields["access_token"])

    def _send(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        parts = urllib.parse.urlsplit(self.url)
        for fresh in (False, True):  # a kept connection may have gone stale
            connection = self._kept(parts.scheme, parts.netloc, fresh=fresh)
            try:
                connection.request(method, target, body=body, headers=dict(headers))
                response = connection.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                if fresh:
                    raise
                continue
            names: dict[str, str] = {}
            for name, value in response.getheaders():
                names.setdefault(name.lower(), value)  # the first challenge is the Bearer one
            return Answer(status=response.status, headers=names, body=content)
        raise AssertionError

    def _kept(self, scheme: str, netloc: str, *, fresh: bool) -> http.client.HTTPConnection:
        kept: http.client.HTTPConnection | None = getattr(self._connections, "kept", None)
        if kept is None or fresh:
            kept = self._connect(scheme, netloc)
            self._connections.kept = kept
        return kept

    def _connect(self, scheme: str, netloc: str) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(netloc, timeout=_TIMEOUT_S)
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.client_certificate:
            context.load_cert_chain(self.client_certificate, self.client_key)
        return http.client.HTTPSConnection(netloc, timeout=_TIMEOUT_S, context=context)

    def close(self) -> None:
        """Close the connection kept open for the next request."""
        kept: http.client.HTTPConnection | None = getattr(self._connections, "kept", None)
        if kept is not None:
            kept.close()
            self._connections.kept = None


def _scope(target: str) -> str:
    name = re.match(r"/v2/(.+)/(?:manifests|blobs|tags)/", target)
    return f"repository:{name[1]}:pull,push,delete" if name else ""


def _basic(credentials: tuple[str, str]) -> str:
    return base64.b64encode(":".join(credentials).encode()).decode()


def _expect(answer: Answer, statuses: set[int], doing: str) -> None:
    if answer.status not in statuses:
        raise RefusedPush(f"{doing}: {answer.status} {answer.body[:300]!r}")
