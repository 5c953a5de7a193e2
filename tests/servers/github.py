"""A GitHub of our own: REST as on GitHub Enterprise, a little GraphQL, and git, on one port.

State lives in memory, commits in real bare repositories, and every answer is held to GitHub's
published description: one that breaks it becomes a 500 and is kept in `violations`. People act
through `GitHubRepository`; what goes wrong on purpose is planned in `faults`; every write that
arrived is in `written`.
"""

import hashlib
import json
import shutil
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.servers import (
    github_accounts,
    github_git,
    github_graphql,
    github_issues,
    github_merging,
    github_pulls,
    github_results,
    openapi,
)
from tests.servers.git_host import is_push, run_backend
from tests.servers.github_access import Access, make_app
from tests.servers.github_calls import Answer, Call, Operation, Refusal, Table, read_body
from tests.servers.github_documents import Documents
from tests.servers.github_faults import Faults
from tests.servers.github_repository import GitHubRepository
from tests.servers.github_state import Account, App, Kind, Pull, Role, Token, Written
from tests.servers.http_thread import HttpThread, Response, SeenRequest
from tests.servers.missing import Missing
from tests.servers.remote import Remote

API = "/api/v3"
GRAPHQL = "/api/graphql"
LIMIT = 5_000
TABLE = Table(
    github_accounts.OPERATIONS,
    github_git.OPERATIONS,
    github_issues.OPERATIONS,
    github_pulls.OPERATIONS,
    github_results.OPERATIONS,
)
_JSON = ("Content-Type", "application/json; charset=utf-8")
_WINDOW = timedelta(hours=1)
_ACTIONS = "github-actions[bot]"
_ACTIONS_MAY = {
    "contents": "write",
    "pull_requests": "write",
    "issues": "write",
    "statuses": "write",
    "checks": "write",
    "actions": "write",
}


