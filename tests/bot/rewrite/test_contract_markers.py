"""Flux's observed behaviour with markers, case by case, through `pilotfish set`.

Contract cases must come out as Flux leaves them to the byte; of the quirks, what Flux
reports as changed, where that is contract too. Decision 0007 lists where we differ.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bot.cli.set_command import run

CASES = json.loads((Path(__file__).parents[2] / "cases" / "markers.json").read_text())


def lay_out(folder: Path, given: dict[str, Any]) -> None:
    for name, text in given["files"].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    for name, target in given.get("symlinks", {}).items():
        (folder / name).symlink_to(target)


def arguments(folder: Path, given: dict[str, Any]) -> list[str]:
    words = [str(folder), "-o", "json"]
    for policy in given["policies"]:
        chosen = policy["latestRef"]
        digest = f"@{chosen['digest']}" if chosen.get("digest") else ""
        name = f"{policy['namespace']}:{policy['name']}"
        words.append(f"--image-policy={name}={chosen['name']}:{chosen['tag']}{digest}")
    if given.get("path"):
        words.append(f"--path={given['path']}")
    return words


def seen_from_the_folder(path: str, file: str) -> str:
    return os.path.normpath(Path(path) / file) if path else file


def key(change: dict[str, Any]) -> str:
    kept = {name: change[name] for name in ("file", "setter", "oldValue", "newValue", "object")}
    return json.dumps(kept, sort_keys=True)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_comes_out_as_flux_has_it(
    case: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, expected = case["input"], case["expect"]
    lay_out(tmp_path, given)

    code = run(arguments(tmp_path, given))

    out = capsys.readouterr().out
    answer = json.loads(out) if out else {"changes": [], "problems": []}
    if "errorContains" in expected:
        assert code or answer["problems"]
    if expected["changesAreContract"]:
        path = given.get("path") or ""
        wanted = [
            {**change, "file": seen_from_the_folder(path, change["file"])}
            for change in expected["changes"]
        ]
        assert Counter(map(key, answer["changes"])) == Counter(map(key, wanted))
    if case["level"] == "contract":
        for name, text in {**given["files"], **expected["changedFiles"]}.items():
            assert (tmp_path / name).read_bytes().decode() == text
