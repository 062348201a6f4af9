"""JSON is read strictly: RFC 8259, keys once, every number a float."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidInput, TooLarge
from gateway.wire.json_text import check_size, load

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_what_json_writes_is_read_back(document: dict[str, object]) -> None:
    assert load(json.dumps(document).encode()) == document


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("9007199254740993", 9007199254740992.0),
        ("9007199254740995", 9007199254740996.0),
        ("1" + "0" * 5000, math.inf),
        ("-1e999", -math.inf),
        ("1e-400", 0.0),
    ],
    ids=["down", "up", "digits", "exponent", "small"],
)
def test_numbers_are_rounded_as_float64(text: str, number: float) -> None:
    assert load(f'{{"x":{text}}}'.encode()) == {"x": number}


def test_minus_zero_keeps_its_sign_only_as_a_real() -> None:
    found = load(b'{"integer":-0,"real":-0.0}')
    assert [math.copysign(1, found[name]) for name in ("integer", "real")] == [1, -1]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not valid JSON at line 1, column 1: expecting value"),
        (
            b'{"a":1,}',
            "not valid JSON at line 1, column 8: expecting property name enclosed in double quotes",
        ),
        (b'{"a":1}\n x', "not valid JSON at line 2, column 2: extra data"),
        (b'{"a":01}', "not valid JSON at line 1, column 7: expecting ',' delimiter"),
        (b'{"a":"\n"}', "not valid JSON at line 1, column 7: invalid control character"),
        (b'{"a":NaN}', "not valid JSON: NaN is not a number there"),
        (b'{"a":[-Infinity]}', "not valid JSON: -Infinity is not a number there"),
        (b'{"a":1,"b":2,"a":1}', 'key "a" is there more than once'),
        (rb'{"b":{"a":1,"\u0061":2}}', 'key "a" is there more than once'),
        (rb'{"\ud800":1,"\ud800":2}', r'key "\ud800" is there more than once'),
        (b'{"a":"\xff"}', "not UTF-8 at byte 6"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8 at byte 6"),
        (b'"a"', "must be an object, got a string"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_not_strict_json_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load(body, where="here")
    assert caught.value.detail == f"here: {message}"


def test_a_byte_order_mark_is_passed_over() -> None:
    assert load(b'\xef\xbb\xbf{"a":1}') == {"a": 1.0}


def test_more_values_than_memory_allows_are_refused_before_parsing() -> None:
    check_size(b'{"a":[' + b"1," * 99 + b"1]}", 101)
    with pytest.raises(TooLarge, match="holds about 102 values; at most 101 are allowed"):
        check_size(b'{"a":[' + b"1," * 100 + b"1]}", 101)
