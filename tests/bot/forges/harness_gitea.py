"""The contract suite's harness for a real Gitea: our account administers a repository of another.

The writer and we are collaborators, the reader and the outsider are not: on Gitea everybody who
sees a repository may comment. Persons act over Gitea's API with tokens of their own.
"""

import base64
import http.client
import json
import ssl
import time
import weakref
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from bot.clock import SystemClock
from bot.config.secret_refs import Secret
from bot.forges.forge import CheckState, Forge
from bot.forges.gitea import GiteaAuth, GiteaForge, open_gitea
from bot.http_client.client import HttpClient
from bot.http_client.exchange import Access
from tests.bot.forges.harness import START_FILES, Who
from tests.servers.gitea import Account, Gitea, GiteaRefused

_STATES = {
    CheckState.PENDING: "pending",
    CheckState.PASSED: "success",
    CheckState.FAILED: "failure",
}
_people: "weakref.WeakKeyDictionary[Gitea, dict[str, Account]]" = weakref.WeakKeyDictionary()


def people_of(gitea: Gitea) -> dict[str, Account]:
    """Return the four accounts of a server; making one takes Gitea half a second."""
    if gitea not in _people:
        names = ("pilotfish-bot", "wanda", "rita", "otto")
        _people[gitea] = {name: gitea.create_user(name) for name in names}
    return _people[gitea]


class GiteaFace:
    """One repository as persons see it."""

    def __init__(self, gitea: Gitea, name: str, people: Mapping[str, Account]) -> None:
        self.gitea = gitea
        self.made = gitea.create_repository(name, dict(START_FILES))
        self.path = self.made.full_name
        self._people = people
        for login, permission in (("pilotfish-bot", "admin"), ("wanda", "write")):
            self.api("PUT", f"/collaborators/{login}", {"permission": permission})

    def api(
        self, method: str, path: str, fields: Mapping[str, Any] | None = None, *, by: str = ""
    ) -> Any:
        """Call the API below the repository, as the owner or as a person."""
        if not by:
            return self.gitea.api(method, f"/repos/{self.path}{path}", fields)
        context = ssl.create_default_context(cafile=self.gitea.ca_file)
        connection = http.client.HTTPSConnection(self.gitea.host, timeout=30, context=context)
        headers = {
            "Authorization": f"token {self._people[by].token}",
            "Content-Type": "application/json",
        }
        try:
            connection.request(
                method,
                f"/api/v1/repos/{self.path}{path}",
                body=json.dumps(fields) if fields is not None else None,
                headers=headers,
            )
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise GiteaRefused(f"{method} {path}: {response.status} {content[:500]!r}")
        return json.loads(content) if content else None

    def head(self, branch: str) -> str:
        return self.made.branches().get(branch, "")

    def parents(self, commit: str) -> tuple[str, ...]:
        found = self.api("GET", f"/git/commits/{commit}?stat=false&files=false")
        return tuple(one["sha"] for one in found["parents"])

    def message(self, commit: str) -> str:
        found = self.api("GET", f"/git/commits/{commit}?stat=false&files=false")
        return str(found["commit"]["message"]).rstrip("\n")

    def files(self, commit: str) -> dict[str, bytes]:
        tree = self.api("GET", f"/git/trees/{commit}?recursive=true")
        return {
            one["path"]: base64.b64decode(self.api("GET", f"/git/blobs/{one['sha']}")["content"])
            for one in tree["tree"]
            if one["type"] == "blob"
        }

    def commit(
        self, branch: str, files: Mapping[str, bytes], *, message: str = "Change", start: str = ""
    ) -> str:
        if start and not self.head(branch):
            self.api("POST", "/branches", {"new_branch_name": branch, "old_ref_name": start})
        made = self.made.commit_files(dict(files), message, branch=branch)
        return self._told(branch, made)

    def commit_executable(self, path: str, text: bytes) -> str:
        """Commit to main a file that may be run, by a patch: contents have no mode there."""
        lines = text.decode().splitlines()
        patch = [
            f"diff --git a/{path} b/{path}",
            "new file mode 100755",
            "--- /dev/null",
            f"+++ b/{path}",
            f"@@ -0,0 +1,{len(lines)} @@",
            *(f"+{line}" for line in lines),
            "",
        ]
        fields = {"branch": "main", "message": "Add", "content": "\n".join(patch)}
        return str(self.api("POST", "/diffpatch", fields)["commit"]["sha"])

    def _told(self, branch: str, commit: str) -> str:
        """Wait until open proposals of the branch show its commit in listings as well."""
        for _ in range(1_000):
            found = self.api("GET", "/pulls?state=open&limit=50")
            heads = [one["head"]["sha"] for one in found if one["head"]["label"] == branch]
            if all(head == commit for head in heads):
                return commit
            time.sleep(0.01)
        raise AssertionError("the proposal never showed its new head")

    def delete_branch(self, branch: str) -> None:
        self.made.delete_branch(branch)

    def close(self, number: int) -> None:
        self.api("PATCH", f"/pulls/{number}", {"state": "closed"}, by="wanda")

    def reopen(self, number: int) -> None:
        self.api("PATCH", f"/pulls/{number}", {"state": "open"}, by="wanda")

    def merge(self, number: int, *, squash: bool = False) -> str:
        found = self._looked_at(number)
        wish = {"Do": "squash" if squash else "merge", "delete_branch_after_merge": False}
        self.api("POST", f"/pulls/{number}/merge", wish, by="wanda")
        return self.head(found["base"]["ref"])

    def _looked_at(self, number: int) -> Any:
        for _ in range(1_000):
            found = self.api("GET", f"/pulls/{number}")
            if found["mergeable"]:  # Gitea finds out by itself, a moment later
                return found
            time.sleep(0.01)
        raise AssertionError("the proposal never became mergeable")

    def comment(self, number: int, body: str, *, by: Who = "writer") -> str:
        login = {"writer": "wanda", "reader": "rita", "outsider": "otto"}[by]
        found = self.api("POST", f"/issues/{number}/comments", {"body": body}, by=login)
        return str(found["id"])

    def edit_comment(self, number: int, comment_id: str, body: str) -> None:
        before = self.api("GET", f"/issues/comments/{comment_id}")
        made = datetime.fromisoformat(before["created_at"])
        while datetime.now(UTC).replace(microsecond=0) <= made:  # Gitea counts whole seconds
            time.sleep(0.02)
        self.api("PATCH", f"/issues/comments/{comment_id}", {"body": body}, by="wanda")

    def edit_body(self, number: int, body: str) -> None:
        self.api("PATCH", f"/pulls/{number}", {"body": body}, by="wanda")

    def label(self, number: int, labels: Sequence[str]) -> None:
        known = {one["name"]: one["id"] for one in self.api("GET", "/labels?limit=50")}
        for name in labels:
            if name not in known:
                fields = {"name": name, "color": "#00aabb"}
                known[name] = self.api("POST", "/labels", fields)["id"]
        wish = {"labels": [known[name] for name in labels]}
        self.api("POST", f"/issues/{number}/labels", wish)

    def unlabel(self, number: int, label: str) -> None:
        known = {one["name"]: one["id"] for one in self.api("GET", "/labels?limit=50")}
        self.api("DELETE", f"/issues/{number}/labels/{known[label]}")

    def people_on(self, number: int) -> tuple[set[str], set[str]]:
        found = self.api("GET", f"/pulls/{number}")
        asked, assigned = found["requested_reviewers"] or [], found["assignees"] or []
        return {one["login"] for one in asked}, {one["login"] for one in assigned}

    def open(self, branch: str, base: str, title: str, body: str = "") -> int:
        fields = {"head": branch, "base": base, "title": title, "body": body}
        return int(self.api("POST", "/pulls", fields, by="wanda")["number"])

    def open_issue(self, title: str, body: str = "") -> int:
        fields = {"title": title, "body": body}
        return int(self.api("POST", "/issues", fields, by="wanda")["number"])

    def approve(self, number: int) -> None:
        fields = {"event": "APPROVED", "body": "Looks right."}
        self.api("POST", f"/pulls/{number}/reviews", fields, by="wanda")

    def set_check(self, commit: str, name: str, state: CheckState) -> None:
        fields = {"context": name, "state": _STATES[state], "description": "said by CI"}
        self.api("POST", f"/statuses/{commit}", fields)

    def protect(
        self,
        branch: str,
        *,
        checks: Sequence[str] = (),
        approvals: int = 0,
        signatures: bool = False,
        up_to_date: bool = False,
    ) -> None:
        fields = {
            "rule_name": branch,
            "enable_push": True,
            "enable_status_check": bool(checks),
            "status_check_contexts": list(checks),
            "required_approvals": approvals,
            "require_signed_commits": signatures,
            "block_on_outdated_branch": up_to_date,
        }
        self.api("POST", "/branch_protections", fields)

    def status_of(self, commit: str, name: str) -> tuple[CheckState, str] | None:
        words = {word: state for state, word in _STATES.items()}
        for one in self.api("GET", f"/commits/{commit}/status")["statuses"] or []:
            if one["context"] == name:
                return words[one["status"]], str(one["description"])
        return None

    def reactions(self, number: int, comment_id: str) -> list[str]:
        found = self.api("GET", f"/issues/comments/{comment_id}/reactions") or []
        return [str(one["content"]) for one in found]


