"""What others rely on: JSON alone on standard output, exit codes, and no secret anywhere."""

import json
import subprocess
import threading
from pathlib import Path

import pytest

from tests.journeys.commands import Pilotfish
from tests.journeys.fleet import FILE, PERSON, PLAIN, Fleet, deployment
from tests.servers.git_host import GitHost
from tests.servers.odd_registry import OddRegistry

UPDATE = {"file", "line", "policy", "image", "from", "to", "reason"}
PROPOSAL = {"id", "url", "branch", "operation", "updates"}
PROBLEM = {"severity", "file", "line", "message"}
OPERATIONS = {"opened", "refreshed", "closed", "unchanged"}


@pytest.mark.parametrize("command", ["plan", "run"])
def test_plan_and_run_give_the_fields_of_the_contract(fleet: Fleet, command: str) -> None:
    fleet.remote.commit({"odd.yaml": "image: a/b:1 # pilotfish: policy nope\n"}, "Slip")
    fleet.run("hold", "shop/web@1.1.0")
    fleet.publish("1.0.4")
    answer = fleet.run.json(command)
    assert answer.out.endswith("}\n")
    assert answer.out.count("\n") == 1
    shown = answer.json
    assert {"updates", "held", "proposals", "commits", "problems"} <= set(shown)
    (update,) = shown["updates"]
    assert set(update) >= UPDATE
    assert (update["line"], update["file"]) == (9, FILE)
    assert update["from"] == f"{fleet.image}:1.0.0"
    assert update["to"] == f"{fleet.image}:1.0.4"
    assert set(shown["held"][0]) >= {"policy", "tag", "reason", "until"}
    (proposal,) = shown["proposals"]
    assert set(proposal) >= PROPOSAL
    assert proposal["operation"] in OPERATIONS
    assert proposal["updates"] == shown["updates"]
    assert set(shown["problems"][0]) >= PROBLEM


def test_a_commit_is_told_with_its_branch_and_id(fleet: Fleet) -> None:
    (made,) = fleet.go("--deliver", "commit").json["commits"]
    assert made == {"branch": "main", "sha": fleet.remote.head(), "update": "default"}


def test_only_narrows_a_run_to_one_image(fleet: Fleet) -> None:
    fleet.registry.push_tags("shop/api", ["1.0.0", "1.1.0"])
    text = deployment(f"{fleet.registry.host}/shop/api:1.0.0")
    fleet.remote.commit({"apps/api.yaml": text}, "Add the API", author=PERSON)
    fleet.go("--only", "shop/api")
    assert set(fleet.remote.branches()) == {"main", "pilotfish/shop-api"}
    fleet.go("--only", "shop/web")
    assert set(fleet.remote.branches()) == {"main", "pilotfish/shop-api", fleet.branch}


def test_without_markers_the_next_command_is_named(fleet: Fleet) -> None:
    fleet.remote.commit({FILE: "a: 1\n"}, "Take the marker away", author=PERSON)
    answer = fleet.run("plan")
    assert answer.code == 0
    assert "pilotfish scan" in answer.out


def test_a_folder_that_is_no_clone_says_what_to_do(pilotfish: Pilotfish) -> None:
    answer = pilotfish("run")
    assert answer.code == 2
    assert "--repository" in answer.err
    assert "--deliver files" in answer.err


def test_scan_gives_place_and_parts_of_each_image(pilotfish: Pilotfish) -> None:
    (pilotfish.folder / "a.yaml").write_text(deployment("ghcr.io/acme/api:1.4.2"))
    (one,) = pilotfish.json("scan", ".").json["images"]
    wanted = {
        "file": "a.yaml",
        "line": 9,
        "column": 18,
        "kind": "kubernetes",
        "image": "ghcr.io/acme/api",
        "tag": "1.4.2",
        "digest": None,
    }
    assert {key: one[key] for key in wanted} == wanted


def test_scan_answers_three_for_what_is_outdated(
    pilotfish: Pilotfish, odd_registry: OddRegistry
) -> None:
    odd_registry.push_tags("web", ["1.0.0", "1.1.0", "2.0.0", "2.1.0-rc.1"])
    (pilotfish.folder / "a.yaml").write_text(deployment(f"{odd_registry.host}/web:1.0.0"))
    words = ("scan", ".", "--outdated", "--fail-on", "outdated")
    (one,) = pilotfish.json(*words, code=3).json["images"]
    assert (one["newest"], one["updateType"], one["newestSameMajor"]) == ("2.0.0", "major", "1.1.0")
    (pilotfish.folder / "a.yaml").write_text(deployment(f"{odd_registry.host}/web:2.0.0"))
    answer = pilotfish(*words)
    assert answer.code == 0
    assert answer.out.startswith("1 image in 1 place of 1 file: 0 places have something newer")


