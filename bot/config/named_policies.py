"""The `defaults` and `policies` of `.pilotfish.yaml`: named policies with their options.

A policy's own option beats the file's default (`product.md` 10.3). What an option may be is
known to `policies.spec` alone; here its complaint gets a place.
"""

from __future__ import annotations

from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.config.lookup import with_defaults
from bot.config.model import NamedPolicy, PolicyKey
from bot.config.nodes import Kind, Node, UnreadableYaml
from bot.config.notation import read_name
from policies.policy import InvalidPolicy
from policies.reference import InvalidReference, parse_repository
from policies.spec import ALLOWED_OPTIONS, RULES, read_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.config.faults import Faults
    from policies.policy import TagPolicy

NOT_FOR_DEFAULTS = frozenset({*RULES, "filter", "extract", "deny"})
_SAMPLE_RULE = {"semver": "*"}


def read_defaults(root: Node, faults: Faults) -> Mapping[str, object]:
    """Return the options that every policy falls back to; empty when one is wrong."""
    section = root.get("defaults")
    if section is None or section.kind is not Kind.MAPPING:
        return MappingProxyType({})
    options = _options(section, faults)
    if any(name in NOT_FOR_DEFAULTS or name not in ALLOWED_OPTIONS for name in options):
        return MappingProxyType({})  # a fault that the shape reports
    policy = _checked({**_SAMPLE_RULE, **options}, section, faults, what="the defaults")
    return MappingProxyType(options if policy is not None else {})


def read_policies(
    root: Node, faults: Faults, *, namespace: str, defaults: Mapping[str, object]
) -> dict[PolicyKey, NamedPolicy]:
    """Return the named policies, noting every fault of every one."""
    section = root.get("policies")
    found: dict[PolicyKey, NamedPolicy] = {}
    if section is None:
        return found
    for entry in section.entries:
        name = faults.read(entry.key_node, read_name)
        if entry.value.is_null:
            faults.add(entry.place, f"policy {entry.key!r} says nothing", "Give image and rule")
        elif name is not None and entry.value.kind is Kind.MAPPING:
            policy = _read_one(name, entry.value, faults, defaults)
            image = _read_image(name, entry.value, faults)
            if policy is not None and image:
                key = PolicyKey(namespace=namespace, name=name)
                found[key] = NamedPolicy(
                    key=key,
                    image=image,
                    policy=policy[0],
                    where=f"{faults.file}:{entry.place[0]}",
                    options=MappingProxyType(policy[1]),
                )
    return found


def _read_image(name: str, section: Node, faults: Faults) -> str:
    node = section.get("image")
    if node is None or node.kind is not Kind.SCALAR:
        return ""
    try:
        parse_repository(node.text)
    except InvalidReference as fault:
        faults.add(
            node.place,
            f"the image of policy {name!r} cannot be read: {fault}",
            "Write the repository alone, such as ghcr.io/acme/api",
        )
        return ""
    return node.text


def _read_one(
    name: str, section: Node, faults: Faults, defaults: Mapping[str, object]
) -> tuple[TagPolicy, dict[str, object]] | None:
    own = _options(section, faults)
    known = {key: value for key, value in own.items() if key in ALLOWED_OPTIONS}
    unknown = [key for key in own if key not in ALLOWED_OPTIONS]
    rules = [rule for rule in RULES if rule in known]
    if len(rules) != 1:
        said = f"has {' and '.join(map(repr, rules))}" if rules else "has no rule"
        misspelt = any(get_close_matches(key, RULES, n=1) for key in unknown)
        if rules or not misspelt:  # the shape has advised the right word already
            faults.add(
                section.key_place(rules[1]) if rules else section.place,
                f"policy {name!r} {said}",
                f"Give it exactly one of {', '.join(RULES)}",
            )
        return None
    options = with_defaults(defaults, known)
    policy = _checked(options, section, faults, what=f"policy {name!r}")
    return (policy, options) if policy is not None else None


def _checked(
    options: Mapping[str, object], section: Node, faults: Faults, *, what: str
) -> TagPolicy | None:
    """Return the policy, or `None` after noting every wrong option, one after the other."""
    left = dict(options)
    fine = True
    for _ in range(len(options) + 1):
        try:
            policy = read_policy(left, native=True)
        except InvalidPolicy as fault:
            fine = False
            _note(fault, section, faults, what=what)
            if fault.key in RULES:
                left = {**{k: v for k, v in left.items() if k not in RULES}, **_SAMPLE_RULE}
            elif fault.key in left:
                del left[fault.key]
                if fault.key == "filter":
                    left.pop("extract", None)
            else:
                return None
        else:
            return policy if fine else None
    return None


def _options(section: Node, faults: Faults) -> dict[str, object]:
    options: dict[str, object] = {}
    for entry in section.entries:
        if entry.key == "image" or (entry.value.is_null and entry.key not in RULES):
            continue
        try:
            options[entry.key] = "" if entry.value.is_null else entry.value.plain_value()
        except UnreadableYaml as fault:
            faults.add(entry.value.place, str(fault), "Write it out, with fewer aliases")
    return options


def _note(fault: InvalidPolicy, section: Node, faults: Faults, *, what: str) -> None:
    wrong = section.get(fault.key) if fault.key else None
    place = wrong.place if wrong is not None else section.key_place(fault.key)
    hint = "" if not fault.key or section.at(fault.key) else "The value comes from `defaults`"
    faults.add(place, f"{what}: {fault}", hint or fault.hint or "Mend this option")