class GiteaUnderTest:
    """Ours on one repository of a real Gitea."""

    kind = "gitea"
    bot, writer, reader, outsider = "pilotfish-bot", "wanda", "rita", "otto"

    def __init__(self, gitea: Gitea, name: str, http_client: HttpClient) -> None:
        people = people_of(gitea)
        self._gitea = gitea
        self._http = http_client
        self.clock = SystemClock()
        self.repository = GiteaFace(gitea, name, people)
        self.repository_path = self.repository.path
        self.token = people["pilotfish-bot"].token
        self.forge: Forge = self.open(self.repository.path, self.token)

    def open(self, path: str, token: str) -> GiteaForge:
        access = Access(ca=str(self._gitea.ca_file))
        auth = GiteaAuth(token=Secret(token))
        return open_gitea(self._http, self._gitea.url, path, auth=auth, access=access)

    def token_of(self, login: str) -> str:
        return people_of(self._gitea)[login].token

    def narrow_token(self, *scopes: str) -> str:
        """Return a token of our account that may do only this."""
        return self._gitea.make_token(self.bot, scopes)

    def forge_with(self, token: str) -> Forge:
        return self.open(self.repository.path, token)

    def forge_at(self, path: str) -> Forge:
        return self.open(path, self.token)


@asynccontextmanager
async def open_under_test(
    fixture: Callable[[str], Any], name: str
) -> AsyncIterator[GiteaUnderTest]:
    """Give ours on a new repository."""
    gitea = fixture("gitea")
    async with HttpClient(clock=SystemClock()) as http_client:
        yield GiteaUnderTest(gitea, name, http_client)
