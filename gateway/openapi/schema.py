"""Short ways to write JSON Schema. Every number says its unit (`x-unit`; "1" = none) and its range."""

from collections.abc import Collection, Mapping
from typing import Any

Schema = dict[str, Any]

UNIT = "x-unit"


def ref(name: str) -> Schema:
    """A schema among the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def number(description: str, *, unit: str, **rest: Any) -> Schema:
    """A number; `rest` are its bounds, default, example."""
    return {"type": "number", "description": description, UNIT: unit, **rest}


def integer(description: str, *, unit: str = "1", **rest: Any) -> Schema:
    """A whole number."""
    return {"type": "integer", "description": description, UNIT: unit, **rest}


def share(description: str, **rest: Any) -> Schema:
    """A number from 0 to 1."""
    return number(description, unit="1", minimum=0, maximum=1, **rest)


def string(description: str, **rest: Any) -> Schema:
    """A string."""
    return {"type": "string", "description": description, **rest}


def moment(description: str) -> Schema:
    """A time: RFC 3339, UTC, milliseconds."""
    return string(description, format="date-time")


def boolean(description: str, **rest: Any) -> Schema:
    """true or false."""
    return {"type": "boolean", "description": description, **rest}


def array(items: Schema, description: str = "", **rest: Any) -> Schema:
    """An array."""
    return {"type": "array", **_described(description), "items": items, **rest}


def mapping(values: Schema, description: str) -> Schema:
    """An object whose names are data."""
    return {"type": "object", "description": description, "additionalProperties": values}


def record(
    description: str, fields: Mapping[str, Schema], *, optional: Collection[str] = (), **rest: Any
) -> Schema:
    """An object of an answer: these fields; all are always there but the optional ones."""
    required = [name for name in fields if name not in optional]
    return {
        "type": "object",
        **_described(description),
        "properties": dict(fields),
        "required": required,
        **rest,
    }


def or_null(schema: Schema) -> Schema:
    """The schema, or null, which counts as not given."""
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    nullable = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable


def _described(description: str) -> dict[str, str]:
    return {"description": description} if description else {}
