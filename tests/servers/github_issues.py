"""Issues, labels, comments and reactions of the test GitHub."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from tests.servers.github_calls import Answer, Call, Operations, Refusal, invalid

if TYPE_CHECKING:
    from tests.servers.github_state import Comment, Issue

OPERATIONS = Operations()
MAX_TITLE_CHARS = 256
MAX_BODY_CHARS = 65_536
MAX_LABEL_CHARS = 50
_HERE = "/repos/{owner}/{repo}"
_ONE = f"{_HERE}/issues/{{issue_number}}"
_COMMENT = f"{_HERE}/issues/comments/{{comment_id}}"
_MAX_ASSIGNED = 10
_CONTENTS = frozenset({"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"})


def check_text(resource: str, title: str, body: str | None) -> None:
    """Refuse a title or body that is too long."""
    for name, text, limit in (
        ("title", title, MAX_TITLE_CHARS),
        ("body", body or "", MAX_BODY_CHARS),
    ):
        if len(text) > limit:
            said = f"{name} is too long (maximum is {limit} characters)"
            raise invalid(resource, name, "custom", said)


def _check_allowed(call: Call) -> None:
    if call.account.login in call.repository.blocked:
        raise Refusal(403, "User is blocked")


@OPERATIONS.add(f"GET {_HERE}/issues", needs="issues")
def list_issues(call: Call) -> Answer:
    if not call.repository.settings.has_issues:
        raise Refusal(404, "Not Found")
    query = call.request.query
    wanted = query.get("state", "open")
    labels = {name.lower() for name in query.get("labels", "").split(",") if name}
    rows = [
        issue
        for issue in call.repository.issues.values()
        if wanted in {"all", "open" if issue.open else "closed"}
        and query.get("creator", issue.author.login).lower() == issue.author.login.lower()
        and labels <= {name.lower() for name in issue.labels}
        and _is_since(issue.updated, query.get("since"))
    ]
    by = query.get("sort", "created")
    rows.sort(
        key=lambda issue: (issue.updated if by == "updated" else issue.created, issue.number),
        reverse=query.get("direction", "desc") == "desc",
    )
    return call.page_of([call.host.documents.issue(each) for each in rows])


def _is_since(moment: datetime, since: str | None) -> bool:
    if not since:
        return True
    try:
        least = datetime.fromisoformat(since)
    except ValueError:
        raise invalid("Issue", "since", "invalid") from None
    return moment.replace(microsecond=0) >= least


@OPERATIONS.add(f"POST {_HERE}/issues", needs="issues", role="read")
def open_issue(call: Call) -> Answer:
    _check_allowed(call)
    if not call.repository.settings.has_issues:
        raise Refusal(410, "Issues are disabled for this repo")
    title, body = call.text("title", required=True) or "", call.text("body")
    if not title:
        raise invalid("Issue", "title", "missing_field")
    check_text("Issue", title, body)
    made = call.repository.open_issue(title, by=call.account, body=body or "")
    if call.repository.may(call.account, "triage"):
        call.repository.set_labels(made.number, _names(call.body.get("labels", [])))
    return Answer(body=call.host.documents.issue(made), status=201)


@OPERATIONS.add(f"GET {_ONE}", needs="issues|pull_requests")
def get_issue(call: Call) -> Answer:
    return Answer(body=call.host.documents.issue(call.issue))


@OPERATIONS.add(f"PATCH {_ONE}", needs="issues|pull_requests", role="read")
def edit_issue(call: Call) -> Answer:
    issue = call.issue
    if issue.author != call.account:
        call.must_have("write")
    title, body = call.text("title"), call.text("body")
    check_text("Issue", title or "", body)
    call.repository.edit(issue.number, title=title, body=body)
    if "labels" in call.body:
        call.repository.set_labels(issue.number, _names(call.body["labels"]))
    state = call.text("state")
    if state == "closed" and issue.open:
        call.repository.close(issue.number, by=call.account)
    elif state == "open" and not issue.open:
        call.repository.reopen(issue.number)
    return Answer(body=call.host.documents.issue(issue))


def _names(rows: object) -> list[str]:
    """Read names of labels; a name that is too long refuses all of them."""
    if not isinstance(rows, list):
        raise Refusal(422, "Invalid request.\n\nFor 'labels', no array.")
    names = [str(row["name"]) if isinstance(row, dict) else str(row) for row in rows]
    for name in names:
        _check_label(name)
    return names


def _check_label(name: str) -> None:
    if len(name) > MAX_LABEL_CHARS:
        said = f"name is too long (maximum is {MAX_LABEL_CHARS} characters)"
        raise invalid("Label", "name", "custom", said)
    if not name.strip():
        raise invalid("Label", "name", "missing_field")


def _labels(call: Call) -> Answer:
    return Answer(body=call.host.documents.labels(call.issue))


@OPERATIONS.add(f"POST {_ONE}/assignees", needs="issues|pull_requests", role="triage")
def add_assignees(call: Call) -> Answer:
    issue = call.issue
    for login in call.body.get("assignees", []):
        account = call.host.account(login)
        if account is None or not call.repository.may(account, "triage"):
            continue  # left out without a word
        if account not in issue.assigned and len(issue.assigned) < _MAX_ASSIGNED:
            issue.assigned.append(account)
    return Answer(body=call.host.documents.issue(issue), status=201)


@OPERATIONS.add(f"GET {_ONE}/labels", needs="issues|pull_requests")
def list_labels_of(call: Call) -> Answer:
    return call.page_of(call.host.documents.labels(call.issue))


@OPERATIONS.add(f"POST {_ONE}/labels", needs="issues|pull_requests", role="triage")
def add_labels(call: Call) -> Answer:
    names = _names(call.body.get("labels", []))
    have = {name.lower() for name in call.issue.labels}
    new = [name for name in names if name.lower() not in have]
    call.repository.set_labels(call.issue.number, [*call.issue.labels, *new])
    return _labels(call)


@OPERATIONS.add(f"PUT {_ONE}/labels", needs="issues|pull_requests", role="triage")
def set_labels(call: Call) -> Answer:
    call.repository.set_labels(call.issue.number, _names(call.body.get("labels", [])))
    return _labels(call)


@OPERATIONS.add(f"DELETE {_ONE}/labels/{{name}}", needs="issues|pull_requests", role="triage")
def remove_label(call: Call) -> Answer:
    name = call.parameters["name"].lower()
    kept = [each for each in call.issue.labels if each.lower() != name]
    if kept == call.issue.labels:
        raise Refusal(404, "Label does not exist")
    call.repository.set_labels(call.issue.number, kept)
    return _labels(call)


@OPERATIONS.add(f"GET {_HERE}/labels", needs="issues|pull_requests")
def list_labels(call: Call) -> Answer:
    rows = sorted(call.repository.labels.items())
    return call.page_of([call.host.documents.label(call.repository, row) for _, row in rows])


@OPERATIONS.add(f"GET {_HERE}/labels/{{name}}", needs="issues|pull_requests")
def get_label(call: Call) -> Answer:
    found = call.repository.labels.get(call.parameters["name"].lower())
    if found is None:
        raise Refusal(404, "Not Found")
    return Answer(body=call.host.documents.label(call.repository, found))


@OPERATIONS.add(f"POST {_HERE}/labels", needs="issues|pull_requests")
def make_label(call: Call) -> Answer:
    name = call.text("name", required=True) or ""
    _check_label(name)
    if name.lower() in call.repository.labels:
        raise invalid("Label", "name", "already_exists")
    color, description = call.text("color") or "ededed", call.text("description") or ""
    if len(color) != len("ededed"):
        raise invalid("Label", "color", "invalid")
    made = call.repository.make_label(name, color, description)
    return Answer(body=call.host.documents.label(call.repository, made), status=201)


@OPERATIONS.add(f"GET {_HERE}/issues/comments", needs="issues|pull_requests")
def list_all_comments(call: Call) -> Answer:
    query = call.request.query
    rows = [
        (comment, issue)
        for issue in call.repository.issues.values()
        for comment in issue.comments
        if _is_since(comment.updated, query.get("since"))
    ]
    by = query.get("sort")
    rows.sort(
        key=lambda row: (
            row[0].updated if by == "updated" else row[0].created if by else call.host.began,
            row[0].id,
        ),
        reverse=by is not None and query.get("direction", "desc") == "desc",
    )
    return call.page_of([call.host.documents.comment(issue, comment) for comment, issue in rows])


@OPERATIONS.add(f"GET {_ONE}/comments", needs="issues|pull_requests")
def list_comments(call: Call) -> Answer:
    since = call.request.query.get("since")
    rows = [each for each in call.issue.comments if _is_since(each.updated, since)]
    return call.page_of([call.host.documents.comment(call.issue, each) for each in rows])


@OPERATIONS.add(f"POST {_ONE}/comments", needs="issues|pull_requests", role="read")
def add_comment(call: Call) -> Answer:
    _check_allowed(call)
    issue = call.issue
    if issue.locked:
        call.must_have("write")
    body = call.text("body", required=True) or ""
    _check_body(body)
    made = call.repository.comment(issue.number, body, by=call.account)
    return Answer(body=call.host.documents.comment(issue, made), status=201)


def _check_body(body: str) -> None:
    if not body.strip():
        raise invalid("IssueComment", "body", "missing_field")
    check_text("IssueComment", "", body)


def _find_comment(call: Call) -> tuple[Issue, Comment]:
    wanted = int(call.parameters["comment_id"])
    for issue in call.repository.issues.values():
        for comment in issue.comments:
            if comment.id == wanted:
                return issue, comment
    raise Refusal(404, "Not Found")


@OPERATIONS.add(f"GET {_COMMENT}", needs="issues|pull_requests")
def get_comment(call: Call) -> Answer:
    return Answer(body=call.host.documents.comment(*_find_comment(call)))


@OPERATIONS.add(f"PATCH {_COMMENT}", needs="issues|pull_requests", role="read")
def edit_comment(call: Call) -> Answer:
    issue, comment = _find_comment(call)
    if comment.author != call.account:
        call.must_have("write")
    body = call.text("body", required=True) or ""
    _check_body(body)
    call.repository.edit_comment(comment, body)
    return Answer(body=call.host.documents.comment(issue, comment))


@OPERATIONS.add(f"DELETE {_COMMENT}", needs="issues|pull_requests", role="read")
def delete_comment(call: Call) -> Answer:
    issue, comment = _find_comment(call)
    if comment.author != call.account:
        call.must_have("write")
    issue.comments.remove(comment)
    return Answer(status=204)


@OPERATIONS.add(f"GET {_COMMENT}/reactions", needs="issues|pull_requests")
def list_reactions(call: Call) -> Answer:
    _, comment = _find_comment(call)
    return call.page_of([call.host.documents.reaction(each) for each in comment.reactions])


@OPERATIONS.add(f"POST {_COMMENT}/reactions", needs="issues|pull_requests", role="read")
def add_reaction(call: Call) -> Answer:
    _check_allowed(call)
    _, comment = _find_comment(call)
    content = call.text("content", required=True) or ""
    if content not in _CONTENTS:
        raise invalid("Reaction", "content", "invalid")
    made, new = call.repository.react(comment, content, by=call.account)
    return Answer(body=call.host.documents.reaction(made), status=201 if new else 200)
