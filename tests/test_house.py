"""The house rules that no linter knows: names, sizes, purity, words, and what README must hold."""

import ast
import functools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.cli.main import COMMANDS, HELP
from bot.config.schema import schema
from policies.spec import ALLOWED_OPTIONS

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("policies", "bot", "reconciler")
MODULES = sorted(
    path.relative_to(ROOT)
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
    if "__pycache__" not in path.parts
)
SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAX_FUNCTION_LINES = 60
MAX_MODULE_LINES = 400
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "core"}
PURE = "Pure: no I/O, no clock, no logging."

# The two limits are aims. What is above one is named here, so that the next one is a choice.
LONG_MODULES = {
    "bot/http_client/client.py": 420,  # one try of one request, and what may go wrong with it
}
# Paths that exist on one machine only.
OUT_OF_PLACE = re.compile(r"/root/|/home/(?!runner|pilotfish)")


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(text_of(path), filename=str(path))


def dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_pure(path: Path) -> bool:
    return "Pure:" in (ast.get_docstring(parsed(path)) or "")


def contract(name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = SETTINGS["tool"]["importlinter"]["contracts"]
    return next(one for one in found if one["name"].startswith(name))


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of every module that `path` imports, wherever the line stands."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


def tracked_files() -> list[Path]:
    """Return what a clone holds; all files but those that git ignores where there is no git."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no clone, so what belongs to it cannot be told")
    names = [Path(name) for name in listed.stdout.decode().split("\0") if name]
    return [name for name in names if (ROOT / name).is_file()]


def test_every_module_says_what_it_is_and_is_named_for_a_thing() -> None:
    silent = [str(path) for path in MODULES if not ast.get_docstring(parsed(path))]
    vague = [str(path) for path in MODULES if path.stem in VAGUE]

    assert silent == [], "say what this module owns, and what it must not know"
    assert vague == [], "name the thing, not the shelf it lies on"


def test_no_module_outgrows_its_name_unnoticed() -> None:
    lines = {str(path): text_of(path).count("\n") for path in MODULES}
    grown = {
        path: count
        for path, count in lines.items()
        if count > LONG_MODULES.get(path, MAX_MODULE_LINES)
    }

    assert grown == {}
    assert {path for path in LONG_MODULES if lines[path] <= MAX_MODULE_LINES} == set(), (
        "these are short again: take them off the list"
    )


def test_no_function_outgrows_a_screen() -> None:
    long = [
        f"{path}:{node.lineno} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= MAX_FUNCTION_LINES
    ]

    assert long == []


def test_opening_a_room_imports_nothing() -> None:
    opening = [
        str(path)
        for path in MODULES
        if path.name == "__init__.py"
        and path != Path("policies/__init__.py")
        and parsed(path).body[1:]
    ]

    assert opening == [], "the contracts cannot see these imports"


def test_a_pure_module_ends_its_docstring_with_the_line_that_says_so() -> None:
    otherwise = [
        str(path)
        for path in MODULES
        if is_pure(path) and (ast.get_docstring(parsed(path)) or "").splitlines()[-1] != PURE
    ]

    assert otherwise == []


def test_a_pure_module_takes_only_the_reading_of_addresses_from_urllib() -> None:
    taken = {
        f"{path} {name}"
        for path in MODULES
        if is_pure(path)
        for name in imports(path)
        if name.split(".")[0] == "urllib" and not name.startswith("urllib.parse")
    }

    assert taken == set()


def test_the_contract_holds_exactly_the_modules_that_call_themselves_pure() -> None:
    named = contract("Pure modules")["source_modules"]
    modules = {path: dotted(path) for path in MODULES if path.name != "__init__.py"}
    held = {
        name
        for name in modules.values()
        if any(name == one or name.startswith(f"{one}.") for one in named)
    }

    assert held == {name for path, name in modules.items() if is_pure(path)}


def test_every_policy_is_a_stranger_to_the_others() -> None:
    strangers = set(contract("Policies are strangers")["modules"])
    rules = {
        dotted(path)
        for path in MODULES
        if path.parts[0] == "policies"
        and any(
            isinstance(node, ast.ClassDef)
            and {"text", "needs", "rank"}
            <= {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
            and not any(isinstance(one, ast.Name) and one.id == "Protocol" for one in node.bases)
            for node in ast.walk(parsed(path))
        )
    }

    assert strangers == rules


def test_every_dependency_names_its_doors_and_they_use_it() -> None:
    names = {
        "google-re2": "re2",
        "pygithub": "github",
        "python-gitlab": "gitlab",
        "pyyaml": "yaml",
        "ruamel.yaml": "ruamel",
    }
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for requirement in SETTINGS["project"]["dependencies"]:
        (line,) = [one for one in text.splitlines() if one.strip().startswith(f'"{requirement}"')]
        package = re.split(r"[<>=]", requirement)[0].lower()
        doors = re.findall(r"\b(?:bot|policies|reconciler)/[\w/]+(?:\.py|/)", line)
        used = {
            path.as_posix()
            for path in MODULES
            if any(name.split(".")[0] == names.get(package, package) for name in imports(path))
        }

        assert doors, f"{package}: say which module is its door"
        for door in doors:
            exists = (ROOT / door).exists()
            assert not exists or any(one.startswith(door) for one in used), (
                f"{door} does not use {package}"
            )
        assert any((ROOT / door).exists() for door in doors), package


def test_no_test_replaces_what_it_tests() -> None:
    guilty = [
        path
        for path in tracked_files()
        if path.suffix == ".py" and any(name.startswith("unittest.mock") for name in imports(path))
    ]

    assert guilty == []


def test_the_tests_are_no_package() -> None:
    assert [path for path in tracked_files() if path.match("tests/**/__init__.py")] == []
    assert not (ROOT / "tests" / "__init__.py").exists()


def test_nothing_speaks_of_the_machine_it_was_written_on() -> None:
    guilty = []
    for path in tracked_files():
        if path == Path("tests/test_house.py") or path.suffix in {".sum", ".lock"}:
            continue
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        guilty += [f"{path}: {found[0]}" for found in OUT_OF_PLACE.finditer(text)]

    assert guilty == []


def test_there_is_no_module_to_run_a_strangers_bot_with() -> None:
    assert not list(ROOT.glob("*/__main__.py")), "`python -m bot` would run the user's own folder"


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_in_readme_and_in_help(command: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert re.search(rf"`(?:pilotfish )?{command}\b", readme)
    assert re.search(rf"\b{command}\b", HELP)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_its_module(command: str) -> None:
    assert (ROOT / (COMMANDS[command].replace(".", "/") + ".py")).is_file()


def _keys(shape: dict[str, Any]) -> set[str]:
    found = set(shape.get("properties", {}))
    for one in shape.get("$defs", {}).values():
        found |= set(one.get("properties", {}))
    return found


def test_every_key_of_the_configuration_is_in_a_readme() -> None:
    readme = "".join(
        (ROOT / path).read_text(encoding="utf-8")
        for path in ("README.md", "bot/README.md", "policies/README.md")
    )
    missing = {
        key
        for key in _keys(schema())
        if not re.search(rf"(?<![\w-]){re.escape(key)}(?![\w-])", readme)
    }

    assert missing == set()


def test_every_option_of_a_policy_is_in_the_rooms_readme() -> None:
    readme = (ROOT / "policies" / "README.md").read_text(encoding="utf-8")

    assert {key for key in ALLOWED_OPTIONS if f"`{key}`" not in readme} == set()


def test_every_decision_has_its_number_its_options_and_a_way_back() -> None:
    decisions = sorted((ROOT / ".github" / "decisions").glob("*.md"))

    assert decisions
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        number = path.name.split("-")[0]
        assert re.fullmatch(r"\d{4}", number), path.name
        assert text.startswith(f"# {number}: "), f"{path.name}: begin with '# {number}: '"
    numbers = [path.name[:4] for path in decisions]
    assert len(set(numbers)) == len(numbers), "two decisions have one number"


def test_the_interpreter_is_one_that_the_package_allows() -> None:
    lowest = SETTINGS["project"]["requires-python"].removeprefix(">=")

    assert sys.version_info[:2] >= tuple(int(part) for part in lowest.split("."))
