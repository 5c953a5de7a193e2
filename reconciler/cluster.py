"""The one Kubernetes client: discovery, list, get, server-side apply, delete, watch.

Objects come and go as raw JSON. Every call may be repeated without harm (an apply says the same
again, a delete names uid and resource version), so a server that restarts or is busy is asked
again with growing pauses, for `patience_s` in all. A list that cannot be read to its end is a
failed read, never a short one; what discovery could not ask is unknown, never gone
(`reliability-security.md` FK1 to FK6).

Must not know what is applied, or why.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.errors import RefusedError, UnavailableError
from reconciler.api_errors import ExpiredError, GoneError, ServerBusyError, error_of, translated
from reconciler.discovery import ACCEPT, Discovery, Resource, read_discovery
from reconciler.kind_cache import read_cache, write_cache

if TYPE_CHECKING:
    from pathlib import Path

    from bot.clock import Clock
    from reconciler.objects import Identity

FIELD_MANAGER = "pilotfish"
_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_PAGE = 500
_LIST_TRIES = 3
_CREATED = 201
_BROKEN, _BROKEN_TRIES = 500, 3  # its own fault, which seldom passes
_CONNECT_S = 10.0
_ANSWER_S = 60.0
_WATCH_S = 240
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_MAX_ANSWER_BYTES = 256 << 20  # of one page or object, arbitrary
_FIRST_ERROR = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All objects of one kind, raw, and the version of the server's state they were read at."""

    objects: list[dict[str, Any]] = field(repr=False)
    resource_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a watch saw: `kind` is `ADDED`, `MODIFIED` or `DELETED`, `content` the raw object."""

    kind: str
    content: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What an apply gave: the object as it is now, and whether the server made it.

    `repeated` tells that the call had to be asked again, so that it may have been our own first
    try that made the object.
    """

    content: dict[str, Any] = field(repr=False)
    created: bool
    repeated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    content: dict[str, Any] = field(repr=False)
    status: int
    tries: int


