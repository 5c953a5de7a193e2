"""`pilotfish ci`: run, plan, check or test as the inputs of a CI job say, and tell the forge.

The forge action, the GitLab template and the Gitea workflow all call this one command; the inputs
are environment variables, listed in its help. It runs the code of `run`, `plan` and `check`, and
leaves outputs, a summary, marks on lines, a report and SARIF. What it prints is no command to
the runner.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.cli.ci_files import keep_all, masked, read_event, stop_word
from bot.cli.ci_job import Job, Mode, Runner, read_job, runner_of
from bot.cli.ci_marks import commands
from bot.cli.ci_told import Told, policy_row, refused
from bot.cli.options import parser, read_display
from bot.cli.verdict import behind, judged
from bot.errors import FaultsError, Problem, ProductError, Severity
from bot.telemetry import redact, remember_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.cli.options import Display
    from bot.cli.preflight import Preflight
    from bot.update.report import Report

_DONE, _ERROR, _DIFFERS = 0, 1, 3
_STANDARD_OUTPUT, _STANDARD_ERROR = 1, 2
_SECRETS = (
    "PILOTFISH_FORGE_TOKEN",
    "PILOTFISH_GITHUB_APP_PRIVATE_KEY",
    "DOCKER_AUTH_CONFIG",
    "GITHUB_TOKEN",
    "GITLAB_TOKEN",
    "GITEA_TOKEN",
    "CI_JOB_TOKEN",
)
_HELP = """\
  pilotfish ci                            the inputs are environment variables:

  PILOTFISH_MODE            pr (default): as .pilotfish.yaml says, else proposals;
                            commit, plan, check, test
  PILOTFISH_PATHS           folders or files, one a line; default: everything
  PILOTFISH_CONFIG          another file than .pilotfish.yaml
  PILOTFISH_REPOSITORY      another repository than the checkout's: OWNER/NAME or an address
  PILOTFISH_BASE            another branch than the default one
  PILOTFISH_ONLY            one policy, image or proposal
  PILOTFISH_DRY_RUN         true: write nothing
  PILOTFISH_OFFLINE         true: `check` asks no registry and no remote
  PILOTFISH_FAIL_ON         never, outdated, error (default)
  PILOTFISH_MAX_PROPOSALS   at most so many open
  PILOTFISH_DASHBOARD       true: keep the dashboard issue, whatever the configuration says
  PILOTFISH_REPORT          where the report is kept; the SARIF stands beside it
  PILOTFISH_FORGE_TOKEN     the forge's token; or PILOTFISH_GITHUB_APP_ID and …_APP_PRIVATE_KEY
  DOCKER_AUTH_CONFIG        logins of registries, as docker's config.json
"""


def run(argv: list[str]) -> int:
    """Do what the job asks, leave it where the runner looks, and return the exit code."""
    made = parser(
        "ci", "Do what a CI job's environment asks; says it to the forge.", examples=_HELP
    )
    display = read_display(made.parse_args(argv))
    environment = os.environ
    for name in _SECRETS:
        _learn(environment.get(name, ""))
    with _no_commands(stop_word(environment)):
        told = masked(_told(display))
        try:
            keep_all(told, environment)
        except ProductError as fault:
            told = masked(_failed(told.job, fault, display))
    if told.job.runner.takes_commands:
        for line in commands(told):
            print(redact(line))
    sys.stdout.flush()
    return told.code


def _learn(secret: str) -> None:
    """Have a secret masked, as a whole and line by line: a key has many."""
    remember_secret(secret)
    for line in secret.splitlines():
        if len(line) > len("-----END PRIVATE KEY-----"):
            remember_secret(line)


@contextmanager
def _no_commands(word: str) -> Iterator[None]:
    """Have the runner read no commands in what is printed inside, until it sees `word`.

    A runner takes the two streams as they come, errors first: what goes to standard error joins
    the other one, so that none of it is read before the first word or after the last.
    """
    if not word:
        yield
        return
    sys.stderr.flush()
    print(f"::stop-commands::{word}", flush=True)
    apart = os.dup(_STANDARD_ERROR)
    os.dup2(_STANDARD_OUTPUT, _STANDARD_ERROR)
    try:
        yield
    finally:
        sys.stderr.flush()
        print(f"::{word}::", flush=True)
        os.dup2(apart, _STANDARD_ERROR)
        os.close(apart)


def _told(display: Display) -> Told:
    """Return what the job found, also where it could not be done."""
    job = Job(mode=Mode.CHECK, runner=runner_of(os.environ))
    try:
        job = read_job(os.environ, read_event(os.environ))
        if job.refused:
            problem = refused(job)
            sys.stderr.write(f"pilotfish: {problem.message}\n  {problem.hint}\n")
            return Told(job=job, code=_ERROR, problems=(problem,), sentence="Nothing was done.")
        if job.degraded:
            sys.stderr.write(f"note: {job.degraded}\n")
        if job.mode in {Mode.CHECK, Mode.TEST}:
            return _check(job, display)
        return _run(job, display)
    except (ProductError, BaseExceptionGroup) as fault:
        return _failed(job, fault, display)
    except Exception as fault:  # noqa: BLE001  # the job must be told what happened, whatever it is
        return _failed(job, fault, display)


def _failed(job: Job, fault: BaseException, display: Display) -> Told:
    from bot.cli.faults import report

    code = report(fault, verbose=display.verbosity > 0)
    return Told(
        job=job, code=code, problems=tuple(_problems_of(fault)), sentence="It could not be done."
    )


def _problems_of(fault: BaseException) -> list[Problem]:
    if isinstance(fault, FaultsError):
        return fault.problems
    if isinstance(fault, BaseExceptionGroup):
        return [problem for one in fault.exceptions for problem in _problems_of(one)]
    if isinstance(fault, ProductError):
        what, where, hint = fault.what, fault.where, fault.hint
    else:
        what, where = f"a fault of ours: {type(fault).__name__}: {fault}", ""
        hint = "Report it with what the log of this job shows"
    return [Problem(severity=Severity.ERROR, message=redact(what), file=redact(where), hint=hint)]


def _run(job: Job, display: Display) -> Told:
    """Run, or plan, with the command's own code."""
    from bot.cli.faults import tell_problems
    from bot.cli.report import as_json, exit_code, sentence, show_report
    from bot.cli.run_command import read_arguments, report_of

    words = _arguments(job)
    given = read_arguments("run", words)
    dry_run = job.mode is Mode.PLAN or job.dry_run
    ahead = asyncio.run(_preflight(job, given.repository))
    tell_problems(ahead.problems)
    report: Report = asyncio.run(report_of(given, display, dry_run=dry_run))
    show_report(report, display, dry_run=dry_run)
    left = behind(report, dry_run=dry_run)
    rows = as_json(report)
    return Told(
        job=job,
        code=judged(exit_code(report), left, fail_on=job.fail_on),
        updates=tuple(report.updates),
        behind=tuple(left),
        held=tuple(report.held),
        proposals=_rows(rows["proposals"]),
        commits=_rows(rows["commits"]),
        problems=(*report.problems, *ahead.problems),
        good=ahead.good,
        changed=report.wrote and not dry_run,
        sentence=sentence(report, dry_run=dry_run),
    )


