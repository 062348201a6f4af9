"""The few arguments of requests that carry no recording: small JSON bodies, and how many to list."""

import asyncio
from typing import TypeVar

import msgspec
from aiohttp import web

from gateway.config import Config
from gateway.errors import InvalidInput, UnsupportedMedia
from gateway.handlers import request as read
from gateway.keys import SERVICES
from gateway.wire.content_encoding import decode
from gateway.wire.options import parameters
from gateway.wire.request import JSON

T = TypeVar("T", bound=msgspec.Struct)

MAX_BYTES = 64 << 10


async def document(request: web.Request, kind: type[T], config: Config, *, empty: T | None = None) -> T:
    """The JSON body as a value of that type; `empty` stands for a missing body.

    Raises:
        UnsupportedMedia: not JSON.
        InvalidInput: not such a document; names the field.
        TooLarge, BodyTimeout: as for any body.
    """
    until = asyncio.get_running_loop().time() + config.predict_timeout_ms / 1e3
    with request.app[SERVICES].memory.share() as share:
        sent = await read.body(request, request.content_length, until, MAX_BYTES, share)
    body = decode(request.headers.get("Content-Encoding"), sent, MAX_BYTES)
    if not body and empty is not None:
        return empty
    if request.content_type != JSON:
        raise UnsupportedMedia(f"must be {JSON}", field="Content-Type")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message, _, path = str(error).partition(" - at `$.")
        raise InvalidInput(message, field=path.rstrip("`") or None) from None


def limit(request: web.Request, default: int, largest: int) -> int:
    """How many to list.

    Raises:
        InvalidInput: no whole number from 1 to `largest`, or another parameter.
    """
    return whole(request, "limit", default, largest)


def whole(request: web.Request, name: str, default: int, largest: int, *, least: int = 1) -> int:
    """The only parameter in the query string.

    Raises:
        InvalidInput: no whole number from `least` to `largest`, or another parameter.
    """
    text = parameters(request.query.items(), {name}).get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and least <= int(text) <= largest):
        raise InvalidInput(f"must be a whole number from {least} to {largest}", field=name)
    return int(text)
