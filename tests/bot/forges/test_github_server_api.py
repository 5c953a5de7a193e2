"""The test GitHub's issues, labels, comments, statuses, rules and releases, asked by PyGithub."""

from typing import Any

import pytest
from github import GithubException

from tests.bot.forges.github_clients import Fleet, client
from tests.servers.github import GitHub
from tests.servers.github_state import Protection


@pytest.fixture
def fleet(github: GitHub) -> Fleet:
    return Fleet(github)


def _status_of(call: Any, *arguments: Any, **more: Any) -> int:
    with pytest.raises(GithubException) as refusal:
        call(*arguments, **more)
    return refusal.value.status


def test_a_label_that_is_missing_is_made_when_it_is_set(fleet: Fleet) -> None:
    fleet.open()

    fleet.api.get_issue(1).add_to_labels("updates", "needs a look")

    assert [each.name for each in fleet.api.get_pull(1).labels] == ["updates", "needs a look"]
    assert {each.name for each in fleet.api.get_labels()} == {"updates", "needs a look"}


def test_a_label_is_taken_off_once(fleet: Fleet) -> None:
    issue = fleet.open().as_issue()
    issue.add_to_labels("a", "b")

    issue.remove_from_labels("a")

    assert [each.name for each in fleet.api.get_issue(1).labels] == ["b"]
    assert _status_of(issue.remove_from_labels, "a") == 404


def test_labels_of_more_than_fifty_characters_are_refused(fleet: Fleet) -> None:
    issue = fleet.open().as_issue()

    assert _status_of(issue.add_to_labels, "l" * 51) == 422
    assert _status_of(fleet.api.create_label, "l" * 51, "ededed") == 422
    assert _status_of(fleet.api.create_label, "", "ededed") == 422


def test_an_issue_is_opened_edited_and_listed(fleet: Fleet) -> None:
    fleet.open()
    made = fleet.api.create_issue("Dashboard", body="Empty")

    made.edit(body="Full")

    listed = {each.number: each for each in fleet.api.get_issues(creator="robot")}
    assert listed[made.number].body == "Full"
    assert listed[made.number].pull_request is None
    assert listed[1].pull_request is not None


def test_comments_of_all_are_one_listing(fleet: Fleet, github: GitHub) -> None:
    first, issue = fleet.open(), fleet.api.create_issue("Dashboard")
    first.create_issue_comment("one")
    github.advance(60)
    moment = github.now().replace(microsecond=0)
    issue.create_comment("two")

    every = [each.body for each in fleet.api.get_issues_comments()]
    late = [each.body for each in fleet.api.get_issues_comments(since=moment)]

    assert (every, late) == (["one", "two"], ["two"])


def test_an_edited_comment_has_another_time(fleet: Fleet, github: GitHub) -> None:
    made = fleet.open().create_issue_comment("one")
    github.advance(5)

    made.edit("other")

    found = fleet.api.get_issue(1).get_comment(made.id)
    assert found.body == "other"
    assert found.updated_at > found.created_at


def test_a_reaction_is_kept_once(fleet: Fleet) -> None:
    made = fleet.open().create_issue_comment("one")

    made.create_reaction("+1")
    made.create_reaction("+1")

    assert [each.content for each in made.get_reactions()] == ["+1"]


def test_a_blocked_account_cannot_comment(fleet: Fleet) -> None:
    issue = fleet.open().as_issue()

    fleet.here.block(fleet.robot)

    assert _status_of(issue.create_comment, "hello") == 403


def test_a_person_ticks_a_box_and_edits(fleet: Fleet) -> None:
    fleet.open(body="- [ ] rebase\n- [ ] approve\n")

    fleet.here.tick(1, "approve")

    assert fleet.api.get_pull(1).body == "- [ ] rebase\n- [x] approve\n"


@pytest.mark.parametrize(("role", "word"), [("triage", "read"), ("write", "write")])
def test_the_permission_of_a_person_is_told(fleet: Fleet, role: Any, word: str) -> None:
    fleet.here.set_role(fleet.person, role)

    assert fleet.api.get_collaborator_permission("person") == word
    assert fleet.api.get_collaborator_role_name("person") == role


def test_a_stranger_of_a_private_repository_has_none(fleet: Fleet) -> None:
    fleet.here.settings.private = True
    fleet.host.create_account("stranger")

    assert fleet.api.get_collaborator_permission("stranger") == "none"
    assert _status_of(fleet.api.get_collaborator_permission, "nobody") == 404


def test_the_newest_status_of_a_name_counts(fleet: Fleet) -> None:
    commit = fleet.api.get_commit(fleet.push())
    commit.create_status("pending", context="pilotfish/cool-down", description="3 days")
    commit.create_status("success", context="pilotfish/cool-down")

    combined = commit.get_combined_status()

    assert (combined.state, combined.total_count) == ("success", 1)
    _, every = fleet.api.requester.requestJsonAndCheck("GET", f"{commit.url}/statuses")
    assert [each["state"] for each in every] == ["success", "pending"]


def test_a_status_that_says_too_much_is_refused(fleet: Fleet) -> None:
    commit = fleet.api.get_commit(fleet.push())

    assert _status_of(commit.create_status, "success", description="d" * 141) == 422


