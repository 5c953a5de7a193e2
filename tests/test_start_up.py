"""Start-up is what it imports: nothing for `--help`, and only what a command needs for the rest.

Looks at what was loaded, never at a clock.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli.main import COMMANDS

DRAWN_ON_DEMAND = {"aiohttp", "gotpl", "pydantic", "rich", "ruamel", "yaml", "re2", "platformdirs"}
# What the interpreter itself loads depends on its environment, so it is asked first.
_NOTHING = "import sys, json; before = sorted(sys.modules)"
_REPORT = "sys.__stdout__.write('\\n' + json.dumps(sorted(set(sys.modules) - set(before))))"


def loaded_by(*argv: str, folder: Path) -> set[str]:
    """Return the modules that a fresh interpreter loads to run `pilotfish ARGV`."""
    program = "\n".join(
        [
            _NOTHING,
            "from bot.cli.main import main",
            "try:",
            f"    main({list(argv)!r})",
            "except SystemExit:",
            "    pass",
            _REPORT,
        ]
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("words", [("--help",), ("version",), ()], ids=str)
def test_help_and_version_load_nothing_but_the_entry(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    loaded = loaded_by(*words, folder=tmp_path)

    assert loaded - {"bot.version"} == {"__future__", "bot", "bot.cli", "bot.cli.main"}


def test_set_loads_no_engine_where_no_file_has_a_marker(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("image: alpine:3.20\n", encoding="utf-8")

    loaded = loaded_by("set", ".", "--image-policy", "a:b=c:1", "--dry-run", folder=tmp_path)

    assert "bot.cli.set_command" in loaded
    assert loaded & DRAWN_ON_DEMAND == set()
    assert "asyncio" not in loaded


def test_scan_loads_no_network_until_it_is_to_ask(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("image: alpine:3.20\n", encoding="utf-8")

    loaded = loaded_by("scan", ".", folder=tmp_path)

    assert "bot.cli.scan_command" in loaded
    assert loaded & {"aiohttp", "pydantic", "rich", "gotpl", "asyncio"} == set()


def test_a_policy_is_tested_offline_without_the_network(tmp_path: Path) -> None:
    (tmp_path / "tags").write_text("1\n2\n", encoding="utf-8")

    loaded = loaded_by("policy", "test", "--numerical", "asc", "--tags", "tags", folder=tmp_path)

    assert loaded & {"aiohttp", "pydantic", "rich", "gotpl"} == set()


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_help_of_a_command_loads_no_library(command: str, tmp_path: Path) -> None:
    loaded = loaded_by(command, "--help", folder=tmp_path)

    assert COMMANDS[command] in loaded
    assert loaded & {"aiohttp", "pydantic", "rich", "gotpl", "ruamel"} == set()


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_helps_with_examples(command: str, tmp_path: Path) -> None:
    pilotfish = Path(sys.executable).parent / "pilotfish"
    done = subprocess.run(
        [str(pilotfish), command, "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    _, _, examples = done.stdout.partition("examples:\n")
    assert f"pilotfish {command}" in examples
