"""Content-Encoding: one coding at most, with the limit on what comes out."""

import zlib
from collections.abc import Callable
from typing import Protocol

from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

from gateway.errors import InvalidInput, TooLarge, UnsupportedMedia
from gateway.wire.show import shown

_FIELD = "Content-Encoding"
_MAX_ZSTD_WINDOW_LOG = 23  # 8 MiB: what RFC 9659 lets a client use


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _zstd() -> _Decompressor:
    return ZstdDecompressor(options={DecompressionParameter.window_log_max: _MAX_ZSTD_WINDOW_LOG})


_DECOMPRESSORS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": lambda: zlib.decompressobj(16 + zlib.MAX_WBITS),
    "deflate": lambda: zlib.decompressobj(zlib.MAX_WBITS),
    "zstd": _zstd,
}

CODINGS = tuple(_DECOMPRESSORS)
"""What Content-Encoding may be, besides identity."""


def decode(content_encoding: str | None, body: bytes, limit: int) -> bytes:
    """The body without its coding.

    Args:
        content_encoding: the header as it came, or None.
        limit: the most bytes that may come out.

    Raises:
        UnsupportedMedia: a coding that is not gzip, deflate (zlib's format, as RFC 9110 has it) or zstd, or
            more than one.
        TooLarge: more than `limit` bytes.
        InvalidInput: malformed or cut short, or more data after the compressed stream.
    """
    coding = (content_encoding or "identity").strip().lower().removeprefix("x-")
    if coding == "identity":
        decoded = body
    elif coding in _DECOMPRESSORS:
        decoded = _decompressed(coding, body, limit)
    else:
        raise UnsupportedMedia(
            f"must be one of {', '.join(CODINGS)}, got {shown(content_encoding)}", field=_FIELD
        )
    if len(decoded) > limit:
        raise TooLarge(f"more than {limit:,} bytes; at most that many are allowed", field="body")
    return decoded


def _decompressed(coding: str, body: bytes, limit: int) -> bytes:
    """At most one byte more than the limit."""
    decompressor = _DECOMPRESSORS[coding]()
    try:
        decoded = decompressor.decompress(body, limit + 1)
    except (zlib.error, ZstdError):
        raise InvalidInput(f"body is not valid {coding}", field=_FIELD) from None
    if len(decoded) > limit:
        return decoded
    if not decompressor.eof:
        raise InvalidInput(f"body is cut short: its {coding} data do not end", field=_FIELD)
    if decompressor.unused_data:
        raise InvalidInput(f"more data after the end of the {coding} data", field=_FIELD)
    return decoded
