"""How values of a request appear in error messages: as JSON, shortened, always encodable."""

import json
from typing import Any

_LONGEST = 60


def shown(value: Any) -> str:
    """`value` as JSON, at most 60 characters; lone surrogates as escapes."""
    match value:
        case list() | dict():
            return kind(value)
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case str() if len(value) > _LONGEST:
            text = json.dumps(value[:_LONGEST], ensure_ascii=False)[:-1] + '…"'
        case _:
            text = json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()


def kind(value: Any) -> str:
    """JSON's name for the type of `value`, with an article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case dict():
            return "an object"
        case _:
            return "an array"


def count(number: int, unit: str) -> str:
    """`1 sample`, `17,920 samples`."""
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"


def index(field: str, at: tuple[int, ...]) -> str:
    """`field[1][2]`."""
    return field + "".join(f"[{i}]" for i in at)
