"""The life of a proposal on plain Git: opened, refreshed, merged, closed, edited, foreign."""

import pytest

from tests.journeys.fleet import FILE, PERSON, Fleet, deployment


def test_a_proposal_is_opened_refreshed_left_and_gone_after_its_merge(fleet: Fleet) -> None:
    main = fleet.remote.head()
    assert fleet.go().operations() == {fleet.branch: "opened"}
    assert fleet.proposed() == {fleet.branch: "1.1.0"}
    fleet.publish("1.2.0")
    assert fleet.go().operations() == {fleet.branch: "refreshed"}
    (commit, _) = fleet.remote.log(fleet.branch)
    assert commit.parents == (main,)
    diff = fleet.remote.diff("main", fleet.branch).splitlines()
    changed = [one for one in diff if one[:1] in "+-" and one[:3] not in {"+++", "---"}]
    assert len(changed) == 2
    assert ":1.2.0  # pilotfish: semver ^1" in changed[1]
    heads, pushes = fleet.remote.branches(), fleet.host.pushes()
    assert fleet.go().operations() == {fleet.branch: "unchanged"}
    assert (fleet.remote.branches(), fleet.host.pushes()) == (heads, pushes)
    fleet.remote.merge(fleet.branch)
    assert fleet.go().operations() == {fleet.branch: "closed"}
    assert fleet.proposed() == {}
    assert fleet.tag() == "1.2.0"


def test_a_squashed_proposal_loses_its_branch_too(fleet: Fleet) -> None:
    fleet.go()
    fleet.remote.squash_merge(fleet.branch)
    assert fleet.go().operations() == {fleet.branch: "closed"}
    assert fleet.proposed() == {}


def test_a_deleted_branch_is_not_reborn_and_a_newer_tag_is_proposed(fleet: Fleet) -> None:
    fleet.go()
    fleet.remote.delete_branch(fleet.branch)
    for _ in range(2):
        assert fleet.go().operations() == {fleet.branch: "ignored"}
        assert fleet.proposed() == {}
    fleet.publish("1.2.0")
    assert fleet.go().operations() == {fleet.branch: "opened"}
    assert fleet.proposed() == {fleet.branch: "1.2.0"}


def test_a_close_counts_even_where_something_newer_came_at_once(fleet: Fleet) -> None:
    fleet.go()
    fleet.remote.delete_branch(fleet.branch)
    fleet.publish("1.2.0")
    fleet.go()
    fleet.registry.delete_tag("shop/web", "1.2.0")
    fleet.go()
    assert "1.1.0" not in fleet.proposed().values()


def test_a_branch_that_a_person_pushed_to_is_left_alone_and_that_is_said(fleet: Fleet) -> None:
    fleet.go()
    fleet.remote.commit({"notes.md": "mine\n"}, "Add notes", branch=fleet.branch, author=PERSON)
    head = fleet.remote.head(fleet.branch)
    fleet.publish("1.2.0")
    answer = fleet.go()
    assert answer.operations() == {fleet.branch: "left"}
    assert "a person pushed" in answer.json["proposals"][0]["reason"]
    assert fleet.remote.head(fleet.branch) == head
    fleet.remote.merge(fleet.branch)
    fleet.go()
    assert fleet.tag() == "1.1.0"
    assert fleet.proposed() == {fleet.branch: "1.2.0"}


def test_a_foreign_branch_of_our_name_is_refused_and_untouched(fleet: Fleet) -> None:
    fleet.remote.commit(
        {"mine.md": "mine\n"}, "My own work", branch=fleet.branch, author=PERSON, start="main"
    )
    heads = fleet.remote.branches()
    answer = fleet.go(code=4)
    assert answer.operations() == {fleet.branch: "refused"}
    (problem,) = answer.json["problems"]
    assert "did not make" in problem["message"]
    assert fleet.remote.branches() == heads


