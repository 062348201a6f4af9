"""Numbers with Grafana's units, as a person reads them (pure)."""

from math import isfinite

_PREFIXED = {"bytes": ("B", 1024.0), "lengthm": ("m", 1000.0)}
_PLAIN = {"reqps": " req/s", "ops": " ops/s"}
_BINARY, _DECIMAL = ("", "Ki", "Mi", "Gi", "Ti"), ("", "k", "M")
_LONGER = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


def shown(value: float, unit: str) -> str:
    """The number in the unit, e.g. 0.0123 in `s` as 12.3 ms."""
    if not isfinite(value):
        return ""
    if unit in {"percent", "percentunit"}:
        return f"{_short(value * (100 if unit == 'percentunit' else 1))} %"
    if unit == "s":
        return _seconds(value)
    if unit in _PREFIXED:
        return _prefixed(value, *_PREFIXED[unit])
    return f"{_short(value)}{_PLAIN.get(unit, '')}"


def _seconds(value: float) -> str:
    if value == 0:
        return "0 s"
    if abs(value) < 1e-3:
        return f"{_short(value * 1e6)} µs"
    if abs(value) < 1:
        return f"{_short(value * 1e3)} ms"
    for size, name in _LONGER:
        if abs(value) >= 2 * size:
            return f"{_short(value / size)} {name}"
    return f"{_short(value)} s"


def _prefixed(value: float, name: str, step: float) -> str:
    prefixes = _BINARY if name == "B" else _DECIMAL[:2]
    for prefix in prefixes[:-1]:
        if abs(value) < step:
            return f"{_short(value)} {prefix}{name}"
        value /= step
    return f"{_short(value)} {prefixes[-1]}{name}"


def _short(value: float) -> str:
    """Three digits, and all of a whole number."""
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
