"""What is GitLab's alone: tokens of every kind, quick actions, merging, limits, odd answers.

What every forge owes us stands in test_contract.py.
"""

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from bot.config.secret_refs import Secret
from bot.errors import AccessError, ConfigError, ProductError, RefusedError, UnavailableError
from bot.forges.answers import NotUnderstoodError
from bot.forges.forge import (
    CheckState,
    Comment,
    HeadMovedError,
    NotFoundError,
    Proposal,
    RateLimitedError,
    State,
    Status,
    Text,
)
from bot.forges.gitlab import GitLabAuth, GitLabForge, open_gitlab
from tests.servers.gitlab import Fault, GitLab
from tests.servers.gitlab_state import (
    DEVELOPER,
    MAINTAINER,
    REPORTER,
    Person,
    Protection,
)
from tests.servers.http_thread import HttpThread, Response, SeenRequest

if TYPE_CHECKING:
    from tests.servers.gitlab_project import Project

BRANCH = "pilotfish/web"
FILES = {"apps/web.yaml": b"image: example.test/web:1.0.0\n"}
CHANGED = {"apps/web.yaml": b"image: example.test/web:1.1.0\n"}


class PassingClock:
    """Passes every wait at once and notes it."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.seconds = 100.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.seconds - 100.0)

    def monotonic_s(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds


class Scene:
    """A project in a subgroup with our account and a person, and ours on it."""

    def __init__(self, server: GitLab) -> None:
        self.server = server
        self.clock = PassingClock()
        self.project: Project = server.create_project("fleet/apps/web", FILES)
        self.bot = server.add_person("fleet-bot", self.project, level=DEVELOPER)
        self.person = server.add_person("wanda", self.project, level=MAINTAINER)
        self.project.protect(Protection(pattern="main", merge_level=DEVELOPER))
        self.forges: list[GitLabForge] = []
        self.forge = self.open(self.bot.token)

    def open(
        self,
        token: str,
        kind: Literal["private", "job", "oauth"] = "private",
        *,
        path: str = "fleet/apps/web",
        ca: str | None = None,
        pace_s: float = 0.0,
    ) -> GitLabForge:
        auth = GitLabAuth(token=Secret(token), kind=kind)
        self.forges.append(
            open_gitlab(self.server.url, path, auth=auth, ca=ca, clock=self.clock, pace_s=pace_s)
        )
        return self.forges[-1]

    def push(self, branch: str = BRANCH, files: dict[str, bytes] | None = None) -> str:
        made = self.project.remote.commit(files or CHANGED, branch=branch, start="main")
        self.look()
        return made

    def look(self) -> None:
        """Let GitLab see what was pushed."""
        with self.server.alone():
            self.project.refresh()

    async def propose(self, body: str = "Updates web.", title: str = "web 1.1.0") -> Proposal:
        self.push()
        return await self.forge.open(BRANCH, "main", Text(title=title, body=body))

    def act(self, method: str, path: str, **given: str) -> Any:
        return self.server.act(self.project, self.person, method, path, given)

    def sent(self) -> list[SeenRequest]:
        return [each for each in self.server.requests if each.path.startswith("/api")]


@pytest.fixture
def scene(gitlab: GitLab) -> Iterator[Scene]:
    made = Scene(gitlab)
    yield made
    for each in made.forges:
        if each._session._library is not None:
            each._session._library.close()


# Tokens and addresses


async def test_a_token_goes_as_a_bearer_alone(scene: Scene) -> None:
    await scene.forge.listing()

    for request in scene.sent():
        assert request.headers["authorization"] == f"Bearer {scene.bot.token}"
        assert "private-token" not in request.headers
        assert scene.bot.token not in request.path + request.raw_query


async def test_every_group_of_a_path_is_part_of_its_name(scene: Scene) -> None:
    await scene.forge.listing()

    assert scene.sent()[-1].path == "/api/v4/projects/fleet%2Fapps%2Fweb/merge_requests"
    assert scene.forge.links.proposal(3) == (
        f"{scene.server.url}/fleet/apps/web/-/merge_requests/3"
    )


def test_a_path_without_a_group_names_no_project(scene: Scene) -> None:
    with pytest.raises(ConfigError, match="with every subgroup"):
        scene.open(scene.bot.token, path="web")


@pytest.mark.parametrize("kind", ["personal", "project", "oauth", "job"])
async def test_the_account_tells_the_kind_of_token(scene: Scene, kind: str) -> None:
    person = scene.bot
    token: dict[str, Callable[[], GitLabForge]] = {
        "personal": lambda: scene.forge,
        "project": lambda: scene.open(scene.server.add_project_token(scene.project).token),
        "oauth": lambda: scene.open(scene.server.add_oauth_token(person), "oauth"),
        "job": lambda: scene.open(scene.server.add_job_token(scene.project, person), "job"),
    }

    account = await token[kind]().account()

    assert account.kind == kind
    assert account.login.startswith("project_" if kind == "project" else "fleet-bot")


async def test_a_project_token_opens_merge_requests(scene: Scene) -> None:
    forge = scene.open(scene.server.add_project_token(scene.project).token)
    scene.push()

    opened = await forge.open(BRANCH, "main", Text(title="web", body=""))

    assert opened.ours
    assert opened.author == (await forge.account()).login


async def test_preflight_says_that_a_job_token_cannot_do_it(scene: Scene) -> None:
    forge = scene.open(scene.server.add_job_token(scene.project, scene.bot), "job")

    (finding,) = await forge.preflight("main")

    assert not finding.ok
    assert "can neither open nor change" in finding.what
    assert "project access token" in finding.fix


async def test_a_job_token_reads_and_is_refused_with_the_way_out(scene: Scene) -> None:
    opened = await scene.propose()
    forge = scene.open(scene.server.add_job_token(scene.project, scene.bot), "job")

    assert [one.number for one in (await forge.listing()).proposals] == [opened.number]
    assert not (await forge.rules("main")).known
    with pytest.raises(AccessError) as caught:
        await forge.edit(opened.number, title="x", body="y")
    assert "project access token" in caught.value.hint
    assert "job-token" in scene.sent()[-1].headers
    assert "authorization" not in scene.sent()[-1].headers


async def test_a_token_of_too_small_a_scope_is_told_before_and_after(scene: Scene) -> None:
    reader = scene.server.add_person("reading-bot", scene.project, scopes=("read_api",))
    forge = scene.open(reader.token)
    scene.push()

    findings = [one for one in await forge.preflight("main") if not one.ok]
    with pytest.raises(AccessError) as caught:
        await forge.open(BRANCH, "main", Text(title="web", body=""))

    assert [(one.what, one.fix) for one in findings] == [
        ("The token has the scopes: read_api", "Give a token with the scope api")
    ]
    assert caught.value.hint == "Give a token with the scope api"


async def test_preflight_tells_the_day_on_which_a_token_ends(scene: Scene) -> None:
    scene.server.grants[scene.bot.token].expires = "2026-12-24"

    findings = await scene.forge.preflight("main")

    assert "The token ends on 2026-12-24" in [one.what for one in findings]


async def test_preflight_tells_what_hinders_in_the_project(scene: Scene) -> None:
    settings = scene.project.settings
    settings.archived, settings.merge_requests = True, False
    scene.project.protect(Protection(pattern="pilotfish/*", push_level=MAINTAINER))
    forge = scene.open(scene.server.add_person("rita", scene.project, level=REPORTER).token)

    findings = {one.what: one.fix for one in await forge.preflight("main") if not one.ok}

    assert set(findings) == {
        "The project is archived",
        "Merge requests are turned off",
        "rita may not push here",
    }
    theirs = {one.what for one in await scene.forge.preflight("main") if not one.ok}
    assert "The protection pilotfish/* covers our branches, which are pushed anew" in theirs


async def test_preflight_of_a_good_project_finds_nothing_wrong(scene: Scene) -> None:
    assert [one.what for one in await scene.forge.preflight("main") if not one.ok] == []


async def test_preflight_misses_a_base_that_is_not_there(scene: Scene) -> None:
    wrong = [one.what for one in await scene.forge.preflight("trunk") if not one.ok]

    assert wrong == ["There is no branch trunk to be seen"]


async def test_a_revoked_token_is_told_and_never_shown(scene: Scene) -> None:
    scene.server.grants[scene.bot.token].revoked = True

    with pytest.raises(AccessError) as caught:
        await scene.forge.listing()

    assert "Token was revoked" in caught.value.what
    assert scene.bot.token not in str(caught.value)


class Elsewhere(HttpThread):
    """Another host, which takes whatever it is sent."""

    def respond(self, request: SeenRequest) -> Response:
        return Response(body=b"[]")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(scene: Scene, status: int) -> None:
    elsewhere = Elsewhere()
    elsewhere.start()
    target = {"Location": f"{elsewhere.url}/api/v4/user"}
    scene.server.plan(Fault(kind="answer", status=status, headers=target, times=9))
    try:
        with pytest.raises(AccessError, match="sends us elsewhere"):
            await scene.forge.account()
        with pytest.raises(AccessError, match="sends us elsewhere"):
            await scene.forge.close(1)
    finally:
        elsewhere.stop()

    assert elsewhere.requests == []


async def test_a_private_authority_is_trusted_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", __file__)  # what is configured counts for more
    server = GitLab(tmp_path / "gitlab", tls=True)
    server.start()
    try:
        scene = Scene(server)
        trusting = scene.open(scene.bot.token, ca=str(server.ca_file))

        assert (await trusting.account()).login == "fleet-bot"
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        with pytest.raises(AccessError, match="certificate is not trusted"):
            await scene.forge.account()
        for each in scene.forges:
            await each.aclose()
    finally:
        server.stop()


def test_the_library_is_imported_when_it_is_needed() -> None:
    code = "import sys, bot.forges.gitlab; print({'gitlab', 'requests'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


# Quick actions


ORDERS = "Notes of 1.1.0:\n/close\n\n/merge now\n/label ~evil\n  /close\n/usr/bin/x\n\\/approve"


async def test_orders_in_our_body_are_not_obeyed_and_come_back(scene: Scene) -> None:
    opened = await scene.propose(body=ORDERS)
    await scene.forge.edit(opened.number, title="web 1.1.0", body=ORDERS + "\n/close")

    now = await scene.forge.proposal(opened.number)

    assert (now.state, now.labels, now.automerge) == (State.OPEN, (), False)
    assert opened.body == ORDERS
    assert now.body == ORDERS + "\n/close"


async def test_orders_in_our_comments_are_not_obeyed(scene: Scene) -> None:
    opened = await scene.propose()

    made = await scene.forge.comment(opened.number, "/close")
    await scene.forge.edit_comment(made, "/close\n/approve")

    (kept,) = await scene.forge.comments_on(opened.number)
    assert kept.body == "/close\n/approve"
    assert (await scene.forge.proposal(opened.number)).state is State.OPEN
    assert await scene.forge.approvers(opened.number) == ()


async def test_what_a_person_wrote_is_read_as_it_stands(scene: Scene) -> None:
    opened = await scene.propose()
    scene.act("POST", f"merge_requests/{opened.number}/notes", body="\\/hold web")

    (told,) = await scene.forge.comments_on(opened.number)

    assert told.body == "\\/hold web"


async def test_a_blank_keeps_a_command_of_ours_from_gitlab(scene: Scene) -> None:
    opened = await scene.propose()
    scene.act("POST", f"merge_requests/{opened.number}/notes", body=" /rebase")

    (told,) = await scene.forge.comments_on(opened.number)

    assert told.body == " /rebase"


async def test_a_persons_approve_is_an_approval_and_no_comment(scene: Scene) -> None:
    opened = await scene.propose()
    scene.act("POST", f"merge_requests/{opened.number}/notes", body="/approve")

    assert await scene.forge.comments_on(opened.number) == []
    assert await scene.forge.approvers(opened.number) == ("wanda",)


# Proposals


async def test_a_label_with_a_comma_is_refused_before_anything_is_sent(scene: Scene) -> None:
    scene.push()

    with pytest.raises(RefusedError, match="holds a comma"):
        await scene.forge.open(BRANCH, "main", Text(title="web", body="", labels=("a,b",)))

    assert scene.server.writes() == []


async def test_reviewers_are_asked_and_unknown_ones_passed_over(scene: Scene) -> None:
    scene.push()
    text = Text(title="web", body="", reviewers=("wanda", "nobody", "no such login"))

    opened = await scene.forge.open(BRANCH, "main", text)

    request = scene.project.merge_request(opened.number)
    assert [one.username for one in request.reviewers] == ["wanda"]


async def test_a_proposal_with_labels_is_opened_by_one_request(scene: Scene) -> None:
    await scene.forge.account()
    scene.push()
    before = scene.forge.requests

    await scene.forge.open(BRANCH, "main", Text(title="web", body="", labels=("a", "b")))

    assert scene.forge.requests - before == 1
    assert scene.project.labels == ["a", "b"]


async def test_a_listing_of_few_is_one_request_and_complete(scene: Scene) -> None:
    await scene.propose()
    before = scene.forge.requests

    listing = await scene.forge.listing()

    assert listing.complete
    assert scene.forge.requests - before == 1


async def test_every_open_proposal_is_listed_where_there_are_many(scene: Scene) -> None:
    opened = await scene.propose()
    first = scene.project.merge_request(opened.number)
    for number in range(2, 150):
        later = first.updated + timedelta(seconds=number)
        other = dataclasses.replace(first, iid=number, source=f"x/{number}", updated=later)
        scene.project.merge_requests.append(dataclasses.replace(other, state="closed"))

    listing = await scene.forge.listing()

    assert not listing.complete
    assert len(listing.proposals) == 101
    assert [one.number for one in listing.proposals if one.state is State.OPEN] == [1]


async def test_a_fork_with_our_branch_name_is_not_of_this_project(scene: Scene) -> None:
    opened = await scene.propose()
    forked = dataclasses.replace(
        scene.project.merge_request(opened.number), iid=2, source_project_id=9999
    )
    scene.project.merge_requests.append(forked)

    assert [one.number for one in await scene.forge.proposals_of(BRANCH)] == [opened.number]
    assert not (await scene.forge.proposal(2)).own_repository


async def test_a_deleted_source_branch_leaves_the_proposal_open(scene: Scene) -> None:
    opened = await scene.propose()
    scene.project.remote.delete_branch(BRANCH)

    now = await scene.forge.proposal(opened.number)

    assert (now.state, now.head) == (State.OPEN, opened.head)


async def test_a_push_of_the_branch_into_the_base_merges(scene: Scene) -> None:
    opened = await scene.propose()
    scene.project.remote.fast_forward(BRANCH)

    now = await scene.forge.proposal(opened.number)

    assert (now.state, now.merge_commit) == (State.MERGED, opened.head)


async def test_issues_and_merge_requests_of_one_number_are_kept_apart(scene: Scene) -> None:
    opened = await scene.propose()
    issue = await scene.forge.open_issue("Images", "All of them.")
    here = await scene.forge.comment(opened.number, "here")
    there = await scene.forge.comment(issue.number, "there")
    await scene.forge.edit_comment(there, "still there")

    found = await scene.forge.comments(
        since=here.created - timedelta(minutes=1), numbers=[opened.number, issue.number]
    )

    assert (opened.number, issue.number) == (1, -1)
    assert issue.url.endswith("/fleet/apps/web/-/issues/1")
    told = [(one.number, one.body) for one in found]
    assert told == [(1, "here"), (-1, "still there")]


async def test_old_comments_are_not_read_again(scene: Scene) -> None:
    opened = await scene.propose()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    minutes = iter(range(250))
    scene.server.now = lambda: start + timedelta(minutes=next(minutes))
    for number in range(250):
        scene.act("POST", f"merge_requests/{opened.number}/notes", body=f"note {number}")
    before = scene.forge.requests

    found = await scene.forge.comments(
        since=start + timedelta(minutes=240), numbers=[opened.number]
    )

    assert [one.body for one in found] == [f"note {number}" for number in range(240, 250)]
    assert scene.forge.requests - before == 1
    assert len(await scene.forge.comments_on(opened.number)) == 250


async def test_a_pending_status_may_be_set_again(scene: Scene) -> None:
    head = scene.push()
    status = Status(name="pilotfish", state=CheckState.PENDING, says="Held for two days.")

    await scene.forge.set_status(head, status)
    await scene.forge.set_status(head, status)
    await scene.forge.set_status(head, dataclasses.replace(status, state=CheckState.PASSED))

    (check,) = await scene.forge.checks(head)
    assert (check.name, check.state) == ("pilotfish", CheckState.PASSED)


async def test_a_job_that_may_fail_has_passed(scene: Scene) -> None:
    head = scene.push()
    scene.act("POST", f"statuses/{head}", name="lint", state="failed")
    scene.project.statuses[-1].allow_failure = True

    (check,) = await scene.forge.checks(head)

    assert check.state is CheckState.PASSED


async def test_a_pipeline_is_started_on_a_branch(scene: Scene) -> None:
    scene.push()

    await scene.forge.start_workflow("ci.yml", BRANCH)

    assert scene.project.pipelines_started == [BRANCH]


# Merging and rules


async def test_a_merge_waits_while_gitlab_is_still_looking(scene: Scene) -> None:
    opened = await scene.propose()
    scene.project.merge_request(opened.number).unchecked_reads = 2

    await scene.forge.merge(opened, title="web 1.1.0", message="Because.")

    assert (await scene.forge.proposal(opened.number)).state is State.MERGED
    assert scene.clock.waits == [0.5, 1.0]


async def test_a_merge_is_put_off_when_gitlab_looks_for_too_long(scene: Scene) -> None:
    opened = await scene.propose()
    scene.project.merge_request(opened.number).unchecked_reads = 1_000

    with pytest.raises(UnavailableError, match="still looking"):
        await scene.forge.merge(opened, title="web", message="")

    assert sum(scene.clock.waits) < 60


@pytest.mark.parametrize("method", ["merge", "rebase_merge", "ff"])
@pytest.mark.parametrize("squash", ["never", "default_on", "always"])
async def test_it_is_merged_as_the_project_wishes(scene: Scene, method: str, squash: str) -> None:
    scene.project.settings.merge_method = method
    scene.project.settings.squash_option = squash
    base = scene.project.remote.head()
    opened = await scene.propose()

    await scene.forge.merge(opened, title="web 1.1.0", message="Pilotfish-Policy: web")

    now = await scene.forge.proposal(opened.number)
    newest = scene.project.remote.log()[0]
    assert now.merge_commit == newest.id
    assert newest.parents[0] == base
    assert len(newest.parents) == (1 if method == "ff" else 2)
    if (method, squash) != ("ff", "never"):
        assert newest.subject == "web 1.1.0"
        assert newest.trailers["Pilotfish-Policy"] == "web"
    assert (await scene.forge.rules("main")).requires_up_to_date == (method != "merge")


async def test_a_branch_behind_its_base_is_not_merged_where_that_is_demanded(
    scene: Scene,
) -> None:
    scene.project.settings.merge_method = "ff"
    opened = await scene.propose()
    scene.push("main", {"README.md": b"news\n"})

    with pytest.raises(RefusedError, match="need_rebase"):
        await scene.forge.merge(opened, title="web", message="")


async def test_a_conflict_is_told_by_its_name(scene: Scene) -> None:
    opened = await scene.propose()
    scene.push("main", {"apps/web.yaml": b"image: example.test/web:9.9.9\n"})

    with pytest.raises(RefusedError, match="conflict"):
        await scene.forge.merge(opened, title="web", message="")


async def test_a_merge_whose_answer_was_lost_is_seen_the_next_time(scene: Scene) -> None:
    opened = await scene.propose()
    scene.server.plan(Fault(kind="drop-after", method="PUT", path="/merge$"))

    with pytest.raises(UnavailableError):
        await scene.forge.merge(opened, title="web", message="")
    await scene.forge.merge(opened, title="web", message="")

    assert len(scene.project.remote.log()) == 3
    assert (await scene.forge.proposal(opened.number)).state is State.MERGED


async def test_who_may_not_merge_into_the_base_is_told(scene: Scene) -> None:
    scene.project.protect(Protection(pattern="main", merge_level=MAINTAINER))
    opened = await scene.propose()

    with pytest.raises(AccessError):
        await scene.forge.merge(opened, title="web", message="")

    findings = [one.what for one in await scene.forge.preflight("main")]
    assert "main lets this token's account merge nothing" in findings


async def test_a_reaction_makes_no_edit_of_a_command(scene: Scene) -> None:
    opened = await scene.propose()
    scene.act("POST", f"merge_requests/{opened.number}/notes", body="Thanks!")
    liked = scene.act("POST", f"merge_requests/{opened.number}/notes", body="/pilotfish hold web")
    changed = scene.act("POST", f"merge_requests/{opened.number}/notes", body="Good morning")
    place = f"merge_requests/{opened.number}/notes"
    before = scene.server.now
    scene.server.now = lambda: before() + timedelta(minutes=1)

    scene.act("POST", f"{place}/{liked['id']}/award_emoji", name="rocket")
    scene.act("PUT", f"{place}/{changed['id']}", body="/approve")

    found = await scene.forge.comments(since=opened.opened, numbers=[opened.number])
    assert [(one.body, one.edited) for one in found] == [
        ("Thanks!", False),
        ("/pilotfish hold web", False),
        ("/approve", True),
    ]


async def test_a_command_stays_doubtful_where_graphql_is_closed(scene: Scene) -> None:
    opened = await scene.propose()
    place = f"merge_requests/{opened.number}/notes"
    made = scene.act("POST", place, body="/pilotfish hold web")
    before = scene.server.now
    scene.server.now = lambda: before() + timedelta(minutes=1)
    scene.act("POST", f"{place}/{made['id']}/award_emoji", name="rocket")
    answer = Fault(kind="answer", method="POST", path="/graphql$", status=403)
    scene.server.plan(answer)

    (found,) = await scene.forge.comments(since=opened.opened, numbers=[opened.number])

    assert found.edited


async def test_automerge_waits_for_an_approval(scene: Scene) -> None:
    scene.project.settings.approvals_required = 1
    opened = await scene.propose()

    await scene.forge.automerge(opened, wanted=True)
    waiting = await scene.forge.proposal(opened.number)
    scene.act("POST", f"merge_requests/{opened.number}/notes", body="/approve")
    merged = await scene.forge.proposal(opened.number)

    assert (waiting.state, waiting.automerge) == (State.OPEN, True)
    assert merged.state is State.MERGED


async def test_a_push_takes_automerge_back(scene: Scene) -> None:
    scene.project.settings.needs_pipeline = True
    opened = await scene.propose()
    await scene.forge.automerge(opened, wanted=True)
    moved = scene.push(BRANCH, {"evil.yaml": b"x\n"})

    scene.act("POST", f"statuses/{moved}", name="ci", state="success")

    now = await scene.forge.proposal(opened.number)
    assert (now.state, now.automerge) == (State.OPEN, False)
    with pytest.raises(HeadMovedError):
        await scene.forge.automerge(opened, wanted=True)


@pytest.mark.parametrize("state", ["running", "success"])
async def test_automerge_never_passes_a_merge_train(scene: Scene, state: str) -> None:
    scene.project.settings.needs_pipeline = scene.project.settings.merge_trains = True
    opened = await scene.propose()
    scene.act("POST", f"statuses/{opened.head}", name="ci", state=state)

    await scene.forge.automerge(opened, wanted=True)
    await scene.forge.automerge(opened, wanted=True)
    scene.act("POST", f"statuses/{opened.head}", name="lint", state="success")

    waiting = await scene.forge.proposal(opened.number)
    await scene.forge.automerge(opened, wanted=False)
    assert (waiting.state, waiting.automerge) == (State.OPEN, True)
    assert not (await scene.forge.proposal(opened.number)).automerge


async def test_a_moved_head_gets_no_place_on_a_merge_train(scene: Scene) -> None:
    scene.project.settings.merge_trains = True
    opened = await scene.propose()
    scene.push(BRANCH, {"evil.yaml": b"x\n"})

    with pytest.raises(HeadMovedError):
        await scene.forge.automerge(opened, wanted=True)


async def test_automerge_may_be_taken_back_twice(scene: Scene) -> None:
    scene.project.settings.needs_pipeline = True
    opened = await scene.propose()
    await scene.forge.automerge(opened, wanted=True)

    await scene.forge.automerge(opened, wanted=False)
    await scene.forge.automerge(opened, wanted=False)

    assert not (await scene.forge.proposal(opened.number)).automerge


async def test_automerge_is_offered_only_where_something_is_demanded(scene: Scene) -> None:
    assert not (await scene.forge.rules("main")).may_automerge

    scene.project.settings.needs_pipeline = True
    assert (await scene.open(scene.bot.token).rules("main")).may_automerge


async def test_paid_rules_that_are_not_there_demand_nothing(scene: Scene) -> None:
    scene.project.settings.premium = False

    rules = await scene.forge.rules("main")

    assert (rules.known, rules.required_approvals, rules.requires_signatures) == (True, 0, False)


async def test_rules_are_unknown_to_who_may_not_read_protections(scene: Scene) -> None:
    scene.project.settings.read_rules_level = MAINTAINER

    rules = await scene.forge.rules("main")

    assert not rules.known
    assert not rules.requires_checks


async def test_unsigned_pushes_are_refused_where_commits_by_the_api_pass(
    scene: Scene, tmp_path: Path
) -> None:
    scene.project.reject_unsigned()
    start = scene.project.remote.head()

    pushed = push_over_http(scene, tmp_path, "pilotfish/pushed")
    made = await scene.forge.commit(BRANCH, start=start, files=CHANGED, message="web")

    assert "Commit must be signed" in pushed
    assert (await scene.forge.rules("main")).requires_signatures
    assert scene.project.remote.branches() == {"main": start, BRANCH: made}


async def test_a_commit_on_a_branch_that_is_there_is_refused(scene: Scene) -> None:
    moved = scene.push()

    with pytest.raises(RefusedError, match="already exists"):
        await scene.forge.commit(
            BRANCH, start=scene.project.remote.head(), files=CHANGED, message="web"
        )

    assert scene.project.remote.head(BRANCH) == moved


# Git over HTTP beside the API


def push_over_http(scene: Scene, folder: Path, branch: str, *, force: bool = False) -> str:
    """Push a commit with our token as a person's git would, and return what git says."""
    address = scene.server.url.replace("://", f"://oauth2:{scene.bot.token}@")
    here = folder / branch.replace("/", "-")

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    here.mkdir()
    git("init", "--quiet")
    git("fetch", "--quiet", f"{address}/fleet/apps/web.git", "main")
    git("checkout", "--quiet", "-b", "work", "FETCH_HEAD")
    (here / "pushed.txt").write_text(branch, encoding="utf-8")
    git("add", ".")
    git("commit", "--quiet", "-m", "Push it")
    flags = ["--force"] if force else []
    return git("push", *flags, f"{address}/fleet/apps/web.git", f"HEAD:refs/heads/{branch}")


