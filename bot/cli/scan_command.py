"""`pilotfish scan`: which images a folder holds, and with `--outdated` what is newer.

Needs no configuration and writes nothing. Without a policy "newer" is the highest release of
the same variant and precision, pre-releases only if the current one is (`product.md` 10.20).
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.cli.counts import counted
from bot.cli.options import parser, read_display
from bot.errors import ConfigError, Problem, ProductError, Severity, UnavailableError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from bot.cli.options import Display
    from bot.rewrite.images import ImageUse

_DONE, _ERROR, _OUTDATED, _PARTLY = 0, 1, 3, 4
_EXAMPLES = """\
  pilotfish scan .                        every image, its kind and where it stands
  pilotfish scan . --outdated             ask the registries what is newer
  pilotfish scan . --outdated --fail-on outdated -o json
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place, with what the registry says about it where that was asked."""

    use: ImageUse
    newest: str = ""
    update_type: str = ""
    same_major: str = ""
    note: str = ""

    def as_json(self, *, asked: bool) -> dict[str, Any]:
        """Return the form of the contract."""
        found: dict[str, Any] = self.use.as_json()
        if asked:
            found |= {
                "newest": self.newest or None,
                "updateType": self.update_type or None,
                "newestSameMajor": self.same_major or None,
                "note": self.note or None,
            }
        return found


def run(argv: list[str]) -> int:
    """Scan and print; return the exit code."""
    given = _parser().parse_args(argv)
    from bot.cli.draw import progress

    display = read_display(given)
    with progress("reading files", display):
        uses, problems, root = _find(given.path)
    findings = [Finding(use=one) for one in uses]
    failed = 0
    if given.outdated:
        import asyncio

        findings, faults = asyncio.run(_ask(uses, display, root))
        failed = len(faults)
        problems += faults
    _show(findings, problems, display, asked=given.outdated, path=given.path)
    return _exit_code(findings, problems, failed, fail_on=given.fail_on)


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "scan", "Find images in files; needs no configuration, writes nothing.", examples=_EXAMPLES
    )
    made.add_argument("path", nargs="?", default=".", metavar="PATH")
    made.add_argument("--outdated", action="store_true", help="ask the registries what is newer")
    made.add_argument(
        "--fail-on", choices=("never", "outdated"), default="never", help="exit 3 when outdated"
    )
    return made


def _find(path: str) -> tuple[list[ImageUse], list[Problem], Path]:
    from pathlib import Path

    from bot.folder import visit
    from bot.rewrite.dockerfile import is_dockerfile
    from bot.rewrite.images import find_images

    target = Path(path)
    if not target.exists():
        raise ConfigError(
            "there is no such file or folder", where=path, hint="Name a folder with YAML files"
        )
    root, below = (target, None) if target.is_dir() else (target.parent, target.name)
    visited = visit(root, below, (), find_images, also=is_dockerfile)
    uses: list[ImageUse] = []
    problems = list(visited.problems)
    for found, faults in visited.results:
        uses += found
        problems += faults
    return uses, problems, root


async def _ask(
    uses: list[ImageUse], display: Display, root: Path
) -> tuple[list[Finding], list[Problem]]:
    import asyncio

    from bot.cli.asking import scanner_for
    from bot.cli.draw import progress
    from bot.cli.folder_config import config_here

    configured = await config_here(str(root))
    images = list(dict.fromkeys(one.image for one in uses if one.tag and not _open(one.image)))
    tags: dict[str, list[str] | ProductError] = {}
    with progress("asking registries", display) as advance:
        async with scanner_for(configured.config, folder=configured.folder) as scanner:

            async def one(image: str) -> None:
                try:
                    tags[image] = await scanner.tags(image)
                except ProductError as fault:
                    tags[image] = fault
                if advance is not None:
                    advance(len(tags), len(images))

            async with asyncio.TaskGroup() as tasks:
                for image in images:
                    tasks.create_task(one(image))
    findings = [_judge(use, tags.get(use.image)) for use in uses]
    return findings, [_unasked(image, fault) for image, fault in tags.items() if _failed(fault)]


def _failed(answer: list[str] | ProductError) -> bool:
    return isinstance(answer, ProductError)


def _open(image: str) -> bool:
    """Return whether the name holds a variable, so that nothing can be asked about it."""
    return "${" in image or "{{" in image


def _judge(use: ImageUse, answer: list[str] | ProductError | None) -> Finding:
    from policies.comparison import newest_like

    if not use.tag:
        return Finding(use=use, note="no tag is written")
    if answer is None:
        return Finding(use=use, note="the name holds a variable")
    if isinstance(answer, ProductError):
        return Finding(use=use, note="not asked: see the errors")
    found = newest_like(answer, use.tag)
    return Finding(
        use=use,
        newest=found.tag or "",
        update_type=found.update_type if found.tag else "",
        same_major=found.same_major or "",
        note=found.reason,
    )


def _unasked(image: str, fault: list[str] | ProductError) -> Problem:
    text = fault if isinstance(fault, ProductError) else ProductError("it was not asked")
    return Problem(
        severity=Severity.ERROR,
        message=text.what,
        file=text.where or image,
        hint=text.hint,
        cause=text.cause if isinstance(text, UnavailableError) else "",
    )


def _exit_code(
    findings: list[Finding], problems: list[Problem], failed: int, *, fail_on: str
) -> int:
    if any(one.severity is Severity.ERROR for one in problems):
        asked = {one.use.image for one in findings if one.use.tag}
        return _PARTLY if not failed or failed < len(asked) else _ERROR
    if fail_on == "outdated" and any(one.newest for one in findings):
        return _OUTDATED
    return _DONE


def _show(
    findings: list[Finding], problems: list[Problem], display: Display, *, asked: bool, path: str
) -> None:
    if display.json:
        images = [one.as_json(asked=asked) for one in findings]
        print(json.dumps({"images": images, "problems": [one.as_json() for one in problems]}))
        return
    from bot.cli.draw import table
    from bot.cli.faults import tell_problems

    rows: list[tuple[str, ...]]
    heads: tuple[str, ...]
    if asked and findings:
        rows = [_outdated_row(one) for one in findings if one.newest]
        heads = ("where", "image", "tag", "same major", "newest", "type")
        styles = ("cyan", "", "dim", "green", "bold green", "yellow")
        if rows:
            table(heads, rows, display, styles=styles)
    elif findings:
        rows = [_row(one) for one in findings]
        heads = ("where", "kind", "image", "tag", "followed by")
        table(heads, rows, display, styles=("cyan", "dim", "", "bold", "green"))
    sys.stdout.flush()
    tell_problems(problems, every=display.verbosity > 0)
    print(_sentence(findings, asked=asked, path=path))


def _row(one: Finding) -> tuple[str, ...]:
    use = one.use
    digest = f"@{use.digest.partition(':')[2][:12]}…" if use.digest else ""
    tag = f"{use.tag or ''}{digest}" or "(none)"
    return f"{use.file}:{use.line}", use.kind, use.image, tag, use.marker.text if use.marker else ""


def _outdated_row(one: Finding) -> tuple[str, ...]:
    use = one.use
    return (
        f"{use.file}:{use.line}",
        use.image,
        use.tag or "",
        one.same_major,
        one.newest,
        one.update_type,
    )


def _sentence(findings: list[Finding], *, asked: bool, path: str) -> str:
    """Say what was found, and which command comes next."""
    files = len({one.use.file for one in findings})
    images = len({one.use.image for one in findings})
    places = counted(len(findings), "place")
    found = f"{counted(images, 'image')} in {places} of {counted(files, 'file')}"
    if not findings:
        return f"no images found below {path}"
    if asked:
        outdated = counted(sum(1 for one in findings if one.newest), "place has", "places have")
        return f"{found}: {outdated} something newer; nothing was written"
    followed = sum(1 for one in findings if one.use.marker)
    following = (
        f"{followed} followed by a marker: `pilotfish plan --deliver files {path}` says what "
        "would change"
        if followed
        else f"none is followed yet: `pilotfish scan {path} --outdated` asks what is newer, and "
        "`# pilotfish: semver ^1` behind a line has it followed"
    )
    return f"{found}, {following}"
