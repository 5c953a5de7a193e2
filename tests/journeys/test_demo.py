"""`pilotfish demo` tells its whole story anywhere, and leaves nothing behind."""

import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.demo.story import STORY

pytestmark = pytest.mark.journey

DEMO = [sys.executable, "-I", str(Path(sys.executable).with_name("pilotfish")), "demo"]
FIRST_QUESTION = "Press any key"
# What stands before each program on the demo's PATH: it writes down who asked for what.
NOTING = """\
#!/bin/sh
printf '%s\\t%s\\t%s' "${{GIT_CONFIG_KEY_0:-}}" "$PWD" {name} >>{log}
for word in "$@"; do printf '\\t%s' "$word" >>{log}; done
printf '\\n' >>{log}
exec {real} "$@"
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A bare machine: an empty home, a folder for temporary files, and a PATH that takes notes."""

    folder: Path

    @property
    def temporary(self) -> Path:
        return self.folder / "temporary"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": str(self.folder / "bin"),
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "GITHUB_TOKEN": "ghp_thedemomustnotseethis",
        }

    def prepare(self) -> None:
        for name in ("temporary", "home", "bin", "somewhere"):
            (self.folder / name).mkdir()
        for name in ("git", "cat"):
            script = self.folder / "bin" / name
            script.write_text(
                NOTING.format(name=name, log=self.folder / "notes", real=shutil.which(name))
            )
            script.chmod(0o755)

    def start(self, *options: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*DEMO, *options],
            env=self.environment,
            cwd=self.folder / "somewhere",
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def asked_by_the_person(self) -> list[list[str]]:
        """Return the words of every git and cat that the person's clone saw, after its birth.

        Our own program's git calls are told apart by the settings that they begin with.
        """
        rows = [line.split("\t") for line in (self.folder / "notes").read_text().splitlines()]
        return [
            words
            for key, folder, *words in rows
            if key == "color.ui" and folder.endswith("/fleet") and "-c" not in words
        ][3:]  # the fleet is added, committed and pushed first

    def leftovers(self) -> list[str]:
        """Return what is still on the disk, or still running, of a demo that was here."""
        found = [str(path) for path in self.temporary.iterdir()]
        found += [str(path) for path in self.home.iterdir()]
        mark = str(self.temporary).encode()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes():
                    found.append(process.name)
            except OSError:
                continue
        return found


def _place(folder: Path) -> Place:
    made = Place(folder=folder)
    made.prepare()
    return made


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return _place(tmp_path)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, str]:
    """The place where the demo was run with no terminal, and what it printed."""
    place = _place(tmp_path_factory.mktemp("told"))
    demo = place.start()
    printed, errors = demo.communicate(timeout=120)
    assert (demo.returncode, errors) == (0, "")
    return place, printed


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, dict[str, object]]:
    """The place where the demo was kept, and its summary."""
    place = _place(tmp_path_factory.mktemp("kept"))
    demo = place.start("--yes", "--keep", "-o", "json")
    printed, errors = demo.communicate(timeout=120)
    assert demo.returncode == 0, errors
    summary: dict[str, object] = json.loads(printed)
    return place, summary


def _typed(printed: str) -> list[str]:
    return re.findall(r"^  \$ (\S.*)$", printed.partition("── Now on")[0], re.MULTILINE)


def _commands(summary: dict[str, object]) -> list[dict[str, object]]:
    chapters = summary["chapters"]
    assert isinstance(chapters, list)
    return [command for chapter in chapters for command in chapter["commands"]]


def test_the_chapters_are_told_in_their_order(told: tuple[Place, str]) -> None:
    headings = re.findall(r"^── (\d+)  (.*?) ─+$", told[1], re.MULTILINE)
    assert headings == [(str(i), one.heading) for i, one in enumerate(STORY, 1)]


def test_nothing_is_left_behind(told: tuple[Place, str]) -> None:
    assert told[0].leftovers() == []
    assert list((told[0].folder / "somewhere").iterdir()) == []


def test_the_programs_that_are_shown_are_those_that_ran(told: tuple[Place, str]) -> None:
    shown = [shlex.split(line) for line in _typed(told[1])]
    ran = told[0].asked_by_the_person()
    assert sorted(ran) == sorted(words for words in shown if words[0] != "pilotfish")


