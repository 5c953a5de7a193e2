"""`pilotfish substitute`: `${variables}` in a text, offline.

The text comes out byte for byte but for its expressions (`cli.md`). An error is told with its kind
first, so that programs can tell them apart.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from bot.cli.object_input import STANDARD_INPUT, read_bytes
from bot.cli.options import parser, read_display
from bot.errors import ConfigError
from bot.telemetry import redact
from reconciler.build.substitute import SubstitutionError, substitute

if TYPE_CHECKING:
    import argparse

_DONE, _USAGE = 0, 2
_EXAMPLES = """\
  pilotfish substitute --var cluster=prod deployment.yaml
  kubectl kustomize . | pilotfish substitute --vars-file vars.json --strict -
"""


def run(argv: list[str]) -> int:
    """Print the text with its variables replaced."""
    given = _parser().parse_args(argv)
    display = read_display(given)
    variables = _variables(given)
    text = read_bytes(given.file).decode("utf-8", "surrogateescape")
    source = "" if given.file == STANDARD_INPUT else given.file
    try:
        result = substitute(text, variables, strict=given.strict, source=source)
    except SubstitutionError as fault:
        sys.stderr.write(redact(f"{fault.trouble.value}: {fault}") + "\n")
        return _USAGE
    raw = result.encode("utf-8", "surrogateescape")
    if display.json:
        raw = json.dumps({"text": raw.decode("utf-8", "replace")}).encode() + b"\n"
    sys.stdout.buffer.write(raw)
    return _DONE


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "substitute",
        "Replace ${variables} in a text, as Flux does after a build.",
        examples=_EXAMPLES,
    )
    made.add_argument("file", metavar="FILE|-", nargs="?", default=STANDARD_INPUT)
    made.add_argument("--var", metavar="NAME=VALUE", action="append", default=[])
    made.add_argument("--vars-file", metavar="FILE.json", help="an object of names and texts")
    made.add_argument(
        "--strict", action="store_true", help="a variable that is not set is an error"
    )
    return made


def _variables(given: argparse.Namespace) -> dict[str, str]:
    """Return the variables of the file, with those of the command line over them."""
    variables = _from_file(given.vars_file) if given.vars_file else {}
    for one in given.var:
        name, found, value = one.partition("=")
        if not found:
            raise ConfigError(
                "a variable is given no value", where="--var", hint="Write --var NAME=VALUE"
            )
        variables[name] = value
    return variables


def _from_file(name: str) -> dict[str, str]:
    try:
        held = json.loads(read_bytes(name))
    except ValueError as fault:
        raise ConfigError(f"this is no JSON: {fault}", where=name, hint="Correct it") from fault
    if not isinstance(held, dict):
        raise ConfigError("this is no JSON object", where=name, hint='Write {"name": "value"}')
    return {key: _text_of(value, key, name) for key, value in held.items()}


def _text_of(value: object, key: str, name: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise ConfigError(
        f"the variable {key!r} is neither text nor number", where=name, hint="Put it in quotes"
    )