async def test_a_push_over_http_moves_the_proposals_head(scene: Scene, tmp_path: Path) -> None:
    opened = await scene.propose()

    push_over_http(scene, tmp_path, BRANCH, force=True)

    now = await scene.forge.proposal(opened.number)
    assert now.head == scene.project.remote.head(BRANCH) != opened.head


async def test_a_developer_does_not_push_to_the_protected_base(
    scene: Scene, tmp_path: Path
) -> None:
    before = scene.project.remote.head()

    said = push_over_http(scene, tmp_path, "main")

    assert "not allowed to push code to protected branches" in said
    assert scene.project.remote.head() == before


# Faults


async def test_an_open_whose_answer_was_lost_is_not_repeated(scene: Scene) -> None:
    scene.push()
    scene.server.plan(Fault(kind="drop-after", method="POST", path="merge_requests$"))

    with pytest.raises(UnavailableError):
        await scene.forge.open(BRANCH, "main", Text(title="web", body=""))

    assert len(scene.server.writes()) == 1
    assert [one.state for one in await scene.forge.proposals_of(BRANCH)] == [State.OPEN]


@pytest.mark.parametrize("kind", ["drop-before", "answer"])
async def test_a_read_is_asked_again(scene: Scene, kind: Literal["drop-before", "answer"]) -> None:
    scene.server.plan(Fault(kind=kind, method="GET", path="merge_requests$", status=502))

    assert (await scene.forge.listing()).complete


