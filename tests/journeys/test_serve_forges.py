"""`pilotfish serve` opens pull requests: with the operator's token, an App, and nobody's else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot.forges.harness_github import GitHubFace
from tests.journeys.commands import Pilotfish
from tests.journeys.fleet import deployment, tag_in
from tests.journeys.forge_fleet import BRANCH, WEB, forge_fleet
from tests.journeys.serving import Server
from tests.servers.gitea import Gitea
from tests.servers.github import GitHub
from tests.servers.odd_registry import OddRegistry

pytestmark = [pytest.mark.journey, pytest.mark.servers]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that is not started yet, and is gone at the end."""
    made = Server(folder=tmp_path / "server")
    made.folder.mkdir()
    yield made
    if made.process is not None:
        made.kill()
    assert made.stray == []


def test_a_server_keeps_a_pull_request_current(
    server: Server,
    gitea: Gitea,
    odd_registry: OddRegistry,
    pilotfish: Pilotfish,
    unique_name: str,
) -> None:
    fleet = forge_fleet(gitea, odd_registry, pilotfish, unique_name, folder=server.folder)
    config = fleet.face.made.read_file(".pilotfish.yaml")
    bare = config.replace(f", ca: {gitea.ca_file}".encode(), b"")  # the operator's word alone
    fleet.face.commit("main", {".pilotfish.yaml": bare})
    (server.folder / "token").write_text(fleet.token, encoding="utf-8")
    server.write(
        "version: 1\njitter: 0%\nserver: {listen: '127.0.0.1:0'}\nrepositories:\n"
        f"  - name: fleet\n    url: {fleet.face.made.url}\n    interval: 1s\n"
        f"    credentials: {{token: {{file: token}}, ca: {gitea.ca_file}}}\n"
    )
    server.start()
    server.wait_for_event("errand ended", where="fleet")
    fleet.publish("1.1.0")
    line = server.wait_for_event("proposal opened", where="fleet")
    assert "1.0.0 to 1.1.0" in line["says"]
    assert fleet.pull()["user"]["login"] == "pilotfish-bot"
    seen = len(server.log)
    fleet.publish("1.2.0")
    server.wait_for_event("proposal refreshed", where="fleet", since=seen)
    assert fleet.tag(BRANCH) == "1.2.0"
    assert not any(fleet.token in str(one) for one in server.log)
    server.stop()


def test_a_server_acts_as_a_github_app(
    server: Server, github: GitHub, odd_registry: OddRegistry, unique_name: str
) -> None:
    face = GitHubFace(github, unique_name)
    image = f"{odd_registry.host}/shop/web"
    for tag in ("1.0.0", "1.1.0"):
        odd_registry.push_image("shop/web", tag)
    face.commit("main", {WEB: deployment(f"{image}:1.0.0").encode()})
    rights = {"contents": "write", "pull_requests": "write", "issues": "write"}
    more = {"statuses": "write", "checks": "read", "metadata": "read"}
    app = github.create_app(permissions=rights | more, repositories=[face.made])
    (server.folder / "key.pem").write_text(app.private_key, encoding="utf-8")
    server.write(
        "version: 1\njitter: 0%\nserver: {listen: '127.0.0.1:0'}\nrepositories:\n"
        f"  - name: fleet\n    url: {face.made.url_http}\n    interval: 1s\n"
        f"    forge: {{kind: github, app: {{id: '{app.id}', private-key: {{file: key.pem}}}}}}\n"
    )
    server.start()
    server.wait_for_event("proposal opened", where="fleet")
    assert tag_in(face.files(face.head(BRANCH))[WEB]) == "1.1.0"
    assert {one.account for one in github.written if one.kind == "push"} == {app.account.login}
    server.stop()
