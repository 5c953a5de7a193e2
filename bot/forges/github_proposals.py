"""Pull requests on GitHub: found, opened, edited, labelled, closed.

They are listed by head branch or by state and never searched for: the search lags (fault FF3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.forges.forge import Listing, NotFoundError, Proposal, Text
from bot.forges.github_answers import approvers_of
from bot.forges.github_standing import GitHubStanding
from bot.forges.people import ask_each

if TYPE_CHECKING:
    from collections.abc import Sequence


class GitHubProposals(GitHubStanding):
    """What a forge does with proposals, short of merging them."""

    async def listing(self) -> Listing:
        """Return every open proposal, 1,000 at most, and the hundred closed last."""
        login = (await self.account()).login
        asked = {"state": "open", "sort": "created", "direction": "asc"}
        opened, whole = await self._session.rows("pulls", query=asked)
        asked = {"state": "closed", "sort": "updated", "direction": "desc"}
        closed, all_closed = await self._session.rows("pulls", query=asked, pages=1)
        found: dict[int, Proposal] = {}
        for row in [*opened, *closed]:  # what was closed in between is in both: closed counts
            one = self._proposal(row, login)
            found[one.number] = one
        return Listing(proposals=tuple(found.values()), complete=whole and all_closed)

    async def proposals_of(self, branch: str) -> list[Proposal]:
        """Return every proposal whose head is `branch` of this repository, newest first."""
        login = (await self.account()).login
        asked = {
            "state": "all",
            "head": f"{self._session.owner}:{branch}",
            "sort": "created",
            "direction": "desc",
        }
        rows, _ = await self._session.rows("pulls", query=asked)
        found = [self._proposal(row, login) for row in rows]
        mine = [one for one in found if one.own_repository and one.branch == branch]
        return sorted(mine, key=lambda one: one.number, reverse=True)

    async def open(self, branch: str, base: str, text: Text) -> Proposal:
        """Open a proposal. Labels are set by `set_labels`; people are asked, if they can be.

        Raises:
            AlreadyOpenError: There is one; it is found by `proposals_of`.
        """
        login = (await self.account()).login
        body = {
            "title": text.title,
            "body": text.body,
            "head": branch,
            "base": base,
            "draft": text.draft,
            "maintainer_can_modify": False,
        }
        opened = self._proposal(await self._session.row("POST", "pulls", body=body), login)
        await self.ask_people(opened.number, reviewers=text.reviewers, assignees=text.assignees)
        return opened

    async def ask_people(
        self, number: int, *, reviewers: Sequence[str] = (), assignees: Sequence[str] = ()
    ) -> None:
        """Ask people and teams (`organisation/team`), and assign people; those there stay.

        Who may not be assigned GitHub leaves out without a word.
        """

        async def review(names: Sequence[str]) -> None:
            people = [one for one in names if "/" not in one]
            teams = [one.partition("/")[2] for one in names if "/" in one]
            body = {"reviewers": people, "team_reviewers": teams}
            await self._session.ask(
                "POST", f"pulls/{number}/requested_reviewers", body=body, repeatable=True
            )

        async def assign(names: Sequence[str]) -> None:
            await self._session.ask(
                "POST", f"issues/{number}/assignees", body={"assignees": names}, repeatable=True
            )

        await ask_each(reviewers, review)
        await ask_each(assignees, assign)

    async def edit(self, number: int, *, title: str, body: str) -> None:
        """Give a proposal another title and body."""
        await self._session.ask(
            "PATCH", f"pulls/{number}", body={"title": title, "body": body}, repeatable=True
        )

    async def set_labels(
        self, number: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> None:
        """Add and remove labels; others stay. GitHub makes labels that it lacks."""
        if add:
            await self._session.ask(
                "POST", f"issues/{number}/labels", body={"labels": list(add)}, repeatable=True
            )
        for name in remove:
            try:
                await self._session.ask(
                    "DELETE", f"issues/{number}/labels/{quote(name, safe='')}", repeatable=True
                )
            except NotFoundError:
                continue  # it is gone already

    async def close(self, number: int) -> None:
        """Close a proposal without merging it; its branch stays."""
        await self._session.ask(
            "PATCH", f"pulls/{number}", body={"state": "closed"}, repeatable=True
        )

    async def approvers(self, number: int) -> tuple[str, ...]:
        """Return who approved the proposal's head; an approval of an older one does not count."""
        head = (await self.proposal(number)).head
        rows, _ = await self._session.rows(f"pulls/{number}/reviews")
        return approvers_of(rows, head=head)
