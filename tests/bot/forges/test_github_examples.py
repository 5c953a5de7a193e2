"""The answers that GitHub prints in its own documentation, read as what they say.

They hold what no server of ours would think of: accounts and repositories in full, fields of
other products, a branch of a fork, a status and a run without an address.
"""

import json
from typing import Any

import pytest

from bot.forges.answers import Row, read_row, read_rows
from bot.forges.forge import CheckState, State
from bot.forges.github_answers import (
    approvers_of,
    newest_runs,
    read_comment,
    read_issue,
    read_proposal,
    read_status,
)
from tests.servers.openapi import published_example

pytestmark = pytest.mark.servers
REPOSITORY = "/repos/{owner}/{repo}"


def rows(operation: str) -> list[Row]:
    """Return the objects of a printed list."""
    return read_rows(json.dumps(printed(operation)), place=operation)


def printed(operation: str, status: int = 200) -> Any:
    """Return a printed answer."""
    method, _, path = operation.partition(" ")
    return published_example(f"{method} {REPOSITORY}{path}", status)


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ("GET /pulls/{pull_number}", 200),
        ("POST /pulls", 201),
        ("PATCH /pulls/{pull_number}", 200),
    ],
)
def test_a_pull_request(operation: str, status: int) -> None:
    row = read_row(json.dumps(printed(operation, status)), place=operation)
    found = read_proposal(row, path="octocat/Hello-World", login="OctoCat")
    assert found.number == 1347
    assert found.branch == "new-topic"
    assert found.base == "master"
    assert len(found.head) == 40
    assert found.ours
    assert found.own_repository
    assert found.labels == ("bug",)
    assert found.state is State.MERGED  # the documentation prints a moment of merging


@pytest.mark.parametrize("operation", ["GET /pulls", "GET /commits/{commit_sha}/pulls"])
def test_listed_pull_requests(operation: str) -> None:
    (row,) = rows(operation)
    found = read_proposal(row, path="octocat/Hello-World", login="somebody")
    assert (found.number, found.branch, found.ours) == (1347, "new-topic", False)
    assert found.url == "https://github.com/octocat/Hello-World/pull/1347"


@pytest.mark.parametrize(
    "operation", ["GET /issues/comments", "GET /issues/{issue_number}/comments"]
)
def test_comments(operation: str) -> None:
    (found,) = [read_comment(row, login="octocat") for row in rows(operation)]
    assert (found.id, found.number, found.body) == ("1", 1347, "Me too")
    assert found.ours
    assert not found.edited


def test_issues() -> None:
    (found,) = [read_issue(row, login="octocat") for row in rows("GET /issues")]
    assert (found.number, found.title, found.open) == (1347, "Found a bug", True)


def test_statuses() -> None:
    (found,) = [read_status(row) for row in rows("GET /commits/{ref}/statuses")]
    assert (found.name, found.state) == ("continuous-integration/jenkins", CheckState.PASSED)


def test_check_runs() -> None:
    answer = read_row(json.dumps(printed("GET /commits/{ref}/check-runs")), place="runs")
    (found,) = newest_runs(answer.rows("check_runs"))
    assert (found.name, found.state) == ("mighty_readme", CheckState.PASSED)


def test_reviews() -> None:
    reviews = rows("GET /pulls/{pull_number}/reviews")
    head = reviews[0].text("commit_id")
    assert approvers_of(reviews, head=head) == ("octocat",)
    assert approvers_of(reviews, head="0" * 40) == ()
