"""Pull and merge requests by the installed command on the test GitHub and GitLab.

A whole life, how many requests it takes, commits that the forge signs, and a GitHub App; what
people do on a forge is told at length in `test_gitea_proposals.py`, on a real one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.forges.forge import CheckState
from bot.planning.metadata import read_metadata
from tests.bot.forges.harness_github import BOT, GitHubFace, account_of
from tests.bot.forges.harness_gitlab import GitLabFace
from tests.journeys.commands import Answer, Pilotfish
from tests.journeys.fleet import deployment, tag_in
from tests.servers.github import GitHub
from tests.servers.gitlab import GitLab
from tests.servers.odd_registry import OddRegistry

pytestmark = [pytest.mark.journey, pytest.mark.servers]
WEB = "apps/web.yaml"
BRANCH = "pilotfish/shop-web"


@dataclass(kw_only=True)
class Fleet:
    """One image followed in a repository on a forge."""

    face: Any
    registry: OddRegistry
    run: Pilotfish
    token: str
    writes: Callable[[], int]
    requests: Callable[[], list[tuple[str, str]]]
    opened: Callable[[], list[Any]]

    def publish(self, *tags: str) -> None:
        """Push new tags of the image."""
        for tag in tags:
            self.registry.push_image("shop/web", tag)

    def go(self, *words: str, code: int = 0) -> Answer:
        """Run once, with JSON."""
        return self.run.json("run", *words, code=code)

    def tag(self, branch: str = "main") -> str:
        """Return the tag on a branch."""
        return tag_in(self.face.files(self.face.head(branch))[WEB])

    def write(self, tag: str) -> None:
        """Let a person write a tag."""
        text = deployment(f"{self.registry.host}/shop/web:{tag}")
        self.face.commit("main", {WEB: text.encode()})


def prepared(fleet: Fleet, kind: str) -> Fleet:
    """Write the files and publish two tags."""
    text = deployment(f"{fleet.registry.host}/shop/web:1.0.0")
    config = f"version: 1\nforge: {{kind: {kind}}}\n"
    fleet.face.commit("main", {WEB: text.encode(), ".pilotfish.yaml": config.encode()})
    fleet.run.environment["PILOTFISH_FORGE_TOKEN"] = fleet.token
    fleet.publish("1.0.0", "1.1.0")
    return fleet


@pytest.fixture
def on_github(
    github: GitHub, odd_registry: OddRegistry, pilotfish: Pilotfish, unique_name: str
) -> Fleet:
    """A repository on the test GitHub."""
    face = GitHubFace(github, unique_name)
    pilotfish.repository = face.made.url_http
    return prepared(
        Fleet(
            face=face,
            registry=odd_registry,
            run=pilotfish,
            token=account_of(github, BOT).token,
            writes=lambda: sum(one.account.startswith((BOT, "updates")) for one in github.written),
            requests=lambda: [(one.method, one.path) for one in github.api_requests()],
            opened=lambda: [
                (one.number, one.title, one.body, one.head) for one in face.made.open_pulls()
            ],
        ),
        "github",
    )


@pytest.fixture
def on_gitlab(
    gitlab: GitLab, odd_registry: OddRegistry, pilotfish: Pilotfish, unique_name: str
) -> Fleet:
    """A project on the test GitLab, in a subgroup."""
    face = GitLabFace(gitlab, f"acme/{unique_name}/fleet")
    pilotfish.repository = f"{gitlab.url}/acme/{unique_name}/fleet.git"
    return prepared(
        Fleet(
            face=face,
            registry=odd_registry,
            run=pilotfish,
            token=face.bot.token,
            writes=lambda: len(gitlab.writes(face.bot.username)) + gitlab.pushes(),
            requests=lambda: [
                (one.method, one.path) for one in gitlab.requests if "/api/v4/" in one.path
            ],
            opened=lambda: [
                (one["iid"], one["title"], one["description"], one["sha"])
                for one in face.act("GET", "merge_requests")
                if one["state"] == "opened"
            ],
        ),
        "gitlab",
    )


@pytest.fixture(params=["on_github", "on_gitlab"])
def fleet(request: pytest.FixtureRequest) -> Fleet:
    """Return the fleet on each of the two."""
    found: Fleet = request.getfixturevalue(request.param)
    return found


def test_a_proposal_lives_as_on_a_real_forge(fleet: Fleet) -> None:
    first = fleet.go()
    assert first.operations() == {BRANCH: "opened"}
    ((number, title, body, head),) = fleet.opened()
    assert first.json["proposals"][0]["number"] == number
    assert "1.1.0" in title
    metadata = read_metadata(body)
    assert metadata is not None
    assert metadata.head == head
    before = fleet.writes()
    assert fleet.go().operations() == {BRANCH: "unchanged"}
    assert fleet.writes() == before
    fleet.publish("1.2.0")
    assert fleet.go().operations() == {BRANCH: "refreshed"}
    assert [one[0] for one in fleet.opened()] == [number]
    assert fleet.tag(BRANCH) == "1.2.0"
    fleet.face.close(number)
    assert fleet.go().operations() == {BRANCH: "ignored"}
    before = fleet.writes()
    assert fleet.go().operations() == {BRANCH: "ignored"}
    assert fleet.writes() == before
    fleet.publish("1.3.0")
    assert fleet.go().operations() == {BRANCH: "opened"}
    ((second, *_),) = fleet.opened()
    assert second != number
    fleet.face.merge(second, squash=True)
    assert fleet.tag() == "1.3.0"
    fleet.go()
    assert fleet.face.head(BRANCH) == ""
    fleet.write("1.2.0")
    assert [one["tag"] for one in fleet.go().json["held"]] == ["1.3.0"]


def test_requests_are_few(fleet: Fleet) -> None:
    """At most three for a new proposal and one for an unchanged one, beside what a run shares."""
    images = ("a", "b", "c")
    files = {
        f"apps/{name}.yaml": deployment(f"{fleet.registry.host}/shop/{name}:1.0.0").encode()
        for name in images
    }
    fleet.face.commit("main", files)
    for name in images:
        fleet.registry.push_image(f"shop/{name}", "1.0.0")
    spent = [_spent_by(fleet, "opened", 1), _spent_by(fleet, "unchanged", 1)]
    for name in images:
        fleet.registry.push_image(f"shop/{name}", "1.1.0")
    spent += [_spent_by(fleet, "opened", 3), _spent_by(fleet, "unchanged", 4)]
    one_new, one_same, three_more, four_same = spent
    assert three_more - one_new <= 3 * 3  # the one that stood already is among the three more
    assert four_same - one_same <= 3 * 1
    assert one_same <= 8  # who we are, the listings, what the base demands, comments


def _spent_by(fleet: Fleet, operation: str, count: int) -> int:
    """Run once, and return how many requests the forge's API got."""
    before = len(fleet.requests())
    states = list(fleet.go().operations().values())
    assert states.count(operation) == count, states
    return len(fleet.requests()) - before


