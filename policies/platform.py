"""Platforms: operating system, architecture and variant, in one spelling.

`linux/arm64` and `linux/arm64/v8` are one platform, as are `linux/arm` and `linux/arm/v7`
to Docker; `unknown/unknown` is what attestations carry and is none (peers survey, row 22).
A text has all three parts only where a variant tells something.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_PLATFORM = re.compile(r"([a-z0-9]+)/([a-z0-9_-]+)(?:/([a-z0-9._-]+))?")
_SAME_ARCHITECTURE = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"}
# The variant that is meant when none is written, by containerd's normalisation.
_USUAL_VARIANT = {"arm64": "v8", "arm": "v7", "amd64": "v1"}


def normalised_platform(text: str) -> str | None:
    """Return the one spelling of `text`, None when it is no platform or an unknown one."""
    match = _PLATFORM.fullmatch(text.strip().lower())
    if match is None:
        return None
    system, architecture, variant = match.groups()
    architecture = _SAME_ARCHITECTURE.get(architecture, architecture)
    if "unknown" in {system, architecture}:
        return None
    if variant is None or variant == _USUAL_VARIANT.get(architecture):
        return f"{system}/{architecture}"
    return f"{system}/{architecture}/{variant}"


def missing_platforms(wanted: Iterable[str], present: Iterable[str]) -> list[str]:
    """Return those of `wanted`, which are normalised, that `present` lacks, in order."""
    there = {normalised_platform(text) for text in present}
    return [platform for platform in wanted if platform not in there]


def same_images(wanted: Iterable[str], old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Return whether each of `wanted`, which are normalised, is one image in `old` and `new`.

    Both are digests by platform; what `old` does not know is not the same.
    """
    before, after = _spelled(old), _spelled(new)
    return all(one in before and before[one] == after.get(one) for one in wanted)


def _spelled(images: Mapping[str, str]) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for text, digest in sorted(images.items()):
        found.setdefault(normalised_platform(text), []).append(digest)
    return found
