"""Accounts, Apps and repositories as GitHub's REST API shows them; the ground of other documents.

Documents belong to one host, since every one is full of that host's addresses.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.servers.github_state import ROLES, node_id

if TYPE_CHECKING:
    from tests.servers.github import GitHub
    from tests.servers.github_repository import GitHubRepository
    from tests.servers.github_state import Account, App, Role

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


def moment(when: datetime | None) -> str | None:
    """Write a time as GitHub does: UTC, whole seconds."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if when else None


class PlaceDocuments:
    """Documents of who and where."""

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
