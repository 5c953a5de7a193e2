"""`pilotfish policy test`: one policy against a list of tags or a registry.

The output is a fixed contract (`cli.md`): case files and other programs rely on it. No gate
applies here. An invalid policy is answered like any other, as JSON with its kind.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from bot.cli.options import Display, parser, read_display
from bot.errors import ConfigError
from policies.policy import InvalidPolicy
from policies.selection import Selection, select
from policies.spec import read_policy

if TYPE_CHECKING:
    import argparse

_DONE, _USAGE, _NONE = 0, 2, 3
_RULES = ("semver", "alphabetical", "numerical")
_EXAMPLES = """\
  pilotfish policy test --semver '>=1.0 <2' --image ghcr.io/acme/api
  printf '1.9\\n1.10\\n' | pilotfish policy test --numerical asc --tags -
  pilotfish policy test --numerical asc --filter '^main-(?P<n>[0-9]+)$' --extract '$n' \\
      --tags tags.txt -o json
"""


def run(argv: list[str]) -> int:
    """Test one policy and print what it chooses."""
    given = _parser().parse_args(argv)
    display = read_display(given)
    if given.test != "test":
        raise ConfigError(f"there is no `policy {given.test}`", hint="Use `pilotfish policy test`")
    options = {rule: getattr(given, rule) for rule in _RULES if getattr(given, rule) is not None}
    options |= {key: getattr(given, key) for key in ("filter", "extract") if getattr(given, key)}
    if given.exclude:
        options["exclude"] = given.exclude
    try:
        policy = read_policy(options, native=False)
    except InvalidPolicy as fault:
        answer = _answer(None, [], "invalid-policy", str(fault))
        return _show(answer, display, _USAGE)
    selection = select(policy, _tags(given, display))
    return _show(_selected(selection), display, _NONE if selection.chosen is None else _DONE)


def _parser() -> argparse.ArgumentParser:
    made = parser("policy", "Test a policy against tags; nothing is written.", examples=_EXAMPLES)
    made.add_argument("test", metavar="test")
    rule = made.add_argument_group("policy (exactly one)").add_mutually_exclusive_group(
        required=True
    )
    rule.add_argument("--semver", metavar="RANGE")
    rule.add_argument("--alphabetical", metavar="asc|desc")
    rule.add_argument("--numerical", metavar="asc|desc")
    made.add_argument("--filter", metavar="PATTERN", help="keep tags that match (RE2)")
    made.add_argument("--extract", metavar="TEMPLATE", help="compare this, as $1 or $name")
    made.add_argument(
        "--exclude", metavar="REGEX", action="append", help=r"drop tags; default ^.*\.sig$"
    )
    source = made.add_argument_group("tags (one)").add_mutually_exclusive_group(required=True)
    source.add_argument("--tags", metavar="FILE|-", help="a JSON list, or one tag a line")
    source.add_argument("--image", metavar="REF", help="ask this image's registry")
    return made


def _tags(given: argparse.Namespace, display: Display) -> list[str]:
    if given.image:
        from bot.cli.asking import tags_of

        return tags_of(given.image, display)
    if given.tags == "-":
        return _read_tags(sys.stdin.buffer.read(), "standard input")
    try:
        with open(given.tags, "rb") as file:  # pathlib is not needed elsewhere
            return _read_tags(file.read(), given.tags)
    except OSError as fault:
        raise ConfigError(
            f"the file cannot be read: {fault.strerror}",
            where=given.tags,
            hint="Name a file with a JSON list of tags, or one tag a line, or - for standard input",
        ) from fault


def _read_tags(raw: bytes, where: str) -> list[str]:
    text = raw.decode("utf-8", "surrogateescape")
    if text.lstrip()[:1] != "[":
        return text.splitlines()
    try:
        tags = json.loads(text)
    except ValueError as fault:
        raise ConfigError(f"this is no JSON list: {fault}", where=where) from fault
    if not all(isinstance(tag, str) for tag in tags):
        raise ConfigError("the JSON list holds something that is no string", where=where)
    return list(tags)


def _selected(selection: Selection) -> dict[str, Any]:
    candidates = [
        {
            "tag": verdict.tag,
            "value": verdict.value,
            "chosen": selection.chosen is not None and verdict.tag == selection.chosen.tag,
            "reason": verdict.reason,
        }
        for verdict in selection.verdicts
        if verdict.passed_filter
    ]
    if selection.error is not None:
        return _answer(None, candidates, selection.error.kind, selection.error.message)
    chosen = selection.chosen.tag if selection.chosen else None
    return {"chosen": chosen, "error": None, "candidates": candidates}


def _answer(
    chosen: str | None, candidates: list[dict[str, Any]], kind: str, message: str
) -> dict[str, Any]:
    error = {"kind": kind, "message": message}
    return {"chosen": chosen, "error": error, "candidates": candidates}


def _show(answer: dict[str, Any], display: Display, code: int) -> int:
    if display.json:
        print(json.dumps(answer))
        return code
    if answer["error"]:
        sys.stderr.write(f"pilotfish: {answer['error']['message']}\n")
    if answer["candidates"]:
        from bot.cli.draw import candidate_table

        candidate_table(answer["candidates"], display)
    if answer["chosen"] is not None:
        print(f"chosen: {answer['chosen']}")
    return code
