"""What the predict handlers read from a request besides its body's meaning."""

import asyncio
from functools import lru_cache

from aiohttp import web
from yarl import URL

from gateway.admission import ByteShare
from gateway.errors import BodyTimeout, InvalidInput, TooLarge
from gateway.versions.routing import Pin

PIN_HEADER = "X-Model-Version"
TIMEOUT_HEADER = "X-Request-Timeout-Ms"

REMEMBERED = 512
"""Characters of a query string that is worth remembering."""


def target(request: web.Request) -> tuple[str | None, Pin | None]:
    """The model's name (None = the default one) and the version that the path or the header pins.

    Raises:
        InvalidInput: the path pins one version and the header another, or the number is none.
    """
    path = request.match_info
    header = request.headers.get(PIN_HEADER)
    pin: Pin | None = pin_of(header) if header else None
    if "version" in path:
        in_path: Pin = version_number(path["version"])
    elif "alias" in path:
        in_path = path["alias"]
    else:
        return path.get("model"), pin
    if pin is not None and pin != in_path:
        raise InvalidInput(f'is "{header}", but the path pins {in_path}', field=PIN_HEADER)
    return path["model"], in_path


def query(request: web.Request) -> tuple[tuple[str, str], ...]:
    """The query string's decoded names and values, in order."""
    url = request.rel_url
    return (
        _pairs(url.raw_query_string) if len(url.raw_query_string) <= REMEMBERED else tuple(url.query.items())
    )


@lru_cache(maxsize=1024)
def _pairs(raw: str) -> tuple[tuple[str, str], ...]:
    """Most clients always send the same."""
    return tuple(URL.build(query_string=raw, encoded=True).query.items())


def pin_of(text: str) -> Pin:
    """A version number, or an alias."""
    return int(text) if _is_number(text) else text


def version_number(text: str) -> int:
    """A version number.

    Raises:
        InvalidInput: anything else.
    """
    if not _is_number(text):
        raise InvalidInput("must be a whole number of at most 18 digits", field="version")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def deadline(request: web.Request, default_ms: int, longest_ms: int) -> float:
    """When the request runs out of time, on the event loop's clock.

    Raises:
        InvalidInput: the header is no whole number of milliseconds from 1 to `longest_ms`.
    """
    given = request.headers.get(TIMEOUT_HEADER)
    timeout_ms = default_ms
    if given is not None:
        if not _is_number(given) or not 1 <= int(given) <= longest_ms:
            raise InvalidInput(f"must be a whole number from 1 to {longest_ms}", field=TIMEOUT_HEADER)
        timeout_ms = int(given)
    return asyncio.get_running_loop().time() + timeout_ms / 1e3


async def body(request: web.Request, length: int | None, until: float, limit: int, share: ByteShare) -> bytes:
    """The whole body as it came, `length` bytes if its head is right; `share` holds what has arrived.

    Raises:
        Overloaded: there is no room for it.
        TooLarge: more than `limit` bytes.
        InvalidInput: it ends too early.
        BodyTimeout: it did not arrive in time.
    """
    if length is not None and length > limit:
        raise TooLarge(f"{length:,} bytes; at most {limit:,} are allowed", field="body")
    content = request.content
    try:
        if content.is_eof():  # all of it is here: neither a limit on time nor a copy is needed
            whole = content.read_nowait()
            if len(whole) > limit:
                raise TooLarge(f"more than {limit:,} bytes; at most that many are allowed", field="body")
            share.grow(len(whole))
            return whole
        async with asyncio.timeout_at(until):
            return await _arriving(request, limit, share)
    except TimeoutError:
        raise BodyTimeout("the body did not arrive before the request's deadline") from None
    except web.RequestPayloadError as error:
        raise InvalidInput("does not end as its headers say", field="body") from error


async def _arriving(request: web.Request, limit: int, share: ByteShare) -> bytes:
    """What is announced takes no room before it is there: announcing costs a client nothing."""
    pieces, size = [], 0
    async for piece in request.content.iter_any():
        size += len(piece)
        if size > limit:
            raise TooLarge(f"more than {limit:,} bytes; at most that many are allowed", field="body")
        share.grow(len(piece))
        pieces.append(piece)
    return b"".join(pieces)
