"""Lists of releases as GitHub and GitLab give them, where neither can be run.

Shapes as in GitHub's REST description ("List releases", "Get a repository") and GitLab's
("List releases", "Get a single project"), cut to what tells one release from another, assets
and authors among it so that readers meet what they must skip. GitHub's paths are those of an
Enterprise host, below `/api/v3`.
"""

import json
from collections.abc import Sequence
from urllib.parse import unquote

from tests.servers.http_thread import HttpThread, Response, SeenRequest


class ReleaseLists(HttpThread):
    """Repositories with releases; `private` ones are seen with `token` alone.

    Attributes to set: `answers` are given instead of lists, one for each request, until none is
    left.
    """

    def __init__(self, *, token: str = "") -> None:
        super().__init__()
        self.token = token
        self.private: set[str] = set()
        self.moved: dict[str, str] = {}
        self.answers: list[Response] = []
        self._releases: dict[str, list[dict[str, object]]] = {}

    def hold(self, repository: str, *, private: bool = True) -> None:
        """Keep a repository that has no releases."""
        self._releases.setdefault(repository, [])
        self.private |= {repository} if private else set()

    def release(
        self, repository: str, tag: str, text: str = "", *, draft: bool = False, early: bool = False
    ) -> None:
        """Put a release on top of the list of `repository`."""
        rows = self._releases.setdefault(repository, [])
        day = f"2026-01-01T{len(rows) // 60:02}:{len(rows) % 60:02}:00Z"
        person = {"login": "someone", "id": 7, "type": "User"}
        asset = {"name": "a.tgz", "uploader": person, "size": 12, "label": None}
        row: dict[str, object] = {
            "id": len(rows) + 1,
            "url": f"{self.url}/api/v3/repos/{repository}/releases/{len(rows) + 1}",
            "html_url": "https://evil.example/elsewhere",
            "tag_name": tag,
            "target_commitish": "main",
            "name": f"Release {tag}",
            "body": text or f"What changed in {tag}.\r\n",
            "draft": draft,
            "prerelease": early,
            "created_at": day,
            "published_at": None if draft else day,
            "author": person,
            "assets": [asset, asset],
        }
        rows.insert(0, row)

    def asked(self, part: str = "/releases") -> list[SeenRequest]:
        """Return the requests whose path ends in `part`."""
        return [each for each in self.requests if each.path.endswith(part)]

    def respond(self, request: SeenRequest) -> Response:
        if self.answers and request.path.endswith("/releases"):
            return self.answers.pop(0)
        if request.path.startswith("/api/v3/repos/"):
            return self._github(request)
        return self._gitlab(request)

    def _github(self, request: SeenRequest) -> Response:
        owner, name, *rest = request.path.removeprefix("/api/v3/repos/").split("/")
        repository = f"{owner}/{name}"
        if repository in self.moved:
            place = f"{self.moved[repository]}{'/'.join(['', *rest])}?{request.raw_query}"
            return Response(status=301, headers=[("Location", place)])
        rows = self._visible(repository, request.headers.get("authorization", ""))
        if rows is None:
            return _json({"message": "Not Found", "status": "404"}, 404)
        if not rest:
            private = repository in self.private
            visibility = "private" if private else "public"
            return _json({"full_name": repository, "private": private, "visibility": visibility})
        return self._page(request, rows)

    def _gitlab(self, request: SeenRequest) -> Response:
        name, _, rest = request.path.removeprefix("/api/v4/projects/").partition("/")
        repository = unquote(name)
        token = request.headers.get("job-token") or request.headers.get("authorization", "")
        rows = self._visible(repository, token)
        if rows is None:
            return _json({"message": "404 Project Not Found"}, 404)
        if not rest:
            visibility = "private" if repository in self.private else "public"
            return _json({"path_with_namespace": repository, "visibility": visibility})
        told = [
            {
                "tag_name": each["tag_name"],
                "name": each["name"],
                "description": each["body"],
                "created_at": each["created_at"],
                "released_at": each["created_at"],
                "upcoming_release": each["draft"],
                "_links": {"self": "https://evil.example/elsewhere"},
            }
            for each in rows
        ]
        return self._page(request, told)

    def _visible(self, repository: str, token: str) -> list[dict[str, object]] | None:
        rows = self._releases.get(repository)
        known = bool(self.token) and token.removeprefix("Bearer ") == self.token
        return None if repository in self.private and not known else rows

    def _page(self, request: SeenRequest, rows: Sequence[dict[str, object]]) -> Response:
        size, number = int(request.query["per_page"]), int(request.query["page"])
        more = len(rows) > size * number
        links = [("Link", f'<{self.url}{request.path}?page={number + 1}>; rel="next"')]
        return _json(rows[size * (number - 1) : size * number], headers=links if more else [])


def _json(value: object, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> Response:
    kind = ("Content-Type", "application/json; charset=utf-8")
    return Response(status=status, headers=[kind, *headers], body=json.dumps(value).encode())
