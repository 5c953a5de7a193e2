"""A GitLab of ours: REST API v4 and Git over HTTP on the same bare repositories.

Stateful, so that a push and what the API tells cannot disagree. It knows people with levels,
access tokens of every kind, protected branches, pipelines made of commit statuses, auto-merge,
quick actions in descriptions and notes, and plans of faults. It keeps a journal of every write.

    server = GitLab(folder); server.start()
    project = server.create_project("group/sub/app", {"a.yaml": "…"})
    bot = server.add_person("bot", project, level=DEVELOPER)
"""

import base64
import itertools
import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from tests.servers import gitlab_requests, gitlab_routes
from tests.servers.git_host import GitHost
from tests.servers.gitlab_calls import Answer, Call, find_route
from tests.servers.gitlab_project import Project, Refusal
from tests.servers.gitlab_state import DEVELOPER, GUEST, Grant, Person, person_json
from tests.servers.http_thread import Response, SeenRequest

_FILLED_BY = (gitlab_requests, gitlab_routes)  # their import fills the table of routes
_API, _GRAPHQL = "/api/v4/", "/api/graphql"
_NOTE = re.compile(r'(\w+): note\(id: "gid://gitlab/Note/([0-9]+)"\) \{lastEditedBy \{ id \}\}')
_READS = frozenset({"GET", "HEAD"})
_MAX_PAGE = 100
_PAGE = 20
_HTML = b"<!DOCTYPE html><html><body>GitLab is being maintained</body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write that reached the API and was carried out."""

    method: str
    path: str
    account: str


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens to the next `times` requests that it fits.

    `drop-before` and `drop-after` close the connection before or after the deed; `answer` and
    `answer-after` give another answer; `html` a page with status 200; `edit` changes the answer.
    """

    kind: Literal["drop-before", "drop-after", "answer", "answer-after", "html", "edit", "slow"]
    method: str = ""
    path: str = ""
    times: int = 1
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    edit: Callable[[Any], Any] | None = None
    delay_s: float = 0.0

    def fits(self, request: SeenRequest) -> bool:
        path = urllib.parse.unquote(request.path)
        return self.method in {"", request.method} and bool(re.search(self.path, path))


class GitLab(GitHost):
    """One host. `now` is its clock."""

    def __init__(
        self, folder: Path, *, tls: bool = False, now: Callable[[], datetime] | None = None
    ) -> None:
        super().__init__(folder, tls=tls)
        self.now = now or (lambda: datetime.now(UTC))
        self.people: list[Person] = []
        self.grants: dict[str, Grant] = {}
        self.projects: list[Project] = []
        self.journal: list[Write] = []
        self.faults: list[Fault] = []
        self.version = "18.5.0"
        self._ids = itertools.count(11)
        self._one_at_a_time = threading.RLock()

    def create_project(self, path: str, files: Mapping[str, str | bytes] | None = None) -> Project:
        """Make a project with one commit when there are `files`."""
        remote = self.create(path, files)
        remote.configure("core.quotePath", "false")
        project = Project(next(self._ids), path, remote, self.url, self._time)
        self.projects.append(project)
        return project

    def add_person(
        self,
        username: str,
        project: Project | None = None,
        *,
        level: int = DEVELOPER,
        scopes: tuple[str, ...] = ("api",),
    ) -> Person:
        """Make an account with a personal access token; with `project`, a member of it."""
        number = next(self._ids)
        token = f"glpat-canary-{username}-{number}"
        person = Person(id=number, username=username, token=token, bot="_bot" in username)
        self.people.append(person)
        self.grants[token] = Grant(
            person=person, kind="project" if person.bot else "personal", scopes=scopes
        )
        if project is not None:
            project.members[username] = level
        return person

    def add_project_token(self, project: Project, *, level: int = DEVELOPER) -> Person:
        """Make a project access token, which has a bot account of its own."""
        return self.add_person(f"project_{project.id}_bot_0a1b2c3d", project, level=level)

    def add_job_token(self, project: Project, person: Person) -> str:
        """Return the token that a CI job which `person` started has."""
        token = f"glcbt-canary-{project.id}-{person.id}"
        self.grants[token] = Grant(person=person, kind="job", project=project.path)
        return token

    def add_oauth_token(self, person: Person) -> str:
        token = f"oauth-canary-{person.id}"
        self.grants[token] = Grant(person=person, kind="oauth")
        return token

    def plan(self, fault: Fault) -> None:
        """Add a fault; faults are used up in the order in which they were planned."""
        self.faults.append(fault)

    def _time(self) -> datetime:
        return self.now()  # tests may give another clock at any moment

    def alone(self) -> threading.RLock:
        """Return the lock under which one request at a time is answered."""
        return self._one_at_a_time

    def open(
        self, project: Project, person: Person, source: str, title: str, body: str = ""
    ) -> int:
        """Open a merge request into the default branch as a person; return its number."""
        fields = {"source_branch": source, "target_branch": "main", "title": title}
        made = self.act(project, person, "POST", "merge_requests", fields | {"description": body})
        return int(made["iid"])

    def act(
        self,
        project: Project,
        person: Person,
        method: str,
        path: str,
        given: Mapping[str, Any] | None = None,
    ) -> Any:
        """Do what a person does on the pages, by the same rules, beside faults and journal."""
        request = SeenRequest(
            method=method,
            path=f"{_API}projects/{project.id}/{path}",
            raw_query="",
            headers={"private-token": person.token},
            body=json.dumps(given or {}).encode(),
        )
        with self._one_at_a_time:
            return self._ask(request)[0].body

    def writes(self, account: str = "") -> list[Write]:
        return [each for each in self.journal if account in {"", each.account}]

    def respond(self, request: SeenRequest) -> Response | None:
        asks_graph = request.path == _GRAPHQL
        if not asks_graph and not request.path.startswith(_API):
            return self._respond_git(request)
        fault = self._fault_for(request)
        if fault and fault.kind == "slow":
            self.pause(fault.delay_s)
        if fault and fault.kind in {"drop-before", "answer", "html"}:
            return self._instead(fault)
        with self._one_at_a_time:
            answer = self._tell_editors(request) if asks_graph else None
            response = answer or self._answer(request, fault)
        return self._instead(fault) if fault and fault.kind.endswith("after") else response

    def _fault_for(self, request: SeenRequest) -> Fault | None:
        for fault in self.faults:
            if fault.fits(request):
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    def _instead(self, fault: Fault) -> Response:
        if fault.kind.startswith("drop"):
            return Response(headers=[("Content-Type", "application/json")], cut=True)
        if fault.kind == "html":
            return Response(headers=[("Content-Type", "text/html")], body=_HTML)
        body = fault.body if fault.body is not None else {"message": f"{fault.status} Planned"}
        return _json(fault.status, body, list(fault.headers.items()))

    def _answer(self, request: SeenRequest, fault: Fault | None) -> Response:
        try:
            answer, account = self._ask(request)
        except Refusal as refusal:
            return _json(refusal.status, refusal.body, [])
        if request.method not in _READS:
            path = urllib.parse.unquote(request.path.removeprefix(_API))
            self.journal.append(Write(method=request.method, path=path, account=account))
        body, headers = self._page(request, answer.body)
        if fault and fault.edit:
            body = fault.edit(body)
        return _json(answer.status, body, headers)

    def _ask(self, request: SeenRequest) -> tuple[Answer, str]:
        grant = self._grant(request)
        path = request.path.removeprefix(_API)
        person = grant.person
        if request.method not in _READS and "api" not in grant.scopes:
            said = "The request requires higher privileges than provided by the access token."
            refusal = Refusal(403, "insufficient_scope", key="error")
            refusal.body |= {"error_description": said, "scope": "api"}
            raise refusal
        simple = self._simple(request, path, grant)
        if simple is not None:
            return simple, person.username
        found = find_route(request.method, path)
        if found is None:
            raise Refusal(404, "404 Not Found", key="error")
        route, quoted = found
        parts = {name: urllib.parse.unquote(text) for name, text in quoted.items()}
        project = self._project(parts["id"], person)
        if grant.kind == "job" and not (route.jobs and grant.project == project.path):
            raise Refusal(401, "401 Unauthorized")
        open_to_all = not project.settings.private and (
            request.method in _READS or route.level == GUEST
        )
        if project.level(person) < route.level and not open_to_all:
            raise Refusal(403, "403 Forbidden")
        project.refresh()
        call = Call(
            person=person,
            grant=grant,
            project=project,
            parts=parts,
            given=self._given(request),
            people=self.people,
            now=self.now,
            url=self.url,
        )
        answer = route.handler(call)
        if request.method not in _READS:
            project.refresh()
        return answer, person.username

    def _grant(self, request: SeenRequest) -> Grant:
        headers = request.headers
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if "job-token" in headers:
            grant, wanted = self.grants.get(headers["job-token"]), {"job"}
        else:
            token = headers.get("private-token") or bearer
            grant = self.grants.get(token)
            wanted = {"personal", "project"} | ({"oauth"} if bearer else set())
        if grant is None or grant.kind not in wanted:
            raise Refusal(401, "401 Unauthorized")
        if grant.revoked:
            refusal = Refusal(401, "invalid_token", key="error")
            refusal.body |= {"error_description": "Token was revoked. You have to re-authorize."}
            raise refusal
        return grant

    def _simple(self, request: SeenRequest, path: str, grant: Grant) -> Answer | None:
        if request.method not in _READS:
            return None
        known = person_json(grant.person, self.url) or {}
        if path == "job" and grant.kind == "job":
            return Answer(body={"id": 8, "status": "running", "name": "images", "user": known})
        if path not in {"user", "users", "version", "personal_access_tokens/self"}:
            return None
        if grant.kind == "job":
            raise Refusal(401, "401 Unauthorized")
        if path == "user":
            return Answer(body=known | {"bot": grant.person.bot, "email": grant.person.mail})
        if path == "version":
            return Answer(body={"version": self.version, "revision": "0123abc"})
        if path == "users":
            wanted = self._given(request).get("username", "").lower()
            found = [each for each in self.people if each.username.lower() == wanted]
            return Answer(body=[person_json(each, self.url) for each in found])
        return self._own_token(grant)

    def _own_token(self, grant: Grant) -> Answer:
        if grant.kind == "oauth":
            raise Refusal(400, "400 Bad request - This endpoint requires token type to be a PAT")
        body = {
            "id": 42,
            "name": "pilotfish",
            "revoked": False,
            "created_at": "2026-01-02T03:04:05.000Z",
            "scopes": list(grant.scopes),
            "user_id": grant.person.id,
            "last_used_at": None,
            "active": True,
            "expires_at": grant.expires,
        }
        return Answer(body=body)

    def _project(self, path: str, person: Person) -> Project:
        for project in self.projects:
            if path in {project.path, str(project.id)}:
                if project.settings.private and not project.level(person):
                    break
                return project
        raise Refusal(404, "404 Project Not Found")

    def _given(self, request: SeenRequest) -> dict[str, Any]:
        given: dict[str, Any] = dict(request.query)
        if request.body:
            given |= json.loads(request.body)
        return given

    def _page(self, request: SeenRequest, body: Any) -> tuple[Any, list[tuple[str, str]]]:
        if not isinstance(body, list) or request.method not in _READS:
            return body, []
        size = min(int(request.query.get("per_page", _PAGE)), _MAX_PAGE)
        page = int(request.query.get("page", 1))
        pages = max(1, -(-len(body) // size))
        headers = [
            ("X-Page", str(page)),
            ("X-Per-Page", str(size)),
            ("X-Next-Page", str(page + 1) if page < pages else ""),
            ("X-Prev-Page", str(page - 1) if page > 1 else ""),
            ("X-Total", str(len(body))),
            ("X-Total-Pages", str(pages)),
        ]
        return body[(page - 1) * size : page * size], headers

    def _tell_editors(self, request: SeenRequest) -> Response:
        """Answer the one question that is asked by GraphQL: who edited these notes."""
        try:
            person = self._grant(request).person
        except Refusal as refusal:
            return _json(refusal.status, refusal.body, [])
        notes = {
            note.id: note
            for project in self.projects
            if not project.settings.private or project.level(person)
            for some in (project.merge_requests, project.issues)
            for thing in some
            for note in thing.notes
        }
        data: dict[str, Any] = {}
        for name, number in _NOTE.findall(json.loads(request.body)["query"]):
            note = notes.get(int(number))
            by = note.edited_by if note else None
            editor = {"id": f"gid://gitlab/User/{by.id}"} if by else None
            data[name] = {"lastEditedBy": editor} if note else None
        return _json(200, {"data": data}, [])

    def _respond_git(self, request: SeenRequest) -> Response | None:
        login = request.headers.get("authorization", "").removeprefix("Basic ")
        _, _, token = base64.b64decode(login).decode().partition(":")
        grant = self.grants.get(token)
        path = request.path.lstrip("/").partition(".git/")[0]
        project = next((each for each in self.projects if each.path == path), None)
        if grant is None or grant.revoked or project is None:
            asks = [("WWW-Authenticate", 'Basic realm="GitLab"')]
            return Response(status=401, headers=asks, body=b"HTTP Basic: Access denied\n")
        pushes = "git-receive-pack" in request.path + request.raw_query
        level = project.level(grant.person)
        scopes = {"api", "write_repository"} & set(grant.scopes)
        if pushes and (level < DEVELOPER or grant.kind == "job" or not scopes):
            return Response(status=403, body=b"You are not allowed to push code to this project.\n")
        if project.settings.private and not level:
            return Response(status=404, body=b"The project could not be found\n")
        with self._one_at_a_time:
            project.let_push(grant.person)
            return super().respond(request)


def _json(status: int, body: Any, headers: list[tuple[str, str]]) -> Response:
    if status == 204:
        return Response(status=204)
    text = json.dumps(body, ensure_ascii=False).encode()
    kind = [("Content-Type", "application/json")]
    return Response(status=status, headers=kind + headers, body=text)
