"""What the test GitLab keeps: people, tokens, merge requests, notes, statuses, rules.

The shapes follow GitLab's REST API v4 as its documentation shows it. Left out, because nothing
here reads it: milestones, assignees' history, discussions, time tracking, merge trains, epics.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

GUEST, REPORTER, DEVELOPER, MAINTAINER = 10, 20, 30, 40
LEVEL_NAMES = {
    0: "No one",
    DEVELOPER: "Developers + Maintainers",
    MAINTAINER: "Maintainers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An account; `token` may do what the account may, by default with the scope `api`."""

    id: int
    username: str
    token: str
    bot: bool = False

    @property
    def mail(self) -> str:
        return f"{self.username}@example.test"


@dataclass(slots=True, kw_only=True)
class Grant:
    """What a token opens. `kind`: personal, project, oauth or job; a job's has its project."""

    person: Person
    kind: str
    scopes: tuple[str, ...] = ("api",)
    revoked: bool = False
    project: str = ""
    expires: str | None = None


@dataclass(slots=True, kw_only=True)
class Note:
    """A comment; `system` ones tell what happened."""

    id: int
    body: str
    person: Person
    created: datetime
    updated: datetime
    system: bool = False
    edited_by: Person | None = None
    awards: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class AutoMerge:
    """What is to be merged once it may: exactly this head, in this person's name.

    `train`: not before the merge train arrived.
    """

    person: Person
    sha: str
    squash: bool
    message: str | None = None
    squash_message: str | None = None
    train: bool = False


@dataclass(slots=True, kw_only=True)
class MergeRequest:
    """One merge request. `base_seen` is where its target stood when it was last looked at."""

    id: int
    iid: int
    author: Person
    source: str
    target: str
    title: str
    description: str
    created: datetime
    updated: datetime
    sha: str
    base_seen: str
    source_project_id: int
    labels: list[str] = field(default_factory=list)
    reviewers: list[Person] = field(default_factory=list)
    assignees: list[Person] = field(default_factory=list)
    state: str = "opened"
    merged: datetime | None = None
    closed: datetime | None = None
    merged_by: Person | None = None
    closed_by: Person | None = None
    merge_commit: str | None = None
    squash_commit: str | None = None
    squash: bool = False
    remove_source: bool = False
    auto: AutoMerge | None = None
    approvals: list[Person] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    unchecked_reads: int = 0
    unlisted: int = 0

    @property
    def draft(self) -> bool:
        return self.title.lower().startswith(("draft:", "[draft]", "(draft)"))


@dataclass(slots=True, kw_only=True)
class Issue:
    """One issue; its number is counted apart from those of merge requests."""

    id: int
    iid: int
    author: Person
    title: str
    description: str
    created: datetime
    updated: datetime
    labels: list[str] = field(default_factory=list)
    state: str = "opened"
    notes: list[Note] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class CommitStatus:
    """One status on one commit."""

    id: int
    sha: str
    name: str
    state: str
    person: Person
    created: datetime
    description: str | None = None
    target_url: str | None = None
    allow_failure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """Who may push to and merge into the branches of a pattern."""

    pattern: str
    push_level: int = MAINTAINER
    merge_level: int = MAINTAINER
    allow_force_push: bool = False


@dataclass(slots=True, kw_only=True)
class Settings:
    """What a project demands. Without `premium` the paid rules answer as if they were not there."""

    private: bool = True
    archived: bool = False
    merge_method: str = "merge"
    squash_option: str = "default_off"
    needs_pipeline: bool = False
    approvals_required: int = 0
    resets_approvals: bool = True
    rejects_unsigned: bool = False
    premium: bool = True
    merge_trains: bool = False
    merge_requests: bool = True
    issues: bool = True
    read_rules_level: int = DEVELOPER


def stamp(moment: datetime | None) -> str | None:
    """Return a moment as GitLab writes it."""
    if moment is None:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def person_json(person: Person | None, url: str) -> dict[str, Any] | None:
    if person is None:
        return None
    return {
        "id": person.id,
        "username": person.username,
        "public_email": None,
        "name": person.username,
        "state": "active",
        "locked": False,
        "avatar_url": None,
        "web_url": f"{url}/{person.username}",
    }


def note_json(note: Note, url: str, *, kind: str, of: int, project_id: int) -> dict[str, Any]:
    return {
        "id": note.id,
        "type": None,
        "body": note.body,
        "author": person_json(note.person, url),
        "created_at": stamp(note.created),
        "updated_at": stamp(note.updated),
        "system": note.system,
        "noteable_id": of,
        "noteable_type": kind,
        "project_id": project_id,
        "noteable_iid": of,
        "resolvable": False,
        "confidential": False,
        "internal": False,
        "imported": False,
        "imported_from": "none",
        "commands_changes": {},
    }


def status_json(status: CommitStatus, url: str) -> dict[str, Any]:
    done = status.state not in {"pending", "running"}
    return {
        "id": status.id,
        "sha": status.sha,
        "ref": None,
        "status": status.state,
        "name": status.name,
        "target_url": status.target_url,
        "description": status.description,
        "created_at": stamp(status.created),
        "started_at": None,
        "finished_at": stamp(status.created) if done else None,
        "allow_failure": status.allow_failure,
        "coverage": None,
        "pipeline_id": 1,
        "author": person_json(status.person, url),
    }


def protection_json(number: int, protection: Protection) -> dict[str, Any]:
    def levels(level: int) -> list[dict[str, Any]]:
        described = LEVEL_NAMES.get(level, str(level))
        return [
            {
                "id": number,
                "access_level": level,
                "access_level_description": described,
                "deploy_key_id": None,
                "user_id": None,
                "group_id": None,
            }
        ]

    return {
        "id": number,
        "name": protection.pattern,
        "push_access_levels": levels(protection.push_level),
        "merge_access_levels": levels(protection.merge_level),
        "allow_force_push": protection.allow_force_push,
        "unprotect_access_levels": [],
        "code_owner_approval_required": False,
        "inherited": False,
    }
