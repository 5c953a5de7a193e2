"""Which policy decides for which field: named, inline, or none, and under which update.

The rules are `product.md` 3 and 10.1 to 10.3: the line's options are stronger than the
named policy's, those stronger than the file's defaults. A marker that names nothing we know
is a warning, because Flux passes it over in silence and its users suffer from that.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.config.bounds import within
from bot.config.lookup import nearest_policy, policy_for_marker, with_defaults
from bot.errors import Problem, Severity
from bot.planning.plan import Binding
from bot.rewrite.marker import FluxMarker, InlineMarker, Part
from policies.policy import InvalidPolicy
from policies.reference import InvalidReference, parse_reference, parse_repository
from policies.spec import read_policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.config.model import Config, NamedPolicy, UpdateRule
    from bot.rewrite.fields import Field
    from policies.policy import TagPolicy


def bind_fields(
    fields: Iterable[Field], config: Config, updates: Iterable[UpdateRule]
) -> tuple[list[Binding], list[Problem]]:
    """Return a binding for every field that some update of `updates` covers, and the faults."""
    bindings: list[Binding] = []
    problems: list[Problem] = []
    rules = [rule for rule in updates if not rule.suspended]
    for field in fields:
        covering = [rule for rule in rules if covers(rule, field.file)]
        if isinstance(field.marker, FluxMarker):
            covering = [rule for rule in covering if _admits(rule, field.marker, config)]
        if not covering:
            continue
        if len(covering) > 1:
            problems.append(_shared_field(field, covering))
            continue
        try:
            bound = _bind(field, config, covering[0])
        except _UnboundError as fault:
            problems.append(fault.problem)
        else:
            if bound is not None:
                policy = within(bound.policy, config.bounds)
                bindings.append(bound if policy is bound.policy else replace(bound, policy=policy))
                problems.extend(_moved_registry(bound))
    return bindings, problems


def covers(rule: UpdateRule, file: str) -> bool:
    """Return whether `file` lies below one of the update's paths; no paths means all of it."""
    if not rule.paths:
        return True
    return any(_below(file, path) for path in rule.paths)


def _below(file: str, path: str) -> bool:
    folder = path.strip("/").removeprefix("./").rstrip("/")
    return folder in {"", "."} or file == folder or file.startswith(folder + "/")


class _UnboundError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _admits(rule: UpdateRule, marker: FluxMarker, config: Config) -> bool:
    if rule.namespace is not None and marker.namespace != rule.namespace:
        return False
    if rule.selector is None:
        return True
    named = policy_for_marker(config, marker.namespace, marker.name)
    return named is not None and _selected(rule, named)


def _selected(rule: UpdateRule, named: NamedPolicy) -> bool:
    selector = rule.selector
    if selector is None:
        return True
    if any(named.labels.get(key) != value for key, value in selector.labels.items()):
        return False
    return all(_expression_holds(named, *one) for one in selector.expressions)


def _expression_holds(named: NamedPolicy, key: str, operator: str, values: tuple[str, ...]) -> bool:
    present = key in named.labels
    match operator:
        case "In":
            return present and named.labels[key] in values
        case "NotIn":
            return not present or named.labels[key] not in values
        case "Exists":
            return present
        case _:
            return not present


def _bind(field: Field, config: Config, rule: UpdateRule) -> Binding | None:
    marker = field.marker
    if isinstance(marker, FluxMarker):
        named = policy_for_marker(config, marker.namespace, marker.name)
        if named is None:
            raise _UnboundError(_unknown_policy(field, f"{marker.namespace}:{marker.name}", config))
        return _bind_named(field, named, named.policy, rule)
    return _bind_inline(field, marker, config, rule)


def _bind_named(field: Field, named: NamedPolicy, policy: TagPolicy, rule: UpdateRule) -> Binding:
    return Binding(
        field=field,
        policy_name=str(named.key),
        image=named.image,
        policy=policy,
        update=rule,
        group=named.key.name,
        inline=False,
        suspended=named.suspended,
    )