async def test_a_host_that_is_down_is_told_after_some_tries(scene: Scene) -> None:
    scene.server.stop()

    with pytest.raises(UnavailableError, match="cannot be reached") as caught:
        await scene.forge.comment(1, "hello")

    assert scene.forge.requests == 3
    assert scene.server.host in str(caught.value)


async def test_an_edit_is_asked_again(scene: Scene) -> None:
    opened = await scene.propose()
    scene.server.plan(Fault(kind="answer-after", method="PUT", status=500))

    await scene.forge.edit(opened.number, title="web 1.2.0", body="new")

    assert (await scene.forge.proposal(opened.number)).title == "web 1.2.0"


async def test_a_short_limit_is_waited_out(scene: Scene) -> None:
    scene.server.plan(Fault(kind="answer", status=429, headers={"Retry-After": "7"}))

    await scene.forge.account()

    assert scene.clock.waits == [7.0]


async def test_a_long_limit_stops_everything_without_asking(scene: Scene) -> None:
    scene.server.plan(Fault(kind="answer", status=429, headers={"Retry-After": "600"}))

    with pytest.raises(RateLimitedError) as caught:
        await scene.forge.account()
    with pytest.raises(RateLimitedError):
        await scene.forge.listing()

    assert caught.value.wait_s == 600
    assert len(scene.sent()) == 1


