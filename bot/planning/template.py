"""Commit messages from Flux's Go templates, read as they are.

The template sees Flux's data (`image-automation.md` 4.4): `.AutomationObject`, `.Values`,
`.Changed.FileChanges`, `.Changed.Objects`, `.Changed.Changes`. Where Flux's order is random,
ours is that of the files. `.Updated`, which Flux removed, still gives what it gave, and is
noted by `bot.config.removed_fields`. The one door to gotpl, whose sandbox and budget are always
on; the template is a stranger's text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from bot.errors import ConfigError
from bot.telemetry import shown

_Item = TypeVar("_Item")

MAX_CHARS = 64 * 1024  # of the template, and of the message
_MAX_ITERATIONS = 50_000
_MAX_CALLS = 20_000
_MAX_DEPTH = 20
_DEEPEST_PARENTHESES = 100
_ATTRIBUTES = (
    "APIVersion",
    "Identifier",
    "Kind",
    "Name",
    "Namespace",
    "NewValue",
    "OldValue",
    "Policy",
    "Registry",
    "Repository",
    "Setter",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageChange:
    """One changed field; `image` is the reference that was chosen, `name:tag[@digest]`."""

    file: str
    old_value: str
    new_value: str
    setter: str
    image: str
    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageValues:
    """What a message is about: the update's name and namespace, its changes, free values."""

    automation_name: str
    automation_namespace: str = ""
    changes: Sequence[MessageChange] = ()
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, order=True)
class _Automation:
    Namespace: str
    Name: str

    def __str__(self) -> str:
        return f"{self.Namespace}/{self.Name}" if self.Namespace else self.Name


@dataclass(frozen=True, order=True)
class _Object:
    APIVersion: str
    Kind: str
    Namespace: str
    Name: str

    def __str__(self) -> str:
        return f"{self.Kind} {self.Namespace}/{self.Name}" if self.Namespace else self.Name


@dataclass(frozen=True, order=True)
class _Change:
    OldValue: str
    NewValue: str
    Setter: str

    def __str__(self) -> str:
        return f"{{{self.OldValue} {self.NewValue} {self.Setter}}}"


@dataclass(frozen=True, order=True)
class _Image:
    Repository: str
    Registry: str
    Identifier: str
    Name: str
    Policy: _Automation

    def __str__(self) -> str:
        return self.Name


def render(template: str, values: MessageValues, *, where: str = "the message template") -> str:
    """Return the message that `template` makes of `values`.

    Raises:
        ConfigError: The template cannot be read or carried out, or asks for too much.
    """
    import gotpl

    from bot.planning.template_functions import TooMuchWork, bounded_functions

    if len(template) > MAX_CHARS or _is_too_deep(template):
        raise ConfigError(
            f"the template is longer than {MAX_CHARS} signs, or nested too deep",
            where=where,
            hint="Shorten it",
        )
    functions = bounded_functions()
    sandbox = gotpl.SandboxPolicy.strict(
        allow_functions=functions,
        allow_attributes=_ATTRIBUTES,
        max_template_chars=MAX_CHARS,
        default_budget=gotpl.ExecutionBudget(
            max_output_chars=MAX_CHARS,
            max_iterations=_MAX_ITERATIONS,
            max_template_depth=_MAX_DEPTH,
            max_function_calls=_MAX_CALLS,
        ),
    )
    try:
        environment = gotpl.Environment(functions=functions, sandbox=sandbox)
        rendered: str = environment.from_string(template, name="message").render(_seen(values))
    except (
        gotpl.TemplateError,
        TooMuchWork,
        # gotpl lets these through from the functions of strange templates
        ArithmeticError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as fault:
        raise ConfigError(
            f"the template cannot be carried out: {shown(str(_cause(fault)), max_chars=300)}",
            where=where,
            hint="Templates are Go's, with .AutomationObject, .Values and .Changed",
        ) from fault
    return rendered


def _cause(fault: BaseException) -> BaseException:
    return fault.__cause__ if fault.__cause__ is not None else fault


def _is_too_deep(template: str) -> bool:
    depth = deepest = 0
    for char in template:
        depth = depth + 1 if char == "(" else max(0, depth - 1) if char == ")" else depth
        deepest = max(deepest, depth)
    return deepest > _DEEPEST_PARENTHESES


def _seen(values: MessageValues) -> dict[str, object]:
    """Return what the template sees: files and objects sorted, changes once each."""
    files: dict[str, dict[_Object, list[_Change]]] = {}
    objects: dict[_Object, list[_Change]] = {}
    file_images: dict[str, dict[str, dict[_Object, list[_Image]]]] = {}
    object_images: dict[_Object, list[_Image]] = {}
    changes: dict[_Change, None] = {}
    images: dict[_Image, None] = {}
    for one in sorted(values.changes, key=lambda change: change.file):
        item = _Object(one.api_version, one.kind, one.namespace, one.name)
        change, image = _Change(one.old_value, one.new_value, one.setter), _image(one)
        files.setdefault(one.file, {}).setdefault(item, []).append(change)
        objects.setdefault(item, []).append(change)
        in_file = file_images.setdefault(one.file, {"Objects": {}})["Objects"]
        for listed in (in_file.setdefault(item, []), object_images.setdefault(item, [])):
            if image not in listed:
                listed.append(image)
        changes[change] = images[image] = None
    updated = {"Images": list(images), "Files": file_images, "Objects": _sorted(object_images)}
    return {
        "AutomationObject": _Automation(values.automation_namespace, values.automation_name),
        "Values": dict(sorted(values.values.items())),
        "Changed": {
            "FileChanges": {file: _sorted(inside) for file, inside in files.items()},
            "Objects": _sorted(objects),
            "Changes": list(changes),
            "ImageResult": updated,
        },
        "Updated": updated,
    }


def _sorted(by_object: dict[_Object, _Item]) -> dict[_Object, _Item]:
    return dict(sorted(by_object.items()))


def _image(change: MessageChange) -> _Image:
    name, _, digest = change.image.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    first, slash, rest = repository.partition("/")
    has_registry = bool(slash) and (any(sign in first for sign in ".:") or first == "localhost")
    namespace, _, policy = change.setter.partition(":")
    return _Image(
        Repository=rest if has_registry else repository,
        Registry=first if has_registry else "index.docker.io",
        Identifier=digest or tag,
        Name=change.image,
        Policy=_Automation(namespace, policy.partition(":")[0]),
    )
