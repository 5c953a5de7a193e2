"""GitLab's objects in our words: merge requests, notes, issues, statuses, rules.

Field names and which of them may be null follow the documentation of GitLab's REST API v4.
Addresses in answers are not even shown: they are built from the host's own (`Links`).

GitLab obeys lines of a description or note that look like `/close` ("quick actions") in the name
of whoever wrote them, and takes them out. What we write is guarded with a backslash, which
Markdown does not show, and the guard is taken off again when our own text is read. GitLab counts
issues and merge requests apart, so an issue has a negative number here.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.forges.forge import Check, CheckState, Comment, Issue, Links, Proposal, State

if TYPE_CHECKING:
    from bot.forges.answers import Row

DRAFT = "Draft: "
WRITER_LEVEL, MAINTAINER_LEVEL = 30, 40
_DRAFT_SIGNS = re.compile(r"^\s*(?:\[draft\]|\(draft\)|draft:)\s*", re.IGNORECASE)
_ACTION = re.compile(r"^(\\*/[A-Za-z_]+)(?=\s|$)", re.MULTILINE)
_GUARDED = re.compile(r"^\\(\\*/[A-Za-z_]+)(?=\s|$)", re.MULTILINE)
_SAME_MOMENT = timedelta(seconds=1)  # both stamps of a new note are taken one after the other
_STATES = {
    "opened": State.OPEN,
    "locked": State.OPEN,  # while it is being merged
    "closed": State.CLOSED,
    "merged": State.MERGED,
}
_CHECKS = {
    "success": CheckState.PASSED,
    "skipped": CheckState.PASSED,
    "failed": CheckState.FAILED,
    "canceled": CheckState.FAILED,
    "canceling": CheckState.FAILED,
    "created": CheckState.PENDING,
    "waiting_for_resource": CheckState.PENDING,
    "waiting_for_callback": CheckState.PENDING,
    "preparing": CheckState.PENDING,
    "pending": CheckState.PENDING,
    "running": CheckState.PENDING,
    "manual": CheckState.PENDING,
    "scheduled": CheckState.PENDING,
}
_OPTIONAL = frozenset({"failed", "canceled", "canceling", "manual"})
STATUS_WORDS = {
    CheckState.PENDING: "pending",
    CheckState.PASSED: "success",
    CheckState.FAILED: "failed",
}
_STILL_LOOKING = frozenset({"checking", "unchecked", "preparing", "approvals_syncing"})
_UP_TO_DATE_METHODS = frozenset({"ff", "rebase_merge"})


def guarded(text: str) -> str:
    """Return a text in which GitLab finds no order to carry out; lines end with a line feed.

    GitLab drops carriage returns before it looks, so that one must not hide the start of a line.
    """
    return _ACTION.sub(r"\\\1", text.replace("\r\n", "\n").replace("\r", "\n"))


def unguarded(text: str) -> str:
    """Return the text that `guarded` was given."""
    return _GUARDED.sub(r"\1", text)


def gives_order(text: str) -> bool:
    """Return whether a line of a note looks like an order: to GitLab or to us."""
    return _ACTION.search(text.replace("\r", "\n")) is not None


def bare_title(title: str) -> str:
    """Return a title without what makes it a draft's."""
    return _DRAFT_SIGNS.sub("", title)


def read_proposal(row: Row, *, me: int, links: Links) -> Proposal:
    """Return a merge request; ours are those of the account with the number `me`."""
    state = row.one_of(_STATES, "state")
    author = row.row("author")
    ours = author.number("id") == me
    body = row.text_or_none("description") or ""
    source = row.number("source_project_id") if row.has("source_project_id") else None
    number = row.number("iid")
    head = row.text_or_none("sha") or ""
    draft = row.flag("draft")
    merged = state is State.MERGED
    return Proposal(
        number=number,
        url=links.proposal(number),
        state=state,
        title=bare_title(row.text("title")) if draft else row.text("title"),
        body=unguarded(body) if ours else body,
        branch=row.text("source_branch"),
        head=head,
        base=row.text("target_branch"),
        author=author.text("username"),
        ours=ours,
        own_repository=source == row.number("target_project_id"),
        opened=row.moment("created_at"),
        closed=row.moment_or_none("merged_at" if merged else "closed_at"),
        draft=draft,
        labels=tuple(row.texts("labels")),
        merge_commit=_merge_commit(row, head) if merged else "",
        automerge=row.flag("merge_when_pipeline_succeeds") and state is State.OPEN,
    )


