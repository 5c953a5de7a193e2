r"""What a person writes in a comment to ask for something: the grammar, exactly.

Only the first line counts, only plain text, and only where it starts with `/` (`peers.md` 3.7,
`reliability-security.md` 1.3 B3, P3): not in a quote, in code or in an HTML comment. Other
programs have commands of their own, some of the same name: what cannot be meant for us is
passed over in silence. `/pilotfish rebase` is `/rebase` for certain, and the way on GitLab, which
carries out its own `/rebase` and `/approve` and shows neither to us.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from difflib import get_close_matches

from bot.planning.holds import LEVELS

USAGES = {
    "hold": (
        "/hold IMAGE@VERSION [until DATE | for 30d] [reason]",
        "do not propose this version; `/hold IMAGE` holds all of them, "
        "`/hold major IMAGE` (minor, patch) every step of that size",
    ),
    "unhold": ("/unhold IMAGE[@VERSION]", "lift what is held or was closed; `/resume` is the same"),
    "holds": ("/holds", "show what is held, and why"),
    "rebase": ("/rebase", "make it on the base as it is now"),
    "recreate": ("/recreate", "the same, and throw away what others pushed"),
    "explain": ("/explain IMAGE", "show every candidate with the reason for or against it"),
    "split": ("/split IMAGE", "take it out of its group, into a proposal of its own"),
    "group": ("/group NAME [IMAGE]", "put it into the proposal of this name"),
    "approve": ("/approve", "let it be merged by itself once its checks have passed"),
}
WORDS = (*USAGES, "resume")
_MAX_LINE_CHARS = 500  # as a person writes on a line; arbitrary
_MAX_REASON_CHARS = 200  # as fits a table; arbitrary
_LIKE = 0.87  # how close a word must be to count as a slip of the pen; `/label` is none
_COMMAND = re.compile(r" {0,3}/([A-Za-z][A-Za-z-]{0,30})(?:[ \t]+(.*?))?[ \t]*", re.DOTALL)
_NAME = "pilotfish"
_WORD = re.compile(r"[A-Za-z-]{1,31}")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:+-]{0,254}")
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}")
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SPAN = re.compile(r"[0-9]{1,6}[mhdw]")
_END = re.compile(_SPAN.pattern + r"|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.Z+-]{1,20})?")
_OF_OTHERS = {("hold", "cancel"), ("approve", "cancel"), ("approve", "no-issue")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command as it was written: `word` is one of `USAGES`, what was left out is empty.

    `until` is a date or a span, to be read at the moment when the comment was made.
    """

    word: str
    image: str = ""
    version: str = ""
    level: str = ""
    until: str = ""
    reason: str = ""
    group: str = ""

    @property
    def text(self) -> str:
        """Return it as one would write it, without the reason."""
        target = f"{self.image}@{self.version}" if self.version else self.image
        end = f"until {self.until}" if self.until else ""
        parts = (f"/{self.word}", self.level, self.group, target, end)
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadCommand:
    """A line that was meant for us and cannot be read: the word, and why in half a sentence."""

    word: str
    why: str


def parse(comment: str) -> Command | BadCommand | None:
    """Return what a comment asks of us, `None` where it asks nothing of us."""
    line = re.split(r"\r\n|\r|\n", comment[: _MAX_LINE_CHARS + 2], maxsplit=1)[0]
    found = _COMMAND.fullmatch(line)
    if found is None:
        return None
    word, rest = found[1], (found[2] or "").split()
    by_name = word == _NAME
    if by_name and rest and _WORD.fullmatch(rest[0]):
        word, rest = rest[0], rest[1:]
    if word not in WORDS:
        near = by_name or get_close_matches(word.lower(), WORDS, n=1, cutoff=_LIKE)
        return BadCommand(word=word, why="it is no command of mine") if near else None
    if not by_name and rest and (word, rest[0]) in _OF_OTHERS:
        return None
    if len(line) > _MAX_LINE_CHARS:
        return BadCommand(word=word, why=f"it is longer than {_MAX_LINE_CHARS} characters")
    if _hides_something(line):
        return BadCommand(word=word, why="it holds something that is not seen")
    return _read("unhold" if word == "resume" else word, rest)


def _hides_something(line: str) -> bool:
    seen = line.replace("\t", " ")
    return "<!--" in line or any(unicodedata.category(char) in _UNSEEN for char in seen)


_UNSEEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def _read(word: str, rest: list[str]) -> Command | BadCommand:
    match word:
        case "hold":
            return _read_hold(rest)
        case "group":
            return _read_group(rest)
        case "unhold" | "explain" | "split":
            return _read_target(word, rest)
        case _:
            return (
                BadCommand(word=word, why="nothing may follow it") if rest else Command(word=word)
            )


def _read_hold(rest: list[str]) -> Command | BadCommand:
    level = rest.pop(0) if rest and rest[0] in LEVELS else ""
    image = version = until = ""
    if rest and rest[0] not in {"until", "for"}:
        target = _split(rest.pop(0))
        if target is None:
            return BadCommand(word="hold", why="what is to be held is no IMAGE@VERSION")
        image, version = target
    if level and version:
        return BadCommand(word="hold", why=f"it names one version, and {level} means many")
    if rest and rest[0] in {"until", "for"}:
        given = rest[1] if len(rest) > 1 else ""
        if not given or (rest[0] == "for" and not _SPAN.fullmatch(given)):
            what = "a date" if rest[0] == "until" else "a span such as 30d"
            return BadCommand(word="hold", why=f"{what} must follow {rest[0]!r}")
        until, rest = given, rest[2:]
    elif rest and _END.fullmatch(rest[0]):
        until, rest = rest[0], rest[1:]
    reason = " ".join(rest)[:_MAX_REASON_CHARS]
    return Command(
        word="hold", image=image, version=version, level=level, until=until, reason=reason
    )


def _read_target(word: str, rest: list[str]) -> Command | BadCommand:
    if not rest:
        return Command(word=word)
    target = _split(rest[0])
    if target is None or len(rest) > 1:
        return BadCommand(word=word, why="one image may follow it, and nothing else")
    image, version = target
    if version and word != "unhold":
        return BadCommand(word=word, why="it takes an image without a version")
    return Command(word=word, image=image, version=version)


def _read_group(rest: list[str]) -> Command | BadCommand:
    if not rest or len(rest) > 2 or not _GROUP.fullmatch(rest[0]):  # noqa: PLR2004  # NAME [IMAGE]
        return BadCommand(word="group", why="a name of letters, digits, `.`, `_`, `-` must follow")
    image = rest[1] if len(rest) > 1 else ""
    if image and not _IMAGE.fullmatch(image):
        return BadCommand(word="group", why="what stands behind the name is no image")
    return Command(word="group", group=rest[0], image=image)


def _split(target: str) -> tuple[str, str] | None:
    """Return image and version of `IMAGE`, `IMAGE@VERSION` or `@VERSION`."""
    image, at, version = target.partition("@")
    if (image and not _IMAGE.fullmatch(image)) or (at and not _VERSION.fullmatch(version)):
        return None
    return (image, version) if image or version else None


def list_of_commands() -> str:
    """Return every command with what it does, as a Markdown list."""
    rows = [f"- `{usage}`: {what}" for usage, what in USAGES.values()]
    return "\n".join([*rows, "- where another program takes it first: `/pilotfish rebase`"])
