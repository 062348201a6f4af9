"""npy arrays of any order and precision are read alike; hostile headers are errors, never allocations."""

import io
import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from gateway.domain import Options, PredictRequest
from gateway.errors import InvalidInput
from gateway.wire.limits import Limits
from gateway.wire.npy import batch, recording
from tests.gateway.wire.mutation import npy

LIMITS = Limits()
HEADER = "{'descr': '<c8', 'fortran_order': False, 'shape': (2, 3), }"
DATA = bytes(48)


def file(header: str | bytes, data: bytes = DATA, version: int = 1) -> bytes:
    text = header.encode("latin-1") if isinstance(header, str) else header
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


def items(body: bytes) -> tuple[Any, ...]:
    return batch(body, Options(geojson=True), True, LIMITS).items


def draw(*shape: int) -> "np.ndarray[Any, np.dtype[np.complex64]]":
    values = np.random.default_rng(3).normal(size=(*shape, 2)).astype(np.float32)
    return values.view(np.complex64)[..., 0]


@pytest.mark.parametrize("dtype", ["<c8", ">c8", "<c16", ">c16"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_iq_is_the_same_in_every_precision_byte_order_and_memory_order(dtype: str, order: Any) -> None:
    expected = draw(3, 50)
    iq = recording(npy(np.asarray(expected, dtype=dtype, order=order))).iq
    assert iq is not None
    assert (iq.dtype, iq.flags.c_contiguous, iq.flags.aligned) == (np.dtype("c8"), True, True)
    assert iq.tobytes() == expected.tobytes()


def test_one_axis_is_one_receiver() -> None:
    iq = recording(npy(draw(5))).iq
    assert iq is not None
    assert iq.shape == (1, 5)


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8"])
def test_floats_are_the_input_tensor(dtype: str) -> None:
    values = np.random.default_rng(4).normal(size=(2, 3, 4)).astype("f4")
    found = recording(npy(np.asfortranarray(values.astype(dtype))))
    assert found.iq is None
    assert found.features is not None
    assert (found.features.dtype, found.features.shape) == (np.dtype("f4"), (2, 3, 4))
    assert found.features.tobytes() == values.tobytes()


def test_format_version_2_is_read() -> None:
    iq = recording(file(HEADER, version=2)).iq
    assert iq is not None
    assert iq.shape == (2, 3)


@given(npst.arrays(st.sampled_from(["<c8", ">c16", "<f4"]), npst.array_shapes(max_dims=4, max_side=4)))
def test_any_array_is_a_value_or_an_error(values: Any) -> None:
    for read in (recording, items):
        with suppress(InvalidInput):
            assert read(npy(values))


LITERALS = st.recursive(
    st.sampled_from(["<c8", ">f4", "O", "V4294967295", "i4,c8", "", "a", "2<f4", "c8:x"])
    | st.integers(-2, 2**70)
    | st.none()
    | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.tuples(inner, inner, inner),
    max_leaves=6,
)


@given(descr=LITERALS, shape=LITERALS, order=LITERALS)
@settings(max_examples=300)
def test_any_header_is_a_value_or_an_error(descr: Any, shape: Any, order: Any) -> None:
    header = repr({"descr": descr, "fortran_order": order, "shape": shape})
    with suppress(InvalidInput):
        assert recording(file(header))


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (np.ones(3, "f2"), "float16"),
        (np.ones(3, "g"), np.dtype("g").name),
        (np.ones(3, "i4"), "int32"),
        (np.ones(3, "?"), "bool"),
        (np.array(["abc"]), "<U3"),
        (np.array([b"abc"]), "|S3"),
        (np.ones(3, "M8[s]"), "datetime64[s]"),
        (np.ones(3, "f4,c8"), "[('f0', '<f4'), ('f1', '<c8')]"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_other_dtypes_are_refused_by_name(values: Any, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        recording(npy(values))
    assert caught.value.detail == (
        f"npy: dtype {name} is not allowed: "
        "complex64 or complex128 for IQ, float32 or float64 for the model's input tensor"
    )


def test_pickled_objects_are_refused_unread() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([print]), allow_pickle=True)
    with pytest.raises(InvalidInput, match="npy: dtype object is not allowed"):
        recording(buffer.getvalue())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"PK\x03\x04", r"does not start with the magic bytes \x93NUMPY"),
        (b"\x93NUMPY", "format version  is not readable"),
        (b"\x93NUMPY\x03\x00\x00\x00\x00\x00", "format version 3.0 is not readable: 1.0 or 2.0"),
        (b"\x93NUMPY\x01\x00\x76", "ends within its header"),
        (b"\x93NUMPY\x01\x00\x76\x00{'descr'", "ends within its header"),
        (
            b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'",
            "header of 4,294,967,295 bytes; at most 4,096 are allowed",
        ),
        (file(HEADER, DATA[:-1]), "shape (2, 3) of complex64 takes 48 bytes, but 47 follow the header"),
        (file(HEADER, DATA + b"x"), "shape (2, 3) of complex64 takes 48 bytes, but 49 follow the header"),
        (file(HEADER.replace("(2, 3)", "(0, 3)")), "shape (0, 3) must have 1 to 8 axes, none empty"),
        (file(HEADER.replace("(2, 3)", "()")), "shape () must have 1 to 8 axes, none empty"),
        (file(HEADER.replace("(2, 3)", "(-2, -3)")), "shape (-2, -3) must have 1 to 8 axes, none empty"),
        (file(HEADER.replace("(2, 3)", "(True, 6)")), "shape (True, 6) must have 1 to 8 axes, none empty"),
        (file(HEADER.replace("(2, 3)", "(1,)*9")), "header is not that of an array"),
        (
            file(HEADER.replace("(2, 3)", "(1,1,1,1,1,1,1,1,6)")),
            "shape (1, 1, 1, 1, 1, 1, 1, 1, 6) must have 1 to",
        ),
        (
            file(HEADER.replace("(2, 3)", "(99999999999, 99999999999, 99999999999)")),
            "shape (99999999999, 99999999999, 99999999999) of complex64 takes 7,999,999,999,",
        ),
        (
            file(HEADER.replace("(2, 3)", f"({2**63 - 1}, {2**63 - 1})")),
            "shape (9223372036854775807, 9223372036854775807) of complex64 takes 680,564,733,",
        ),
        *(
            (file(HEADER.replace("(2, 3)", f"({axis}, 3)")), "shape has an axis of 2^63 or more, which no")
            for axis in (2**63, -(2**63), "9" * 4000, f"0x{'F' * 3600}", f"-0x{'F' * 3600}")
        ),
        (file(HEADER.replace("(2, 3)", "2")), "header is not that of an array"),
        (file(HEADER.replace("(2, 3)", "(2.0, 3)")), "header is not that of an array"),
        (file(HEADER.replace("(2, 3)", "(2L, 3L)")), "header is not that of an array"),
        (file(HEADER.replace("'<c8'", "'<q9'")), "header is not that of an array"),
        (
            file(HEADER.replace("'<c8'", "('<c8', (9999, 9999))")),
            "dtype ('<c8', (9999, 9999)) is not allowed",
        ),
        (
            file(HEADER.replace("'<c8'", "[('a', '<c8', (99999, 99999))]")),
            "header is not that of an array",
        ),
        (file(HEADER.replace("'<c8'", "'V99'")), "dtype |V99 is not allowed"),
        (file(HEADER.replace("False", "1")), "header is not that of an array"),
        (file("{'descr': '<c8'}"), "header is not that of an array"),
        (file("__import__('os')"), "header is not that of an array"),
        (file("(" * 4000), "header is not that of an array"),
        (file("-" * 4000 + "1"), "header is not that of an array"),
        (file("[" * 90 + "]" * 90), "header is not that of an array"),
        (file(b"\x00" * 64), "header is not that of an array"),
        (file("'''"), "header is not that of an array"),
        (file(HEADER.replace("'<c8'", r"'\d'")), "header is not that of an array"),
        (file("{'descr': '<c8', 'descr': \\\n"), "header is not that of an array"),
    ],
)
def test_hostile_files_are_refused(body: bytes, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        recording(body)
    assert caught.value.detail.startswith(f"npy: {message}")
    assert len(caught.value.detail) < 300


@pytest.mark.parametrize("quote", ['"', "'", "'''"])
def test_a_header_that_is_no_literal_is_not_searched_for_what_it_might_have_been(
    quote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's tokenizer takes seconds over such blanks, in which nobody is answered."""
    monkeypatch.setattr("tokenize.generate_tokens", lambda _: pytest.fail("it is searched"))
    for header in (HEADER + quote, HEADER.replace("(2", "(2" + quote)):
        with pytest.raises(InvalidInput, match="header is not that of an array"):
            recording(file(header + " " * (4000 - len(header))))


@pytest.mark.parametrize("missing", ["descr", "fortran_order", "shape"])
def test_a_header_says_three_things_and_no_others(missing: str) -> None:
    for header in (HEADER.replace(missing, "other"), HEADER.replace("}", "'other': 1}")):
        with pytest.raises(InvalidInput, match="header is not that of an array"):
            recording(file(header))


@pytest.mark.parametrize("dtype", ["c8", "c16", "f8"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_the_first_number_that_is_not_finite_is_named(dtype: str, value: float) -> None:
    values = np.ones((2, 9), dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        values[1, 7] = value
        values[1, 8] = np.nan
    with pytest.raises(InvalidInput, match=r"^npy\[1\]\[7\]: .* is not (a finite float32 number|finite)$"):
        recording(npy(values))


def test_a_batch_has_the_items_as_one_more_axis() -> None:
    expected = draw(4, 3, 5)
    found = items(npy(expected))
    assert [item.recording.iq.tobytes() for item in found] == [one.tobytes() for one in expected]
    assert all(item.options.geojson for item in found)
    tensors = items(npy(np.ones((2, 7), "f4")))
    assert [item.recording.features.shape for item in tensors] == [(7,), (7,)]


@pytest.mark.parametrize("shape", [(6,), (2, 3), (1, 2, 3, 4)])
def test_a_batch_of_iq_without_its_axis_is_refused_with_the_reason(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        InvalidInput, match=r"^npy: a batch of IQ must be \(items, receivers, samples\), got shape"
    ):
        items(npy(draw(*shape)))


def test_a_batch_of_one_flat_tensor_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^npy: a batch of tensors must have the items as its first axis"):
        items(npy(np.ones(5, "f4")))


def test_a_batch_of_more_than_100_items_is_refused() -> None:
    assert len(items(npy(draw(100, 1, 2)))) == 100
    with pytest.raises(InvalidInput, match=r"^npy: must have 1 to 100 items, got 101$"):
        items(npy(draw(101, 1, 2)))


def test_a_batch_sent_as_one_recording_is_pointed_to_the_batch_path() -> None:
    with pytest.raises(
        InvalidInput, match=r"^npy: IQ of shape \(2, 3, 4\) must be .* path that ends in /batch$"
    ):
        recording(npy(draw(2, 3, 4)))


def test_an_item_with_a_number_that_is_not_finite_fails_alone() -> None:
    values = draw(3, 2, 4).copy()
    values[1, 0, 3] = np.nan
    first, error, last = items(npy(values))
    assert isinstance(first, PredictRequest)
    assert isinstance(last, PredictRequest)
    assert isinstance(error, InvalidInput)
    assert error.field == "npy[1][0][3]"