def test_the_token_appears_nowhere(fleet: Fleet) -> None:
    answers = [fleet.run("run", "-v"), fleet.run("check"), fleet.run("run", "-o", "json")]
    shown = [one.out + one.err for one in answers] + [str(fleet.opened())]
    assert not any(fleet.token in text for text in shown)
    cached = [one for one in fleet.run.cache.rglob("*") if one.is_file()]
    assert not any(fleet.token.encode() in one.read_bytes() for one in cached)


def test_a_wrong_token_is_an_error_with_the_way_out(fleet: Fleet) -> None:
    fleet.run.environment["PILOTFISH_FORGE_TOKEN"] = "no-such-token-0123456789"
    answer = fleet.run("run")
    assert answer.code == 1
    assert "token" in answer.err.lower()
    assert "no-such-token" not in answer.out + answer.err
    assert fleet.opened() == []
    for path, text in fleet.face.files(fleet.face.head("main")).items():
        file = fleet.run.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
    checked = fleet.run("check")
    assert (checked.code, "1 error" in checked.out) == (1, True)


def test_a_base_that_demands_signatures_gets_commits_of_the_forge(on_github: Fleet) -> None:
    on_github.face.protect("main", signatures=True)
    assert on_github.go().operations() == {BRANCH: "opened"}
    head = on_github.face.head(BRANCH)
    assert head in on_github.face.made.verified
    assert on_github.face.parents(head) == (on_github.face.head("main"),)
    assert on_github.tag(BRANCH) == "1.1.0"
    assert not [one for one in on_github.face.made.bare.branches() if "commit/" in one]
    on_github.publish("1.2.0")
    assert on_github.go().operations() == {BRANCH: "refreshed"}
    assert on_github.face.head(BRANCH) in on_github.face.made.verified
    assert on_github.go().operations() == {BRANCH: "unchanged"}


def test_a_workflow_is_started_where_pushes_start_none(on_github: Fleet) -> None:
    text = b"version: 1\nforge: {kind: github, workflow: test.yml}\n"
    files = {".pilotfish.yaml": text, ".github/workflows/test.yml": b"on: workflow_dispatch\n"}
    on_github.face.commit("main", files)
    on_github.face.made.workflows.append("test.yml")
    on_github.go()
    assert [one.ref for one in on_github.face.made.dispatches] == [BRANCH]
    on_github.go()
    assert len(on_github.face.made.dispatches) == 1
    on_github.publish("1.2.0")
    on_github.go()
    assert [one.ref for one in on_github.face.made.dispatches] == [BRANCH, BRANCH]


def test_a_github_app_pushes_and_proposes_with_a_narrow_token(
    on_github: Fleet, github: GitHub, tmp_path: Path
) -> None:
    app = github.create_app(
        permissions={
            "contents": "write",
            "pull_requests": "write",
            "issues": "write",
            "statuses": "write",
            "checks": "read",
            "metadata": "read",
        },
        repositories=[on_github.face.made],
    )
    del on_github.run.environment["PILOTFISH_FORGE_TOKEN"]
    on_github.run.environment |= {
        "PILOTFISH_GITHUB_APP_ID": str(app.id),
        "PILOTFISH_GITHUB_APP_PRIVATE_KEY": app.private_key,
        "GITHUB_SERVER_URL": github.url,
    }
    assert on_github.go().operations() == {BRANCH: "opened"}
    assert on_github.go().operations() == {BRANCH: "unchanged"}
    assert {one.account for one in github.written if one.kind == "push"} == {app.account.login}
    made = [one for one in github.api_requests() if one.path.endswith("/access_tokens")]
    assert made
    assert all(on_github.face.made.name.encode() in one.body for one in made)


def test_it_merges_by_itself_on_github_once_required_checks_pass(on_github: Fleet) -> None:
    rule = "updates:\n  - {name: prod, automerge: {minor: after-checks}}\n"
    text = f"version: 1\nforge: {{kind: github}}\n{rule}"
    on_github.face.commit("main", {".pilotfish.yaml": text.encode()})
    on_github.face.protect("main", checks=["ci/test"])
    answer = on_github.go()
    assert [one["automerge"] for one in answer.json["proposals"]] == ["asked"]
    ((_, _, _, head),) = on_github.opened()
    on_github.face.set_check(head, "ci/test", CheckState.PASSED)
    assert on_github.tag() == "1.1.0"
