"""What is said on GitLab: notes, reactions, issues, who we are and who may write.

Notes are asked of each merge request and issue by itself, newest first and no further back than
wanted. Notes that GitLab wrote itself (system notes) are nobody's and passed over. A reaction moves
the date of a note just as an edit does; who edited it is told by GraphQL alone, which is asked
about notes that give an order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.errors import AccessError, ProductError, RefusedError
from bot.forges.answers import NotUnderstoodError
from bot.forges.forge import Account, Comment, Issue, Links, NotFoundError
from bot.forges.gitlab_answers import (
    WRITER_LEVEL,
    gives_order,
    guarded,
    read_comment,
    read_issue,
)
from bot.forges.gitlab_faults import AlreadyThereError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.forges.gitlab_session import GitLabSession

_log = logging.getLogger(__name__)

_PEOPLE = {"reviewer_ids": "reviewers", "assignee_ids": "assignees"}
_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_BOT_LOGIN = re.compile(r"(project|group)_[0-9]+_bot")
_MAX_NOTE_PAGES = 10
_MAX_DOUBTFUL = 30  # of one query, which GitLab bounds by its own measure
_EDITOR = "lastEditedBy { id }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Our account: its number tells what is ours, since people may rename themselves."""

    id: int
    login: str


class GitLabTalk:
    """The half of the adapter that knows no merge request's state."""

    def __init__(self, session: GitLabSession, links: Links) -> None:
        self._session = session
        self.links = links
        self._order = asyncio.Lock()
        self._me: Me | None = None

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._session.requests

    async def account(self) -> Account:
        """Return who we are; asked once. `kind`: personal, project, group, job or oauth."""
        me = await self._who()
        kind = self._session.auth.kind
        found = _BOT_LOGIN.match(me.login)
        if kind == "private":
            return Account(login=me.login, kind=found[1] if found else "personal")
        return Account(login=me.login, kind=kind)

    async def _who(self) -> Me:
        async with self._order:
            if self._me is None:
                if self._session.auth.kind == "job":  # such a token may ask for its job alone
                    row = (await self._session.row("GET", "/job")).row("user")
                else:
                    row = await self._session.row("GET", "/user")
                self._me = Me(id=row.number("id"), login=row.text("username"))
            return self._me

    async def can_write(self, login: str) -> bool:
        """Return whether a person may push to this project now, asked anew each time (P1)."""
        number = await self._number_of(login)
        if number is None:
            return False
        try:
            row = await self._session.row("GET", f"members/all/{number}")
        except NotFoundError:
            return False
        same = row.number("id") == number
        return same and row.number("access_level") >= WRITER_LEVEL

    async def _number_of(self, login: str) -> int | None:
        if not _LOGIN.fullmatch(login):
            return None
        rows, _ = await self._session.rows("/users", query={"username": login}, pages=1)
        for row in rows:
            if row.text("username").casefold() == login.casefold():
                return row.number("id")
        return None

    async def ask_people(
        self, number: int, *, reviewers: Sequence[str] = (), assignees: Sequence[str] = ()
    ) -> None:
        """Ask people to review, and assign people; those there stay. GitLab asks no teams.

        Its free edition keeps the first of each.
        """
        try:
            wanted = await self._people_in(reviewers, assignees)
            row = await self._session.row("GET", _thing(number)) if wanted else None
            if row is not None:
                fields = {
                    name: sorted({*found, *(one.number("id") for one in row.rows(_PEOPLE[name]))})
                    for name, found in wanted.items()
                }
                await self._session.row("PUT", _thing(number), body=fields, repeatable=True)
        except ProductError as fault:
            _log.warning("nobody was asked", extra={"number": number, "why": fault.what})

    async def _people_in(
        self, reviewers: Sequence[str], assignees: Sequence[str]
    ) -> dict[str, list[int]]:
        """Return the fields of a merge request that name people, each where somebody is known."""
        found = {
            "reviewer_ids": await self._numbers_of(reviewers),
            "assignee_ids": await self._numbers_of(assignees),
        }
        return {name: numbers for name, numbers in found.items() if numbers}

    async def _numbers_of(self, logins: Sequence[str]) -> list[int]:
        found = []
        for login in logins:
            try:
                number = await self._number_of(login)
            except ProductError as fault:  # a CI job's token may not look people up
                _log.warning("nobody was asked", extra={"login": login, "why": fault.what})
                continue
            if number is None:
                _log.warning("nobody has this login", extra={"login": login})
            else:
                found.append(number)
        return found

    async def comments(self, *, since: datetime, numbers: Sequence[int]) -> list[Comment]:
        """Return comments on these proposals and issues that were made since, oldest first."""
        found = []
        for number in dict.fromkeys(numbers):
            found += await self._notes(number, since=since)
        return sorted(await self._without_moved_dates(found), key=_age)

    async def comments_on(self, number: int) -> list[Comment]:
        """Return every comment on a proposal or issue, oldest first; of thousands the newest."""
        found = await self._notes(number, since=None)
        return sorted(await self._without_moved_dates(found), key=_age)

    async def _notes(self, number: int, *, since: datetime | None) -> list[Comment]:
        me = await self._who()
        found: list[Comment] = []
        query = {"order_by": "created_at", "sort": "desc"}
        for page in range(1, _MAX_NOTE_PAGES + 1):
            rows, whole = await self._session.page(f"{_thing(number)}/notes", query, page=page)
            said = [row for row in rows if not row.flag("system")]
            found += [read_comment(row, number=number, me=me.id) for row in said]
            oldest = rows[-1].moment("created_at") if rows else None
            if whole or oldest is None or (since is not None and oldest < since):
                break
        once = {one.id: one for one in found if since is None or one.created >= since}
        return list(once.values())

    async def _without_moved_dates(self, found: Sequence[Comment]) -> list[Comment]:
        """Return notes; edited are those that somebody edited, as far as it is told."""
        doubtful = [one for one in found if one.edited and not one.ours and gives_order(one.body)]
        ids = [one.id for one in doubtful[-_MAX_DOUBTFUL:]]
        if not ids:
            return list(found)
        asked = [f'n{one}: note(id: "gid://gitlab/Note/{one}") {{{_EDITOR}}}' for one in ids]
        try:
            data = await self._session.graphql(f"query {{ {' '.join(asked)} }}")
        except (AccessError, RefusedError) as fault:
            _log.info("who edited a note is not told", extra={"why": fault.what})
            return list(found)
        told = {one: data.row_or_none(f"n{one}") for one in ids}
        unedited = {
            one for one, row in told.items() if row and row.row_or_none("lastEditedBy") is None
        }
        return [replace(one, edited=one.edited and one.id not in unedited) for one in found]

    async def comment(self, number: int, body: str) -> Comment:
        """Add a comment to a proposal or issue."""
        me = await self._who()
        fields = {"body": guarded(body)}
        row = await self._session.row("POST", f"{_thing(number)}/notes", body=fields)
        if not row.has("id"):
            raise NotUnderstoodError(row.place, "the note was taken for an order")
        return read_comment(row, number=number, me=me.id)

    async def edit_comment(self, comment: Comment, body: str) -> None:
        """Give a comment of ours another text."""
        place = f"{_thing(comment.number)}/notes/{int(comment.id)}"
        await self._session.row("PUT", place, body={"body": guarded(body)}, repeatable=True)

    async def react(self, comment: Comment, *, agreed: bool) -> None:
        """Put a thumb up, or a confused face, on a comment; safe to repeat."""
        place = f"{_thing(comment.number)}/notes/{int(comment.id)}/award_emoji"
        fields = {"name": "thumbsup" if agreed else "confused"}
        with contextlib.suppress(AlreadyThereError):
            await self._session.row("POST", place, body=fields, repeatable=True)

    async def find_issue(self, title: str) -> Issue | None:
        """Return our own open issue of exactly this title, the oldest of several."""
        me = await self._who()
        query = {"state": "opened", "scope": "created_by_me"}
        rows, _ = await self._session.rows("issues", query=query)
        found = [read_issue(row, me=me.id, links=self.links) for row in rows]
        same = [one for one in found if one.ours and one.open and one.title == title]
        return max(same, key=lambda one: one.number, default=None)

    async def open_issue(self, title: str, body: str) -> Issue:
        """Open an issue."""
        me = await self._who()
        fields = {"title": title, "description": guarded(body)}
        row = await self._session.row("POST", "issues", body=fields)
        return read_issue(row, me=me.id, links=self.links)

    async def edit_issue(self, number: int, body: str) -> None:
        """Give an issue of ours another body."""
        fields = {"description": guarded(body)}
        await self._session.row("PUT", _thing(number), body=fields, repeatable=True)


def _thing(number: int) -> str:
    return f"merge_requests/{number}" if number > 0 else f"issues/{-number}"


def _age(comment: Comment) -> tuple[datetime, int]:
    return comment.created, int(comment.id)
