"""What a base branch on GitHub demands.

Rules come from three places: rulesets, which everybody may read; the summary of branch protection
in the branch's own answer; and its details, for administrators by REST, for others by GraphQL's
`refUpdateRule`. Where the details stay closed, `known` is false and nothing may be concluded.

Must not know what is proposed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.errors import AccessError, RefusedError
from bot.forges.forge import BaseRules, NotFoundError
from bot.forges.github_answers import same

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.forges.answers import Row
    from bot.forges.github_session import GitHubSession

log = logging.getLogger(__name__)

METHODS = ("merge", "squash", "rebase")
_FIELDS = ("allow_merge_commit", "allow_squash_merge", "allow_rebase_merge")
_DETAILS = """
query($owner: String!, $name: String!, $ref: String!) {
  repository(owner: $owner, name: $name) {
    ref(qualifiedName: $ref) {
      refUpdateRule {
        requiredApprovingReviewCount
        requiredStatusCheckContexts
        requiresLinearHistory
        requiresSignatures
      }
    }
  }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The repository's own settings; `None` and empty where this token is not told."""

    archived: bool
    issues: bool
    private: bool
    methods: tuple[str, ...] = ()
    may_automerge: bool | None = None
    may_push: bool | None = None
    admin: bool = False
    scopes: tuple[str, ...] | None = None


async def read_settings(session: GitHubSession) -> Settings:
    """Return the repository's settings.

    Raises:
        AccessError: It is not there, not ours to see, or has another name by now.
    """
    row = await session.row("GET", "")
    if not same(row.text("full_name"), session.path):
        raise AccessError(
            f"the repository is called {row.text('full_name')} by now",
            where=session.where,
            hint="Write its new name",
        )
    may = row.row("permissions") if row.has("permissions") else None
    return Settings(
        archived=row.flag("archived"),
        issues=row.flag("has_issues"),
        private=row.flag("private"),
        methods=tuple(
            method
            for method, name in zip(METHODS, _FIELDS, strict=True)
            if row.has(name) and row.flag(name)
        ),
        may_automerge=row.flag("allow_auto_merge") if row.has("allow_auto_merge") else None,
        may_push=may.flag("push") if may is not None else None,
        admin=may.flag("admin") if may is not None else False,
    )


def with_scopes(settings: Settings, scopes: str | None) -> Settings:
    """Return the settings with what a classic token may do, `None` for any other token."""
    if scopes is None:
        return settings
    return replace(settings, scopes=tuple(one.strip() for one in scopes.split(",") if one.strip()))


@dataclass(slots=True, kw_only=True)
class _Demands:
    """What was found so far; several rules of one kind add up."""

    known: bool = True
    checks: dict[str, None]
    any_checks: bool = False
    approvals: int = 0
    signatures: bool = False
    up_to_date: bool = False
    linear: bool = False
    queue: bool = False
    methods: set[str]

    def need(self, names: Iterable[str]) -> None:
        self.checks |= dict.fromkeys(names)


async def read_rules(session: GitHubSession, settings: Settings, base: str) -> BaseRules:
    """Return what `base` demands."""
    found = _Demands(checks={}, methods=set(settings.methods or METHODS))
    await _add_rulesets(session, found, base)
    await _add_protection(session, found, base, admin=settings.admin)
    methods = [one for one in METHODS if one in found.methods]
    if found.linear:
        methods = [one for one in methods if one != "merge"]
    return BaseRules(
        known=found.known and bool(settings.methods),
        required_checks=tuple(found.checks),
        requires_checks=bool(found.checks) or found.any_checks,
        required_approvals=found.approvals,
        requires_signatures=found.signatures,
        requires_up_to_date=found.up_to_date,
        merge_queue=found.queue,
        may_automerge=bool(settings.may_automerge),
        merge_method=methods[0] if methods and settings.methods else "",
    )


async def active_rules(session: GitHubSession, branch: str) -> list[Row] | None:
    """Return the rules of rulesets for a branch, `None` where this GitHub does not tell them."""
    try:
        rows, _ = await session.rows(f"rules/branches/{quote(branch, safe='')}")
    except NotFoundError:
        return None  # an Enterprise host older than rulesets
    except AccessError as fault:
        if "upgrade to" in fault.what.lower():
            return []  # a private repository on a plan without rules
        raise
    return rows


async def _add_rulesets(session: GitHubSession, found: _Demands, base: str) -> None:
    rows = await active_rules(session, base)
    found.known = rows is not None
    for row in rows or []:
        _add_rule(found, row)


def _add_rule(found: _Demands, row: Row) -> None:
    kind = row.text("type")
    detail = row.row("parameters") if row.has("parameters") else None
    if kind == "required_signatures":
        found.signatures = True
    elif kind == "required_linear_history":
        found.linear = True
    elif kind == "workflows":
        found.any_checks = True
    elif kind == "merge_queue":
        found.queue = True
    elif detail is not None and kind == "required_status_checks":
        found.need(one.text("context") for one in detail.rows("required_status_checks"))
        found.up_to_date |= detail.flag("strict_required_status_checks_policy")
    elif detail is not None and kind == "pull_request":
        found.approvals = max(found.approvals, detail.number("required_approving_review_count"))
        if detail.has("allowed_merge_methods"):
            found.methods &= set(detail.texts("allowed_merge_methods"))


async def _add_protection(
    session: GitHubSession, found: _Demands, base: str, *, admin: bool
) -> None:
    branch = await session.row("GET", f"branches/{quote(base, safe='')}")
    if not branch.flag("protected"):
        return
    summary = branch.row("protection")
    if summary.has("enabled") and not summary.flag("enabled"):
        return  # by rulesets alone
    if summary.has("required_status_checks"):
        checks = summary.row("required_status_checks")
        if not (checks.has("enforcement_level") and checks.text("enforcement_level") == "off"):
            found.need(checks.texts("contexts"))
    if admin and await _add_details(session, found, base):
        return
    await _add_public_details(session, found, base)


async def _add_details(session: GitHubSession, found: _Demands, base: str) -> bool:
    """Add what administrators are told; return whether we are told."""
    try:
        row = await session.row("GET", f"branches/{quote(base, safe='')}/protection")
    except AccessError:
        return False  # the account may, this token may not
    if row.has("required_status_checks"):
        checks = row.row("required_status_checks")
        found.need(checks.texts("contexts"))
        found.up_to_date |= checks.has("strict") and checks.flag("strict")
    if row.has("required_pull_request_reviews"):
        reviews = row.row("required_pull_request_reviews")
        if reviews.has("required_approving_review_count"):
            count = reviews.number("required_approving_review_count")
            found.approvals = max(found.approvals, count)
    found.signatures |= _on(row, "required_signatures")
    found.linear |= _on(row, "required_linear_history")
    return True


def _on(row: Row, name: str) -> bool:
    return row.has(name) and row.row(name).flag("enabled")


async def _add_public_details(session: GitHubSession, found: _Demands, base: str) -> None:
    """Add what everybody who may push is told, by GraphQL."""
    variables = {"owner": session.owner, "name": session.name, "ref": f"refs/heads/{base}"}
    try:
        data = await session.graphql(_DETAILS, variables, writes=False)
    except (AccessError, RefusedError) as fault:
        log.info("branch protection is not told", extra={"why": fault.what})
        found.known = False
        return
    branch = data.row("repository").row_or_none("ref")
    rule = branch.row_or_none("refUpdateRule") if branch is not None else None
    if rule is None:
        found.known = False
        return
    found.need(
        rule.texts("requiredStatusCheckContexts") if rule.has("requiredStatusCheckContexts") else ()
    )
    if rule.has("requiredApprovingReviewCount"):
        found.approvals = max(found.approvals, rule.number("requiredApprovingReviewCount"))
    found.signatures |= rule.flag("requiresSignatures")
    found.linear |= rule.flag("requiresLinearHistory")
