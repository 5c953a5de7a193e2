"""`build`, `health` and `substitute`: what they print and their exit codes."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.cli.main import main

WEB = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: shop}\n"
PENDING = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: disk}\n"
JOB = {"apiVersion": "batch/v1", "kind": "Job", "status": {"startTime": "2026-01-01T00:00:00Z"}}


@pytest.fixture
def given_input(monkeypatch: pytest.MonkeyPatch) -> Any:
    def give(text: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))

    return give


def answer(capfdbinary: pytest.CaptureFixture[bytes]) -> Any:
    return json.loads(capfdbinary.readouterr().out)


def test_health_prints_one_entry_for_each_object_in_order(
    capfdbinary: pytest.CaptureFixture[bytes], given_input: Any
) -> None:
    given_input(f"{WEB}---\n{{kind: List, items: [{json.dumps(JOB)}]}}\n---\n{PENDING}".encode())

    code = main(["health", "-f", "-", "-o", "json"])

    found = answer(capfdbinary)
    assert code == 0
    assert [(one["kind"], one["status"]) for one in found] == [
        ("ConfigMap", "Current"),
        ("Job", "Current"),
        ("PersistentVolumeClaim", "InProgress"),
    ]
    assert found[0] == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "namespace": "shop",
        "name": "web",
        "status": "Current",
        "message": "it is there",
    }
    assert found[1]["name"] == ""


def test_health_of_jobs_may_wait_for_their_end(
    capfdbinary: pytest.CaptureFixture[bytes], given_input: Any
) -> None:
    given_input(json.dumps(JOB).encode())

    assert main(["health", "-f", "-", "--jobs", "completion", "-o", "json"]) == 0
    assert answer(capfdbinary)[0]["status"] == "InProgress"


def test_health_reads_a_folder_and_shows_a_table(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "b.yaml").write_text(PENDING)
    (tmp_path / "a.json").write_text(json.dumps(JOB))
    (tmp_path / "notes.txt").write_text("none")

    assert main(["health", "-f", str(tmp_path)]) == 0

    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert lines[1].split()[:2] == ["Current", "Job"]
    assert lines[2].split()[:2] == ["InProgress", "PersistentVolumeClaim/disk"]


@pytest.mark.parametrize("text", [b"[1]", b"a", b"a: [", b"kind: List\nitems: [1]\n"])
def test_health_of_what_is_no_object_is_a_fault_of_the_input(
    text: bytes, capfdbinary: pytest.CaptureFixture[bytes], given_input: Any
) -> None:
    given_input(text)

    assert main(["health", "-f", "-"]) == 2
    assert b"standard input" in capfdbinary.readouterr().err


def test_a_file_that_is_not_there_is_named(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["health", "-f", "nowhere.yaml"]) == 2
    assert b"nowhere.yaml: it cannot be read" in capfdbinary.readouterr().err


def test_substitute_gives_the_text_back_byte_for_byte(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: ${x}\r\nb: \xff$$")
    (tmp_path / "vars.json").write_text('{"x": "file", "n": 3, "t": true, "f": 1.5}')

    files = ["--vars-file", str(tmp_path / "vars.json"), str(tmp_path / "a.yaml")]

    code = main(["substitute", "--var", "x=a=b", *files])

    assert code == 0
    assert capfdbinary.readouterr().out == b"\xef\xbb\xbfa: a=b\r\nb: \xff$"


def test_substitute_reads_standard_input_and_numbers_of_the_file(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], given_input: Any
) -> None:
    (tmp_path / "vars.json").write_text('{"n": 3, "t": true, "f": 1.5}')
    given_input(b"${n} ${t} ${f} [${u}]")

    assert main(["substitute", "--vars-file", str(tmp_path / "vars.json"), "-o", "json"]) == 0
    assert answer(capfdbinary) == {"text": "3 true 1.5 []"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"${nope}", b"variable-not-set: line 1, column 1: the variable 'nope' is not set"),
        (b"${a", b"missing-closing-brace:"),
        (b"${}", b"bad-variable-name:"),
        (b"${a^x}", b"bad-substitution:"),
        (b"${a:}", b"bad-nested-substitution:"),
    ],
)
def test_an_error_of_substitution_begins_with_its_kind(
    text: bytes, kind: bytes, capfdbinary: pytest.CaptureFixture[bytes], given_input: Any
) -> None:
    given_input(text)

    assert main(["substitute", "--strict", "-"]) == 2

    captured = capfdbinary.readouterr()
    assert captured.err.startswith(kind)
    assert captured.out == b""


@pytest.mark.parametrize("text", ["[1]", "{", '{"a": null}', '{"a": {}}'])
def test_a_file_of_variables_that_is_none_is_a_fault(
    text: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], given_input: Any
) -> None:
    (tmp_path / "vars.json").write_text(text)
    given_input(b"x")

    assert main(["substitute", "--vars-file", str(tmp_path / "vars.json")]) == 2
    assert b"vars.json" in capfdbinary.readouterr().err


def test_a_variable_without_a_value_is_a_fault_that_does_not_show_it(
    capfdbinary: pytest.CaptureFixture[bytes], given_input: Any
) -> None:
    given_input(b"x")

    assert main(["substitute", "--var", "hunter2"]) == 2
    assert b"hunter2" not in capfdbinary.readouterr().err


def test_build_prints_the_objects_and_as_json_a_list(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "a.yaml").write_text(WEB)

    assert main(["build", str(tmp_path)]) == 0
    assert capfdbinary.readouterr().out.decode() == WEB
    assert main(["build", str(tmp_path), "-o", "json"]) == 0
    assert [one["metadata"]["name"] for one in answer(capfdbinary)["items"]] == ["web"]


def test_build_may_read_the_work_tree_around_the_folder_and_no_more(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for name, text in {"base": "{}", "overlay": "resources: [../gone.yaml]"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "kustomization.yaml").write_text(text)

    assert main(["build", str(tmp_path / "overlay")]) == 1
    assert b"leads out of" in capfdbinary.readouterr().err
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert main(["build", str(tmp_path / "overlay")]) == 2
    assert b"'../gone.yaml' is not there" in capfdbinary.readouterr().err


@pytest.mark.parametrize("command", ["build", "health", "substitute"])
def test_help_has_an_example(command: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])

    assert b"examples:\n" in (out := capfdbinary.readouterr().out)
    assert f"pilotfish {command}".encode() in out.split(b"examples:")[1]