def test_our_own_commands_run_as_they_are_shown(
    told: tuple[Place, str], kept: tuple[Place, dict[str, object]]
) -> None:
    commands = _commands(kept[1])
    assert [one["typed"] for one in commands] == _typed(told[1])
    ours = [one for one in commands if str(one["typed"]).startswith("pilotfish ")]
    assert len(ours) >= 9
    for one in ours:
        assert one["argv"] == [*DEMO[:3], *shlex.split(str(one["typed"]))[1:]]


def test_the_diff_and_the_reason_are_shown(told: tuple[Place, str]) -> None:
    printed = told[1]
    diff = [line for line in printed.splitlines() if re.match(r"  [+-] ", line)]
    assert len(diff) == 2
    assert diff[0].replace("1.4.0", "1.4.1")[3:] == diff[1][3:]
    assert "best by semver ^1.4" in printed


def test_a_refresh_a_revert_and_something_newer_are_carried_out(told: tuple[Place, str]) -> None:
    printed = " ".join(told[1].split())
    for word in (
        "pilotfish/shop-web refreshed",
        "pilotfish/shop-web closed",
        "above 1.4.0 up to 1.5.0",
        "1.5.1 minor best by semver ^1.4",
    ):
        assert word in printed


def test_without_a_terminal_nothing_is_asked_and_nothing_is_coloured(
    told: tuple[Place, str],
) -> None:
    assert FIRST_QUESTION not in told[1]
    assert "\x1b" not in told[1]


def test_no_line_is_wider_than_a_hundred_columns(told: tuple[Place, str]) -> None:
    assert max(len(line) for line in told[1].splitlines()) <= 100


def test_a_kept_fleet_is_as_the_story_left_it(kept: tuple[Place, dict[str, object]]) -> None:
    place, summary = kept
    folder = Path(str(summary["folder"]))
    assert folder.parent == place.temporary.resolve()
    remote = folder / "remote" / "fleet.git"

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(remote), *words], check=True, capture_output=True, text=True
        ).stdout

    assert "shop/web:1.4.0  # pilotfish" in git("show", "main:apps/web.yaml")
    assert "shop/web:1.5.1  # pilotfish" in git("show", "pilotfish/shop-web:apps/web.yaml")
    branches = git("branch", "--format=%(refname:short)", "--list", "pilotfish/*").split()
    assert branches == ["pilotfish/shop-web"]


def test_the_summary_says_that_it_is_complete(kept: tuple[Place, dict[str, object]]) -> None:
    assert kept[1]["complete"] is True
    assert "ghp_thedemomustnotseethis" not in json.dumps(kept[1])


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_stopping_it_in_the_middle_cleans_up(place: Place, number: int, code: int) -> None:
    demo = place.start("--yes")
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.rstrip() == "  $ pilotfish plan":
            break
    demo.send_signal(number)
    demo.communicate(timeout=60)
    assert demo.returncode == code
    assert place.leftovers() == []


def test_a_reader_that_goes_away_is_no_fault(place: Place) -> None:
    demo = place.start("--yes")
    assert demo.stdout is not None
    assert demo.stderr is not None
    demo.stdout.readline()
    demo.stdout.close()
    errors = demo.stderr.read()
    demo.stderr.close()
    assert (demo.wait(timeout=60), errors) == (0, "")
    assert place.leftovers() == []


def test_without_git_it_says_what_to_install(place: Place) -> None:
    (place.folder / "bin" / "git").unlink()
    demo = place.start("--yes")
    _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "Install 'git'" in errors
    assert place.leftovers() == []


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    for end in (ours, theirs):
        os.close(end)


@pytest.mark.parametrize(("key", "merged"), [(b"q", False), (b" ", True)])
def test_a_key_press_decides_about_the_merge(
    place: Place, terminal: tuple[int, int], key: bytes, merged: bool
) -> None:
    ours, theirs = terminal
    demo = subprocess.Popen(
        DEMO,
        env=place.environment | {"TERM": "xterm"},
        cwd=place.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    printed = b""
    while FIRST_QUESTION.encode() not in printed:
        printed += os.read(ours, 65536)
    os.write(ours, key)
    while merged and b" commands" not in printed:
        printed += os.read(ours, 65536)
    _, errors = demo.communicate(timeout=60)
    assert (demo.returncode, errors) == (0, b"")
    asked = [words[:2] for words in place.asked_by_the_person()]
    assert (["git", "merge"] in asked) is merged
    assert b"\x1b[1;32m  $ pilotfish plan" in printed
    assert place.leftovers() == []
