"""Where a folder was cloned from: found without running anything that the folder brings."""

import subprocess
from pathlib import Path

import pytest

from bot.git.location import find_location
from bot.git.remote_url import InvalidRemoteUrl


def clone(folder: Path, origin: str | None = "https://git.acme.io/a/b.git") -> Path:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    if origin is not None:
        configure(folder, "remote.origin.url", origin)
    return folder


def configure(folder: Path, key: str, value: str) -> None:
    subprocess.run(["git", "-C", str(folder), "config", key, value], check=True)


async def test_address_branch_and_top_are_found_from_below(tmp_path: Path) -> None:
    clone(tmp_path / "fleet")
    below = tmp_path / "fleet" / "clusters" / "prod"
    below.mkdir(parents=True)

    found = await find_location(below)

    assert found is not None
    assert found.url is not None
    assert (found.top, found.branch) == (tmp_path / "fleet", "main")
    assert (found.url.host, found.url.project) == ("git.acme.io", "a/b")


async def test_a_folder_that_is_no_clone_is_none(tmp_path: Path) -> None:
    assert await find_location(tmp_path) is None


async def test_a_clone_without_origin_has_no_address(tmp_path: Path) -> None:
    found = await find_location(clone(tmp_path / "fleet", origin=None))

    assert found is not None
    assert found.url is None


async def test_nothing_that_the_folder_configures_is_run(tmp_path: Path) -> None:
    folder = clone(tmp_path / "fleet")
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "core.sshCommand", "core.pager", "credential.helper"):
        configure(folder, key, str(trap))
    configure(folder, "core.hooksPath", str(tmp_path))

    await find_location(folder)

    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("origin", ["ext::sh -c id", "--upload-pack=x", "https://a:b@c.io/d"])
async def test_an_origin_that_could_hurt_is_refused(tmp_path: Path, origin: str) -> None:
    with pytest.raises(InvalidRemoteUrl):
        await find_location(clone(tmp_path / "fleet", origin))


async def test_a_detached_head_has_no_branch(tmp_path: Path) -> None:
    folder = clone(tmp_path / "fleet")
    subprocess.run(
        ["git", "-C", str(folder), "commit", "-q", "--allow-empty", "-m", "x"], check=True
    )
    subprocess.run(["git", "-C", str(folder), "checkout", "-q", "--detach"], check=True)

    found = await find_location(folder)

    assert found is not None
    assert found.branch is None
