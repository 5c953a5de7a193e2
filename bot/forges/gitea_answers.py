"""What Gitea's answers mean: proposals, comments, issues, reviews, statuses, rules.

Field names are those of Gitea 1.26's API description, which Forgejo shares. A head's `label` is
its branch; `ref` is a hidden ref once the branch is gone. Times are whole seconds, so that a
comment edited within the second of its making looks unedited.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.forges.answers import NotUnderstoodError
from bot.forges.forge import (
    BaseRules,
    Check,
    CheckState,
    Comment,
    Issue,
    Links,
    Proposal,
    State,
)

if TYPE_CHECKING:
    from bot.forges.answers import Row

DRAFT = "WIP: "
_DRAFT_SIGN = re.compile(r"(?:WIP:|\[WIP\])\s*", re.IGNORECASE)  # as Gitea reads it by default
_NUMBER = re.compile(r"/(?:issues|pulls)/([0-9]{1,18})(?:[#?].*)?$")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_CHECK_STATES = {
    "pending": CheckState.PENDING,
    "success": CheckState.PASSED,
    "skipped": CheckState.PASSED,
    "error": CheckState.FAILED,
    "failure": CheckState.FAILED,
    "warning": CheckState.FAILED,  # Gitea's own combined status counts it so
}
STATUS_WORDS = {
    CheckState.PENDING: "pending",
    CheckState.PASSED: "success",
    CheckState.FAILED: "failure",
}
_METHODS = (
    ("merge", "allow_merge_commits"),
    ("squash", "allow_squash_merge"),
    ("rebase", "allow_rebase"),
    ("rebase-merge", "allow_rebase_explicit"),
    ("fast-forward-only", "allow_fast_forward_only_merge"),
)


def commit_id(row: Row, name: str) -> str:
    """Return a field that is a commit."""
    found = row.text(name)
    if not _COMMIT.fullmatch(found):
        raise NotUnderstoodError(row.place, f"{name} is no commit")
    return found


def login_of(row: Row) -> str:
    """Return whose work a row is."""
    return row.row("user").text("login")


def read_proposal(row: Row, *, me: int, links: Links) -> Proposal:
    """Return a proposal; `me` is the number of our account."""
    head, base, user = row.row("head"), row.row("base"), row.row("user")
    number, draft, merged = row.number("number"), row.flag("draft"), row.flag("merged")
    title = row.text("title")
    state = _state(row)
    own_repository = head.number("repo_id") == base.number("repo_id")
    sure = state is State.OPEN and own_repository
    return Proposal(
        number=number,
        url=links.proposal(number),
        state=State.MERGED if merged else state,
        title=_bare_title(title) if draft else title,
        body=row.text("body"),
        branch=head.text("label"),
        head=commit_id(head, "sha") if sure else _commit_or_none(head, "sha"),
        base=base.text("ref"),
        author=user.text("login"),
        ours=user.number("id") == me,
        own_repository=own_repository,
        opened=row.moment("created_at"),
        closed=row.moment_or_none("closed_at") if state is State.CLOSED else None,
        draft=draft,
        labels=tuple(one.text("name") for one in row.rows("labels")) if row.has("labels") else (),
        merge_commit=_commit_or_none(row, "merge_commit_sha") if merged else "",
    )


def _bare_title(title: str) -> str:
    sign = _DRAFT_SIGN.match(title)
    return title[sign.end() :] if sign else title


def _commit_or_none(row: Row, name: str) -> str:
    """Return a commit, empty where Gitea has lost it: in a proposal that came from elsewhere."""
    return commit_id(row, name) if row.text(name) else ""


def _state(row: Row) -> State:
    found = row.text("state")
    if found not in {State.OPEN.value, State.CLOSED.value}:
        raise NotUnderstoodError(row.place, "state is neither open nor closed")
    return State(found)


def read_comment(row: Row, *, me: int) -> Comment:
    """Return a comment; the number of what it stands on is only in its address."""
    user = row.row("user")
    address = row.text("pull_request_url") or row.text("issue_url")
    found = _NUMBER.search(address)
    if found is None:
        raise NotUnderstoodError(row.place, "issue_url holds no number")
    created = row.moment("created_at")
    return Comment(
        id=str(row.number("id")),
        number=int(found[1]),
        author=user.text("login"),
        ours=user.number("id") == me,
        body=row.text("body"),
        created=created,
        edited=row.moment("updated_at") > created,
    )


def read_issue(row: Row, *, me: int, links: Links) -> Issue:
    """Return an issue."""
    number = row.number("number")
    return Issue(
        number=number,
        url=f"{links.web}/issues/{number}",
        title=row.text("title"),
        body=row.text("body"),
        ours=row.row("user").number("id") == me,
        open=_state(row) is State.OPEN,
    )


def read_approvers(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return whose last review approves, of people whose review counts (`official`).

    An approval that was dismissed, or made for an older head (`stale`), is none.
    """
    last: dict[str, bool] = {}
    for row in sorted(rows, key=lambda row: row.number("id")):
        state = row.text("state")
        if state not in {"APPROVED", "REQUEST_CHANGES"}:
            continue
        counts = row.flag("official") and not row.flag("dismissed") and not row.flag("stale")
        last[login_of(row)] = state == "APPROVED" and counts
    return tuple(sorted(login for login, approves in last.items() if approves))


