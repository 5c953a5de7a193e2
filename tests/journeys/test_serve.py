"""`pilotfish serve`: looks after repositories by itself, and stops cleanly in anything."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.journeys.commands import PROGRAM
from tests.journeys.fleet import FILE, deployment, tag_in
from tests.journeys.serving import Server, server_file
from tests.servers.git_host import GitHost
from tests.servers.odd_registry import OddRegistry
from tests.servers.remote import Remote

GREEDY = "registries: {evil.example: {auth: {username: a, password: {env: HOME}}}}\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that is not started yet, and is gone at the end."""
    made = Server(folder=tmp_path)
    yield made
    if made.process is not None:
        made.kill()
    assert made.stray == []


def a_fleet(host: GitHost, registry: OddRegistry, name: str, **extra: str) -> Remote:
    """Return a repository that follows `shop/<name>`, on 1.0.0."""
    registry.push_image(f"shop/{name}", "1.0.0")
    image = f"{registry.host}/shop/{name}:1.0.0"
    return host.create(name, {FILE: deployment(image), **extra})


def url(remote: Remote) -> str:
    assert remote.url_http is not None
    return remote.url_http


def until(fits: Callable[[], bool], *, patience_s: float = 30.0) -> None:
    """Wait until the outside world is as it should be."""
    end = time.monotonic() + patience_s
    while not fits():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def test_a_pushed_tag_becomes_a_proposal_with_nobody_typing(
    server: Server, git_host: GitHost, odd_registry: OddRegistry
) -> None:
    web, api = (a_fleet(git_host, odd_registry, name) for name in ("web", "api"))
    server.write(server_file(("web", url(web)), ("api", url(api))))
    server.start()
    for name in ("web", "api"):
        server.wait_for_event("errand ended", where=name)
    assert server.get("/healthz") == (200, "ok\n")
    assert server.get("/readyz") == (200, "ready\n")
    odd_registry.push_image("shop/web", "1.1.0")
    line = server.wait_for_event("proposal opened", where="web")
    assert line["run"].startswith("r-")
    assert line["says"].endswith("shop/web 1.0.0 to 1.1.0")
    assert tag_in(web.read(FILE, "pilotfish/shop-web")) == "1.1.0"
    assert not any(one.startswith("pilotfish/") for one in api.branches())
    seen = len(server.log)
    web.merge("pilotfish/shop-web")
    server.wait_for_event("proposal closed", where="web", since=seen)
    assert (
        server.metric(
            "pilotfish_decisions_total", errand="repository/web", decision="proposal opened"
        )
        == 1
    )
    assert server.stop() < 5


def test_a_reload_adds_and_drops_repositories_while_it_runs(
    server: Server, git_host: GitHost, odd_registry: OddRegistry
) -> None:
    web, api = (a_fleet(git_host, odd_registry, name) for name in ("web", "api"))
    server.write(server_file(("web", url(web))))
    server.start()
    server.wait_for_event("errand ended", where="web")
    server.write(server_file(("api", url(api))))
    server.send(signal.SIGHUP)
    server.wait_for_event("configuration loaded")
    seen = len(server.log)
    server.wait_for_event("errand ended", where="api", since=seen)
    since = len(server.log)
    server.wait_for_event("errand ended", where="api", since=since)
    assert not any(one.get("where") == "web" for one in server.log[since:])
    assert 'errand="repository/web"' not in server.get("/metrics")[1]


def test_a_wrong_file_is_refused_whole_and_the_old_one_stays(
    server: Server, git_host: GitHost, odd_registry: OddRegistry
) -> None:
    web = a_fleet(git_host, odd_registry, "web")
    server.write(server_file(("web", url(web))))
    server.start()
    server.wait_for_event("errand ended", where="web")
    server.write(server_file(("other", url(web))) + "intervall: 3s\n")
    line = server.wait_for_event("configuration refused")
    assert line["where"] == f"{server.config}:6:1"
    assert line["level"] == "error"
    assert server.metric("pilotfish_config_valid") == 0
    since = len(server.log)
    server.wait_for_event("errand ended", where="web", since=since)
    assert not any(one.get("where") == "other" for one in server.log)
    server.write(server_file(("web", url(web))))
    server.wait_for_event("configuration loaded")
    assert server.metric("pilotfish_config_valid") == 1


def test_a_wrong_file_at_the_start_is_told_as_text_with_exit_2(server: Server) -> None:
    server.write("version: 1\nrepositories: [{name: a, url: 'ext::sh'}]\n")
    done = subprocess.run(
        [sys.executable, "-I", str(PROGRAM), "serve", "--config", str(server.config)],
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )

    assert done.returncode == 2
    assert "serve.yaml:2:31" in done.stderr


def test_a_repositorys_own_file_opens_no_door(
    server: Server, git_host: GitHost, odd_registry: OddRegistry
) -> None:
    greedy = a_fleet(
        git_host,
        odd_registry,
        "greedy",
        **{".pilotfish.yaml": GREEDY},
    )
    good = a_fleet(git_host, odd_registry, "good")
    server.write(server_file(("greedy", url(greedy)), ("good", url(good))))
    server.start()
    line = server.wait_for_event("problem", where="greedy")
    assert "auth does not count in a repository's own file" in line["reason"]
    server.wait_for_event("errand failed", where="greedy")
    server.wait_for_event("errand ended", where="good")


