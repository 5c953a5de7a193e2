"""A change of the configuration is noticed by what is in the files, links included."""

import os
from pathlib import Path

from bot.serve.watch import Watch


def test_new_content_is_a_change_once(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    watch = Watch([file])
    file.write_text("other")

    assert (watch.changed(), watch.changed()) == ([file], [])


def test_the_same_content_with_a_new_time_is_none(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    watch = Watch([file])
    os.utime(file, (1, 1))

    assert watch.changed() == []


def test_a_swapped_link_is_a_change_of_what_it_leads_to(tmp_path: Path) -> None:
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "token").write_text(version)
    data = tmp_path / "..data"
    data.symlink_to("one")
    token = tmp_path / "token"
    token.symlink_to("..data/token")
    watch = Watch([token])
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").replace(data)

    assert watch.changed() == [token]


def test_a_file_that_goes_and_one_that_comes_are_changes(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.write_text("x")
    watch = Watch([here, there])
    here.unlink()
    there.write_text("y")

    assert watch.changed() == [here, there]
