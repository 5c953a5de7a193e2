"""The test GitHub, asked by PyGithub: pull requests follow the branches, and people act on them."""

from pathlib import Path
from typing import Any

import pytest
from github import GithubException

from tests.bot.forges.github_clients import Fleet
from tests.servers.github import GitHub
from tests.servers.github_state import Protection


@pytest.fixture
def fleet(github: GitHub) -> Fleet:
    return Fleet(github)


def _refused(call: Any, *arguments: Any, **more: Any) -> tuple[int, str]:
    with pytest.raises(GithubException) as refusal:
        call(*arguments, **more)
    body = refusal.value.data
    details = [row["message"] for row in body.get("errors", []) if "message" in row]
    return refusal.value.status, " ".join([body["message"], *details])


def _commit(fleet: Fleet, version: str) -> str:
    return fleet.here.push({"app.yaml": f"image: app:{version}\n"}, by=fleet.person)


def test_a_pull_request_is_opened_read_and_listed(fleet: Fleet) -> None:
    head = fleet.push()

    made = fleet.api.create_pull(base="main", head="update", title="Update app", body="Why")

    assert (made.number, made.state, made.user.login, made.head.sha) == (1, "open", "robot", head)
    assert fleet.api.get_pull(1).body == "Why"
    assert [each.number for each in fleet.api.get_pulls(head="fleet:update")] == [1]
    assert list(fleet.api.get_pulls(state="all", head="fleet:other")) == []


def test_the_size_of_a_pull_request_is_gits(fleet: Fleet) -> None:
    fleet.open()
    fleet.push(version="1.2")
    _commit(fleet, "2.0")

    found = fleet.api.get_pull(1)

    sizes = (found.commits, found.changed_files, found.additions, found.deletions)
    assert sizes == (2, 1, 1, 1)


def test_a_head_without_an_owner_filters_nothing(fleet: Fleet) -> None:
    fleet.open()

    assert [each.number for each in fleet.api.get_pulls(head="other")] == [1]


def test_listings_page_and_sort(fleet: Fleet, github: GitHub) -> None:
    for number in range(35):
        github.advance(1)
        fleet.open(f"update-{number}", f"1.{number}")

    newest = fleet.api.get_pulls(state="open")
    oldest = fleet.api.get_pulls(state="open", sort="updated", direction="asc")

    assert [each.number for each in newest] == list(range(35, 0, -1))
    assert next(iter(oldest)).number == 1
    assert github.count("GET", "/pulls") == 3


def test_the_second_pull_request_of_a_branch_is_refused(fleet: Fleet) -> None:
    fleet.open()

    refused = _refused(fleet.api.create_pull, base="main", head="update", title="Again")

    said = "Validation Failed A pull request already exists for fleet:update."
    assert refused == (422, said)


def test_a_branch_without_commits_is_refused(fleet: Fleet) -> None:
    fleet.here.reset_branch("update", fleet.here.bare.head())

    refused = _refused(fleet.api.create_pull, base="main", head="update", title="Nothing")

    assert refused == (422, "Validation Failed No commits between main and update")


@pytest.mark.parametrize(
    ("title", "body", "said"),
    [
        ("t" * 257, "", "title is too long (maximum is 256 characters)"),
        ("t", "b" * 65_537, "body is too long (maximum is 65536 characters)"),
    ],
)
def test_texts_that_are_too_long_are_refused(
    fleet: Fleet, title: str, body: str, said: str
) -> None:
    fleet.push()

    status, message = _refused(
        fleet.api.create_pull, base="main", head="update", title=title, body=body
    )

    assert (status, message) == (422, f"Validation Failed {said}")


def test_a_push_moves_the_head(fleet: Fleet) -> None:
    fleet.open()

    head = fleet.push(version="1.2")

    assert fleet.api.get_pull(1).head.sha == head


def test_a_deleted_branch_closes_the_pull_request(fleet: Fleet) -> None:
    made = fleet.open()

    fleet.here.delete_branch("update")

    found = fleet.api.get_pull(1)
    assert (found.state, found.merged, found.head.sha) == ("closed", False, made.head.sha)


def test_a_branch_forced_back_to_its_base_closes_the_pull_request(fleet: Fleet) -> None:
    fleet.open()

    fleet.here.reset_branch("update", fleet.here.bare.head("main"))

    found = fleet.api.get_pull(1)
    assert (found.state, found.merged) == ("closed", False)


def test_a_base_that_takes_the_head_in_marks_it_merged(fleet: Fleet) -> None:
    fleet.open()

    fleet.here.bare.fast_forward("update")

    assert fleet.api.get_pull(1).merged


def test_a_closed_pull_request_keeps_its_head(fleet: Fleet) -> None:
    made = fleet.open()
    made.edit(state="closed")

    fleet.push(version="1.2")

    assert fleet.api.get_pull(1).head.sha == made.head.sha


