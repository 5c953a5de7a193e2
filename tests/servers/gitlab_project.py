"""One project of the test GitLab: what its rules say of the bare repository as it is now.

Nothing of Git is remembered that the repository can tell: each question first looks whether
branches moved, as GitLab does after a push. A merge request whose source branch is deleted stays
open, as there; one whose head came into its target by a push is merged.
"""

import contextlib
import fnmatch
import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.servers.gitlab_state import (
    DEVELOPER,
    AutoMerge,
    CommitStatus,
    Issue,
    MergeRequest,
    Note,
    Person,
    Protection,
    Settings,
    person_json,
    stamp,
)
from tests.servers.remote import Remote

_HARD = {"not_open", "conflict", "need_rebase", "commits_status"}
_ACTION = re.compile(
    r"^/(?P<name>approve|close|reopen|merge|rebase|title|label|draft|ready|target_branch)\b"
    r"[ ]?(?P<rest>[^\n]*)\n?",
    re.MULTILINE | re.IGNORECASE,
)
# Looks at each push. The file `pusher` holds the level of who pushes, `protected` one line
# "level pattern" for each rule.
_HOOK = """\
case "$1" in refs/heads/*) ;; *) exit 0 ;; esac
read -r mine < pusher
while read -r level pattern; do
  case "$1" in refs/heads/$pattern)
    if [ "$mine" -lt "$level" ] || [ "$level" -eq 0 ]; then
      echo "GitLab: You are not allowed to push code to protected branches on this project." >&2
      exit 1
    fi ;;
  esac
done < protected
if [ -e signed-only ] && [ "$3" != 0000000000000000000000000000000000000000 ]; then
  git cat-file commit "$3" | grep -q '^gpgsig' || {
    echo "GitLab: Commit must be signed with a GPG key" >&2
    exit 1
  }
fi
exit 0
"""


class Refusal(Exception):
    """What GitLab answers instead: a status and a JSON body."""

    def __init__(self, status: int, message: object, *, key: str = "message") -> None:
        super().__init__(message)
        self.status = status
        self.body = {key: message}


