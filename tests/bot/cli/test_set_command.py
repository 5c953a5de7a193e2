"""`pilotfish set`: what it prints, what it writes, its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.cli.set_command import run

MARKED = b'image: x:1 # {"$imagepolicy": "flux-system:app"}\n'
GIVEN = "--image-policy=flux-system:app=ghcr.io/org/app:2"


def test_a_dry_run_tells_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_bytes(MARKED)

    code = run([str(tmp_path), GIVEN, "--dry-run"])

    out = capsys.readouterr().out
    assert code == 0
    assert "a.yaml:1  flux-system:app  x:1 → ghcr.io/org/app:2" in out
    assert "would change" in out
    assert (tmp_path / "a.yaml").read_bytes() == MARKED


def test_one_bad_file_is_partly_done_and_the_others_are_edited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_bytes(MARKED)
    (tmp_path / "b.yaml").write_bytes(b"a: [\n" + MARKED)

    code = run([str(tmp_path), GIVEN, "-o", "json"])

    answer = json.loads(capsys.readouterr().out)
    assert code == 4
    assert answer["files"] == ["a.yaml"]
    assert [(one["file"], one["severity"]) for one in answer["problems"]] == [("b.yaml", "error")]


def test_a_named_policy_of_ours_is_set_too_and_keeps_its_repository(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"image: r.io/x:1 # pilotfish: policy app\n")

    code = run([str(tmp_path), GIVEN, "-o", "json"])

    assert code == 0
    assert (tmp_path / "a.yaml").read_bytes().startswith(b"image: r.io/x:2 #")


def test_a_marker_with_a_rule_of_its_own_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"image: r.io/x:1 # pilotfish: semver 1\n")

    assert run([str(tmp_path), GIVEN]) == 0
    assert (tmp_path / "a.yaml").read_bytes().startswith(b"image: r.io/x:1 #")


def test_a_digest_beside_the_tag_without_a_new_one_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f'tag: v1 # {{"$imagepolicy": "flux-system:app:tag"}}\ndigest: sha256:{"a" * 64}\n'
    (tmp_path / "a.yaml").write_text(text)

    code = run([str(tmp_path), GIVEN])

    assert code == 4
    assert "would win over the new tag" in capsys.readouterr().err
    assert (tmp_path / "a.yaml").read_text() == text


def test_a_missing_path_is_an_error(tmp_path: Path) -> None:
    assert run([str(tmp_path), GIVEN, "--path", "nowhere"]) == 1


@pytest.mark.parametrize(
    "given",
    [
        "app=x:1",
        "ns:app",
        "ns:app=x",
        "ns:app=x:",
        "ns:app=localhost:5000/x",
        "ns:app=Org/App:1",
        "ns:app=x:1@sha256:12",
    ],
)
def test_a_reference_that_is_none_is_a_usage_fault(tmp_path: Path, given: str) -> None:
    assert run([str(tmp_path), f"--image-policy={given}"]) == 2


def test_a_policy_given_twice_is_a_usage_fault(tmp_path: Path) -> None:
    assert run([str(tmp_path), GIVEN, GIVEN]) == 2


@pytest.mark.parametrize("tag", ["-", "a b", "a/b", "a:b", "é"])
def test_any_text_is_a_tag(tmp_path: Path, tag: str) -> None:
    (tmp_path / "a.yaml").write_text('tag: "" # {"$imagepolicy": "ns:app:tag"}\n')

    assert run([str(tmp_path), f"--image-policy=ns:app=localhost:5000/x:{tag}"]) == 0
    assert f'tag: "{tag}" #' in (tmp_path / "a.yaml").read_text()
