"""ImagePolicy and ImageRepository objects as named policies.

The rule is the first of semver, alphabetical and numerical that is present; an exclusion
list stands with the ImageRepository (`image-automation.md` 1.1, 2.1). A policy without a
namespace keeps an empty one: kustomize gives it, and markers of any namespace may mean it.
"""

from __future__ import annotations

from collections import defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.config.flux_objects import FluxObject, holds_variable
from bot.config.model import NamedPolicy, PolicyKey
from bot.config.nodes import Kind
from bot.errors import Problem, Severity
from policies.policy import InvalidPolicy
from policies.reference import InvalidReference, parse_repository
from policies.spec import read_policy

if TYPE_CHECKING:
    from bot.config.nodes import Node

_DIGEST_MODES = {"Never": "never", "IfNotPresent": "if-not-present", "Always": "always"}
_OPTION_PATHS: dict[str, tuple[str, ...]] = {
    "semver": ("policy", "semver", "range"),
    "alphabetical": ("policy", "alphabetical", "order"),
    "numerical": ("policy", "numerical", "order"),
    "filter": ("filterTags", "pattern"),
    "extract": ("filterTags", "extract"),
    "digest": ("digestReflectionPolicy",),
}
_CLUSTER_FIELDS = ("secretRef", "certSecretRef", "proxySecretRef", "serviceAccountName")


def read_flux_policies(
    objects: list[FluxObject], problems: list[Problem]
) -> tuple[list[NamedPolicy], list[PolicyKey]]:
    """Return the policies, and the keys that two places define differently.

    Identical definitions count once, as a base that several clusters include does.
    """
    repositories: dict[tuple[str, str], list[FluxObject]] = defaultdict(list)
    for one in objects:
        if one.kind == "ImageRepository" and _is_whole(one, "image", problems):
            repositories[one.namespace, one.name].append(one)
    _note_cluster_fields(repositories, problems)
    read: dict[PolicyKey, list[NamedPolicy]] = defaultdict(list)
    for one in objects:
        if one.kind == "ImagePolicy" and _is_whole(one, "imageRepositoryRef", problems):
            policy = _read_one(one, repositories, problems)
            if policy is not None:
                read[policy.key].append(policy)
    found: list[NamedPolicy] = []
    ambiguous: list[PolicyKey] = []
    for key, definitions in read.items():
        other = next((d for d in definitions if not _means_the_same(d, definitions[0])), None)
        if other is None:
            found.append(definitions[0])
        else:
            ambiguous.append(key)
            problems.append(two_places(key, definitions[0].where, other.where))
    return found, ambiguous


def two_places(key: PolicyKey, one: str, other: str) -> Problem:
    """Return the error for a policy that two places define."""
    file, _, line = other.rpartition(":")
    return Problem(
        severity=Severity.ERROR,
        file=file or other,
        line=int(line) if file and line.isdigit() else 0,
        message=f"policy {key} is defined here and at {one}, and not alike",
        hint="Rename one, or make them equal; markers that name it are left alone until then",
    )


def _means_the_same(one: NamedPolicy, other: NamedPolicy) -> bool:
    return (one.image, dict(one.options), one.suspended, dict(one.labels)) == (
        other.image,
        dict(other.options),
        other.suspended,
        dict(other.labels),
    )


def _is_whole(one: FluxObject, required: str, problems: list[Problem]) -> bool:
    """Return whether the object stands by itself; one that does not is a kustomize patch."""
    if one.spec.get(required) is not None:
        return True
    changes = one.kind == "ImagePolicy" and one.spec.get("policy") is not None
    problems.append(
        one.problem(
            Severity.WARNING if changes else Severity.NOTE,
            f"it has no {required}; it looks like a patch, and patches are not applied",
            "Where the patch decides the rule, name the policy in .pilotfish.yaml",
        )
    )
    return False


def _read_one(
    one: FluxObject,
    repositories: dict[tuple[str, str], list[FluxObject]],
    problems: list[Problem],
) -> NamedPolicy | None:
    options = _options(one, problems)
    repository = _repository_of(one, repositories, problems)
    if options is None or repository is None:
        return None
    image = _image_of(repository, problems)
    excluded = repository.spec.get("exclusionList")
    if excluded is not None and excluded.kind is Kind.LIST and excluded.items:
        options["exclude"] = tuple(item.text for item in excluded.items)
    try:
        policy = read_policy(options, native=False)
    except InvalidPolicy as fault:
        owner = repository if fault.key == "exclude" else one
        path = _OPTION_PATHS.get(fault.key, ("policy",))
        at = excluded if fault.key == "exclude" else one.spec.at(*path)
        problems.append(
            owner.problem(Severity.ERROR, str(fault), fault.hint or "Mend this value", at=at)
        )
        return None
    if not image:
        return None
    return NamedPolicy(
        key=PolicyKey(namespace=one.namespace, name=one.name),
        image=image,
        policy=policy,
        where=one.where,
        options=MappingProxyType(options),
        suspended="true" in (one.spec.string("suspend"), repository.spec.string("suspend")),
        labels=MappingProxyType(_texts(one.root.at("metadata", "labels"))),
    )


