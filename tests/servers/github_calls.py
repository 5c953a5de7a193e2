"""How the test GitHub's REST operations are written: a table of functions over one call.

An operation is named as GitHub's description names it, so that its answer can be held to that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

from tests.servers.github_state import Issue, Pull

if TYPE_CHECKING:
    from tests.servers.github import GitHub
    from tests.servers.github_repository import GitHubRepository
    from tests.servers.github_state import Account, Role, Token
    from tests.servers.http_thread import SeenRequest

DOCS = "https://docs.github.com/rest"
_MAX_PAGE = 100


class Refusal(Exception):
    """What GitHub says instead of doing it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Sequence[object] = (),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = tuple(headers)
        self.body: dict[str, object] = {
            "message": message,
            "documentation_url": DOCS,
            "status": str(status),
        }
        if errors:
            self.body["errors"] = list(errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an operation answers; a `body` of None is no body."""

    body: object = None
    status: int = 200
    headers: Sequence[tuple[str, str]] = ()


@dataclass(slots=True, kw_only=True)
class Call:
    """One request to one operation: who asks, where, with what."""

    host: GitHub
    request: SeenRequest
    parameters: dict[str, str]
    token: Token | None
    app: int | None = None
    found: GitHubRepository | None = None
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        if self.token is None:
            raise Refusal(401, "Requires authentication")
        return self.token.account

    @property
    def repository(self) -> GitHubRepository:
        assert self.found is not None
        return self.found

    @property
    def issue(self) -> Issue:
        found = self.repository.issues.get(int(self.parameters["issue_number"]))
        if found is None:
            raise Refusal(404, "Not Found")
        return found

    @property
    def pull(self) -> Pull:
        found = self.repository.issues.get(int(self.parameters["pull_number"]))
        if not isinstance(found, Pull):
            raise Refusal(404, "Not Found")
        return found

    def text(self, name: str, *, required: bool = False) -> str | None:
        """Return a property of the body that must be a text where it is given."""
        value = self.body.get(name)
        if value is None and not required:
            return None
        if not isinstance(value, str):
            said = f'Invalid request.\n\n"{name}" wasn\'t supplied.'
            raise Refusal(422, said if value is None else f"Invalid request.\n\n{name}: no string")
        return value

    def must_have(self, role: Role) -> None:
        if not self.repository.may(self.account, role):
            raise Refusal(403, "Must have push access to repository.")

    def page_of(self, rows: Sequence[object], *, wrap: str = "") -> Answer:
        """Answer with one page and the Link header; `wrap` names the property of the rows."""
        query = self.request.query
        size = max(1, min(_number(query.get("per_page"), 30), _MAX_PAGE))
        page = max(1, _number(query.get("page"), 1))
        last = max(1, -(-len(rows) // size))
        shown = list(rows[(page - 1) * size : page * size])
        links = []
        for relation, target, there in (
            ("prev", page - 1, page > 1),
            ("next", page + 1, page < last),
            ("last", last, page < last),
            ("first", 1, page > 1),
        ):
            if there:
                asked = urlencode({**query, "page": str(target)})
                links.append(f'<{self.host.url}{self.request.path}?{asked}>; rel="{relation}"')
        headers = [("Link", ", ".join(links))] if links else []
        body = {"total_count": len(rows), wrap: shown} if wrap else shown
        return Answer(body=body, headers=headers)


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation: `needs` a permission at a level, and a `role` in the repository."""

    name: str
    handler: Handler
    needs: str
    role: Role
    pattern: re.Pattern[str]
    literal: int

    @property
    def method(self) -> str:
        return self.name.partition(" ")[0]


class Operations:
    """A table of operations, filled by decorating functions."""

    def __init__(self) -> None:
        self.rows: list[Operation] = []

    def add(
        self, name: str, *, needs: str = "", role: Role | None = None
    ) -> Callable[[Handler], Handler]:
        """Register a function for `name`; without a `role` reading needs read, the rest write."""
        method, _, path = name.partition(" ")

        def register(handler: Handler) -> Handler:
            self.rows.append(
                Operation(
                    name=name,
                    handler=handler,
                    needs=needs,
                    role=role or ("read" if method == "GET" else "write"),
                    pattern=_pattern(path),
                    literal=sum(1 for part in path.split("/") if part[:1] != "{"),
                )
            )
            return handler

        return register


class Table:
    """All operations; the one with most fixed parts is asked first."""

    def __init__(self, *parts: Operations) -> None:
        self._rows = sorted((row for part in parts for row in part.rows), key=lambda r: -r.literal)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(row.name for row in self._rows))

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        for row in self._rows:
            match = row.pattern.fullmatch(path) if row.method == method else None
            if match:
                return row, {name: unquote(text) for name, text in match.groupdict().items()}
        return None


def read_body(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        found = json.loads(body)
    except ValueError:
        raise Refusal(400, "Problems parsing JSON") from None
    if isinstance(found, list):
        return {"labels": found}  # of labels alone GitHub takes the bare list
    if not isinstance(found, dict):
        raise Refusal(422, "Invalid request.\n\nFor 'links/0/schema', nil is not an object.")
    return found


def invalid(resource: str, name: str, code: str, message: str = "") -> Refusal:
    """Return the refusal of one property of a body."""
    row = {"resource": resource, "field": name, "code": code}
    if message:
        row["message"] = message
    return Refusal(422, "Validation Failed", errors=[row])


def _pattern(path: str) -> re.Pattern[str]:
    def group(match: re.Match[str]) -> str:
        name = match.group(1)
        if name.endswith(("_number", "_id")) and name != "workflow_id":
            return rf"(?P<{name}>\d+)"
        wide = name in {"ref", "branch", "path", "basehead", "tag", "name"}
        return f"(?P<{name}>{'.+' if wide else '[^/]+'})"

    return re.compile(re.sub(r"\{(\w+)\}", group, path))


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdigit() else otherwise
