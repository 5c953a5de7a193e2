"""What the test GitHub shows: its state as the documents of GitHub's REST API.

`Documents` belongs to one host, since every document is full of that host's addresses.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.servers import github_merging as merging
from tests.servers.github_state import ROLES, Pull, node_id

if TYPE_CHECKING:
    from tests.servers.github import GitHub
    from tests.servers.github_repository import GitHubRepository
    from tests.servers.github_state import (
        Account,
        App,
        Comment,
        Issue,
        Label,
        Reaction,
        Release,
        Review,
        Role,
        Status,
    )

Document = dict[str, Any]
_ACCOUNT_PATHS = (
    "followers",
    "following{/other_user}",
    "gists{/gist_id}",
    "starred{/owner}{/repo}",
    "subscriptions",
    "orgs",
    "repos",
    "events{/privacy}",
    "received_events",
)
_REPOSITORY_PATHS = {
    "archive": "/{archive_format}{/ref}",
    "assignees": "{/user}",
    "blobs": "/git/blobs{/sha}",
    "branches": "{/branch}",
    "collaborators": "{/collaborator}",
    "comments": "{/number}",
    "commits": "{/sha}",
    "compare": "/compare/{base}...{head}",
    "contents": "/contents/{+path}",
    "contributors": "",
    "deployments": "",
    "downloads": "",
    "events": "",
    "forks": "",
    "git_commits": "/git/commits{/sha}",
    "git_refs": "/git/refs{/sha}",
    "git_tags": "/git/tags{/sha}",
    "hooks": "",
    "issue_comment": "/issues/comments{/number}",
    "issue_events": "/issues/events{/number}",
    "issues": "{/number}",
    "keys": "{/key_id}",
    "labels": "{/name}",
    "languages": "",
    "merges": "",
    "milestones": "{/number}",
    "notifications": "{?since,all,participating}",
    "pulls": "{/number}",
    "releases": "{/id}",
    "stargazers": "",
    "statuses": "/statuses/{sha}",
    "subscribers": "",
    "subscription": "",
    "tags": "",
    "teams": "",
    "trees": "/git/trees{/sha}",
}
_PULL_LINKS = ("comments", "commits", "statuses", "issue", "review_comments", "review_comment")
_BUCKETS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "eyes", "rocket")
_CONCLUDED = {"error": "failure"}
_RUNNING = frozenset({"pending", "queued", "in_progress"})


def moment(when: datetime | None) -> str | None:
    """Write a time as GitHub does: UTC, whole seconds."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if when else None


