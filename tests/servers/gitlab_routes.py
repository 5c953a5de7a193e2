"""Projects, rules, branches, commits and statuses, as the test GitLab's API answers.

Statuses and texts of refusals are those of GitLab's own source. Who may not see a project is told
404, who may see but not do it 403, as there.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.servers.gitlab_calls import Answer, Call, known, person_by_id, route
from tests.servers.gitlab_project import Refusal
from tests.servers.gitlab_state import (
    DEVELOPER,
    GUEST,
    CommitStatus,
    person_json,
    protection_json,
    status_json,
)

_STATES = {"pending", "running", "success", "failed", "canceled", "skipped"}


@route("GET", "", level=GUEST)
def _project(call: Call) -> Answer:
    return Answer(body=call.project.json(call.person))


@route("GET", "/members/all/:user")
def _member(call: Call) -> Answer:
    person = person_by_id(call.people, call.number("user"))
    level = call.project.level(person)
    if not level:
        raise Refusal(404, "404 Not found")
    known = person_json(person, call.url) or {}
    return Answer(body=known | {"access_level": level, "expires_at": None})


@route("GET", "/protected_branches")
def _protected(call: Call) -> Answer:
    if call.project.level(call.person) < call.project.settings.read_rules_level:
        raise Refusal(403, "403 Forbidden")
    found = [protection_json(n, e) for n, e in enumerate(call.project.protections, 1)]
    return Answer(body=found)


@route("GET", "/approval_rules")
def _approval_rules(call: Call) -> Answer:
    settings = call.project.settings
    if not settings.premium:
        raise Refusal(404, "404 Not Found", key="error")
    rule = {
        "id": 5,
        "name": "All Members",
        "rule_type": "any_approver",
        "report_type": None,
        "eligible_approvers": [],
        "approvals_required": settings.approvals_required,
        "users": [],
        "groups": [],
        "contains_hidden_groups": False,
        "protected_branches": [],
        "applies_to_all_protected_branches": False,
    }
    return Answer(body=[rule] if settings.approvals_required else [])


@route("GET", "/push_rule", level=DEVELOPER)
def _push_rule(call: Call) -> Answer:
    settings = call.project.settings
    if not settings.premium:
        raise Refusal(404, "404 Not Found", key="error")
    if call.project.level(call.person) < settings.read_rules_level:
        raise Refusal(403, "403 Forbidden")
    rule = {
        "id": 1,
        "project_id": call.project.id,
        "created_at": "2026-01-02T03:04:05.000Z",
        "commit_message_regex": "",
        "branch_name_regex": "",
        "deny_delete_tag": False,
        "member_check": False,
        "prevent_secrets": False,
        "commit_committer_check": False,
        "reject_unsigned_commits": settings.rejects_unsigned,
    }
    return Answer(body=rule)


@route("GET", "/labels")
def _all_labels(call: Call) -> Answer:
    return Answer(body=[_label_body(n, each) for n, each in enumerate(call.project.labels, 1)])


@route("POST", "/labels")
def _add_label(call: Call) -> Answer:
    name = call.text("name")
    if name in call.project.labels:
        raise Refusal(409, "Label already exists")
    call.project.labels.append(name)
    return Answer(status=201, body=_label_body(len(call.project.labels), name))


@route("GET", "/releases", jobs=True)
def _releases(call: Call) -> Answer:
    return Answer(body=call.project.releases)


@route("GET", "/releases/:tag", jobs=True)
def _release(call: Call) -> Answer:
    for release in call.project.releases:
        if release["tag_name"] == call.parts["tag"]:
            return Answer(body=release)
    raise Refusal(404, "404 Not Found")


@route("POST", "/pipeline", level=DEVELOPER)
def _pipeline(call: Call) -> Answer:
    branch = call.text("ref")
    heads = call.project.heads()
    if branch not in heads:
        raise Refusal(400, {"base": ["Reference not found"]})
    call.project.pipelines_started.append(branch)
    body = {"id": 61, "iid": 1, "sha": heads[branch], "ref": branch, "status": "pending"}
    return Answer(status=201, body=body)


@route("HEAD", "/repository/files/:path")
def _file(call: Call) -> Answer:
    if call.parts["path"] not in call.project.remote.files(known(call, call.text("ref"))):
        raise Refusal(404, "404 File Not Found")
    return Answer(body={})


@route("GET", "/repository/branches", jobs=True)
def _branches(call: Call) -> Answer:
    heads = call.project.heads()
    return Answer(body=[_branch_body(call, name, commit) for name, commit in heads.items()])


@route("GET", "/repository/branches/:branch")
def _branch(call: Call) -> Answer:
    commit = call.project.heads().get(call.parts["branch"])
    if commit is None:
        raise Refusal(404, "404 Branch Not Found")
    return Answer(body=_branch_body(call, call.parts["branch"], commit))


@route("DELETE", "/repository/branches/:branch", level=DEVELOPER)
def _delete_branch(call: Call) -> Answer:
    if call.parts["branch"] not in call.project.heads():
        raise Refusal(404, "404 Branch Not Found")
    call.project.remote.delete_branch(call.parts["branch"])
    return Answer(status=204)


@route("POST", "/repository/commits", level=DEVELOPER)
def _commit(call: Call) -> Answer:
    project, remote = call.project, call.project.remote
    branch, heads = call.text("branch"), call.project.heads()
    start = call.given.get("start_sha") or heads.get(str(call.given.get("start_branch")))
    if not project.may_push(call.person, branch):
        raise Refusal(400, "You are not allowed to push into this branch")
    if branch in heads and start and not call.flag("force"):
        said = f"A branch called '{branch}' already exists. Switch to that branch in order to "
        raise Refusal(400, said + "make changes")
    if branch not in heads and not start:
        raise Refusal(400, f"You can only create or edit files when you are on a branch: {branch}")
    base = str(start or heads[branch])
    if not project.contains(base, base):
        raise Refusal(400, "Cannot find start_sha")
    files = _actions(call, remote.files(base))
    if branch in heads and start:
        remote.git("update-ref", f"refs/heads/{branch}", base)
    author = (
        str(call.given.get("author_name", call.person.username)),
        str(call.given.get("author_email", call.person.mail)),
    )
    remote.commit(files, call.text("commit_message"), author=author, branch=branch, start=base)
    return Answer(status=201, body=_commit_body(call, branch))


@route("GET", "/repository/commits/:sha", jobs=True)
def _one_commit(call: Call) -> Answer:
    known(call, call.parts["sha"])
    return Answer(body=_commit_body(call, call.parts["sha"]))


@route("GET", "/repository/commits/:sha/merge_requests", jobs=True)
def _of_commit(call: Call) -> Answer:
    project, sha = call.project, known(call, call.parts["sha"])
    found = []
    for request in project.merge_requests:
        own = {request.sha, request.merge_commit, request.squash_commit}
        inside = project.contains(request.sha, sha) and not project.contains(request.base_seen, sha)
        if sha in own or inside:
            found.append(project.merge_request_json(request))
    return Answer(body=found)


@route("GET", "/repository/commits/:sha/statuses")
def _statuses(call: Call) -> Answer:
    found = call.project.newest_statuses(known(call, call.parts["sha"]))
    return Answer(body=[status_json(each, call.url) for each in found])


@route("POST", "/statuses/:sha", level=DEVELOPER)
def _set_status(call: Call) -> Answer:
    project, sha = call.project, known(call, call.parts["sha"])
    if not project.remote.git("branch", "--contains", sha).strip():
        raise Refusal(404, "404 References for commit Not Found")
    state = call.text("state")
    name = str(call.given.get("name") or call.given.get("context") or "default")
    if state not in _STATES:
        raise Refusal(400, "state does not have a valid value", key="error")
    current = {each.name: each for each in project.newest_statuses(sha)}.get(name)
    if current and current.state == state and state in {"pending", "running"}:
        verb = "enqueue" if state == "pending" else "run"
        said = (
            f"Cannot transition status via :{verb} from :{state} "
            f'(Reason(s): Status cannot transition via "{verb}")'
        )
        raise Refusal(400, said)
    status = CommitStatus(
        id=project.next_id(),
        sha=sha,
        name=name,
        state=state,
        person=call.person,
        created=call.now(),
        description=call.given.get("description"),
        target_url=call.given.get("target_url"),
    )
    project.statuses.append(status)
    return Answer(status=201, body=status_json(status, call.url))


def _label_body(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "name": name, "color": "#6699cc", "description": None}


def _branch_body(call: Call, name: str, commit: str) -> dict[str, Any]:
    return {
        "name": name,
        "merged": False,
        "protected": call.project.protection(name) is not None,
        "default": name == call.project.default_branch,
        "developers_can_push": False,
        "developers_can_merge": False,
        "can_push": call.project.may_push(call.person, name),
        "web_url": f"{call.url}/{call.project.path}/-/tree/{name}",
        "commit": _commit_body(call, commit),
    }


def _commit_body(call: Call, revision: str) -> dict[str, Any]:
    commit = call.project.remote.log(revision)[0]
    return {
        "id": commit.id,
        "short_id": commit.id[:8],
        "created_at": "2026-01-02T03:04:05.000+00:00",
        "parent_ids": list(commit.parents),
        "title": commit.subject,
        "message": commit.message,
        "author_name": commit.author_name,
        "author_email": commit.author_mail,
        "committer_name": commit.author_name,
        "committer_email": commit.author_mail,
        "trailers": dict(commit.trailers),
        "web_url": f"{call.url}/{call.project.path}/-/commit/{commit.id}",
    }


@dataclass(slots=True, kw_only=True)
class _Tree:
    """What a commit's actions make of the files below it."""

    before: Mapping[str, bytes]
    after: dict[str, bytes | None] = field(default_factory=dict)


def _actions(call: Call, before: Mapping[str, bytes]) -> dict[str, str | bytes | None]:
    tree = _Tree(before=before)
    actions = call.given.get("actions")
    if not isinstance(actions, list) or not actions:
        raise Refusal(400, "actions is missing", key="error")
    for action in actions:
        path, kind = str(action["file_path"]), action["action"]
        text = str(action.get("content", ""))
        body = base64.b64decode(text) if action.get("encoding") == "base64" else text.encode()
        if kind == "create" and path in tree.before:
            raise Refusal(400, "A file with this name already exists")
        if kind in {"update", "delete"} and path not in tree.before:
            raise Refusal(400, "A file with this name doesn't exist")
        tree.after[path] = None if kind == "delete" else body
    return dict(tree.after)
