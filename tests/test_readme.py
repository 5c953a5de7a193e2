"""README holds what it says: its shell runs, its YAML is read, its options and files exist.

The shell blocks are one story. They run in order in a clone of a real Git remote, against a
registry that serves `shop/web`; the registry's name in the text is replaced by its address.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from bot.cli.main import COMMANDS, HELP
from bot.config.native import Trust, read_native
from bot.config.server import read_server_file
from bot.git.remote_url import parse_remote_url
from bot.planning.binding import bind_fields
from bot.rewrite.tree import NEEDLES, find_fields
from bot.version import __version__
from tests.servers.cluster import ControlPlane
from tests.servers.git_host import GitHost
from tests.servers.odd_registry import OddRegistry
from tests.servers.remote import Remote

ROOT = Path(__file__).resolve().parent.parent
READMES = ("README.md", "policies/README.md", "bot/README.md", "reconciler/README.md")
REGISTRY = "registry.example.org"
# Read once: tests change HOME, and packages must not be fetched anew.
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
BEFORE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
        - name: web
          image: registry.example.org/shop/web:1.4.0
"""
_BLOCK = re.compile(
    r"^```(?P<language>\w+)(?: (?P<note>\S+))?\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: `note` is the word after the language, a file's name where it is YAML."""

    language: str
    note: str
    text: str
    line: int


def blocks(name: str) -> Iterator[Block]:
    text = (ROOT / name).read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(
            language=found["language"], note=found["note"] or "", text=found["text"], line=line
        )


YAML_BLOCKS = [
    pytest.param(block, id=f"{name}:{block.line}")
    for name in READMES
    for block in blocks(name)
    if block.language == "yaml"
]


@pytest.fixture
def clone(
    git_host: GitHost,
    odd_registry: OddRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Path, Remote]:
    """A person's clone of a repository with one image, and a registry with newer tags."""
    for tag in ("1.4.0", "1.4.1", "1.5.0", "2.0.0"):
        odd_registry.push_image("shop/web", tag)
    text = BEFORE.replace(REGISTRY, odd_registry.host)
    remote = git_host.create("fleet", {"apps/web.yaml": text})
    folder = tmp_path / "fleet"
    subprocess.run(["git", "clone", "--quiet", remote.url_http, str(folder)], check=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("PILOTFISH_CACHE", str(tmp_path / "cache"))
    return folder, remote


def run_shell(text: str, folder: Path) -> str:
    script = f"set -eu\n{text}"
    done = subprocess.run(
        ["sh", "-c", script], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )

    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def words(text: str) -> list[str]:
    return re.findall(r"[^\s;:]+", text)


@pytest.mark.journey
def test_the_story_of_the_readme_runs_as_it_is_told(
    clone: tuple[Path, Remote], odd_registry: OddRegistry
) -> None:
    folder, remote = clone
    shown = ""
    for block in blocks("README.md"):
        text = block.text.replace(REGISTRY, odd_registry.host)
        if block.language == "sh" and not block.note:
            shown = run_shell(text, folder)
        elif block.language == "yaml" and block.note:
            (folder / block.note).write_text(text, encoding="utf-8")
        elif block.language == "text" and not block.note:
            missing = [word for word in words(text) if word not in words(shown)]
            assert missing == [], f"README.md:{block.line} shows what is not printed\n{shown}"

    assert (
        f"{odd_registry.host}/shop/web:1.5.0  # pilotfish" in remote.read("apps/web.yaml").decode()
    )
    assert list(remote.branches()) == ["main"], "the merged proposal's branch was deleted"


@pytest.mark.journey
def test_the_cluster_part_of_the_readme_runs_as_it_is_told(
    clone: tuple[Path, Remote], cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = clone
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    shown = ""
    try:
        for block in blocks("README.md"):
            if block.note == "apps/web.yaml":
                (folder / block.note).write_text(block.text, encoding="utf-8")
            elif block.note == "cluster" and block.language == "sh":
                shown = run_shell(block.text, folder)
            elif block.note == "cluster":
                missing = [word for word in words(block.text) if word not in words(shown)]
                assert missing == [], f"README.md:{block.line} shows what is not printed\n{shown}"
        assert cluster.exists("deployment", "web")
    finally:
        cluster.kubectl("delete", "deployment", "web", "--ignore-not-found")
        inventory = "reconcile.pilotfish.io/inventory=web"
        cluster.kubectl("delete", "configmap", "--selector", inventory)


def test_the_install_line_installs_the_command(tmp_path: Path) -> None:
    (block,) = [one for one in blocks("README.md") if one.note == "install"]
    uv = shutil.which("uv") or next(map(str, sorted(_CACHE.glob("pilotfish/uv*/bin/uv"))), None)
    if uv is None:
        pytest.skip("there is no uv; .ci/test brings it")
    environment = os.environ | {
        "PATH": f"{Path(uv).parent}{os.pathsep}{os.environ['PATH']}",
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(_CACHE / "uv")),
        "UV_PYTHON": sys.executable,
        "UV_SYSTEM_CERTS": "true",
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
        "UV_TOOL_DIR": str(tmp_path / "tools"),
    }

    done = subprocess.run(
        ["sh", "-euc", block.text],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )

    if done.returncode and re.search("[Ff]ailed to fetch|error sending request", done.stderr):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    said = subprocess.run(
        [str(tmp_path / "bin" / "pilotfish"), "version"], capture_output=True, text=True, check=True
    )
    assert said.stdout == f"pilotfish {__version__}\n"


@pytest.mark.journey
def test_the_story_has_a_diff_of_one_line(clone: tuple[Path, Remote]) -> None:
    folder, remote = clone
    file = folder / "apps/web.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(":1.4.0", ":1.4.0  # pilotfish: semver ^1.4"), encoding="utf-8")
    (folder / ".pilotfish.yaml").write_text("version: 1\nforge: {kind: plain}\n", encoding="utf-8")

    run_shell("git add . && git commit -qm marker && git push -q origin HEAD", folder)
    run_shell("pilotfish run", folder)

    changed = remote.diff("main", "pilotfish/shop-web").splitlines()
    assert len([line for line in changed if re.match(r"[+-](?![+-])", line)]) == 2


@pytest.mark.parametrize("block", YAML_BLOCKS)
def test_each_yaml_block_is_read_without_a_fault(block: Block, tmp_path: Path) -> None:
    text = block.text.encode()
    if block.note == "serve.yaml":
        assert read_server_file(
            block.note, text, folder=tmp_path, check_url=parse_remote_url
        ).repositories
        return
    if text.startswith(b"version: 1"):
        config = read_native(".pilotfish.yaml", text, folder=tmp_path, trust=Trust.PERSON)
        assert config.source
        return
    expected = sum(text.count(needle) for needle in NEEDLES)

    found = find_fields([(block.note or "example.yaml", text)])

    assert found.problems == ()
    assert len(found.fields) == expected > 0


def marker_rows() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `# (pilotfish: [^`]+)`", text, flags=re.MULTILINE)


@pytest.mark.parametrize("marker", marker_rows())
def test_each_marker_of_the_table_binds(marker: str, tmp_path: Path) -> None:
    api = b"version: 1\npolicies: {api: {image: ghcr.io/acme/api, semver: 1.x}}\n"
    config = read_native("p.yaml", api, folder=tmp_path, trust=Trust.PERSON)
    line = f"image: ghcr.io/acme/api:1.4.2  # {marker.replace(chr(92) + '|', '|')}\n"

    found = find_fields([("a.yaml", line.encode())])
    bindings, problems = bind_fields(found.fields, config, config.updates)

    assert (found.problems, problems) == ((), [])
    assert len(bindings) == (0 if "ignore" in marker else 1)


def command_help(*command: str) -> str:
    argv = [str(Path(sys.executable).parent / "pilotfish"), *command, "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def test_every_option_in_a_readme_is_one_that_a_command_has() -> None:
    known = set(re.findall(r"--[a-z][a-z-]+", HELP + "".join(map(command_help, sorted(COMMANDS)))))
    others = {"--quiet", "--message"}  # git's
    named = {
        option
        for name in READMES
        for option in re.findall(
            r"(?<![\w-])--[a-z][a-z-]+", (ROOT / name).read_text(encoding="utf-8")
        )
    }

    assert named <= known | others


@pytest.mark.parametrize("name", READMES)
def test_every_file_that_a_readme_links_to_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    missing = [one for one in links if not (ROOT / PurePosixPath(name).parent / one).exists()]

    assert missing == []


@pytest.mark.parametrize("script", [".ci/demo", ".ci/test", ".ci/run", ".ci/setup"])
def test_the_commands_that_set_a_machine_up_can_be_run(script: str) -> None:
    path = ROOT / script

    assert os.access(path, os.X_OK)
    subprocess.run(["sh", "-n", str(path)], check=True, timeout=10)


def test_the_two_commands_are_named_before_anything_else_is_run() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first = text.index("```")

    assert text.index("`./.ci/demo`") < first
    assert text.index("`./.ci/test`") < first