async def test_writes_keep_the_pace_that_was_asked_for(scene: Scene) -> None:
    forge = scene.open(scene.bot.token, pace_s=2.0)
    opened = await scene.propose()

    await forge.comment(opened.number, "one")
    await forge.comment(opened.number, "two")

    assert scene.clock.waits == [2.0]


def _without(name: str) -> Callable[[object], object]:
    def edit(body: object) -> object:
        if isinstance(body, list):
            return [edit(one) for one in body]
        assert isinstance(body, dict)
        return {key: value for key, value in body.items() if key != name}

    return edit


@pytest.mark.parametrize(
    "name",
    ["iid", "state", "title", "sha", "author", "source_branch", "target_branch", "draft", "labels"],
)
async def test_a_missing_field_is_no_answer(scene: Scene, name: str) -> None:
    opened = await scene.propose()
    scene.server.plan(Fault(kind="edit", path="merge_requests", edit=_without(name), times=2))

    with pytest.raises(NotUnderstoodError, match=name):
        await scene.forge.listing()
    with pytest.raises(NotUnderstoodError, match=name):
        await scene.forge.proposal(opened.number)


@pytest.mark.parametrize(
    "change", [{"state": "sleeping"}, {"iid": "1"}, {"labels": "a,b"}, {"draft": None}]
)
async def test_a_field_that_we_do_not_know_is_no_answer(
    scene: Scene, change: dict[str, object]
) -> None:
    opened = await scene.propose()
    scene.server.plan(
        Fault(kind="edit", path="merge_requests/", edit=lambda body: {**body, **change})
    )

    with pytest.raises(NotUnderstoodError):
        await scene.forge.proposal(opened.number)


