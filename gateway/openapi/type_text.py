"""A JSON Schema in a few words of HTML: its type, unit and range."""

from html import escape
from typing import Any

from gateway.openapi.schema import UNIT, Schema

_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_SIZES = (("minItems", "maxItems", "items"), ("minLength", "maxLength", "characters"))
_REF = "#/components/schemas/"


def type_of(schema: Schema) -> str:
    """For example `number in m, ≥ 0`, with links to the schemas that it names."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REF)
        return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_of(one) for one in schema["anyOf"] if not _is_null(one)))
    if "const" in schema:
        return f"always {_code(schema['const'])}"
    words = [_kind(schema), *_bounds(schema), *_sizes(schema)]
    if "default" in schema and schema["default"] is not None:
        words.append(f"default {_code(schema['default'])}")
    return ", ".join(filter(None, words))


def _is_null(schema: Schema) -> bool:
    return schema.get("type") == "null"


def _kind(schema: Schema) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(_code(one) for one in schema["enum"] if one is not None)
    kind = schema.get("type", "any")
    kind = kind[0] if isinstance(kind, list) else kind  # the other is null, which counts as not given
    match kind:
        case "array" if isinstance(schema.get("items"), dict):
            return f"array of {type_of(schema['items'])}"
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            return f"object of {type_of(schema['additionalProperties'])}"
        case "string" if "format" in schema:
            return str(escape(schema["format"]))
    unit = schema.get(UNIT, "1")
    return str(kind) if unit == "1" else f"{kind} in {escape(unit)}"


def _bounds(schema: Schema) -> list[str]:
    return [escape(f"{sign} {schema[name]:,}") for name, sign in _BOUNDS.items() if name in schema]


def _sizes(schema: Schema) -> list[str]:
    found = []
    for least, most, unit in _SIZES:
        low, high = schema.get(least), schema.get(most)
        if low is not None and low == high:
            found.append(f"{low:,} {unit}")
        elif low is not None and high is not None:
            found.append(f"{low:,} to {high:,} {unit}")
        elif (low or 0) > 1:
            found.append(f"at least {low:,} {unit}")
    return found


def _code(value: Any) -> str:
    text = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)
    return f"<code>{escape(text)}</code>"
