"""Durations as people write them: `90s`, `10m`, `1h30m`, `2d`, or plain seconds."""

import re

UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_PARTS = re.compile(r"(\d+(?:\.\d+)?)([dhms])")


def seconds(text: str) -> float:
    """How many seconds that is.

    Raises:
        ValueError: not a duration above 0.
    """
    parts = _PARTS.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        found = sum(float(number) * UNITS[unit] for number, unit in parts)
    elif re.fullmatch(r"\d+(\.\d+)?", text):
        found = float(text)
    else:
        raise ValueError(f"{text!r} is no duration: write 90s, 10m, 1h30m or seconds")
    if found <= 0:
        raise ValueError(f"{text!r} must be above 0")
    return found


def shown(duration_s: float) -> str:
    """The duration, shortest."""
    left, parts = duration_s, []
    for unit, size in UNITS.items():
        if unit != "s" and left >= size:
            parts.append(f"{left // size:.0f}{unit}")
            left %= size
    return "".join(parts) + (f"{left:g}s" if left or not parts else "")
