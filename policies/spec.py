"""Options → policy: what a person wrote, as a mapping, becomes a checked `TagPolicy`.

The options are those of a policy in `.pilotfish.yaml`; values come from YAML or, as texts,
from a marker on a line. Three ways of writing share them: native ones have the wide default
exclusions, may leave the range out and skip what is no number; Flux objects and
`policy test` (`native=False`) have Flux's defaults. Knows neither YAML nor files.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches

from policies.alphabetical import Alphabetical
from policies.calver import read_calver
from policies.digest import FollowDigest
from policies.newest_build import NewestBuilt
from policies.newest_push import NewestPushed
from policies.numerical import Numerical
from policies.platform import normalised_platform
from policies.policy import Deny, DigestMode, Gates, InvalidPolicy, Rule, TagPolicy
from policies.reference import is_tag
from policies.semver import Semver
from policies.tag_filter import (
    SIGNATURES,
    STORED_BESIDE_IMAGES,
    TagFilter,
    read_exclusion,
    read_filter,
)
from policies.version import parse_range

RULES = (
    "semver",
    "alphabetical",
    "numerical",
    "calver",
    "newest-built",
    "newest-pushed",
    "digest-of",
)
ALLOWED_OPTIONS: frozenset[str] = frozenset(
    {
        *RULES,
        "filter",
        "extract",
        "digest",
        "exclude",
        "min-age",
        "platforms",
        "deny",
        "allow-downgrade",
        "variant",
        "precision",
        "max-jump",
    }
)
_MAJORS_AT_ONCE = 1  # the jump guard where no range says what may come (peers survey, row 18)
_ORDERS = ("asc", "desc")
_DIGEST_MODES = {mode.value: mode for mode in DigestMode}
_AGE = re.compile(r"(?:[0-9]{1,5}[wdhms])+")
_AGE_PART = re.compile(r"([0-9]+)([wdhms])")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_TRUE, _FALSE = frozenset({"true", "yes", "on"}), frozenset({"false", "no", "off"})


def read_policy(options: Mapping[str, object], *, native: bool) -> TagPolicy:
    """Return the policy that `options` describe.

    Of several rules natively none is meant; in Flux's form the first of semver, alphabetical
    and numerical wins, as in Flux.

    Raises:
        InvalidPolicy: `key` is the option that is wrong, `hint` the nearest or allowed words.
    """
    for key in options:
        if key not in ALLOWED_OPTIONS:
            raise InvalidPolicy(
                f"there is no option {key!r}", key=key, hint=_nearest(key, ALLOWED_OPTIONS)
            )
    rule = _read_rule(options, native=native)
    free = native and rule == Semver()
    return TagPolicy(
        rule=rule,
        filter=_read_filter(options, native=native),
        exclude=read_exclusion(
            _texts(options, "exclude"), STORED_BESIDE_IMAGES if native else SIGNATURES
        ),
        digest=_read_digest(options),
        gates=_read_gates(options, rule),
        keep_variant=_read_kept(options, "variant", default=free),
        keep_precision=_read_kept(options, "precision", default=free),
    )


def _read_rule(options: Mapping[str, object], *, native: bool) -> Rule:
    given = [rule for rule in RULES if rule in options]
    if not given:
        raise InvalidPolicy("no rule says which tag is best", hint=f"One of: {', '.join(RULES)}")
    if len(given) > 1 and native:
        raise InvalidPolicy(f"{given[0]} and {given[1]} cannot both hold", key=given[1])
    key = given[0]
    value = options[key]
    if key == "semver":
        return _read_semver(value, native=native)
    if key == "alphabetical":
        return Alphabetical(descending=_is_descending(key, value, native=native))
    if key == "numerical":
        descending = _is_descending(key, value, native=native)
        return Numerical(descending=descending, strict=not native)
    if key == "calver":
        return read_calver(_text(key, value))
    if key == "digest-of":
        return _read_followed(value)
    if not _is_bare(value):
        raise InvalidPolicy(f"{key} takes no value, not {value!r}", key=key)
    return NewestBuilt() if key == "newest-built" else NewestPushed()


def _is_bare(value: object) -> bool:
    """Was the key written without a value, or with a plain yes?"""
    return value is True or value is None or value == ""


def _read_semver(value: object, *, native: bool) -> Semver:
    if native and _is_bare(value):
        return Semver()
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return Semver(range=parse_range(_text("semver", value)))


def _is_descending(key: str, value: object, *, native: bool) -> bool:
    if value is None or (native and _is_bare(value)):
        return False
    order = value.lower() if isinstance(value, str) else value
    if order not in _ORDERS:
        raise InvalidPolicy(f"the order {value!r} is not known", key=key, hint="asc or desc")
    return order == "desc"


def _read_followed(value: object) -> FollowDigest:
    if _is_bare(value):
        return FollowDigest()
    tag = str(value) if isinstance(value, int) else _text("digest-of", value)
    if not is_tag(tag) or value is False:
        raise InvalidPolicy(f"{value!r} is no tag", key="digest-of")
    return FollowDigest(tag=tag)


def _read_filter(options: Mapping[str, object], *, native: bool) -> TagFilter | None:
    pattern = _text("filter", options.get("filter") or "")
    extract = _text("extract", options.get("extract") or "")
    if extract and not pattern and native:
        raise InvalidPolicy("extract needs a filter whose groups it names", key="extract")
    return read_filter(pattern, extract) if pattern or extract else None


def _read_digest(options: Mapping[str, object]) -> DigestMode:
    value = options.get("digest", "never")
    word = value.lower() if isinstance(value, str) else ""
    mode = _DIGEST_MODES.get("if-not-present" if word == "ifnotpresent" else word)
    if mode is None:
        raise InvalidPolicy(
            f"the digest mode {value!r} is not known",
            key="digest",
            hint=_nearest(word, _DIGEST_MODES),
        )
    return mode


def _read_gates(options: Mapping[str, object], rule: Rule) -> Gates:
    return Gates(
        min_age=_read_age(options.get("min-age")),
        platforms=tuple(
            dict.fromkeys(_read_platform(text) for text in _words(options, "platforms"))
        ),
        deny=_read_deny(options.get("deny")),
        allow_downgrade=_read_switch(options, "allow-downgrade"),
        max_jump=_read_jump(options, rule),
    )


def _read_age(value: object) -> timedelta | None:
    if value is None or str(value) == "0":
        return None
    if not isinstance(value, str) or not _AGE.fullmatch(value):
        raise InvalidPolicy(
            f"the age {value!r} cannot be read", key="min-age", hint="Write 3d, 36h, 90m or 1d12h"
        )
    age = timedelta()
    for count, unit in _AGE_PART.findall(value):
        age += timedelta(**{_UNITS[unit]: int(count)})
    return age or None


def _read_platform(text: str) -> str:
    platform = normalised_platform(text)
    if platform is None:
        raise InvalidPolicy(
            f"{text!r} is no platform", key="platforms", hint="Write linux/amd64 or linux/arm/v7"
        )
    return platform


def _read_deny(value: object) -> tuple[Deny, ...]:
    if value is None:
        return ()
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list | tuple):
        raise _wrong_deny(value)
    return tuple(_read_denied(entry) for entry in entries)


def _read_denied(entry: object) -> Deny:
    if isinstance(entry, Mapping):
        tag, reason = entry.get("tag"), entry.get("reason", "")
        if not isinstance(tag, str) or not isinstance(reason, str) or set(entry) - _DENY_KEYS:
            raise _wrong_deny(entry)
    elif isinstance(entry, str):
        tag, reason = entry.strip(), ""
    else:
        raise _wrong_deny(entry)
    if not is_tag(tag):
        raise InvalidPolicy(f"{tag!r} is no tag", key="deny")
    return Deny(tag=tag, reason=reason)


_DENY_KEYS = frozenset({"tag", "reason"})


def _wrong_deny(entry: object) -> InvalidPolicy:
    return InvalidPolicy(
        f"{entry!r} cannot be read as a denied tag",
        key="deny",
        hint='Write [{tag: "1.4.2", reason: "breaks login"}], with the tag in quotes',
    )


def _read_switch(options: Mapping[str, object], key: str) -> bool:
    value = options.get(key, False)
    word = value.lower() if isinstance(value, str) else ""
    if word in _TRUE or value is True:
        return True
    if word in _FALSE or value is False:
        return False
    raise InvalidPolicy(f"{key} is neither true nor false: {value!r}", key=key)


def _read_kept(options: Mapping[str, object], key: str, *, default: bool) -> bool:
    value = options.get(key)
    if value is None:
        return default
    if value not in ("keep", "any"):
        raise InvalidPolicy(f"{key} cannot be {value!r}", key=key, hint="keep or any")
    return value == "keep"


def _read_jump(options: Mapping[str, object], rule: Rule) -> int | None:
    value = options.get("max-jump")
    if not isinstance(rule, Semver):
        if value is not None:
            raise InvalidPolicy("max-jump counts majors, which semver alone has", key="max-jump")
        return None
    if value is None:
        return _MAJORS_AT_ONCE if rule.range is None else None
    if value == "any":
        return None
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}", text):
        raise InvalidPolicy(
            f"max-jump cannot be {value!r}", key="max-jump", hint="A number of majors, or any"
        )
    return int(text)


def _text(key: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise InvalidPolicy(f"{key} is {value!r}, which is no text", key=key, hint="Put it in quotes")


def _texts(options: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = options.get(key)
    if value is None:
        return ()
    entries = value if isinstance(value, list | tuple) else [value]
    return tuple(_text(key, entry) for entry in entries)


def _words(options: Mapping[str, object], key: str) -> list[str]:
    return [word.strip() for text in _texts(options, key) for word in text.split(",")]


def _nearest(word: str, allowed: frozenset[str] | Mapping[str, object]) -> str:
    near = get_close_matches(word, sorted(allowed), n=1)
    return f"Did you mean {near[0]}?" if near else f"One of: {', '.join(sorted(allowed))}"
