"""What a refusal of GitHub means, and what a person can do about it.

Statuses and messages as the REST and GraphQL documentation gives them. Messages of the server are
shown short and clean; no text here can hold a token. Where a status means two things (404: not
there, or not ours to see) both are said (fault FF10).

Must not know what was asked for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bot.errors import AccessError, ConflictError, ProductError, RefusedError
from bot.forges.answers import NotUnderstoodError, Row
from bot.forges.forge import AlreadyOpenError, HeadMovedError, NotFoundError
from bot.telemetry import shown

if TYPE_CHECKING:
    from bot.forges.sync_door import Reply

_OK, _FORBIDDEN, _TOO_MANY = 200, 403, 429
_LIMIT_WORDS = ("rate limit", "please wait a few minutes", "retry your request again later")
_LIMIT_TYPES = frozenset({"RATE_LIMIT", "RATE_LIMITED"})  # GraphQL's, of today and of before
_MOVED_WORDS = ("head branch was modified", "head sha", "expectedheadoid")
ACTIONS_FIX = (
    'Turn on "Allow GitHub Actions to create and approve pull requests" in the settings under '
    "Actions, General, or give the token of a GitHub App"
)


class GraphqlRefusal(RefusedError):
    """GitHub did not carry out what was asked by GraphQL; `kind` is its word for the reason."""

    def __init__(self, what: str, *, where: str, hint: str, kind: str) -> None:
        super().__init__(what, where=where, hint=hint)
        self.kind = kind


def is_limit(reply: Reply) -> bool:
    """Return whether an answer is a primary or secondary rate limit.

    GraphQL tells it with status 200, a secondary one by its message alone.
    """
    if reply.status == _TOO_MANY:
        return True
    if reply.status == _FORBIDDEN:
        return bool(reply.header("retry-after")) or _speaks_of_limits(reply.text)
    return reply.status == _OK and any(
        isinstance(one, dict)
        and (one.get("type") in _LIMIT_TYPES or _speaks_of_limits(str(one.get("message"))))
        for one in _errors(reply)
    )


def _speaks_of_limits(text: str) -> bool:
    words = text.lower()
    return any(one in words for one in _LIMIT_WORDS)


def message_of(reply: Reply) -> str:
    """Return what the server says, with the details that it lists."""
    found = _object(reply)
    said = [str(found.get("message") or ""), *map(_detail, _errors(reply))]
    return shown(": ".join(part for part in said if part), max_chars=300).rstrip(".")


def _object(reply: Reply) -> dict[str, object]:
    try:
        found = json.loads(reply.text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _errors(reply: Reply) -> list[object]:
    if '"errors"' not in reply.text:
        return []  # pages of a listing are not read twice
    found = _object(reply).get("errors")
    return found if isinstance(found, list) else []


def _detail(one: object) -> str:
    if not isinstance(one, dict):
        return str(one)
    if one.get("message"):
        return str(one["message"])
    return " ".join(str(one[key]) for key in ("field", "code") if one.get(key))


def fault_of(reply: Reply, *, where: str) -> ProductError:
    """Return the error that an answer outside of 2xx stands for."""
    said = message_of(reply)
    told = f": {said}" if said else ""
    match reply.status:
        case 301 | 302 | 307 | 308:
            return AccessError(
                "the repository has moved",
                where=where,
                hint="Write its new address; it is shown when the old one is opened",
            )
        case 401:
            return AccessError(
                f"GitHub does not take the token{told}",
                where=where,
                hint="It was revoked, has run out, or is for another host: give a new one",
            )
        case 403 | 451:
            return _forbidden(reply, said, where)
        case 404:
            return NotFoundError(
                "not found, or no permission to see it",
                where=where,
                hint=f"Check address, token and `forge.kind`{_needed(reply, '; asked for is ')}",
            )
        case 409:
            return ConflictError(f"GitHub refuses for now{told}", where=where, hint="Try again")
        case 410:
            return AccessError(
                f"it is turned off for this repository{told}",
                where=where,
                hint="Turn on what is missing in the settings under General, Features",
            )
        case 400 | 405 | 413 | 422:
            return _refused(said, where)
        case _:
            return NotUnderstoodError(where, f"status {reply.status}{told}")


def _forbidden(reply: Reply, said: str, where: str) -> AccessError:
    words = said.lower()
    if "not permitted to create or approve pull requests" in words:
        hint = ACTIONS_FIX
    elif "archived" in words:
        hint = "Unarchive the repository, or take it out of the configuration"
    elif reply.header("x-github-sso"):
        hint = "Authorise the token for the organisation's single sign-on"
    elif "resource not accessible" in words:
        hint = f"Let the token have {_needed(reply, '') or 'what is missing'}"
    else:
        hint = f"Check what the token may do{_needed(reply, '; asked for is ')}"
    return AccessError(
        f"GitHub does not allow it{f': {said}' if said else ''}", where=where, hint=hint
    )


def _needed(reply: Reply, before: str) -> str:
    """Return the permissions that would have been enough, as GitHub tells them."""
    needed = shown(reply.header("x-accepted-github-permissions"), max_chars=120)
    return f"{before}{needed.replace('_', ' ').replace('=', ': ')}" if needed else ""


def _refused(said: str, where: str) -> ProductError:
    if "pull request already exists" in said.lower():
        return AlreadyOpenError(
            "this branch has an open pull request already",
            where=where,
            hint="The next run finds it",
        )
    return RefusedError(
        f"GitHub refuses it: {said or 'it does not say why'}",
        where=where,
        hint="Change what was sent, or the rule that forbids it",
    )


def graphql_fault(errors: list[Row], *, where: str) -> ProductError:
    """Return the error that a GraphQL answer with errors stands for."""
    first = errors[0]
    kind = first.text("type") if first.has("type") else ""
    said = shown(first.text("message"), max_chars=300).rstrip(".")
    if kind == "NOT_FOUND":
        return NotFoundError(
            "not found, or no permission to see it",
            where=where,
            hint="Check the address and what the token may do",
        )
    if kind in {"FORBIDDEN", "INSUFFICIENT_SCOPES"}:
        return AccessError(
            f"GitHub does not allow it: {said}",
            where=where,
            hint="Check what the token may do: contents and pull requests, both to write",
        )
    if kind == "STALE_DATA" or any(words in said.lower() for words in _MOVED_WORDS):
        return HeadMovedError(
            f"the branch has moved: {said}", where=where, hint="The next run looks again"
        )
    return GraphqlRefusal(
        f"GitHub refuses it: {said}",
        where=where,
        hint="Change what was sent, or the rule that forbids it",
        kind=kind,
    )
