"""What a marker means by a policy's name, and which options it ends up with.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from bot.config.model import PolicyKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.config.model import Config, NamedPolicy

_LISTED_AT_MOST = 12  # more words than this hide the one that is sought; arbitrary
_LONGEST_WORD = 80  # difflib is quadratic; nobody means a longer word
_ONLY_SEMVER = frozenset({"max-jump"})


def with_defaults(defaults: Mapping[str, object], own: Mapping[str, object]) -> dict[str, object]:
    """Return a policy's own options with the file's defaults for what they leave unsaid.

    A default that the policy's rule has no use for (`max-jump` counts majors) is left out.
    """
    fitting = {
        key: value for key, value in defaults.items() if key not in _ONLY_SEMVER or "semver" in own
    }
    return {**fitting, **own}


def policy_for_marker(config: Config, namespace: str | None, name: str) -> NamedPolicy | None:
    """Return the policy that a marker names; `namespace` is `None` for an inline `policy NAME`.

    A plain name means a policy of this file's namespace, else the only one of that name. A
    Flux policy that is written without a namespace is meant by a marker of any.
    """
    wanted = config.namespace if namespace is None else namespace
    for key in (PolicyKey(namespace=wanted, name=name), PolicyKey(namespace="", name=name)):
        if key in config.policies:
            return config.policies[key]
    if namespace is not None:
        return None
    same = [policy for key, policy in config.policies.items() if key.name == name]
    return same[0] if len(same) == 1 else None


def nearest_policy(config: Config, name: str) -> str:
    """Return advice for a marker that names no policy: the nearest one there is."""
    return nearest(name, (key.name for key in config.policies))


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return the advice for a wrong `word`: the nearest allowed one, else all of them."""
    words = sorted(set(allowed))
    close = get_close_matches(word[:_LONGEST_WORD].lower(), words, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    if not words:
        return ""
    if len(words) > _LISTED_AT_MOST:
        listed = ", ".join(words[:_LISTED_AT_MOST])
        return f"Allowed are {listed} and {len(words) - _LISTED_AT_MOST} more"
    return f"Allowed: {', '.join(words)}"
