"""Merge requests, issues and what is said on them, as the test GitLab's API answers.

Statuses and texts of refusals are those of GitLab's own source.
"""

from typing import Any

from tests.servers.gitlab_calls import (
    Answer,
    Call,
    body_of,
    labels_of,
    person_by_id,
    route,
    title_of,
)
from tests.servers.gitlab_project import Project, Refusal
from tests.servers.gitlab_state import (
    DEVELOPER,
    GUEST,
    MAINTAINER,
    Issue,
    MergeRequest,
    Note,
    note_json,
    person_json,
    stamp,
)


@route("GET", "/merge_requests", jobs=True)
def _merge_requests(call: Call) -> Answer:
    given = call.given
    found = []
    for request in call.project.merge_requests:
        if request.unlisted > 0:
            request.unlisted -= 1
            continue
        wanted = (
            given.get("state", "all") in {"all", request.state}
            and given.get("source_branch", request.source) == request.source
            and given.get("target_branch", request.target) == request.target
            and given.get("author_username", request.author.username) == request.author.username
        )
        if wanted and (given.get("scope") != "created_by_me" or request.author == call.person):
            found.append(request)
    by_update = given.get("order_by") == "updated_at"
    found.sort(
        key=lambda each: (each.updated if by_update else each.created, each.iid),
        reverse=given.get("sort", "desc") == "desc",
    )
    return Answer(body=[call.project.merge_request_json(each) for each in found])


@route("POST", "/merge_requests", level=DEVELOPER)
def _open(call: Call) -> Answer:
    project = call.project
    source, target = call.text("source_branch"), call.text("target_branch")
    heads = project.heads()
    if not project.settings.merge_requests or project.settings.archived:
        raise Refusal(403, "403 Forbidden")
    if source == target:
        raise Refusal(422, ["You can't use same project/branch for source and target"])
    for name, branch in (("source_branch", source), ("target_branch", target)):
        if branch not in heads:
            raise Refusal(400, {name: ["does not exist"]})
    _refuse_double(project, source, target)
    now = call.now()
    request = MergeRequest(
        id=project.next_id(),
        iid=len(project.merge_requests) + 1,
        author=call.person,
        source=source,
        target=target,
        title=title_of(call),
        description="",
        created=now,
        updated=now,
        sha=heads[source],
        base_seen=heads[target],
        source_project_id=project.id,
        unlisted=project.list_lag,
        squash=project.settings.squash_option in {"always", "default_on"},
    )
    labels = labels_of(call, "labels")
    request.labels = labels
    _set_people(call, request)
    request.remove_source = call.flag("remove_source_branch")
    project.merge_requests.append(request)
    project.remote.git("update-ref", f"refs/merge-requests/{request.iid}/head", request.sha)
    request.description = body_of(call, "description", request)
    return Answer(status=201, body=project.merge_request_json(request))


def _set_people(call: Call, request: MergeRequest) -> None:
    """Give a merge request the people that a call names; those that it leaves out go."""
    given = call.given
    if "reviewer_ids" in given:
        found = [person_by_id(call.people, int(each)) for each in given["reviewer_ids"] or []]
        request.reviewers = found
    if "assignee_ids" in given:
        found = [person_by_id(call.people, int(each)) for each in given["assignee_ids"] or []]
        request.assignees = found


@route("GET", "/merge_requests/:iid", jobs=True)
def _merge_request(call: Call) -> Answer:
    request = _request_of(call)
    whole = call.project.merge_request_json(request)
    pipeline = call.project.pipeline(request.sha)
    shown = {"id": 1, "sha": request.sha, "status": pipeline} if pipeline else None
    whole |= {
        "subscribed": False,
        "changes_count": "1",
        "pipeline": shown,
        "head_pipeline": shown,
        "diff_refs": {"base_sha": request.base_seen, "head_sha": request.sha, "start_sha": None},
        "merge_error": None,
        "first_contribution": False,
        "user": {"can_merge": call.project.may_merge(call.person, request.target)},
    }
    return Answer(body=whole)


