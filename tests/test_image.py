"""The image is what it says: the Dockerfile is read, and built where an engine without a daemon is.

What is asserted without an engine is read from the text alone.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.version import __version__
from tests.journeys.fleet import PLAIN
from tests.servers.git_host import GitHost

ROOT = Path(__file__).resolve().parent.parent
BASE = "docker.io/library/python:3.12-slim-bookworm"
IMAGE = "localhost/pilotfish-of-tests"
PROGRAM = ["/opt/venv/bin/python", "-I", "/opt/venv/bin/pilotfish"]
_ENGINE = {"BUILDAH_ISOLATION": "chroot"}
# Inside a mount namespace of its own: the root read-only, no shell left in it, nobody's user.
_CONFINED = """\
set -eu
root=$1 repository=$2
shift 2
mount --bind "$root" "$root"
mount --bind "$repository" "$root/repository"
mount -o remount,bind,ro "$root"
mount -o remount,bind,ro "$root/repository"
mount -t tmpfs tmpfs "$root/tmp"
chmod 1777 "$root/tmp"
mount --rbind /dev "$root/dev"
exec chroot --userspec=65532:65532 "$root" /usr/bin/env -i HOME=/home/pilotfish \\
  PATH=/usr/local/bin:/usr/bin PILOTFISH_CACHE=/tmp/cache "$@"
"""


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
    (last,) = [text for text in runs if "uv pip" in text]
    assert "--no-deps --offline" in last
    assert "--python /opt/venv/bin/python" in last
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


def engine(*words: str) -> str:
    done = subprocess.run(
        ["buildah", *words],
        env=os.environ | _ENGINE,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def container() -> Iterator[str]:
    """A container of the image, built here; skipped where it cannot be."""
    if shutil.which("buildah") is None or os.geteuid() != 0:
        pytest.skip("buildah, and root for it, are not here: apt-get install buildah")
    if subprocess.run(
        ["buildah", "inspect", "--type", "image", BASE], capture_output=True, check=False
    ).returncode:
        pytest.skip(f"the base image is not here: buildah pull {BASE}")
    engine("build", "--pull=false", "--tag", IMAGE, str(ROOT))
    try:
        name = engine("from", "--pull=false", IMAGE)
        yield name
        engine("rm", name)
    finally:
        engine("rmi", "--force", IMAGE)


@pytest.mark.servers
def test_the_built_image_runs_read_only_as_nobody_and_without_a_shell(
    container: str, git_host: GitHost, tmp_path: Path
) -> None:
    files = {"a.yaml": "image: ghcr.io/acme/api:1.4.2\n", ".pilotfish.yaml": PLAIN}
    remote = git_host.create("fleet", files)
    (tmp_path / "a.yaml").write_text(files["a.yaml"])
    tmp_path.chmod(0o755)
    root = engine("mount", container)
    for folder in ("bin", "usr/bin"):  # nothing of it is needed to run
        for shell in ("sh", "bash", "dash", "rbash"):
            (Path(root) / folder / shell).unlink(missing_ok=True)

    def confined(*words: str) -> subprocess.CompletedProcess[str]:
        script = ["unshare", "--mount", "bash", "-c", _CONFINED, "-", root, str(tmp_path)]
        return subprocess.run(
            [*script, *words], capture_output=True, text=True, check=False, timeout=120
        )

    try:
        version = confined(*PROGRAM, "version")
        found = json.loads(confined(*PROGRAM, "scan", "/repository", "-o", "json").stdout)
        planned = confined(*PROGRAM, "plan", "--repository", remote.url_http)
        written = confined(PROGRAM[0], "-I", "-c", "open('/opt/x', 'w')")
        no_shell = confined("/bin/sh", "-c", "true")
    finally:
        engine("umount", container)

    assert version.stdout == f"pilotfish {__version__}\n", version.stderr
    assert [one["tag"] for one in found["images"]] == ["1.4.2"]
    assert planned.returncode == 0, planned.stderr
    assert "Read-only file system" in written.stderr
    assert no_shell.returncode == 127
