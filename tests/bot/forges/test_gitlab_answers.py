"""GitLab's objects in our words: what is read from any answer, and texts that order nothing."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.forges.answers import NotUnderstoodError, Row, read_row
from bot.forges.forge import Links, State
from bot.forges.gitlab_answers import (
    access_level,
    bare_title,
    covers,
    guarded,
    let_in,
    read_checks,
    read_comment,
    read_issue,
    read_proposal,
    required_approvals,
    unguarded,
)

LINKS = Links(web="https://gitlab.test/fleet/web", style="gitlab")
ORDER = re.compile(r"^/[A-Za-z_]+(\s|$)", re.MULTILINE)
# As the documentation of the merge requests API shows one; what is never read is left out.
MERGE_REQUEST: dict[str, Any] = {
    "id": 1,
    "iid": 7,
    "project_id": 3,
    "title": "Draft: web 1.1.0",
    "description": "Updates web.\n\\/close",
    "state": "merged",
    "created_at": "2017-04-29T08:46:00Z",
    "updated_at": "2017-04-29T08:46:00Z",
    "merged_at": "2018-09-07T11:16:17.520Z",
    "closed_at": None,
    "target_branch": "main",
    "source_branch": "pilotfish/web",
    "author": {"id": 11, "username": "fleet-bot", "state": "active"},
    "source_project_id": 3,
    "target_project_id": 3,
    "labels": ["images", "minor"],
    "draft": True,
    "merge_when_pipeline_succeeds": False,
    "sha": "8" * 40,
    "merge_commit_sha": None,
    "squash_commit_sha": None,
}
NOTE: dict[str, Any] = {
    "id": 302,
    "body": "\\/hold web",
    "author": {"id": 1, "username": "pipin"},
    "created_at": "2013-10-02T09:22:45.100Z",
    "updated_at": "2013-10-02T09:22:45.900Z",
    "system": False,
}


def row(found: dict[str, Any]) -> Row:
    return read_row(json.dumps(found), place="gitlab.test")


def test_a_merge_request_is_read() -> None:
    found = read_proposal(row(MERGE_REQUEST), me=11, links=LINKS)

    assert found.url == "https://gitlab.test/fleet/web/-/merge_requests/7"
    assert (found.state, found.merge_commit) == (State.MERGED, "8" * 40)
    assert (found.title, found.draft, found.body) == ("web 1.1.0", True, "Updates web.\n/close")
    assert (found.ours, found.own_repository) == (True, True)
    assert found.closed is not None
    assert found.closed.year == 2018


@pytest.mark.parametrize(
    ("change", "commit"),
    [
        ({"merge_commit_sha": "a" * 40, "squash_commit_sha": "b" * 40}, "a" * 40),
        ({"squash_commit_sha": "b" * 40}, "b" * 40),
        ({}, "8" * 40),
        ({"state": "closed", "merge_commit_sha": "a" * 40}, ""),
    ],
)
def test_the_commit_of_a_merge_is_the_one_on_the_base(change: dict[str, Any], commit: str) -> None:
    found = read_proposal(row({**MERGE_REQUEST, **change}), me=11, links=LINKS)

    assert found.merge_commit == commit


def test_the_body_of_another_is_read_as_it_stands() -> None:
    found = read_proposal(row(MERGE_REQUEST), me=12, links=LINKS)

    assert (found.ours, found.body) == (False, "Updates web.\n\\/close")


@given(
    name=st.sampled_from(sorted(MERGE_REQUEST)),
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.lists(st.integers() | st.text(max_size=2), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
def test_any_other_value_is_read_by_type_or_not_at_all(name: str, value: object) -> None:
    try:
        found = read_proposal(row({**MERGE_REQUEST, name: value}), me=11, links=LINKS)
    except NotUnderstoodError:
        return
    assert isinstance(found.number, int)
    assert all(isinstance(one, str) for one in (found.title, found.body, found.head))


@pytest.mark.parametrize(("seconds", "edited"), [("45.900", False), ("46.101", True)])
def test_a_note_is_edited_when_its_stamps_lie_apart(seconds: str, edited: bool) -> None:
    stamp = f"2013-10-02T09:22:{seconds}Z"

    found = read_comment(row({**NOTE, "updated_at": stamp}), number=7, me=11)

    assert (found.id, found.number, found.edited) == ("302", 7, edited)
    assert found.body == "\\/hold web"


def test_an_issue_has_a_negative_number() -> None:
    issue = {"iid": 4, "title": "Images", "description": None, "state": "opened"}

    found = read_issue(row({**issue, "author": {"id": 11}}), me=11, links=LINKS)

    assert (found.number, found.url) == (-4, "https://gitlab.test/fleet/web/-/issues/4")
    assert (found.body, found.ours, found.open) == ("", True, True)


TEXTS = st.text() | st.lists(
    st.sampled_from(
        ["/close", "\\/close", "\\\\/label ~x", " /merge", "\r/close", "```", "text", "/usr/bin"]
    )
).map("\n".join)


@given(TEXTS)
def test_a_guarded_text_orders_nothing_and_comes_back(text: str) -> None:
    assert not ORDER.search(guarded(text).replace("\r", ""))
    assert unguarded(guarded(text)) == text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize(
    ("title", "bare"),
    [
        ("Draft: web", "web"),
        ("[Draft] web", "web"),
        ("(draft) web", "web"),
        ("Drafty web", "Drafty web"),
    ],
)
def test_a_draft_is_known_by_its_title(title: str, bare: str) -> None:
    assert bare_title(title) == bare


@pytest.mark.parametrize(
    ("pattern", "branch", "means"),
    [
        ("main", "main", True),
        ("main", "maintenance", False),
        ("pilotfish/*", "pilotfish/main/web", True),
        ("*", "main", True),
        ("release-[1]", "release-1", False),
        ("release-?", "release-1", False),
    ],
)
def test_only_a_star_stands_for_anything(pattern: str, branch: str, means: bool) -> None:
    assert covers(pattern, branch) == means


@pytest.mark.parametrize(
    ("levels", "allowed"),
    [
        ([{"access_level": 30}], True),
        ([{"access_level": 40}], False),
        ([{"access_level": 0}], False),
        ([{"access_level": 40}, {"access_level": 30}], True),
        ([{"access_level": 40, "user_id": 11}], True),
        ([{"access_level": 30, "user_id": 12}], False),
        ([{"access_level": 30, "group_id": 5}], False),
        ([{"access_level": None, "deploy_key_id": 5}], False),
        ([], False),
    ],
)
def test_one_entry_is_enough_to_be_let_in(levels: list[dict[str, Any]], allowed: bool) -> None:
    assert let_in([row(one) for one in levels], 30, me=11) == allowed


def test_our_level_is_the_higher_of_project_and_group() -> None:
    rights = {"project_access": {"access_level": 30}, "group_access": {"access_level": 40}}
    nothing = {"project_access": None, "group_access": None}

    assert access_level(row({"permissions": rights})) == 40
    assert access_level(row({"permissions": nothing})) == 0


def test_the_strictest_rule_for_the_branch_counts() -> None:
    rules = [
        {"approvals_required": 1, "protected_branches": []},
        {"approvals_required": 2, "protected_branches": [{"name": "main"}]},
        {"approvals_required": 5, "protected_branches": [{"name": "release-*"}]},
    ]

    assert required_approvals([row(one) for one in rules], "main") == 2
    assert required_approvals([], "main") == 0


def test_the_newest_status_of_each_name_counts() -> None:
    def status(number: int, word: str) -> Row:
        fields = {"id": number, "name": "ci", "status": word, "allow_failure": False}
        return row({**fields, "target_url": None})

    (check,) = read_checks([status(5, "success"), status(9, "failed"), status(7, "running")])

    assert check.state.value == "failed"