@route("PUT", "/merge_requests/:iid")
def _update(call: Call) -> Answer:
    project, request, given = call.project, _request_of(call), call.given
    if request.author != call.person and project.level(call.person) < DEVELOPER:
        raise Refusal(403, "403 Forbidden")
    if "title" in given:
        request.title = title_of(call)
    if "target_branch" in given:
        request.target = call.text("target_branch")
        request.base_seen = project.remote.head(request.target)
    if "labels" in given:
        request.labels = labels_of(call, "labels")
    added, removed = labels_of(call, "add_labels"), call.names("remove_labels")
    request.labels = [each for each in request.labels if each not in {*removed, *added}] + added
    if "description" in given:
        request.description = body_of(call, "description", request)
    _set_people(call, request)
    event = given.get("state_event")
    if event == "close" and request.state == "opened":
        project.set_state(request, "closed", call.person)
    elif event == "reopen" and request.state == "closed":
        _refuse_double(project, request.source, request.target)
        project.set_state(request, "opened", call.person)
    request.updated = call.now()
    return Answer(body=project.merge_request_json(request))


@route("PUT", "/merge_requests/:iid/merge", level=DEVELOPER)
def _merge(call: Call) -> Answer:
    request = _request_of(call)
    call.project.accept(
        request,
        call.person,
        sha=call.given.get("sha"),
        auto=call.flag("auto_merge") or call.flag("merge_when_pipeline_succeeds"),
        squash=call.flag("squash"),
        message=call.given.get("merge_commit_message"),
        squash_message=call.given.get("squash_commit_message"),
    )
    return Answer(body=call.project.merge_request_json(request))


@route("POST", "/merge_trains/merge_requests/:iid", level=DEVELOPER)
def _board(call: Call) -> Answer:
    request = _request_of(call)
    call.project.board(
        request,
        call.person,
        sha=call.given.get("sha"),
        later=call.flag("auto_merge") or call.flag("when_pipeline_succeeds"),
        squash=call.flag("squash"),
    )
    return Answer(status=201, body=[])


@route("POST", "/merge_requests/:iid/cancel_merge_when_pipeline_succeeds", level=DEVELOPER)
def _cancel(call: Call) -> Answer:
    request = _request_of(call)
    if request.auto is None:
        raise Refusal(406, "Can't cancel the automatic merge")
    request.auto = None
    return Answer(status=201, body={"status": "success"})


@route("GET", "/merge_requests/:iid/approvals")
def _approvals(call: Call) -> Answer:
    request, settings = _request_of(call), call.project.settings
    left = max(0, settings.approvals_required - len(request.approvals))
    body = {
        "id": request.id,
        "iid": request.iid,
        "project_id": call.project.id,
        "title": request.title,
        "description": request.description,
        "state": request.state,
        "created_at": stamp(request.created),
        "updated_at": stamp(request.updated),
        "merge_status": "can_be_merged",
        "approved": left == 0,
        "approvals_required": settings.approvals_required,
        "approvals_left": left,
        "approved_by": [{"user": person_json(each, call.url)} for each in request.approvals],
        "user_has_approved": call.person in request.approvals,
        "user_can_approve": True,
    }
    return Answer(body=body)


@route("GET", "/(?P<kind>merge_requests|issues)/:iid/notes", jobs=True)
def _notes(call: Call) -> Answer:
    thing = _noteable(call)
    by_update = call.given.get("order_by") == "updated_at"
    found = sorted(
        thing.notes,
        key=lambda each: (each.updated if by_update else each.created, each.id),
        reverse=call.given.get("sort", "desc") == "desc",
    )
    return Answer(body=[_note_body(call, each, thing) for each in found])


@route("POST", "/(?P<kind>merge_requests|issues)/:iid/notes", level=GUEST)
def _add_note(call: Call) -> Answer:
    thing = _noteable(call)
    request = thing if isinstance(thing, MergeRequest) else None
    said = call.text("body")
    left = call.project.obey(said, call.person, request)
    if not left.strip():
        return Answer(status=202, body={"commands_changes": {}, "summary": ["Done."]})
    now = call.now()
    note = Note(id=call.project.next_id(), body=left, person=call.person, created=now, updated=now)
    thing.notes.append(note)
    thing.updated = now
    return Answer(status=201, body=_note_body(call, note, thing))


@route("PUT", "/(?P<kind>merge_requests|issues)/:iid/notes/:note", level=GUEST)
def _edit_note(call: Call) -> Answer:
    thing = _noteable(call)
    note = _note(thing, call.number("note"))
    if note.person != call.person and call.project.level(call.person) < MAINTAINER:
        raise Refusal(403, "403 Forbidden")
    note.body = call.text("body")
    note.updated = call.now()
    note.edited_by = call.person
    return Answer(body=_note_body(call, note, thing))


