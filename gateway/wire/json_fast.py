"""The fast way to read a request's JSON: simdjson fills float64 arrays, no Python float is made.

simdjson alone is not exact: it flattens ragged arrays and takes the first of duplicate keys. So every key is
checked, and the brackets and commas of every array are compared with those its shape must have. Whatever
is unusual is left to `json_text`, which also words the errors; what is read here is read the same there.
"""

import math
import re
from typing import Any

import numpy as np
import simdjson
from numpy.typing import NDArray

from gateway.wire.json_fields import ARRAYS, BATCHES, ITEM_FIELDS, TOP_FIELDS
from gateway.wire.json_pairs import only_pairs
from gateway.wire.nested import MAX_LEVELS

_BLOCK = 1 << 18
_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[],"))
_KEYS = {name: re.compile(rb'"%s"[ \t\n\r]*:' % name.encode()) for name in ARRAYS | BATCHES}
_MOST_PARTS = 1000
# One parser is kept with its memory (about five bodies): getting that anew costs more than reading.
# A caller takes it out while it uses it, so that threads never share it.
_SPARE: list[simdjson.Parser] = []
_KEPT_BYTES = 12 << 20
_FEW = 1024  # numbers that are compared the general way


class _Unusual(Exception):
    """Something that the exact way must judge."""


def load(body: bytes) -> dict[str, Any] | None:
    """The document, with arrays of numbers as float64 ndarrays in their nesting's shape; None if unusual."""
    try:
        parser = _SPARE.pop()
    except IndexError:
        parser = simdjson.Parser()
    try:
        found = _Reader(body).document(parser)
    except (_Unusual, ValueError, TypeError, LookupError):
        found = None
    except RuntimeError:  # too deep, or the parser still has a document: it is not used again
        return None
    if len(body) <= _KEPT_BYTES and not _SPARE:
        _SPARE.append(parser)
    return found


class _Reader:
    """Walks a parsed document in its order, and the text beside it."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._position = 0

    def document(self, parser: simdjson.Parser) -> dict[str, Any]:
        """The whole document; nothing of it outlives this call, so that the parser can be used again."""
        document = parser.parse(self._body)
        if not isinstance(document, simdjson.Object):
            raise _Unusual
        return self.read(document, TOP_FIELDS)

    def read(self, document: simdjson.Object, fields: frozenset[str]) -> dict[str, Any]:
        names = list(document.keys())
        if len(set(names)) != len(names) or not fields.issuperset(names):
            raise _Unusual
        return {name: self._field(name, document[name]) for name in names}

    def _field(self, name: str, value: Any) -> Any:
        if name in ARRAYS and value is not None:
            self._find(name)
            return self._numbers(value)
        if name in BATCHES and value is not None:
            self._find(name)
            return self._items(value)
        if isinstance(value, simdjson.Array):
            return _texts(value)
        if isinstance(value, simdjson.Object):
            raise _Unusual
        return float(value) if type(value) is int else value

    def _items(self, items: Any) -> list[Any]:
        if not isinstance(items, simdjson.Array) or len(items) > _MOST_PARTS:
            raise _Unusual
        parts = list(items)
        if parts and all(isinstance(part, simdjson.Array) for part in parts):
            return self._arrays(parts)
        return [self._item(part) for part in parts]

    def _item(self, part: Any) -> dict[str, Any]:
        if not isinstance(part, simdjson.Object):
            raise _Unusual
        return self.read(part, ITEM_FIELDS)

    def _arrays(self, parts: list[Any]) -> list[NDArray[np.float64]]:
        """A batch of bare arrays: its brackets are compared as a whole."""
        arrays = [_flat(part) for part in parts]
        self._match(b"[" + b",".join(_skeleton(array.shape) for array in arrays) + b"]")
        return arrays

    def _numbers(self, array: Any) -> NDArray[np.float64]:
        values = _flat(array)
        if not self._pairs(array, values.shape):
            self._match(_skeleton(values.shape))
        return values

    def _pairs(self, array: simdjson.Array, shape: tuple[int, ...]) -> bool:
        """Whether this is (samples, 2) or (receivers, samples, 2), as far as the quicker check can tell.

        `only_pairs` shows that all numbers are in pairs, and how many arrays there are; with as many
        samples in every receiver, none is left to nest one deeper.
        """
        if len(shape) not in (2, 3) or shape[-1] != 2 or math.prod(shape) < _FEW:
            return False
        arrays = 1 + shape[0]
        if len(shape) == 3:
            if shape[0] > _MOST_PARTS or not all(_holds_arrays(one, shape[1]) for one in array):
                return False
            arrays += shape[0] * shape[1]
        quote = self._body.find(b'"', self._position)
        end = self._body.rfind(b"]", self._position, quote if quote >= 0 else None) + 1
        text = np.frombuffer(self._body, np.uint8, end - self._position, self._position)
        if not only_pairs(text, arrays):
            return False
        self._position = end
        return True

    def _find(self, name: str) -> None:
        """Go to the value of the next key `name`.

        In valid JSON, the bytes of a quoted name before a colon are that key, or the end of a longer key,
        which is not among the fields. A key spelled with escapes is not found, or found out of order.
        """
        key = _KEYS[name].search(self._body, self._position)
        if key is None:
            raise _Unusual
        self._position = key.end()

    def _match(self, skeleton: bytes) -> None:
        """Compare the text from here with `skeleton`, block by block: other threads get their turn."""
        matched = 0
        step = min(_BLOCK, 8 * len(skeleton))
        for start in range(self._position, len(self._body), step):
            block = self._body[start : start + step].translate(None, _NOT_STRUCTURE)
            expected = skeleton[matched : matched + len(block)]
            if not block.startswith(expected):
                raise _Unusual
            matched += len(expected)
            if matched == len(skeleton):
                self._position = start
                return
        raise _Unusual


def _flat(array: Any) -> NDArray[np.float64]:
    """The numbers of an array, in the shape that the first array on every level gives."""
    if not isinstance(array, simdjson.Array):
        raise _Unusual
    values = np.frombuffer(array.as_buffer(of_type="d"), np.float64)
    shape: list[int] = []
    first: Any = array
    while isinstance(first, simdjson.Array):
        if len(first) == 0 or len(shape) == MAX_LEVELS:
            raise _Unusual
        shape.append(len(first))
        first = first[0]
    if math.prod(shape) != len(values):
        raise _Unusual
    return values.reshape(shape)


def _holds_arrays(part: Any, count: int) -> bool:
    return isinstance(part, simdjson.Array) and len(part) == count and isinstance(part[0], simdjson.Array)


def _skeleton(shape: tuple[int, ...]) -> bytes:
    """The brackets and commas of an array of that shape."""
    text = b""
    for length in reversed(shape):
        text = b"[" + (text + b",") * (length - 1) + text + b"]"
    return text


def _texts(array: simdjson.Array) -> list[Any]:
    values = list(array)
    if not all(isinstance(value, str) for value in values):
        raise _Unusual
    return values