def read_checks(row: Row) -> tuple[Check, ...]:
    """Return the checks of a combined status, by name."""
    found: dict[str, Check] = {}
    for one in row.rows("statuses") if row.has("statuses") else []:
        name, state = one.text("context"), one.one_of(_CHECK_STATES, "status")
        found.setdefault(name, Check(name=name, state=state, url=one.text("target_url")))
    return tuple(found[name] for name in sorted(found))


def merge_method(repository: Row) -> str:
    """Return how the repository merges: its own default where it allows it, else what it allows."""
    allowed = [word for word, field in _METHODS if repository.has(field) and repository.flag(field)]
    wished = repository.text("default_merge_style") if repository.has("default_merge_style") else ""
    if wished in allowed:
        return wished
    return allowed[0] if allowed else "merge"


def read_rules(repository: Row, branch: Row, protections: Sequence[Row] | None) -> BaseRules:
    """Return what a branch demands; `protections` is `None` where we may not read them.

    Which protection counts is said by Gitea itself, in the branch's answer. Names of required
    checks may be patterns.
    """
    method, may_merge = merge_method(repository), branch.flag("user_can_merge")
    if not branch.flag("protected"):
        return BaseRules(may_automerge=may_merge, merge_method=method)
    checked = branch.flag("enable_status_check")
    rule_name = branch.text("effective_branch_protection_name")
    rule = next((row for row in protections or () if row.text("rule_name") == rule_name), None)
    return BaseRules(
        known=rule is not None,
        required_checks=_texts(branch, "status_check_contexts") if checked else (),
        requires_checks=checked,
        required_approvals=branch.number("required_approvals"),
        requires_signatures=rule is not None and rule.flag("require_signed_commits"),
        requires_up_to_date=rule is not None and rule.flag("block_on_outdated_branch"),
        may_automerge=may_merge,
        merge_method=method,
    )


def _texts(row: Row, name: str) -> tuple[str, ...]:
    return tuple(row.texts(name)) if row.has(name) else ()


def covers(pattern: str, branch: str) -> bool:
    """Return whether a protection's name covers a branch, as Gitea's globs do.

    `*` and `?` stop at a slash, `**` does not; a list in braces is a choice.
    """
    signs = {"**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")", ",": "|"}
    parts = re.split(r"(\*\*|[*?{},])", pattern)
    balanced = pattern.count("{") == pattern.count("}") == len(re.findall(r"\{[^{}]*\}", pattern))
    depth, built = 0, ""
    for part in parts:
        literal = part in "{}," and (not balanced or (part == "," and not depth))
        depth += {"{": 1, "}": -1}.get(part, 0)
        built += re.escape(part) if literal else signs.get(part, re.escape(part))
    return re.fullmatch(built, branch) is not None


def blocks_us(rule: Row, login: str) -> str:
    """Return why a protection keeps us from a branch of ours, empty where it does not."""
    if not rule.flag("enable_push"):
        return "nobody may push there"
    if rule.flag("enable_push_whitelist") and login not in _texts(rule, "push_whitelist_usernames"):
        return f"{login} is not among those who may push"
    if not (rule.has("enable_force_push") and rule.flag("enable_force_push")):
        return "nobody may force-push, so that no proposal can be brought up to date"
    if rule.flag("enable_force_push_allowlist") and login not in _texts(
        rule, "force_push_allowlist_usernames"
    ):
        return f"{login} is not among those who may force-push"
    return ""
