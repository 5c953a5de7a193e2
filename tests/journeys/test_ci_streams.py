"""What a CI job prints: where a runner reads commands, nothing foreign is outside of the pause."""

from pathlib import Path

from tests.journeys.commands import Pilotfish

_FAULTY = "image: ghcr.io/acme/api:1.4.2  # pilotfish: semver ^^1\n"


def test_a_runner_gets_one_stream_and_reads_no_command_in_it(tmp_path: Path) -> None:
    (tmp_path / "##[add-mask]b.yaml").write_text(_FAULTY)
    inputs = {"PILOTFISH_MODE": "check", "PILOTFISH_OFFLINE": "true"}
    job = {"GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(tmp_path / "temporary")}
    pilotfish = Pilotfish(folder=tmp_path, cache=tmp_path / "cache", environment=inputs | job)

    answer = pilotfish("ci")

    assert answer.code == 2
    assert answer.err == ""
    first, *lines = answer.out.splitlines()
    word = first.removeprefix("::stop-commands::")
    inside = lines[: lines.index(f"::{word}::")]
    assert any("##[add-mask]b.yaml:1:" in line for line in inside)
    assert all(line.startswith("::") for line in lines[len(inside) :])


def test_without_such_a_runner_faults_go_to_standard_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(_FAULTY)
    inputs = {"PILOTFISH_MODE": "check", "PILOTFISH_OFFLINE": "true"}
    none = {"GITHUB_ACTIONS": "", "GITHUB_OUTPUT": ""}
    pilotfish = Pilotfish(folder=tmp_path, cache=tmp_path / "cache", environment=inputs | none)

    answer = pilotfish("ci")

    assert answer.code == 2
    assert "a.yaml:1:" in answer.err
    assert "::" not in answer.out
