"""The fast way reads a document exactly as the exact way does, or leaves it alone."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import numpy as np
import pytest
import simdjson
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.domain import BatchRequest, PredictRequest
from gateway.errors import InvalidInput
from gateway.wire import json_fast, json_request, json_text
from gateway.wire.limits import Limits
from gateway.wire.nested import rectangular

LIMITS = Limits()

NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30).map(str),
    st.integers(2**53 - 9, 2**53 + 9).map(str),
    st.integers(2**63 - 3, 2**63 + 3).map(str),
    st.integers(2**64 - 3, 2**64 + 3).map(lambda n: str(-n if n % 2 else n)),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1, 1, width=32).map(lambda x: f"{x:.9g}"),
    st.decimals(-10, 10, places=25, allow_nan=False).map(str),
    st.sampled_from(
        ["-0", "-0.0", "0e5", "1E+2", "1e-400", "1e999", "3.4028235677973366e38", "1e39", "9" * 330]
    ),
)
NOT_NUMBERS = st.sampled_from(
    ["null", "true", '"x"', "[]", "{}", '{"a":1}', "NaN", "-Infinity", "01", "1.", "+1", ""]
)
SPACE = st.sampled_from(["", "", "", " ", "\n\t", "  \r\n"])
STRINGS = st.sampled_from(
    [
        '"s"',
        '""',
        '"iq_data"',
        r'"\"iq_data"',
        r'"\"iq_data\":[[1,2]]"',
        '"]],["',
        r'"\u00e9\ud83d\ude00"',
        r'"\ud800"',
    ]
)
KEYS = {
    "iq_data": ['"iq_data"', r'"iq\u005fdata"'],
    "features": ['"features"', r'"\u0066eatures"'],
    "samples": ['"samples"'],
    "iq_samples": ['"iq_samples"', r'"iq_\u0073amples"'],
    "predictions": ['"predictions"'],
}


def array(parts: list[str], space: str) -> str:
    return f"[{space}{f'{space},{space}'.join(parts)}{space}]"


@st.composite
def arrays(draw: st.DrawFn) -> str:
    """Mostly [[I, Q], …] or [[[I, Q], …], …], sometimes with another shape or a flaw."""
    levels = draw(st.sampled_from([2, 2, 3, 3, 1, 4, 9]))
    shape = [draw(st.integers(1, 3)) for _ in range(levels - 1)] + [draw(st.sampled_from([2, 2, 2, 1, 3]))]
    flaw = draw(st.sampled_from([None, None, None, None, None, "ragged", "element", "level"]))
    space = draw(SPACE)
    elements = st.one_of(NUMBERS, NOT_NUMBERS) if flaw == "element" else NUMBERS

    def build(level: int) -> str:
        if level == levels or (flaw == "level" and draw(st.integers(0, 9)) == 0):
            element: str = draw(elements)
            return element
        length = shape[level]
        if flaw == "ragged":
            length += draw(st.sampled_from([0, 0, 0, 1, -1]))
        return array([build(level + 1) for _ in range(length)], space)

    return build(0)


@st.composite
def members(draw: st.DrawFn, bulk: list[str], values: st.SearchStrategy[str]) -> str:
    """The inside of an object: one of the `bulk` keys among options, in any order and spelling."""
    names = draw(st.sampled_from([bulk[:1], bulk[:1], bulk[:1], bulk, bulk[1:], bulk[:1] * 2, []]))
    pairs = [(draw(st.sampled_from(KEYS[name])), draw(values)) for name in names]
    option = st.tuples(
        st.sampled_from(
            ['"session_id"', '"sample_id"', '"cache_enabled"', '"sample_rate_hz"', '"iq_dat"', '"a\\u0000"']
        ),
        st.one_of(STRINGS, NUMBERS, NOT_NUMBERS),
    )
    pairs += draw(st.lists(option, max_size=2))
    pairs += [('"receiver_ids"', array(draw(st.lists(STRINGS, max_size=2)), ""))] * draw(st.integers(0, 1))
    space = draw(SPACE)
    return f"{space},{space}".join(
        f"{key}{space}:{space}{value}" for key, value in draw(st.permutations(pairs))
    )


def objects(bulk: list[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return members(bulk, values).map(lambda inside: "{" + inside + "}")


ITEMS = st.one_of(objects(["iq_data", "features"], arrays()), arrays(), NOT_NUMBERS)
BATCHES = st.one_of(
    st.lists(ITEMS, max_size=3).map(lambda items: array(items, "")),
    st.lists(arrays(), min_size=1, max_size=3).map(lambda items: array(items, " ")),
)
DOCUMENTS = st.one_of(
    objects(["iq_data", "features"], arrays()), objects(["iq_samples", "samples", "predictions"], BATCHES)
)


def same(fast: Any, slow: Any) -> bool:
    """Equal documents; arrays by shape and by bits."""
    match fast:
        case np.ndarray():
            exact = rectangular(slow, "it", of="value")
            return exact.shape == fast.shape and exact.tobytes() == fast.tobytes()
        case dict():
            return list(fast) == list(slow) and all(same(fast[name], slow[name]) for name in fast)
        case list():
            return len(fast) == len(slow) and all(map(same, fast, slow))
    return bool(fast == slow and isinstance(fast, bool) == isinstance(slow, bool))


def outcome(body: bytes, *, batch: bool) -> Any:
    """Everything that a request holds, in comparable form, or the error's text."""
    try:
        request = json_request.batch(body, LIMITS) if batch else json_request.predict(body, LIMITS)
    except InvalidInput as error:
        return type(error), str(error), error.field
    if isinstance(request, BatchRequest):
        return request.continue_on_error, [comparable(item) for item in request.items]
    return comparable(request)


