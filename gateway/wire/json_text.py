"""JSON text to a Python object, strictly: RFC 8259 and nothing else, no key twice, every number a float."""

import json
from typing import Any, NoReturn

from gateway.errors import InvalidInput, TooLarge
from gateway.wire.show import kind, shown

BODY = "JSON body"


class _NotStrict(Exception):
    """JSON that `json` would take."""


def load(body: bytes, *, where: str = BODY) -> dict[str, Any]:
    """Parse an object. Numbers become float, correctly rounded; one beyond float64 is infinite.

    Args:
        where: what the text is, for messages.

    Raises:
        InvalidInput: not UTF-8, not JSON, NaN or Infinity, a key twice in one object, nested too deeply, or
            not an object.
    """
    try:
        text = body.decode("utf-8-sig")
        document = json.loads(
            text,
            parse_int=_integer,
            parse_float=_real,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError as error:
        raise InvalidInput(f"not UTF-8 at byte {error.start:,}", field=where) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno:,}, column {error.colno:,}"
        raise InvalidInput(f"not valid JSON at {place}: {_reason(error.msg)}", field=where) from None
    except _NotStrict as error:
        raise InvalidInput(str(error), field=where) from None
    except RecursionError:
        raise InvalidInput("nested too deeply", field=where) from None
    if not isinstance(document, dict):
        raise InvalidInput(f"must be an object, got {kind(document)}", field=where)
    return document


def check_size(body: bytes, values: int) -> None:
    """Refuse a body with more values than may be held in memory, before it is parsed.

    Raises:
        TooLarge: more than `values` commas and opening brackets.
    """
    if len(body) <= 2 * values:
        return
    found = body.count(b",") + body.count(b"[") + body.count(b"{")
    if found > values:
        raise TooLarge(
            f"holds about {found:,} values; at most {values:,} are allowed. Send npy or raw samples instead",
            field=BODY,
        )


def _integer(text: str) -> float:
    return float(text) + 0.0  # -0 is the integer 0


def _real(text: str) -> float:
    return float(text)


def _no_constant(name: str) -> NoReturn:
    raise _NotStrict(f"not valid JSON: {name} is not a number there")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _NotStrict(f"key {shown(key)} is there more than once")
            seen.add(key)
    return found


def _reason(message: str) -> str:
    """json's wording in lower case."""
    return message[:1].lower() + message[1:].removesuffix(" at")