@pytest.mark.parametrize(
    ("options", "code", "chosen", "kind"),
    [
        (["--semver", "^1"], 0, "1.10.0", None),
        (["--semver", "^3"], 3, None, "no-match"),
        (["--semver", "nonsense"], 2, None, "invalid-policy"),
        (["--numerical", "asc", "--filter", "^x$"], 3, None, "no-candidates"),
        (["--numerical", "asc"], 3, None, "not-a-number"),
        (["--alphabetical", "DESC"], 0, "1.10.0", None),
    ],
)
def test_policy_test_gives_its_kinds_and_codes(
    pilotfish: Pilotfish, options: list[str], code: int, chosen: str | None, kind: str | None
) -> None:
    answer = pilotfish(
        "policy", "test", *options, "--tags", "-", "-o", "json", text="1.9.0\n1.10.0\n"
    )
    assert answer.code == code
    assert answer.json["chosen"] == chosen
    error = answer.json["error"]
    assert (error["kind"] if error else None) == kind


def test_set_edits_marked_fields_and_tells_them(pilotfish: Pilotfish) -> None:
    marked = 'kind: ConfigMap\nmetadata: {name: a}\nimage: x:1 # {"$imagepolicy": "ns:app"}\n'
    (pilotfish.folder / "a.yaml").write_text(marked)
    (pilotfish.folder / "b.yaml").write_text('a: [\nimage: x:1 # {"$imagepolicy": "ns:app"}\n')
    answer = pilotfish.json("set", ".", "--image-policy", "ns:app=ghcr.io/o/app:v1", code=4)
    assert answer.json["files"] == ["a.yaml"]
    (change,) = answer.json["changes"]
    assert (change["setter"], change["oldValue"], change["newValue"]) == (
        "ns:app",
        "x:1",
        "ghcr.io/o/app:v1",
    )
    assert change["object"] == {
        "apiVersion": "",
        "kind": "ConfigMap",
        "namespace": "",
        "name": "a",
    }
    assert {one["file"] for one in answer.json["problems"]} == {"b.yaml"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 0),
        (["--help"], 0),
        (["version", "-o", "json"], 0),
        (["nonsense"], 2),
        (["run", "--nonsense"], 2),
        (["run", "--deliver", "pigeon"], 2),
        (["scan", "nowhere"], 2),
        (["plan", "--repository", "https://user:pass@git.example.test/x"], 2),
        (["plan", "--repository", "git://git.example.test/x"], 2),
    ],
)
def test_exit_codes_tell_usage_from_failure(
    pilotfish: Pilotfish, words: list[str], code: int
) -> None:
    answer = pilotfish(*words)
    assert answer.code == code
    assert "pass@" not in answer.out + answer.err


def test_no_secret_shows_anywhere(
    pilotfish: Pilotfish, git_host_basic: GitHost, odd_registry: OddRegistry, tmp_path: Path
) -> None:
    token, word = "secret", "c4nary-registry-word"
    odd_registry.push_image("shop/web", "1.0.0")
    odd_registry.push_image("shop/web", "1.1.0")
    odd_registry.require_bearer("c4nary-bearer")
    config = (
        PLAIN
        + f"""\
registries:
  "{odd_registry.host}":
    auth: {{username: bot, password: {{env: ACME_TOKEN}}}}
"""
    )
    files = {FILE: deployment(f"{odd_registry.host}/shop/web:1.0.0"), ".pilotfish.yaml": config}
    remote = git_host_basic.create("fleet", files)
    assert remote.url_http is not None
    pilotfish.repository = remote.url_http
    pilotfish.environment |= {
        "ACME_TOKEN": word,
        "PILOTFISH_FORGE_TOKEN": token,
        "PILOTFISH_GIT_USERNAME": git_host_basic.credentials[0]
        if git_host_basic.credentials
        else "",
    }
    seen: set[str] = set()
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(seen, over))
    watcher.start()
    try:
        told = [pilotfish("run", "-vv"), pilotfish("plan", "-o", "json", "-vv")]
        odd_registry.accepted = {"Bearer another"}
        told.append(pilotfish("run", "-vv"))
    finally:
        over.set()
        watcher.join()
    assert told[0].code == 0, told[0].err
    assert told[2].code == 1
    assert any("git" in line for line in seen)
    stored = b"".join(one.read_bytes() for one in pilotfish.cache.rglob("*") if one.is_file())
    canaries = [word, "c4nary-bearer", f":{token}", f"{token}@"]
    for canary in canaries:
        assert not any(canary in one.out + one.err for one in told)
        assert not any(canary in line for line in seen)
        if canary in {word, "c4nary-bearer"}:
            assert canary.encode() not in stored


def _watch(seen: set[str], over: threading.Event) -> None:
    """Note the argument list of every process until it is over."""
    while not over.wait(0.002):
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.add(entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
            except OSError:
                continue


def test_the_cache_of_a_remote_holds_no_credentials(fleet: Fleet) -> None:
    fleet.run.environment["PILOTFISH_FORGE_TOKEN"] = "c4nary-forge"
    fleet.go()
    for config in fleet.run.cache.rglob("config"):
        assert "c4nary" not in config.read_text(encoding="utf-8")
    assert (
        b"c4nary"
        not in subprocess.run(
            ["grep", "-r", "c4nary", str(fleet.run.cache)], capture_output=True, check=False
        ).stdout
    )
    assert json.loads(fleet.run("holds", "-o", "json").out) == {"holds": []}
