"""The part of GitHub's GraphQL that has no equal in REST: signed commits and auto-merge."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.servers import github_merging as merging
from tests.servers.github_state import AutoMerge, Protection, Pull, node_id
from tests.servers.graphql_query import BadQuery, Field, pick, read

if TYPE_CHECKING:
    from tests.servers.github import GitHub
    from tests.servers.github_repository import GitHubRepository
    from tests.servers.github_state import Account, Token

_METHODS = {"MERGE": "merge", "SQUASH": "squash", "REBASE": "rebase"}
_Input = dict[str, Any]


class GraphqlError(Exception):
    """One error of an answer; the HTTP status stays 200."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def answer(host: GitHub, token: Token, body: dict[str, Any]) -> dict[str, Any]:
    """Carry out one document and return the answer's body."""
    asking = _Asking(host, token)
    try:
        query = read(str(body.get("query", "")), body.get("variables") or {})
    except BadQuery as error:
        return {"errors": [{"message": str(error)}]}
    table = asking.mutations if query.kind == "mutation" else asking.queries
    found: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []
    for field in query.fields:
        try:
            found[field.alias] = _resolve(table, field)
        except GraphqlError as error:
            found[field.alias] = None
            errors.append({"type": error.kind, "path": [field.alias], "message": str(error)})
        except BadQuery as error:
            return {"errors": [{"message": str(error), "path": [query.kind, field.alias]}]}
    return {"data": found, "errors": errors} if errors else {"data": found}


