"""What was found as SARIF 2.1.0, for the scanning pages of forges.

Three rules: a marker or configuration at fault, an image behind its policy, and anything else
that stands on a line. What stands on no line of a file is a notification of the run, because
readers of SARIF want a place with each result.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.cli.ci_marks import fingerprint, move
from bot.errors import Severity
from bot.planning.markdown import ZERO_WIDTH, without_unseen
from bot.version import __version__

if TYPE_CHECKING:
    from bot.cli.ci_told import Told
    from bot.errors import Problem
    from bot.planning.plan import Update

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
_RULES = {
    "broken-binding": ("A marker or the configuration is at fault", "error"),
    "outdated": ("An image is behind what its policy selects", "note"),
    "problem": ("Something was left alone", "warning"),
}


def sarif(told: Told) -> dict[str, object]:
    """Return the log of one run."""
    results = [_problem(one) for one in told.problems_of_files]
    results += [_outdated(one) for one in told.behind]
    placeless = [one for one in told.problems if not (one.file and one.line)]
    run = {
        "tool": {
            "driver": {
                "name": "Pilotfish",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(name) for name in _RULES],
            }
        },
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The repository's top"}}},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": told.code in {0, 3},
                "exitCode": told.code,
                "toolExecutionNotifications": [_notification(one) for one in placeless],
            }
        ],
        "results": results,
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(name: str) -> dict[str, object]:
    text, level = _RULES[name]
    return {
        "id": name,
        "shortDescription": {"text": text},
        "defaultConfiguration": {"level": level},
    }


def _problem(one: Problem) -> dict[str, object]:
    rule = "broken-binding" if one.severity is Severity.ERROR else "problem"
    place = (one.file, one.line, one.column)
    made = _result(rule, _text(one), place, fingerprint(rule, one.file, one.message))
    return made | {"level": _LEVELS[one.severity]}


def _outdated(one: Update) -> dict[str, object]:
    field = one.binding.field
    mark = fingerprint("outdated", one.file, one.binding.policy_name, field.line)
    text = f"{move(one)} ({one.update_type}): {one.reason}"
    return _result("outdated", text, (one.file, field.line, field.column), mark)


def _result(rule: str, text: str, place: tuple[str, int, int], mark: str) -> dict[str, object]:
    file, line, column = place
    region = {"startLine": line} | ({"startColumn": column} if column else {})
    location = {"uri": quote(file), "uriBaseId": "%SRCROOT%"}
    return {
        "ruleId": rule,
        "ruleIndex": list(_RULES).index(rule),
        "message": _message(text),
        "locations": [{"physicalLocation": {"artifactLocation": location, "region": region}}],
        "partialFingerprints": {"pilotfish/v1": mark},
    }


def _notification(one: Problem) -> dict[str, object]:
    where = f"{one.file}: " if one.file else ""
    return {"level": _LEVELS[one.severity], "message": _message(where + _text(one))}


def _message(text: str) -> dict[str, str]:
    """Return a message; its readers make links of Markdown's form, also of a stranger's."""
    return {"text": without_unseen(text).replace("](", f"]{ZERO_WIDTH}(")}


def _text(one: Problem) -> str:
    return f"{one.message}. {one.hint}" if one.hint else one.message
