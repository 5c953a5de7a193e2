"""What a refusal of GitHub means: the kind of error, the place and the way out."""

import json
from collections.abc import Mapping

import pytest

from bot.config.secret_refs import Secret
from bot.errors import AccessError, ConflictError, ProductError, RefusedError, UnavailableError
from bot.forges.answers import read_row
from bot.forges.forge import AlreadyOpenError, HeadMovedError, NotFoundError
from bot.forges.github_faults import fault_of, graphql_fault, is_limit
from bot.forges.sync_door import Reply

WHERE = "github.com/o/n (GET pulls)"


def reply(
    status: int, message: str = "", *, headers: Mapping[str, str] | None = None, **more: object
) -> Reply:
    body = json.dumps({"message": message, **more})
    return Reply(status=status, headers=headers or {}, text=body)


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (reply(401, "Bad credentials"), AccessError, "does not take the token: Bad credentials"),
        (reply(404, "Not Found"), NotFoundError, "not found, or no permission to see it"),
        (reply(301), AccessError, "the repository has moved"),
        (reply(307, "Moved Permanently"), AccessError, "the repository has moved"),
        (reply(409, "Conflict"), ConflictError, "refuses for now"),
        (reply(410, "Issues are disabled for this repo"), AccessError, "Turn on what is missing"),
        (reply(422, "Validation Failed"), RefusedError, "refuses it: Validation Failed"),
        (reply(405, "Pull Request is not mergeable"), RefusedError, "is not mergeable"),
        (reply(418), UnavailableError, "is not understood: status 418"),
        (
            reply(403, "Repository was archived so is read-only."),
            AccessError,
            "Unarchive the repository",
        ),
        (
            reply(403, "GitHub Actions is not permitted to create or approve pull requests."),
            AccessError,
            'Turn on "Allow GitHub Actions to create and approve pull requests"',
        ),
        (
            reply(403, "Forbidden", headers={"x-github-sso": "required; url=https://x.test"}),
            AccessError,
            "single sign-on",
        ),
        (
            reply(
                403,
                "Resource not accessible by personal access token",
                headers={"x-accepted-github-permissions": "pull_requests=write"},
            ),
            AccessError,
            "Let the token have pull requests: write",
        ),
    ],
)
def test_each_status_has_its_kind_and_its_way_out(
    answer: Reply, kind: type[ProductError], says: str
) -> None:
    fault = fault_of(answer, where=WHERE)

    assert type(fault) is kind or (kind is UnavailableError and isinstance(fault, kind))
    assert says in str(fault)
    assert fault.where == WHERE
    assert fault.hint


def test_a_second_pull_request_of_a_branch_is_told_apart() -> None:
    errors = [{"resource": "PullRequest", "code": "custom", "message": "A pull request already "
               "exists for o:pilotfish/web."}]  # fmt: skip

    fault = fault_of(reply(422, "Validation Failed", errors=errors), where=WHERE)

    assert isinstance(fault, AlreadyOpenError)


def test_details_of_a_refusal_are_shown() -> None:
    errors = [{"resource": "PullRequest", "field": "head", "code": "invalid"}, "too bad"]

    fault = fault_of(reply(422, "Validation Failed", errors=errors), where=WHERE)

    assert "Validation Failed: head invalid: too bad" in fault.what


def test_what_the_server_says_is_short_clean_and_holds_no_secret() -> None:
    Secret("c4n4ry-c4n4ry")
    said = "c4n4ry-c4n4ry \x1b[31m\u202e" + "x" * 1000

    fault = fault_of(reply(422, said), where=WHERE)

    assert "c4n4ry" not in str(fault)
    assert "\x1b" not in str(fault)
    assert "\u202e" not in str(fault)
    assert len(fault.what) < 400


@pytest.mark.parametrize("text", ["", "<html>", "[]", "null", '{"errors": 3}', '{"message": null}'])
def test_any_body_can_be_refused_with(text: str) -> None:
    assert fault_of(Reply(status=422, headers={}, text=text), where=WHERE).what


@pytest.mark.parametrize(
    ("answer", "limited"),
    [
        (reply(429), True),
        (reply(403, "API rate limit exceeded for user ID 1."), True),
        (reply(403, "You have exceeded a secondary rate limit."), True),
        (reply(403, "no", headers={"retry-after": "60"}), True),
        (reply(403, "Resource not accessible by integration"), False),
        (reply(200, errors=[{"type": "RATE_LIMITED", "message": "no"}]), True),
        (reply(200, errors=[{"type": "RATE_LIMIT", "message": "no"}]), True),
        (reply(200, errors=[{"message": "You have exceeded a secondary rate limit."}]), True),
        (reply(200, errors=[{"type": "NOT_FOUND", "message": '"RATE_LIMITED"'}]), False),
        (reply(200, title='"RATE_LIMITED"'), False),
    ],
)
def test_limits_are_told_from_refusals(answer: Reply, limited: bool) -> None:
    assert is_limit(answer) is limited


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        ("NOT_FOUND", "Could not resolve to a node", NotFoundError),
        ("FORBIDDEN", "Resource not accessible by integration", AccessError),
        ("STALE_DATA", "Expected branch to point to", HeadMovedError),
        ("UNPROCESSABLE", "Head branch was modified. Review and try again.", HeadMovedError),
        ("UNPROCESSABLE", "Pull request is in clean status", RefusedError),
        (None, "Field 'x' doesn't exist on type 'y'", RefusedError),
    ],
)
def test_graphql_refuses_in_words(
    kind: str | None, message: str, expected: type[ProductError]
) -> None:
    row = read_row(json.dumps({"type": kind, "message": message}), place=WHERE)

    assert isinstance(graphql_fault([row], where=WHERE), expected)