def test_check_runs_are_told_from_statuses(fleet: Fleet) -> None:
    head = fleet.push()
    fleet.here.set_status(head, "ci", "in_progress", run=True)
    fleet.here.set_status(head, "ci", "failure", run=True)

    commit = fleet.api.get_commit(head)

    runs = [(each.name, each.status, each.conclusion) for each in commit.get_check_runs()]
    assert runs == [("ci", "completed", "failure")]
    assert commit.get_combined_status().total_count == 0


def test_rules_are_read_without_being_an_admin(fleet: Fleet) -> None:
    fleet.here.protect("main", Protection(checks=("ci",), approvals=2))
    rule = {"required_approving_review_count": 1, "dismiss_stale_reviews_on_push": False}
    needed = {"require_code_owner_review": False, "require_last_push_approval": False}
    whole = {**rule, **needed, "required_review_thread_resolution": False}
    fleet.here.rule("ma*", pull_request=whole, required_signatures={})

    branch = fleet.api.get_branch("main")
    _, rules = fleet.api.requester.requestJsonAndCheck(
        "GET", f"{fleet.api.url}/rules/branches/main"
    )

    assert branch.raw_data["protection"]["required_status_checks"]["contexts"] == ["ci"]
    assert [each["type"] for each in rules] == ["pull_request", "required_signatures"]
    assert _status_of(branch.get_protection) == 403


def test_an_admin_reads_the_whole_protection(fleet: Fleet, github: GitHub) -> None:
    fleet.here.protect("main", Protection(checks=("ci",), strict=True, approvals=2))

    found = fleet.as_seen_by(github.owner.token).get_branch("main").get_protection()

    assert found.required_status_checks.strict
    assert found.required_pull_request_reviews.required_approving_review_count == 2


def test_a_ref_is_made_moved_and_deleted(fleet: Fleet) -> None:
    first = fleet.here.bare.head()
    api: Any = client(fleet.host, fleet.robot.token).get_repo("fleet/apps")
    made = api.create_git_ref("refs/heads/pilotfish/x", first)
    second = fleet.push()

    made.edit(second)
    assert fleet.here.branch("pilotfish/x") == second
    assert _status_of(made.edit, first) == 422
    made.edit(first, force=True)
    assert [each.ref for each in api.get_git_matching_refs("heads/pilot")] == [made.ref]
    api.get_git_ref("heads/pilotfish/x").delete()

    assert fleet.here.branch("pilotfish/x") is None
    assert _status_of(api.get_git_ref, "heads/pilotfish/x") == 404


def test_a_merged_commit_leads_to_its_pull_request(fleet: Fleet) -> None:
    made = fleet.open()
    done = made.merge(merge_method="squash")

    by_merge = fleet.api.get_commit(done.sha).get_pulls()
    by_head = fleet.api.get_commit(made.head.sha).get_pulls()
    by_base = fleet.api.get_commit(fleet.here.bare.log()[1].id).get_pulls()

    assert [[each.number for each in rows] for rows in (by_merge, by_head, by_base)] == [
        [1],
        [1],
        [],
    ]


def test_a_commit_tells_its_files_and_whether_it_is_signed(fleet: Fleet) -> None:
    done = fleet.open().merge()

    merged, pushed = fleet.api.get_commit(done.sha), fleet.api.get_commit("update")

    assert merged.commit.verification.verified
    assert not pushed.commit.verification.verified
    assert pushed.commit.message == "Update app to 1.1"
    assert pushed.author.login == "robot"


def test_releases_tags_and_files_are_read(fleet: Fleet) -> None:
    fleet.here.release("v1.0", body="First")
    fleet.here.release("v1.1", body="Second")

    assert fleet.api.get_release("v1.0").body == "First"
    assert fleet.api.get_latest_release().tag_name == "v1.1"
    assert [each.tag_name for each in fleet.api.get_releases()] == ["v1.1", "v1.0"]
    assert {each.name for each in fleet.api.get_tags()} == {"v1.0", "v1.1"}
    assert fleet.api.get_contents("README.md").decoded_content == b"Read me.\n"
    assert _status_of(fleet.api.get_release, "v9") == 404


def test_a_workflow_that_is_started_is_remembered(fleet: Fleet) -> None:
    fleet.here.workflows.append("check.yml")

    fleet.api.get_workflow("check.yml")
    started = fleet.api.get_workflow("check.yml").create_dispatch("main", {"why": "update"})

    assert started
    (found,) = fleet.here.dispatches
    assert (found.workflow, found.ref, found.inputs) == ("check.yml", "main", {"why": "update"})


def test_settings_are_told_to_those_who_write(fleet: Fleet) -> None:
    fleet.here.settings.allow_auto_merge = True
    reader = fleet.host.create_account("reader")

    ours = client(fleet.host, fleet.robot.token).get_repo("fleet/apps")
    theirs = client(fleet.host, reader.token).get_repo("fleet/apps")

    assert (ours.permissions.push, ours.allow_auto_merge) == (True, True)
    assert "allow_auto_merge" not in theirs.raw_data


def test_an_archived_repository_is_only_read(fleet: Fleet) -> None:
    made = fleet.open()
    fleet.here.settings.archived = True

    assert fleet.api.get_pull(1).number == 1
    assert _status_of(made.edit, title="Other") == 403
