"""GET /events: fixes as they are made, as server-sent events."""

import asyncio
import contextlib
from typing import Any

import orjson
from aiohttp import web

from gateway.access.key_file import Scope
from gateway.errors import InvalidInput, NotFound
from gateway.kept.live import LENGTH, News, Position, parse_position
from gateway.keys import ACCESS, REQUEST_ID, SERVICES
from gateway.wire.live_document import live_documents
from gateway.wire.options import parameters

DEFAULT_LEVEL = 0.68
LAST_EVENT_ID = "Last-Event-ID"
OFF_LOOP = 32
"""The outlines of more fixes than this are made in a thread."""


async def events(request: web.Request) -> web.StreamResponse:
    """The newest fixes, then every new one.

    Ends only when the client leaves, its key is taken away, or the gateway stops.
    """
    live = request.app[SERVICES].live
    if live is None:
        raise NotFound("FIXGATE_REMEMBER is off: no fix is kept, so there is no feed")
    asked = parameters(request.query.items(), {"confidence_level", "limit"})
    level, limit = _level(asked.get("confidence_level")), _limit(asked.get("limit"))
    after = _after(request.headers.get(LAST_EVENT_ID))
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "X-Request-Id": request[REQUEST_ID],
        }
    )
    if request.method == "HEAD":
        return response
    news = live.follow(after, limit)
    first = await anext(news)  # who is refused is told so before the stream begins
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        async with contextlib.aclosing(news):
            shared = not first.shared
            await response.write(b"retry: 1000\n\n")
            await _send(request, response, first, level, state=True)
            shared = first.shared
            async for later in news:
                if Scope.READ not in request.app[ACCESS].open_to(request.headers):
                    break
                await _send(request, response, later, level, state=later.shared is not shared)
                shared = later.shared
    return response


async def _send(
    request: web.Request, response: web.StreamResponse, news: News, level: float, *, state: bool
) -> None:
    parts = []
    if state:
        told = {"feed": "shared" if news.shared else "local", "confidence_level": level}
        parts.append(_event("state", told))
    if news.fixes:
        if len(news.fixes) > OFF_LOOP:
            documents = await asyncio.get_running_loop().run_in_executor(
                request.app[SERVICES].threads, live_documents, news.fixes, level
            )
        else:
            documents = live_documents(news.fixes, level)
        parts.append(_event("fixes", documents, news.position))
    await response.write(b"".join(parts) or b": still here\n\n")


def _event(name: str, data: Any, position: Position | None = None) -> bytes:
    place = f"id: {position[0]}-{position[1]}\n".encode() if position else b""
    return b"%bevent: %b\ndata: %b\n\n" % (place, name.encode(), orjson.dumps(data))


def _level(text: str | None) -> float:
    try:
        level = DEFAULT_LEVEL if text is None else float(text)
    except ValueError:
        level = 0.0
    if not 0 < level < 1:
        raise InvalidInput("must be a number strictly between 0 and 1", field="confidence_level")
    return level


def _limit(text: str | None) -> int:
    if text is None:
        return LENGTH
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and 1 <= int(text) <= LENGTH):
        raise InvalidInput(f"must be a whole number from 1 to {LENGTH}", field="limit")
    return int(text)


def _after(text: str | None) -> Position | None:
    if not text:
        return None
    if (position := parse_position(text)) is None:
        raise InvalidInput("must be an id of this feed", field=LAST_EVENT_ID)
    return position
