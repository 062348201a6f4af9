"""A request's options: from JSON fields, or under the same names from the query string of binary forms."""

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from gateway.domain import Options
from gateway.errors import InvalidInput
from gateway.wire.show import kind, shown

MAX_TEXT = 256
MAX_RECEIVERS = 1024

_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


def from_fields(fields: Mapping[str, Any], defaults: Options, *, at: str = "") -> Options:
    """Options among the fields of a JSON object; null means not given, other fields are passed over.

    Args:
        at: path of the object, with its final dot, for messages.

    Raises:
        InvalidInput: a wrong type or a value out of range; names the field, the value and what is allowed.
    """
    given = {
        name: check(fields[name], at + name)
        for name, check in _CHECKS.items()
        if fields.get(name) is not None
    }
    return _merged(defaults, given)


def from_query(query: Mapping[str, str]) -> Options:
    """Options among the parameters of a query string, as `parameters` gives them.

    Raises:
        InvalidInput: as `from_fields`.
    """
    return from_fields(
        {name: _TEXTS[name](query[name], name) for name in _CHECKS if name in query}, Options()
    )


def parameters(query: Iterable[tuple[str, str]], allowed: Collection[str]) -> dict[str, str]:
    """The query string's parameters, each once.

    Raises:
        InvalidInput: an unknown or repeated name.
    """
    found: dict[str, str] = {}
    for name, value in query:
        if name not in allowed:
            names = ", ".join(sorted(allowed)) or "none"
            raise InvalidInput(f"unknown query parameter {shown(name)}; allowed here: {names}")
        if name in found:
            raise InvalidInput("given more than once in the query string", field=name)
        found[name] = value
    return found


def flag(value: Any, field: str) -> bool:
    """A boolean.

    Raises:
        InvalidInput: anything else.
    """
    if not isinstance(value, bool):
        raise _wrong(field, "true or false", value)
    return value


def flag_from_text(text: str, field: str) -> bool:
    """`true` or `false`.

    Raises:
        InvalidInput: anything else.
    """
    if text not in ("true", "false"):
        raise _wrong(field, "true or false", text)
    return text == "true"


def text(value: Any, field: str) -> str:
    """A string of 1 to 256 characters without lone surrogates.

    Raises:
        InvalidInput: anything else.
    """
    if not isinstance(value, str):
        raise _wrong(field, f"a string of 1 to {MAX_TEXT} characters", value)
    if not 1 <= len(value) <= MAX_TEXT:
        raise InvalidInput(f"must have 1 to {MAX_TEXT} characters, got {len(value):,}", field=field)
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidInput(
            f"holds half of a surrogate pair, which is no character: {shown(value)}", field=field
        )
    return value


def _positive(value: Any, field: str) -> float:
    return _number(value, field, "a finite number above 0", math.inf)


def _probability(value: Any, field: str) -> float:
    return _number(value, field, "a number above 0 and below 1", 1.0)


def _number(value: Any, field: str, allowed: str, below: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < below:
        raise _wrong(field, allowed, value)
    return float(value)


def _receiver_ids(value: Any, field: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _wrong(field, "an array of strings", value)
    if not 1 <= len(value) <= MAX_RECEIVERS:
        raise InvalidInput(f"must name 1 to {MAX_RECEIVERS} receivers, got {len(value):,}", field=field)
    ids = tuple(text(one, f"{field}[{i}]") for i, one in enumerate(value))
    if len(set(ids)) != len(ids):
        twice = next(one for i, one in enumerate(ids) if one in ids[:i])
        raise InvalidInput(f"names {shown(twice)} more than once", field=field)
    return ids


def _number_from_text(given: str, field: str) -> float:
    if len(given) > MAX_TEXT or not _JSON_NUMBER.fullmatch(given):
        raise _wrong(field, "a number", given)
    return float(given)


def _wrong(field: str, allowed: str, value: Any) -> InvalidInput:
    if isinstance(value, list | dict) or value is None:
        return InvalidInput(f"must be {allowed}, got {kind(value)}", field=field)
    if isinstance(value, float) and not math.isfinite(value):
        return InvalidInput(f"must be {allowed}, got one beyond float64", field=field)
    return InvalidInput(f"must be {allowed}, got {shown(value)}", field=field)


def _merged(defaults: Options, given: dict[str, Any]) -> Options:
    if not given:
        return defaults
    return Options(**{name: given.get(name, getattr(defaults, name)) for name in _CHECKS})


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "sample_rate_hz": _positive,
    "frequency_mhz": _positive,
    "session_id": text,
    "cache_enabled": flag,
    "confidence_level": _probability,
    "receiver_ids": _receiver_ids,
    "geojson": flag,
}

_TEXTS: dict[str, Callable[[str, str], Any]] = {
    "sample_rate_hz": _number_from_text,
    "frequency_mhz": _number_from_text,
    "session_id": lambda given, _: given,
    "cache_enabled": flag_from_text,
    "confidence_level": _number_from_text,
    "receiver_ids": lambda given, _: given.split(","),
    "geojson": flag_from_text,
}

NAMES = frozenset(_CHECKS)
