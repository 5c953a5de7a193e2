"""Statuses, checks, releases, files and workflows of the test GitHub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.servers.github_calls import Answer, Call, Operations, Refusal, invalid
from tests.servers.github_git import commit_of, exists
from tests.servers.github_place_documents import moment
from tests.servers.github_state import Dispatch, node_id

if TYPE_CHECKING:
    from tests.servers.github_state import Release

OPERATIONS = Operations()
_HERE = "/repos/{owner}/{repo}"
_MAX_DESCRIPTION_CHARS = 140
_STATES = frozenset({"error", "failure", "pending", "success"})


@OPERATIONS.add(f"GET {_HERE}/commits/{{ref}}/status", needs="statuses")
def get_combined_status(call: Call) -> Answer:
    repository, commit = call.repository, commit_of(call, call.parameters["ref"])
    newest = {s.context: s for s in repository.statuses.get(commit, []) if not s.run}
    states = {each.state for each in newest.values()}
    state = "failure" if states & {"failure", "error"} else "pending"
    if states == {"success"}:
        state = "success"
    rows = [call.host.documents.status(repository, commit, each) for each in newest.values()]
    page = call.page_of(rows, wrap="statuses")
    assert isinstance(page.body, dict)
    api = f"{call.host.api_url}/repos/{repository.full_name}/commits/{commit}"
    more = {
        "state": state,
        "sha": commit,
        "repository": call.host.documents.repository(repository),
        "commit_url": api,
        "url": f"{api}/status",
    }
    return Answer(body={**page.body, **more}, headers=page.headers)


@OPERATIONS.add(f"GET {_HERE}/commits/{{ref}}/statuses", needs="statuses")
def list_statuses(call: Call) -> Answer:
    commit = commit_of(call, call.parameters["ref"])
    rows = [each for each in reversed(call.repository.statuses.get(commit, [])) if not each.run]
    return call.page_of([_status(call, commit, each) for each in rows])


def _status(call: Call, commit: str, status: Any) -> dict[str, Any]:
    documents = call.host.documents
    found = documents.status(call.repository, commit, status)
    return {**found, "creator": documents.account(status.creator)}


@OPERATIONS.add(f"POST {_HERE}/statuses/{{sha}}", needs="statuses")
def set_status(call: Call) -> Answer:
    state = call.text("state", required=True) or ""
    if state not in _STATES:
        raise invalid("Status", "state", "custom", "state is not included in the list")
    description = call.text("description") or ""
    if len(description) > _MAX_DESCRIPTION_CHARS:
        said = f"description is too long (maximum is {_MAX_DESCRIPTION_CHARS} characters)"
        raise invalid("Status", "description", "custom", said)
    sha = call.parameters["sha"]
    if len(sha) != len("0" * 40) or not exists(call.repository, sha):
        raise Refusal(422, f"No commit found for SHA: {sha}")
    made = call.repository.set_status(
        sha,
        call.text("context") or "default",
        state,
        by=call.account,
        description=description,
        target_url=call.text("target_url"),
    )
    return Answer(body=_status(call, sha, made), status=201)


@OPERATIONS.add(f"GET {_HERE}/commits/{{ref}}/check-runs", needs="checks")
def list_check_runs(call: Call) -> Answer:
    repository, commit = call.repository, commit_of(call, call.parameters["ref"])
    runs = [each for each in repository.statuses.get(commit, []) if each.run]
    if call.request.query.get("filter", "latest") == "latest":
        runs = list({(each.context, each.suite): each for each in runs}.values())
    rows = [call.host.documents.check_run(repository, commit, each) for each in runs]
    return call.page_of(rows, wrap="check_runs")


@OPERATIONS.add(f"GET {_HERE}/releases", needs="contents")
def list_releases(call: Call) -> Answer:
    rows = [each for each in reversed(call.repository.releases) if _is_shown(call, each)]
    return call.page_of([call.host.documents.release(call.repository, each) for each in rows])


@OPERATIONS.add(f"GET {_HERE}/releases/latest", needs="contents")
def get_newest_release(call: Call) -> Answer:
    rows = [each for each in call.repository.releases if not (each.draft or each.prerelease)]
    return _release(call, rows[-1] if rows else None)


@OPERATIONS.add(f"GET {_HERE}/releases/tags/{{tag}}", needs="contents")
def get_release(call: Call) -> Answer:
    tag = call.parameters["tag"]
    return _release(call, next((r for r in call.repository.releases if r.tag == tag), None))


def _release(call: Call, release: Release | None) -> Answer:
    if release is None or not _is_shown(call, release):
        raise Refusal(404, "Not Found")
    return Answer(body=call.host.documents.release(call.repository, release))


def _is_shown(call: Call, release: Release) -> bool:
    writes = call.token is not None and call.repository.may(call.account, "write")
    return not release.draft or writes


@OPERATIONS.add(f"GET {_HERE}/tags", needs="contents")
def list_tags(call: Call) -> Answer:
    repository = call.repository
    form = "--format=%(refname:lstrip=2) %(objectname)"
    listing = repository.bare.git("for-each-ref", form, "refs/tags").splitlines()
    rows = []
    for name, sha in reversed([line.split(" ") for line in listing]):
        commit = repository.bare.head(sha)
        api = f"{call.host.api_url}/repos/{repository.full_name}"
        rows.append(
            {
                "name": name,
                "commit": {"sha": commit, "url": f"{api}/commits/{commit}"},
                "zipball_url": f"{api}/zipball/refs/tags/{name}",
                "tarball_url": f"{api}/tarball/refs/tags/{name}",
                "node_id": node_id("REF", name),
            }
        )
    return call.page_of(rows)


@OPERATIONS.add(f"GET {_HERE}/contents/{{path}}", needs="contents")
def get_content(call: Call) -> Answer:
    path = call.parameters["path"]
    start = commit_of(call, call.request.query.get("ref") or call.repository.default_branch)
    try:
        data = call.repository.bare.read(path, start)
        sha = call.repository.bare.git("rev-parse", f"{start}:{path}").strip()
    except RuntimeError:
        raise Refusal(404, "Not Found") from None
    return Answer(body=call.host.documents.content(call.repository, path, sha, data))


@OPERATIONS.add(f"GET {_HERE}/actions/workflows", needs="actions")
def list_workflows(call: Call) -> Answer:
    repository = call.repository
    api = f"{call.host.api_url}/repos/{repository.full_name}/actions/workflows"
    began = moment(repository.created)
    rows = [
        {
            "id": number,
            "node_id": node_id("W", number),
            "name": name.removesuffix(".yml"),
            "path": f".github/workflows/{name}",
            "state": "active",
            "created_at": began,
            "updated_at": began,
            "url": f"{api}/{number}",
            "html_url": f"{repository.url}/blob/main/.github/workflows/{name}",
            "badge_url": f"{repository.url}/workflows/{name}/badge.svg",
        }
        for number, name in enumerate(repository.workflows, start=1)
    ]
    return call.page_of(rows, wrap="workflows")


@OPERATIONS.add(f"POST {_HERE}/actions/workflows/{{workflow_id}}/dispatches", needs="actions")
def start_workflow(call: Call) -> Answer:
    repository, wanted = call.repository, call.parameters["workflow_id"]
    numbered = {str(at): name for at, name in enumerate(repository.workflows, start=1)}
    workflow = numbered.get(wanted, wanted)
    if workflow not in repository.workflows:
        raise Refusal(404, "Not Found")
    ref = (call.text("ref", required=True) or "").removeprefix("refs/heads/")
    if repository.branch(ref) is None:
        raise Refusal(422, f"No ref found for: {ref}")
    inputs = call.body.get("inputs", {})
    made = Dispatch(workflow=workflow, ref=ref, inputs=inputs, account=call.account)
    repository.dispatches.append(made)
    if not call.body.get("return_run_details"):
        return Answer(status=204)
    number = len(repository.dispatches)
    api = f"{call.host.api_url}/repos/{repository.full_name}/actions/runs/{number}"
    page = f"{repository.url}/actions/runs/{number}"
    return Answer(body={"workflow_run_id": number, "run_url": api, "html_url": page})


@OPERATIONS.add(f"GET {_HERE}/actions/permissions/workflow", needs="administration", role="admin")
def get_workflow_permissions(call: Call) -> Answer:
    allowed = call.repository.settings.actions_may_open
    body = {
        "default_workflow_permissions": "read",
        "can_approve_pull_request_reviews": allowed,
    }
    return Answer(body=body)