def test_what_was_forced_elsewhere_cannot_be_reopened(fleet: Fleet) -> None:
    made = fleet.open()
    made.edit(state="closed")
    fleet.here.reset_branch("update", _commit(fleet, "2.0"))

    status, said = _refused(made.edit, state="open")

    assert status == 422
    assert "was force-pushed or recreated" in said


@pytest.mark.parametrize(
    ("method", "parents", "subject"),
    [
        ("merge", 2, "Merge pull request #1 from fleet/update"),
        ("squash", 1, "Update app to 1.1 (#1)"),
        ("rebase", 1, "Update app to 1.1"),
    ],
)
def test_a_merge_makes_a_real_commit(fleet: Fleet, method: str, parents: int, subject: str) -> None:
    made = fleet.open()
    before = _commit_beside(fleet)

    done = made.merge(merge_method=method, sha=made.head.sha)

    newest = fleet.here.bare.log()[0]
    assert (newest.id, len(newest.parents), newest.subject) == (done.sha, parents, subject)
    assert before in newest.parents
    assert fleet.here.bare.read("app.yaml") == b"image: app:1.1\n"
    assert fleet.api.get_pull(1).merge_commit_sha == done.sha


def _commit_beside(fleet: Fleet) -> str:
    return fleet.here.push({"beside.yaml": "a: 1\n"}, by=fleet.person)


def test_a_squash_lists_the_messages_of_several_commits(fleet: Fleet) -> None:
    fleet.push(version="1.1")
    made = fleet.open(version="1.2")

    made.merge(merge_method="squash")

    newest = fleet.here.bare.log()[0]
    assert newest.subject == "Update app to 1.2 (#1)"
    assert newest.body.strip() == "* Update app to 1.1\n\n* Update app to 1.2"


def test_a_squash_can_be_made_to_keep_no_message(fleet: Fleet) -> None:
    fleet.here.settings.squash_message = "BLANK"
    fleet.here.settings.squash_title = "PR_TITLE"
    fleet.open(title="A title").merge(merge_method="squash")

    assert fleet.here.bare.log()[0].message.strip() == "A title (#1)"


def test_a_merge_of_another_head_is_refused(fleet: Fleet) -> None:
    made = fleet.open()
    fleet.push(version="1.2")

    status, said = _refused(made.merge, sha=made.head.sha)

    assert (status, said) == (
        409,
        "Head branch was modified. Review and try the merge again.",
    )


def test_a_conflict_is_not_mergeable(fleet: Fleet) -> None:
    made = fleet.open()
    _commit(fleet, "2.0")

    assert fleet.api.get_pull(1).mergeable is False
    assert _refused(made.merge) == (405, "Pull Request is not mergeable")


def test_a_way_of_merging_that_is_switched_off_is_refused(fleet: Fleet) -> None:
    fleet.here.settings.allow_squash_merge = False

    refused = _refused(fleet.open().merge, merge_method="squash")

    assert refused == (405, "Squash merges are not allowed on this repository.")


@pytest.mark.parametrize("state", [None, "pending", "failure"])
def test_a_required_check_stands_in_the_way(fleet: Fleet, state: str | None) -> None:
    fleet.here.protect("main", Protection(checks=("ci",)))
    made = fleet.open()
    if state:
        fleet.here.set_status(made.head.sha, "ci", state)

    status, said = _refused(made.merge)

    word = {None: "expected", "pending": "pending", "failure": "failing"}[state]
    assert (status, said) == (405, f'Required status check "ci" is {word}.')
    assert fleet.api.get_pull(1).mergeable_state == "blocked"


def test_an_admin_passes_classic_protection(fleet: Fleet, github: GitHub) -> None:
    fleet.here.protect("main", Protection(checks=("ci",)))
    fleet.open()

    done = fleet.as_seen_by(github.owner.token).get_pull(1).merge()

    assert done.merged


def test_an_admin_does_not_pass_a_ruleset(fleet: Fleet, github: GitHub) -> None:
    fleet.here.rule("main", required_status_checks=_checks("ci"))
    fleet.open()

    status, _ = _refused(fleet.as_seen_by(github.owner.token).get_pull(1).merge)

    assert status == 405


def _checks(*names: str) -> dict[str, object]:
    return {
        "required_status_checks": [{"context": name} for name in names],
        "strict_required_status_checks_policy": False,
    }


def test_an_approval_opens_the_way(fleet: Fleet) -> None:
    fleet.here.protect("main", Protection(approvals=1))
    made = fleet.open()
    assert _refused(made.merge)[0] == 405

    fleet.as_seen_by(fleet.person.token).get_pull(1).create_review(event="APPROVE")

    assert made.merge().merged
    assert [each.state for each in made.get_reviews()] == ["APPROVED"]


def test_nobody_approves_a_pull_request_of_his_own(fleet: Fleet) -> None:
    with pytest.raises(GithubException) as refusal:
        fleet.open().create_review(event="APPROVE")

    assert refusal.value.status == 422


