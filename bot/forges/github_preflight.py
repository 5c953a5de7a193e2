"""What a first run on GitHub would stumble over: token, permissions, settings, rules.

Each finding has its fix in one line. Nothing here writes, and what a token is not told about
itself is not guessed.

Must not know what is proposed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.forges.forge import BaseRules, Finding
from bot.forges.github_faults import ACTIONS_FIX
from bot.forges.github_rules import Settings, active_rules

if TYPE_CHECKING:
    from bot.forges.github_session import GitHubSession

_OUR_BRANCH = "pilotfish/any"
_BLOCKING = {
    "non_fast_forward": "forbids force-pushes, so proposals cannot be brought up to date",
    "update": "forbids updates",
    "creation": "forbids their creation",
    "deletion": "forbids their deletion, so merged ones stay",
}


async def find_stumbling_blocks(
    session: GitHubSession, settings: Settings, rules: BaseRules, *, base: str, kind: str
) -> list[Finding]:
    """Return what is in the way, and what is not; each with a fix in one line."""
    return [
        _token(kind),
        *await _permissions(session, settings, kind),
        *_repository(settings),
        *_base(rules, base),
        *await _our_branches(session, rules),
    ]


def _token(kind: str) -> Finding:
    if kind == "actions":
        return Finding(
            ok=False,
            what="pull requests that GITHUB_TOKEN opens start no workflows, so their checks "
            "never run",
            fix=f"Give the id and key of a GitHub App, or a fine-grained token; where opening "
            f"itself is refused: {ACTIONS_FIX[0].lower()}{ACTIONS_FIX[1:]}",
        )
    return Finding(ok=True, what=f"the token is of the kind: {kind}")


async def _permissions(session: GitHubSession, settings: Settings, kind: str) -> list[Finding]:
    if kind == "app":
        granted = (await session.credential.installation()).granted
        missing = [
            name.replace("_", " ")
            for name in ("contents", "pull_requests")
            if granted.get(name) != "write"
        ]
        wanted = f"{' and '.join(missing)} to write"
        if missing:
            return [
                Finding(
                    ok=False,
                    what=f"the GitHub App lacks {wanted}",
                    fix=f"Grant {wanted} in the App's settings, and accept it where it is "
                    "installed",
                )
            ]
        return [Finding(ok=True, what="the GitHub App may write contents and pull requests")]
    if kind in {"actions", "installation"}:
        return []  # GitHub tells such tokens nothing true about themselves
    if settings.scopes is not None and not _enough(settings):
        return [
            Finding(
                ok=False,
                what="the token lacks the scope repo",
                fix="Make one with the scope repo, or better a fine-grained one for this "
                "repository",
            )
        ]
    if settings.may_push is False:
        return [
            Finding(
                ok=False,
                what="this account may not push to the repository",
                fix="Give it the role Write under Settings, Collaborators and teams",
                stops=True,
            )
        ]
    return [Finding(ok=True, what="this account may push to the repository")]


def _enough(settings: Settings) -> bool:
    wanted = {"repo"} if settings.private else {"repo", "public_repo"}
    return bool(wanted & set(settings.scopes or ()))


def _repository(settings: Settings) -> list[Finding]:
    found = []
    if settings.archived:
        found.append(
            Finding(
                ok=False,
                what="the repository is archived, so nothing can be written",
                fix="Unarchive it, or take it out of the configuration",
                stops=True,
            )
        )
    if not settings.issues:
        found.append(
            Finding(
                ok=False,
                what="issues are turned off, so there can be no dashboard",
                fix="Turn on Issues under Settings, General, or turn the dashboard off",
            )
        )
    return found


def _base(rules: BaseRules, base: str) -> list[Finding]:
    if not rules.known:
        fix = "Let the token read Administration, or protect the branch by a ruleset"
        return [Finding(ok=False, what=f"not all that {base} demands is told", fix=fix)]
    found = []
    if rules.requires_signatures:
        found.append(
            Finding(ok=True, what=f"{base} demands signed commits; GitHub makes and signs ours")
        )
    if rules.merge_queue:
        found.append(Finding(ok=True, what=f"{base} is merged through a merge queue"))
    if not rules.requires_checks:
        found.append(
            Finding(
                ok=True,
                what=f"{base} requires no checks, so an automerge would wait for nothing",
                fix="Require at least one check before you turn automerge on",
            )
        )
    elif not rules.may_automerge:
        found.append(
            Finding(
                ok=True,
                what="auto-merge is off, so Pilotfish would merge by itself",
                fix='Turn on "Allow auto-merge" under Settings, General',
            )
        )
    return found


async def _our_branches(session: GitHubSession, rules: BaseRules) -> list[Finding]:
    found = []
    for row in await active_rules(session, _OUR_BRANCH) or []:
        what = _BLOCKING.get(row.text("type"))
        if row.text("type") == "required_signatures" and not rules.requires_signatures:
            what = "demands signed commits, which the base does not: ours would be unsigned"
        if what is not None:
            found.append(
                Finding(
                    ok=False,
                    what=f"a ruleset for branches like {_OUR_BRANCH} {what}",
                    fix="Exclude pilotfish/** from it, or let this account bypass it",
                )
            )
    return found