def _options(one: FluxObject, problems: list[Problem]) -> dict[str, object] | None:
    rules = one.spec.get("policy")
    rule = next(
        (r for r in ("semver", "alphabetical", "numerical") if rules and _has(rules, r)), ""
    )
    if not rule:
        problems.append(
            one.problem(
                Severity.NOTE,
                "it has no rule of its own; a kustomize patch may give it one in the cluster",
                "Name the policy in .pilotfish.yaml to have it counted here",
                at=rules,
            )
        )
        return None
    options: dict[str, object] = {rule: one.spec.string(*_OPTION_PATHS[rule])}
    if rule != "semver":
        options[rule] = str(options[rule]).lower() or "asc"
    for option in ("filter", "extract"):
        if one.spec.string(*_OPTION_PATHS[option]):
            options[option] = one.spec.string(*_OPTION_PATHS[option])
    digest = one.spec.string("digestReflectionPolicy")
    if digest:
        options["digest"] = _DIGEST_MODES.get(digest, digest)
    for option, written in options.items():
        if option != "extract" and holds_variable(str(written)):
            message = f"{written!r} holds a variable that Flux fills in in the cluster"
            at = one.spec.at(*_OPTION_PATHS[option])
            problems.append(one.problem(Severity.WARNING, message, "Write it out", at=at))
            return None
    return options


def _repository_of(
    one: FluxObject,
    repositories: dict[tuple[str, str], list[FluxObject]],
    problems: list[Problem],
) -> FluxObject | None:
    reference = one.spec.get("imageRepositoryRef")
    name = reference.string("name") if reference else ""
    namespace = (reference.string("namespace") if reference else "") or one.namespace
    found = repositories.get((namespace, name)) or repositories.get(("", name), [])
    if not found and not namespace:
        found = [r for (_, other), same in repositories.items() if other == name for r in same]
    if not found:
        message = f"there is no ImageRepository {namespace or '?'}/{name} in these files"
        hint = "Add it to Git, or name the policy in .pilotfish.yaml"
        problems.append(one.problem(Severity.WARNING, message, hint, at=reference))
        return None
    other = next((r for r in found if r.fingerprint != found[0].fingerprint), None)
    if other is not None and _facts(other) != _facts(found[0]):
        message = f"ImageRepository {name!r} at {found[0].where} and {other.where} differ"
        hint = "Rename one, or make them equal"
        problems.append(one.problem(Severity.ERROR, message, hint, at=reference))
        return None
    if one.namespace and namespace != one.namespace and found[0].spec.get("accessFrom") is None:
        message = f"{found[0].title} does not let namespace {one.namespace!r} use it"
        hint = "Add accessFrom to the ImageRepository, as Flux demands"
        problems.append(one.problem(Severity.ERROR, message, hint, at=reference))
        return None
    return found[0]


def _facts(repository: FluxObject) -> tuple[str, list[str], str]:
    excluded = repository.spec.get("exclusionList")
    patterns = [item.text for item in excluded.items] if excluded is not None else []
    return repository.spec.string("image"), patterns, repository.spec.string("suspend")


def _image_of(repository: FluxObject, problems: list[Problem]) -> str:
    node, image = repository.spec.get("image"), repository.spec.string("image")
    if holds_variable(image):
        message = f"{image!r} holds a variable that Flux fills in in the cluster"
        problem = repository.problem(Severity.WARNING, message, "Write it out", at=node)
    else:
        try:
            parse_repository(image)
        except InvalidReference as fault:
            hint = "Write the repository alone, such as ghcr.io/acme/api"
            problem = repository.problem(Severity.ERROR, str(fault), hint, at=node)
        else:
            return image
    if problem not in problems:  # several policies may look at one repository
        problems.append(problem)
    return ""


def _note_cluster_fields(
    repositories: dict[tuple[str, str], list[FluxObject]], problems: list[Problem]
) -> None:
    """Say once a registry what its objects take from the cluster, where we cannot look."""
    by_host: dict[str, list[tuple[FluxObject, str]]] = defaultdict(list)
    for one in (found for same in repositories.values() for found in same):
        fields = [field for field in _CLUSTER_FIELDS if one.spec.get(field) is not None]
        if one.spec.string("provider") not in {"", "generic"}:
            fields.append("provider")
        if one.spec.string("insecure") == "true":
            fields.append("insecure")
        host = _host_of(one.spec.string("image"))
        by_host[host].extend((one, field) for field in fields)
    for host, uses in by_host.items():
        fields = sorted({field for _, field in uses})
        objects = len({one.where for one, _ in uses})
        if fields:
            problems.append(
                uses[0][0].problem(
                    Severity.NOTE,
                    f"{objects} of the ImageRepository objects for {host} use "
                    f"{', '.join(fields)}, which is not read from files",
                    f"Log in with `docker login {host}`, or add {host!r} to `registries` of "
                    ".pilotfish.yaml",
                )
            )


def _host_of(image: str) -> str:
    try:
        return parse_repository(image).registry
    except InvalidReference:
        return "an unreadable image"


def _has(rules: Node, rule: str) -> bool:
    return rules.get(rule) is not None


def _texts(section: Node | None) -> dict[str, str]:
    return {e.key: e.value.text for e in (section.entries if section is not None else [])}
