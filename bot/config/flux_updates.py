"""ImageUpdateAutomation objects as update rules.

Pushing to the branch that was checked out is a commit; another push branch is a branch
(`image-automation.md` 4.1, 4.3). Only automations whose GitRepository is the repository at
hand count.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.config.flux_objects import FluxObject, holds_variable
from bot.config.model import CommitSettings, Delivery, PolicySelector, UpdateRule
from bot.config.notation import Unreadable, read_branch, read_path
from bot.config.repository_url import same_repository
from bot.config.slugs import slug
from bot.errors import Severity

if TYPE_CHECKING:
    from bot.config.nodes import Node
    from bot.errors import Problem

_OPERATORS = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}
_HEADS = "refs/heads/"


def read_flux_updates(
    objects: list[FluxObject], problems: list[Problem], *, repository_url: str | None
) -> list[UpdateRule]:
    """Return one rule for each automation that works on the repository at hand.

    Equal ones count once. Automations of one name, as several clusters of one repository
    have them, get their path as a second part of the name.
    """
    sources: dict[tuple[str, str], list[FluxObject]] = defaultdict(list)
    for one in objects:
        if one.kind == "GitRepository":
            sources[one.namespace, one.name].append(one)
    rules: dict[str, list[UpdateRule]] = defaultdict(list)
    for one in objects:
        if one.kind != "ImageUpdateAutomation":
            continue
        rule = _read_one(one, sources, problems, repository_url)
        if rule is not None and all(
            replace(rule, where="") != replace(other, where="") for other in rules[rule.name]
        ):
            rules[rule.name].append(rule)
    return [rule for same in rules.values() for rule in _apart(same)]


def _apart(rules: list[UpdateRule]) -> list[UpdateRule]:
    """Return rules of one name with names of their own, a function of what they say."""
    if len(rules) == 1:
        return rules
    taken: set[str] = set()
    named: list[UpdateRule] = []
    for rule in rules:
        name = rule.name
        for part in (*rule.paths, rule.namespace or "", rule.branch, rule.push_branch):
            second = slug(part) if part else ""
            name = second if second.startswith(f"{name}-") else f"{name}-{second}".strip("-")
            if name not in taken and name != rule.name:
                break
        while name in taken:
            name += "-x"
        taken.add(name)
        named.append(replace(rule, name=name))
    return named


def _read_one(
    one: FluxObject,
    sources: dict[tuple[str, str], list[FluxObject]],
    problems: list[Problem],
    repository_url: str | None,
) -> UpdateRule | None:
    if one.spec.get("git") is None and one.spec.get("sourceRef") is None:
        hint = "Patches are not applied; an automation needs sourceRef and git"
        problems.append(one.problem(Severity.NOTE, "it looks like a kustomize patch", hint))
        return None
    strategy = one.spec.string("update", "strategy")
    if strategy not in {"", "Setters"}:
        message = f"the strategy {strategy!r} is not known"
        at = one.spec.at("update", "strategy")
        problems.append(one.problem(Severity.ERROR, message, "Write Setters", at=at))
        return None
    try:
        source = _source_of(one, sources, problems, repository_url)
        paths = _paths(one)
        base, push = _branches(one, source)
        selector = _selector(one)
    except _Left as fault:
        problems.append(one.problem(fault.severity, str(fault), fault.hint, at=fault.at))
        return None
    _note_what_is_left_out(one, problems)
    return UpdateRule(
        name=one.name,
        paths=paths,
        deliver=Delivery.COMMIT if push in {"", base} else Delivery.BRANCH,
        branch=base,
        push_branch="" if push in {"", base} else push,
        namespace=one.namespace or None,
        selector=selector,
        suspended=one.spec.string("suspend") == "true",
        commit=_commit(one),
        repository=source.spec.string("url") if source is not None else "",
        where=one.where,
    )


class _Left(Exception):
    """The automation is left out, for this reason."""

    def __init__(self, message: str, hint: str, at: Node | None, severity: Severity) -> None:
        super().__init__(message)
        self.hint, self.at, self.severity = hint, at, severity


def _source_of(
    one: FluxObject,
    sources: dict[tuple[str, str], list[FluxObject]],
    problems: list[Problem],
    repository_url: str | None,
) -> FluxObject | None:
    """Return the GitRepository, `None` when it cannot be told."""
    name = one.spec.string("sourceRef", "name")
    namespace = one.spec.string("sourceRef", "namespace") or one.namespace
    at = one.spec.get("sourceRef")
    found = sources.get((namespace, name)) or sources.get(("", name), [])
    known = [source for source in found if _is_known(source.spec.string("url"))]
    if repository_url is None or not known:
        message = f"whether GitRepository {name!r} is this repository cannot be told; it counts"
        hint = "Keep the GitRepository beside it in Git, with its address written out"
        problems.append(one.problem(Severity.NOTE, message, hint, at=at))
        return known[0] if known else None
    for source in known:
        if same_repository(source.spec.string("url"), repository_url):
            return source
    message = f"it works on another repository ({known[0].title}) and does not count here"
    raise _Left(message, "Nothing needs to be done", at, Severity.NOTE)


def _is_known(url: str) -> bool:
    return bool(url) and not holds_variable(url)


def _paths(one: FluxObject) -> tuple[str, ...]:
    at, written = one.spec.at("update", "path"), one.spec.string("update", "path")
    if holds_variable(written):
        raise _Left(
            f"its path {written!r} holds a variable that Flux fills in in the cluster",
            "Write it out, or add the update to .pilotfish.yaml",
            at,
            Severity.WARNING,
        )
    try:
        path = read_path(written.lstrip("/"))  # Flux joins it below the checkout
    except Unreadable as fault:
        raise _Left(str(fault), fault.hint, at, Severity.ERROR) from fault
    return (path,) if path else ()


def _branches(one: FluxObject, source: FluxObject | None) -> tuple[str, str]:
    """Return the base, empty for the default branch, and the push branch, empty for the base."""
    checkout = one.spec.at("git", "checkout", "ref")
    reference = checkout or (source.spec.get("ref") if source is not None else None)
    push = one.spec.string("git", "push", "branch")
    base = ""
    if reference is not None:
        name = reference.string("name")
        if name.startswith(_HEADS) and not reference.string("commit"):
            base = name.removeprefix(_HEADS)
        elif name or any(reference.string(key) for key in ("commit", "tag", "semver")):
            raise _Left(
                "it starts from a tag or commit, and a change needs a branch to start from",
                "Name a branch under git.checkout.ref",
                reference,
                Severity.WARNING,
            )
        else:
            base = reference.string("branch")
    for branch, at in ((base, reference), (push, one.spec.at("git", "push", "branch"))):
        if holds_variable(branch):
            message = f"the branch {branch!r} holds a variable that Flux fills in in the cluster"
            raise _Left(message, "Write it out", at, Severity.WARNING)
        try:
            read_branch(branch or "main")
        except Unreadable as fault:
            raise _Left(str(fault), fault.hint, at, Severity.ERROR) from fault
    return base, push


def _selector(one: FluxObject) -> PolicySelector | None:
    section = one.spec.get("policySelector")
    if section is None:
        return None
    labels = section.get("matchLabels")
    expressions: list[tuple[str, str, tuple[str, ...]]] = []
    listed = section.get("matchExpressions")
    for item in listed.items if listed is not None else []:
        key, operator = item.string("key"), item.string("operator")
        written = item.get("values")
        values = tuple(value.text for value in written.items) if written is not None else ()
        if not key or _OPERATORS.get(operator) is not bool(values):
            raise _Left(
                f"its policySelector holds {key!r} {operator!r} {list(values)}, which says nothing",
                "In and NotIn need values, Exists and DoesNotExist must have none",
                item,
                Severity.ERROR,
            )
        expressions.append((key, operator, values))
    return PolicySelector(
        labels=MappingProxyType({e.key: e.value.text for e in (labels.entries if labels else [])}),
        expressions=tuple(expressions),
    )


def _commit(one: FluxObject) -> CommitSettings:
    section = one.spec.at("git", "commit")
    if section is None:
        return CommitSettings()
    values = section.get("messageTemplateValues")
    return CommitSettings(
        author_name=section.string("author", "name"),
        author_email=section.string("author", "email"),
        message=section.string("messageTemplate"),
        values=MappingProxyType({e.key: e.value.text for e in (values.entries if values else [])}),
    )


def _note_what_is_left_out(one: FluxObject, problems: list[Problem]) -> None:
    notes = {
        ("git", "commit", "signingKey"): (
            "its signing key is kept in the cluster; commits made here are not signed by it",
            "Name a key under commit.sign of .pilotfish.yaml",
        ),
        ("git", "push", "refspec"): (
            "its push refspec is not used; the branch alone is pushed",
            "Open proposals with `deliver: pull-request` instead",
        ),
        ("git", "push", "options"): (
            "its push options are not used",
            "Open proposals with `deliver: pull-request` instead",
        ),
    }
    for path, (message, hint) in notes.items():
        at = one.spec.at(*path)
        if at is not None:
            problems.append(one.problem(Severity.NOTE, message, hint, at=at))
    template = one.spec.at("git", "commit", "messageTemplate")
    if template is not None and holds_variable(template.text):
        message = "its message holds a variable that Flux fills in in the cluster; it stays as is"
        problems.append(one.problem(Severity.NOTE, message, "Write it out", at=template))