@dataclass(slots=True, kw_only=True)
class Cluster:
    """A connection to one API server; made and closed by `connection.open_cluster`.

    `host` is the server's address, for errors. `requests` counts what was asked.
    """

    host: str
    clock: Clock
    client: Any = field(repr=False)
    cache_file: Path | None
    patience_s: float = 30.0
    requests: int = 0
    _known: Discovery | None = None
    _fresh: bool = False

    async def resource(self, group: str, kind: str, version: str = "") -> Resource | None:
        """Return how a kind is served; `None` when the server surely has no such kind.

        A kind that the cached discovery lacks is looked for once more on the server.

        Raises:
            UnavailableError: The server cannot say, as the extension behind the group is down.
        """
        known = self._known or await self._discover(cached=True)
        found = known.find(group, kind, version)
        if found is None and not self._fresh:
            known = await self._discover(cached=False)
            found = known.find(group, kind, version)
        if found is None and group in known.silent:
            raise UnavailableError(
                f"the API group {group!r} does not answer, so {kind} is not known",
                where=self.host,
                hint="Look at `kubectl get apiservices`; nothing was taken for gone",
            )
        return found

    def forget_kinds(self) -> None:
        """Look kinds up anew from now on: definitions have been applied or removed."""
        self._known, self._fresh = None, False
        if self.cache_file is not None:
            self.cache_file.unlink(missing_ok=True)

    async def list_objects(
        self, resource: Resource, namespace: str = "", *, labelled: str = ""
    ) -> Listing:
        """Return every object of a kind, of `namespace` or everywhere, read page by page.

        `labelled` is a label selector. When the server forgets where we were, the list begins
        anew.

        Raises:
            GoneError: The kind is not served any more.
        """
        path = resource.path(namespace)
        for _ in range(_LIST_TRIES):
            with contextlib.suppress(ExpiredError):
                return await self._list_pages(resource, path, labelled)
        raise UnavailableError(
            "the list changed faster than it could be read", where=self._at(path), hint="Try again"
        )

    async def _list_pages(self, resource: Resource, path: str, labelled: str) -> Listing:
        found: list[dict[str, Any]] = []
        onward = ""
        chosen: list[tuple[str, Any]] = [("labelSelector", labelled)] if labelled else []
        while True:
            query = [("limit", _PAGE), *chosen, *([("continue", onward)] if onward else [])]
            answer = await self._ask("get", path, query=query, masked=_is_secret(resource.kind))
            page = answer.content
            stated = {"apiVersion": page["apiVersion"], "kind": resource.kind}
            found += [{**stated, **item} for item in page.get("items") or []]
            onward = page["metadata"].get("continue") or ""
            if not onward:
                version = page["metadata"]["resourceVersion"]
                return Listing(objects=found, resource_version=version)

    async def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one raw object; `None` when there is none."""
        try:
            path = resource.path(namespace, name)
            return (await self._ask("get", path, masked=_is_secret(resource.kind))).content
        except GoneError:
            return None

    async def apply(
        self,
        resource: Resource,
        content: Mapping[str, Any],
        *,
        dry_run: bool = False,
        force: bool = True,
    ) -> Applied:
        """Apply a raw object on the server's side as `FIELD_MANAGER`.

        `force` takes fields over from other managers.
        """
        metadata = content["metadata"]
        answer = await self._ask(
            "patch",
            resource.path(metadata.get("namespace", ""), metadata["name"]),
            query=[
                ("fieldManager", FIELD_MANAGER),
                ("force", str(force).lower()),
                *_dry(dry_run),
            ],
            body=content,
            content_type=_APPLY,
            masked=_is_secret(resource.kind),
        )
        return Applied(
            content=answer.content,
            created=answer.status == _CREATED,
            repeated=answer.tries > 1,
        )

    async def create_dry(self, resource: Resource, content: Mapping[str, Any]) -> None:
        """Ask whether the server would create an object; nothing is made."""
        query = [("fieldManager", FIELD_MANAGER), *_dry(True)]
        path = resource.path(content["metadata"].get("namespace", ""))
        masked = _is_secret(resource.kind)
        await self._ask("post", path, query=query, body=content, masked=masked)

    async def patch_json(
        self, resource: Resource, identity: Identity, operations: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Change a raw object by JSON patch operations; return what it became."""
        answer = await self._ask(
            "patch",
            resource.path(identity.namespace, identity.name),
            query=[("fieldManager", FIELD_MANAGER)],
            body=operations,
            content_type=_JSON_PATCH,
            masked=_is_secret(resource.kind),
        )
        return answer.content

    async def delete(
        self, resource: Resource, identity: Identity, *, uid: str, resource_version: str
    ) -> bool:
        """Delete an object if it is still the one we looked at; what it owns goes after it.

        Returns `False` when it was gone already.

        Raises:
            ChangedError: It is another one by now, or was changed since.
        """
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
        }
        path = resource.path(identity.namespace, identity.name)
        try:
            await self._ask("delete", path, body=body)
        except GoneError:
            return False
        return True

    async def watch(
        self, resource: Resource, namespace: str, resource_version: str
    ) -> AsyncIterator[Change]:
        """Yield changes of a kind after `resource_version` until the server ends the stream.

        Raises:
            ExpiredError: That version is too old; list again.
            UnavailableError: The connection broke off; watch or list again.
        """
        path = resource.path(namespace)
        query = [
            ("watch", "true"),
            ("resourceVersion", resource_version),
            ("timeoutSeconds", _WATCH_S),
        ]
        async with translated(self.host, path):
            answer = await self._send("get", path, query=query, total_s=_WATCH_S + _ANSWER_S)
            try:
                async for line in answer.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        code = int(event["object"].get("code") or _FIRST_ERROR)
                        raise error_of(code, json.dumps(event["object"]).encode(), where=path)
                    if event["type"] != "BOOKMARK":
                        yield Change(kind=event["type"], content=event["object"])
            finally:
                answer.close()

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, Any]] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        masked: bool = False,
    ) -> _Answer:
        """Ask until there is an answer or patience ends, and return the decoded answer."""
        deadline = self.clock.monotonic_s() + self.patience_s
        pause_s = _FIRST_PAUSE_S
        tries = 0
        while True:
            tries += 1
            try:
                async with translated(self.host, path, masked=masked):
                    answer = await self._send(
                        method,
                        path,
                        query=query,
                        body=body,
                        content_type=content_type,
                        accept=accept,
                    )
                    content = json.loads(await _read(answer, self._at(path)))
                    return _Answer(content=content, status=answer.status, tries=tries)
            except ServerBusyError as fault:
                wait_s = pause_s if fault.wait_s is None else fault.wait_s
                hopeless = fault.status == _BROKEN and tries >= _BROKEN_TRIES
                if hopeless or self.clock.monotonic_s() + wait_s > deadline:
                    raise
                await self.clock.sleep(wait_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, Any]] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        total_s: float = _ANSWER_S,
    ) -> Any:
        import aiohttp

        self.requests += 1
        return await self.client.request(
            method,
            path,
            body=body,
            query_params=list(query or ()),
            header_params={"Accept": accept},
            content_type=content_type,
            serialize=False,
            _request_timeout=aiohttp.ClientTimeout(total=total_s, sock_connect=_CONNECT_S),
        )

    def _at(self, path: str) -> str:
        return f"{self.host}{path}"

    async def _discover(self, *, cached: bool) -> Discovery:
        known = read_cache(self.cache_file, self.host) if cached else None
        if known is None:
            answers = [
                (await self._ask("get", path, accept=ACCEPT)).content for path in ("/api", "/apis")
            ]
            known = read_discovery(answers)
            if known is None:
                raise RefusedError(
                    "this API server knows no aggregated discovery",
                    where=self.host,
                    hint="Kubernetes 1.26 or newer is needed",
                )
            self._fresh = True
            if not known.silent:
                write_cache(self.cache_file, self.host, known)
        self._known = known
        return known


async def _read(answer: Any, where: str) -> bytes:
    parts = bytearray()
    try:
        while chunk := await answer.content.readany():
            parts += chunk
            if len(parts) > _MAX_ANSWER_BYTES:
                break
    except BaseException:
        answer.close()
        raise
    if len(parts) > _MAX_ANSWER_BYTES:
        answer.close()
        raise RefusedError("the answer is far too large", where=where, hint="Divide the set")
    answer.release()
    return bytes(parts)


def _is_secret(kind: str) -> bool:
    return kind == "Secret"


def _dry(dry_run: bool) -> list[tuple[str, str]]:
    return [("dryRun", "All")] if dry_run else []
