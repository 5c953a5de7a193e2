"""What is shipped: a wheel of exactly three rooms, and a command that strangers cannot sway."""

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.version import __version__

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {"bot", "policies", "reconciler"}
DECOY = "raise SystemExit('the decoy ran')\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An environment with our wheel alone; what it depends on is lent by the tests' own."""

    python: Path
    pilotfish: Path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with the locked backend."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install the wheel into an environment of its own."""
    folder = tmp_path_factory.mktemp("environment")
    try:
        venv.create(folder, with_pip=True, symlinks=True)
    except subprocess.CalledProcessError:
        pytest.skip("this Python has no ensurepip; Debian: apt-get install python3-venv")
    scripts = folder / "bin"
    pip = [str(scripts / "python"), "-I", "-m", "pip", "install", "--quiet"]
    options = ["--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*pip, *options, str(wheel)], check=True, timeout=120)
    (own,) = folder.glob("lib/python*/site-packages")
    # A line in a .pth adds the folder, without the .pth files in it: our checkout stays out.
    (own / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return Installed(python=scripts / "python", pilotfish=scripts / "pilotfish")


def run(argv: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **variables}
    return subprocess.run(
        argv,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def folder_with_a_decoy(tmp_path: Path) -> Path:
    """A person's folder that has a `bot/`, as many have, and modules of our other names."""
    for room in sorted(ROOMS):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text(DECOY, encoding="utf-8")
        (tmp_path / room / "__main__.py").write_text(DECOY, encoding="utf-8")
    return tmp_path


def test_the_wheel_holds_the_three_rooms_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}

    assert top == ROOMS | {f"pilotfish-{__version__}.dist-info"}


def test_the_wheel_holds_every_module_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    ours = {
        path.relative_to(ROOT).as_posix() for room in ROOMS for path in (ROOT / room).rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == ours
    assert f"pilotfish-{__version__}.dist-info/licenses/LICENSE" in names


def test_the_installed_command_is_ours_beside_a_decoy(
    installed: Installed, folder_with_a_decoy: Path
) -> None:
    done = run([str(installed.pilotfish), "version"], folder_with_a_decoy)

    assert (done.returncode, done.stdout) == (0, f"pilotfish {__version__}\n")


def test_isolated_it_is_ours_whatever_the_python_path_says(
    installed: Installed, folder_with_a_decoy: Path
) -> None:
    argv = [str(installed.python), "-I", str(installed.pilotfish), "set", ".", "--dry-run"]
    reference = ["--image-policy", "a:b=c:1", "-o", "json"]
    (folder_with_a_decoy / "a.yaml").write_text("image: alpine:3.20\n", encoding="utf-8")

    done = run([*argv, *reference], folder_with_a_decoy, PYTHONPATH=str(folder_with_a_decoy))

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["changes"] == []


def test_the_installed_command_brings_all_of_its_modules(
    installed: Installed, folder_with_a_decoy: Path
) -> None:
    done = run(
        [str(installed.python), "-I", str(installed.pilotfish), "schema"], folder_with_a_decoy
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["title"] == ".pilotfish.yaml"


def test_check_names_a_stranger_that_took_one_of_our_names(
    installed: Installed, tmp_path: Path
) -> None:
    stranger = tmp_path / "site"
    metadata = stranger / "reconciler_tool-0.2.2.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: reconciler-tool\nVersion: 0.2.2\n", encoding="utf-8"
    )
    (metadata / "RECORD").write_text("reconciler/__init__.py,,\n", encoding="utf-8")
    (metadata / "top_level.txt").write_text("reconciler\n", encoding="utf-8")

    done = run(
        [str(installed.pilotfish), "check", "--offline", "-o", "json"],
        tmp_path,
        PYTHONPATH=str(stranger),
    )

    assert done.returncode == 2, done.stderr
    (problem,) = json.loads(done.stdout)["problems"]
    assert "reconciler-tool" in problem["message"]