def test_forged_trailers_do_not_make_a_branch_ours(fleet: Fleet) -> None:
    fleet.go()
    (ours, _) = fleet.remote.log(fleet.branch)
    fleet.remote.delete_branch(fleet.branch)
    fleet.remote.commit(
        {FILE: deployment("evil.example/shop/web:1.1.0")},
        ours.message,
        branch=fleet.branch,
        author=PERSON,
        start="main",
    )
    head = fleet.remote.head(fleet.branch)
    fleet.publish("1.2.0")
    fleet.run("run")
    assert fleet.remote.head(fleet.branch) == head


def test_a_base_that_moved_elsewhere_leaves_the_proposal_as_it_is(fleet: Fleet) -> None:
    fleet.go()
    head = fleet.remote.head(fleet.branch)
    fleet.remote.commit({"README.md": "hello\n"}, "Say hello", author=PERSON)
    assert fleet.go().operations() == {fleet.branch: "unchanged"}
    assert fleet.remote.head(fleet.branch) == head


def test_a_base_that_moved_other_lines_of_the_file_leaves_the_proposal_as_it_is(
    fleet: Fleet,
) -> None:
    fleet.go()
    head = fleet.remote.head(fleet.branch)
    text = deployment(f"{fleet.image}:1.0.0").replace("{name: web}", "{name: web, labels: {a: b}}")
    fleet.remote.commit({FILE: text}, "Label it", author=PERSON)
    assert fleet.go().operations() == {fleet.branch: "unchanged"}
    assert fleet.remote.head(fleet.branch) == head
    fleet.remote.merge(fleet.branch)
    assert fleet.tag() == "1.1.0"


def test_a_base_that_moved_the_line_beside_it_gets_the_proposal_anew(fleet: Fleet) -> None:
    fleet.go()
    text = deployment(f"{fleet.image}:1.0.0").replace("- name: web", "- name: shop-web")
    fleet.remote.commit({FILE: text}, "Rename it", author=PERSON)
    assert fleet.go().operations() == {fleet.branch: "refreshed"}
    assert b"shop-web" in fleet.remote.read(FILE, fleet.branch)


def test_a_base_that_moved_the_same_file_gets_the_proposal_anew(fleet: Fleet) -> None:
    fleet.go()
    text = "# ours\n" + deployment(f"{fleet.image}:1.0.0")
    fleet.remote.commit({FILE: text}, "Add a comment", author=PERSON)
    assert fleet.go().operations() == {fleet.branch: "refreshed"}
    assert fleet.remote.read(FILE, fleet.branch).startswith(b"# ours\n")
    assert fleet.remote.log(fleet.branch)[0].parents[0] == fleet.remote.head()


def test_a_base_that_caught_up_by_hand_closes_the_proposal(fleet: Fleet) -> None:
    fleet.go()
    fleet.write("1.1.0")
    assert fleet.go().operations() == {fleet.branch: "closed"}
    assert fleet.proposed() == {}


def test_twenty_runs_with_nothing_new_write_nothing(fleet: Fleet) -> None:
    fleet.go()
    refs, pushes = fleet.remote.git("for-each-ref"), fleet.host.pushes()
    for _ in range(20):
        fleet.run("run")
    assert fleet.remote.git("for-each-ref") == refs
    assert fleet.host.pushes() == pushes


def test_a_plan_shows_what_a_run_does_and_writes_nothing(fleet: Fleet) -> None:
    planned = fleet.run.json("plan")
    assert fleet.host.pushes() == 0
    done = fleet.go()
    assert planned.json["updates"] == done.json["updates"]
    assert planned.operations() == done.operations()


@pytest.mark.parametrize("deliver", ["commit", "branch"])
def test_another_delivery_writes_one_commit_per_update(fleet: Fleet, deliver: str) -> None:
    fleet.go("--deliver", deliver)
    where = "main" if deliver == "commit" else "pilotfish/default"
    assert fleet.tag(where) == "1.1.0"
    assert len(fleet.remote.log(where)) == 2
    pushes = fleet.host.pushes()
    fleet.go("--deliver", deliver)
    assert fleet.host.pushes() == pushes
