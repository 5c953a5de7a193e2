"""What the bare repository refuses by itself: pushes that the rules of a branch forbid.

Verbs of the server write refs directly and so pass; only what comes by git meets the hook.
"""

import shlex
from collections.abc import Mapping, Sequence

from tests.servers.github_state import Protection, Ruleset
from tests.servers.remote import Remote

_HEAD = """\
none=0000000000000000000000000000000000000000
refuse() { echo "error: $1" >&2; exit 1; }
"""
_RULES = {
    "creation": '[ "$2" != $none ] || refuse "GH013: Cannot create ref due to creations being'
    ' restricted."',
    "deletion": '[ "$3" != $none ] || refuse "GH013: Cannot delete this branch"',
    "update": '[ "$2" = $none ] || [ "$3" = $none ] || refuse "GH013: Cannot update this protected'
    ' ref."',
    "non_fast_forward": '[ "$2" = $none ] || [ "$3" = $none ] || git merge-base --is-ancestor "$2"'
    ' "$3" || refuse "GH013: Cannot force-push to this branch"',
    "pull_request": 'refuse "GH013: Changes must be made through a pull request."',
    "required_status_checks": 'refuse "GH013: Required status checks are expected."',
    "required_signatures": 'refuse "GH013: Commits must have verified signatures."',
}


def write_hook(
    bare: Remote, protections: Mapping[str, Protection], rulesets: Sequence[Ruleset]
) -> None:
    """Install the hook that refuses what protections and rulesets refuse."""
    lines = [_HEAD, 'case "$1" in']
    for branch, protection in protections.items():
        if protection.refuse_pushes:
            said = f"GH006: Protected branch update failed for refs/heads/{branch}."
            lines.append(f"{shlex.quote(f'refs/heads/{branch}')}) refuse {shlex.quote(said)} ;;")
    lines.append("esac")
    for ruleset in rulesets:
        tests = [_RULES[name] for name, _ in ruleset.rules if name in _RULES]
        if tests:
            body = "\n".join(tests)
            lines.append(f'case "$1" in refs/heads/{ruleset.branches})\n{body}\n;; esac')
    bare.hook("update", "\n".join(lines))
