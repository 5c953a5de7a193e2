"""The test GitHub's tokens, GraphQL, faults and record of writes; and how it is held to account."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import github as library
import pytest
import requests
from github import GithubException

from tests.bot.forges.github_clients import Fleet, client
from tests.servers import openapi
from tests.servers.github import TABLE, GitHub
from tests.servers.github_faults import cut_after
from tests.servers.github_state import Protection
from tests.servers.missing import Missing

_MAY = {"contents": "write", "pull_requests": "write", "issues": "write", "statuses": "write"}
_ENABLE = "enablePullRequestAutoMerge"


@pytest.fixture
def fleet(github: GitHub) -> Fleet:
    return Fleet(github)


def _refused(call: Any, *arguments: Any, **more: Any) -> tuple[int, str]:
    with pytest.raises(GithubException) as refusal:
        call(*arguments, **more)
    return refusal.value.status, refusal.value.data["message"]


def _mutate(fleet: Fleet, name: str, output: str, **given: Any) -> dict[str, Any]:
    """Send one mutation and return the whole answer."""
    kind = name[0].upper() + name[1:]
    text = f"mutation M($input: {kind}Input!) {{ {name}(input: $input) {{ {output} }} }}"
    answer = requests.post(
        f"{fleet.host.url}/api/graphql",
        json={"query": text, "variables": {"input": given}},
        headers={"Authorization": f"Bearer {fleet.robot.token}"},
        timeout=10,
    )
    found = answer.json()
    assert isinstance(found, dict)
    return found


# -- tokens


def test_a_revoked_token_is_nobody(fleet: Fleet, github: GitHub) -> None:
    github.tokens[fleet.robot.token].revoked = True

    assert _refused(fleet.api.get_branch, "main") == (401, "Bad credentials")


def test_what_a_token_may_not_see_is_not_there(fleet: Fleet, github: GitHub) -> None:
    other = github.make_token(fleet.robot, permissions=_MAY, repositories=["fleet/other"])

    assert _refused(fleet.as_seen_by(other.value).get_branch, "main")[0] == 404


def test_a_fine_grained_token_lacks_what_it_was_not_given(fleet: Fleet, github: GitHub) -> None:
    fleet.push()
    token = github.make_token(fleet.robot, permissions={"contents": "write"})
    seen = fleet.as_seen_by(token.value)

    refused = _refused(seen.create_pull, base="main", head="update", title="Update")

    assert refused == (403, "Resource not accessible by personal access token")
    assert seen.get_branch("main").name == "main"


def test_a_workflow_opens_pull_requests_where_that_is_allowed(fleet: Fleet, github: GitHub) -> None:
    fleet.push()
    seen = fleet.as_seen_by(github.make_actions_token(fleet.here).value)

    refused = _refused(seen.create_pull, base="main", head="update", title="Update")
    fleet.here.settings.actions_may_open = True
    made = seen.create_pull(base="main", head="update", title="Update")

    said = "GitHub Actions is not permitted to create or approve pull requests."
    assert refused == (403, said)
    assert made.user.login == "github-actions[bot]"


def test_a_workflow_does_not_learn_who_it_is(fleet: Fleet, github: GitHub) -> None:
    token = github.make_actions_token(fleet.here)

    with pytest.raises(GithubException) as refusal:
        _ = client(github, token.value).get_user().login

    assert refusal.value.status == 403


def test_an_app_gets_a_narrow_token_that_ends(fleet: Fleet, github: GitHub) -> None:
    github.create_repository("other", {"a": "b"})
    app = github.create_app(permissions={**_MAY, "checks": "read"})
    auth = library.Auth.AppAuth(app.id, app.private_key)
    asking = library.GithubIntegration(base_url=github.api_url, auth=auth)

    installation = asking.get_repo_installation("fleet", "apps")
    _, found = asking.requester.requestJsonAndCheck(
        "POST",
        f"/app/installations/{installation.id}/access_tokens",
        input={"repositories": ["apps"], "permissions": {"contents": "read"}},
        headers={"Authorization": f"Bearer {auth.create_jwt()}"},
    )
    seen = fleet.as_seen_by(found["token"])

    assert seen.get_branch("main").name == "main"
    assert _refused(seen.create_issue, "Title")[0] == 403
    token = github.tokens[found["token"]]
    assert token.permissions == {"contents": "read"}
    assert token.repositories == frozenset({"fleet/apps"})
    github.advance(timedelta(hours=1).total_seconds())
    assert _refused(seen.get_branch, "main")[0] == 401


def test_an_app_with_another_key_is_nobody(fleet: Fleet, github: GitHub) -> None:
    mine, theirs = (github.create_app(name, permissions=_MAY) for name in ("a", "b"))
    auth = library.Auth.AppAuth(mine.id, theirs.private_key)
    asking = library.GithubIntegration(base_url=github.api_url, auth=auth)

    assert _refused(asking.get_repo_installation, "fleet", "apps")[0] == 401


def test_an_app_acts_as_a_bot(fleet: Fleet, github: GitHub) -> None:
    fleet.push()
    app = github.create_app("updates", permissions=_MAY)
    auth = library.Auth.AppAuth(app.id, app.private_key).get_installation_auth(app.installation)
    seen: Any = client(github, auth).get_repo("fleet/apps")

    made = seen.create_pull(base="main", head="update", title="Update")

    assert (made.user.login, made.user.type) == ("updates[bot]", "Bot")


def test_requests_are_counted_down(fleet: Fleet, github: GitHub) -> None:
    github.limit = 2
    fleet.api.get_branch("main")
    fleet.api.get_branch("main")

    with pytest.raises(GithubException) as refusal:
        fleet.api.get_branch("main")

    assert refusal.value.status == 403
    github.advance(3600)
    assert fleet.api.get_branch("main").name == "main"


# -- GraphQL


def test_a_commit_of_the_api_is_real_and_signed(fleet: Fleet) -> None:
    head = fleet.here.bare.head()
    fleet.here.reset_branch("update", head)
    more = {
        "branch": {"repositoryNameWithOwner": "fleet/apps", "branchName": "update"},
        "message": {"headline": "Update app", "body": "Why: 1"},
        "fileChanges": {
            "additions": [{"path": "app.yaml", "contents": base64.b64encode(b"new\n").decode()}]
        },
    }

    done = _mutate(fleet, "createCommitOnBranch", "commit { oid }", expectedHeadOid=head, **more)
    late = _mutate(fleet, "createCommitOnBranch", "commit { oid }", expectedHeadOid=head, **more)

    made = done["data"]["createCommitOnBranch"]["commit"]["oid"]
    assert fleet.here.branch("update") == made
    assert fleet.here.bare.files("update") == {"app.yaml": b"new\n", "README.md": b"Read me.\n"}
    assert fleet.here.bare.log("update")[0].message.strip() == "Update app\n\nWhy: 1"
    assert fleet.api.get_commit(made).commit.verification.verified
    assert late["errors"][0]["type"] == "STALE_DATA"


def test_auto_merge_waits_for_what_is_required(fleet: Fleet) -> None:
    fleet.here.settings.allow_auto_merge = True
    fleet.here.protect("main", Protection(checks=("ci",)))
    made = fleet.open()
    asked = {
        "pullRequestId": made.node_id,
        "mergeMethod": "SQUASH",
        "expectedHeadOid": made.head.sha,
    }

    done = _mutate(fleet, _ENABLE, "pullRequest { number state }", **asked)
    waiting = fleet.api.get_pull(1).raw_data
    fleet.here.set_status(made.head.sha, "ci", "success")

    assert done == {"data": {_ENABLE: {"pullRequest": {"number": 1, "state": "OPEN"}}}}
    assert (waiting["merged"], waiting["auto_merge"]["merge_method"]) == (False, "squash")
    assert fleet.api.get_pull(1).merged
    assert fleet.here.bare.log()[0].subject == "Update app to 1.1 (#1)"


def test_auto_merge_can_be_taken_back(fleet: Fleet) -> None:
    fleet.here.settings.allow_auto_merge = True
    fleet.here.protect("main", Protection(checks=("ci",)))
    made = fleet.open()
    _mutate(fleet, _ENABLE, "clientMutationId", pullRequestId=made.node_id)

    _mutate(fleet, "disablePullRequestAutoMerge", "clientMutationId", pullRequestId=made.node_id)
    fleet.here.set_status(made.head.sha, "ci", "success")

    assert not fleet.api.get_pull(1).merged


@pytest.mark.parametrize(
    ("allowed", "protected", "head", "said"),
    [
        (False, True, None, "Auto merge is not allowed for this repository"),
        (True, False, None, "Pull request is in clean status"),
        (True, True, "0" * 40, "Head branch was modified. Review and try the merge again."),
    ],
)
def test_auto_merge_is_refused(
    fleet: Fleet, *, allowed: bool, protected: bool, head: str | None, said: str
) -> None:
    fleet.here.settings.allow_auto_merge = allowed
    if protected:
        fleet.here.protect("main", Protection(checks=("ci",)))
    made = fleet.open()

    found = _mutate(
        fleet, _ENABLE, "clientMutationId", pullRequestId=made.node_id, expectedHeadOid=head
    )

    assert [each["message"] for each in found["errors"]] == [said]
    assert fleet.here.pull(1).auto_merge is None


def test_a_field_that_is_not_there_is_an_error(fleet: Fleet) -> None:
    fleet.here.settings.allow_auto_merge = True
    fleet.here.protect("main", Protection(checks=("ci",)))
    made = fleet.open()

    found = _mutate(fleet, _ENABLE, "pullRequest { nothing }", pullRequestId=made.node_id)

    assert found["errors"][0]["message"] == "Field 'nothing' doesn't exist on type 'pullRequest'"


# -- what goes wrong


def test_an_answer_is_lost_after_the_deed(fleet: Fleet, github: GitHub) -> None:
    fleet.push()
    github.faults.drop_answer("POST", "/pulls$")

    with pytest.raises(requests.exceptions.RequestException):
        fleet.api.create_pull(base="main", head="update", title="Update")

    assert fleet.here.pull(1).open


def test_a_request_is_lost_before_the_deed(fleet: Fleet, github: GitHub) -> None:
    fleet.push()
    github.faults.drop_request("POST", "/pulls$")

    with pytest.raises(requests.exceptions.RequestException):
        fleet.api.create_pull(base="main", head="update", title="Update")

    assert fleet.here.issues == {}


@pytest.mark.parametrize(("moment", "made"), [("before", 0), ("after", 1)])
def test_a_failure_comes_before_or_after_the_deed(
    fleet: Fleet, github: GitHub, moment: Any, made: int
) -> None:
    fleet.push()
    github.faults.fail(502, "POST", "/pulls$", moment=moment)

    assert _refused(fleet.api.create_pull, base="main", head="update", title="U")[0] == 502
    assert len(fleet.here.issues) == made


def test_a_new_pull_request_is_late_in_listings(fleet: Fleet, github: GitHub) -> None:
    github.faults.listings_behind = 2
    fleet.open()

    seen = [len(list(fleet.api.get_pulls(state="all"))) for _ in range(3)]

    assert seen == [0, 0, 1]
    assert fleet.api.get_pull(1).number == 1


def test_limits_are_played(fleet: Fleet, github: GitHub) -> None:
    github.faults.exhaust(reset_in_s=-5)
    github.faults.tire(status=429, retry_after="7")
    github.faults.tire()
    found = []
    for _ in range(3):
        with pytest.raises(GithubException) as refusal:
            fleet.api.get_branch("main")
        found.append((refusal.value.status, refusal.value.headers or {}))

    assert [status for status, _ in found] == [403, 429, 403]
    assert found[0][1]["x-ratelimit-remaining"] == "0"
    assert int(found[0][1]["x-ratelimit-reset"]) < time.time()
    assert found[1][1]["retry-after"] == "7"
    assert "retry-after" not in found[2][1]


def test_a_page_comes_instead_of_an_answer(fleet: Fleet, github: GitHub) -> None:
    github.faults.show_page()

    got = requests.get(f"{github.api_url}/repos/fleet/apps", timeout=10)

    assert (got.status_code, got.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_a_property_is_left_out(fleet: Fleet, github: GitHub) -> None:
    fleet.open()
    github.faults.leave_out("head", "GET", "/pulls$")

    got = requests.get(f"{github.api_url}/repos/fleet/apps/pulls", timeout=10).json()

    assert "head" not in got[0]
    assert got[0]["number"] == 1


def test_a_person_acts_between_two_requests(fleet: Fleet, github: GitHub) -> None:
    made = fleet.open()
    github.faults.before(lambda: fleet.push(version="2.0"), "PUT", "/merge$")

    assert _refused(made.merge, sha=made.head.sha)[0] == 409


def test_a_push_is_lost_after_the_deed(fleet: Fleet, github: GitHub, tmp_path: Path) -> None:
    fleet.git(tmp_path, "clone", "-q", "REMOTE", ".", by=fleet.robot)
    github.faults.drop_answer("POST", "/git-receive-pack$")

    pushed = fleet.git(tmp_path, "push", "REMOTE", "HEAD:refs/heads/x", by=fleet.robot)

    assert pushed.returncode != 0
    assert fleet.here.branch("x") == fleet.here.branch("main")
    assert [(each.kind, each.account) for each in github.written] == [("push", "robot")]


def test_a_chooser_is_asked_about_every_request(fleet: Fleet, github: GitHub) -> None:
    fleet.push()
    github.faults.chooser = lambda request: cut_after() if request.method == "POST" else None

    with pytest.raises(requests.exceptions.RequestException):
        fleet.api.create_pull(base="main", head="update", title="Update")

    assert [each.number for each in fleet.api.get_pulls()] == [1]


def test_of_two_at_once_one_opens(fleet: Fleet) -> None:
    fleet.push()
    both = [fleet.as_seen_by(fleet.robot.token) for _ in range(2)]

    def attempt(api: Any) -> int:
        try:
            api.create_pull(base="main", head="update", title="Update")
        except GithubException as refusal:
            return refusal.status
        return 201

    with ThreadPoolExecutor(2) as threads:
        found = sorted(threads.map(attempt, both))

    assert found == [201, 422]


def test_a_slow_answer_runs_into_the_time_limit(fleet: Fleet, github: GitHub) -> None:
    github.faults.slow_down(5)

    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(f"{github.api_url}/repos/fleet/apps", timeout=0.2)


# -- the record, and the description


def test_every_write_is_on_record(fleet: Fleet, github: GitHub) -> None:
    fleet.api.get_branch("main")
    assert github.written == []

    made = fleet.open()
    _mutate(fleet, _ENABLE, "clientMutationId", pullRequestId=made.node_id)

    rows = [(each.kind, each.path, each.account, each.status) for each in github.written]
    assert rows == [
        ("rest", "/repos/fleet/apps/pulls", "robot", 201),
        ("graphql", _ENABLE, "robot", 200),
    ]
    assert len(github.api_requests()) == 3


def test_what_did_not_change_is_not_sent_again(fleet: Fleet, github: GitHub) -> None:
    url = f"{github.api_url}/repos/fleet/apps/pulls"
    first = requests.get(url, timeout=10)
    again = requests.get(url, headers={"If-None-Match": first.headers["etag"]}, timeout=10)

    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.usefixtures("github")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": 1}, "is a required property"),
        ("text", "is not of type 'object'"),
    ],
)
def test_an_answer_that_breaks_the_description_is_found(body: object, said: str) -> None:
    description = openapi.find(TABLE.names)

    found = description.fault("GET /repos/{owner}/{repo}/pulls/{pull_number}", 200, body)

    assert found is not None
    assert said in found


@pytest.mark.usefixtures("github")
def test_a_status_that_is_not_described_is_found() -> None:
    description = openapi.find(TABLE.names)

    assert description.fault("GET /user", 202, {}) == "GET /user never answers 202"
    assert description.fault("GET /user", 500, {}) is None


def test_without_npm_nothing_names_a_registry(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="npm is not installed, and nothing names an npm registry"):
        openapi.bring(tmp_path, {"PATH": str(tmp_path), "HOME": str(tmp_path)})


def test_a_package_that_was_not_published_so_is_not_used(tmp_path: Path, github: GitHub) -> None:
    github.faults.show_page()
    (tmp_path / ".npmrc").write_text(f"registry={github.url}/\n", encoding="utf-8")

    with pytest.raises(Missing, match="what was fetched is not what was published"):
        openapi.bring(tmp_path, {"PATH": str(tmp_path), "HOME": str(tmp_path)})

    assert [each.path for each in github.requests] == [
        "/@octokit/openapi/-/openapi-23.0.2.tgz",
    ]
    assert not list(tmp_path.glob("*/*.json"))


def test_what_is_not_served_fails_the_test(fleet: Fleet, github: GitHub) -> None:
    requests.get(f"{github.api_url}/repos/fleet/apps/stargazers", timeout=10)

    assert github.violations == ["GET /repos/fleet/apps/stargazers is not served here"]
    github.violations.clear()