def test_the_merged_branch_can_go_by_itself(fleet: Fleet) -> None:
    fleet.here.settings.delete_branch_on_merge = True

    fleet.open().merge()

    assert set(fleet.here.bare.branches()) == {"main"}


def test_a_pull_request_from_a_fork_is_told_apart(fleet: Fleet, github: GitHub) -> None:
    theirs = github.fork(fleet.here, by=fleet.person)
    theirs.push({"app.yaml": "image: app:9\n"}, by=fleet.person, branch="update", start="main")

    made = fleet.as_seen_by(fleet.person.token).create_pull(
        base="main", head="person:update", title="From a fork"
    )

    assert made.head.repo.full_name == "person/apps"
    assert list(fleet.api.get_pulls(head="fleet:update")) == []
    assert fleet.api.get_pull(1).merge().merged
    assert fleet.here.bare.read("app.yaml") == b"image: app:9\n"


def test_a_push_by_git_is_seen_by_the_api(fleet: Fleet, tmp_path: Path) -> None:
    fleet.open()
    fleet.git(tmp_path, "clone", "-q", "-b", "update", "REMOTE", ".", by=fleet.robot)
    (tmp_path / "app.yaml").write_text("image: app:1.3\n", encoding="utf-8")
    names = ("-c", "user.name=R", "-c", "user.email=r@example.test")
    fleet.git(tmp_path, *names, "commit", "-qam", "Update", by=fleet.robot)
    pushed = fleet.git(tmp_path, "push", "-q", "REMOTE", "HEAD:update", by=fleet.robot)

    assert pushed.returncode == 0, pushed.stderr
    here = fleet.git(tmp_path, "rev-parse", "HEAD", by=fleet.robot).stdout.strip()
    assert fleet.api.get_pull(1).head.sha == here


@pytest.mark.parametrize(
    ("role", "said"),
    [("read", "Write access to repository not granted."), ("none", "not found")],
)
def test_git_refuses_who_may_not_push(fleet: Fleet, tmp_path: Path, role: Any, said: str) -> None:
    fleet.here.settings.private = True
    stranger = fleet.host.create_account("stranger")
    fleet.here.set_role(stranger, role)
    fleet.git(tmp_path, "clone", "-q", "REMOTE", ".", by=fleet.robot)

    pushed = fleet.git(tmp_path, "push", "REMOTE", "HEAD:refs/heads/x", by=stranger)

    assert pushed.returncode != 0
    assert said in pushed.stderr


def test_a_protected_branch_refuses_a_push(fleet: Fleet, tmp_path: Path) -> None:
    fleet.here.protect("main")
    fleet.git(tmp_path, "clone", "-q", "REMOTE", ".", by=fleet.robot)
    names = ("-c", "user.name=R", "-c", "user.email=r@example.test")
    fleet.git(tmp_path, *names, "commit", "-q", "--allow-empty", "-m", "Push", by=fleet.robot)

    pushed = fleet.git(tmp_path, "push", "REMOTE", "HEAD:main", by=fleet.robot)

    assert "GH006: Protected branch update failed" in pushed.stderr
    assert fleet.git(tmp_path, "push", "REMOTE", "HEAD:free", by=fleet.robot).returncode == 0


def test_a_ruleset_refuses_a_forced_push(fleet: Fleet, tmp_path: Path) -> None:
    fleet.here.rule("updates/*", non_fast_forward={})
    fleet.push("updates/app")
    fleet.git(tmp_path, "clone", "-q", "REMOTE", ".", by=fleet.robot)

    pushed = fleet.git(tmp_path, "push", "-f", "REMOTE", "HEAD:updates/app", by=fleet.robot)

    assert "GH013: Cannot force-push to this branch" in pushed.stderr


@pytest.mark.parametrize(("method", "merges"), [("merge", False), ("squash", True)])
def test_unsigned_commits_are_merged_by_squashing_alone(
    fleet: Fleet, method: str, *, merges: bool
) -> None:
    fleet.here.rule("main", required_signatures={})
    made = fleet.open()

    if merges:
        assert made.merge(merge_method=method).merged
    else:
        assert _refused(made.merge, merge_method=method) == (
            405,
            "Commits must have valid signatures.",
        )


def test_who_deleted_the_branch_closed_the_pull_request(fleet: Fleet, tmp_path: Path) -> None:
    fleet.open()
    fleet.git(tmp_path, "clone", "-q", "REMOTE", ".", by=fleet.person)

    fleet.git(tmp_path, "push", "-q", "REMOTE", ":update", by=fleet.person)

    found = fleet.api.get_issue(1)
    assert (found.state, found.closed_by.login) == ("closed", "person")


def test_a_queue_takes_what_is_to_be_merged(fleet: Fleet) -> None:
    fleet.here.settings.allow_auto_merge = True
    fleet.here.rule("main", merge_queue={})

    status, said = _refused(fleet.open().merge)

    assert (status, said) == (405, "Changes must be made through the merge queue")
    fleet.here.ask_auto_merge(1, by=fleet.robot)
    assert fleet.api.get_pull(1).merged
