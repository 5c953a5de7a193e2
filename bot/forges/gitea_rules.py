"""What a repository on Gitea demands of its base branch, and what a first run would stumble over.

Everybody who may read is told the required checks and approvals; signatures and whether a branch
must be up to date are told to administrators alone, so that rules are `known` only to them.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.errors import AccessError
from bot.forges.forge import BaseRules, Finding
from bot.forges.gitea_answers import blocks_us, covers, read_rules
from bot.forges.gitea_talk import GiteaTalk

if TYPE_CHECKING:
    from bot.forges.answers import Row
    from bot.forges.forge import Links
    from bot.forges.gitea_door import GiteaDoor

_FORBIDDEN = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
_KEYS = ("signing-key.gpg", "signing-key.pub")


class GiteaRules(GiteaTalk):
    """The part of the adapter that reads settings; each is asked once."""

    def __init__(self, door: GiteaDoor, links: Links) -> None:
        super().__init__(door, links)
        self._repository: Row | None = None
        self._protections: list[Row] | None = None
        self._asked_protections = False
        self._rules: dict[str, BaseRules] = {}

    async def rules(self, base: str) -> BaseRules:
        """Return what the base branch demands; asked once for each."""
        if base not in self._rules:
            repository = await self._settings()
            branch = (await self._door.ask("GET", f"branches/{quote(base)}")).row()
            protections = await self._protected() if branch.flag("protected") else None
            self._rules[base] = read_rules(repository, branch, protections)
        return self._rules[base]

    async def _settings(self) -> Row:
        if self._repository is None:
            self._repository = (await self._door.ask("GET", "")).row()
        return self._repository

    async def _protected(self) -> list[Row] | None:
        """Return the protections of branches, `None` where only an administrator is told."""
        if not self._asked_protections:
            reply = await self._door.ask("GET", "branch_protections", passing=_FORBIDDEN)
            self._protections = reply.rows() if reply.status not in _FORBIDDEN else None
            self._asked_protections = True
        return self._protections

    async def preflight(self, base: str) -> list[Finding]:
        """Return what a first run would stumble over: token, permissions, settings.

        Which scopes a token has is told by nothing but a refusal; those for reading are tried.
        """
        try:
            me = await self._who()
        except AccessError as error:
            fix = "Make a token with the scopes read:user, write:repository and write:issue"
            return [Finding(ok=False, what=error.what, fix=fix, stops=True)]
        findings = [Finding(ok=True, what=f"The token is that of {me.login}")]
        try:
            repository = await self._settings()
        except AccessError as error:
            return [*findings, Finding(ok=False, what=error.what, fix=error.hint, stops=True)]
        findings += _permissions(repository, me.login)
        findings += _state(repository)
        findings += await self._scope_of_issues(repository)
        findings += await self._base(base)
        findings += await self._our_branches(base, me.login)
        return findings

    async def _scope_of_issues(self, repository: Row) -> list[Finding]:
        """Try to read an issue: comments and labels of proposals need that scope as well."""
        if not repository.flag("has_issues"):
            fix = "Switch issues on in its settings, or leave the dashboard off"
            return [Finding(ok=False, what="The repository has no issues", fix=fix)]
        try:
            await self._door.ask("GET", "issues", query={"limit": 1, "type": "issues"})
        except AccessError as error:
            return [Finding(ok=False, what=error.what, fix="Give the token the scope write:issue")]
        return []

    async def _base(self, base: str) -> list[Finding]:
        try:
            rules = await self.rules(base)
        except AccessError:
            fix = "Push a first commit there, or name another base"
            return [
                Finding(ok=False, what=f"There is no branch {base} to be seen", fix=fix, stops=True)
            ]
        if rules.requires_signatures and not await self._signs():
            return [
                Finding(
                    ok=False,
                    what=f"{base} demands signed commits, and this forge signs none by itself",
                    fix="Give Pilotfish a signing key, or the forge one (`[repository.signing]`)",
                )
            ]
        if not rules.requires_checks:
            what = f"{base} requires no checks: what merges by itself waits for all that report"
            return [Finding(ok=True, what=what)]
        named = ", ".join(rules.required_checks) or "every check that reports"
        return [Finding(ok=True, what=f"{base} requires checks: {named}")]

    async def _signs(self) -> bool:
        for name in _KEYS:
            reply = await self._door.ask("GET", name, passing=_FORBIDDEN)
            if reply.status == HTTPStatus.OK and reply.text.strip():
                return True
        return False

    async def _our_branches(self, base: str, login: str) -> list[Finding]:
        findings = []
        samples = ("pilotfish/web", f"pilotfish/{base}/web")
        for rule in await self._protected() or ():
            name = rule.text("rule_name")
            if name == base or not any(covers(name, branch) for branch in samples):
                continue
            if why := blocks_us(rule, login):
                what = f"The protection {name} covers our branches: {why}"
                fix = f"Let {login} push and force-push to pilotfish/**, or narrow the rule"
                findings.append(Finding(ok=False, what=what, fix=fix))
        return findings


def _permissions(repository: Row, login: str) -> list[Finding]:
    rights = repository.row("permissions")
    if not rights.flag("push"):
        fix = f"Make {login} a collaborator with the permission to write"
        return [Finding(ok=False, what=f"{login} may not push here", fix=fix, stops=True)]
    if not rights.flag("admin"):
        what = "Only administrators are told who may write and what branches demand"
        fix = f"Make {login} an administrator of the repository, or do without commands"
        return [Finding(ok=False, what=what, fix=fix)]
    return [Finding(ok=True, what=f"{login} may push, and may ask who else may")]


def _state(repository: Row) -> list[Finding]:
    """Return what keeps anybody from opening a pull request."""
    findings = []
    if repository.flag("archived"):
        fix = "Take it out of the archive"
        findings.append(Finding(ok=False, what="The repository is archived", fix=fix, stops=True))
    if repository.flag("mirror"):
        fix = "Watch the repository that it mirrors"
        findings.append(Finding(ok=False, what="The repository is a mirror", fix=fix, stops=True))
    if not repository.flag("has_pull_requests"):
        fix = "Switch pull requests on in its settings"
        findings.append(
            Finding(ok=False, what="The repository has no pull requests", fix=fix, stops=True)
        )
    return findings