class Documents:
    """Makes documents for one host."""

    def __init__(self, host: GitHub) -> None:
        self._host = host

    @property
    def _api(self) -> str:
        return self._host.api_url

    def account(self, account: Account | None) -> Document | None:
        if account is None:
            return None
        url = f"{self._api}/users/{account.login}"
        paths = {f"{_word(path)}_url": f"{url}/{path}" for path in _ACCOUNT_PATHS}
        paths["organizations_url"] = paths.pop("orgs_url")
        return {
            "login": account.login,
            "id": account.id,
            "node_id": node_id("BOT" if account.bot else "U", account.id),
            "avatar_url": f"{self._host.url}/avatars/{account.id}",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{self._host.url}/{account.login}",
            "type": "Bot" if account.bot else "User",
            "site_admin": False,
            **paths,
        }

    def profile(self, account: Account) -> Document:
        nothing = dict.fromkeys(("company", "blog", "location", "email", "hireable", "bio"))
        counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
        began = moment(self._host.began)
        found = self.account(account)
        assert found is not None
        times = {"created_at": began, "updated_at": began}
        return {**found, "name": account.login, **nothing, **counts, **times}

    def repository(
        self, repository: GitHubRepository, *, asker: Account | None = None, full: bool = False
    ) -> Document:
        api = f"{self._api}/repos/{repository.full_name}"
        settings = repository.settings
        found: Document = {
            "id": repository.id,
            "node_id": node_id("R", repository.id),
            "name": repository.name,
            "full_name": repository.full_name,
            "private": settings.private,
            "owner": self.account(repository.owner),
            "html_url": repository.url,
            "description": None,
            "fork": repository.parent is not None,
            "url": api,
            **{f"{name}_url": _repository_url(api, name) for name in _REPOSITORY_PATHS},
            "git_url": f"git://{self._host.host}/{repository.full_name}.git",
            "ssh_url": f"git@{self._host.host}:{repository.full_name}.git",
            "clone_url": repository.url_http,
            "svn_url": repository.url,
            "created_at": moment(repository.created),
            "updated_at": moment(repository.created),
            "pushed_at": moment(repository.created),
            "license": None,
            **dict.fromkeys(("homepage", "language", "mirror_url")),
            **dict.fromkeys(("forks_count", "stargazers_count", "watchers_count", "size"), 0),
            **dict.fromkeys(("forks", "watchers"), 0),
            **dict.fromkeys(("has_projects", "has_wiki", "has_pages", "has_discussions"), False),
            "has_downloads": True,
            "has_issues": settings.has_issues,
            "archived": settings.archived,
            "disabled": False,
            "visibility": "private" if settings.private else "public",
            "default_branch": repository.default_branch,
            "open_issues_count": sum(1 for each in repository.issues.values() if each.open),
            "open_issues": sum(1 for each in repository.issues.values() if each.open),
        }
        if asker is not None:
            found["permissions"] = permissions_of(repository.role_of(asker))
        if full:
            found.update(self._settings(repository, asker))
        return found

    def _settings(self, repository: GitHubRepository, asker: Account | None) -> Document:
        settings = repository.settings
        found: Document = {"subscribers_count": 0, "network_count": 0}
        if repository.parent:
            found["parent"] = found["source"] = self.repository(repository.parent)
        if repository.may(asker, "write"):  # whoever only reads is not told how they merge
            found.update(
                allow_merge_commit=settings.allow_merge_commit,
                allow_squash_merge=settings.allow_squash_merge,
                allow_rebase_merge=settings.allow_rebase_merge,
                allow_auto_merge=settings.allow_auto_merge,
                delete_branch_on_merge=settings.delete_branch_on_merge,
                squash_merge_commit_title=settings.squash_title,
                squash_merge_commit_message=settings.squash_message,
                merge_commit_title="MERGE_MESSAGE",
                merge_commit_message="PR_TITLE",
            )
        return found

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
            "assignee": None,
            "assignees": [],
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
            "commits": 1,
            "additions": 1,
            "deletions": 1,
            "changed_files": 1,
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

    def status(self, repository: GitHubRepository, commit: str, status: Status) -> Document:
        return {
            "url": f"{self._api}/repos/{repository.full_name}/statuses/{commit}",
            "avatar_url": f"{self._host.url}/avatars/{status.creator.id}",
            "id": status.id,
            "node_id": node_id("SC", status.id),
            "state": status.state,
            "description": status.description or None,
            "target_url": status.target_url,
            "context": status.context,
            "created_at": moment(status.created),
            "updated_at": moment(status.created),
        }

    def check_run(self, repository: GitHubRepository, commit: str, run: Status) -> Document:
        url = f"{self._api}/repos/{repository.full_name}/check-runs/{run.id}"
        running = run.state in _RUNNING
        state = "queued" if run.state == "pending" else run.state
        return {
            "id": run.id,
            "head_sha": commit,
            "node_id": node_id("CR", run.id),
            "external_id": "",
            "url": url,
            "html_url": f"{repository.url}/runs/{run.id}",
            "details_url": run.target_url,
            "status": state if running else "completed",
            "conclusion": None if running else _CONCLUDED.get(run.state, run.state),
            "started_at": moment(run.created),
            "completed_at": None if running else moment(run.created),
            "output": {
                **dict.fromkeys(("title", "summary", "text")),
                "annotations_count": 0,
                "annotations_url": f"{url}/annotations",
            },
            "name": run.context,
            "check_suite": {"id": run.id},
            "app": None,
            "pull_requests": [],
        }

    def commit(self, repository: GitHubRepository, commit: str) -> Document:
        fields = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"
        text = repository.bare.git("show", "-s", f"--format={fields}", f"{commit}^{{commit}}")
        sha, tree, parents, *people, message = text.split("\0")
        api = f"{self._api}/repos/{repository.full_name}"
        author, committer = (
            {"name": name, "email": mail, "date": moment(datetime.fromisoformat(when))}
            for name, mail, when in (people[:3], people[3:])
        )
        signed = sha in repository.verified
        return {
            "sha": sha,
            "node_id": node_id("C", sha),
            "url": f"{api}/commits/{sha}",
            "html_url": f"{repository.url}/commit/{sha}",
            "comments_url": f"{api}/commits/{sha}/comments",
            "commit": {
                "url": f"{api}/git/commits/{sha}",
                "author": author,
                "committer": committer,
                "message": message.rstrip("\n"),
                "comment_count": 0,
                "tree": {"sha": tree, "url": f"{api}/git/trees/{tree}"},
                "verification": {
                    "verified": signed,
                    "reason": "valid" if signed else "unsigned",
                    **dict.fromkeys(("payload", "signature", "verified_at")),
                },
            },
            "author": self.account(self._host.account_of_mail(people[1])),
            "committer": self.account(self._host.account_of_mail(people[4])),
            "parents": [
                {
                    "sha": parent,
                    "url": f"{api}/commits/{parent}",
                    "html_url": f"{repository.url}/commit/{parent}",
                }
                for parent in parents.split()
            ],
        }

    def ref(self, repository: GitHubRepository, name: str, sha: str, kind: str) -> Document:
        api = f"{self._api}/repos/{repository.full_name}/git"
        return {
            "ref": name,
            "node_id": node_id("REF", f"{repository.id}:{name}"),
            "url": f"{api}/{name}",
            "object": {"type": kind, "sha": sha, "url": f"{api}/{kind}s/{sha}"},
        }

    def release(self, repository: GitHubRepository, release: Release) -> Document:
        url = f"{self._api}/repos/{repository.full_name}/releases/{release.id}"
        return {
            "url": url,
            "html_url": f"{repository.url}/releases/tag/{release.tag}",
            "assets_url": f"{url}/assets",
            "upload_url": f"{url}/assets{{?name,label}}",
            "tarball_url": f"{repository.url}/tarball/{release.tag}",
            "zipball_url": f"{repository.url}/zipball/{release.tag}",
            "id": release.id,
            "node_id": node_id("RE", release.id),
            "tag_name": release.tag,
            "target_commitish": repository.default_branch,
            "name": release.name,
            "body": release.body,
            "draft": release.draft,
            "prerelease": release.prerelease,
            "created_at": moment(release.created),
            "published_at": moment(release.created),
            "author": self.account(release.author),
            "assets": [],
        }

    def installation(self, app: App, owner: Account) -> Document:
        url = f"{self._api}/app/installations/{app.installation}"
        began = moment(self._host.began)
        return {
            "id": app.installation,
            "account": self.account(owner),
            "repository_selection": "all" if app.repositories is None else "selected",
            "access_tokens_url": f"{url}/access_tokens",
            "repositories_url": f"{self._api}/installation/repositories",
            "html_url": f"{self._host.url}/settings/installations/{app.installation}",
            "app_id": app.id,
            "app_slug": app.slug,
            "target_id": owner.id,
            "target_type": "User",
            "permissions": dict(app.permissions),
            "events": [],
            "created_at": began,
            "updated_at": began,
            "single_file_name": None,
            "suspended_by": self.account(owner) if app.suspended else None,
            "suspended_at": began if app.suspended else None,
        }

    def app(self, app: App, owner: Account) -> Document:
        began = moment(self._host.began)
        return {
            "id": app.id,
            "slug": app.slug,
            "node_id": node_id("A", app.id),
            "owner": self.account(owner),
            "name": app.slug,
            "description": None,
            "external_url": self._host.url,
            "html_url": f"{self._host.url}/apps/{app.slug}",
            "created_at": began,
            "updated_at": began,
            "permissions": dict(app.permissions),
            "events": [],
        }

    def content(self, repository: GitHubRepository, path: str, sha: str, data: bytes) -> Document:
        url = f"{self._api}/repos/{repository.full_name}/contents/{path}"
        page = f"{repository.url}/blob/{repository.default_branch}/{path}"
        blob = f"{self._api}/repos/{repository.full_name}/git/blobs/{sha}"
        return {
            "type": "file",
            "encoding": "base64",
            "size": len(data),
            "name": path.rpartition("/")[2],
            "path": path,
            "content": base64.encodebytes(data).decode(),
            "sha": sha,
            "url": url,
            "git_url": blob,
            "html_url": page,
            "download_url": None,
            "_links": {"self": url, "git": blob, "html": page},
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


def permissions_of(role: Role) -> dict[str, bool]:
    """Return what a role may, as repositories and collaborators show it."""
    rank = ROLES.index(role)
    wanted: tuple[tuple[str, Role], ...] = (
        ("admin", "admin"),
        ("maintain", "maintain"),
        ("push", "write"),
        ("triage", "triage"),
        ("pull", "read"),
    )
    return {name: rank >= ROLES.index(least) for name, least in wanted}


def _word(path: str) -> str:
    return path.partition("{")[0]


def _repository_url(api: str, name: str) -> str:
    path = _REPOSITORY_PATHS[name]
    return f"{api}{path}" if path.startswith("/") and path[1] != "{" else f"{api}/{name}{path}"
