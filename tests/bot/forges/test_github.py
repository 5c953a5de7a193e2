"""What is GitHub's alone: Apps, Actions' token, rulesets and protection, limits, odd answers."""

import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.config.secret_refs import Secret
from bot.errors import (
    AccessError,
    ConfigError,
    ConflictError,
    ProductError,
    RefusedError,
    UnavailableError,
)
from bot.forges.answers import NotUnderstoodError
from bot.forges.forge import (
    CheckState,
    Forge,
    HeadMovedError,
    NotFoundError,
    Proposal,
    RateLimitedError,
    State,
    Text,
)
from bot.forges.github import GitHubAuth, GitHubForge, open_github
from bot.forges.github_address import api_url_of
from bot.forges.sync_door import Gate
from bot.telemetry import redact
from tests.bot.forges.harness import START_FILES
from tests.bot.forges.harness_github import check_rule, review_rule
from tests.servers.certificates import Authority
from tests.servers.github import GitHub
from tests.servers.github_faults import Fault
from tests.servers.github_state import Account, App, Protection
from tests.servers.http_thread import HttpThread, Response, SeenRequest

BRANCH = "pilotfish/web"
CHANGED = {"apps/web.yaml": b"image: example.test/web:1.1.0\n"}
GRANTED = {
    "contents": "write",
    "pull_requests": "write",
    "issues": "write",
    "statuses": "write",
    "checks": "read",
    "metadata": "read",
    "administration": "write",
}


