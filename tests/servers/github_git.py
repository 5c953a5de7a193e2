"""Branches, refs, commits, statuses, checks, rules, releases and workflows of the test GitHub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.servers.github_calls import Answer, Call, Operations, Refusal, invalid
from tests.servers.github_documents import moment
from tests.servers.github_state import Dispatch, Protection, Pull, node_id

if TYPE_CHECKING:
    from tests.servers.github_repository import GitHubRepository
    from tests.servers.github_state import Release

OPERATIONS = Operations()
_HERE = "/repos/{owner}/{repo}"
_MAX_DESCRIPTION_CHARS = 140
_PASSED = frozenset({"success", "neutral", "skipped"})
_STATES = frozenset({"error", "failure", "pending", "success"})


def _branch(call: Call) -> tuple[str, str]:
    name = call.parameters["branch"]
    commit = call.repository.branch(name)
    if commit is None:
        raise Refusal(404, "Branch not found")
    return name, commit


def _commit(call: Call, name: str) -> str:
    for revision in (f"refs/heads/{name}", f"refs/tags/{name}", name):
        try:
            return call.repository.bare.head(revision)
        except RuntimeError:
            continue
    raise Refusal(422, f"No commit found for SHA: {name}")


@OPERATIONS.add(f"GET {_HERE}/branches", needs="contents")
def list_branches(call: Call) -> Answer:
    repository = call.repository
    api = f"{call.host.api_url}/repos/{repository.full_name}/commits"
    return call.page_of(
        [
            {
                "name": name,
                "commit": {"sha": commit, "url": f"{api}/{commit}"},
                "protected": name in repository.protections,
            }
            for name, commit in repository.branches().items()
        ]
    )


@OPERATIONS.add(f"GET {_HERE}/branches/{{branch}}", needs="contents")
def get_branch(call: Call) -> Answer:
    repository = call.repository
    name, commit = _branch(call)
    url = f"{call.host.api_url}/repos/{repository.full_name}/branches/{name}"
    protection = repository.protections.get(name)
    checks = protection.checks if protection else ()
    level = "off" if not checks else "everyone" if _enforced(protection) else "non_admins"
    body = {
        "name": name,
        "commit": call.host.documents.commit(repository, commit),
        "_links": {"self": url, "html": f"{repository.url}/tree/{name}"},
        "protected": protection is not None or bool(repository.rules_of(name)),
        "protection": {
            "enabled": protection is not None,
            "required_status_checks": {
                "enforcement_level": level,
                "contexts": list(checks),
                "checks": [{"context": each, "app_id": None} for each in checks],
            },
        },
        "protection_url": f"{url}/protection",
    }
    return Answer(body=body)


def _enforced(protection: Protection | None) -> bool:
    return protection is not None and protection.enforce_admins


@OPERATIONS.add(f"GET {_HERE}/branches/{{branch}}/protection", needs="administration", role="admin")
def get_protection(call: Call) -> Answer:
    name, _ = _branch(call)
    protection = call.repository.protections.get(name)
    if protection is None:
        raise Refusal(404, "Branch not protected")
    url = f"{call.host.api_url}/repos/{call.repository.full_name}/branches/{name}/protection"
    body: dict[str, Any] = {
        "url": url,
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": protection.enforce_admins},
        "required_signatures": {
            "url": f"{url}/required_signatures",
            "enabled": protection.signatures,
        },
        "required_linear_history": {"enabled": protection.linear},
        "allow_force_pushes": {"enabled": False},
        "allow_deletions": {"enabled": False},
    }
    if protection.checks or protection.strict:
        body["required_status_checks"] = {
            "url": f"{url}/required_status_checks",
            "strict": protection.strict,
            "contexts": list(protection.checks),
            "contexts_url": f"{url}/required_status_checks/contexts",
            "checks": [{"context": each, "app_id": None} for each in protection.checks],
        }
    if protection.approvals:
        body["required_pull_request_reviews"] = {
            "url": f"{url}/required_pull_request_reviews",
            "dismiss_stale_reviews": protection.dismiss_stale,
            "require_code_owner_reviews": False,
            "required_approving_review_count": protection.approvals,
            "require_last_push_approval": False,
        }
    return Answer(body=body)


@OPERATIONS.add(f"GET {_HERE}/rules/branches/{{branch}}", needs="metadata")
def list_rules(call: Call) -> Answer:
    rows = []
    for ruleset in call.repository.rulesets:
        if ruleset.covers(call.parameters["branch"]):
            for name, parameters in ruleset.rules:
                row: dict[str, Any] = {
                    "type": name,
                    "ruleset_source_type": "Repository",
                    "ruleset_source": call.repository.full_name,
                    "ruleset_id": ruleset.id,
                }
                rows.append({**row, "parameters": dict(parameters)} if parameters else row)
    return call.page_of(rows)


def _kind(repository: GitHubRepository, sha: str) -> str:
    return repository.bare.git("cat-file", "-t", sha).strip()


def _ref(call: Call, name: str, sha: str) -> dict[str, Any]:
    return call.host.documents.ref(call.repository, name, sha, _kind(call.repository, sha))


@OPERATIONS.add(f"GET {_HERE}/git/ref/{{ref}}", needs="contents")
def get_ref(call: Call) -> Answer:
    name = f"refs/{call.parameters['ref']}"
    sha = call.repository.ref(name)
    if sha is None:
        raise Refusal(404, "Not Found")
    return Answer(body=_ref(call, name, sha))


@OPERATIONS.add(f"GET {_HERE}/git/matching-refs/{{ref}}", needs="contents")
def list_refs(call: Call) -> Answer:
    listing = call.repository.bare.git("for-each-ref", "--format=%(refname) %(objectname)")
    start = f"refs/{call.parameters['ref']}"
    rows = [line.split(" ") for line in listing.splitlines() if line.startswith(start)]
    return call.page_of([_ref(call, name, sha) for name, sha in rows])


@OPERATIONS.add(f"POST {_HERE}/git/refs", needs="contents")
def make_ref(call: Call) -> Answer:
    name, sha = call.text("ref", required=True) or "", call.text("sha", required=True) or ""
    if not name.startswith("refs/") or name.count("/") < 2:
        raise Refusal(422, "Reference name must start with 'refs/' and contain two slashes")
    if call.repository.ref(name) is not None:
        raise Refusal(422, "Reference already exists")
    _check_rules(call, name, "creation")
    return Answer(body=_move(call, name, sha, "0" * 40), status=201)


@OPERATIONS.add(f"PATCH {_HERE}/git/refs/{{ref}}", needs="contents")
def move_ref(call: Call) -> Answer:
    name, sha = f"refs/{call.parameters['ref']}", call.text("sha", required=True) or ""
    old = call.repository.ref(name)
    if old is None:
        raise Refusal(422, "Reference does not exist")
    _check_rules(call, name, "update", "pull_request", "required_status_checks")
    if not _exists(call.repository, sha):
        raise Refusal(422, "Object does not exist")
    if not call.repository.contains(sha, old):
        if not call.body.get("force"):
            raise Refusal(422, "Update is not a fast forward")
        _check_rules(call, name, "non_fast_forward")
    return Answer(body=_move(call, name, sha, old))


@OPERATIONS.add(f"DELETE {_HERE}/git/refs/{{ref}}", needs="contents")
def delete_ref(call: Call) -> Answer:
    name = f"refs/{call.parameters['ref']}"
    if call.repository.ref(name) is None:
        raise Refusal(422, "Reference does not exist")
    _check_rules(call, name, "deletion")
    call.repository.bare.git("update-ref", "-d", name)
    call.repository.settle(by=call.account)
    return Answer(status=204)


def _check_rules(call: Call, name: str, *rules: str) -> None:
    branch = name.removeprefix("refs/heads/")
    protection = call.repository.protections.get(branch)
    found = {rule for rule, _ in call.repository.rules_of(branch)}
    if (protection and protection.refuse_pushes) or found & set(rules):
        raise Refusal(422, "Repository rule violations found\n\nCannot update this protected ref.")


def _exists(repository: GitHubRepository, sha: str) -> bool:
    try:
        return bool(_kind(repository, sha))
    except RuntimeError:
        return False


def _move(call: Call, name: str, sha: str, old: str) -> dict[str, Any]:
    if not _exists(call.repository, sha):
        raise Refusal(422, "Object does not exist")
    try:
        call.repository.bare.git("update-ref", name, sha, old)
    except RuntimeError:
        raise Refusal(409, "Reference cannot be updated") from None
    call.repository.settle(by=call.account)
    return _ref(call, name, sha)


@OPERATIONS.add(f"GET {_HERE}/commits", needs="contents")
def list_commits(call: Call) -> Answer:
    query = call.request.query
    start = _commit(call, query.get("sha") or call.repository.default_branch)
    where = ["--", query["path"]] if query.get("path") else []
    page = call.page_of(call.repository.bare.git("rev-list", start, *where).split())
    assert isinstance(page.body, list)
    found = [call.host.documents.commit(call.repository, each) for each in page.body]
    return Answer(body=found, headers=page.headers)


@OPERATIONS.add(f"GET {_HERE}/commits/{{ref}}", needs="contents")
def get_commit(call: Call) -> Answer:
    commit = _commit(call, call.parameters["ref"])
    return Answer(body=call.host.documents.commit(call.repository, commit))


@OPERATIONS.add(f"GET {_HERE}/commits/{{ref}}/status", needs="statuses")
def get_combined_status(call: Call) -> Answer:
    repository, commit = call.repository, _commit(call, call.parameters["ref"])
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
    commit = _commit(call, call.parameters["ref"])
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
    if len(sha) != len("0" * 40) or not _exists(call.repository, sha):
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
    repository, commit = call.repository, _commit(call, call.parameters["ref"])
    runs = [each for each in repository.statuses.get(commit, []) if each.run]
    if call.request.query.get("filter", "latest") == "latest":
        runs = list({each.context: each for each in runs}.values())
    rows = [call.host.documents.check_run(repository, commit, each) for each in runs]
    return call.page_of(rows, wrap="check_runs")


@OPERATIONS.add(f"GET {_HERE}/commits/{{commit_sha}}/pulls", needs="pull_requests")
def list_pulls_with(call: Call) -> Answer:
    """Return the merged pull request that brought a commit, else open ones that hold it."""
    repository, commit = call.repository, _commit(call, call.parameters["commit_sha"])
    rows = [pull for pull in repository.pulls() if _brings(repository, pull, commit)]
    return call.page_of([call.host.documents.pull(each) for each in rows])


def _brings(repository: GitHubRepository, pull: Pull, commit: str) -> bool:
    if pull.merge_commit == commit:
        return True
    inside = repository.contains(pull.head, commit)
    return inside and (
        not repository.contains(pull.base, commit) if pull.open else _own(pull, commit)
    )


def _own(pull: Pull, commit: str) -> bool:
    """Tell whether the pull request itself brought `commit`, and its base had it not before."""
    if pull.merged is None:
        return False
    fork = pull.repository.bare.git("merge-base", pull.base, pull.head).strip()
    return fork == pull.head or not pull.repository.contains(fork, commit)


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
    start = _commit(call, call.request.query.get("ref") or call.repository.default_branch)
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
