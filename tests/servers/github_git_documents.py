"""Commits, refs, statuses, releases and files as GitHub's REST API shows them."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING

from tests.servers.github_place_documents import Document, PlaceDocuments, moment
from tests.servers.github_state import node_id

if TYPE_CHECKING:
    from tests.servers.github_repository import GitHubRepository
    from tests.servers.github_state import Release, Status

_CONCLUDED = {"error": "failure"}
_RUNNING = frozenset({"pending", "queued", "in_progress"})


class GitDocuments(PlaceDocuments):
    """Documents of what is in a repository."""

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
            "check_suite": {"id": run.suite},
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
