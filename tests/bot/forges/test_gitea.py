"""What is Gitea's alone: its answers by type, its statuses as errors, its rules, its pages.

What it shares with other forges stands in test_contract.py. Answers were recorded from
Gitea 1.26.
"""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.config.secret_refs import Secret
from bot.errors import AccessError, ConflictError, RefusedError, UnavailableError
from bot.forges.answers import NotUnderstoodError, Row
from bot.forges.forge import (
    AlreadyOpenError,
    CheckState,
    Links,
    RateLimitedError,
    State,
    Status,
    Text,
)
from bot.forges.gitea import GiteaAuth, GiteaForge, open_gitea
from bot.forges.gitea_answers import (
    covers,
    read_approvers,
    read_checks,
    read_comment,
    read_issue,
    read_proposal,
    read_rules,
)
from bot.http_client.client import HttpClient
from bot.http_client.exchange import Access
from bot.planning.metadata import Metadata, read_metadata, write_metadata
from tests.bot.forges.harness_gitea import GiteaUnderTest, open_under_test
from tests.bot.registry.situations import MovedClock
from tests.servers.scripted import Scripted

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "cases" / "gitea_answers.json").read_text(encoding="utf-8")
)
LINKS = Links(web="https://gitea.example.test/fleet-admin/fleet", style="gitea")
TOKEN = "canary-3b1f5a-token-of-the-forge"
API = "/api/v1/repos/o/r"
CHANGED = {"apps/web.yaml": b"image: example.test/web:1.1.0\n"}


def row(name: str) -> Row:
    return Row(RECORDED[name], place=name)


def rules_of(branch: Row, repository: Row | None = None, protection: Row | None = None) -> object:
    return read_rules(repository or row("repository"), branch, [protection or row("protection")])


READERS: dict[str, Callable[[Row], object]] = {
    "pull": lambda one: read_proposal(one, me=2, links=LINKS),
    "comment": lambda one: read_comment(one, me=2),
    "issue": lambda one: read_issue(one, me=2, links=LINKS),
    "review": lambda one: read_approvers([one]),
    "status": read_checks,
    "branch": rules_of,
    "repository": lambda one: rules_of(row("branch"), repository=one),
    "protection": lambda one: rules_of(row("branch"), protection=one),
}


