"""The command's entry: groups of commands, exit codes, the outermost error net.

Start-up stays fast: this module imports `sys` alone, `--help` and `version` answer from
text, and each command imports what it needs when it is called (`product.md` 10.17).

Must not know how any command works.
"""

from __future__ import annotations

import sys

HELP = """\
pilotfish: decides which container image tag should run, writes it into Git, and says why.

usage: pilotfish COMMAND [options]          pilotfish COMMAND --help

look    scan [PATH]            find images in files, without configuration; --outdated: newer ones
        explain POLICY|IMAGE   every candidate tag, with the rule that kept or rejected it
        policy test            one policy against a list of tags or a registry
        check [PATH]           configuration, markers, policies, credentials: every fault at once

update  plan [PATH]            what `run` would do
        run [PATH]             scan, decide, edit, commit, push, propose; once
        set DIR                apply given references to markers, offline
        hold, unhold, holds    a person's "not this one", with reason and end
        auth test IMAGE        which credential is used, and what the registry answers
        ci                     what a CI job's environment asks: the forge action's own command

cluster build DIR              print the objects that would be applied
        diff DIR               what an apply would change in the cluster; 3 when it differs
        apply DIR --name NAME  one pass: ask about everything, apply, --prune, --wait
        health -f FILE         what state objects are in, and why
        substitute [FILE]      put variables into a text, as Flux does

serve   serve --config FILE    the long-running bot: on a schedule, with health and metrics

other   demo                   the whole journey on this computer, with nothing installed
        schema                 the JSON schema of .pilotfish.yaml, for editors
        version                the version

options for all: -o text|json, -q, -v, --no-color (or NO_COLOR)
exit codes: 0 done, 1 error, 2 usage or configuration, 3 differs or no candidate, 4 partly done

start here:  pilotfish demo             watch a tag travel from a registry to a merged commit
             pilotfish scan .           what is in this folder
             pilotfish scan . --outdated
"""

COMMANDS = {
    "apply": "bot.cli.apply_command",
    "auth": "bot.cli.auth_command",
    "build": "bot.cli.build_command",
    "check": "bot.cli.check_command",
    "ci": "bot.cli.ci_command",
    "demo": "bot.cli.demo_command",
    "diff": "bot.cli.diff_command",
    "explain": "bot.cli.explain_command",
    "health": "bot.cli.health_command",
    "hold": "bot.cli.hold_command",
    "holds": "bot.cli.hold_command",
    "plan": "bot.cli.run_command",
    "policy": "bot.cli.policy_command",
    "run": "bot.cli.run_command",
    "scan": "bot.cli.scan_command",
    "schema": "bot.cli.schema_command",
    "serve": "bot.cli.serve_command",
    "set": "bot.cli.set_command",
    "substitute": "bot.cli.substitute_command",
    "unhold": "bot.cli.hold_command",
}
SHARED_MODULES = {"bot.cli.hold_command", "bot.cli.run_command"}

DONE = 0
ERROR = 1
USAGE = 2
PARTLY = 4
INTERRUPTED = 130


def main(argv: list[str] | None = None) -> int:
    """Run the command that `argv` names and return its exit code."""
    words = sys.argv[1:] if argv is None else argv
    if not words or words[0] in {"-h", "--help", "help"}:
        return _print(HELP)
    if words[0] in {"version", "--version", "-V"}:
        return _version(words[1:])
    if words[0] not in COMMANDS:
        return _unknown(words[0])
    try:
        return _dispatch(words[0], words[1:])
    except KeyboardInterrupt:
        sys.stderr.write("pilotfish: stopped by you; what was not finished was not written\n")
        return INTERRUPTED
    except BrokenPipeError:
        _silence_standard_output()
        return DONE
    except Exception as fault:  # noqa: BLE001  # the outermost net: nothing escapes unexplained
        from bot.cli.faults import report

        return report(fault, verbose="-v" in words or "-vv" in words)


def _dispatch(command: str, arguments: list[str]) -> int:
    from importlib import import_module

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without → is no reason to fail
    name = COMMANDS[command]
    module = import_module(name)
    if name in SHARED_MODULES:
        code: int = module.run(command, arguments)
    else:
        code = module.run(arguments)
    sys.stdout.flush()
    return code


def _print(text: str) -> int:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_standard_output()
    return DONE


def _version(arguments: list[str]) -> int:
    from bot.version import __version__

    if "json" in arguments or "-ojson" in arguments or "--output=json" in arguments:
        return _print(f'{{"version": "{__version__}"}}\n')
    if "-h" in arguments or "--help" in arguments:
        return _print("usage: pilotfish version [-o text|json]\n\nexample: pilotfish version\n")
    return _print(f"pilotfish {__version__}\n")


def _unknown(word: str) -> int:
    from difflib import get_close_matches

    near = get_close_matches(word, [*COMMANDS, "version"], n=1)
    hint = f"Did you mean `pilotfish {near[0]}`?" if near else "`pilotfish --help` lists them."
    sys.stderr.write(f"pilotfish: there is no command {word!r}. {hint}\n")
    return USAGE


def _silence_standard_output() -> None:
    """Let the interpreter shut down quietly after the reader of our output has gone."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