@route("POST", "/(?P<kind>merge_requests|issues)/:iid/notes/:note/award_emoji", level=GUEST)
def _award(call: Call) -> Answer:
    note = _note(_noteable(call), call.number("note"))
    award = (call.text("name"), call.person.username)
    if award in note.awards:
        raise Refusal(404, "404 Award Emoji Name has already been taken Not Found")
    note.awards.append(award)
    note.updated = call.now()  # as GitLab does, so that it looks edited
    return Answer(status=201, body=_award_body(call, note, award))


@route("GET", "/(?P<kind>merge_requests|issues)/:iid/notes/:note/award_emoji", level=GUEST)
def _awards(call: Call) -> Answer:
    note = _note(_noteable(call), call.number("note"))
    return Answer(body=[_award_body(call, note, each) for each in note.awards])


@route("GET", "/issues", level=GUEST)
def _issues(call: Call) -> Answer:
    given = call.given
    found = [
        each
        for each in call.project.issues
        if given.get("state", "all") in {"all", each.state}
        and (given.get("scope") != "created_by_me" or each.author == call.person)
        and given.get("author_username", each.author.username) == each.author.username
    ]
    found.sort(key=lambda each: each.iid, reverse=given.get("sort", "desc") == "desc")
    return Answer(body=[_issue_body(call, each) for each in found])


@route("POST", "/issues", level=GUEST)
def _open_issue(call: Call) -> Answer:
    project = call.project
    if not project.settings.issues:
        raise Refusal(403, "403 Forbidden")
    now = call.now()
    issue = Issue(
        id=project.next_id(),
        iid=len(project.issues) + 1,
        author=call.person,
        title=title_of(call),
        description=body_of(call, "description", None),
        created=now,
        updated=now,
        labels=labels_of(call, "labels"),
    )
    project.issues.append(issue)
    return Answer(status=201, body=_issue_body(call, issue))


@route("GET", "/issues/:iid", level=GUEST)
def _issue(call: Call) -> Answer:
    return Answer(body=_issue_body(call, call.project.issue(call.number("iid"))))


@route("PUT", "/issues/:iid")
def _edit_issue(call: Call) -> Answer:
    issue = call.project.issue(call.number("iid"))
    if "title" in call.given:
        issue.title = title_of(call)
    if "description" in call.given:
        issue.description = body_of(call, "description", None)
    event = call.given.get("state_event")
    issue.state = {"close": "closed", "reopen": "opened"}.get(str(event), issue.state)
    issue.updated = call.now()
    return Answer(body=_issue_body(call, issue))


def _refuse_double(project: Project, source: str, target: str) -> None:
    """Refuse a second open merge request of the same two branches."""
    for other in project.merge_requests:
        if other.state == "opened" and (other.source, other.target) == (source, target):
            said = f"Another open merge request already exists for this source branch: !{other.iid}"
            raise Refusal(409, [said])


def _request_of(call: Call) -> MergeRequest:
    return call.project.merge_request(call.number("iid"))


def _noteable(call: Call) -> MergeRequest | Issue:
    if call.parts["kind"] == "issues":
        return call.project.issue(call.number("iid"))
    return _request_of(call)


def _note(thing: MergeRequest | Issue, number: int) -> Note:
    for note in thing.notes:
        if note.id == number:
            return note
    raise Refusal(404, "404 Not found")


def _note_body(call: Call, note: Note, thing: MergeRequest | Issue) -> dict[str, Any]:
    kind = "Issue" if isinstance(thing, Issue) else "MergeRequest"
    return note_json(note, call.url, kind=kind, of=thing.iid, project_id=call.project.id)


def _award_body(call: Call, note: Note, award: tuple[str, str]) -> dict[str, Any]:
    name, username = award
    person = next(each for each in call.people if each.username == username)
    return {
        "id": note.id * 10 + note.awards.index(award),
        "name": name,
        "user": person_json(person, call.url),
        "created_at": stamp(note.created),
        "updated_at": stamp(note.created),
        "awardable_id": note.id,
        "awardable_type": "Note",
        "url": None,
    }


def _issue_body(call: Call, issue: Issue) -> dict[str, Any]:
    return {
        "id": issue.id,
        "iid": issue.iid,
        "project_id": call.project.id,
        "title": issue.title,
        "description": issue.description,
        "state": issue.state,
        "created_at": stamp(issue.created),
        "updated_at": stamp(issue.updated),
        "closed_at": None,
        "closed_by": None,
        "labels": sorted(issue.labels),
        "author": person_json(issue.author, call.url),
        "type": "ISSUE",
        "issue_type": "issue",
        "confidential": False,
        "web_url": f"{call.url}/{call.project.path}/-/issues/{issue.iid}",
        "user_notes_count": len(issue.notes),
    }