class PassingClock:
    """Passes every wait at once, notes it, and tells the host's time."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.start = datetime.now(UTC)
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds - 1000.0)

    def monotonic_s(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds


class Situation:
    """A repository with a branch of ours on it, and forges as different credentials see it."""

    def __init__(self, host: GitHub) -> None:
        self.host = host
        self.clock = PassingClock()
        host.tell_time = self.clock.now
        self.bot: Account = host.create_account("pilotfish-bot")
        self.writer: Account = host.create_account("wanda")
        self.repository = host.create_repository(
            "app", START_FILES, roles={self.bot: "write", self.writer: "write"}
        )
        self.head = self.push(BRANCH)
        self.opened: list[GitHubForge] = []

    def push(self, branch: str, content: bytes = CHANGED["apps/web.yaml"]) -> str:
        return self.repository.push(
            {"apps/web.yaml": content},
            by=self.bot,
            branch=branch,
            start=None if self.repository.branch(branch) else "main",
        )

    def forge(self, token: str = "", *, auth: GitHubAuth | None = None) -> GitHubForge:
        auth = auth or GitHubAuth(token=Secret(token or self.bot.token))
        made = open_github(
            self.host.url, self.repository.full_name, auth=auth, clock=self.clock, pace_s=0.0
        )
        self.opened.append(made)
        return made

    def app(self, **permissions: str) -> App:
        return self.host.create_app(permissions={**GRANTED, **permissions})

    def forge_of(self, app: App) -> GitHubForge:
        auth = GitHubAuth(app_id=str(app.id), private_key=Secret(app.private_key))
        return self.forge(auth=auth)

    def asked(self, part: str) -> list[SeenRequest]:
        return [one for one in self.host.api_requests() if part in one.path]


@pytest.fixture
async def situation(github: GitHub) -> AsyncIterator[Situation]:
    made = Situation(github)
    yield made
    for one in made.opened:
        await one.aclose()


async def propose(forge: GitHubForge, branch: str = BRANCH) -> Proposal:
    return await forge.open(branch, "main", Text(title="web", body="Updates web."))


def say(status: int, body: bytes = b"{}", *headers: tuple[str, str]) -> Fault:
    kind = ("Content-Type", "application/json; charset=utf-8")
    return Fault(answer=Response(status=status, headers=[kind, *headers], body=body))


def everywhere(path: str, fault: Fault) -> Callable[[SeenRequest], Fault | None]:
    return lambda request: fault if request.path.endswith(path) else None


# who we are


def test_it_is_a_forge(situation: Situation) -> None:
    forge: Forge = situation.forge()

    assert (forge.kind, forge.abilities.word, forge.abilities.sign) == (
        "github",
        "pull request",
        "#",
    )


@pytest.mark.parametrize(
    ("host", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://GitHub.com/", "https://api.github.com"),
        ("https://fleet.ghe.com", "https://api.fleet.ghe.com"),
        ("https://ghe.example.test", "https://ghe.example.test/api/v3"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/api/v3"),
    ],
)
def test_the_api_is_found_by_the_host(host: str, api: str) -> None:
    assert api_url_of(host) == api


@pytest.mark.parametrize("path", ["", "fleet", "fleet/", "/app", "fleet/apps/web"])
def test_a_path_that_is_no_repository_is_a_fault(path: str) -> None:
    auth = GitHubAuth(token=Secret("ghp_0123456789"))
    with pytest.raises(ConfigError, match="no repository of GitHub's"):
        open_github("https://github.com", path, auth=auth, clock=PassingClock())


@pytest.mark.parametrize("auth", [GitHubAuth(), GitHubAuth(app_id="7")])
def test_no_credential_is_a_fault_with_a_way_out(auth: GitHubAuth) -> None:
    with pytest.raises(ConfigError, match="kind: plain"):
        open_github("https://github.com", "fleet/app", auth=auth, clock=PassingClock())


def test_pygithub_is_not_loaded_before_it_is_used() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, bot.forges.github; print('github' in sys.modules, 'requests' in "
            "sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.split() == ["False", "False"]


async def test_a_classic_token_is_told_by_its_scopes(situation: Situation) -> None:
    account = await situation.forge().account()

    assert (account.login, account.kind) == ("pilotfish-bot", "classic")


async def test_actions_own_token_is_known_and_warned_of(situation: Situation) -> None:
    token = situation.host.make_actions_token(situation.repository)
    forge = situation.forge(token.value)

    account = await forge.account()
    findings = await forge.preflight("main")

    assert (account.login, account.kind) == ("github-actions[bot]", "actions")
    (warned,) = [one for one in findings if not one.ok and "GITHUB_TOKEN" in one.what]
    assert "GitHub App" in warned.fix


async def test_actions_that_may_not_open_are_told_the_setting(situation: Situation) -> None:
    token = situation.host.make_actions_token(situation.repository)
    forge = situation.forge(token.value)

    with pytest.raises(AccessError, match="Allow GitHub Actions to create and approve"):
        await propose(forge)

    situation.repository.settings.actions_may_open = True
    assert (await propose(forge)).ours


async def test_a_missing_permission_is_named(situation: Situation) -> None:
    token = situation.host.make_token(
        situation.bot, permissions={"contents": "write", "pull_requests": "read"}
    )

    with pytest.raises(AccessError, match="Let the token have pull requests: write"):
        await propose(situation.forge(token.value))


async def test_a_token_of_another_repository_sees_nothing(situation: Situation) -> None:
    token = situation.host.make_token(situation.bot, repositories=["fleet/other"])

    with pytest.raises(NotFoundError, match="not found, or no permission to see it"):
        await situation.forge(token.value).listing()


# an App


async def test_an_app_acts_by_a_token_for_one_repository(situation: Situation) -> None:
    app = situation.app()
    situation.host.create_repository("other", START_FILES)
    forge = situation.forge_of(app)

    opened = await propose(forge)

    assert (await forge.account()).login == "updates[bot]"
    assert opened.ours
    made = situation.host.tokens[await forge.git_token()]
    assert made.repositories == frozenset({situation.repository.full_name})
    assert made.permissions is not None
    assert dict(made.permissions) == {
        name: level for name, level in GRANTED.items() if name != "administration"
    }


async def test_an_apps_token_may_start_workflows_and_change_their_files(
    situation: Situation,
) -> None:
    situation.repository.workflows.append("ci.yml")
    forge = situation.forge_of(situation.app(actions="write", workflows="write"))

    await forge.start_workflow("ci.yml", BRANCH)

    made = situation.host.tokens[await forge.git_token()]
    assert made.permissions is not None
    assert made.permissions["workflows"] == "write"


async def test_an_app_asks_for_no_more_than_it_was_granted(situation: Situation) -> None:
    app = situation.host.create_app(permissions={"contents": "read", "metadata": "read"})
    forge = situation.forge_of(app)

    made = situation.host.tokens[await forge.git_token()]

    assert made.permissions is not None
    assert dict(made.permissions) == {"contents": "read", "metadata": "read"}
    missing = [one.what for one in await forge.preflight("main") if not one.ok]
    assert "the GitHub App lacks contents and pull requests to write" in missing


async def test_an_apps_token_is_renewed_at_four_fifths_of_its_life(situation: Situation) -> None:
    forge = situation.forge_of(situation.app())
    first = await forge.git_token()

    situation.clock.seconds += 2870
    assert await forge.git_token() == first
    situation.clock.seconds += 20
    second = await forge.git_token()

    assert second != first
    assert len(situation.asked("/access_tokens")) == 2
    assert len(situation.asked("/installation")) == 4  # found twice, two tokens


async def test_an_apps_token_that_is_refused_is_renewed_once(situation: Situation) -> None:
    forge = situation.forge_of(situation.app())
    situation.host.tokens[await forge.git_token()].revoked = True

    assert (await propose(forge)).ours

    assert len(situation.asked("/access_tokens")) == 2


async def test_a_given_token_that_is_refused_is_not_asked_again(situation: Situation) -> None:
    forge = situation.forge()
    situation.host.tokens[situation.bot.token].revoked = True

    with pytest.raises(AccessError, match="give a new one"):
        await forge.listing()

    assert forge.requests == 1


async def test_a_key_that_is_none_is_a_fault(situation: Situation) -> None:
    auth = GitHubAuth(app_id="1", private_key=Secret("no key at all"))

    with pytest.raises(ConfigError, match="private key") as caught:
        await situation.forge(auth=auth).listing()

    assert "no key at all" not in str(caught.value)


async def test_an_app_that_is_suspended_is_told(situation: Situation) -> None:
    since = {"suspended_at": "2026-03-02T09:00:00Z"}
    situation.host.faults.change(lambda found: {**found, **since}, path="/installation$")

    with pytest.raises(AccessError, match="suspended"):
        await situation.forge_of(situation.app()).listing()


async def test_an_app_that_is_not_installed_is_told(situation: Situation) -> None:
    app = situation.host.create_app(permissions=GRANTED, repositories=[])

    with pytest.raises(NotFoundError):
        await situation.forge_of(app).listing()


# what the base demands


async def test_a_ruleset_is_read_by_anybody(situation: Situation) -> None:
    situation.repository.rule(
        "main",
        pull_request={**review_rule(2), "allowed_merge_methods": ["squash", "rebase"]},
        required_status_checks=check_rule(["ci/test", "ci/lint"], strict=True),
        required_signatures={},
        required_linear_history={},
    )
    rules = await situation.forge().rules("main")

    assert rules.known
    assert rules.required_checks == ("ci/test", "ci/lint")
    assert rules.required_approvals == 2
    assert rules.requires_signatures
    assert rules.requires_up_to_date
    assert rules.merge_method == "squash"


async def test_classic_protection_is_read_whole_by_an_admin(situation: Situation) -> None:
    situation.repository.set_role(situation.bot, "admin")
    situation.repository.protect(
        "main",
        Protection(checks=("ci/test",), strict=True, approvals=1, signatures=True, linear=True),
    )

    rules = await situation.forge().rules("main")

    assert rules.known
    assert rules.required_checks == ("ci/test",)
    assert (rules.required_approvals, rules.requires_signatures) == (1, True)
    assert (rules.requires_up_to_date, rules.merge_method) == (True, "squash")


async def test_classic_protection_is_told_to_whoever_may_push(situation: Situation) -> None:
    situation.repository.protect(
        "main", Protection(checks=("ci/test",), approvals=1, signatures=True, linear=True)
    )

    rules = await situation.forge().rules("main")

    assert rules.known
    assert rules.required_checks == ("ci/test",)
    assert (rules.required_approvals, rules.requires_signatures) == (1, True)
    assert rules.merge_method == "squash"


async def test_what_is_not_told_is_not_taken_for_nothing(situation: Situation) -> None:
    situation.repository.protect("main", Protection(checks=("ci/test",), approvals=1))
    situation.host.faults.fail(403, path="/graphql$", message="Forbidden")
    forge = situation.forge()

    rules = await forge.rules("main")

    assert not rules.known
    assert rules.required_checks == ("ci/test",)
    assert [one for one in await forge.preflight("main") if "not all that main" in one.what]


async def test_an_enterprise_host_without_rulesets_is_not_known(situation: Situation) -> None:
    situation.host.faults.fail(404, path="/rules/branches/main$", message="Not Found")

    assert not (await situation.forge().rules("main")).known


async def test_a_plan_without_rules_has_none(situation: Situation) -> None:
    said = "Upgrade to GitHub Pro or make this repository public to enable this feature."
    situation.host.faults.fail(403, path="/rules/branches/main$", message=said)

    assert (await situation.forge().rules("main")).known


@pytest.mark.parametrize(
    ("forbidden", "method"),
    [
        ((), "merge"),
        (("allow_merge_commit",), "squash"),
        (("allow_merge_commit", "allow_squash_merge"), "rebase"),
    ],
)
async def test_the_way_of_merging_is_one_that_is_allowed(
    situation: Situation, forbidden: tuple[str, ...], method: str
) -> None:
    for name in forbidden:
        setattr(situation.repository.settings, name, False)
    forge = situation.forge()

    assert (await forge.rules("main")).merge_method == method
    await forge.merge(await propose(forge), title="Update web", message="Because.")

    assert situation.repository.pulls()[0].merged


async def test_preflight_tells_what_blocks_our_branches(situation: Situation) -> None:
    situation.repository.rule("pilotfish/*", non_fast_forward={}, required_signatures={})

    found = [one for one in await situation.forge().preflight("main") if not one.ok]

    assert any("forbids force-pushes" in one.what for one in found)
    assert any("demands signed commits" in one.what for one in found)
    assert all("pilotfish/**" in one.fix for one in found)


async def test_preflight_tells_of_an_archive_and_of_no_right(situation: Situation) -> None:
    situation.repository.settings.archived = True
    situation.repository.set_role(situation.bot, "read")

    found = [one.what for one in await situation.forge().preflight("main") if not one.ok]

    assert any("archived" in one for one in found)
    assert any("may not push" in one for one in found)


async def test_preflight_of_an_app_tells_what_goes_on_by_itself(situation: Situation) -> None:
    situation.repository.settings.has_issues = False
    situation.repository.rule(
        "main",
        required_status_checks=check_rule(["ci/test"]),
        required_signatures={},
        pull_request=review_rule(1),
    )

    found = await situation.forge_of(situation.app()).preflight("main")

    assert [one.what for one in found if not one.ok] == [
        "issues are turned off, so there can be no dashboard"
    ]
    told = " ".join(one.what for one in found)
    assert "the token is of the kind: app" in told
    assert "the GitHub App may write contents and pull requests" in told
    assert "demands signed commits; GitHub makes and signs ours" in told
    assert "auto-merge is off" in told


async def test_a_classic_token_without_the_scope_is_warned_of(situation: Situation) -> None:
    def narrow(answer: Response) -> Response:
        kept = [row for row in answer.headers if row[0].lower() != "x-oauth-scopes"]
        return replace(answer, headers=[*kept, ("X-OAuth-Scopes", "read:user, gist")])

    situation.host.faults.chooser = lambda _: Fault(spoil=narrow)

    found = [one.what for one in await situation.forge().preflight("main") if not one.ok]

    assert found == ["the token lacks the scope repo"]


# merging


async def test_an_admins_token_passes_no_rule(situation: Situation) -> None:
    situation.repository.set_role(situation.bot, "admin")
    situation.repository.protect("main", Protection(checks=("ci/test",)))
    forge = situation.forge()
    opened = await propose(forge)

    with pytest.raises(RefusedError, match="demands what is not there yet"):
        await forge.merge(opened, title="Update web", message="")

    assert not [one for one in situation.host.written if one.path.endswith("/merge")]


async def test_github_is_given_time_to_work_out_whether_it_can_be_merged(
    situation: Situation,
) -> None:
    forge = situation.forge()
    opened = await propose(forge)
    unknown = {"mergeable": None, "mergeable_state": "unknown"}
    situation.host.faults.change(lambda found: {**found, **unknown}, "GET", r"/pulls/\d+$", 2)

    await forge.merge(opened, title="Update web", message="")

    assert situation.clock.waits == [2.0, 2.0]
    assert situation.repository.pull(opened.number).merged


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("unknown", UnavailableError),
        ("dirty", RefusedError),
        ("behind", RefusedError),
        ("draft", RefusedError),
        ("brand-new", NotUnderstoodError),
    ],
)
async def test_what_cannot_be_merged_now_is_not_asked_for(
    situation: Situation, word: str, kind: type[ProductError]
) -> None:
    forge = situation.forge()
    opened = await propose(forge)
    state = {"mergeable_state": word}
    situation.host.faults.change(lambda found: {**found, **state}, "GET", r"/pulls/\d+$", 9)

    with pytest.raises(kind):
        await forge.merge(opened, title="Update web", message="")

    assert not [one for one in situation.host.written if one.path.endswith("/merge")]


async def test_a_head_that_moves_in_the_last_moment_is_not_merged(situation: Situation) -> None:
    forge = situation.forge()
    opened = await propose(forge)
    situation.host.faults.before(
        lambda: situation.push(BRANCH, b"by a person\n"), "PUT", r"/merge$"
    )

    with pytest.raises(HeadMovedError):
        await forge.merge(opened, title="Update web", message="")

    assert situation.repository.pull(opened.number).open


async def test_a_proposal_with_another_base_is_not_merged(situation: Situation) -> None:
    situation.push("release", b"image: example.test/web:0.9.0\n")
    forge = situation.forge()
    opened = await propose(forge)
    situation.repository.retarget(opened.number, "release")

    with pytest.raises(HeadMovedError, match="its head or its base"):
        await forge.merge(opened, title="Update web", message="")


async def test_automerge_of_what_waits_for_nothing_merges_at_once(situation: Situation) -> None:
    situation.repository.settings.allow_auto_merge = True
    situation.repository.rule("main", required_status_checks=check_rule(["ci/test"]))
    forge = situation.forge()
    opened = await propose(forge)
    situation.repository.set_status(opened.head, "ci/test")

    await forge.automerge(opened, wanted=True)

    assert situation.repository.pull(opened.number).merged


async def test_automerge_goes_through_the_merge_queue(situation: Situation) -> None:
    situation.repository.settings.allow_auto_merge = True
    queue = {
        "check_response_timeout_minutes": 60,
        "grouping_strategy": "ALLGREEN",
        "max_entries_to_build": 5,
        "max_entries_to_merge": 5,
        "merge_method": "MERGE",
        "min_entries_to_merge": 1,
        "min_entries_to_merge_wait_minutes": 5,
    }
    situation.repository.rule("main", merge_queue=queue)
    forge = situation.forge()
    opened = await propose(forge)

    with pytest.raises(RefusedError, match="merge queue"):
        await forge.merge(opened, title="Update web", message="")
    await forge.automerge(opened, wanted=True)

    assert (await forge.rules("main")).merge_queue
    assert situation.repository.pull(opened.number).merged


async def test_what_must_wait_for_the_merge_queue_is_merged_through_it_later(
    situation: Situation,
) -> None:
    situation.repository.settings.allow_auto_merge = True
    situation.repository.rule(
        "main", merge_queue={}, required_status_checks=check_rule(["ci/test"])
    )
    forge = situation.forge()
    opened = await propose(forge)

    await forge.automerge(opened, wanted=True)
    waiting = await forge.proposal(opened.number)
    situation.repository.set_status(BRANCH, "ci/test", "success")

    assert (waiting.state, waiting.automerge) == (State.OPEN, True)
    assert situation.repository.pull(opened.number).merged


async def test_what_is_in_the_merge_queue_is_left_there(situation: Situation) -> None:
    forge, opened = await queued(situation)
    asked = len(situation.asked("/graphql"))

    await forge.automerge(opened, wanted=True)

    assert len(situation.asked("/graphql")) == asked + 1
    assert situation.repository.pull(opened.number).queued


async def test_what_is_in_the_merge_queue_is_taken_out_again(situation: Situation) -> None:
    forge, opened = await queued(situation)
    assert not (await forge.proposal(opened.number)).automerge

    await forge.automerge(opened, wanted=False)

    assert situation.repository.pull(opened.number).queued is None
    await forge.automerge(opened, wanted=False)


async def queued(situation: Situation) -> tuple[GitHubForge, Proposal]:
    """Return a proposal in a merge queue that others are before in."""
    settings = situation.repository.settings
    settings.allow_auto_merge = settings.queue_is_busy = True
    situation.repository.rule("main", merge_queue={})
    forge = situation.forge()
    opened = await propose(forge)
    await forge.automerge(opened, wanted=True)
    assert situation.repository.pull(opened.number).queued
    return forge, opened


async def test_automerge_that_is_turned_off_is_refused(situation: Situation) -> None:
    situation.repository.rule("main", required_status_checks=check_rule(["ci/test"]))
    forge = situation.forge()

    with pytest.raises(RefusedError, match="not allowed for this repository"):
        await forge.automerge(await propose(forge), wanted=True)


# commits that GitHub makes and signs


async def test_a_commit_is_signed_by_github(situation: Situation) -> None:
    made = await situation.forge().commit(
        "pilotfish-commit/web",
        start=situation.repository.branch("main") or "",
        files=CHANGED,
        message="web\n\nBecause.",
    )

    assert made in situation.repository.verified


async def test_a_branch_that_is_left_where_it_began_is_used(situation: Situation) -> None:
    start = situation.repository.branch("main") or ""
    situation.repository.reset_branch("pilotfish-commit/web", start)

    made = await situation.forge().commit(
        "pilotfish-commit/web", start=start, files=CHANGED, message="web"
    )

    assert situation.repository.branch("pilotfish-commit/web") == made


async def test_a_branch_that_is_left_elsewhere_is_not_touched(situation: Situation) -> None:
    start = situation.repository.branch("main") or ""
    with pytest.raises(ConflictError, match="is there already"):
        await situation.forge().commit(BRANCH, start=start, files=CHANGED, message="web")

    assert situation.repository.branch(BRANCH) == situation.head


async def test_a_branch_that_moves_meanwhile_gets_no_commit(situation: Situation) -> None:
    start = situation.repository.branch("main") or ""
    situation.host.faults.before(
        lambda: situation.push("pilotfish-commit/web", b"by another\n"), "POST", r"/graphql$"
    )

    with pytest.raises(HeadMovedError):
        await situation.forge().commit(
            "pilotfish-commit/web", start=start, files=CHANGED, message="web"
        )


# what is asked, and how often


async def test_a_new_proposal_takes_one_request_and_its_labels_another(
    situation: Situation,
) -> None:
    forge = situation.forge()
    await forge.account()
    before = forge.requests

    opened = await propose(forge)
    await forge.set_labels(opened.number, add=["images", "minor"])

    assert forge.requests - before == 2
    assert len(situation.host.api_requests()) == forge.requests


async def test_reviewers_who_cannot_be_asked_do_not_undo_a_proposal(situation: Situation) -> None:
    forge = situation.forge()
    text = Text(title="web", body="", reviewers=("nobody-there", "fleet/team"))

    opened = await forge.open(BRANCH, "main", text)

    assert (await forge.proposal(opened.number)).state is State.OPEN


async def test_a_listing_holds_all_that_are_open_and_says_what_it_left_out(
    situation: Situation,
) -> None:
    for number in range(130):
        made = situation.repository.open_pull(f"no {number}", branch=BRANCH, by=situation.writer)
        if number < 100:
            continue
        situation.repository.close(made.number)
    forge = situation.forge()

    short = await forge.listing()
    for number in range(71):
        made = situation.repository.open_pull(f"no {number}", branch=BRANCH, by=situation.writer)
        situation.repository.close(made.number)
    long = await forge.listing()

    states = [one.state for one in short.proposals]
    assert (states.count(State.OPEN), states.count(State.CLOSED)) == (100, 30)
    assert short.complete
    assert not long.complete


async def test_a_page_from_which_github_left_something_out_is_not_the_last(
    situation: Situation,
) -> None:
    for number in range(101):
        situation.repository.open_pull(f"no {number}", branch=BRANCH, by=situation.writer)
    situation.host.faults.change(lambda found: found[1:], "GET", "/pulls$")

    found = await situation.forge().listing()

    assert len(found.proposals) == 100


async def test_a_fork_with_the_same_branch_is_not_our_repository(situation: Situation) -> None:
    fork = situation.host.fork(situation.repository, by=situation.host.create_account("otto"))
    fork.push({"x": b"y"}, branch=BRANCH, by=fork.owner)
    made = situation.repository.open_pull(
        "web", branch=BRANCH, by=situation.bot, head_repository=fork
    )
    forge = situation.forge()

    assert not (await forge.proposal(made.number)).own_repository
    assert await forge.proposals_of(BRANCH) == []


async def test_checks_come_from_statuses_and_runs(situation: Situation) -> None:
    set_status = situation.repository.set_status
    set_status(BRANCH, "both", "success")
    set_status(BRANCH, "both", "failure", run=True)
    set_status(BRANCH, "run", "failure", run=True)
    set_status(BRANCH, "run", "neutral", run=True)
    set_status(BRANCH, "runs", "in_progress", run=True)

    found = {one.name: one.state for one in await situation.forge().checks(situation.head)}

    assert found == {
        "both": CheckState.FAILED,
        "run": CheckState.PASSED,
        "runs": CheckState.PENDING,
    }


async def test_jobs_of_one_name_in_two_workflows_both_count(situation: Situation) -> None:
    set_status = situation.repository.set_status
    set_status(BRANCH, "build", "failure", run=True, suite=1)
    set_status(BRANCH, "build", "success", run=True, suite=2)

    (found,) = await situation.forge().checks(situation.head)

    assert found.state is CheckState.FAILED


async def test_a_run_that_a_newer_one_cancelled_does_not_count(situation: Situation) -> None:
    set_status = situation.repository.set_status
    set_status(BRANCH, "build", "cancelled", run=True, suite=1)
    set_status(BRANCH, "build", "success", run=True, suite=2)
    set_status(BRANCH, "lint", "cancelled", run=True, suite=2)

    found = {one.name: one.state for one in await situation.forge().checks(situation.head)}

    assert found == {"build": CheckState.PASSED, "lint": CheckState.FAILED}


async def test_an_approval_of_an_older_head_does_not_count(situation: Situation) -> None:
    forge = situation.forge()
    opened = await propose(forge)
    situation.repository.review(opened.number, by=situation.writer)
    assert await forge.approvers(opened.number) == ("wanda",)

    situation.push(BRANCH, b"image: example.test/web:1.2.0\n")

    assert await forge.approvers(opened.number) == ()


async def test_a_workflow_is_started_on_a_branch(situation: Situation) -> None:
    situation.repository.workflows.append("ci.yml")

    await situation.forge().start_workflow("ci.yml", BRANCH)

    (started,) = situation.repository.dispatches
    assert (started.workflow, started.ref) == ("ci.yml", BRANCH)
    with pytest.raises(NotFoundError):
        await situation.forge().start_workflow("other.yml", BRANCH)


# limits and faults


async def test_writes_are_a_second_apart_unless_told_otherwise(situation: Situation) -> None:
    forge = open_github(
        situation.host.url,
        situation.repository.full_name,
        auth=GitHubAuth(token=Secret(situation.bot.token)),
        clock=situation.clock,
    )
    situation.opened.append(forge)

    opened = await propose(forge)
    await forge.edit(opened.number, title="a", body="")
    await forge.edit(opened.number, title="b", body="")

    assert situation.clock.waits == [1.0, 1.0]


async def test_a_primary_limit_that_ends_soon_is_waited_for(situation: Situation) -> None:
    situation.host.faults.exhaust(path="/user$", reset_in_s=30)

    assert (await situation.forge().account()).login == "pilotfish-bot"

    (waited_s,) = situation.clock.waits
    assert 28 < waited_s <= 30


async def test_a_primary_limit_that_lasts_stops_the_credential(situation: Situation) -> None:
    gate = Gate(situation.clock)
    auth = GitHubAuth(token=Secret(situation.bot.token))
    one, other = (
        open_github(
            situation.host.url,
            situation.repository.full_name,
            auth=auth,
            clock=situation.clock,
            gate=gate,
        )
        for _ in range(2)
    )
    situation.opened += [one, other]
    situation.host.faults.exhaust(path="/user$", reset_in_s=1800)

    for forge in (one, other, one):
        with pytest.raises(RateLimitedError) as stopped:
            await propose(forge)
        assert stopped.value.wait_s is not None
        assert stopped.value.wait_s > 1700

    assert len(situation.host.api_requests()) == 1


@pytest.mark.parametrize("status", [403, 429])
async def test_a_secondary_limit_repeats_the_write_later(situation: Situation, status: Any) -> None:
    situation.host.faults.tire("POST", "/pulls$", status=status)

    await propose(situation.forge())

    assert situation.clock.waits == [60.0]
    assert len(situation.repository.pulls()) == 1


async def test_a_reset_in_the_past_counts_as_a_minute(situation: Situation) -> None:
    situation.host.faults.exhaust(path="/user$", reset_in_s=-500)

    await situation.forge().account()

    assert situation.clock.waits == [60.0]


async def test_a_lost_answer_to_opening_is_told_and_opens_nothing_twice(
    situation: Situation,
) -> None:
    forge = situation.forge()
    situation.host.faults.drop_answer("POST", "/pulls$")

    with pytest.raises(UnavailableError):
        await propose(forge)

    (found,) = await forge.proposals_of(BRANCH)
    assert found.ours
    assert len(situation.repository.pulls()) == 1


async def test_a_lost_answer_to_an_edit_is_asked_again(situation: Situation) -> None:
    forge = situation.forge()
    opened = await propose(forge)
    situation.host.faults.drop_answer("PATCH")

    await forge.edit(opened.number, title="another", body="")

    assert (await forge.proposal(opened.number)).title == "another"


async def test_a_read_outlives_two_faults(situation: Situation) -> None:
    situation.host.faults.fail(502, "GET", "/pulls$")
    situation.host.faults.drop_request("GET", "/pulls$")

    assert (await situation.forge().listing()).proposals == ()


async def test_a_host_that_is_away_is_told_without_a_repeat_in_the_thread(
    situation: Situation,
) -> None:
    forge = situation.forge()
    situation.host.stop()

    with pytest.raises(UnavailableError, match="it cannot be reached"):
        await forge.listing()

    assert situation.clock.waits == [1.0, 2.0]
    situation.host.start()


async def test_a_repository_that_moved_is_not_followed(situation: Situation) -> None:
    to = f"{situation.host.api_url}/repositories/7/pulls"
    situation.host.faults.chooser = everywhere("/pulls", say(301, b"{}", ("Location", to)))

    with pytest.raises(AccessError, match="has moved"):
        await situation.forge().listing()

    assert not situation.asked("/repositories/7")


@pytest.mark.parametrize("path", ["/user$", "/pulls$"])
async def test_a_page_instead_of_an_answer_is_not_understood(
    situation: Situation, path: str
) -> None:
    situation.host.faults.show_page(path=path, times=5)

    with pytest.raises(NotUnderstoodError, match="maintenance page") as caught:
        await situation.forge().listing()

    assert situation.repository.full_name in caught.value.where


PROMISED = (
    *("number", "html_url", "state", "title", "body", "head", "base", "user", "created_at"),
    *("closed_at", "merged_at", "merge_commit_sha", "labels", "auto_merge", "node_id"),
)


@pytest.mark.parametrize("name", PROMISED)
async def test_a_field_that_is_missing_is_never_a_default(situation: Situation, name: str) -> None:
    forge = situation.forge()
    await propose(forge)
    situation.host.faults.leave_out(name, "GET", "/pulls$", 2)
    if name == "merge_commit_sha":
        situation.repository.merge(1)

    with pytest.raises(NotUnderstoodError, match=f"{name} is missing"):
        await forge.listing()


async def test_an_answer_about_another_repository_is_not_believed(situation: Situation) -> None:
    forge = situation.forge()
    opened = await propose(forge)

    def moved(found: dict[str, Any]) -> dict[str, Any]:
        base = {**found["base"], "repo": {**found["base"]["repo"], "full_name": "evil/app"}}
        return {**found, "base": base}

    situation.host.faults.change(moved, "GET", r"/pulls/\d+$")

    with pytest.raises(NotUnderstoodError, match="another repository"):
        await forge.proposal(opened.number)


async def test_an_answer_about_another_person_gives_no_right(situation: Situation) -> None:
    def swapped(found: dict[str, Any]) -> dict[str, Any]:
        return {**found, "user": {**found["user"], "login": "wanda"}, "permission": "admin"}

    situation.host.create_account("otto")
    situation.host.faults.change(swapped, "GET", "/permission$")

    with pytest.raises(NotUnderstoodError, match="another person"):
        await situation.forge().can_write("otto")


async def test_an_address_in_an_answer_is_never_asked(situation: Situation) -> None:
    class Trap(HttpThread):
        def respond(self, request: SeenRequest) -> Response | None:
            return Response(body=b"[]")

    trap = Trap()
    trap.start()
    try:
        for _ in range(120):
            situation.repository.open_pull("no", branch=BRANCH, by=situation.writer)

        def lead_away(text: str) -> str:
            return text.replace(situation.host.url, trap.url)

        def spoil(answer: Response) -> Response:
            return Response(
                status=answer.status,
                headers=[(name, lead_away(value)) for name, value in answer.headers],
                body=lead_away(answer.body.decode()).encode(),
            )

        situation.host.faults.chooser = lambda request: Fault(spoil=spoil)
        forge = situation.forge()
        found = await forge.listing()
        opened = await propose(forge, situation_branch(situation))
        await forge.edit(opened.number, title="b", body="")
        await forge.comment(opened.number, "c")
    finally:
        trap.stop()

    assert len(found.proposals) == 120
    assert trap.requests == []


def situation_branch(situation: Situation) -> str:
    situation.push("pilotfish/other")
    return "pilotfish/other"


async def test_no_error_shows_a_token_even_where_github_says_it(situation: Situation) -> None:
    app = situation.app()
    canaries = [situation.bot.token]
    forges = [situation.forge(), situation.forge_of(app)]
    canaries.append(await forges[1].git_token())
    texts: list[str] = []

    for forge, canary in zip(forges, canaries, strict=True):
        for status in (400, 401, 403, 404, 409, 410, 418, 422, 429, 500):
            body = f'{{"message": "Token {canary} is bad", "errors": ["{canary}"]}}'.encode()
            situation.host.faults.chooser = lambda _, s=status, b=body: say(s, b)
            for call in (forge.proposal(1), forge.rules("main"), propose(forge)):
                try:
                    await call
                except ProductError as fault:
                    texts += [str(fault), repr(fault), fault.where, repr(fault.__cause__)]
                situation.clock.seconds += 4000
        situation.host.faults.chooser = None

    assert len(texts) > 100
    assert not [one for one in texts for canary in canaries if canary in one]


async def test_no_log_shows_a_token(situation: Situation, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    forge = situation.forge_of(situation.app())

    await propose(forge)

    assert caplog.records  # the transport below says what it asks
    assert await forge.git_token() not in caplog.text


async def test_tokens_that_ran_out_are_not_masked_for_ever(situation: Situation) -> None:
    forge = situation.forge_of(situation.app())
    tokens = []
    for _ in range(4):
        tokens.append(await forge.git_token())
        situation.clock.seconds += 3600

    assert [redact(one) == one for one in tokens] == [True, True, False, False]


# a private authority


class _User(HttpThread):
    def respond(self, request: SeenRequest) -> Response | None:
        kind = ("Content-Type", "application/json; charset=utf-8")
        return Response(headers=[kind], body=b'{"login": "pilotfish-bot"}')


async def test_a_private_authority_is_trusted_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path / "ours")
    other = Authority(tmp_path / "other")
    signed = authority.sign_server()
    host = _User(certificate=signed.certificate, key=signed.key)
    host.start()
    auth = GitHubAuth(token=Secret("a-token"))
    monkeypatch.setitem(os.environ, "REQUESTS_CA_BUNDLE", str(other.ca_file))
    try:
        stranger = open_github(host.url, "fleet/app", auth=auth, clock=PassingClock())
        ours = open_github(
            host.url, "fleet/app", auth=auth, clock=PassingClock(), ca=str(authority.ca_file)
        )
        with pytest.raises(AccessError, match="its certificate is not trusted"):
            await stranger.account()
        assert (await ours.account()).login == "pilotfish-bot"
        await stranger.aclose()
        await ours.aclose()
    finally:
        host.stop()