async def _preflight(job: Job, repository: str | None) -> Preflight:
    """Return what the forge says beforehand; what cannot be asked is left to the run to tell."""
    from pathlib import Path

    from bot.cli.folder_config import config_of
    from bot.cli.places import find_place, open_place
    from bot.cli.preflight import Preflight, ask_forge
    from bot.config.model import ForgeSettings

    try:
        place = await find_place(".", repository)
        settings = ForgeSettings()
        if not job.repository:
            settings = (await config_of(place, file=job.config)).config.forge
        async with open_place(place) as remote:
            base = job.base or await remote.default_branch()
        return await ask_forge(settings, place.url, base, folder=Path.cwd(), severity=Severity.NOTE)
    except ProductError:
        return Preflight(good=(), problems=())


def _rows(found: object) -> tuple[dict[str, object], ...]:
    return tuple(found) if isinstance(found, list) else ()


def _arguments(job: Job) -> list[str]:
    """Return the words of the command line that ask for the same; none of them is a secret."""
    words: list[str] = []
    for option, value in (
        ("--repository", _repository(job)),
        ("--base", job.base),
        ("--only", job.only),
        ("--config", job.config),
        ("--max-proposals", "" if job.max_open is None else str(job.max_open)),
        ("--deliver", "commit" if job.mode is Mode.COMMIT else ""),
    ):
        if value:
            words.append(f"{option}={value}")
    words += ["--dashboard"] if job.dashboard else []
    return [*words, "--", *job.paths]


def _repository(job: Job) -> str:
    """Return the repository that is meant, empty for the origin of the checkout.

    GitLab's checkout has a login in its origin, which is taken from nowhere but the environment;
    and where nothing was checked out, the job's own repository is meant.
    """
    if job.repository:
        return job.repository
    own = f"{job.web}.git" if job.web else ""
    if job.runner is Runner.GITLAB:
        return own
    from pathlib import Path

    from bot.git.location import find_location

    found = asyncio.run(find_location(Path.cwd()))
    return "" if found is not None and found.url is not None else own


def _check(job: Job, display: Display) -> Told:
    """Check, or test the policies, with the command's own code."""
    from bot.cli.check_command import find_faults, read_arguments, show_findings

    repository = job.web and f"{job.web}.git" if job.runner is Runner.GITLAB else ""
    words = [f"--repository={repository}"] if repository else []
    words += [f"--only={job.only}"] if job.only else []
    words += [f"--config={job.config}"] if job.config else []
    words += ["--offline"] if job.offline else []
    given = read_arguments([*words, "--", *job.paths])
    findings = asyncio.run(find_faults(given, display, stranger=job.stranger))
    show_findings(findings, display)
    considered = tuple(one for plan in findings.plans for one in plan.considered)
    code = findings.code
    if job.stranger and code == _ERROR:  # there is no login to be had here
        code = _DONE
    if job.mode is Mode.TEST and code == _DONE:
        nothing = [one for one in considered if policy_row(one)["chosen"] is None]
        code = _DIFFERS if nothing else code
    errors = sum(1 for one in findings.problems if one.severity is Severity.ERROR)
    told = Told(
        job=job,
        code=judged(code, findings.updates, fail_on=job.fail_on),
        updates=tuple(findings.updates),
        behind=tuple(findings.updates),
        held=tuple(one for plan in findings.plans for one in plan.held),
        considered=considered,
        problems=tuple(findings.problems),
        good=tuple(findings.good),
    )
    return replace(told, sentence=_sentence(told, errors))


def _sentence(told: Told, errors: int) -> str:
    faults = f"{errors} error{'s' if errors != 1 else ''}" if errors else "Nothing is at fault"
    count = len(told.updates)
    if told.job.offline:
        return f"{faults}; no registry was asked."
    behind = f"{count} marked field{'s are' if count != 1 else ' is'} behind their policy"
    return f"{faults}; {behind}." if count else f"{faults}; nothing is behind its policy."