def paths(found: object, before: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to every field of an answer."""
    steps = found.items() if isinstance(found, dict) else enumerate(found or ())  # type: ignore[arg-type]  # a dict or a list
    for key, value in steps:
        yield (*before, key)
        if isinstance(value, dict | list):
            yield from paths(value, (*before, key))


@pytest.mark.parametrize("name", READERS)
def test_no_missing_or_odd_field_becomes_a_default(name: str) -> None:
    sound = READERS[name](row(name))
    optional = {"labels", "statuses", "status_check_contexts"}
    refused = 0

    for path in paths(RECORDED[name]):
        for odd in ("missing", {"an": "object"}, [["a list"]], -1.5):
            changed = copy.deepcopy(RECORDED[name])
            place = changed
            for step in path[:-1]:
                place = place[step]
            if odd == "missing":
                del place[path[-1]]
            else:
                place[path[-1]] = odd
            try:
                found = READERS[name](Row(changed, place=name))
            except NotUnderstoodError:
                refused += 1
            else:
                assert (
                    found == sound
                    or (odd == "missing" and path[-1] in optional)
                    or (
                        isinstance(path[-1], int)  # one entry of a list less
                        or str(path[-1]).startswith("allow_")
                        or path[-1] == "default_merge_style"
                    )
                ), (path, odd)

    assert refused > 10


def test_a_recorded_proposal_is_read() -> None:
    found = read_proposal(row("pull"), me=2, links=LINKS)

    assert (found.number, found.state, found.branch, found.base) == (
        1,
        State.MERGED,
        "pilotfish/web",
        "main",
    )
    assert (found.ours, found.own_repository, found.labels) == (True, True, ("images",))
    assert found.merge_commit == RECORDED["pull"]["merge_commit_sha"]
    assert found.url == "https://gitea.example.test/fleet-admin/fleet/pulls/1"


def test_a_fork_with_our_branch_is_not_our_repository() -> None:
    changed = copy.deepcopy(RECORDED["pull"])
    changed["head"]["repo_id"] = 77

    assert not read_proposal(Row(changed, place="pull"), me=2, links=LINKS).own_repository


def test_a_proposal_from_elsewhere_may_have_lost_its_commits() -> None:
    changed = copy.deepcopy(RECORDED["pull"])
    changed["head"]["sha"] = changed["merge_commit_sha"] = ""

    found = read_proposal(Row(changed, place="pull"), me=2, links=LINKS)

    assert (found.state, found.head, found.merge_commit) == (State.MERGED, "", "")
    changed |= {"state": "open", "merged": False, "closed_at": None}
    with pytest.raises(NotUnderstoodError):
        read_proposal(Row(changed, place="pull"), me=2, links=LINKS)


@pytest.mark.parametrize("sign", ["WIP: ", "wip:", "[WIP] ", "[wip]"])
def test_a_draft_is_read_without_its_sign(sign: str) -> None:
    changed = {**RECORDED["pull"], "title": f"{sign}Update web", "draft": True}

    found = read_proposal(Row(changed, place="pull"), me=2, links=LINKS)

    assert (found.title, found.draft) == ("Update web", True)


def reviews(*said: tuple[str, str, dict[str, bool]]) -> list[Row]:
    found = []
    for number, (login, state, flags) in enumerate(said):
        user = {**RECORDED["review"]["user"], "login": login}
        found.append({**RECORDED["review"], "id": number, "user": user, "state": state, **flags})
    return [Row(one, place="review") for one in found]


def test_only_a_last_approval_that_counts_is_one() -> None:
    found = reviews(
        ("kept", "APPROVED", {}),
        ("kept", "COMMENT", {}),
        ("stale", "APPROVED", {"stale": True}),
        ("dismissed", "APPROVED", {"dismissed": True}),
        ("stranger", "APPROVED", {"official": False}),
        ("doubtful", "APPROVED", {}),
        ("doubtful", "REQUEST_CHANGES", {}),
        ("convinced", "REQUEST_CHANGES", {}),
        ("convinced", "APPROVED", {}),
    )

    assert read_approvers(found[::-1]) == ("convinced", "kept")


@pytest.mark.parametrize(
    ("pattern", "branch", "expected"),
    [
        ("main", "main", True),
        ("main", "mainline", False),
        ("pilotfish/*", "pilotfish/web", True),
        ("pilotfish/*", "pilotfish/main/web", False),
        ("pilotfish/**", "pilotfish/main/web", True),
        ("**", "pilotfish/web", True),
        ("*", "pilotfish/web", False),
        ("{main,pilotfish/?eb}", "pilotfish/web", True),
        ("pilotfish/w.b", "pilotfish/web", False),
        ("{pilotfish/*,a},b", "pilotfish/web,b", True),
        ("a{b", "a{b", True),
    ],
)
def test_a_protection_covers_what_its_glob_covers(
    pattern: str, branch: str, expected: bool
) -> None:
    assert covers(pattern, branch) is expected


# statuses and odd answers


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    server = Scripted()
    server.start()
    server.answer("GET", "/api/v1/user", RECORDED["user"])
    yield server
    server.stop()


@asynccontextmanager
async def asking(scripted: Scripted) -> AsyncIterator[GiteaForge]:
    clock = MovedClock()
    async with HttpClient(clock=clock) as http:
        auth = GiteaAuth(token=Secret(TOKEN))
        yield open_gitea(http, scripted.url, "o/r", auth=auth, access=Access(), clock=clock)


@pytest.mark.parametrize(
    "body", [b"<html>Maintenance</html>", b"", b"{}", b"[1]", b"\xff\xfe", b"[" * 100_000]
)
async def test_a_page_in_place_of_an_answer_is_not_understood(
    scripted: Scripted, body: bytes
) -> None:
    scripted.answer("GET", f"{API}/pulls", body)

    async with asking(scripted) as forge:
        with pytest.raises(NotUnderstoodError) as caught:
            await forge.listing()

    assert "pulls" in caught.value.where
    assert caught.value.hint


@pytest.mark.parametrize(
    ("status", "says", "kind", "words"),
    [
        (401, "user does not exist", AccessError, "make another one"),
        (
            403,
            "token does not have at least one of required scope(s): [write:issue]",
            AccessError,
            "scopes read:user, write:repository and write:issue",
        ),
        (403, "no", AccessError, "right to write"),
        (423, "archived", AccessError, "archive"),
        (301, "", AccessError, "renamed or moved"),
        (409, "changed", ConflictError, "planned again"),
        (422, "too odd", RefusedError, "too odd"),
    ],
)
async def test_a_status_becomes_an_error_with_a_way_out(
    scripted: Scripted, status: int, says: str, kind: type[Exception], words: str
) -> None:
    scripted.answer(
        "PATCH",
        f"{API}/pulls/7",
        {"message": f"{says} {TOKEN}"},
        status=status,
        headers=[("Location", f"{scripted.url}/elsewhere")],
    )

    async with asking(scripted) as forge:
        with pytest.raises(kind) as caught:
            await forge.close(7)

    assert words in str(caught.value)
    assert TOKEN not in f"{caught.value} {caught.value!r}"
    assert scripted.count(path_part="elsewhere") == 0


async def test_a_redirect_of_a_reading_is_not_followed(scripted: Scripted) -> None:
    elsewhere = [("Location", f"{scripted.url}/elsewhere")]
    scripted.answer("GET", f"{API}/pulls", [], status=307, headers=elsewhere)

    async with asking(scripted) as forge:
        with pytest.raises(AccessError, match="renamed or moved"):
            await forge.listing()

    assert scripted.count(path_part="elsewhere") == 0


async def test_the_token_is_in_one_header_alone(scripted: Scripted) -> None:
    scripted.answer("GET", f"{API}/pulls", [], headers=[("X-Total-Count", "0")])

    async with asking(scripted) as forge:
        await forge.listing()

    for request in scripted.requests:
        assert request.headers["authorization"] == f"token {TOKEN}"
        rest = {name: value for name, value in request.headers.items() if name != "authorization"}
        assert TOKEN not in f"{request.path}{request.raw_query}{rest}{request.body!r}"


async def test_a_limit_says_how_long_it_lasts(scripted: Scripted) -> None:
    scripted.answer(
        "POST", f"{API}/issues/7/comments", b"", status=429, headers=[("Retry-After", "300")]
    )

    async with asking(scripted) as forge:
        with pytest.raises(RateLimitedError) as caught:
            await forge.comment(7, "text")

    assert caught.value.wait_s == 300


async def test_a_lost_answer_of_a_comment_is_not_repeated(scripted: Scripted) -> None:
    scripted.drop("POST", f"{API}/issues/7/comments")

    async with asking(scripted) as forge:
        with pytest.raises(UnavailableError):
            await forge.comment(7, "text")

    assert scripted.count("POST") == 1


async def test_a_lost_answer_of_an_edit_is_asked_for_again(scripted: Scripted) -> None:
    scripted.drop("PATCH", f"{API}/pulls/7")
    scripted.answer("PATCH", f"{API}/pulls/7", {}, status=201)

    async with asking(scripted) as forge:
        await forge.close(7)

    assert scripted.count("PATCH") == 2


async def test_pages_are_read_to_their_end_whatever_their_size(scripted: Scripted) -> None:
    pulls = [
        {**RECORDED["pull"], "number": number, "state": "open", "merged": False, "closed_at": None}
        for number in range(1, 8)
    ]
    for page in (pulls[:3], pulls[3:6], pulls[6:]):
        scripted.answer("GET", f"{API}/pulls", page, headers=[("X-Total-Count", "7")])

    async with asking(scripted) as forge:
        found = await forge.proposals_of("pilotfish/web")

    assert [one.number for one in found] == [7, 6, 5, 4, 3, 2, 1]
    assert [one.query["page"] for one in scripted.requests[1:]] == ["1", "2", "3"]


@pytest.mark.parametrize("headers", [[("X-Total-Count", "3")], []])
async def test_checks_are_read_to_their_end_whatever_the_size_of_a_page(
    scripted: Scripted, headers: list[tuple[str, str]]
) -> None:
    (sample,) = RECORDED["status"]["statuses"]
    named = [{**sample, "context": name} for name in ("build", "lint", "test")]
    for page in (named[:2], named[2:], []):
        body = {**RECORDED["status"], "statuses": page}
        scripted.answer("GET", f"{API}/commits/{'a' * 40}/status", body, headers=headers)

    async with asking(scripted) as forge:
        found = await forge.checks("a" * 40)

    assert [one.name for one in found] == ["build", "lint", "test"]
    assert len(scripted.requests) == (2 if headers else 3)


async def test_a_list_without_a_count_ends_with_an_empty_page(scripted: Scripted) -> None:
    for page in ([RECORDED["pull"]], []):
        scripted.answer("GET", f"{API}/pulls", page)

    async with asking(scripted) as forge:
        assert len(await forge.proposals_of("pilotfish/web")) == 1


async def test_more_closed_proposals_than_are_read_are_told(scripted: Scripted) -> None:
    scripted.answer("GET", f"{API}/pulls", [], headers=[("X-Total-Count", "0")])
    fifty = [{**RECORDED["pull"], "number": number} for number in range(1, 51)]
    scripted.answer("GET", f"{API}/pulls", fifty, headers=[("X-Total-Count", "51")])

    async with asking(scripted) as forge:
        listing = await forge.listing()

    assert len(listing.proposals) == 50
    assert not listing.complete


async def test_many_comments_of_others_do_not_cost_many_pages(scripted: Scripted) -> None:
    comment = RECORDED["comment"]
    many = [("X-Total-Count", "5000")]
    scripted.answer("GET", f"{API}/issues/comments", [comment] * 50, headers=many)
    scripted.answer("GET", f"{API}/issues/1/comments", [comment])
    since = datetime(2000, 1, 1, tzinfo=UTC)

    async with asking(scripted) as forge:
        found = await forge.comments(since=since, numbers=[1])
        counted = forge.requests

    assert [one.body for one in found] == ["/holds"]
    assert counted == 3  # who we are, a page of all, the one proposal


async def test_people_are_assigned_where_nobody_was(scripted: Scripted) -> None:
    scripted.answer("GET", f"{API}/pulls/7", {**RECORDED["pull"], "assignees": None})
    scripted.answer("PATCH", f"{API}/pulls/7", RECORDED["pull"], status=201)

    async with asking(scripted) as forge:
        await forge.ask_people(7, assignees=["wanda"])

    assert json.loads(scripted.requests[-1].body) == {"assignees": ["wanda"]}


async def test_a_permission_that_nobody_knows_is_none(scripted: Scripted) -> None:
    place = f"{API}/collaborators/wanda/permission"
    scripted.answer("GET", place, {"permission": "overlord"})

    async with asking(scripted) as forge:
        assert not await forge.can_write("wanda")


# a real Gitea


@pytest.fixture
async def real(request: pytest.FixtureRequest, unique_name: str) -> AsyncIterator[GiteaUnderTest]:
    async with open_under_test(request.getfixturevalue, unique_name) as one:
        yield one


def metadata(branch: str) -> Metadata:
    return Metadata(key="web", base="main", branch=branch, head="a" * 40, changes=frozenset())


@pytest.mark.servers
async def test_two_runs_at_once_leave_one_proposal(real: GiteaUnderTest) -> None:
    other = real.forge_with(real.token)
    await asyncio.gather(real.forge.account(), other.account())

    for number in range(5):
        branch = f"pilotfish/race-{number}"
        real.repository.commit(branch, CHANGED)
        text = Text(title="t", body=write_metadata(metadata(branch)))
        outcomes = await asyncio.gather(
            *(forge.open(branch, "main", text) for forge in (real.forge, other)),
            return_exceptions=True,
        )
        found = await real.forge.proposals_of(branch)

        assert [type(one) for one in outcomes].count(AlreadyOpenError) == 1
        assert [one.state for one in found].count(State.OPEN) == 1
        for one in found:
            recorded = read_metadata(one.body)
            assert recorded is not None
            assert bool(recorded.closed_why) is (one.state is State.CLOSED)


@pytest.mark.servers
async def test_a_deleted_branch_closes_its_proposal(real: GiteaUnderTest) -> None:
    head = real.repository.commit("pilotfish/web", CHANGED)
    opened = await real.forge.open("pilotfish/web", "main", Text(title="t", body=""))

    real.repository.delete_branch("pilotfish/web")

    for _ in range(500):
        (found,) = await real.forge.proposals_of("pilotfish/web")
        if found.state is not State.OPEN:
            break
        await asyncio.sleep(0.02)  # Gitea closes it a moment later
    assert (found.number, found.state, found.head) == (opened.number, State.CLOSED, head)
    assert await real.forge.proposal(opened.number) == found


@pytest.mark.servers
async def test_a_proposal_is_opened_though_a_reviewer_is_unknown(real: GiteaUnderTest) -> None:
    real.repository.commit("pilotfish/web", CHANGED)
    text = Text(title="t", body="", reviewers=("nobody-has-this-name",))

    opened = await real.forge.open("pilotfish/web", "main", text)

    assert opened.state is State.OPEN


@pytest.mark.servers
async def test_a_named_reviewer_is_asked(real: GiteaUnderTest) -> None:
    real.repository.commit("pilotfish/web", CHANGED)
    text = Text(title="t", body="", reviewers=("wanda",))

    opened = await real.forge.open("pilotfish/web", "main", text)

    found = real.repository.api("GET", f"/pulls/{opened.number}")
    assert [one["login"] for one in found["requested_reviewers"]] == ["wanda"]


@pytest.mark.servers
async def test_a_proposal_is_opened_though_labels_may_not_be_made(
    real: GiteaUnderTest,
) -> None:
    real.repository.commit("pilotfish/web", CHANGED)
    narrow = real.forge_with(real.narrow_token("read:user", "write:repository", "read:issue"))

    opened = await narrow.open("pilotfish/web", "main", Text(title="t", body="", labels=("new",)))

    assert opened.labels == ()


@pytest.mark.servers
async def test_preflight_names_the_scope_that_lacks(real: GiteaUnderTest) -> None:
    for lacking, scopes in {
        "read:user": ("write:repository", "write:issue"),
        "write:repository": ("read:user", "write:issue"),
        "write:issue": ("read:user", "write:repository"),
    }.items():
        forge = real.forge_with(real.narrow_token(*scopes))

        bad = [one for one in await forge.preflight("main") if not one.ok]

        assert any(lacking in one.fix for one in bad), lacking


@pytest.mark.servers
async def test_preflight_finds_nothing_wrong_where_nothing_is(real: GiteaUnderTest) -> None:
    assert all(one.ok for one in await real.forge.preflight("main"))


@pytest.mark.servers
async def test_preflight_tells_what_stands_in_the_way(real: GiteaUnderTest) -> None:
    real.repository.protect("main", signatures=True)
    rule = {"rule_name": "pilotfish/**", "enable_push": True}
    real.repository.api("POST", "/branch_protections", rule)
    fields = {"has_pull_requests": False, "has_issues": False}
    real.repository.api("PATCH", "", fields)

    told = [f"{one.what}: {one.fix}" for one in await real.forge.preflight("main") if not one.ok]

    for words in ("no pull requests", "no issues", "signed commits", "pilotfish/** covers"):
        assert any(words in one for one in told), words


@pytest.mark.servers
async def test_an_archived_repository_is_told_as_one(real: GiteaUnderTest) -> None:
    real.repository.commit("pilotfish/web", CHANGED)
    real.repository.api("PATCH", "", {"archived": True})

    with pytest.raises(AccessError, match="archived"):
        await real.forge.open("pilotfish/web", "main", Text(title="t", body=""))

    assert any("archived" in one.what for one in await real.forge.preflight("main"))


@pytest.mark.servers
async def test_rules_are_not_known_to_who_only_writes(real: GiteaUnderTest) -> None:
    real.repository.protect("main", checks=["ci/*"], approvals=2, up_to_date=True)

    seen = await real.forge_with(real.token_of("wanda")).rules("main")
    known = await real.forge.rules("main")

    assert (seen.known, seen.required_checks, seen.required_approvals) == (False, ("ci/*",), 2)
    assert (known.known, known.requires_up_to_date) == (True, True)


@pytest.mark.servers
async def test_permissions_are_not_told_to_who_only_writes(real: GiteaUnderTest) -> None:
    with pytest.raises(AccessError, match="administrator"):
        await real.forge_with(real.token_of("wanda")).can_write("rita")


@pytest.mark.servers
async def test_the_way_to_merge_is_the_repositorys(real: GiteaUnderTest) -> None:
    real.repository.api(
        "PATCH", "", {"default_merge_style": "squash", "allow_merge_commits": False}
    )
    start = real.repository.head("main")
    real.repository.commit("pilotfish/web", CHANGED)
    opened = await real.forge.open("pilotfish/web", "main", Text(title="t", body=""))

    await real.forge.merge(opened, title="Update web", message="Because.")

    assert real.repository.parents(real.repository.head("main")) == (start,)


@pytest.mark.servers
async def test_a_conflict_is_not_merged(real: GiteaUnderTest) -> None:
    real.repository.commit("pilotfish/web", CHANGED)
    opened = await real.forge.open("pilotfish/web", "main", Text(title="t", body=""))
    main = real.repository.commit("main", {"apps/web.yaml": b"image: another/web:3\n"})

    with pytest.raises(RefusedError):
        await real.forge.merge(opened, title="Update web", message="")

    assert real.repository.head("main") == main


@pytest.mark.servers
async def test_a_merge_whose_answer_was_lost_is_done(real: GiteaUnderTest) -> None:
    real.repository.commit("pilotfish/web", CHANGED)
    opened = await real.forge.open("pilotfish/web", "main", Text(title="t", body=""))
    await real.forge.merge(opened, title="Update web", message="")
    main = real.repository.head("main")

    await real.forge.merge(opened, title="Update web", message="")

    assert real.repository.head("main") == main


@pytest.mark.servers
async def test_a_commit_keeps_what_may_be_run(real: GiteaUnderTest) -> None:
    start = real.repository.commit_executable("deploy.sh", b"#!/bin/sh\n")

    made = await real.forge.commit(
        "pilotfish-commit/x", start=start, files={"deploy.sh": b"#!/bin/sh\nexit\n"}, message="m"
    )

    tree = real.repository.api("GET", f"/git/trees/{made}")["tree"]
    assert {one["path"]: one["mode"] for one in tree}["deploy.sh"] == "100755"


@pytest.mark.servers
async def test_a_branch_that_is_there_is_not_written_on(real: GiteaUnderTest) -> None:
    start = real.repository.head("main")
    there = real.repository.commit("pilotfish-commit/x", {"a": b"a\n"})

    with pytest.raises(ConflictError):
        await real.forge.commit("pilotfish-commit/x", start=start, files=CHANGED, message="m")

    assert real.repository.head("pilotfish-commit/x") == there


@pytest.mark.servers
async def test_a_workflow_is_started(real: GiteaUnderTest) -> None:
    workflow = b"on: [workflow_dispatch]\njobs:\n  a:\n    runs-on: x\n    steps: [{run: 'true'}]\n"
    real.repository.commit("main", {".gitea/workflows/checks.yaml": workflow})

    await real.forge.start_workflow("checks.yaml", "main")

    runs = real.repository.api("GET", "/actions/runs")
    assert [one["head_branch"] for one in runs["workflow_runs"]] == ["main"]


@pytest.mark.servers
async def test_a_status_longer_than_may_be_is_cut(real: GiteaUnderTest) -> None:
    commit = real.repository.head("main")
    says = "é" * 300

    await real.forge.set_status(commit, Status(name="n", state=CheckState.PENDING, says=says))

    assert real.repository.status_of(commit, "n") == (CheckState.PENDING, "é" * 140)
