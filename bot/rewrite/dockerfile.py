"""Images that a Dockerfile names: `FROM`, `COPY --from=` and the `# syntax=` line.

Stage names, numbers, `scratch` and anything with a variable name no image. Continuation
lines and here-documents are passed over as Docker's reference ("Dockerfile format") has it.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.rewrite.siblings import is_image, is_repository

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(
    r"(?:(?:Docker|Container)file(?:[.-].*)?|.*\.(?:docker|container)file)\Z", re.IGNORECASE
)
_NOT_ONE = re.compile(
    r".*\.(?:py[cdiow]?|go|rs|java|[cm]?[jt]s|rb|sh|md|txt|json|ya?ml|toml|lock|tmpl|dockerignore|bak)"
    r"\Z",
    re.IGNORECASE,
)
_FROM = re.compile(
    r"[ \t]*FROM[ \t]+(?:--[\w-]+=\S+[ \t]+)*(?P<image>[^\s\\]+)(?:[ \t]+AS[ \t]+(?P<stage>\S+))?",
    re.IGNORECASE,
)
_COPY = re.compile(r"[ \t]*(?:COPY|ADD)[ \t]+(?:--\S+[ \t]+)*?--from=(?P<image>\S+)", re.IGNORECASE)
_SYNTAX = re.compile(r"#[ \t]*syntax[ \t]*=[ \t]*(?P<image>\S+)[ \t]*\Z", re.IGNORECASE)
_HEREDOC = re.compile(r"<<-?[\"']?(?P<word>\w+)[\"']?")


def is_dockerfile(name: str) -> bool:
    """Return whether a file of this base name is a Dockerfile."""
    return _NAME.match(name) is not None and _NOT_ONE.match(name) is None


def dockerfile_images(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield line (from 1), start and end, in characters, of every image reference."""
    stages: set[str] = set()
    offset = 0
    until = ""
    continued = False
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        bare = line.rstrip("\r\n")
        if until:
            until = "" if bare.strip() == until else until
        elif not continued:
            found = _on_line(bare, stages, first=number == 1)
            if found is not None:
                yield number, offset + found[0], offset + found[1]
            opened = _HEREDOC.search(bare) if not bare.lstrip().startswith("#") else None
            until = opened["word"] if opened else ""
        if not bare.lstrip().startswith("#"):
            continued = bare.rstrip().endswith("\\") and not until
        offset += len(line)


def _on_line(line: str, stages: set[str], *, first: bool) -> tuple[int, int] | None:
    found = _SYNTAX.match(line) if first else None
    found = found or _FROM.match(line) or _COPY.match(line)
    if found is None:
        return None
    image = found["image"]
    known = image.lower() in stages or image.isdigit() or image == "scratch"
    if "stage" in found.re.groupindex and found["stage"]:
        stages.add(found["stage"].lower())
    if known or not (is_image(image) or is_repository(image)):
        return None
    return found.span("image")
