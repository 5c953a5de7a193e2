"""Branches, refs, commits and rules of the test GitHub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.servers.github_calls import Answer, Call, Operations, Refusal

if TYPE_CHECKING:
    from tests.servers.github_repository import GitHubRepository
    from tests.servers.github_state import Protection, Pull

OPERATIONS = Operations()
_HERE = "/repos/{owner}/{repo}"


def _branch(call: Call) -> tuple[str, str]:
    name = call.parameters["branch"]
    commit = call.repository.branch(name)
    if commit is None:
        raise Refusal(404, "Branch not found")
    return name, commit


def commit_of(call: Call, name: str) -> str:
    """Return the commit that a branch, tag or id names."""
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
    if not exists(call.repository, sha):
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


def exists(repository: GitHubRepository, sha: str) -> bool:
    """Tell whether the repository holds such an object."""
    try:
        return bool(_kind(repository, sha))
    except RuntimeError:
        return False


def _move(call: Call, name: str, sha: str, old: str) -> dict[str, Any]:
    if not exists(call.repository, sha):
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
    start = commit_of(call, query.get("sha") or call.repository.default_branch)
    where = ["--", query["path"]] if query.get("path") else []
    page = call.page_of(call.repository.bare.git("rev-list", start, *where).split())
    assert isinstance(page.body, list)
    found = [call.host.documents.commit(call.repository, each) for each in page.body]
    return Answer(body=found, headers=page.headers)


@OPERATIONS.add(f"GET {_HERE}/commits/{{ref}}", needs="contents")
def get_commit(call: Call) -> Answer:
    commit = commit_of(call, call.parameters["ref"])
    return Answer(body=call.host.documents.commit(call.repository, commit))


@OPERATIONS.add(f"GET {_HERE}/commits/{{commit_sha}}/pulls", needs="pull_requests")
def list_pulls_with(call: Call) -> Answer:
    """Return the merged pull request that brought a commit, else open ones that hold it."""
    repository, commit = call.repository, commit_of(call, call.parameters["commit_sha"])
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