def _merge_commit(row: Row, head: str) -> str:
    made = row.text_or_none("merge_commit_sha") or row.text_or_none("squash_commit_sha")
    return made or head  # a fast-forward makes none


def still_looking(row: Row) -> bool:
    """Return whether GitLab has yet to find out if a merge request can be merged."""
    return row.text("detailed_merge_status") in _STILL_LOOKING


def read_comment(row: Row, *, number: int, me: int) -> Comment:
    """Return a note on the merge request or issue `number`."""
    author = row.row("author")
    ours = author.number("id") == me
    body, created = row.text("body"), row.moment("created_at")
    return Comment(
        id=str(row.number("id")),
        number=number,
        author=author.text("username"),
        ours=ours,
        body=unguarded(body) if ours else body,
        created=created,
        edited=row.moment("updated_at") - created > _SAME_MOMENT,
    )


def read_issue(row: Row, *, me: int, links: Links) -> Issue:
    """Return an issue; its number is negative, for merge requests are counted apart."""
    number = row.number("iid")
    body = row.text_or_none("description") or ""
    ours = row.row("author").number("id") == me
    return Issue(
        number=-number,
        url=f"{links.web}/-/issues/{number}",
        title=row.text("title"),
        body=unguarded(body) if ours else body,
        ours=ours,
        open=row.one_of({"opened": True, "closed": False}, "state"),
    )


def read_checks(rows: Iterable[Row]) -> tuple[Check, ...]:
    """Return the newest status of each name; a job that may fail has passed all the same."""
    newest: dict[str, Row] = {}
    for row in rows:
        name = row.text("name")
        if name not in newest or row.number("id") > newest[name].number("id"):
            newest[name] = row
    return tuple(_read_check(row) for row in newest.values())


def _read_check(row: Row) -> Check:
    state = row.one_of(_CHECKS, "status")
    if row.flag("allow_failure") and row.text("status") in _OPTIONAL:
        state = CheckState.PASSED
    return Check(name=row.text("name"), state=state, url=row.text_or_none("target_url") or "")


def access_level(project: Row) -> int:
    """Return our level in a project: the higher of what it and its group give, 0 for none."""
    rights = project.row("permissions")
    levels = [0]
    for name in ("project_access", "group_access"):
        access = rights.row_or_none(name)
        if access is not None:
            levels.append(access.number("access_level"))
    return max(levels)


def covers(pattern: str, branch: str) -> bool:
    """Return whether a protection's name, in which `*` stands for anything, means a branch."""
    literal = pattern.replace("[", "[[]").replace("?", "[?]")
    return fnmatch.fnmatchcase(branch, literal)


def protections_of(rows: Iterable[Row], branch: str) -> list[Row]:
    """Return the protections that mean a branch."""
    return [row for row in rows if covers(row.text("name"), branch)]


def let_in(levels: Sequence[Row], level: int, me: int) -> bool:
    """Return whether a list of access levels lets our level or account do something.

    Of several entries one is enough. An entry for a group or a deploy key is not looked into.
    """
    for row in levels:
        named = row.has("user_id") and row.number("user_id") == me
        others = any(row.has(name) for name in ("user_id", "group_id", "deploy_key_id"))
        wanted = row.number("access_level") if row.has("access_level") else 0
        if named or (not others and 0 < wanted <= level):
            return True
    return False


def required_approvals(rules: Iterable[Row], branch: str) -> int:
    """Return the most approvals that one rule for a branch asks for."""
    wanted = [0]
    for rule in rules:
        named = rule.rows("protected_branches")
        if not named or any(covers(one.text("name"), branch) for one in named):
            wanted.append(rule.number("approvals_required"))
    return max(wanted)


def needs_up_to_date(merge_method: str) -> bool:
    """Return whether a project merges only what stands on the newest commit of its base."""
    return merge_method in _UP_TO_DATE_METHODS