def _bind_inline(
    field: Field, marker: InlineMarker, config: Config, rule: UpdateRule
) -> Binding | None:
    if marker.kind == "ignore":
        return None
    if marker.kind == "policy":
        name = marker.words[1]
        namespace, _, short = name.rpartition(":")
        named = policy_for_marker(config, namespace or None, short)
        if named is None:
            raise _UnboundError(_unknown_policy(field, name, config))
        policy = _overridden(field, named, marker)
        bound = _bind_named(field, named, policy, rule)
        return replace(bound, image=field.image or named.image, inline=True)
    return _bind_rule(field, marker, config, rule)


def _bind_rule(field: Field, marker: InlineMarker, config: Config, rule: UpdateRule) -> Binding:
    image = marker.image or field.image
    if not image:
        raise _UnboundError(
            _fault(
                field,
                "this marker's field holds no repository",
                "Add image=REPOSITORY to the marker, or use a named policy",
            )
        )
    options = with_defaults(config.defaults, {**marker.options, **_rule_option(marker)})
    try:
        policy = read_policy(options, native=True)
        repository = parse_repository(image)
    except (InvalidPolicy, InvalidReference) as fault:
        raise _UnboundError(_fault(field, str(fault), "Correct the marker on this line")) from fault
    return Binding(
        field=field,
        policy_name=image,
        image=image,
        policy=policy,
        update=rule,
        group=repository.path.removeprefix("library/"),
        inline=True,
    )


def _rule_option(marker: InlineMarker) -> dict[str, str]:
    word, *rest = marker.words
    key = "digest-of" if word == "digest" else word
    return {key: " ".join(rest)}


def _overridden(field: Field, named: NamedPolicy, marker: InlineMarker) -> TagPolicy:
    if not marker.options:
        return named.policy
    try:
        return read_policy({**named.options, **marker.options}, native=True)
    except InvalidPolicy as fault:
        raise _UnboundError(_fault(field, str(fault), "Correct the marker on this line")) from fault


def _fault(
    field: Field, message: str, hint: str, *, severity: Severity = Severity.ERROR
) -> Problem:
    return Problem(
        severity=severity,
        message=message,
        file=field.file,
        line=field.line,
        column=field.column,
        hint=hint,
    )


def _unknown_policy(field: Field, name: str, config: Config) -> Problem:
    hint = nearest_policy(config, name.rpartition(":")[2]) or "Define it, or remove the marker"
    return _fault(
        field,
        f"the marker names the policy {name}, which is not defined here",
        hint + "; until then this field is left alone",
        severity=Severity.WARNING,
    )


def _shared_field(field: Field, covering: list[UpdateRule]) -> Problem:
    names = " and ".join(f"{rule.name} ({rule.where or 'default'})" for rule in covering)
    return _fault(
        field,
        f"this field belongs to two updates: {names}",
        "Give the updates paths that do not overlap",
    )


def _moved_registry(bound: Binding) -> list[Problem]:
    """Warn where a Flux marker would write another registry than the one written now."""
    if bound.inline or bound.field.part not in {Part.IMAGE, Part.NAME} or not bound.field.value:
        return []
    try:
        written = parse_reference(bound.field.value).repository
        decided = parse_repository(bound.image)
    except InvalidReference:
        return []
    if written.registry == decided.registry:
        return []
    return [
        _fault(
            bound.field,
            f"the policy {bound.policy_name} writes {bound.image}, another registry than the "
            f"{written.registry} that stands here",
            "Check that this move is meant; point the policy at the registry in use if not",
            severity=Severity.WARNING,
        )
    ]


def by_policy(bindings: Iterable[Binding]) -> dict[tuple[str, str], list[Binding]]:
    """Return the bindings by policy name and image, in the order they were found."""
    groups: dict[tuple[str, str], list[Binding]] = defaultdict(list)
    for bound in bindings:
        groups[bound.policy_name, bound.image].append(bound)
    return dict(groups)
