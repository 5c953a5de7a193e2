"""How the test GitLab's API is asked and answered: a call, its answer, and the table of routes.

A route names the level that it needs and whether a CI job's token may use it. The modules that
hold handlers fill the table when they are imported.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.servers.gitlab_project import Project, Refusal
from tests.servers.gitlab_state import REPORTER, Grant, MergeRequest, Person

_MAX_TITLE, _MAX_BODY, _MAX_LABEL = 255, 1_048_576, 255


@dataclass(slots=True, kw_only=True)
class Call:
    """One request to the API, its path already matched, its parameters in one place."""

    person: Person
    grant: Grant
    project: Project
    parts: Mapping[str, str]
    given: Mapping[str, Any]
    people: list[Person]
    now: Callable[[], Any]
    url: str

    def number(self, name: str) -> int:
        return int(self.parts[name])

    def text(self, name: str) -> str:
        found = self.given.get(name)
        if not isinstance(found, str) or not found:
            raise Refusal(400, f"{name} is missing", key="error")
        return found

    def names(self, name: str) -> list[str]:
        found = self.given.get(name) or []
        listed = found.split(",") if isinstance(found, str) else found
        return [str(each).strip() for each in listed if str(each).strip()]

    def flag(self, name: str) -> bool:
        return str(self.given.get(name, "")).lower() in {"true", "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status and what becomes JSON; a list is paged."""

    status: int = 200
    body: Any = None


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation, the level it needs, and whether a CI job's token may use it."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    level: int = REPORTER
    jobs: bool = False


ROUTES: list[Route] = []


def route(
    method: str, path: str, *, level: int = REPORTER, jobs: bool = False
) -> Callable[[Handler], Handler]:
    pattern = re.sub(r":(\w+)", r"(?P<\1>[^/]+)", f"projects/:id{path}")

    def add(handler: Handler) -> Handler:
        route = Route(
            method=method,
            pattern=re.compile(pattern + "$"),
            handler=handler,
            level=level,
            jobs=jobs,
        )
        ROUTES.append(route)
        return handler

    return add


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the operation for a path whose parts are still quoted."""
    for route in ROUTES:
        if route.method == method and (found := route.pattern.match(path)):
            return route, found.groupdict()
    return None


def person_by_id(people: Iterable[Person], number: int) -> Person:
    for person in people:
        if person.id == number:
            return person
    raise Refusal(404, "404 User Not Found")


def known(call: Call, sha: str) -> str:
    try:
        return call.project.remote.head(sha)
    except RuntimeError:
        raise Refusal(404, "404 Commit Not Found") from None


def title_of(call: Call) -> str:
    title = call.text("title")
    if len(title) > _MAX_TITLE:
        raise Refusal(400, {"title": [f"is too long (maximum is {_MAX_TITLE} characters)"]})
    return title


def body_of(call: Call, name: str, request: MergeRequest | None) -> str:
    body = str(call.given.get(name) or "")
    if len(body) > _MAX_BODY:
        raise Refusal(400, {name: [f"is too long (maximum is {_MAX_BODY} characters)"]})
    return call.project.obey(body, call.person, request)


def labels_of(call: Call, name: str) -> list[str]:
    found = call.names(name)
    for label in found:
        if len(label) > _MAX_LABEL:
            raise Refusal(400, {"labels": ["is invalid"]})
    call.project.labels += [each for each in found if each not in call.project.labels]
    return found