async def test_a_page_of_html_is_no_answer(scene: Scene) -> None:
    scene.server.plan(Fault(kind="html", times=2))

    with pytest.raises(NotUnderstoodError):
        await scene.forge.account()
    with pytest.raises(NotUnderstoodError):
        await scene.forge.proposals_with("0" * 40)


async def test_a_missing_member_is_no_writer_and_a_missing_level_an_error(scene: Scene) -> None:
    assert await scene.forge.can_write("wanda")
    assert not await scene.forge.can_write("../members/all/1")
    scene.server.plan(Fault(kind="edit", path="members", edit=_without("access_level")))

    with pytest.raises(NotUnderstoodError):
        await scene.forge.can_write("wanda")


async def test_a_proposal_missing_from_listings_is_found_by_its_number(scene: Scene) -> None:
    scene.project.list_lag = 1
    opened = await scene.propose()

    assert (await scene.forge.listing()).proposals == ()
    assert (await scene.forge.proposal(opened.number)).state is State.OPEN
    assert len((await scene.forge.listing()).proposals) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 418, 422, 429, 500])
async def test_no_error_repeats_our_token(scene: Scene, status: int) -> None:
    said = {"message": f"bad token {scene.bot.token}"}
    scene.server.plan(Fault(kind="answer", status=status, body=said, times=9))

    with pytest.raises(ProductError) as caught:
        await scene.forge.comment(1, "hello")

    assert scene.bot.token not in f"{caught.value} {caught.value!r}"


async def test_a_project_that_is_hidden_is_not_gone(scene: Scene) -> None:
    outsider: Person = scene.server.add_person("otto")

    with pytest.raises(NotFoundError, match="no permission"):
        await scene.open(outsider.token).listing()


async def test_a_comment_without_an_id_is_no_comment(scene: Scene) -> None:
    opened = await scene.propose()
    comment: Comment = await scene.forge.comment(opened.number, "first")
    scene.server.plan(Fault(kind="edit", method="POST", edit=_without("id")))

    with pytest.raises(NotUnderstoodError):
        await scene.forge.comment(opened.number, "second")
    assert comment.body == "first"