def comparable(item: PredictRequest | Exception) -> Any:
    if isinstance(item, Exception):
        return type(item), str(item)
    values = item.recording.features if item.recording.iq is None else item.recording.iq
    assert values is not None
    return values.dtype, values.shape, values.tobytes(), item.recording.sample_id, item.options


@given(document=DOCUMENTS)
@example(document=r'{"session_id":"iq_data","iq\u005fdata":[[1,2]]}')
@example(document=r'{"iq_samples":[{"iq\u005fdata":[[1,2]]},{"iq_data":[[3,4],[5]]}]}')
@example(document='{"iq_data":[[1,2,3],[4],[5,6]]}')
@example(document='{"iq_data":[[[1,2],[3,4]],[[5,6,7,8]]]}')
@example(document='{"iq_data":[[1,2],3,4]}')
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_fast_and_exact_give_the_same_request_or_the_same_error(document: str) -> None:
    body = document.encode()
    for few in (0, 1024):  # with and without the quicker check of pairs
        with mock.patch.object(json_fast, "_FEW", few):
            fast = json_fast.load(body)
        assert fast is None or same(fast, json_text.load(body))
    for batch in (False, True):
        with mock.patch.object(json_fast, "load", return_value=None):
            exact = outcome(body, batch=batch)
        assert outcome(body, batch=batch) == exact


@given(st.binary(max_size=200))
def test_any_bytes_are_left_alone_or_read_alike(body: bytes) -> None:
    fast = json_fast.load(body)
    assert fast is None or same(fast, json_text.load(body))


@pytest.mark.parametrize(
    "document",
    [
        '{"iq_data":[[1,2.5],[3,4]]}',
        '\ufeff { "sample_rate_hz" : 1.5 , "iq_data" :\n[ [ [1, 2], [3, 4] ] , [ [5, 6], [7, 8] ] ] }',
        '{"session_id":"]],[","iq_data":[[1,2]],"receiver_ids":["[["]}',
        '{"features":[[[[1]]]],"receiver_ids":["a","b"],"cache_enabled":false,"frequency_mhz":null}',
        '{"iq_samples":[[[1,2]],[[3,4],[5,6]]],"geojson":true}',
        '{"samples":[{"iq_data":[[1,2]],"sample_id":"a"},{"features":[1,2]},{"session_id":"x","iq_data":[[3,4]]}]}',
        '{"predictions":[{"iq_data":[[18446744073709551615,-9223372036854775808]]}]}',
    ],
)
def test_usual_documents_are_read_fast(document: str) -> None:
    body = document.encode()
    for few in (0, 1024):
        with mock.patch.object(json_fast, "_FEW", few):
            fast = json_fast.load(body)
        assert fast is not None
        assert same(fast, json_text.load(body))


def test_a_large_array_is_compared_over_many_blocks() -> None:
    iq = np.random.default_rng(1).normal(size=(3, 40_000, 2)).round(5)
    body = json.dumps({"iq_data": iq.tolist(), "session_id": "x"}).encode()
    fast = json_fast.load(body)
    assert fast is not None
    assert np.array_equal(fast["iq_data"], iq)


def test_one_bracket_out_of_place_in_a_large_array_is_seen() -> None:
    rows = ["[1,2]"] * 120_000
    rows[80_001:80_003] = ["[1]", "[2,1,2]"]
    body = ('{"iq_data":[' + ",".join(rows) + "]}").encode()
    assert json_fast.load(body) is None
    with pytest.raises(InvalidInput, match=re.escape("iq_data[80001]: 1 value where iq_data[0] has 2")):
        json_request.predict(body, LIMITS)


@pytest.mark.parametrize("width", [np.float32, np.float64])
def test_iq_is_what_numpy_makes_of_the_text(width: type[np.float32] | type[np.float64]) -> None:
    draw = np.random.default_rng(2).normal(size=(2, 500, 2)) * 10.0 ** np.arange(-30, 20, 0.1)[:, None]
    text = json.dumps({"iq_data": draw.astype(width).astype(np.float64).tolist()})
    iq = json_request.predict(text.encode(), LIMITS).recording.iq
    expected = np.asarray(json.loads(text)["iq_data"], np.float32)
    assert iq is not None
    assert np.stack([iq.real, iq.imag], axis=-1).tobytes() == expected.tobytes()


def test_threads_do_not_disturb_one_another() -> None:
    bodies = [json.dumps({"iq_data": [[i, n] for n in range(3000)]}).encode() for i in range(8)]

    def read(turn: int) -> bool:
        fast = json_fast.load(bodies[turn % 8])
        return fast is not None and bool((fast["iq_data"][:, 0] == turn % 8).all())

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(read, range(400)))


def test_a_parser_that_still_has_a_document_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = simdjson.Parser()
    document = busy.parse(b'{"a":[1]}')
    monkeypatch.setattr(json_fast, "_SPARE", [busy])
    body = b'{"iq_data":[[1,2]]}'
    assert json_fast.load(body) is None
    assert json_fast.load(body) is not None
    assert isinstance(document, simdjson.Object)
    assert document.as_dict() == {"a": [1]}


@pytest.mark.parametrize("body", [b'{"iq_data":[[1,2],[3]]}', b'{"x":[1]}', b"[[1]]", b"{", b"[" * 2000])
def test_after_an_unusual_document_the_next_is_read_fast(body: bytes) -> None:
    assert json_fast.load(body) is None
    assert json_fast.load(b'{"iq_data":[[1,2]]}') is not None