def test_what_stands_still_and_what_its_window_keeps_waiting_are_told_once(
    server: Server, git_host: GitHost, odd_registry: OddRegistry
) -> None:
    web = url(a_fleet(git_host, odd_registry, "web"))
    shut = (datetime.now(UTC) + timedelta(days=2)).strftime("%a")
    server.write(
        server_file(("web", web))
        + f"  - {{name: still, url: '{web}', suspend: true}}\n"
        + f"  - {{name: later, url: '{web}', schedule: {{within: {shut}}}}}\n"
    )
    server.start()
    since = len(server.log)
    server.wait_for_event("errand ended", where="web", since=since)
    server.wait_for_event("errand ended", where="web", since=since + 2)
    told = [(one["where"], one["reason"]) for one in server.log if one["event"] == "errand skipped"]
    assert sorted(name for name, _ in told) == ["later", "still"]
    assert dict(told)["still"] == "it is suspended"
    assert "its schedule opens at" in dict(told)["later"]
    assert not any(
        one["event"] == "errand ended" and one["where"] in {"later", "still"} for one in server.log
    )


def test_a_hosts_limit_holds_across_repositories(
    server: Server, git_host: GitHost, odd_registry: OddRegistry
) -> None:
    remotes = [a_fleet(git_host, odd_registry, f"app-{n}") for n in range(8)]
    limited = (
        f"registries: {{'{odd_registry.host}': {{rate: 2/s, concurrency: 1, insecure: true}}}}\n"
    )
    server.write(server_file(*((one.name, url(one)) for one in remotes), interval="1h") + limited)
    began = time.monotonic()
    server.start()
    for one in remotes:
        server.wait_for_event("errand ended", where=one.name)
    took = time.monotonic() - began
    asked = odd_registry.count()
    assert asked <= 2 * took + 3, f"{asked} requests in {took:.1f} s"


def test_one_repository_that_fails_leaves_the_others_alone(
    server: Server, git_host: GitHost, odd_registry: OddRegistry
) -> None:
    web = a_fleet(git_host, odd_registry, "web")
    server.write(server_file(("gone", f"{url(web)}-no-such"), ("web", url(web))))
    server.start()
    server.wait_for_event("errand failed", where="gone")
    odd_registry.push_image("shop/web", "1.1.0")
    server.wait_for_event("proposal opened", where="web")


def test_a_second_server_on_the_same_store_is_turned_away(
    server: Server, git_host: GitHost, odd_registry: OddRegistry, tmp_path: Path
) -> None:
    web = a_fleet(git_host, odd_registry, "web")
    server.write(server_file(("web", url(web))))
    server.start()
    second = Server(folder=tmp_path)
    with pytest.raises(AssertionError, match="another process keeps this store"):
        second.start()
    assert second.process is not None
    assert second.process.returncode == 1


@pytest.mark.parametrize("situation", ["idle", "slow registry", "push"])
def test_it_stops_in_the_middle_of_anything_within_ten_seconds(
    server: Server, git_host: GitHost, odd_registry: OddRegistry, situation: str
) -> None:
    web = a_fleet(git_host, odd_registry, "web")
    server.write(server_file(("web", url(web))))
    if situation == "slow registry":
        odd_registry.hang(times=50)
    server.start()
    if situation == "idle":
        server.wait_for_event("errand ended", where="web")
    elif situation == "slow registry":
        until(lambda: odd_registry.count() > 0)
    else:
        server.wait_for_event("errand ended", where="web")
        git_host.before_push(lambda: time.sleep(8))
        odd_registry.push_image("shop/web", "1.1.0")
        until(lambda: git_host.pushes() > 0)
    assert server.stop() < 10
    assert server.log[-1]["event"] == "server stopped"
    git_host.clear_faults()
    server_again = Server(folder=server.folder)
    odd_registry.push_image("shop/web", "1.2.0")
    odd_registry.hang(times=0)
    if situation == "push":
        server_again.start()
        until(lambda: "pilotfish/shop-web" in web.branches())
        until(lambda: tag_in(web.read(FILE, "pilotfish/shop-web")) == "1.2.0")
        server_again.stop()


def test_nothing_is_left_open_and_the_figures_say_the_same(
    server: Server, git_host: GitHost, odd_registry: OddRegistry
) -> None:
    remotes = [a_fleet(git_host, odd_registry, f"app-{n}") for n in range(3)]
    server.write(server_file(*((one.name, url(one)) for one in remotes)))
    server.start()
    errands = [f"repository/{one.name}" for one in remotes]

    def ended() -> float:
        return min(
            server.metric("pilotfish_errands_total", errand=one, result="done") for one in errands
        )

    until(lambda: ended() >= 3)
    before = min(server.descriptors() for _ in range(10))
    until(lambda: ended() >= 9, patience_s=60)
    until(lambda: server.descriptors() <= before + 1)
    until(lambda: server.children() == [])
    until(lambda: abs(server.metric("process_open_fds") - server.descriptors()) <= 2)


@pytest.mark.parametrize("path", ["/", "/metrics/x", "/debug/pprof"])
def test_nothing_else_is_answered(
    server: Server, git_host: GitHost, odd_registry: OddRegistry, path: str
) -> None:
    web = a_fleet(git_host, odd_registry, "web")
    server.write(server_file(("web", url(web))))
    server.start()

    assert server.get(path)[0] == 404
