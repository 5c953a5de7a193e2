"""The JSON schema of `.pilotfish.yaml`, for editors and other programs.

It is made of the shapes that read the file, so the two cannot differ; titles that only
repeat names are left out, and what may be absent is not said to be null as well.
"""

from __future__ import annotations

from bot.config.shape import FileShape
from policies.spec import RULES

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, object]:
    """Return the schema as JSON values; the same at every call."""
    made = FileShape.model_json_schema(by_alias=True)
    tidied = _tidy(made)
    assert isinstance(tidied, dict)  # noqa: S101  # an object goes in, an object comes out
    policy = tidied["$defs"]["PolicyShape"]
    policy["oneOf"] = [{"required": [rule]} for rule in RULES]
    return {"$schema": _DIALECT, "title": ".pilotfish.yaml", **tidied}


def _tidy(value: object) -> object:
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {
        key: _tidy(item)
        for key, item in value.items()
        if not (key == "title" and isinstance(item, str)) and not (key == "default" and not item)
    }
    choices = kept.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        del kept["anyOf"]
        kept = {**rest[0], **kept} if len(rest) == 1 else {**kept, "anyOf": rest}
    return kept
