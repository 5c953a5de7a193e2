"""Gitea and Forgejo as a `Forge`, by REST calls of our own (Gitea 1.26's API description).

What is chosen where Gitea leaves a choice:

* Proposals of a branch are found in the listing of all states by last update, a thousand at
  most: Gitea's question by base and head tells only one of them and wants the base.
* The listing takes heads from `refs/pull/N/head`, which follows a push by a moment. One proposal
  is asked with its branch's head while open; once closed that ref tells, for the branch may have
  been used again.
* Two calls at once open two proposals of one branch: it looks first and writes later, with no
  lock. So we look again after opening: the lowest number stays, and ours above it are closed with
  the reason in their metadata, so that no such close is taken for a person's (invariant I5).
* A draft is a title that begins with `WIP: `; titles here are told and given without it.
* A scheduled merge belongs to no head there (`automerge_keeps_head` is false), so that the head
  is compared before and after it is asked for. Gitea tells in no answer that one is scheduled.
"""

from __future__ import annotations

import base64
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.clock import SystemClock
from bot.errors import AccessError, ConflictError, RefusedError
from bot.forges.answers import NotUnderstoodError
from bot.forges.forge import (
    Abilities,
    AlreadyOpenError,
    Check,
    HeadMovedError,
    Links,
    Listing,
    Proposal,
    State,
    Status,
    Text,
)
from bot.forges.gitea_answers import (
    DRAFT,
    STATUS_WORDS,
    commit_id,
    read_approvers,
    read_checks,
    read_proposal,
)
from bot.forges.gitea_door import PAGE, GiteaAuth, GiteaDoor, Reply
from bot.forges.gitea_rules import GiteaRules
from bot.planning.metadata import read_metadata, with_replaced

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.http_client.client import HttpClient
    from bot.http_client.exchange import Access

__all__ = ["GiteaAuth", "GiteaForge", "open_gitea"]

log = logging.getLogger(__name__)

_MAX_PROPOSALS = 1_000
_MAX_REVIEWS = 500
_MAX_STATUS_CHARS = 140
_TRIES = 6  # Gitea says "try again later" while it looks whether a proposal can be merged
_WAIT_S = 0.25  # doubled each time
_MERGE_REFUSALS = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.CONFLICT}
)
_NOT_THERE = frozenset({HTTPStatus.NOT_FOUND})


def open_gitea(
    http: HttpClient,
    host_url: str,
    path: str,
    *,
    auth: GiteaAuth,
    access: Access,
    kind: str = "gitea",
    clock: Clock | None = None,
) -> GiteaForge:
    """Return one repository on a Gitea or Forgejo; nothing is asked of it yet.

    `host_url` is where its pages begin, `path` is `owner/name`. `http` stays the caller's.
    """
    door = GiteaDoor(http, host_url, path, auth=auth, access=access)
    return GiteaForge(door, kind=kind, clock=clock or SystemClock())


