"""Requests by their media type, and the promise that holds for every parser: a value, or an error of ours."""

import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain import BatchRequest, PredictRequest, Recording
from gateway.errors import InvalidInput, TooLarge, UnsupportedMedia
from gateway.wire.content_encoding import decode
from gateway.wire.limits import Limits
from gateway.wire.request import BATCH_MEDIA_TYPES, MEDIA_TYPES, parse_batch, parse_predict
from tests.gateway.wire.mutation import Seed, mutate, seeds

LIMITS = Limits(body_bytes=1 << 20)
SEEDS = seeds()

QUERY_TEXT = st.sampled_from(
    ["1", "3", "cf32_le", "ci8", "f32_le", "true", "0.5", "nan", "1e999", "", "é", "-1"]
)
QUERY_NAME = st.sampled_from(["dtype", "receivers", "sample_rate_hz", "geojson", "receiver_ids", "x"])


def read(seed: Seed, body: bytes) -> PredictRequest | BatchRequest | InvalidInput:
    """What a body gives in a seed's place; any other exception is the test's."""
    parse = parse_batch if seed.path.endswith("batch") else parse_predict
    try:
        decoded = decode(seed.content_encoding, body, LIMITS.body_bytes)
        return parse(seed.content_type, seed.query, decoded, LIMITS)
    except InvalidInput as error:
        return error


def check(outcome: PredictRequest | BatchRequest | InvalidInput) -> None:
    """What every value and every error must be."""
    match outcome:
        case InvalidInput(detail=detail):
            assert detail
            detail.encode()
        case BatchRequest(items=items):
            assert 1 <= len(items) <= LIMITS.batch_items
            for item in items:
                assert isinstance(item, PredictRequest | InvalidInput)
                check(item)
        case PredictRequest(recording=Recording(iq=iq, features=features)):
            assert (iq is None) != (features is None)
            values = features if iq is None else iq
            assert values is not None
            assert values.dtype == (np.float32 if iq is None else np.complex64)
            assert values.flags.c_contiguous
            assert values.size
            assert np.isfinite(values).all()
            assert iq is None or iq.ndim == 2


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_every_form_has_a_valid_example(seed: Seed) -> None:
    outcome = read(seed, seed.body)
    assert isinstance(outcome, PredictRequest | BatchRequest)
    check(outcome)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_a_broken_body_is_a_value_or_an_error_that_says_why(seed: Seed) -> None:
    chance = random.Random(seed.name)
    outcomes = [read(seed, mutate(seed.body, chance)) for _ in range(400)]
    for outcome in outcomes:
        check(outcome)
    assert any(isinstance(outcome, InvalidInput) for outcome in outcomes)


@given(
    body=st.binary(max_size=300),
    media_type=st.sampled_from(MEDIA_TYPES),
    query=st.lists(st.tuples(QUERY_NAME, QUERY_TEXT), max_size=3),
    batch=st.booleans(),
    encoding=st.sampled_from([None, "gzip", "deflate", "zstd", "br"]),
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_a_value_or_an_error_that_says_why(
    body: bytes, media_type: str, query: list[tuple[str, str]], batch: bool, encoding: str | None
) -> None:
    path = "predict/batch" if batch else "predict"
    check(read(Seed("any", path, media_type, body, tuple(query), encoding), body))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * (1 << 20),
        b"[]," * (350_000),
        b'{"iq_data":[' + b"[]," * 300_000 + b"[]]}",
        b'{"iq_data":' + b"[0," * 300_000,
        b'{"iq_samples":[' + b"{}," * 300_000 + b"{}]}",
        b'{"session_id":"' + b"x" * 1_000_000 + b'"}',
        b'{"features":[[[[[[[[1]]]]]]],' + b"2," * 400_000 + b"3]}",
        b"\x93NUMPY\x01\x00\x76\x00{'descr': '<c8', 'fortran_order': False, 'shape': (99999999, 99999999), }",
    ],
    ids=["depth", "document", "empties", "unclosed", "items", "string", "levels", "shape"],
)
def test_memory_stays_within_a_few_bodies(body: bytes) -> None:
    tracemalloc.start()
    try:
        for parse in (parse_predict, parse_batch):
            for media_type in BATCH_MEDIA_TYPES:
                with pytest.raises(InvalidInput):
                    parse(media_type, (), body, LIMITS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * LIMITS.body_bytes


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/json5", "application/x-npz;a=b"]
)
def test_an_unknown_media_type_is_refused_with_those_that_are_known(content_type: str | None) -> None:
    with pytest.raises(
        UnsupportedMedia, match="application/json, application/x-npy, application/octet-stream"
    ):
        parse_predict(content_type, (), b"{}", LIMITS)


