"""What is said on a Gitea: comments, reactions, issues, labels, who we are and who may write.

Gitea wants labels by their numbers, so that all are read once and shared by everything that one
`GiteaForge` does. All comments of a repository come in one listing; where that would take more
pages than there are proposals to ask about, the proposals are asked one by one.
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass
from datetime import UTC
from http import HTTPStatus
from typing import TYPE_CHECKING

from bot.errors import AccessError
from bot.forges.forge import Account, Comment, Issue, Links
from bot.forges.gitea_answers import read_comment, read_issue
from bot.forges.gitea_door import PAGE
from bot.forges.people import ask_each

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.forges.answers import Row
    from bot.forges.gitea_door import GiteaDoor

log = logging.getLogger(__name__)

_LABEL_COLOUR = "#0e8a8a"  # arbitrary: Gitea wants one
_MAX_LABELS = 2_000
_MAX_ISSUES = 500
_LOGIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_WRITERS = frozenset({"write", "admin", "owner"})
_PERMISSIONS = _WRITERS | {"none", "read"}
_MISSING = frozenset({HTTPStatus.NOT_FOUND})
_JOB_LOGINS = frozenset({"gitea-actions", "forgejo-actions"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Our account: its number tells what is ours, since people may rename themselves."""

    id: int
    login: str


