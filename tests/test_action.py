"""The forge action and the image do what they say: their own steps are run, or read where not.

No forge's runner and no container engine is needed: the `run:` steps of action.yml are given to
bash as a runner gives them. The Dockerfile is parsed; what is asserted of it was not built here.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.version import __version__

ROOT = Path(__file__).resolve().parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
# Read once: tests change HOME, and packages must not be fetched anew.
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
_FAULTY = """\
image: ghcr.io/acme/api:1.4.2  # pilotfish: semver ^^1
image: ghcr.io/acme/web:1.4.2  # pilotfish: nonsense "::error::100%|<b>"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What the steps of one use of the action left behind."""

    code: int
    log: str
    problems: list[dict[str, Any]] | None
    summary: str


def expand(text: str, inputs: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ inputs\.([a-z]+) \}\}", lambda found: inputs[found[1]], text)


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a runner's temporary folder, which keeps what the first step installed."""
    return tmp_path_factory.mktemp("runner")


def use_action(workspace: Path, runner: Path, **given: str) -> Ran:
    """Run the action's steps as a runner would, and stop at the first that fails."""
    inputs = {name: one["default"] for name, one in ACTION["inputs"].items()} | given
    output, summary = workspace.parent / "output", workspace.parent / "summary"
    output.touch()
    summary.touch()
    log, code = "", 0
    for step in ACTION["runs"]["steps"]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(_CACHE / "uv")),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_SYSTEM_CERTS": "true",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            "RUNNER_TEMP": str(runner),
        }
        environment |= {key: expand(text, inputs) for key, text in step.get("env", {}).items()}
        for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
            with contextlib.suppress(KeyError):
                environment[name] = os.environ[name]
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=workspace,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=180,
        )
        log, code = log + done.stdout, done.returncode
        if code:
            break
    found = re.search(r"^problems=(.*)$", output.read_text(encoding="utf-8"), re.MULTILINE)
    return Ran(
        code=code,
        log=log,
        problems=json.loads(found[1]) if found else None,
        summary=summary.read_text(encoding="utf-8"),
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Return a checkout with a decoy of ours in it."""
    folder = tmp_path / "workspace"
    (folder / "bot").mkdir(parents=True)
    (folder / "bot" / "__init__.py").write_text("raise SystemExit('the decoy ran')\n")
    (folder / "clusters").mkdir()
    return folder


@pytest.fixture(autouse=True)
def uv_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("uv"):
        return
    found = sorted(_CACHE.glob("pilotfish/uv*/bin/uv"))
    if found:
        monkeypatch.setenv("PATH", f"{found[-1].parent}{os.pathsep}{os.environ['PATH']}")


def test_a_sound_folder_passes_and_says_what_was_looked_at(workspace: Path, runner: Path) -> None:
    good = "image: ghcr.io/acme/api:1.4.2  # pilotfish: semver ^1.4\n"
    (workspace / "clusters" / "a.yaml").write_text(good)

    ran = use_action(workspace, runner, path="clusters", offline="true", version=__version__)

    assert (ran.code, ran.problems) == (0, []), ran.log
    assert "markers: 1 fields, 1 followed" in ran.summary


def test_faults_fail_it_and_are_marked_on_their_lines(workspace: Path, runner: Path) -> None:
    (workspace / "clusters" / "a.yaml").write_text(_FAULTY)

    ran = use_action(workspace, runner, offline="true")

    assert ran.code == 2
    assert ran.problems is not None
    assert sorted((one["file"], one["line"]) for one in ran.problems) == [
        ("clusters/a.yaml", 1),
        ("clusters/a.yaml", 2),
    ]
    assert "::error file=clusters/a.yaml,line=1" in ran.log


def test_what_a_file_says_is_no_command_to_the_runner(workspace: Path, runner: Path) -> None:
    (workspace / "a%0A::stop-commands::x,y.yaml").write_text(_FAULTY)

    ran = use_action(workspace, runner, offline="true")

    commands = [line for line in ran.log.splitlines() if line.startswith("::")]
    assert all(
        line.startswith("::error file=a%250A%3A%3Astop-commands%3A%3Ax%2Cy") for line in commands
    )
    assert len(commands) == 2
    assert "<b>" not in ran.summary


def test_a_path_is_only_ever_a_path(workspace: Path, runner: Path) -> None:
    ran = use_action(workspace, runner, path='--help"; touch owned; "', offline="true")

    assert ran.code == 2
    assert not (workspace / "owned").exists()


def test_another_version_than_asked_for_stops_it(workspace: Path, runner: Path) -> None:
    ran = use_action(workspace, runner, version="99.0.0", offline="true")

    assert ran.code == 2
    assert f"holds pilotfish {__version__}" in ran.log


def test_no_script_has_an_expression_inside() -> None:
    assert [step for step in ACTION["runs"]["steps"] if "${{" in step["run"]] == []


def stages() -> list[list[tuple[str, str]]]:
    """Return the Dockerfile's stages, each a list of instructions with their text."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", "", text)
    found: list[list[tuple[str, str]]] = []
    for line in joined.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest.strip()))
    return found


def test_the_image_has_two_stages_and_runs_as_nobody_isolated() -> None:
    build, final = stages()
    last = dict(final)

    assert build[0][1].endswith(" AS build")
    assert last["USER"] == "65532:65532"
    assert json.loads(last["ENTRYPOINT"]) == [
        "/opt/venv/bin/python",
        "-I",
        "/opt/venv/bin/pilotfish",
    ]
    assert ("COPY", "--from=build /opt/venv /opt/venv") in final


def test_the_image_holds_git_ssh_and_authorities_alone() -> None:
    (install,) = [text for word, text in stages()[1] if word == "RUN" and "apt-get install" in text]
    packages = re.findall(r"--no-install-recommends ([a-z -]+?) &&", install)

    assert packages == ["ca-certificates git openssh-client"]


def test_the_image_is_built_from_the_lock_file() -> None:
    runs = [text for word, text in stages()[0] if word == "RUN"]

    assert all("--frozen" in text for text in runs if "uv sync" in text)
    assert all("--no-deps --offline" in text for text in runs if "uv pip" in text)
    assert not any(re.search(r"(?<!uv )pip install", text) for text in runs)


def test_the_image_copies_only_what_its_ignore_file_lets_in() -> None:
    let_in = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = {
        name
        for word, text in stages()[0]
        if word == "COPY" and "--from" not in text
        for name in text.split()[:-1]
    }

    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)


def test_one_version_of_uv_is_named_everywhere() -> None:
    named = {
        name: set(re.findall(r"uv(?:_version)?(?::|==?)(\d+\.\d+\.\d+)", (ROOT / name).read_text()))
        for name in ("Dockerfile", "action.yml", ".ci/setup")
    }

    assert len(set.union(*named.values())) == 1, named
    assert all(named.values())
