"""Compressed bodies are decoded up to the limit and no further."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidInput, TooLarge, UnsupportedMedia
from gateway.wire.content_encoding import decode

CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}
every_coding = pytest.mark.parametrize("coding", CODINGS)


@given(st.binary(max_size=2000), st.sampled_from(sorted(CODINGS)))
def test_what_was_encoded_is_decoded(body: bytes, coding: str) -> None:
    assert decode(coding, CODINGS[coding](body), len(body)) == body


@pytest.mark.parametrize("header", [None, "", "identity", " Identity "])
def test_a_body_without_a_coding_stays_as_it_is(header: str | None) -> None:
    assert decode(header, b"abc", 3) == b"abc"


@pytest.mark.parametrize("header", ["GZIP", " gzip ", "x-gzip"])
def test_names_of_codings_are_case_insensitive(header: str) -> None:
    assert decode(header, gzip.compress(b"abc"), 3) == b"abc"


@pytest.mark.parametrize(
    "header", ["br", "gzip, gzip", "gzip,deflate", "compress", "identity, gzip", "é" * 99]
)
def test_other_and_several_codings_are_unsupported(header: str) -> None:
    with pytest.raises(UnsupportedMedia, match="Content-Encoding: must be one of gzip, deflate, zstd, got"):
        decode(header, gzip.compress(b"abc"), 100)


@every_coding
def test_the_limit_is_on_what_comes_out(coding: str) -> None:
    body = CODINGS[coding](bytes(1000))
    assert len(decode(coding, body, 1000)) == 1000
    with pytest.raises(TooLarge, match="body: more than 999 bytes; at most that many are allowed"):
        decode(coding, body, 999)
    with pytest.raises(TooLarge):
        decode("identity", bytes(1000), 999)


@every_coding
def test_a_bomb_takes_no_more_memory_than_the_limit_allows(coding: str) -> None:
    bomb = CODINGS[coding](bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            decode(coding, bomb, 1_000_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


@every_coding
def test_a_body_cut_short_is_refused_wherever_it_ends(coding: str) -> None:
    body = CODINGS[coding](bytes(range(256)) * 4)
    for end in range(len(body)):
        with pytest.raises(InvalidInput, match="Content-Encoding: body is"):
            decode(coding, body[:end], 10_000)


@every_coding
def test_more_data_after_the_end_are_refused(coding: str) -> None:
    body = CODINGS[coding](b"abc")
    for tail in (b"x", b"\0", body):
        with pytest.raises(
            InvalidInput, match=f"Content-Encoding: more data after the end of the {coding} data"
        ):
            decode(coding, body + tail, 10_000)


@every_coding
def test_any_bytes_are_an_error_of_ours_or_decoded(coding: str) -> None:
    @given(st.binary(max_size=200))
    def check(body: bytes) -> None:
        with suppress(InvalidInput):
            assert len(decode(coding, body, 1000)) <= 1000

    check()


def test_deflate_is_the_zlib_format_and_not_bare() -> None:
    compressor = zlib.compressobj(wbits=-15)
    bare = compressor.compress(b"abc" * 100) + compressor.flush()
    with pytest.raises(InvalidInput, match="body is not valid deflate"):
        decode("deflate", bare, 1000)


def test_zstd_with_a_window_over_8_mib_is_refused() -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27}
    compressor = zstd.ZstdCompressor(options=options)
    body = compressor.compress(bytes(100)) + compressor.flush()
    with pytest.raises(InvalidInput, match="body is not valid zstd"):
        decode("zstd", body, 1000)