class Project:
    """Merge requests, issues and rules of one repository."""

    def __init__(
        self, number: int, path: str, remote: Remote, url: str, now: Callable[[], datetime]
    ) -> None:
        self.id = number
        self.path = path
        self.remote = remote
        self.url = url
        self.settings = Settings()
        self.members: dict[str, int] = {}
        self.merge_requests: list[MergeRequest] = []
        self.issues: list[Issue] = []
        self.labels: list[str] = []
        self.releases: list[dict[str, Any]] = []
        self.statuses: list[CommitStatus] = []
        self.pipelines_started: list[str] = []
        self.default_branch = "main"
        self.list_lag = 0  # how many listings a new merge request is missing from
        self.protections: list[Protection] = []
        self._now = now
        self._ancestors: dict[tuple[str, str], bool] = {}
        self._trees: dict[tuple[str, str], str | None] = {}
        self._last_id = number * 1000
        self.protect()
        remote.hook("update", _HOOK)

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def protect(self, *protections: Protection) -> None:
        """Protect these patterns beside what is protected; without any, nothing changes."""
        named = {each.pattern for each in protections}
        self.protections = [each for each in self.protections if each.pattern not in named]
        self.protections += protections
        lines = "".join(f"{each.push_level} {each.pattern}\n" for each in self.protections)
        (self.remote.folder / "protected").write_text(lines, encoding="utf-8")

    def reject_unsigned(self) -> None:
        self.settings.rejects_unsigned = True
        Path(self.remote.folder, "signed-only").touch()

    def level(self, person: Person) -> int:
        return self.members.get(person.username, 0)

    def protection(self, branch: str) -> Protection | None:
        fitting = (e for e in self.protections if fnmatch.fnmatchcase(branch, e.pattern))
        return next(fitting, None)

    def may_push(self, person: Person, branch: str) -> bool:
        rule = self.protection(branch)
        wanted = rule.push_level if rule else DEVELOPER
        return bool(wanted) and self.level(person) >= wanted

    def may_merge(self, person: Person, branch: str) -> bool:
        rule = self.protection(branch)
        wanted = rule.merge_level if rule else DEVELOPER
        return self.level(person) >= max(wanted, DEVELOPER)

    def heads(self) -> dict[str, str]:
        """Return the commit of each branch, read from the files themselves: many ask for it."""
        folder = self.remote.folder
        found = {}
        with contextlib.suppress(FileNotFoundError):
            for line in (folder / "packed-refs").read_text("utf-8").splitlines():
                commit, _, name = line.partition(" ")
                if name.startswith("refs/heads/"):
                    found[name.removeprefix("refs/heads/")] = commit
        top = folder / "refs" / "heads"
        for path in top.rglob("*"):
            if path.is_file() and path.suffix != ".lock":
                found[path.relative_to(top).as_posix()] = path.read_text("utf-8").strip()
        return found

    def let_push(self, person: Person) -> None:
        """Tell the hook who pushes next."""
        rank = self.remote.folder / "pusher"
        rank.write_text(f"{self.level(person)}\n", encoding="utf-8")

    def refresh(self) -> None:
        """Look at the branches and let what follows from them happen."""
        heads = self.heads()
        for request in self.merge_requests:
            if request.state == "opened":
                self._follow(request, heads)
                self._merge_when_due(request)

    def merge_request(self, iid: int) -> MergeRequest:
        for request in self.merge_requests:
            if request.iid == iid:
                return request
        raise Refusal(404, "404 Not found")

    def issue(self, iid: int) -> Issue:
        for issue in self.issues:
            if issue.iid == iid:
                return issue
        raise Refusal(404, "404 Not found")

    def pipeline(self, commit: str) -> str | None:
        """Return what the statuses on a commit come to, None where it has none."""
        states = [each for each in self.newest_statuses(commit) if not each.allow_failure]
        if not states:
            return None
        for state in ("failed", "canceled", "running", "pending"):
            if any(each.state == state for each in states):
                return state
        return "success"

    def newest_statuses(self, commit: str) -> list[CommitStatus]:
        newest: dict[str, CommitStatus] = {}
        for status in self.statuses:
            if status.sha == commit:
                newest[status.name] = status
        return sorted(newest.values(), key=lambda each: each.id)

    def mergeability(self, request: MergeRequest) -> str:
        """Return GitLab's `detailed_merge_status`."""
        if request.state != "opened":
            return "not_open"
        heads = self.heads()
        head, base = request.sha, heads.get(request.target)
        if request.source not in heads or base is None:
            return "commits_status"
        if self.contains(base, head):
            return "commits_status"
        if request.unchecked_reads > 0:
            return "checking"
        if self.merged_tree(base, head) is None:
            return "conflict"
        if self.settings.merge_method != "merge" and not self.contains(head, base):
            return "need_rebase"
        if request.draft:
            return "draft_status"
        return self._demands(request)

    def _demands(self, request: MergeRequest) -> str:
        pipeline = self.pipeline(request.sha)
        if self.settings.needs_pipeline and pipeline != "success":
            return "ci_still_running" if pipeline in {"pending", "running"} else "ci_must_pass"
        if self.settings.premium and len(request.approvals) < self.settings.approvals_required:
            return "not_approved"
        return "mergeable"

    def accept(
        self,
        request: MergeRequest,
        person: Person,
        *,
        sha: str | None = None,
        auto: bool = False,
        squash: bool = False,
        message: str | None = None,
        squash_message: str | None = None,
    ) -> None:
        """Merge, or remember to merge, as `PUT …/merge` does."""
        if not self.may_merge(person, request.target):
            raise Refusal(401, "401 Unauthorized")
        if sha and sha != request.sha:
            raise Refusal(409, f"SHA does not match HEAD of source branch: {request.sha}")
        squash = squash or request.squash or self.settings.squash_option == "always"
        wanted = AutoMerge(
            person=person,
            sha=request.sha,
            squash=squash,
            message=message,
            squash_message=squash_message,
        )
        state = self.mergeability(request)
        running = self.pipeline(request.sha) in {"pending", "running"}
        if auto and state not in _HARD and (state != "mergeable" or running):
            request.auto = wanted
            request.updated = self._now()
        elif state == "mergeable":
            self._merge(request, wanted)
        else:
            raise Refusal(405, "405 Method Not Allowed")

    def board(
        self, request: MergeRequest, person: Person, *, sha: str | None, later: bool, squash: bool
    ) -> None:
        """Put a merge request on the merge train, or remember to (`later`)."""
        if not self.settings.merge_trains:
            raise Refusal(403, "403 Forbidden")
        if not self.may_merge(person, request.target):
            raise Refusal(401, "401 Unauthorized")
        if sha and sha != request.sha:
            raise Refusal(409, f"SHA does not match HEAD of source branch: {request.sha}")
        state = self.mergeability(request)
        running = self.pipeline(request.sha) in {"pending", "running"}
        ready = state == "mergeable" and not running
        if request.auto is not None or state in _HARD or later is ready:
            raise Refusal(400, "400 Bad request - Failed to merge")
        squash = squash or request.squash or self.settings.squash_option == "always"
        request.auto = AutoMerge(person=person, sha=request.sha, squash=squash, train=True)
        request.updated = self._now()

    def contains(self, commit: str, other: str) -> bool:
        """Return whether `other` is `commit` or an ancestor of it."""
        known = self._ancestors.get((commit, other))
        if known is None:
            try:
                self.remote.git("merge-base", "--is-ancestor", other, commit)
            except RuntimeError:
                known = False
            else:
                known = True
            self._ancestors[commit, other] = known
        return known

    def merged_tree(self, base: str, head: str) -> str | None:
        """Return the tree of a merge, None where it conflicts."""
        if (base, head) not in self._trees:
            try:
                tree = self.remote.git("merge-tree", "--write-tree", base, head).split()[0]
            except RuntimeError:
                tree = None
            self._trees[base, head] = tree
        return self._trees[base, head]

    def obey(self, text: str, person: Person, request: MergeRequest | None) -> str:
        """Do the quick actions in a text, as GitLab does, and return what is left of it."""
        fenced: list[str] = []

        def hide(found: re.Match[str]) -> str:
            fenced.append(found[0])
            return f"\x00{len(fenced) - 1}\x00"

        def act(found: re.Match[str]) -> str:
            if request is not None:
                self._act(found["name"].lower(), found["rest"].strip(), person, request)
            return ""

        text = text.replace("\r", "")
        hidden = re.sub(r"^```.*?^```$", hide, text, flags=re.MULTILINE | re.DOTALL)
        left = _ACTION.sub(act, hidden).rstrip()
        return re.sub("\x00(\\d+)\x00", lambda found: fenced[int(found[1])], left)

    def _act(self, name: str, rest: str, person: Person, request: MergeRequest) -> None:
        if self.level(person) < DEVELOPER:
            return
        if name == "close":
            self.set_state(request, "closed", person)
        elif name == "reopen":
            self.set_state(request, "opened", person)
        elif name == "approve":
            self.approve(request, person)
        elif name == "title" and rest:
            request.title = rest
        elif name == "target_branch" and rest:
            request.target = rest
        elif name == "label":
            request.labels += re.findall(r'~"?([\w:-]+)"?', rest)
        elif name == "draft":
            request.title = f"Draft: {request.title}"
        elif name == "merge":
            self.accept(request, person, auto=True)

    def approve(self, request: MergeRequest, person: Person) -> None:
        if person not in request.approvals:
            request.approvals.append(person)

    def set_state(self, request: MergeRequest, state: str, person: Person) -> None:
        request.state = state
        request.closed = self._now() if state == "closed" else None
        request.closed_by = person if state == "closed" else None
        request.auto = None
        request.updated = self._now()
        self.say(request, state, person)

    def say(self, request: MergeRequest, text: str, person: Person) -> None:
        """Leave a system note."""
        now = self._now()
        request.notes.append(
            Note(id=self.next_id(), body=text, person=person, created=now, updated=now, system=True)
        )

    def _follow(self, request: MergeRequest, heads: dict[str, str]) -> None:
        head, base = heads.get(request.source), heads.get(request.target)
        newest = head or request.sha
        if base and base != request.base_seen:
            for commit in (newest, request.sha):
                if self.contains(base, commit) and not self.contains(request.base_seen, commit):
                    request.sha = commit
                    self._mark_merged(request, None)
                    return
            request.base_seen = base
        if head and head != request.sha:
            request.sha = head
            request.auto = None
            request.updated = self._now()
            if self.settings.resets_approvals:
                request.approvals.clear()
            self.say(request, "added 1 commit", request.author)
            self.remote.git("update-ref", f"refs/merge-requests/{request.iid}/head", request.sha)

    def _merge_when_due(self, request: MergeRequest) -> None:
        due = request.auto
        if due is None or due.train or self.pipeline(request.sha) in {"pending", "running"}:
            return
        if due.sha == request.sha and self.mergeability(request) == "mergeable":
            self._merge(request, due)

    def _merge(self, request: MergeRequest, how: AutoMerge) -> None:
        base = self.remote.head(request.target)
        tree = self.merged_tree(base, request.sha)
        assert tree is not None
        said = how.message or (
            f"Merge branch '{request.source}' into '{request.target}'\n\n{request.title}\n\n"
            f"See merge request {self.path}!{request.iid}"
        )
        tip = request.sha
        author = (how.person.username, how.person.mail)
        fast = self.settings.merge_method == "ff"
        if how.squash:
            below = base if fast else self.remote.git("merge-base", base, tip).strip()
            own = tree if fast else self.remote.git("rev-parse", f"{tip}^{{tree}}").strip()
            squashed = how.squash_message or request.title
            tip = self.remote._record("gitlab-scratch", own, [below], squashed, author=author)
            self.remote.delete_branch("gitlab-scratch")
            request.squash_commit = tip
        if fast:
            self.remote.git("update-ref", f"refs/heads/{request.target}", tip, base)
        else:
            request.merge_commit = self.remote._record(
                request.target, tree, [base, tip], said, author=author
            )
        self._mark_merged(request, how.person)
        if request.remove_source:
            self.remote.delete_branch(request.source)

    def _mark_merged(self, request: MergeRequest, person: Person | None) -> None:
        request.state = "merged"
        request.merged = request.updated = self._now()
        request.merged_by = person
        request.auto = None
        self.say(request, "merged", person or request.author)

    def merge_request_json(self, request: MergeRequest) -> dict[str, Any]:
        state = self.mergeability(request)
        request.unchecked_reads = max(0, request.unchecked_reads - 1)
        simple = {"checking": "checking", "conflict": "cannot_be_merged"}
        place = f"{self.url}/{self.path}/-/merge_requests/{request.iid}"
        merger = person_json(request.merged_by, self.url)
        assignees = [person_json(each, self.url) for each in request.assignees]
        auto_by = person_json(request.auto.person, self.url) if request.auto else None
        return {
            "id": request.id,
            "iid": request.iid,
            "project_id": self.id,
            "title": request.title,
            "description": request.description,
            "state": request.state,
            "created_at": stamp(request.created),
            "updated_at": stamp(request.updated),
            "merged_by": merger,
            "merge_user": merger or auto_by,
            "merged_at": stamp(request.merged),
            "closed_by": person_json(request.closed_by, self.url),
            "closed_at": stamp(request.closed),
            "target_branch": request.target,
            "source_branch": request.source,
            "user_notes_count": sum(not each.system for each in request.notes),
            "upvotes": 0,
            "downvotes": 0,
            "author": person_json(request.author, self.url),
            "assignees": assignees,
            "assignee": assignees[0] if assignees else None,
            "reviewers": [person_json(each, self.url) for each in request.reviewers],
            "source_project_id": request.source_project_id,
            "target_project_id": self.id,
            "labels": sorted(request.labels),
            "draft": request.draft,
            "imported": False,
            "imported_from": "none",
            "work_in_progress": request.draft,
            "milestone": None,
            "merge_when_pipeline_succeeds": request.auto is not None,
            "merge_status": simple.get(state, "can_be_merged"),
            "detailed_merge_status": state,
            "merge_after": None,
            "sha": request.sha,
            "merge_commit_sha": request.merge_commit,
            "squash_commit_sha": request.squash_commit,
            "discussion_locked": None,
            "should_remove_source_branch": None,
            "force_remove_source_branch": request.remove_source,
            "prepared_at": stamp(request.created),
            "reference": f"!{request.iid}",
            "references": {
                "short": f"!{request.iid}",
                "relative": f"!{request.iid}",
                "full": f"{self.path}!{request.iid}",
            },
            "web_url": place,
            "time_stats": {
                "time_estimate": 0,
                "total_time_spent": 0,
                "human_time_estimate": None,
                "human_total_time_spent": None,
            },
            "squash": request.squash,
            "squash_on_merge": request.squash or self.settings.squash_option == "always",
            "task_completion_status": {"count": 0, "completed_count": 0},
            "has_conflicts": state == "conflict",
            "blocking_discussions_resolved": True,
            "approvals_before_merge": None,
        }

    def json(self, person: Person) -> dict[str, Any]:
        """Return the project as this person sees it."""
        settings = self.settings
        level = self.level(person)
        group, _, name = self.path.rpartition("/")
        whole: dict[str, Any] = json.loads(_PROJECT)
        return whole | {
            "id": self.id,
            "name": name,
            "path": name,
            "path_with_namespace": self.path,
            "name_with_namespace": self.path.replace("/", " / "),
            "default_branch": self.default_branch,
            "visibility": "private" if settings.private else "public",
            "web_url": f"{self.url}/{self.path}",
            "http_url_to_repo": f"{self.url}/{self.path}.git",
            "namespace": {"id": 7, "path": group, "full_path": group, "kind": "group"},
            "archived": settings.archived,
            "merge_method": settings.merge_method,
            "squash_option": settings.squash_option,
            "only_allow_merge_if_pipeline_succeeds": settings.needs_pipeline,
            "merge_requests_enabled": settings.merge_requests,
            "merge_requests_access_level": "enabled" if settings.merge_requests else "disabled",
            "issues_enabled": settings.issues,
            "issues_access_level": "enabled" if settings.issues else "disabled",
            "merge_trains_enabled": settings.merge_trains,
            "permissions": {
                "project_access": {"access_level": level, "notification_level": 3}
                if level
                else None,
                "group_access": None,
            },
        }


_PROJECT = """{
  "description": null, "topics": [], "forks_count": 0, "star_count": 0,
  "created_at": "2026-01-02T03:04:05.000Z", "last_activity_at": "2026-01-02T03:04:05.000Z",
  "empty_repo": false, "snippets_enabled": false, "builds_access_level": "enabled",
  "repository_access_level": "enabled", "jobs_enabled": true, "wiki_enabled": false,
  "shared_runners_enabled": true, "lfs_enabled": false, "creator_id": 1,
  "forked_from_project": null, "import_status": "none", "ci_default_git_depth": 20,
  "ci_job_token_scope_enabled": false,
  "public_jobs": true, "shared_with_groups": [], "allow_merge_on_skipped_pipeline": false,
  "only_allow_merge_if_all_discussions_are_resolved": false, "request_access_enabled": true,
  "remove_source_branch_after_merge": true, "printing_merge_request_link_enabled": true,
  "suggestion_commit_message": null, "merge_commit_template": null, "squash_commit_template": null,
  "autoclose_referenced_issues": true, "merge_pipelines_enabled": false
}"""