@pytest.mark.parametrize("content_type", ["application/octet-stream", "application/x-sigmf"])
def test_a_batch_of_raw_or_sigmf_is_refused_as_a_media_type(content_type: str) -> None:
    with pytest.raises(UnsupportedMedia, match="application/json, application/x-npy for a batch"):
        parse_batch(content_type, (), b"{}", LIMITS)


def test_media_type_is_case_insensitive_and_may_have_utf_8_as_charset() -> None:
    request = parse_predict('Application/JSON; charset="UTF-8"', (), b'{"iq_data":[[1,2]]}', LIMITS)
    assert request.recording.iq is not None
    with pytest.raises(UnsupportedMedia, match='charset must be utf-8, got "latin-1"'):
        parse_predict("application/json; charset=latin-1", (), b'{"iq_data":[[1,2]]}', LIMITS)


def test_a_body_over_the_limit_is_too_large() -> None:
    with pytest.raises(TooLarge, match="body: 11 bytes; at most 10 are allowed"):
        parse_predict("application/json", (), b'{"iq_data":', Limits(body_bytes=10))


def test_an_empty_body_is_refused() -> None:
    with pytest.raises(InvalidInput, match="body: is empty"):
        parse_predict("application/x-npy", (), b"", LIMITS)


def test_a_json_request_has_its_options_in_the_body() -> None:
    with pytest.raises(
        InvalidInput, match='unknown query parameter "geojson"; a JSON request has its options'
    ):
        parse_predict("application/json", [("geojson", "true")], b'{"iq_data":[[1,2]]}', LIMITS)


@pytest.mark.parametrize("seed", [s for s in SEEDS if s.name in ("npy", "sigmf")], ids=lambda s: s.name)
def test_unknown_and_repeated_query_names_are_refused(seed: Seed) -> None:
    with pytest.raises(
        InvalidInput, match='unknown query parameter "dtype"; allowed here: cache_enabled, conf'
    ):
        parse_predict(seed.content_type, [("dtype", "cf32_le")], seed.body, LIMITS)
    with pytest.raises(InvalidInput, match="geojson: given more than once"):
        parse_predict(seed.content_type, [("geojson", "true"), ("geojson", "true")], seed.body, LIMITS)


def test_options_of_a_binary_form_come_from_the_query_string() -> None:
    npy = next(seed for seed in SEEDS if seed.name == "npy")
    query = [
        ("session_id", "a b"),
        ("receiver_ids", "x,y,z"),
        ("cache_enabled", "false"),
        ("frequency_mhz", "1e2"),
    ]
    options = parse_predict(npy.content_type, query, npy.body, LIMITS).options
    assert (options.session_id, options.receiver_ids) == ("a b", ("x", "y", "z"))
    assert (options.cache_enabled, options.frequency_mhz) == (False, 100.0)


@pytest.mark.parametrize(("given_text", "expected"), [(None, True), ("true", True), ("false", False)])
def test_a_batch_goes_on_after_an_error_unless_told_otherwise(given_text: str | None, expected: bool) -> None:
    npy = next(seed for seed in SEEDS if seed.name == "npy-batch")
    query = [] if given_text is None else [("continue_on_error", given_text)]
    assert parse_batch(npy.content_type, query, npy.body, LIMITS).continue_on_error is expected
