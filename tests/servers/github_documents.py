"""Issues, pull requests and what is said on them as GitHub's REST API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers import github_merging as merging
from tests.servers.github_git_documents import GitDocuments
from tests.servers.github_place_documents import Document, moment
from tests.servers.github_state import Pull, node_id

if TYPE_CHECKING:
    from tests.servers.github_repository import GitHubRepository
    from tests.servers.github_state import (
        Account,
        Comment,
        Issue,
        Label,
        Reaction,
        Review,
    )

_PULL_LINKS = ("comments", "commits", "statuses", "issue", "review_comments", "review_comment")
_BUCKETS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "eyes", "rocket")


class Documents(GitDocuments):
    """All documents of one host."""

    def label(self, repository: GitHubRepository, label: Label) -> Document:
        return {
            "id": label.id,
            "node_id": node_id("LA", label.id),
            "url": f"{self._api}/repos/{repository.full_name}/labels/{label.name}",
            "name": label.name,
            "color": label.color,
            "default": False,
            "description": label.description,
        }

    def labels(self, issue: Issue) -> list[Document]:
        repository = issue.repository
        return [
            self.label(repository, repository.labels[name.lower()])
            for name in issue.labels
            if name.lower() in repository.labels
        ]

    def _shared(self, issue: Issue) -> Document:
        return {
            "id": issue.id,
            "node_id": issue.node_id,
            "number": issue.number,
            "state": "open" if issue.open else "closed",
            "locked": issue.locked,
            "title": issue.title,
            "user": self.account(issue.author),
            "body": issue.body or None,
            "labels": self.labels(issue),
            "milestone": None,
            "assignee": self.account(issue.assigned[0]) if issue.assigned else None,
            "assignees": [self.account(each) for each in issue.assigned],
            "active_lock_reason": None,
            "author_association": self._association(issue.repository, issue.author),
            "created_at": moment(issue.created),
            "updated_at": moment(issue.updated),
            "closed_at": moment(issue.closed),
        }

    def issue(self, issue: Issue) -> Document:
        repository = issue.repository
        url = f"{self._api}/repos/{repository.full_name}/issues/{issue.number}"
        pull = isinstance(issue, Pull)
        page = f"{repository.url}/{'pull' if pull else 'issues'}/{issue.number}"
        found: Document = {
            **self._shared(issue),
            "url": url,
            "repository_url": f"{self._api}/repos/{repository.full_name}",
            "labels_url": f"{url}/labels{{/name}}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "html_url": page,
            "comments": len(issue.comments),
            "closed_by": self.account(issue.closed_by),
            "state_reason": None if issue.open else "completed",
            "reactions": self._rollup(url, []),
        }
        if isinstance(issue, Pull):
            found["draft"] = issue.draft
            found["pull_request"] = {
                "url": self._pull_url(issue),
                "html_url": page,
                "diff_url": f"{page}.diff",
                "patch_url": f"{page}.patch",
                "merged_at": moment(issue.merged),
            }
        return found

    def pull(self, pull: Pull, *, full: bool = False) -> Document:
        repository = pull.repository
        url, page = self._pull_url(pull), f"{repository.url}/pull/{pull.number}"
        comments = f"{self._api}/repos/{repository.full_name}/pulls/comments{{/number}}"
        issue = f"{self._api}/repos/{repository.full_name}/issues/{pull.number}"
        head_api = f"{self._api}/repos/{repository.full_name}/statuses/{pull.head}"
        urls = {
            "url": url,
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "issue_url": issue,
            "comments_url": f"{issue}/comments",
            "commits_url": f"{url}/commits",
            "review_comments_url": f"{url}/comments",
            "review_comment_url": comments,
            "statuses_url": head_api,
        }
        found: Document = {
            **self._shared(pull),
            **urls,
            "draft": pull.draft,
            "merged_at": moment(pull.merged),
            "merge_commit_sha": pull.merge_commit,
            "requested_reviewers": [self.account(each) for each in pull.requested],
            "requested_teams": [],
            "head": self._end(pull.head_repository, pull.branch, pull.head),
            "base": self._end(repository, pull.base_branch, pull.base),
            "_links": {
                "self": {"href": url},
                "html": {"href": page},
                **{name: {"href": urls[f"{name}_url"]} for name in _PULL_LINKS},
            },
            "auto_merge": self._auto_merge(pull),
        }
        if full:
            found.update(self._measures(pull))
        return found

    def _measures(self, pull: Pull) -> Document:
        repository = pull.repository
        return {
            "merged": pull.merged is not None,
            "merged_by": self.account(pull.merged_by),
            "mergeable": merging.mergeable(repository, pull) if pull.open else None,
            "mergeable_state": merging.state_of(repository, pull) if pull.open else "unknown",
            "rebaseable": None,
            "comments": len(pull.comments),
            "review_comments": 0,
            "maintainer_can_modify": False,
            **self._host.measure(pull),
        }

    def _auto_merge(self, pull: Pull) -> Document | None:
        asked = pull.auto_merge
        if asked is None:
            return None
        return {
            "enabled_by": self.account(asked.by),
            "merge_method": asked.method,
            "commit_title": asked.title,
            "commit_message": asked.message,
        }

    def _end(self, repository: GitHubRepository, branch: str, commit: str) -> Document:
        return {
            "label": f"{repository.owner.login}:{branch}",
            "ref": branch,
            "sha": commit,
            "user": self.account(repository.owner),
            "repo": self.repository(repository),
        }

    def comment(self, issue: Issue, comment: Comment) -> Document:
        api = f"{self._api}/repos/{issue.repository.full_name}/issues"
        url = f"{api}/comments/{comment.id}"
        middle = "pull" if isinstance(issue, Pull) else "issues"
        return {
            "id": comment.id,
            "node_id": node_id("IC", comment.id),
            "url": url,
            "html_url": f"{issue.repository.url}/{middle}/{issue.number}#issuecomment-{comment.id}",
            "issue_url": f"{api}/{issue.number}",
            "body": comment.body,
            "user": self.account(comment.author),
            "created_at": moment(comment.created),
            "updated_at": moment(comment.updated),
            "author_association": self._association(issue.repository, comment.author),
            "performed_via_github_app": None,
            "reactions": self._rollup(url, comment.reactions),
        }

    def reaction(self, reaction: Reaction) -> Document:
        return {
            "id": reaction.id,
            "node_id": node_id("REA", reaction.id),
            "user": self.account(reaction.account),
            "content": reaction.content,
            "created_at": moment(reaction.created),
        }

    def review(self, pull: Pull, review: Review) -> Document:
        page = f"{pull.repository.url}/pull/{pull.number}#pullrequestreview-{review.id}"
        return {
            "id": review.id,
            "node_id": node_id("PRR", review.id),
            "user": self.account(review.author),
            "body": review.body,
            "state": review.state,
            "html_url": page,
            "pull_request_url": self._pull_url(pull),
            "_links": {"html": {"href": page}, "pull_request": {"href": self._pull_url(pull)}},
            "submitted_at": moment(review.submitted),
            "commit_id": review.commit,
            "author_association": self._association(pull.repository, review.author),
        }

    def _pull_url(self, pull: Pull) -> str:
        return f"{self._api}/repos/{pull.repository.full_name}/pulls/{pull.number}"

    def _rollup(self, url: str, reactions: list[Reaction]) -> Document:
        counts = {name: sum(1 for r in reactions if r.content == name) for name in _BUCKETS}
        return {"url": f"{url}/reactions", "total_count": len(reactions), **counts}

    def _association(self, repository: GitHubRepository, account: Account) -> str:
        if account == repository.owner:
            return "OWNER"
        return "COLLABORATOR" if account.login in repository.roles else "NONE"
