"""What stands between a pull request on GitHub and its base: checks, auto-merge, merging, commits.

Merging never passes a rule of the base: an administrator's token could, so GitHub is asked first
whether the pull request may be merged as it is. Head and base are compared before and the head is
guarded in the call itself (threats P6, P7). Auto-merge, the merge queue and commits that GitHub
signs exist in GraphQL alone.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.errors import ConflictError, RefusedError, UnavailableError
from bot.forges.answers import NotUnderstoodError
from bot.forges.forge import Check, CheckState, HeadMovedError, Proposal, State, Status
from bot.forges.github_answers import joined, newest_runs, read_status
from bot.forges.github_faults import GraphqlRefusal
from bot.forges.github_standing import GitHubStanding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.forges.answers import Row

_WORDS = {
    CheckState.PENDING: "pending",
    CheckState.PASSED: "success",
    CheckState.FAILED: "failure",
}
_MAX_STATUS_CHARS = 140
_MERGEABLE = frozenset({"clean", "unstable", "has_hooks"})
_LOOKS, _LOOK_AGAIN_S = 5, 2.0  # GitHub works out in the background whether it can be merged
_NOT_YET = {
    "blocked": "the base demands what is not there yet: a check or an approval",
    "behind": "the base demands that it be brought up to date first",
    "dirty": "it conflicts with its base",
    "draft": "it is a draft",
    "unknown": "GitHub has not worked out yet whether it can be merged",
}
_ENABLE = """
mutation($input: EnablePullRequestAutoMergeInput!) {
  enablePullRequestAutoMerge(input: $input) { clientMutationId }
}
"""
_DISABLE = """
mutation($input: DisablePullRequestAutoMergeInput!) {
  disablePullRequestAutoMerge(input: $input) { clientMutationId }
}
"""
_ENQUEUE = """
mutation($input: EnqueuePullRequestInput!) {
  enqueuePullRequest(input: $input) { clientMutationId }
}
"""
_DEQUEUE = """
mutation($input: DequeuePullRequestInput!) {
  dequeuePullRequest(input: $input) { clientMutationId }
}
"""
_QUEUED = """
query($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) { isInMergeQueue }
  }
}
"""
_COMMIT = """
mutation($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid } }
}
"""


class GitHubMerging(GitHubStanding):
    """What a forge does with commits, and with proposals whose time has come."""

    async def checks(self, commit: str) -> tuple[Check, ...]:
        """Return the checks and statuses on a commit, the newest of each name."""
        statuses, _ = await self._session.rows(f"commits/{commit}/status", inside="statuses")
        runs, _ = await self._session.rows(
            f"commits/{commit}/check-runs", query={"filter": "latest"}, inside="check_runs"
        )
        return joined([*map(read_status, statuses), *newest_runs(runs)])

    async def set_status(self, commit: str, status: Status) -> None:
        """Put a commit status of ours on a commit."""
        body = {
            "state": _WORDS[status.state],
            "context": status.name,
            "description": status.says[:_MAX_STATUS_CHARS],
        }
        await self._session.ask("POST", f"statuses/{commit}", body=body, repeatable=True)

    async def automerge(self, proposal: Proposal, *, wanted: bool) -> None:
        """Tell GitHub to merge this head by itself, or not; what may be merged now is merged.

        Where the base has a merge queue, what may be merged now is put into it at once: GitHub
        looks at an auto-merge only when something changes.

        Raises:
            HeadMovedError: The head is not the proposal's any more.
        """
        if not wanted:
            await self._stop_automerge(proposal)
            return
        rules = await self.rules(proposal.base)
        asked = {
            "pullRequestId": await self._node(proposal.number),
            "expectedHeadOid": proposal.head,
        }
        if rules.merge_queue and await self._enqueue(proposal, asked):
            return
        if rules.merge_method and not rules.merge_queue:
            asked["mergeMethod"] = rules.merge_method.upper()
        try:
            await self._session.graphql(_ENABLE, {"input": asked})
        except GraphqlRefusal as fault:
            if rules.merge_queue or "clean status" not in fault.what.lower():
                raise
            await self._merge(proposal, {})  # nothing is left to wait for

    async def _enqueue(self, proposal: Proposal, asked: Mapping[str, str]) -> bool:
        """Put a proposal into the merge queue; return whether it is there, else it must wait."""
        if await self._is_queued(proposal):
            return True
        try:
            await self._session.graphql(_ENQUEUE, {"input": dict(asked)})
        except GraphqlRefusal:
            return False
        return True

    async def _is_queued(self, proposal: Proposal) -> bool:
        session = self._session
        wanted = {"owner": session.owner, "name": session.name, "number": proposal.number}
        data = await session.graphql(_QUEUED, wanted, writes=False)
        return data.row("repository").row("pullRequest").flag("isInMergeQueue")

    async def _stop_automerge(self, proposal: Proposal) -> None:
        """Take it off auto-merge, and out of the queue: there it is on auto-merge no more."""
        node = await self._node(proposal.number)
        rules = await self.rules(proposal.base)
        if rules.merge_queue and await self._is_queued(proposal):
            await self._session.graphql(_DEQUEUE, {"input": {"id": node}})
            return
        asked = {"pullRequestId": node}
        try:
            await self._session.graphql(_DISABLE, {"input": asked})
        except GraphqlRefusal:
            if (await self.proposal(proposal.number)).automerge:
                raise

    async def _node(self, number: int) -> str:
        """Return GraphQL's name of a proposal; every answer about it gives it."""
        if number not in self._nodes:
            await self.proposal(number)
        return self._nodes[number]

    async def merge(self, proposal: Proposal, *, title: str, message: str) -> None:
        """Merge exactly this head, never past a rule of the base.

        Raises:
            HeadMovedError: The head is not the proposal's any more.
        """
        await self._merge(proposal, {"commit_title": title, "commit_message": message})

    async def _merge(self, proposal: Proposal, words: Mapping[str, str]) -> None:
        rules = await self.rules(proposal.base)
        await self._wait_until_mergeable(proposal)
        body = {"sha": proposal.head, **words}
        if rules.merge_method:
            body["merge_method"] = rules.merge_method
        try:
            await self._session.ask("PUT", f"pulls/{proposal.number}/merge", body=body)
        except ConflictError as fault:
            raise HeadMovedError(fault.what, where=fault.where, hint=fault.hint) from fault

    async def _wait_until_mergeable(self, proposal: Proposal) -> None:
        word = "unknown"
        for look in range(_LOOKS):
            if look:
                await self._clock.sleep(_LOOK_AGAIN_S)
            row = await self._session.row("GET", f"pulls/{proposal.number}")
            self._same_as(proposal, row)
            word = row.text("mergeable_state")
            if word in _MERGEABLE:
                return
            if word not in _NOT_YET:
                raise NotUnderstoodError(row.place, "mergeable_state is a word we do not know")
            if word != "unknown":
                break
        kind = UnavailableError if word == "unknown" else RefusedError
        raise kind(
            f"it cannot be merged: {_NOT_YET[word]}",
            where=self._place(proposal),
            hint="The next run looks again",
        )

    def _same_as(self, proposal: Proposal, row: Row) -> None:
        now = self._proposal(row, proposal.author)
        if now.state is not State.OPEN:
            raise RefusedError(
                f"it is {now.state.value} already",
                where=self._place(proposal),
                hint="Nothing is left to do",
            )
        if (now.head, now.base) != (proposal.head, proposal.base):
            raise HeadMovedError(
                "its head or its base is not what it was",
                where=self._place(proposal),
                hint="The next run looks again",
            )

    def _place(self, proposal: Proposal) -> str:
        """Return how a proposal is named in an error."""
        return f"{self.where}#{proposal.number}"

    async def commit(
        self, branch: str, *, start: str, files: Mapping[str, bytes], message: str
    ) -> str:
        """Make a commit on `start` that gives `files` these texts, and return its id.

        GitHub signs it, and writes the author itself.

        Raises:
            ConflictError: The branch is there already, on another commit.
        """
        await self._make_branch(branch, start)
        headline, _, rest = message.partition("\n")
        added = [
            {"path": path, "contents": base64.b64encode(text).decode()}
            for path, text in files.items()
        ]
        asked = {
            "branch": {"repositoryNameWithOwner": self._session.path, "branchName": branch},
            "message": {"headline": headline, "body": rest.strip("\n")},
            "fileChanges": {"additions": added},
            "expectedHeadOid": start,
        }
        data = await self._session.graphql(_COMMIT, {"input": asked})
        return data.row("createCommitOnBranch").row("commit").text("oid")

    async def _make_branch(self, branch: str, start: str) -> None:
        try:
            await self._session.ask(
                "POST", "git/refs", body={"ref": f"refs/heads/{branch}", "sha": start}
            )
        except RefusedError as fault:
            if "already exists" not in fault.what.lower():
                raise
            there = await self._session.row("GET", f"git/ref/heads/{quote(branch)}")
            if there.row("object").text("sha") != start:
                raise ConflictError(
                    f"the branch {branch} is there already",
                    where=self.where,
                    hint="Delete it; it is left from a run that was cut off",
                ) from fault

    async def proposals_with(self, commit: str) -> list[Proposal]:
        """Return the merged proposals that brought this commit to its branch."""
        login = (await self.account()).login
        rows, _ = await self._session.rows(f"commits/{commit}/pulls")
        found = [self._proposal(row, login) for row in rows]
        return [one for one in found if one.state is State.MERGED]

    async def start_workflow(self, workflow: str, branch: str) -> None:
        """Start a workflow, by the name of its file, on a branch."""
        await self._session.ask(
            "POST",
            f"actions/workflows/{quote(workflow, safe='')}/dispatches",
            body={"ref": branch},
        )
