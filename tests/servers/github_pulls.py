"""Pull requests of the test GitHub: listing, opening, editing, reviewing, merging."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers import github_merging as merging
from tests.servers.github_calls import Answer, Call, Operations, Refusal, invalid
from tests.servers.github_issues import check_text

if TYPE_CHECKING:
    from tests.servers.github_repository import GitHubRepository
    from tests.servers.github_state import Pull

OPERATIONS = Operations()
_HERE = "/repos/{owner}/{repo}"
_ONE = f"{_HERE}/pulls/{{pull_number}}"
_EVENTS = {
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
}
_NO_OPENING = "GitHub Actions is not permitted to create or approve pull requests."


@OPERATIONS.add(f"GET {_HERE}/pulls", needs="pull_requests")
def list_pulls(call: Call) -> Answer:
    query = call.request.query
    wanted = query.get("state", "open")
    if wanted not in {"open", "closed", "all"}:
        raise invalid("PullRequest", "state", "invalid")
    rows = [
        pull
        for pull in call.repository.pulls()
        if wanted in {"all", "open" if pull.open else "closed"} and _fits(pull, query)
    ]
    for pull in rows:
        pull.hidden_listings -= 1
    rows = [pull for pull in rows if pull.hidden_listings < 0]
    by = query.get("sort", "created")
    otherwise = "desc" if by == "created" else "asc"
    rows.sort(
        key=lambda pull: (pull.updated if by == "updated" else pull.created, pull.number),
        reverse=query.get("direction", otherwise) == "desc",
    )
    page = call.page_of(rows)
    shown = page.body
    assert isinstance(shown, list)
    return Answer(body=[call.host.documents.pull(each) for each in shown], headers=page.headers)


def _fits(pull: Pull, query: dict[str, str]) -> bool:
    owner, found, branch = query.get("head", "").partition(":")
    if found:  # without an owner GitHub ignores the filter and lists all
        theirs = pull.head_repository.owner.login
        if (theirs.lower(), pull.branch) != (owner.lower(), branch):
            return False
    return query.get("base", pull.base_branch) == pull.base_branch


@OPERATIONS.add(f"POST {_HERE}/pulls", needs="pull_requests", role="read")
def open_pull(call: Call) -> Answer:
    repository = call.repository
    if call.account.login in repository.blocked:
        raise Refusal(403, "User is blocked")
    token = call.token
    if token and token.kind == "actions" and not repository.settings.actions_may_open:
        raise Refusal(403, _NO_OPENING)
    title = call.text("title") or ""
    base, head = call.text("base", required=True) or "", call.text("head", required=True) or ""
    if not title:
        raise invalid("PullRequest", "title", "missing_field")
    check_text("PullRequest", title, call.text("body"))
    source, branch = _head_of(call, head)
    _check_branches(repository, source, branch, base)
    if not source.may(call.account, "write"):
        raise Refusal(403, "Must have push access to the head repository.")
    made = repository.open_pull(
        title,
        branch=branch,
        by=call.account,
        base=base,
        body=call.text("body") or "",
        draft=bool(call.body.get("draft")),
        head_repository=source,
    )
    return Answer(body=call.host.documents.pull(made, full=True), status=201)


def _head_of(call: Call, head: str) -> tuple[GitHubRepository, str]:
    owner, found, branch = head.partition(":")
    if not found or owner.lower() == call.repository.owner.login.lower():
        return call.repository, branch if found else head
    for each in call.host.repositories.values():
        if each.owner.login.lower() == owner.lower() and each.parent is call.repository:
            return each, branch
    raise invalid("PullRequest", "head", "invalid")


def _check_branches(
    repository: GitHubRepository, source: GitHubRepository, branch: str, base: str
) -> None:
    head_commit, base_commit = source.branch(branch), repository.branch(base)
    if base_commit is None:
        raise invalid("PullRequest", "base", "invalid")
    if head_commit is None:
        raise invalid("PullRequest", "head", "invalid")
    for pull in repository.pulls():
        same = (pull.head_repository, pull.branch, pull.base_branch) == (source, branch, base)
        if pull.open and same:
            said = f"A pull request already exists for {source.owner.login}:{branch}."
            raise custom("PullRequest", said)
    if source is repository and repository.contains(base_commit, head_commit):
        raise custom("PullRequest", f"No commits between {base} and {branch}")


def custom(resource: str, message: str) -> Refusal:
    row = {"resource": resource, "code": "custom", "message": message}
    return Refusal(422, "Validation Failed", errors=[row])


@OPERATIONS.add(f"GET {_ONE}", needs="pull_requests")
def get_pull(call: Call) -> Answer:
    return Answer(body=call.host.documents.pull(call.pull, full=True))


@OPERATIONS.add(f"PATCH {_ONE}", needs="pull_requests", role="read")
def edit_pull(call: Call) -> Answer:
    pull = call.pull
    if pull.author != call.account:
        call.must_have("write")
    title, body = call.text("title"), call.text("body")
    if title == "":
        raise invalid("PullRequest", "title", "missing_field")
    check_text("PullRequest", title or "", body)
    state, base = call.text("state"), call.text("base")
    if state not in {None, "open", "closed"}:
        raise invalid("PullRequest", "state", "invalid")
    if base is not None and base != pull.base_branch:
        _retarget(call, pull, base)
    call.repository.edit(pull.number, title=title, body=body)
    if state == "closed" and pull.open:
        call.repository.close(pull.number, by=call.account)
    elif state == "open" and not pull.open:
        _reopen(call, pull)
    return Answer(body=call.host.documents.pull(pull, full=True))


def _retarget(call: Call, pull: Pull, base: str) -> None:
    if not pull.open:
        raise custom("PullRequest", "Cannot change the base branch of a closed pull request.")
    if call.repository.branch(base) is None:
        raise invalid("PullRequest", "base", "invalid")
    call.repository.retarget(pull.number, base)


def _reopen(call: Call, pull: Pull) -> None:
    said = ""
    head = pull.head_repository.branch(pull.branch)
    if pull.merged:
        said = "state cannot be changed. The pull request was merged."
    elif head is None:
        said = f"state cannot be changed. The {pull.branch} branch has been deleted."
    elif head != pull.head and not call.repository.contains(head, pull.head):
        said = f"state cannot be changed. The {pull.branch} branch was force-pushed or recreated."
    elif any(o.open and o.branch == pull.branch for o in call.repository.pulls()):
        said = f"state cannot be changed. There is already an open pull request from {pull.branch}."
    if said:
        raise invalid("PullRequest", "state", "custom", said)
    call.repository.reopen(pull.number)


@OPERATIONS.add(f"PUT {_ONE}/merge", needs="contents")
def merge_pull(call: Call) -> Answer:
    repository, pull = call.repository, call.pull
    method = call.text("merge_method") or "merge"
    wanted = call.text("sha")
    if not pull.open:
        raise Refusal(405, "Pull Request is not mergeable")
    if wanted is not None and wanted != pull.head:
        raise Refusal(409, "Head branch was modified. Review and try the merge again.")
    check_method(repository, pull.base_branch, method)
    if repository.demand(pull.base_branch).queue:
        raise Refusal(405, "Changes must be made through the merge queue")
    said = merging.obstacle(repository, pull, by=call.account, method=method)
    if said is not None:
        raise Refusal(405, said)
    try:
        made = repository.merge(
            pull.number,
            by=call.account,
            method=method,
            title=call.text("commit_title"),
            message=call.text("commit_message"),
        )
    except RuntimeError:
        said = "Base branch was modified. Review and try the merge again."
        raise Refusal(405, said) from None
    body = {"sha": made, "merged": True, "message": "Pull Request successfully merged"}
    return Answer(body=body)


def check_method(repository: GitHubRepository, base: str, method: str) -> None:
    """Refuse a way of merging that the repository or a rule of the base forbids."""
    if method not in {"merge", "squash", "rebase"}:
        raise invalid("PullRequest", "merge_method", "invalid")
    allowed = repository.demand(base).methods or repository.settings.methods()
    word = {"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}[method]
    linear = method == "merge" and repository.demand(base).linear
    if linear or method not in repository.settings.methods() or method not in allowed:
        raise Refusal(405, f"{word} are not allowed on this repository.")


@OPERATIONS.add(f"GET {_ONE}/merge", needs="pull_requests")
def is_merged(call: Call) -> Answer:
    if call.pull.merged is None:
        raise Refusal(404, "Not Found")
    return Answer(status=204)


@OPERATIONS.add(f"GET {_ONE}/commits", needs="pull_requests")
def list_commits(call: Call) -> Answer:
    page = call.page_of(merging.commits_of(call.repository, call.pull))
    assert isinstance(page.body, list)
    found = [call.host.documents.commit(call.repository, each) for each in page.body]
    return Answer(body=found, headers=page.headers)


@OPERATIONS.add(f"GET {_ONE}/reviews", needs="pull_requests")
def list_reviews(call: Call) -> Answer:
    return call.page_of([call.host.documents.review(call.pull, r) for r in call.pull.reviews])


@OPERATIONS.add(f"POST {_ONE}/reviews", needs="pull_requests", role="read")
def add_review(call: Call) -> Answer:
    pull = call.pull
    event = call.text("event", required=True)
    if event not in _EVENTS:
        raise invalid("PullRequestReview", "event", "invalid")
    if pull.author == call.account and event != "COMMENT":
        raise Refusal(422, "Unprocessable Entity", errors=["Can not approve your own pull request"])
    if call.token and call.token.kind == "actions":
        raise Refusal(403, _NO_OPENING)
    made = call.repository.review(
        pull.number,
        by=call.account,
        state=_EVENTS[event],  # type: ignore[arg-type]  # one of the four
        body=call.text("body") or "",
    )
    return Answer(body=call.host.documents.review(pull, made))


@OPERATIONS.add(f"POST {_ONE}/requested_reviewers", needs="pull_requests")
def request_reviewers(call: Call) -> Answer:
    pull = call.pull
    for login in call.body.get("reviewers", []):
        account = call.host.account(login)
        if account is None or not call.repository.may(account, "read") or account == pull.author:
            said = "Reviews may only be requested from collaborators."
            raise Refusal(422, f"{said} One or more of the users or teams you specified is not a")
        if account not in pull.requested:
            pull.requested.append(account)
    return Answer(body=call.host.documents.pull(pull), status=201)
