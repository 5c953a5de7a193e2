"""What pydantic finds wrong with a shape, said in our words and at the right place."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Annotated, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from bot.config.lookup import nearest
from bot.config.named_policies import NOT_FOR_DEFAULTS
from bot.config.shape import FileShape, Shape

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from bot.config.faults import Faults
    from bot.config.nodes import Node

_OPERATOR_KEYS = frozenset({"repositories", "targets", "server", "store", "notify", "jitter"})
_Made = TypeVar("_Made", bound=Shape)
_SECRET_KEYS = frozenset({"password", "token", "ssh", "gpg", "passphrase"})
_OPERATORS = "It belongs into the operator's file of the long-running bot, not into a repository"
_EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_KINDS = {str: "a text", list: "a list", dict: "a mapping", bool: "a truth value"}


def read_shape(root: Node, faults: Faults) -> FileShape | None:
    """Return the shape of `.pilotfish.yaml`, or `None` after noting every fault of it."""
    return read_shape_of(FileShape, root, faults)


def read_shape_of(shape: type[_Made], root: Node, faults: Faults) -> _Made | None:
    """Return the file as a `shape`, or `None` after noting every fault of it."""
    try:
        return shape.model_validate(root.plain_value(typed=False))
    except ValidationError as fault:
        for detail in fault.errors(include_url=False):
            _note(detail, root, faults, shape)
        return None


def _note(detail: ErrorDetails, root: Node, faults: Faults, shape: type[Shape]) -> None:
    path, kind = list(detail["loc"]), detail["type"]
    last = str(path[-1]) if path else ""
    dotted = _dotted(path)
    above = root.at(*path[:-1]) or root
    place = above.key_place(last)
    if kind == "extra_forbidden":
        if "defaults" in path[:-1] and last in NOT_FOR_DEFAULTS:
            faults.add(place, f"{last!r} cannot be a default", "Say it with each policy")
        else:
            operators = shape is FileShape and len(path) == 1 and last in _OPERATOR_KEYS
            hint = _OPERATORS if operators else nearest(last, _allowed_keys(path, shape))
            faults.add(place, f"unknown key {last!r}", hint)
        return
    if kind == "missing":
        faults.add(above.place, f"{_dotted(path[:-1])} lacks {last!r}", f"Add the key {last!r}")
        return
    found = root.at(*path)
    place = found.place if found is not None else place
    if last in _SECRET_KEYS and isinstance(detail["input"], str):
        faults.add(
            place,
            f"{dotted} holds a text where only the place of a secret may stand",
            "Write {env: NAME} or {file: PATH}; if it was a secret, change it: it has been seen",
        )
    elif kind == "literal_error":
        faults.add(
            place,
            f"{dotted} cannot be {str(detail['input'])!r}",
            nearest(str(detail["input"]), _literals(path, shape)),
        )
    elif kind in _EXPECTED:
        wrong = _KINDS.get(type(detail["input"]), "nothing")
        if kind in {"int_parsing", "bool_parsing"}:
            wrong = repr(str(detail["input"]))
        faults.add(place, f"{dotted} must be {_EXPECTED[kind]}, and is {wrong}", _example(kind))
    else:
        faults.add(place, f"{dotted} cannot be {str(detail['input'])!r}", _bounds(last, detail))


def _dotted(path: list[str | int]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def _example(kind: str) -> str:
    if kind == "list_type":
        return "Write [one, two], or one item a line after a dash"
    return "Write key: value pairs" if _EXPECTED[kind] == "a mapping" else "Change the value"


def _bounds(key: str, detail: ErrorDetails) -> str:
    if key == "version":
        return "This program reads version 1 of the format"
    bounds = detail.get("ctx", {})
    words = {"ge": "at least", "le": "at most"}
    said = [f"{words[name]} {bound}" for name, bound in bounds.items() if name in words]
    return f"It must be {' and '.join(said)}" if said else "Change the value"


def _allowed_keys(path: list[str | int], root: type[Shape]) -> list[str]:
    shape = _type_at(path[:-1], root)
    if not (isinstance(shape, type) and issubclass(shape, BaseModel)):
        return []
    return [field.alias or name for name, field in shape.model_fields.items()]


def _literals(path: list[str | int], root: type[Shape]) -> list[str]:
    return [str(word) for word in get_args(_type_at(path, root))]


def _type_at(path: list[str | int], root: type[Shape]) -> object:
    """Return the type that the shapes give to `path`, optional parts stripped."""
    here: object = root
    for step in path:
        if isinstance(here, type) and issubclass(here, BaseModel):
            fields = {(f.alias or name): f.annotation for name, f in here.model_fields.items()}
            here = _bare(fields.get(str(step)))
        else:
            here = _bare(get_args(here)[-1]) if get_args(here) else None
    return here


def _bare(annotation: object) -> object:
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in {Union, types.UnionType}:
        return _bare(next(arg for arg in get_args(annotation) if arg is not types.NoneType))
    return annotation