def mutations_in(body: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the mutations that a document asks for."""
    try:
        query = read(str(body.get("query", "")), body.get("variables") or {})
    except BadQuery:
        return ()
    return tuple(field.name for field in query.fields) if query.kind == "mutation" else ()


def _resolve(table: dict[str, Callable[..., Any]], field: Field) -> Any:
    verb = table.get(field.name)
    if verb is None:
        raise BadQuery(f"Field '{field.name}' doesn't exist")
    try:
        document = verb(**field.arguments)
    except TypeError:
        raise BadQuery(f"Field '{field.name}' has other arguments") from None
    return pick(document, field.fields, field.name)


class _Asking:
    """One request of one token."""

    def __init__(self, host: GitHub, token: Token) -> None:
        self._host, self._token = host, token
        self.queries: dict[str, Callable[..., Any]] = {
            "viewer": self._viewer,
            "repository": self._repository,
            "node": self._node,
        }
        self.mutations: dict[str, Callable[..., Any]] = {
            "createCommitOnBranch": self._commit,
            "enablePullRequestAutoMerge": self._enable,
            "disablePullRequestAutoMerge": self._disable,
            "enqueuePullRequest": self._enqueue,
            "dequeuePullRequest": self._dequeue,
        }

    @property
    def _account(self) -> Account:
        return self._token.account

    def _viewer(self) -> dict[str, Any]:
        account = self._account
        kind = "BOT" if account.bot else "U"
        return {"login": account.login, "id": node_id(kind, account.id), "databaseId": account.id}

    def _repository(self, *, owner: str, name: str) -> dict[str, Any]:
        found = self._see(f"{owner}/{name}")
        settings = found.settings

        def pull_request(*, number: int) -> dict[str, Any]:
            pull = found.issues.get(number)
            if not isinstance(pull, Pull):
                said = f"Could not resolve to a PullRequest with the number of {number}."
                raise GraphqlError("NOT_FOUND", said)
            return _pull(pull)

        def ref(*, qualifiedName: str) -> dict[str, Any] | None:  # noqa: N803 - GitHub's name
            name = qualifiedName.removeprefix("refs/heads/")
            if found.branch(name) is None:
                return None
            return {"name": name, "refUpdateRule": _rule(found.protections.get(name))}

        return {
            "id": node_id("R", found.id),
            "nameWithOwner": found.full_name,
            "autoMergeAllowed": settings.allow_auto_merge,
            "mergeCommitAllowed": settings.allow_merge_commit,
            "squashMergeAllowed": settings.allow_squash_merge,
            "rebaseMergeAllowed": settings.allow_rebase_merge,
            "viewerPermission": found.role_of(self._account).upper(),
            "pullRequest": pull_request,
            "ref": ref,
        }

    def _node(self, *, id: str) -> dict[str, Any]:  # noqa: A002 - GitHub's name
        return _pull(self._pull(id, "read"))

    def _see(self, full_name: str) -> GitHubRepository:
        found = self._host.find_repository(full_name)
        if found is None or not self._token.sees(full_name) or not found.may(self._account, "read"):
            said = f"Could not resolve to a Repository with the name '{full_name}'."
            raise GraphqlError("NOT_FOUND", said)
        return found

    def _check(self, repository: GitHubRepository, permission: str) -> None:
        if not repository.may(self._account, "write") or not self._token.may(permission, "write"):
            word = "personal access token" if not self._account.bot else "integration"
            raise GraphqlError("FORBIDDEN", f"Resource not accessible by {word}")

    def _pull(self, wanted: str, level: str = "write") -> Pull:
        for repository in self._host.repositories.values():
            for pull in repository.pulls():
                if pull.node_id == wanted and self._token.sees(repository.full_name):
                    if level == "write":
                        self._check(repository, "pull_requests")
                    return pull
        said = f"Could not resolve to a node with the global id of '{wanted}'"
        raise GraphqlError("NOT_FOUND", said)

    def _enqueue(self, *, input: _Input) -> dict[str, Any]:  # noqa: A002 - GitHub's name
        pull = self._pull(str(input.get("pullRequestId")))
        repository = pull.repository
        self._check(repository, "contents")
        wanted = input.get("expectedHeadOid")
        if wanted is not None and wanted != pull.head:
            said = "Head branch was modified. Review and try the merge again."
            raise GraphqlError("UNPROCESSABLE", said)
        said = merging.obstacle(repository, pull) or ""
        if not repository.demand(pull.base_branch).queue or said or not pull.open or pull.draft:
            raise GraphqlError("UNPROCESSABLE", said or "Pull request cannot be queued")
        pull.queued, pull.updated = self._account, self._host.now()
        return {"mergeQueueEntry": None, "clientMutationId": None}

    def _dequeue(self, *, input: _Input) -> dict[str, Any]:  # noqa: A002 - GitHub's name
        pull = self._pull(str(input.get("id")))
        self._check(pull.repository, "contents")
        if pull.queued is None:
            raise GraphqlError("UNPROCESSABLE", "Pull request is not in the merge queue")
        pull.queued, pull.updated = None, self._host.now()
        return {"mergeQueueEntry": None, "clientMutationId": None}

    def _enable(self, *, input: _Input) -> dict[str, Any]:  # noqa: A002 - GitHub's name
        pull = self._pull(str(input.get("pullRequestId")))
        repository = pull.repository
        self._check(repository, "contents")
        wanted = input.get("expectedHeadOid")
        method = _METHODS.get(input.get("mergeMethod") or "MERGE")
        if method is None:
            raise GraphqlError("UNPROCESSABLE", "mergeMethod is not one of the three")
        if wanted is not None and wanted != pull.head:
            said = "Head branch was modified. Review and try the merge again."
            raise GraphqlError("UNPROCESSABLE", said)
        obstacle = _no_auto_merge(repository, pull, method)
        if obstacle:
            raise GraphqlError("UNPROCESSABLE", obstacle)
        pull.auto_merge = AutoMerge(
            by=self._account,
            method=method,
            title=input.get("commitHeadline") or "",
            message=input.get("commitBody") or "",
        )
        pull.updated = self._host.now()
        return {"pullRequest": _pull(pull), "actor": self._viewer(), "clientMutationId": None}

    def _disable(self, *, input: _Input) -> dict[str, Any]:  # noqa: A002 - GitHub's name
        pull = self._pull(str(input.get("pullRequestId")))
        if pull.auto_merge is None:
            said = "Can't disable auto-merge for this pull request"
            raise GraphqlError("UNPROCESSABLE", said)
        pull.auto_merge, pull.updated = None, self._host.now()
        return {"pullRequest": _pull(pull), "actor": self._viewer(), "clientMutationId": None}

    def _commit(self, *, input: _Input) -> dict[str, Any]:  # noqa: A002 - GitHub's name
        branch = input.get("branch") or {}
        repository = self._see(str(branch.get("repositoryNameWithOwner")))
        self._check(repository, "contents")
        name = str(branch.get("branchName")).removeprefix("refs/heads/")
        head = repository.branch(name)
        if head is None:
            raise GraphqlError("NOT_FOUND", f'No such branch "{name}"')
        wanted = input.get("expectedHeadOid")
        if wanted != head:
            said = f'Expected branch to point to "{wanted}" but it did not. Pull and try again.'
            raise GraphqlError("STALE_DATA", said)
        rules = {rule for rule, _ in repository.rules_of(name)}
        if name in repository.protections or rules & {"pull_request", "update"}:
            raise GraphqlError("UNPROCESSABLE", "Changes must be made through a pull request.")
        made = _write(repository, head, input, by=self._account)
        repository.bare.git("update-ref", f"refs/heads/{name}", made, head)
        repository.settle()
        url = f"{repository.url}/commit/{made}"
        commit = {
            "oid": made,
            "id": node_id("C", made),
            "url": url,
            "signature": {"isValid": True},
        }
        ref = {"name": name, "target": {"oid": made}}
        return {"commit": commit, "ref": ref, "clientMutationId": input.get("clientMutationId")}


def _no_auto_merge(repository: GitHubRepository, pull: Pull, method: str) -> str | None:
    if not repository.settings.allow_auto_merge:
        return "Auto merge is not allowed for this repository"
    if not pull.open:
        return "Pull request is closed" if pull.merged is None else "Pull request is merged"
    allowed = repository.demand(pull.base_branch).methods or repository.settings.methods()
    if method not in allowed or method not in repository.settings.methods():
        word = {"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}
        return f"{word[method]} are not allowed on this repository"
    if pull.draft:
        return "Pull request is a draft"
    demand, said = repository.demand(pull.base_branch), merging.obstacle(repository, pull)
    if not demand or said is None:
        return f"Pull request is in {merging.state_of(repository, pull)} status"
    return None


def _write(repository: GitHubRepository, head: str, input_: _Input, *, by: Account) -> str:
    changes = input_.get("fileChanges") or {}
    files: dict[str, bytes | None] = {}
    for row in changes.get("additions") or []:
        try:
            files[str(row["path"])] = base64.b64decode(row["contents"], validate=True)
        except (binascii.Error, ValueError):
            said = f"contents of {row['path']} is not in Base64"
            raise GraphqlError("UNPROCESSABLE", said) from None
    for row in changes.get("deletions") or []:
        files[str(row["path"])] = None
    if not files:
        raise GraphqlError("UNPROCESSABLE", "A commit without changes cannot be made")
    message = input_.get("message") or {}
    text = f"{message.get('headline', '')}\n\n{message.get('body') or ''}".rstrip()
    listing = repository.bare.git("ls-tree", "-z", head, *files).split("\0")
    rows = [row.partition("\t") for row in listing if row]
    runs = [path for about, _, path in rows if about.startswith("100755")]  # modes stay
    tree = repository.bare.write_tree(files, parent=head, executable=runs)
    return merging.write_commit(repository, tree, [head], text, by=by)


def _rule(protection: Protection | None) -> dict[str, Any] | None:
    """Return what of classic protection everybody who may push is told."""
    if protection is None:
        return None
    return {
        "pattern": "",
        "requiredApprovingReviewCount": protection.approvals or None,
        "requiredStatusCheckContexts": list(protection.checks),
        "requiresLinearHistory": protection.linear,
        "requiresSignatures": protection.signatures,
        "viewerCanPush": not protection.refuse_pushes,
    }


def _pull(pull: Pull) -> dict[str, Any]:
    repository, asked = pull.repository, pull.auto_merge
    state = "MERGED" if pull.merged else "OPEN" if pull.open else "CLOSED"
    merges = pull.open and merging.mergeable(repository, pull)
    return {
        "id": pull.node_id,
        "databaseId": pull.id,
        "number": pull.number,
        "title": pull.title,
        "body": pull.body,
        "url": f"{repository.url}/pull/{pull.number}",
        "state": state,
        "merged": pull.merged is not None,
        "isDraft": pull.draft,
        "headRefName": pull.branch,
        "headRefOid": pull.head,
        "baseRefName": pull.base_branch,
        "baseRefOid": pull.base,
        "author": {"login": pull.author.login.removesuffix("[bot]")},
        "mergeable": "MERGEABLE" if merges else "CONFLICTING" if pull.open else "UNKNOWN",
        "mergeStateStatus": merging.state_of(repository, pull).upper() if pull.open else "UNKNOWN",
        "mergeCommit": {"oid": pull.merge_commit} if pull.merge_commit else None,
        "isInMergeQueue": pull.queued is not None,
        "autoMergeRequest": {
            "mergeMethod": asked.method.upper(),
            "enabledBy": {"login": asked.by.login},
        }
        if asked
        else None,
    }
