"""What goes wrong on the way: nothing is lost or half-written, and the message says what to do."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bot.clock import SystemClock
from tests.journeys.commands import Pilotfish
from tests.journeys.fleet import FILE, PERSON, PLAIN, Fleet, deployment, tag_in
from tests.servers.odd_registry import OddRegistry

API = "apps/api.yaml"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# The kernel's VmHWM, not getrusage: that one begins with the size of whoever started the child.
MEASURED = """\
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    with open("/proc/self/status") as status:
        peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    sys.stderr.write("peak " + peak)
"""


def with_second_image(fleet: Fleet, registry: OddRegistry) -> None:
    """Let the fleet follow an image of another registry as well."""
    registry.push_tags("shop/api", ["1.0.0", "1.1.0"])
    text = deployment(f"{registry.host}/shop/api:1.0.0")
    fleet.remote.commit({API: text}, "Add the API", author=PERSON)


def test_one_registry_that_is_down_stops_no_other(
    fleet: Fleet, odd_registry_elsewhere: OddRegistry
) -> None:
    with_second_image(fleet, odd_registry_elsewhere)
    fleet.go()
    api = fleet.remote.head("pilotfish/shop-api")
    odd_registry_elsewhere.stop()
    fleet.publish("1.2.0")
    answer = fleet.go(code=4)
    assert answer.operations() == {
        "pilotfish/shop-api": "unchanged",
        "pilotfish/shop-web": "refreshed",
    }
    assert fleet.remote.head("pilotfish/shop-api") == api
    (problem,) = answer.json["problems"]
    assert odd_registry_elsewhere.host in problem["file"] + problem["message"]
    assert f"{API}:9" in problem["message"]
    assert problem["hint"]


def test_a_branch_of_several_images_stays_while_one_cannot_be_asked(
    fleet: Fleet, odd_registry_elsewhere: OddRegistry
) -> None:
    with_second_image(fleet, odd_registry_elsewhere)
    fleet.go("--deliver", "branch")
    assert b":1.1.0" in fleet.remote.read(API, "pilotfish/default")
    odd_registry_elsewhere.stop()
    fleet.publish("1.2.0")
    fleet.go("--deliver", "branch", code=4)
    assert b":1.1.0" in fleet.remote.read(API, "pilotfish/default")


def test_the_only_registry_down_is_an_error_and_closes_nothing(fleet: Fleet) -> None:
    fleet.go()
    heads = fleet.remote.branches()
    fleet.registry.stop()
    answer = fleet.go(code=1)
    assert answer.operations() == {fleet.branch: "unchanged"}
    assert fleet.remote.branches() == heads


def test_a_busy_registry_is_waited_for(fleet: Fleet) -> None:
    fleet.registry.say_busy(times=2, retry_after="0")
    assert fleet.go().operations() == {fleet.branch: "opened"}


@pytest.mark.parametrize("trouble", ["challenge", "loop", "cut", "hole"])
def test_a_registry_that_lies_or_refuses_leaves_everything_as_it_is(
    fleet: Fleet, trouble: str
) -> None:
    fleet.go()
    heads = fleet.remote.branches()
    registry = fleet.registry
    registry.push_tags("shop/web", [f"0.{n}.0" for n in range(150)] + ["1.5.0"])
    if trouble == "challenge":
        registry.challenge('Basic realm="shop"')
    elif trouble == "loop":
        registry.page_size = 5
        registry.loop_pages()
    elif trouble == "cut":
        registry.cut_lists(at=100, continues=False)
    else:
        registry.forget("/tags/")
    answer = fleet.run("run", "-o", "json")
    assert answer.code in {1, 4}
    assert fleet.remote.branches() == heads
    (problem,) = answer.json["problems"]
    assert problem["message"]
    assert problem["hint"]


def test_a_list_cut_short_is_continued(fleet: Fleet) -> None:
    fleet.registry.push_tags("shop/web", [f"1.{n}.5" for n in range(140)])
    fleet.registry.cut_lists(at=100, continues=True)
    fleet.go()
    assert fleet.proposed() == {fleet.branch: "1.139.5"}


def test_a_body_that_is_not_what_its_digest_says_is_never_proposed(fleet: Fleet) -> None:
    text = deployment(f"{fleet.image}:1.0.0@sha256:{'0' * 64}", "pilotfish: semver ^1 min-age=1h")
    fleet.remote.commit({FILE: text}, "Pin it", author=PERSON)
    fleet.registry.corrupt("shop/web", fleet.registry.push_image("shop/web", "1.1.0"))
    fleet.registry.corrupt("shop/web", "1.1.0")
    answer = fleet.run("run", "-o", "json")
    assert fleet.proposed() == {}
    assert answer.json["problems"] or answer.json["held"]


def test_a_hundred_thousand_tags_are_read_whole_in_little_memory(fleet: Fleet) -> None:
    tags = [f"1.0.0-build.{number}" for number in range(99_990)]
    fleet.registry.push_tags("shop/web", [*tags, "1.9.0"])
    code = MEASURED
    words = fleet.run.command("run", "-o", "json")
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *words[2:]],
        cwd=fleet.run.folder,
        env=fleet.run.all_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert fleet.proposed() == {fleet.branch: "1.9.0"}
    assert int(done.stderr.rpartition("peak ")[2]) < 192 * 1024  # KiB; 87 MiB measured


def test_a_push_whose_answer_is_lost_is_known_to_be_done(fleet: Fleet) -> None:
    fleet.host.cut_after_push()
    assert fleet.go().operations() == {fleet.branch: "opened"}
    assert fleet.proposed() == {fleet.branch: "1.1.0"}
    assert len(fleet.remote.log(fleet.branch)) == 2


def test_a_push_that_never_arrived_is_repeated(fleet: Fleet) -> None:
    fleet.host.cut_before_push()
    assert fleet.go().operations() == {fleet.branch: "opened"}
    assert fleet.proposed() == {fleet.branch: "1.1.0"}


def test_a_base_that_moves_under_a_commit_loses_nothing(fleet: Fleet) -> None:
    fleet.host.before_push(
        lambda: fleet.remote.commit({"README.md": "hello\n"}, "Say hello", author=PERSON)
    )
    fleet.go("--deliver", "commit")
    assert fleet.tag() == "1.1.0"
    assert fleet.remote.read("README.md") == b"hello\n"
    assert [one.subject for one in fleet.remote.log()][1] == "Say hello"


def test_a_base_that_takes_the_tag_itself_gets_no_second_commit(fleet: Fleet) -> None:
    fleet.host.before_push(lambda: fleet.write("1.1.0"))
    fleet.go("--deliver", "commit")
    assert len(fleet.remote.log()) == 2


@pytest.mark.parametrize("deliver", ["commit", "pull-request"])
def test_a_hook_that_says_no_is_quoted(fleet: Fleet, deliver: str) -> None:
    fleet.remote.hook("pre-receive", "echo 'no changes on Fridays' >&2; exit 1")
    heads = fleet.remote.branches()
    answer = fleet.run("run", "--deliver", deliver, "-o", "json")
    assert answer.code in {1, 4}
    assert any("no changes on Fridays" in one["message"] for one in answer.json["problems"])
    assert fleet.remote.branches() == heads


def test_a_remote_that_takes_no_notes_is_a_warning(fleet: Fleet) -> None:
    fleet.remote.hook(
        "pre-receive", "while read a b ref; do case $ref in refs/notes/*) exit 1;; esac; done"
    )
    answer = fleet.go()
    assert answer.operations() == {fleet.branch: "opened"}
    (problem,) = answer.json["problems"]
    assert problem["severity"] == "warning"
    assert "refs/notes/pilotfish" in problem["hint"]
    assert fleet.run("hold", "shop/web").code == 1


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_git_host_that_refuses_is_told_in_three_parts(fleet: Fleet, status: int) -> None:
    fleet.host.answer(status, times=50)
    answer = fleet.run("run")
    assert answer.code == 1
    assert answer.err.startswith("pilotfish: ")
    assert fleet.remote.url_http is not None
    assert fleet.remote.url_http.partition("://")[2].partition("/")[0] in answer.err
    assert len(answer.err.splitlines()) >= 2


BOMB = "a: &a [x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12)
)
MARKED = 'image: x/y:1 # {"$imagepolicy": "flux-system:z"}\n'
HOSTILE: Mapping[str, str | bytes] = {
    "bomb.yaml": BOMB + MARKED,
    "deep.yaml": "a: " + "[" * 5000 + "\n" + MARKED,
    "utf16.yaml": MARKED.encode("utf-16"),
    "binary.yaml": b"\0\1\2\3" + MARKED.encode() + b"\xff",
    "broken.yaml": "a: [1\nb: }\n" + MARKED,
}


@pytest.mark.parametrize("deliver", ["pull-request", "files"])
def test_hostile_files_are_told_and_the_good_ones_done(
    fleet: Fleet, pilotfish: Pilotfish, deliver: str
) -> None:
    fleet.remote.commit(dict(HOSTILE), "Add odd files", author=PERSON)
    if deliver == "files":
        into_clone(fleet, pilotfish)
    answer = pilotfish("run", "--deliver", deliver, "-o", "json")
    assert answer.code == 4, answer.err
    assert answer.moves() == [(FILE, "1.0.0", "1.1.0")]
    told = {one["file"] for one in answer.json["problems"]}
    assert {"bomb.yaml", "deep.yaml"} <= told
    for file, content in HOSTILE.items():
        raw = content.encode() if isinstance(content, str) else content
        assert fleet.remote.read(file) == raw


def test_a_wrong_configuration_is_told_whole_and_nothing_is_asked_or_written(
    fleet: Fleet,
) -> None:
    wrong = "version: 1\npolices: {}\nupdates:\n  - {name: a, deliver: pr}\nlimits: {open: many}\n"
    fleet.remote.commit({".pilotfish.yaml": wrong}, "Slip", author=PERSON)
    asked = fleet.registry.count()
    answer = fleet.run("run")
    assert answer.code == 2
    for line, word in ((2, "policies"), (4, "deliver"), (5, "open")):
        assert f".pilotfish.yaml:{line}" in answer.err
        assert word in answer.err
    assert fleet.registry.count() == asked
    assert fleet.host.pushes() == 0


@pytest.mark.parametrize("forge", ["", "forge: {kind: gitea}\n"])
def test_proposals_need_a_forge_or_a_word_for_plain_git(fleet: Fleet, forge: str) -> None:
    fleet.remote.commit({".pilotfish.yaml": "version: 1\n" + forge}, "Forget it", author=PERSON)
    answer = fleet.run("run")
    assert answer.code == 2
    assert "forge: {kind: plain}" in answer.err
    assert "--deliver branch" in answer.err
    assert fleet.host.pushes() == 0
    planned = fleet.run.json("plan", code=4)
    assert planned.operations() == {fleet.branch: "opened"}
    assert "forge: {kind: plain}" in planned.json["problems"][0]["hint"]
    assert fleet.go("--deliver", "commit").json["commits"]


def test_check_tells_a_forge_that_is_missing(fleet: Fleet, pilotfish: Pilotfish) -> None:
    into_clone(fleet, pilotfish)
    assert pilotfish("check").code == 0
    (pilotfish.folder / ".pilotfish.yaml").write_text("version: 1\n", encoding="utf-8")
    answer = pilotfish("check")
    assert answer.code == 1
    assert "forge: {kind: plain}" in answer.err


def test_a_proposal_outside_its_schedule_waits_and_says_until_when(fleet: Fleet) -> None:
    day = DAYS[(SystemClock().now().weekday() + 3) % len(DAYS)]
    window = f"updates:\n  - {{name: late, schedule: {{within: '{day} 08:00-17:00'}}}}\n"
    fleet.remote.commit({".pilotfish.yaml": PLAIN + window}, "Another day", author=PERSON)
    answer = fleet.go()
    assert list(answer.operations().values()) == ["waiting"]
    assert "schedule opens at" in answer.json["proposals"][0]["reason"]
    assert fleet.proposed() == {}


def test_a_file_path_is_plain_git_by_itself(fleet: Fleet) -> None:
    fleet.remote.commit({".pilotfish.yaml": None}, "No configuration", author=PERSON)
    fleet.run.repository = str(fleet.remote.folder)
    assert fleet.go().operations() == {fleet.branch: "opened"}


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Take every byte that is left."""
    with (folder / "ballast").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return


