"""What a project on GitLab demands of its base branch, and what a first run would stumble over.

Settings of the project tell whether a pipeline must pass and how is merged; protected branches who
may merge; approval and push rules are there on paid plans alone, where 404 means that there are
none. What only maintainers may read makes the rules unknown to others. GitLab names no checks:
all that report on a commit make one pipeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.errors import AccessError
from bot.forges.forge import BaseRules, Finding, NotFoundError
from bot.forges.gitlab_answers import (
    MAINTAINER_LEVEL,
    WRITER_LEVEL,
    access_level,
    let_in,
    needs_up_to_date,
    protections_of,
    required_approvals,
)
from bot.forges.gitlab_faults import JOB_FIX, SCOPE_FIX
from bot.forges.gitlab_talk import GitLabTalk

if TYPE_CHECKING:
    from bot.forges.answers import Row
    from bot.forges.forge import Links
    from bot.forges.gitlab_session import GitLabSession

_SQUASHES = frozenset({"always", "default_on"})
_LEVEL_FIX = "Give its account the role Developer in the project"


class GitLabRules(GitLabTalk):
    """The part of the adapter that reads settings; each is asked once."""

    def __init__(self, session: GitLabSession, links: Links) -> None:
        super().__init__(session, links)
        self._project: Row | None = None
        self._lists: dict[str, list[Row] | None] = {}
        self._push_rule: Row | None = None
        self._asked_push_rule = False
        self._rules: dict[str, BaseRules] = {}

    async def rules(self, base: str) -> BaseRules:
        """Return what the base branch demands; asked once for each.

        Where the token may not read the settings at all, they are unknown.
        """
        if base not in self._rules:
            try:
                self._rules[base] = await self._read_rules(base)
            except AccessError:
                if self._session.auth.kind != "job":
                    raise
                self._rules[base] = BaseRules(known=False)
        return self._rules[base]

    async def _read_rules(self, base: str) -> BaseRules:
        project = await self._settings()
        protections = await self._setting_rows("protected_branches")
        approvals = await self._setting_rows("approval_rules")
        needs_pipeline = project.flag("only_allow_merge_if_pipeline_succeeds")
        method = project.text("merge_method")
        trains = self._has_trains(project)
        wanted = required_approvals(approvals or (), base)
        return BaseRules(
            known=protections is not None and approvals is not None,
            requires_checks=needs_pipeline,
            required_approvals=wanted,
            requires_signatures=await self._needs_signatures(),
            requires_up_to_date=needs_up_to_date(method),
            merge_queue=trains,
            may_automerge=needs_pipeline or wanted > 0 or trains,
            merge_method="squash" if self._squashes(project) else method,
        )

    async def _settings(self) -> Row:
        if self._project is None:
            self._project = await self._session.row("GET", "")
        return self._project

    def _has_trains(self, project: Row) -> bool:
        return project.has("merge_trains_enabled") and project.flag("merge_trains_enabled")

    def _squashes(self, project: Row) -> bool:
        return project.has("squash_option") and project.text("squash_option") in _SQUASHES

    async def _setting_rows(self, name: str) -> list[Row] | None:
        """Return a list of settings, none where there is no such thing, `None` if kept from us."""
        if name not in self._lists:
            try:
                self._lists[name] = (await self._session.rows(name))[0]
            except NotFoundError:
                self._lists[name] = []
            except AccessError:
                self._lists[name] = None
        return self._lists[name]

    async def _needs_signatures(self) -> bool:
        if not self._asked_push_rule:
            try:
                self._push_rule = await self._session.row("GET", "push_rule")
            except AccessError:
                self._push_rule = None  # no such plan, or maintainers alone are told
            self._asked_push_rule = True
        rule = self._push_rule
        name = "reject_unsigned_commits"
        return rule is not None and rule.has(name) and rule.flag(name)

    async def preflight(self, base: str) -> list[Finding]:
        """Return what a first run would stumble over: token kind, permissions, settings."""
        try:
            account = await self.account()
        except AccessError as error:
            return [Finding(ok=False, what=error.what, fix=error.hint, stops=True)]
        if account.kind == "job":
            what = "CI_JOB_TOKEN can read merge requests, and can neither open nor change one"
            return [Finding(ok=False, what=what, fix=JOB_FIX, stops=True)]
        findings = [Finding(ok=True, what=f"The token ({account.kind}) is that of {account.login}")]
        try:
            project = await self._settings()
        except AccessError as error:
            return [*findings, Finding(ok=False, what=error.what, fix=error.hint, stops=True)]
        findings += await self._scopes(account.kind)
        findings += _state(project)
        level = access_level(project)
        if level < WRITER_LEVEL:
            what = f"{account.login} may not push here"
            findings.append(Finding(ok=False, what=what, fix=_LEVEL_FIX, stops=True))
        findings += await self._base(base, project, level)
        findings += await self._our_branches(base, level)
        return findings

    async def _scopes(self, kind: str) -> list[Finding]:
        if kind == "oauth":
            return []
        try:
            row = await self._session.row("GET", "/personal_access_tokens/self")
        except AccessError:
            return []  # it is not told, and a refusal will be
        findings = []
        if "api" not in row.texts("scopes"):
            scopes = ", ".join(row.texts("scopes")) or "none"
            what = f"The token has the scopes: {scopes}"
            findings.append(Finding(ok=False, what=what, fix=SCOPE_FIX))
        if row.has("expires_at"):
            what = f"The token ends on {row.text('expires_at')}"
            findings.append(Finding(ok=True, what=what, fix="Renew it before that day"))
        return findings

    async def _base(self, base: str, project: Row, level: int) -> list[Finding]:
        try:
            await self._session.row("GET", f"repository/branches/{quote(base, safe='')}")
        except NotFoundError:
            fix = "Push a first commit there, or name another base"
            return [
                Finding(ok=False, what=f"There is no branch {base} to be seen", fix=fix, stops=True)
            ]
        rules = await self.rules(base)
        findings = []
        if not rules.known:
            what = "What protects branches is kept from this token"
            fix = "Give its account the role Maintainer, or do without automerge"
            findings.append(Finding(ok=True, what=what, fix=fix))
        if rules.requires_signatures:
            what = "A push rule demands signed commits; ours are then made through the API"
            findings.append(Finding(ok=True, what=what))
        if rules.requires_checks:
            findings.append(Finding(ok=True, what=f"{base} requires a pipeline to pass"))
        else:
            what = f"{base} requires no pipeline: what merges by itself waits for all that report"
            fix = 'Turn on "Pipelines must succeed" under Settings, Merge requests'
            findings.append(Finding(ok=True, what=what, fix=fix))
        if not await self._may_merge(base, level):
            what = f"{base} lets this token's account merge nothing"
            fix = "Let Developers merge there, or leave merging to people"
            findings.append(Finding(ok=True, what=what, fix=fix))
        return findings

    async def _may_merge(self, base: str, level: int) -> bool:
        me = await self._who()
        fitting = protections_of(await self._setting_rows("protected_branches") or (), base)
        return not fitting or any(
            let_in(rule.rows("merge_access_levels"), level, me.id) for rule in fitting
        )

    async def _our_branches(self, base: str, level: int) -> list[Finding]:
        """Tell of protections that keep us from pushing anew to our own branches."""
        me = await self._who()
        rules = await self._setting_rows("protected_branches") or []
        named: dict[str, Finding] = {}
        for sample in ("pilotfish/web", f"pilotfish/{base}/web"):
            for rule in protections_of(rules, sample):
                name = rule.text("name")
                pushes = let_in(rule.rows("push_access_levels"), level, me.id)
                if pushes and rule.flag("allow_force_push"):
                    continue
                what = f"The protection {name} covers our branches, which are pushed anew"
                fix = "Let Developers push and force-push to pilotfish/*, or narrow it"
                named[name] = Finding(ok=False, what=what, fix=fix)
        return list(named.values())


def _state(project: Row) -> list[Finding]:
    findings = []
    if project.flag("archived"):
        fix = "Unarchive the project, or take it out of the configuration"
        findings.append(Finding(ok=False, what="The project is archived", fix=fix, stops=True))
    if project.text("merge_requests_access_level") == "disabled":
        fix = "Turn on merge requests under Settings, General, Visibility"
        findings.append(
            Finding(ok=False, what="Merge requests are turned off", fix=fix, stops=True)
        )
    if project.text("issues_access_level") == "disabled":
        fix = "Turn on issues, or leave the dashboard off"
        findings.append(Finding(ok=True, what="The project has no issues", fix=fix))
    if access_level(project) >= MAINTAINER_LEVEL:
        what = "The token may do all that a maintainer may, which is more than is needed"
        findings.append(Finding(ok=True, what=what, fix=_LEVEL_FIX))
    return findings