class GitHub(HttpThread):
    """One GitHub host with `owner`, whom new repositories belong to.

    Attributes to set: `tell_time` (the host's clock; `advance` moves it further) and `limit`
    (requests that a token has for an hour). Raises `Missing` when git or the description is.
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("git") is None:
            raise Missing("git is not installed", remedy="apt-get install git")
        super().__init__()
        self._description = openapi.find(TABLE.names)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.lock = threading.RLock()
        self.tell_time: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._ahead = timedelta()
        self.began = self.now()
        self.limit = LIMIT
        self.documents = Documents(self)
        self.faults = Faults(now_s=lambda: self.now().timestamp(), wait=self.pause)
        self.repositories: dict[str, GitHubRepository] = {}
        self.apps: dict[int, App] = {}
        self.accounts: dict[str, Account] = {}
        self.tokens: dict[str, Token] = {}
        self.written: list[Written] = []
        self.violations: list[str] = []
        self.merge_trees: dict[tuple[str, str], str] = {}
        self._sizes: dict[tuple[str, str], dict[str, int]] = {}
        self._used: dict[str, tuple[datetime, int]] = {}
        self._last_id = 1_000
        self._access = Access(self)
        self.owner = self.create_account("fleet")
        self.create_account("web-flow")  # as whom GitHub itself commits

    @property
    def api_url(self) -> str:
        return f"{self.url}{API}"

    def now(self) -> datetime:
        return self.tell_time() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)

    def next_id(self) -> int:
        with self.lock:
            self._last_id += 1
            return self._last_id

    # -- who and what there is

    def create_account(self, login: str, *, bot: bool = False) -> Account:
        """Make an account with a classic token that may do what the account may."""
        number = self.next_id()
        value = f"ghp_{hashlib.sha256(f'{login}{number}'.encode()).hexdigest()[:36]}"
        account = Account(login=login, id=number, token=value, bot=bot)
        self.accounts[login.lower()] = account
        self.tokens[value] = Token(value=value, account=account, kind="classic")
        return account

    def account(self, login: str) -> Account | None:
        return self.accounts.get(login.lower())

    def account_of_mail(self, mail: str) -> Account | None:
        if mail == github_merging.FORGE[1]:
            return self.account("web-flow")
        return next((each for each in self.accounts.values() if each.mail == mail), None)

    def make_token(
        self,
        account: Account,
        *,
        kind: Kind = "fine-grained",
        permissions: Mapping[str, str] | None = None,
        repositories: Iterable[str] | None = None,
        expires: datetime | None = None,
    ) -> Token:
        """Make a further token; `permissions` are `{"contents": "write", …}`."""
        start = {"classic": "ghp", "fine-grained": "github_pat"}.get(kind, "ghs")
        value = f"{start}_{hashlib.sha256(f'{kind}{self.next_id()}'.encode()).hexdigest()[:36]}"
        made = Token(
            value=value,
            account=account,
            kind=kind,
            permissions=permissions,
            repositories=None if repositories is None else frozenset(repositories),
            expires=expires,
        )
        self.tokens[value] = made
        return made

    def make_actions_token(
        self, repository: GitHubRepository, permissions: Mapping[str, str] | None = None
    ) -> Token:
        """Make the token that a workflow of `repository` gets."""
        account = self.account(_ACTIONS) or self.create_account(_ACTIONS, bot=True)
        repository.roles[account.login] = "write"
        return self.make_token(
            account,
            kind="actions",
            permissions=_ACTIONS_MAY if permissions is None else permissions,
            repositories=[repository.full_name],
        )

    def create_app(
        self,
        slug: str = "updates",
        *,
        permissions: Mapping[str, str],
        repositories: Iterable[GitHubRepository] | None = None,
    ) -> App:
        """Register an App and install it for `repositories`, or for all that are there."""
        chosen = list(self.repositories.values() if repositories is None else repositories)
        account = self.create_account(f"{slug}[bot]", bot=True)
        for each in chosen:
            each.roles[account.login] = "write"
        app = make_app(
            slug,
            account,
            number=self.next_id(),
            installation=self.next_id(),
            permissions=permissions,
            repositories=None
            if repositories is None
            else frozenset(each.full_name for each in chosen),
        )
        self.apps[app.id] = app
        return app

    def create_repository(
        self,
        name: str,
        files: Mapping[str, str | bytes] | None = None,
        *,
        owner: Account | None = None,
        roles: Mapping[Account, Role] | None = None,
        private: bool = False,
        executable: Iterable[str] = (),
    ) -> GitHubRepository:
        """Make a repository, with one commit when there are `files`."""
        whose = owner or self.owner
        folder = self.folder / whose.login / f"{name}.git"
        folder.parent.mkdir(exist_ok=True)
        bare = Remote(folder, url_http=f"{self.url}/{whose.login}/{name}.git")
        if files:
            bare.commit(files, "Begin", executable=executable)
        made = GitHubRepository(self, whose, bare, number=self.next_id())
        made.settings.private = private
        for account, role in (roles or {}).items():
            made.roles[account.login] = role
        self.repositories[made.full_name] = made
        return made

    def fork(self, repository: GitHubRepository, *, by: Account) -> GitHubRepository:
        made = self.create_repository(repository.name, owner=by)
        made.parent = repository
        made.bare.git("fetch", "--quiet", str(repository.bare.folder), "refs/heads/*:refs/heads/*")
        return made

    def find_repository(self, full_name: str) -> GitHubRepository | None:
        wanted = full_name.lower()
        found = (each for name, each in self.repositories.items() if name.lower() == wanted)
        return next(found, None)

    def limit_of(self, token: Token | None) -> dict[str, int]:
        """Return what is left of the primary limit, as `/rate_limit` shows it."""
        key = token.value if token else ""
        began, used = self._used.get(key, (self.now(), 0))
        return {
            "limit": self.limit,
            "remaining": max(0, self.limit - used),
            "reset": int((began + _WINDOW).timestamp()),
            "used": used,
        }

    def measure(self, pull: Pull) -> dict[str, int]:
        """Return how large a pull request is; asked of git once for the same two commits."""
        pair = (pull.base, pull.head)
        if pair not in self._sizes:
            self._sizes[pair] = github_merging.measure(pull.repository, pull)
        return self._sizes[pair]

    def api_requests(self) -> list[SeenRequest]:
        """Return every request to the API that arrived, by git none."""
        return [each for each in self.requests if each.path.startswith("/api/")]

    # -- how it answers

    def respond(self, request: SeenRequest) -> Response | None:
        with self.lock:
            fault = self.faults.next(request)
        if fault and fault.moment == "before":
            if fault.act:
                fault.act()
            if fault.answer:
                self._write_down(request, fault.answer)
                return fault.answer
        answer = self._serve(request)
        self._write_down(request, answer)
        if fault and fault.moment == "after":
            if fault.act:
                fault.act()
            answer = fault.answer or answer
        return fault.spoil(answer) if fault and fault.spoil else answer

    def _serve(self, request: SeenRequest) -> Response:
        try:
            if request.path.startswith(f"{API}/"):
                return self._serve_rest(request)
            if request.path == GRAPHQL and request.method == "POST":
                return self._serve_graphql(request)
            if ".git/" in request.path:
                return self._serve_git(request)
        except Exception:  # noqa: BLE001 - a fault of this server fails the test by itself
            self.violations.append(f"{request.method} {request.path}: {traceback.format_exc()}")
            return Response(status=500, headers=[_JSON], body=b'{"message": "Server Error"}')
        return Response(status=404, headers=[("Content-Type", "text/html")], body=b"<h1>404</h1>")

    def _serve_rest(self, request: SeenRequest) -> Response:
        path = request.path.removeprefix(API)
        found = TABLE.find(request.method, path)
        if found is None:
            self.violations.append(f"{request.method} {path} is not served here")
            return _json(404, Refusal(404, "Not Found").body)
        operation, parameters = found
        token = None
        with self.lock:
            try:
                token, app = self._access.authenticate(request)
                limits = self._count(token)
                call = Call(host=self, request=request, parameters=parameters, token=token, app=app)
                self._access.authorise(call, operation)
                answer = self._call(call, operation)
            except Refusal as refusal:
                body, headers = refusal.body, refusal.headers
                answer = Answer(body=body, status=refusal.status, headers=headers)
                limits = self._limits(token)
        wrong = self._description.fault(operation.name, answer.status, answer.body)
        if wrong:
            self.violations.append(wrong)
            return _json(500, {"message": f"the test GitHub breaks its description: {wrong}"})
        return _with_etag(request, _json(answer.status, answer.body, [*limits, *answer.headers]))

    def _call(self, call: Call, operation: Operation) -> Answer:
        call.body = read_body(call.request.body)
        if call.found is not None:
            call.found.settle()
        return operation.handler(call)

    def _count(self, token: Token | None) -> list[tuple[str, str]]:
        """Count one request and return the headers that tell so."""
        key = token.value if token else ""
        began, used = self._used.get(key, (self.now(), 0))
        if self.now() - began >= _WINDOW:
            began, used = self.now(), 0
        if used >= self.limit:
            said = f"API rate limit exceeded for user ID {token.account.id if token else 0}."
            raise Refusal(403, said)
        self._used[key] = (began, used + 1)
        return self._limits(token)

    def _limits(self, token: Token | None) -> list[tuple[str, str]]:
        left = self.limit_of(token)
        rows = [(f"x-ratelimit-{name}", str(value)) for name, value in left.items()]
        return [*rows, ("x-ratelimit-resource", "core"), *self._access.scopes(token)]

    def _serve_graphql(self, request: SeenRequest) -> Response:
        with self.lock:
            try:
                token = self._access.require(request)
                limits = self._count(token)
                for each in self.repositories.values():
                    each.settle()
                body = github_graphql.answer(self, token, read_body(request.body))
                for each in self.repositories.values():
                    each.settle()
            except Refusal as refusal:
                return _json(refusal.status, refusal.body)
        return _json(200, body, limits)

    def _serve_git(self, request: SeenRequest) -> Response:
        with self.lock:
            refused = self._access.refuse_git(request)
        if refused:
            return refused
        answer = run_backend(self.folder, request)
        if is_push(request):
            with self.lock:
                by = self.account(self._access.name_of(request))
                for each in self.repositories.values():
                    each.settle(by=by)
        return answer

    def _write_down(self, request: SeenRequest, answer: Response) -> None:
        rows: list[tuple[Any, str]] = []
        if is_push(request):
            rows = [("push", request.path)]
        elif request.path == GRAPHQL:
            names = github_graphql.mutations_in(_quietly(request.body))
            rows = [("graphql", name) for name in names]
        elif request.method not in {"GET", "HEAD"}:
            rows = [("rest", request.path.removeprefix(API))]
        if not rows or request.path.endswith("/git-upload-pack"):
            return
        account = self._access.name_of(request)
        status = 0 if answer.cut else answer.status
        for kind, path in rows:
            self.written.append(
                Written(kind=kind, method=request.method, path=path, account=account, status=status)
            )


def _quietly(body: bytes) -> dict[str, Any]:
    try:
        return read_body(body)
    except Refusal:
        return {}


def _json(status: int, body: object, headers: Iterable[tuple[str, str]] = ()) -> Response:
    text = b"" if body is None else json.dumps(body).encode()
    kind = [] if body is None else [_JSON]
    return Response(status=status, headers=[*kind, *headers], body=text)


def _with_etag(request: SeenRequest, answer: Response) -> Response:
    if request.method != "GET" or answer.status != 200:
        return answer
    etag = f'W/"{hashlib.sha256(answer.body).hexdigest()}"'
    headers = [*answer.headers, ("ETag", etag)]
    if request.headers.get("if-none-match") == etag:
        return replace(answer, status=304, headers=headers, body=b"")
    return replace(answer, headers=headers)
