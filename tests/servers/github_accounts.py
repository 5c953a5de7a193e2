"""Who asks and what may be seen: users, Apps and their tokens, repositories, collaborators."""

from __future__ import annotations

from datetime import timedelta

from tests.servers.github_calls import Answer, Call, Operations, Refusal
from tests.servers.github_place_documents import permissions_of
from tests.servers.github_state import LEVELS, App

OPERATIONS = Operations()
_HERE = "/repos/{owner}/{repo}"
_TOKEN_LIFE = timedelta(hours=1)
_OLD_WORDS = {"maintain": "write", "triage": "read"}


@OPERATIONS.add("GET /user")
def get_user(call: Call) -> Answer:
    token = call.token
    if token and token.kind in {"actions", "installation"}:
        raise Refusal(403, "Resource not accessible by integration")
    return Answer(body=call.host.documents.profile(call.account))


@OPERATIONS.add("GET /users/{username}")
def get_user_by_name(call: Call) -> Answer:
    found = call.host.account(call.parameters["username"])
    if found is None:
        raise Refusal(404, "Not Found")
    return Answer(body=call.host.documents.profile(found))


@OPERATIONS.add("GET /rate_limit")
def get_limits(call: Call) -> Answer:
    limit = call.host.limit_of(call.token)
    return Answer(body={"resources": {"core": limit, "search": limit}, "rate": limit})


@OPERATIONS.add(f"GET {_HERE}", needs="metadata")
def get_repository(call: Call) -> Answer:
    asker = call.token.account if call.token else None
    documents = call.host.documents
    return Answer(body=documents.repository(call.repository, asker=asker, full=True))


@OPERATIONS.add(f"GET {_HERE}/collaborators", needs="metadata", role="write")
def list_collaborators(call: Call) -> Answer:
    rows = []
    for login, role in call.repository.roles.items():
        found = call.host.documents.account(call.host.account(login))
        assert found is not None
        rows.append({**found, "role_name": role, "permissions": permissions_of(role)})
    return call.page_of(rows)


@OPERATIONS.add(f"GET {_HERE}/collaborators/{{username}}/permission", needs="metadata")
def get_permission(call: Call) -> Answer:
    if not call.repository.may(call.account, "write"):
        raise Refusal(403, "Must have push access to view collaborator permission.")
    account = call.host.account(call.parameters["username"])
    if account is None:
        raise Refusal(404, f"{call.parameters['username']} is not a user")
    role = call.repository.role_of(account)
    user = call.host.documents.account(account)
    assert user is not None
    body = {
        "permission": _OLD_WORDS.get(role, role),
        "role_name": role,
        "user": {**user, "role_name": role, "permissions": permissions_of(role)},
    }
    return Answer(body=body)


def _app(call: Call) -> App:
    app = call.host.apps.get(call.app) if call.app is not None else None
    if app is None:
        raise Refusal(401, "A JSON web token could not be decoded")
    return app


@OPERATIONS.add("GET /app")
def get_app(call: Call) -> Answer:
    app = _app(call)
    return Answer(body=call.host.documents.app(app, call.host.owner))


@OPERATIONS.add(f"GET {_HERE}/installation")
def get_installation(call: Call) -> Answer:
    app = _app(call)
    repository = call.repository
    if app.repositories is not None and repository.full_name not in app.repositories:
        raise Refusal(404, "Not Found")
    return Answer(body=call.host.documents.installation(app, repository.owner))


@OPERATIONS.add("POST /app/installations/{installation_id}/access_tokens")
def make_token(call: Call) -> Answer:
    app, host = _app(call), call.host
    if int(call.parameters["installation_id"]) != app.installation:
        raise Refusal(404, "Not Found")
    if app.suspended:
        raise Refusal(403, "This installation has been suspended")
    permissions = call.body.get("permissions") or dict(app.permissions)
    for name, level in permissions.items():
        held = app.permissions.get(name, "none")
        if LEVELS.index(level) > LEVELS.index("read" if name == "metadata" else held):
            said = "The permissions requested are not granted to this installation."
            raise Refusal(422, said)
    names = call.body.get("repositories")
    chosen = _repositories(call, app, names) if names is not None else app.repositories
    expires = host.now() + _TOKEN_LIFE
    token = host.make_token(
        app.account,
        kind="installation",
        permissions=permissions,
        repositories=chosen,
        expires=expires,
    )
    body = {
        "token": token.value,
        "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "permissions": permissions,
        "repository_selection": "all" if chosen is None else "selected",
    }
    if chosen is not None:
        body["repositories"] = [
            host.documents.repository(host.repositories[name]) for name in sorted(chosen)
        ]
    return Answer(body=body, status=201)


def _repositories(call: Call, app: App, names: list[str]) -> frozenset[str]:
    found = set()
    for full_name, repository in call.host.repositories.items():
        installed = app.repositories is None or full_name in app.repositories
        if repository.name in names and installed:
            found.add(full_name)
    if len(found) < len(names):
        said = "There is at least one repository that does not exist or is not accessible"
        raise Refusal(422, f"{said} to the parent installation.")
    return frozenset(found)


@OPERATIONS.add("GET /installation/repositories")
def list_installed(call: Call) -> Answer:
    if call.token is None or call.token.kind != "installation":
        raise Refusal(403, "You must authenticate with an installation access token")
    rows = [
        call.host.documents.repository(each, asker=call.account)
        for each in call.host.repositories.values()
        if call.token.sees(each.full_name)
    ]
    page = call.page_of(rows, wrap="repositories")
    assert isinstance(page.body, dict)
    return Answer(body={**page.body, "repository_selection": "selected"}, headers=page.headers)
