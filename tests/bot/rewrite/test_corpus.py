"""Real files: what a set changes in public repositories, and that a scan reads them all.

The archive lies outside this repository; `PILOTFISH_CORPUS` says where.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from bot.folder import visit
from bot.rewrite.dockerfile import is_dockerfile
from bot.rewrite.given import GivenReference, set_given
from bot.rewrite.images import find_images
from bot.rewrite.tree import NEEDLES, find_fields

CORPUS = Path(__file__).parents[3] / os.environ.get("PILOTFISH_CORPUS", "../shared/corpus")
DIGEST = "sha256:" + "6745aaad46d795c9836632e1fb62f24b7e7f4c843144da8e47a5465c411a14be"

pytestmark = pytest.mark.skipif(
    not (CORPUS / "truth.json").exists(),
    reason="the corpus is not here; PILOTFISH_CORPUS names its folder",
)


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CORPUS / "truth.json").read_text())
    return found


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    with tarfile.open(CORPUS / "corpus.tar.gz") as archive:
        found = {}
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                found[member.name.removeprefix("./")] = content.read()
        return found


@pytest.fixture(scope="module")
def markers(truth: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found = defaultdict(list)
    for marker in truth["markers"]:
        if marker["status"] == "active":
            found[f"{marker['repository'].replace('/', '__')}/{marker['file']}"].append(marker)
    return found


def test_every_active_marker_is_found_where_the_truth_has_it(
    files: dict[str, bytes], markers: dict[str, list[dict[str, Any]]]
) -> None:
    for file, expected in markers.items():
        fields = find_fields([(file, files[file])]).fields
        found = {(one.line, one.value, one.marker.text.split(":")[1]) for one in fields}

        for marker in expected:
            assert (marker["line"], marker["value"], marker["policy"].split(":")[1]) in found, file


def test_setting_every_active_marker_changes_exactly_its_bytes(
    files: dict[str, bytes], markers: dict[str, list[dict[str, Any]]]
) -> None:
    for file, expected in markers.items():
        before = files[file]
        given = {}
        for marker in expected:
            namespace, name = marker["policy"].split(":")[:2]
            given[namespace, name] = GivenReference(
                image="ghcr.io/acme/new", tag="9.8.7-new", digest=DIGEST
            )

        made = set_given(file, before, given)

        assert made.content is not None, (file, made.problems)
        changes = {change.line: change.new_value for change in made.changes}
        assert len(changes) == len(expected), file
        pieces, done = [], 0
        for marker in sorted(expected, key=lambda one: one["value_bytes"][0]):
            start, end = marker["value_bytes"]
            quote = before[start : start + 1] if before[start] in b"\"'" else b""
            pieces += [before[done:start], quote, changes[marker["line"]].encode(), quote]
            done = end
        assert made.content == b"".join([*pieces, before[done:]]), file


def test_lines_that_are_commented_out_stay(files: dict[str, bytes], truth: dict[str, Any]) -> None:
    for line in truth["commented_out"]:
        file = f"{line['repository'].replace('/', '__')}/{line['file']}"

        assert line["line"] not in {one.line for one in find_images(file, files[file])[0]}


def test_a_scan_reads_every_file_and_finds_what_must_be_found(
    files: dict[str, bytes], truth: dict[str, Any]
) -> None:
    wanted = defaultdict(set)
    for image in truth["images"]:
        file = f"{image['repository'].replace('/', '__')}/{image['file']}"
        if image["level"] == "must":
            wanted[file].add((image["line"], image["image"], image["tag"], image["digest"]))
    found = {}
    for file, content in files.items():
        name = file.rpartition("/")[2]
        if name.endswith((".yaml", ".yml")) or name == "Kustomization" or is_dockerfile(name):
            uses, _ = find_images(file, content)
            found[file] = {(use.line, use.image, use.tag, use.digest) for use in uses}

    total = sum(len(images) for images in wanted.values())
    missed = sum(len(images - found[file]) for file, images in wanted.items())

    assert missed / total < 0.005


def test_a_folder_of_them_can_be_visited(tmp_path: Path) -> None:
    with tarfile.open(CORPUS / "corpus.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")

    found = visit(tmp_path, None, NEEDLES, set_nothing)

    assert len(found.results) > 100


def set_nothing(file: str, content: bytes) -> str:
    made = set_given(file, content, {})
    assert made.content is None
    return file
