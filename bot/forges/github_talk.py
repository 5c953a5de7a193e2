"""What is said on GitHub: comments, reactions, issues, and who may say what counts.

A comment was edited when GitHub changed its `updated_at`; both moments are in whole seconds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.forges.answers import NotUnderstoodError
from bot.forges.forge import Comment, Issue, NotFoundError
from bot.forges.github_answers import login_of, read_comment, read_issue, same
from bot.forges.github_standing import GitHubStanding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from bot.forges.answers import Row

_WRITERS = frozenset({"admin", "write"})  # `maintain` is told as write, `triage` as read
_KNOWN = _WRITERS | {"read", "none"}
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\[bot\])?")


class GitHubTalk(GitHubStanding):
    """What a forge does with comments and issues."""

    async def comments(self, *, since: datetime, numbers: Sequence[int]) -> list[Comment]:
        """Return comments on these that were made since, oldest first; the newest 1,000 at most."""
        if not numbers:
            return []
        asked = {
            "since": since.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "sort": "created",
            "direction": "desc",
        }
        rows, _ = await self._session.rows("issues/comments", query=asked)
        wanted = set(numbers)
        return [
            one
            for one in await self._comments(rows)
            if one.number in wanted and one.created >= since.replace(microsecond=0)
        ]

    async def comments_on(self, number: int) -> list[Comment]:
        """Return every comment on a proposal or issue, oldest first; the oldest 1,000 at most."""
        rows, _ = await self._session.rows(f"issues/{number}/comments")
        return await self._comments(rows)

    async def _comments(self, rows: Iterable[Row]) -> list[Comment]:
        login = (await self.account()).login
        found = {one.id: one for one in (read_comment(row, login=login) for row in rows)}
        return sorted(found.values(), key=lambda one: (one.created, int(one.id)))

    async def comment(self, number: int, body: str) -> Comment:
        """Add a comment to a proposal or issue."""
        login = (await self.account()).login
        row = await self._session.row("POST", f"issues/{number}/comments", body={"body": body})
        return read_comment(row, login=login)

    async def edit_comment(self, comment: Comment, body: str) -> None:
        """Give a comment of ours another text."""
        await self._session.ask(
            "PATCH", f"issues/comments/{comment.id}", body={"body": body}, repeatable=True
        )

    async def react(self, comment: Comment, *, agreed: bool) -> None:
        """Put a thumb up, or a confused face, on a comment; a second one is the first."""
        await self._session.ask(
            "POST",
            f"issues/comments/{comment.id}/reactions",
            body={"content": "+1" if agreed else "confused"},
            repeatable=True,
        )

    async def can_write(self, login: str) -> bool:
        """Return whether a person may push to this repository now, asked anew each time (P1)."""
        if not _LOGIN.fullmatch(login):
            return False  # nobody can have that name
        asked = f"collaborators/{quote(login, safe='')}/permission"
        try:
            row = await self._session.row("GET", asked)
        except NotFoundError:
            return False  # no such person
        permission = row.text("permission")
        if not same(login_of(row), login) or permission not in _KNOWN:
            raise NotUnderstoodError(row.place, "it tells of another person or permission")
        return permission in _WRITERS

    async def find_issue(self, title: str) -> Issue | None:
        """Return our own open issue of exactly this title, `None` where there is none."""
        login = (await self.account()).login
        asked = {"state": "open", "creator": login, "sort": "created", "direction": "asc"}
        rows, _ = await self._session.rows("issues", query=asked)
        for row in rows:
            if row.has("pull_request"):
                continue  # pull requests are issues there as well
            found = read_issue(row, login=login)
            if found.ours and found.title == title:
                return found
        return None

    async def open_issue(self, title: str, body: str) -> Issue:
        """Open an issue."""
        login = (await self.account()).login
        row = await self._session.row("POST", "issues", body={"title": title, "body": body})
        return read_issue(row, login=login)

    async def edit_issue(self, number: int, body: str) -> None:
        """Give an issue of ours another body."""
        await self._session.ask("PATCH", f"issues/{number}", body={"body": body}, repeatable=True)
