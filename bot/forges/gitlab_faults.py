"""What a refusal of GitLab means, and what a person can do about it.

Statuses and texts as GitLab's source and documentation give them. Messages of the server are shown
short and clean; no text here can hold a token. Where a status means two things (404: not there,
or not ours to see) both are said (fault FF10).

Must not know what was asked for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bot.errors import AccessError, ConflictError, ProductError, RefusedError
from bot.forges.answers import NotUnderstoodError
from bot.forges.forge import AlreadyOpenError, HeadMovedError, NotFoundError
from bot.telemetry import shown

if TYPE_CHECKING:
    from bot.forges.sync_door import Reply

JOB_FIX = (
    "Make a project access token (role Developer, scope api), keep it as a masked CI/CD variable, "
    "and give that instead of CI_JOB_TOKEN"
)
_ALREADY = ("name has already been taken", "cannot transition status via")
SCOPE_FIX = "Give a token with the scope api"


class NotYetError(RefusedError):
    """GitLab will not merge it as it stands: checks, approvals, a conflict, or still looking."""


class AlreadyThereError(ConflictError):
    """It is already as it was asked to be: a reaction that stands, a status of this state."""


def message_of(reply: Reply) -> str:
    """Return what the server says: its `message` or `error`, whatever shape that has."""
    try:
        found = json.loads(reply.text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    said = found.get("message") or found.get("error_description") or found.get("error") or ""
    return shown(_flat(said), max_chars=300).rstrip(".")


def _flat(said: object) -> str:
    if isinstance(said, dict):
        return "; ".join(f"{name} {_flat(one)}" for name, one in said.items())
    if isinstance(said, list):
        return ", ".join(_flat(one) for one in said)
    return str(said)


def fault_of(reply: Reply, *, where: str, job: bool) -> ProductError:
    """Return the error that an answer outside of 2xx stands for. `job` tells a job's token."""
    said = message_of(reply)
    told = f": {said}" if said else ""
    if any(one in said.lower() for one in _ALREADY):
        return AlreadyThereError(f"it is so already{told}", where=where, hint="Nothing to do")
    match reply.status:
        case 301 | 302 | 303 | 307 | 308:
            return AccessError(
                "the forge sends us elsewhere, where the token must not go",
                where=where,
                hint="The project was moved, or the address is incomplete: write its new address",
            )
        case 401:
            return AccessError(
                f"GitLab does not take the token{told}",
                where=where,
                hint=JOB_FIX if job else "It was revoked, has run out, or is for another host",
            )
        case 403:
            return _forbidden(said, where, job=job)
        case 404:
            return NotFoundError(
                "not found, or the token has no permission to see it",
                where=where,
                hint=JOB_FIX
                if job
                else "Check the address, `forge.kind`, and that the token's account is a member of "
                "the project",
            )
        case 405 | 406:
            return NotYetError(
                f"GitLab does not do it as things stand{told}",
                where=where,
                hint="Look at the merge request; it says what is missing, or `forge.kind` is wrong",
            )
        case 409:
            return _conflict(said, where)
        case 400 | 413 | 414 | 422:
            return _refused(said, where)
        case _:
            return NotUnderstoodError(where, f"status {reply.status}{told}")


def _forbidden(said: str, where: str, *, job: bool) -> AccessError:
    words = said.lower()
    if job:
        hint = JOB_FIX
    elif "higher privileges" in words or "insufficient_scope" in words:
        hint = SCOPE_FIX
    else:
        hint = "Check that the account has the role Developer there, and that the feature is on"
    told = f": {said}" if said else ""
    return AccessError(f"GitLab does not allow it{told}", where=where, hint=hint)


def _conflict(said: str, where: str) -> ProductError:
    words = said.lower()
    if "open merge request already exists" in words:
        return AlreadyOpenError(
            "this branch has an open merge request already",
            where=where,
            hint="The next run finds it",
        )
    if "sha does not match" in words:
        return HeadMovedError(
            "the branch has moved since it was looked at", where=where, hint="Look again"
        )
    told = f": {said}" if said else ""
    return ConflictError(f"GitLab refuses for now{told}", where=where, hint="Try again")


def _refused(said: str, where: str) -> ProductError:
    if "branch cannot be merged" in said.lower():
        return NotYetError(
            "GitLab cannot merge it as it stands",
            where=where,
            hint="Look at the merge request; it says what is missing",
        )
    return RefusedError(
        f"GitLab refuses it: {said or 'it does not say why'}",
        where=where,
        hint="Change what was sent, or the rule that forbids it",
    )