def test_a_full_disk_leaves_the_file_whole(fleet: Fleet, full_disk: Path) -> None:
    place = full_disk / "apps"
    place.mkdir()
    before = deployment(f"{fleet.image}:1.0.0") + "# " + "x" * 8000 + "\n"
    (place / "web.yaml").write_text(before, encoding="utf-8")
    fill(full_disk)
    fleet.run.folder, fleet.run.repository = full_disk, ""
    answer = fleet.run("run", "--deliver", "files", "-o", "json")
    assert answer.code in {1, 4}
    (problem,) = answer.json["problems"]
    assert "No space left" in problem["message"] or "full" in problem["message"]
    assert (place / "web.yaml").read_text(encoding="utf-8") == before
    assert [one.name for one in place.iterdir()] == ["web.yaml"]


def test_a_full_disk_under_the_cache_writes_nothing(fleet: Fleet, full_disk: Path) -> None:
    fill(full_disk)
    fleet.run.cache = full_disk / "cache"
    answer = fleet.run("run")
    assert answer.code == 1
    assert "pilotfish: " in answer.err
    assert fleet.host.pushes() == 0


def into_clone(fleet: Fleet, pilotfish: Pilotfish) -> None:
    """Let the command stand in a clone."""
    assert fleet.remote.url_http is not None
    pilotfish.repository = ""
    pilotfish.folder = pilotfish.folder.parent / "clone"
    subprocess.run(["git", "clone", "-q", fleet.remote.url_http, str(pilotfish.folder)], check=True)


def test_files_are_edited_below_the_path_alone(fleet: Fleet, pilotfish: Pilotfish) -> None:
    fleet.remote.commit({"other/web.yaml": deployment(f"{fleet.image}:1.0.0")}, "Add another")
    into_clone(fleet, pilotfish)
    assert pilotfish.json("run", "apps", "--deliver", "files").json["files"] == [FILE]
    assert tag_in((pilotfish.folder / "other/web.yaml").read_bytes()) == "1.0.0"
    assert PLAIN.encode() == fleet.remote.read(".pilotfish.yaml")
