"""JSON for people: what fits on a line stays on it."""

import json
from typing import Any

WIDTH = 76


def pretty(value: Any, indent: int = 0) -> str:
    """Indented by two, but a value that fits into the rest of its line is not broken."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= WIDTH or not isinstance(value, list | dict):
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [
            f"{json.dumps(name, ensure_ascii=False)}: {pretty(one, indent + 2)}"
            for name, one in value.items()
        ]
        opening, closing = "{", "}"
    else:
        parts = [pretty(one, indent + 2) for one in value]
        opening, closing = "[", "]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(parts) + f"\n{' ' * indent}{closing}"