class GiteaForge(GiteaRules):
    """One repository on one Gitea, with one token."""

    def __init__(self, door: GiteaDoor, *, kind: str, clock: Clock) -> None:
        super().__init__(door, Links(web=door.web, style="gitea"))
        self.kind = kind
        self.where = door.where
        self.abilities = Abilities(
            labels_on_open=True,
            tells_automerge=False,
            automerge_keeps_head=False,
            max_title_chars=255 - len(DRAFT),
        )
        self._clock = clock
        self._drafts: dict[int, bool] = {}

    async def _read(self, reply: Reply) -> Proposal:
        me = await self._who()
        proposal = read_proposal(reply.row(), me=me.id, links=self.links)
        self._drafts[proposal.number] = proposal.draft
        return proposal

    async def _list(self, query: Mapping[str, str], *, at_most: int) -> Listing:
        me = await self._who()
        pages = await self._door.pages("pulls", query, at_most=at_most)
        found = [read_proposal(row, me=me.id, links=self.links) for row in pages.rows]
        self._drafts.update({one.number: one.draft for one in found})
        once = {one.number: one for one in found}  # pages shift while they are read
        newest_first = sorted(once.values(), key=lambda one: -one.number)
        return Listing(proposals=tuple(newest_first), complete=pages.whole)

    async def listing(self) -> Listing:
        """Return every open proposal, and the fifty closed ones that were touched last."""
        opened = await self._list({"state": "open", "sort": "oldest"}, at_most=_MAX_PROPOSALS)
        closed = await self._list({"state": "closed", "sort": "recentupdate"}, at_most=PAGE)
        once = {one.number: one for one in (*opened.proposals, *closed.proposals)}
        return Listing(
            proposals=tuple(sorted(once.values(), key=lambda one: -one.number)),
            complete=opened.complete and closed.complete,
        )

    async def proposals_of(self, branch: str) -> list[Proposal]:
        """Return every proposal whose head is `branch` of this repository, newest first."""
        query = {"state": "all", "sort": "recentupdate"}
        every = await self._list(query, at_most=_MAX_PROPOSALS)
        return [one for one in every.proposals if one.branch == branch and one.own_repository]

    async def proposal(self, number: int) -> Proposal:
        """Return one proposal as it is now."""
        found = await self._read(await self._door.ask("GET", f"pulls/{number}"))
        if found.state is State.OPEN:
            return found
        reply = await self._door.ask("GET", f"git/refs/pull/{number}/head")
        for row in reply.rows():
            if row.text("ref") == f"refs/pull/{number}/head":
                return replace(found, head=commit_id(row.row("object"), "sha"))
        raise NotUnderstoodError(reply.place, "the ref is not among them")

    async def open(self, branch: str, base: str, text: Text) -> Proposal:
        """Open a proposal; labels and people that cannot be set are told in the log.

        Raises:
            AlreadyOpenError: There is one, or another run opened one at the same moment.
        """
        fields: dict[str, object] = {
            "head": branch,
            "base": base,
            "title": DRAFT + text.title if text.draft else text.title,
            "body": text.body,
        }
        try:
            fields["labels"] = await self._label_ids(text.labels)
        except (AccessError, RefusedError) as error:
            log.warning("opened without labels", extra={"where": self.where, "why": error.what})
        try:
            reply = await self._door.ask("POST", "pulls", fields=fields)
        except ConflictError as error:
            raise self._already_open(branch) from error
        opened = await self._read(reply)
        await self._close_twins(opened)
        await self._ask_for_review(opened.number, text.reviewers)
        await self._assign(opened.number, text.assignees, there=())
        return opened

    def _already_open(self, branch: str) -> AlreadyOpenError:
        return AlreadyOpenError(
            f"there is an open proposal of {branch} already",
            where=self.where,
            hint="It is looked at in place of a new one",
        )

    async def _close_twins(self, opened: Proposal) -> None:
        """Leave one proposal of a branch open, should another run have opened one with us.

        Raises:
            AlreadyOpenError: The other one stays.
        """
        reply = await self._door.ask("GET", "pulls", query={"state": "open", "limit": PAGE})
        me = await self._who()
        found = [read_proposal(row, me=me.id, links=self.links) for row in reply.rows()]
        same = (opened.branch, opened.base, True)
        twins = [one for one in found if (one.branch, one.base, one.own_repository) == same]
        first = min((one.number for one in twins), default=opened.number)
        for twin in twins:
            if twin.ours and twin.number != first:
                with contextlib.suppress(ConflictError):  # the other run is closing it right now
                    await self._close_as_twin(twin)
        if first < opened.number:
            raise self._already_open(opened.branch)

    async def _close_as_twin(self, twin: Proposal) -> None:
        fields = {"state": State.CLOSED.value}
        recorded = read_metadata(twin.body)
        if recorded is not None:
            ended = replace(recorded, closed_why="opened twice at once")
            fields["body"] = with_replaced(twin.body, ended)
        await self._door.ask("PATCH", f"pulls/{twin.number}", fields=fields, repeatable=True)

    async def edit(self, number: int, *, title: str, body: str) -> None:
        """Give a proposal another title and body; a draft stays one."""
        if number not in self._drafts:
            await self.proposal(number)
        fields = {"title": DRAFT + title if self._drafts[number] else title, "body": body}
        await self._door.ask("PATCH", f"pulls/{number}", fields=fields, repeatable=True)

    async def close(self, number: int) -> None:
        """Close a proposal without merging it; its branch stays."""
        fields = {"state": State.CLOSED.value}
        await self._door.ask("PATCH", f"pulls/{number}", fields=fields, repeatable=True)

    async def approvers(self, number: int) -> tuple[str, ...]:
        """Return who approved the proposal as it stands."""
        pages = await self._door.pages(f"pulls/{number}/reviews", at_most=_MAX_REVIEWS)
        return read_approvers(pages.rows)

    async def checks(self, commit: str) -> tuple[Check, ...]:
        """Return the checks and statuses on a commit, the newest of each name."""
        found: dict[str, Check] = {}
        page = 1
        while True:
            query = {"limit": PAGE, "page": page}
            reply = await self._door.ask("GET", f"commits/{commit}/status", query=query)
            fresh = [one for one in read_checks(reply.row()) if one.name not in found]
            found |= {one.name: one for one in fresh}
            if not fresh or (reply.total is not None and len(found) >= reply.total):
                return tuple(found.values())
            page += 1

    async def set_status(self, commit: str, status: Status) -> None:
        """Put a commit status of ours on a commit."""
        fields = {
            "context": status.name,
            "state": STATUS_WORDS[status.state],
            "description": status.says[:_MAX_STATUS_CHARS],
        }
        await self._door.ask("POST", f"statuses/{commit}", fields=fields)

    async def automerge(self, proposal: Proposal, *, wanted: bool) -> None:
        """Tell Gitea to merge this head once what is required has passed, or not; repeatable.

        Raises:
            HeadMovedError: The head is not the proposal's any more.
        """
        if not wanted:
            place = f"pulls/{proposal.number}/merge"
            await self._door.ask("DELETE", place, passing=_NOT_THERE, repeatable=True)
            return
        self._same_head(await self.proposal(proposal.number), proposal)
        fields: dict[str, object] = {
            "merge_when_checks_succeed": True,
            "merge_title_field": f"{proposal.title} (#{proposal.number})",
        }
        reply = await self._merge(proposal, fields)
        now = await self.proposal(proposal.number)
        if now.head != proposal.head and now.state is State.OPEN:
            await self.automerge(proposal, wanted=False)
        self._same_head(now, proposal)
        if reply.status == HTTPStatus.METHOD_NOT_ALLOWED and now.state is not State.MERGED:
            raise self._unmerged(reply)

    async def merge(self, proposal: Proposal, *, title: str, message: str) -> None:
        """Merge exactly this head, never past a rule of the base.

        Raises:
            HeadMovedError: The head is not the proposal's any more.
        """
        fields: dict[str, object] = {"merge_title_field": title, "merge_message_field": message}
        reply = await self._merge(proposal, fields)
        if reply.status not in _MERGE_REFUSALS:
            return
        now = await self.proposal(proposal.number)
        self._same_head(now, proposal)
        if now.state is not State.MERGED:  # else an answer was lost, and this one comes too late
            raise self._unmerged(reply)

    async def _merge(self, proposal: Proposal, fields: Mapping[str, object]) -> Reply:
        """Ask for a merge, again while Gitea is still looking whether it can be done."""
        method = (await self.rules(proposal.base)).merge_method
        asked = {**fields, "Do": method, "head_commit_id": proposal.head}
        for attempt in range(_TRIES):
            place = f"pulls/{proposal.number}/merge"
            reply = await self._door.ask("POST", place, fields=asked, passing=_MERGE_REFUSALS)
            if reply.status != HTTPStatus.METHOD_NOT_ALLOWED or "try again" not in reply.says:
                break
            await self._clock.sleep(_WAIT_S * 2**attempt)
        return reply

    def _same_head(self, now: Proposal, then: Proposal) -> None:
        if now.head != then.head:
            raise HeadMovedError(
                f"the head of {self.links.proposal(then.number)} is {now.head[:12]} by now",
                where=self.where,
                hint="Nothing was merged; it is looked at again",
            )

    def _unmerged(self, reply: Reply) -> RefusedError:
        return RefusedError(
            f"the forge does not merge it: {reply.says or reply.status}",
            where=reply.place,
            hint="It is tried again once its rules are met",
        )

    async def commit(
        self, branch: str, *, start: str, files: Mapping[str, bytes], message: str
    ) -> str:
        """Make a commit on `start` that gives `files` these texts, and return its id.

        Gitea takes branch names up to a hundred characters here. It signs the commit where its
        operator gave it a key; preflight tells when not.

        Raises:
            ConflictError: The branch is there, or somebody wrote on it meanwhile.
        """
        made = {"new_branch_name": branch, "old_ref_name": start}
        await self._door.ask("POST", "branches", fields=made)
        changes = [await self._change(path, files[path], start) for path in sorted(files)]
        fields = {"branch": branch, "message": message, "files": changes}
        reply = await self._door.ask("POST", "contents", fields=fields)
        row = reply.row().row("commit")
        if [commit_id(one, "sha") for one in row.rows("parents")] != [start]:
            raise ConflictError(
                f"somebody wrote on {branch} while a commit was made there",
                where=self.where,
                hint="It is planned again",
            )
        return commit_id(row, "sha")

    async def _change(self, path: str, text: bytes, start: str) -> dict[str, str]:
        change = {
            "operation": "create",
            "path": path,
            "content": base64.b64encode(text).decode(),
        }
        asked = f"contents/{quote(path)}"
        reply = await self._door.ask("GET", asked, query={"ref": start}, passing=_NOT_THERE)
        if reply.status != HTTPStatus.NOT_FOUND:
            change |= {"operation": "update", "sha": commit_id(reply.row(), "sha")}
        return change

    async def proposals_with(self, commit: str) -> list[Proposal]:
        """Return the merged proposals that brought this commit to its branch.

        Gitea knows the commit that a merge made, and not those that came along with it.
        """
        reply = await self._door.ask("GET", f"commits/{commit}/pull", passing=_NOT_THERE)
        if reply.status == HTTPStatus.NOT_FOUND:
            return []
        found = await self._read(reply)
        return [found] if found.state is State.MERGED else []

    async def start_workflow(self, workflow: str, branch: str) -> None:
        """Start a workflow of this name on a branch."""
        place = f"actions/workflows/{quote(workflow, safe='')}/dispatches"
        await self._door.ask("POST", place, fields={"ref": f"refs/heads/{branch}"})

    async def aclose(self) -> None:
        """Let go of nothing: connections belong to the HTTP client that was given."""
