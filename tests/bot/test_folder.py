"""Folders: which files are visited, and how one is replaced whole or not at all."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bot import folder
from bot.errors import AccessError, ConflictError, Severity, UnavailableError
from bot.folder import MAX_READ_BYTES, MissingFolderError, replace_file, visit

NEEDLE = b"needle"


def name_and_size(file: str, content: bytes) -> tuple[str, int]:
    return file, len(content)


def names(root: Path, below: str | None = None) -> list[str]:
    found = visit(root, below, [NEEDLE], name_and_size)
    return [name for name, _ in found.results]


def lay_out(root: Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(NEEDLE)


def test_yaml_files_and_kustomizations_are_visited_hidden_ones_too(tmp_path: Path) -> None:
    lay_out(tmp_path, "a.yaml", "b/c.yml", ".d/.yaml", "Kustomization", "e.json", "kustomization")

    assert names(tmp_path) == [".d/.yaml", "Kustomization", "a.yaml", "b/c.yml"]


def test_other_names_are_visited_on_request(tmp_path: Path) -> None:
    lay_out(tmp_path, "Dockerfile", "a.yaml", "b.txt")

    found = visit(tmp_path, None, [], name_and_size, also=lambda name: name == "Dockerfile")

    assert [name for name, _ in found.results] == ["Dockerfile", "a.yaml"]


def test_only_files_that_hold_a_needle_are_worked_on(tmp_path: Path) -> None:
    lay_out(tmp_path, "a.yaml")
    (tmp_path / "b.yaml").write_bytes(b"nothing")

    found = visit(tmp_path, None, [NEEDLE], name_and_size)

    assert (found.results, found.files) == ((("a.yaml", 6),), 2)


def test_a_name_that_is_nearly_right_is_a_warning(tmp_path: Path) -> None:
    lay_out(tmp_path, "a.YAML", "kustomization")

    found = visit(tmp_path, None, [NEEDLE], name_and_size)

    assert found.results == ()
    assert [problem.file for problem in found.problems] == ["a.YAML", "kustomization"]
    assert {problem.severity for problem in found.problems} == {Severity.WARNING}


def test_names_are_relative_to_the_folder_also_below_a_part_of_it(tmp_path: Path) -> None:
    lay_out(tmp_path, "d/e/a.yaml", "f/b.yaml")

    assert names(tmp_path, "d") == ["d/e/a.yaml"]
    assert names(tmp_path, "d/e/a.yaml") == ["d/e/a.yaml"]


@pytest.mark.parametrize("below", ["nothing", "../x", "/etc"])
def test_a_part_that_is_not_there_or_outside_is_an_error(tmp_path: Path, below: str) -> None:
    root = tmp_path / "root"
    root.mkdir()

    with pytest.raises(MissingFolderError):
        visit(root, below, [NEEDLE], name_and_size)


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    lay_out(tmp_path, "a.yaml")

    with pytest.raises(MissingFolderError, match="this is a file"):
        visit(tmp_path / "a.yaml", None, [NEEDLE], name_and_size)


def test_linked_folders_are_not_followed_and_a_linked_file_counts_once(tmp_path: Path) -> None:
    lay_out(tmp_path, "root/d/a.yaml", "outside.yaml", "root/target.txt")
    root = tmp_path / "root"
    (root / "e").symlink_to("d")
    (root / "again.yaml").symlink_to("d/a.yaml")
    (root / "dangling.yaml").symlink_to("nowhere.yaml")
    (root / "through.yaml").symlink_to("target.txt")

    assert names(root) == ["d/a.yaml", "through.yaml"]


def test_a_very_large_file_is_read_up_to_the_bound(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(NEEDLE + b"\n" * MAX_READ_BYTES)

    found = visit(tmp_path, None, [NEEDLE], name_and_size)

    assert found.results == (("a.yaml", MAX_READ_BYTES),)


def test_a_thing_that_is_no_file_is_reported(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    lay_out(tmp_path, "a.yaml")

    found = visit(tmp_path, None, [NEEDLE], name_and_size)

    assert [name for name, _ in found.results] == ["a.yaml"]


def test_two_processes_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path, *(f"d{n % 7}/f{n}.yaml" for n in range(40)))
    alone = visit(tmp_path, None, [NEEDLE], name_and_size)
    monkeypatch.setattr(folder, "_SHARED_FROM_FILES", 10)

    shared = visit(tmp_path, None, [NEEDLE], name_and_size)

    assert shared == alone


def where_read(file: str, content: bytes) -> int:
    return os.getpid()


ALONE = """\
import os, pathlib, sys, threading
from bot import folder
folder._SHARED_FROM_FILES = 10
waiting = threading.Timer(3600, lambda: None)
waiting.daemon = True
waiting.start()
root, needle = pathlib.Path(sys.argv[1]), sys.argv[2].encode()
found = folder.visit(root, None, [needle], lambda *_: os.getpid())
print(len(set(found.results)))
"""


def test_a_timer_that_waits_keeps_no_second_process_away(tmp_path: Path) -> None:
    lay_out(tmp_path, *(f"f{n}.yaml" for n in range(20)))

    # A process of its own: here the threads of test servers may be running.
    command = [sys.executable, "-c", ALONE, str(tmp_path), NEEDLE.decode()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "2\n"


def die_elsewhere(parent: int, file: str, content: bytes) -> tuple[str, int]:
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return file, len(content)


def test_a_second_process_that_dies_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path, *(f"f{n}.yaml" for n in range(20)))
    monkeypatch.setattr(folder, "_SHARED_FROM_FILES", 10)
    parent = os.getpid()

    found = visit(
        tmp_path, None, [NEEDLE], lambda file, content: die_elsewhere(parent, file, content)
    )

    assert len(found.results) == 20


def test_a_file_is_replaced_with_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"old")
    file.chmod(0o640)

    replace_file(tmp_path, "a.yaml", old=b"old", new=b"new")

    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["a.yaml"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_bytes(b"old")
    (tmp_path / "a.yaml").symlink_to("real.txt")

    replace_file(tmp_path, "a.yaml", old=b"old", new=b"new")

    assert (tmp_path / "a.yaml").is_symlink()
    assert (tmp_path / "real.txt").read_bytes() == b"new"


def test_a_link_out_of_the_folder_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside.yaml").write_bytes(b"old")
    (tmp_path / "root" / "a.yaml").symlink_to("../outside.yaml")

    with pytest.raises(AccessError, match="out of the folder"):
        replace_file(tmp_path / "root", "a.yaml", old=b"old", new=b"new")


def test_what_someone_else_changed_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"theirs")

    with pytest.raises(ConflictError):
        replace_file(tmp_path, "a.yaml", old=b"old", new=b"new")

    assert (tmp_path / "a.yaml").read_bytes() == b"theirs"


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AccessError):
        replace_file(tmp_path, "a.yaml", old=b"old", new=b"new")


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # a write beyond it fails

    try:
        with pytest.raises(UnavailableError, match="stands as it was"):
            replace_file(tmp_path, "a.yaml", old=b"old", new=b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, heard)

    assert (tmp_path / "a.yaml").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.yaml"]
