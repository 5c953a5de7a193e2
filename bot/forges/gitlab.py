"""GitLab as a `Forge`, over the REST API v4 by python-gitlab's transport.

What is chosen where GitLab leaves a choice:

* The listing is the hundred merge requests that were touched last, which are all there are in
  most projects and one request; only where there are more are the open ones asked for as well.
* A draft is a title that begins with `Draft: `; titles here are told and given without it.
* Where the project has a merge train, automerge is a place on it. The usual call would merge past
  the train as soon as the pipeline has passed.
* Automerge where nothing is demanded would merge at once: rules say `may_automerge` only where a
  pipeline or an approval is. The parameter has two names, by the server's age; both are sent.
* A new merge request cannot be merged for a moment, while GitLab looks whether it can be: that is
  waited for, a few seconds.
* Deleting a source branch leaves its merge request open there.

Signatures: GitLab's rule lets pass what its own API committed, whether it signs that or not.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.errors import ConflictError, RefusedError, UnavailableError
from bot.forges.forge import (
    Abilities,
    Check,
    HeadMovedError,
    Links,
    Listing,
    NotFoundError,
    Proposal,
    State,
    Status,
    Text,
)
from bot.forges.gitlab_answers import (
    DRAFT,
    STATUS_WORDS,
    guarded,
    read_checks,
    read_proposal,
    still_looking,
)
from bot.forges.gitlab_faults import AlreadyThereError, NotYetError
from bot.forges.gitlab_rules import GitLabRules
from bot.forges.gitlab_session import GitLabAuth, GitLabSession
from bot.forges.sync_door import Gate

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.forges.answers import Row

__all__ = ["GitLabAuth", "GitLabForge", "open_gitlab"]

log = logging.getLogger(__name__)

_MAX_STATUS_CHARS = 140
_MAX_OF_BRANCH_PAGES = 3
_TRIES = 6
_WAIT_S = 0.5  # doubled each time; GitLab looks in the background whether a merge would work
_NO_SUCH_FILE = "doesn't exist"


def open_gitlab(
    host_url: str,
    path: str,
    *,
    auth: GitLabAuth,
    ca: str | None = None,
    clock: Clock,
    pace_s: float = 0.0,
    gate: Gate | None = None,
) -> GitLabForge:
    """Return one project on a GitLab; nothing is asked of it yet.

    `host_url` is where its pages begin, `path` the project with every group ("group/sub/name").
    `ca` is a file of authorities that replaces the system's. `pace_s` keeps writes apart;
    forges that share a token share a `gate`, which then says the pace.

    Raises:
        ConfigError: `path` names no project.
    """
    session = GitLabSession(
        host_url=host_url,
        path=path,
        auth=auth,
        ca=ca,
        clock=clock,
        gate=gate or Gate(clock, pace_s=pace_s),
    )
    return GitLabForge(session, clock=clock)


class GitLabForge(GitLabRules):
    """One project on one GitLab, with one token."""

    def __init__(self, session: GitLabSession, *, clock: Clock) -> None:
        super().__init__(session, Links(web=f"{session.host_url}/{session.path}", style="gitlab"))
        self.kind = "gitlab"
        self.where = session.where
        self.abilities = Abilities(
            word="merge request",
            sign="!",
            labels_on_open=True,
            shared_comments=False,
            automerge_keeps_head=True,
            max_title_chars=255 - len(DRAFT),
            max_body_chars=1_000_000,
            max_label_chars=255,
        )
        self._clock = clock
        self._drafts: dict[int, bool] = {}

    async def _read(self, row: Row) -> Proposal:
        me = await self._who()
        proposal = read_proposal(row, me=me.id, links=self.links)
        self._drafts[proposal.number] = proposal.draft
        return proposal

    async def _list(self, query: Mapping[str, str], *, pages: int) -> Listing:
        rows, whole = await self._session.rows("merge_requests", query=query, pages=pages)
        found = [await self._read(row) for row in rows]
        once = {one.number: one for one in found}  # pages shift while they are read
        newest_first = sorted(once.values(), key=lambda one: -one.number)
        return Listing(proposals=tuple(newest_first), complete=whole)

    async def listing(self) -> Listing:
        """Return every open proposal, up to a thousand, and those that were touched last."""
        query = {"state": "all", "order_by": "updated_at", "sort": "desc"}
        touched = await self._list(query, pages=1)
        if touched.complete:
            return touched
        query = {"state": "opened", "order_by": "created_at", "sort": "asc"}
        opened = await self._list(query, pages=10)
        once = {one.number: one for one in (*touched.proposals, *opened.proposals)}
        return Listing(
            proposals=tuple(sorted(once.values(), key=lambda one: -one.number)), complete=False
        )

    async def proposals_of(self, branch: str) -> list[Proposal]:
        """Return every proposal whose head is `branch` of this project, newest first."""
        query = {"state": "all", "source_branch": branch, "order_by": "created_at"}
        found = await self._list({**query, "sort": "desc"}, pages=_MAX_OF_BRANCH_PAGES)
        return [one for one in found.proposals if one.branch == branch and one.own_repository]

    async def proposal(self, number: int) -> Proposal:
        """Return one proposal as it is now."""
        return await self._read(await self._row(number))

    async def _row(self, number: int) -> Row:
        return await self._session.row("GET", f"merge_requests/{number}")

    async def open(self, branch: str, base: str, text: Text) -> Proposal:
        """Open a proposal with its labels; people whom nobody knows are told in the log.

        Raises:
            AlreadyOpenError: There is one; it is found by `proposals_of`.
            RefusedError: A label holds a comma, which parts labels on GitLab.
        """
        fields: dict[str, object] = {
            "source_branch": branch,
            "target_branch": base,
            "title": DRAFT + text.title if text.draft else text.title,
            "description": guarded(text.body),
            "remove_source_branch": False,
        }
        if text.labels:
            fields["labels"] = self._joined(text.labels)
        fields |= await self._people_in(text.reviewers, text.assignees)
        return await self._read(await self._session.row("POST", "merge_requests", body=fields))

    def _joined(self, labels: Sequence[str]) -> str:
        for label in labels:
            if "," in label:
                raise RefusedError(
                    f"the label {label!r} holds a comma",
                    where=self.where,
                    hint="GitLab parts labels by commas: name it otherwise",
                )
        return ",".join(labels)

    async def edit(self, number: int, *, title: str, body: str) -> None:
        """Give a proposal another title and body; a draft stays one."""
        if number not in self._drafts:
            await self.proposal(number)
        shown = DRAFT + title if self._drafts[number] else title
        await self._change(number, title=shown, description=guarded(body))

    async def set_labels(
        self, number: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> None:
        """Add and remove labels; others stay. GitLab makes those that it lacks."""
        fields = {"add_labels": self._joined(add), "remove_labels": self._joined(remove)}
        wanted = {name: labels for name, labels in fields.items() if labels}
        if wanted:
            await self._change(number, **wanted)

    async def close(self, number: int) -> None:
        """Close a proposal without merging it; its branch stays."""
        await self._change(number, state_event="close")

    async def _change(self, number: int, **fields: str) -> None:
        row = await self._session.row(
            "PUT", f"merge_requests/{number}", body=fields, repeatable=True
        )
        await self._read(row)

    async def approvers(self, number: int) -> tuple[str, ...]:
        """Return whose approval stands; whether a push takes it away is the project's setting."""
        row = await self._session.row("GET", f"merge_requests/{number}/approvals")
        return tuple(one.row("user").text("username") for one in row.rows("approved_by"))

    async def checks(self, commit: str) -> tuple[Check, ...]:
        """Return the jobs and statuses on a commit, the newest of each name."""
        rows, _ = await self._session.rows(f"repository/commits/{commit}/statuses")
        return read_checks(rows)

    async def set_status(self, commit: str, status: Status) -> None:
        """Put a commit status of ours on a commit.

        GitLab refuses to make a pending status pending again: its text then stays what it was.
        """
        fields = {
            "name": status.name,
            "state": STATUS_WORDS[status.state],
            "description": status.says[:_MAX_STATUS_CHARS],
        }
        try:
            await self._session.row("POST", f"statuses/{commit}", body=fields)
        except AlreadyThereError:
            log.debug("the status stands already", extra={"where": self.where})

    async def automerge(self, proposal: Proposal, *, wanted: bool) -> None:
        """Tell GitLab to merge this head once it may be merged, or not; safe to repeat.

        Raises:
            HeadMovedError: The head is not the proposal's any more.
        """
        if wanted:
            if self._has_trains(await self._settings()):
                await self._board(proposal)
                return
            fields = {"auto_merge": True, "merge_when_pipeline_succeeds": True}
            await self._merge(proposal, fields)
            return
        name = "cancel_merge_when_pipeline_succeeds"
        try:
            await self._session.ask(
                "POST", f"merge_requests/{proposal.number}/{name}", repeatable=True
            )
        except NotYetError:
            log.debug("it was not to be merged", extra={"where": self.where})

    async def _board(self, proposal: Proposal) -> None:
        """Put this head on the merge train: once its pipeline has passed, or now that it has."""
        place = f"merge_trains/merge_requests/{proposal.number}"
        for later in (True, False):
            asked = {"sha": proposal.head, "auto_merge": later, "when_pipeline_succeeds": later}
            try:
                await self._session.ask("POST", place, body=asked)
            except RefusedError:
                now = await self.proposal(proposal.number)
                if now.automerge or now.state is State.MERGED:
                    return  # asked before, and the answer was lost
                if not later:
                    raise
            else:
                return

    async def merge(self, proposal: Proposal, *, title: str, message: str) -> None:
        """Merge exactly this head, never past a rule of the base.

        Raises:
            HeadMovedError: The head is not the proposal's any more.
        """
        said = f"{title}\n\n{message}".rstrip()
        fields: dict[str, object] = {"merge_commit_message": said}
        if self._squashes(await self._settings()):
            fields |= {"squash": True, "squash_commit_message": said}
        await self._merge(proposal, fields)

    async def _merge(self, proposal: Proposal, fields: Mapping[str, object]) -> None:
        """Ask for a merge, again while GitLab is still looking whether it can be done."""
        place = f"merge_requests/{proposal.number}/merge"
        asked = {**fields, "sha": proposal.head}
        for attempt in range(_TRIES):
            try:
                await self._session.row("PUT", place, body=asked)
            except NotYetError as error:
                row = await self._row(proposal.number)
                if self._settled(row, await self._read(row), proposal, error):
                    return
            else:
                return
            await self._clock.sleep(_WAIT_S * 2**attempt)
        raise UnavailableError(
            "the forge is still looking whether this can be merged",
            where=self.links.proposal(proposal.number),
            hint="The next run tries again",
        )

    def _settled(self, row: Row, now: Proposal, then: Proposal, error: NotYetError) -> bool:
        """Return whether it is merged after all; false says to ask once more."""
        if now.head != then.head:
            raise HeadMovedError(
                f"the head of {then.url} is {now.head[:12]} by now",
                where=self.where,
                hint="Nothing was merged; it is looked at again",
            )
        if now.state is State.MERGED:
            return True  # an answer was lost, or somebody was faster
        if now.state is State.OPEN and still_looking(row):
            return False
        error.what = f"the forge does not merge it: {row.text('detailed_merge_status')}"
        raise error

    async def commit(
        self, branch: str, *, start: str, files: Mapping[str, bytes], message: str
    ) -> str:
        """Make a commit on `start` that gives `files` these texts, and return its id.

        Raises:
            ConflictError: The commit does not stand on `start`.
        """
        fields = {"branch": branch, "start_sha": start, "commit_message": message}
        actions = [_action("update", path, files[path]) for path in sorted(files)]
        try:
            row = await self._commit({**fields, "actions": actions})
        except RefusedError as error:
            if _NO_SUCH_FILE not in error.what:
                raise
            kinds = {path: await self._kind_of(path, start) for path in sorted(files)}
            actions = [_action(kind, path, files[path]) for path, kind in kinds.items()]
            row = await self._commit({**fields, "actions": actions})
        if row.texts("parent_ids") != [start]:
            raise ConflictError(
                f"somebody wrote on {branch} while a commit was made there",
                where=self.where,
                hint="It is planned again",
            )
        return row.text("id")

    async def _commit(self, fields: Mapping[str, object]) -> Row:
        return await self._session.row("POST", "repository/commits", body=fields)

    async def _kind_of(self, path: str, start: str) -> str:
        place = f"repository/files/{quote(path, safe='')}"
        try:
            await self._session.ask("HEAD", place, query={"ref": start})
        except NotFoundError:
            return "create"
        return "update"

    async def proposals_with(self, commit: str) -> list[Proposal]:
        """Return the merged proposals that brought this commit to its branch."""
        try:
            rows, _ = await self._session.rows(f"repository/commits/{commit}/merge_requests")
        except NotFoundError:
            return []
        found = [await self._read(row) for row in rows]
        return [one for one in found if one.state is State.MERGED]

    async def start_workflow(self, workflow: str, branch: str) -> None:
        """Start a pipeline on a branch; GitLab's have no names, so `workflow` says nothing."""
        await self._session.row("POST", "pipeline", body={"ref": branch})

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._session.aclose()


def _action(kind: str, path: str, text: bytes) -> dict[str, str]:
    encoded = base64.b64encode(text).decode()
    return {"action": kind, "file_path": path, "content": encoded, "encoding": "base64"}