class GiteaTalk:
    """The half of the adapter that knows no proposal."""

    def __init__(self, door: GiteaDoor, links: Links) -> None:
        self._door = door
        self.links = links
        self._order = asyncio.Lock()
        self._me: Me | None = None
        self._labels: dict[str, int] | None = None

    @property
    def requests(self) -> int:
        """How many requests were made; what the HTTP door repeats is one."""
        return self._door.requests

    async def account(self) -> Account:
        """Return who we are; asked once."""
        me = await self._who()
        return Account(login=me.login, kind="job" if me.login in _JOB_LOGINS else "token")

    async def _who(self) -> Me:
        async with self._order:
            if self._me is None:
                row = (await self._door.ask("GET", "/user")).row()
                self._me = Me(id=row.number("id"), login=row.text("login"))
            return self._me

    async def can_write(self, login: str) -> bool:
        """Return whether a person may push here now; only an administrator is told."""
        if not _LOGIN.fullmatch(login):
            return False
        asked = f"collaborators/{login}/permission"
        try:
            reply = await self._door.ask("GET", asked, passing=_MISSING)
        except AccessError as error:
            error.hint = "Make the token's account an administrator of the repository"
            raise
        if reply.status == HTTPStatus.NOT_FOUND:
            return False
        found = reply.row().text("permission")
        if found not in _PERMISSIONS:
            log.warning("unknown permission, taken as none", extra={"permission": found})
        return found in _WRITERS

    async def comments(self, *, since: datetime, numbers: Sequence[int]) -> list[Comment]:
        """Return comments on these proposals and issues that were made since, oldest first."""
        if not numbers:
            return []
        me = await self._who()
        moment = since.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
        asked = {"since": moment}
        pages = await self._door.pages("issues/comments", asked, at_most=1)
        if not pages.whole and (pages.total or 0) <= PAGE * (len(numbers) + 1):
            pages = await self._door.pages(
                "issues/comments", asked, at_most=PAGE * len(numbers) * 2
            )
        if pages.whole:
            found = [read_comment(row, me=me.id) for row in pages.rows]
        else:
            found = [one for number in numbers for one in await self.comments_on(number)]
        wanted = frozenset(numbers)
        return sorted(
            (one for one in found if one.number in wanted and one.created >= since),
            key=_age,
        )

    async def comments_on(self, number: int) -> list[Comment]:
        """Return every comment on a proposal or issue, oldest first; Gitea gives them at once."""
        me = await self._who()
        rows = (await self._door.ask("GET", f"issues/{number}/comments")).rows()
        return sorted((read_comment(row, me=me.id) for row in rows), key=_age)

    async def comment(self, number: int, body: str) -> Comment:
        """Add a comment to a proposal or issue."""
        me = await self._who()
        reply = await self._door.ask("POST", f"issues/{number}/comments", fields={"body": body})
        return read_comment(reply.row(), me=me.id)

    async def edit_comment(self, comment: Comment, body: str) -> None:
        """Give a comment of ours another text."""
        place = f"issues/comments/{int(comment.id)}"
        await self._door.ask("PATCH", place, fields={"body": body}, repeatable=True)

    async def react(self, comment: Comment, *, agreed: bool) -> None:
        """Put a thumb up, or a confused face, on a comment; safe to repeat."""
        place = f"issues/comments/{int(comment.id)}/reactions"
        fields = {"content": "+1" if agreed else "confused"}
        await self._door.ask("POST", place, fields=fields, repeatable=True)

    async def find_issue(self, title: str) -> Issue | None:
        """Return our own open issue of exactly this title, the oldest of several."""
        me = await self._who()
        query = {"state": "open", "type": "issues", "created_by": me.login}
        pages = await self._door.pages("issues", query, at_most=_MAX_ISSUES)
        found = [read_issue(row, me=me.id, links=self.links) for row in pages.rows]
        same = [one for one in found if one.ours and one.title == title]
        return min(same, key=lambda one: one.number, default=None)

    async def open_issue(self, title: str, body: str) -> Issue:
        """Open an issue."""
        me = await self._who()
        reply = await self._door.ask("POST", "issues", fields={"title": title, "body": body})
        return read_issue(reply.row(), me=me.id, links=self.links)

    async def edit_issue(self, number: int, body: str) -> None:
        """Give an issue of ours another body."""
        await self._door.ask("PATCH", f"issues/{number}", fields={"body": body}, repeatable=True)

    async def set_labels(
        self, number: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> None:
        """Add and remove labels; others stay. Labels that the forge lacks are made."""
        added = await self._label_ids(add)
        if added:
            place = f"issues/{number}/labels"
            await self._door.ask("POST", place, fields={"labels": added}, repeatable=True)
        if not remove:
            return
        known = await self._known_labels()
        for label in dict.fromkeys(remove):
            if label in known:
                place = f"issues/{number}/labels/{known[label]}"
                await self._door.ask("DELETE", place, passing=_MISSING, repeatable=True)

    async def ask_people(
        self, number: int, *, reviewers: Sequence[str] = (), assignees: Sequence[str] = ()
    ) -> None:
        """Ask people and teams (`organisation/team`), and assign people; those there stay."""
        await self._ask_for_review(number, reviewers)
        if assignees:
            row = (await self._door.ask("GET", f"pulls/{number}")).row()
            some = row.rows("assignees") if row.has("assignees") else []  # null where nobody is
            there = [one.text("login") for one in some]
            await self._assign(number, assignees, there=there)

    async def _ask_for_review(self, number: int, reviewers: Sequence[str]) -> None:
        async def review(names: Sequence[str]) -> None:
            fields = {
                "reviewers": [one for one in names if "/" not in one],
                "team_reviewers": [one.partition("/")[2] for one in names if "/" in one],
            }
            await self._door.ask("POST", f"pulls/{number}/requested_reviewers", fields=fields)

        await ask_each(reviewers, review)

    async def _assign(self, number: int, assignees: Sequence[str], *, there: Sequence[str]) -> None:
        """Assign people; Gitea wants all of them each time."""
        known = list(there)

        async def assign(names: Sequence[str]) -> None:
            fields = {"assignees": list(dict.fromkeys([*known, *names]))}
            await self._door.ask("PATCH", f"pulls/{number}", fields=fields, repeatable=True)
            known.extend(names)

        await ask_each([one for one in assignees if one not in known], assign)

    async def _label_ids(self, names: Sequence[str]) -> list[int]:
        """Return the numbers of labels, making those that the repository lacks."""
        if not names:
            return []
        known = await self._known_labels()
        async with self._order:
            for name in dict.fromkeys(names):
                if name not in known:
                    fields = {"name": name, "color": _LABEL_COLOUR}
                    row = (await self._door.ask("POST", "labels", fields=fields)).row()
                    known[name] = row.number("id")
        return [known[name] for name in dict.fromkeys(names)]

    async def _known_labels(self) -> dict[str, int]:
        async with self._order:
            if self._labels is None:
                pages = await self._door.pages("labels", at_most=_MAX_LABELS)
                self._labels = _by_name(pages.rows)
            return self._labels


def _by_name(rows: Sequence[Row]) -> dict[str, int]:
    """Return labels by name; Gitea lets two share one, and the older is then meant."""
    found: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: row.number("id")):
        found.setdefault(row.text("name"), row.number("id"))
    return found


def _age(comment: Comment) -> tuple[datetime, int]:
    return comment.created, int(comment.id)
