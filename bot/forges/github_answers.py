"""GitHub's objects in our words: pull requests, comments, issues, checks, reviews.

Field names and which of them may be null follow GitHub's published OpenAPI description. Addresses
in answers are shown to people at most; numbers are taken out of them, they are never asked.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.forges.answers import NotUnderstoodError, Row
from bot.forges.forge import Check, CheckState, Comment, Issue, Proposal, State

GHOST = "ghost"  # whose account is gone
_STATES = {"open": State.OPEN, "closed": State.CLOSED}
_STATUSES = {
    "pending": CheckState.PENDING,
    "success": CheckState.PASSED,
    "failure": CheckState.FAILED,
    "error": CheckState.FAILED,
}
_CONCLUSIONS = {
    "success": CheckState.PASSED,
    "neutral": CheckState.PASSED,
    "skipped": CheckState.PASSED,
    "failure": CheckState.FAILED,
    "cancelled": CheckState.FAILED,
    "timed_out": CheckState.FAILED,
    "action_required": CheckState.FAILED,
    "startup_failure": CheckState.FAILED,
    "stale": CheckState.FAILED,
}
_UNFINISHED = frozenset({"queued", "in_progress", "waiting", "requested", "pending"})
_DROPPED = frozenset({"cancelled", "stale"})  # for the sake of a newer run, where there is one
_WORST = (CheckState.PASSED, CheckState.PENDING, CheckState.FAILED)


def login_of(row: Row, name: str = "user") -> str:
    """Return an account's login; a deleted account is null."""
    user = row.row_or_none(name)
    return user.text("login") if user is not None else GHOST


def same(one: str, other: str) -> bool:
    """Return whether two logins, or two paths of repositories, are one: case does not count."""
    return one.casefold() == other.casefold()


def read_proposal(row: Row, *, path: str, login: str) -> Proposal:
    """Return a pull request of the repository `path`; ours are those of the account `login`.

    Raises:
        NotUnderstoodError: It is of another repository, or lacks what is promised.
    """
    head, base = row.row("head"), row.row("base")
    home = base.row("repo").text("full_name")
    if not same(home, path):
        raise NotUnderstoodError(row.place, "it tells of another repository")
    head_home = head.row_or_none("repo")
    merged = row.moment_or_none("merged_at")
    author = login_of(row)
    return Proposal(
        number=row.number("number"),
        url=row.text("html_url"),
        state=State.MERGED if merged else row.one_of(_STATES, "state"),
        title=row.text("title"),
        body=row.text_or_none("body") or "",
        branch=head.text("ref"),
        head=head.text("sha"),
        base=base.text("ref"),
        author=author,
        ours=same(author, login),
        own_repository=head_home is not None and same(head_home.text("full_name"), home),
        opened=row.moment("created_at"),
        closed=row.moment_or_none("closed_at"),
        draft=row.flag("draft") if row.has("draft") else False,
        labels=tuple(one.text("name") for one in row.rows("labels")),
        merge_commit=(row.text_or_none("merge_commit_sha") or "") if merged else "",
        automerge=row.row_or_none("auto_merge") is not None,
    )


def read_comment(row: Row, *, login: str) -> Comment:
    """Return a comment; which issue it stands on is only told by an address."""
    created = row.moment("created_at")
    author = login_of(row)
    return Comment(
        id=str(row.number("id")),
        number=_last_number(row),
        author=author,
        ours=same(author, login),
        body=row.text("body"),
        created=created,
        edited=row.moment("updated_at") != created,
    )


def _last_number(row: Row) -> int:
    number = row.text("issue_url").rpartition("/")[2]
    if not number.isdecimal():
        raise NotUnderstoodError(row.place, "issue_url names no issue")
    return int(number)


def read_issue(row: Row, *, login: str) -> Issue:
    """Return an issue."""
    return Issue(
        number=row.number("number"),
        url=row.text("html_url"),
        title=row.text("title"),
        body=row.text_or_none("body") or "",
        ours=same(login_of(row), login),
        open=row.one_of(_STATES, "state") is State.OPEN,
    )


def read_status(row: Row) -> Check:
    """Return a commit status."""
    return Check(
        name=row.text("context"),
        state=row.one_of(_STATUSES, "state"),
        url=row.text_or_none("target_url") or "",
    )


def read_check_run(row: Row) -> Check:
    """Return a check run."""
    if row.text("status") == "completed":
        state = row.one_of(_CONCLUSIONS, "conclusion")
    elif row.text("status") in _UNFINISHED:
        state = CheckState.PENDING
    else:
        raise NotUnderstoodError(row.place, "status is a word that we do not know")
    return Check(name=row.text("name"), state=state, url=row.text_or_none("html_url") or "")


def newest_runs(rows: Iterable[Row]) -> list[Check]:
    """Return the check runs that count: the newest of each name in each suite.

    Each run of a workflow is a suite, and two workflows may name their jobs alike. An older run
    that was cancelled counts for nothing beside a newer one of its name.
    """
    newest: dict[tuple[str, int], Row] = {}
    last: dict[str, int] = {}
    for row in rows:
        suite = row.row_or_none("check_suite")
        key = (row.text("name"), suite.number("id") if suite is not None else 0)
        if key not in newest or row.number("id") > newest[key].number("id"):
            newest[key] = row
        last[key[0]] = max(last.get(key[0], 0), row.number("id"))
    return [
        read_check_run(row)
        for (name, _), row in newest.items()
        if row.number("id") == last[name] or row.text_or_none("conclusion") not in _DROPPED
    ]


def joined(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return one check a name; where a status and a run share one, the worse of them."""
    found: dict[str, Check] = {}
    for one in checks:
        other = found.get(one.name)
        if other is None or _WORST.index(one.state) > _WORST.index(other.state):
            found[one.name] = one
    return tuple(found.values())


def approvers_of(reviews: Iterable[Row], *, head: str) -> tuple[str, ...]:
    """Return who approved `head` and did not take it back; reviews come oldest first."""
    standing: dict[str, bool] = {}
    for one in reviews:
        state = one.text("state")
        if state in {"APPROVED", "CHANGES_REQUESTED", "DISMISSED"}:
            approved = state == "APPROVED" and one.text_or_none("commit_id") == head
            standing[login_of(one)] = approved
    return tuple(login for login, approved in standing.items() if approved)
