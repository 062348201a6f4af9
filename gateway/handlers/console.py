"""GET /console and what its page asks for: its files, its settings, recordings to try, the last minutes."""

import asyncio
import time
from importlib.metadata import version
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from gateway.errors import NotFound
from gateway.handlers.static_files import PAGE, names, static_file
from gateway.keys import ACCESS, SERVICES
from gateway.recordings.samples import Samples, find_samples
from gateway.wire.live_document import history_document
from gateway.wire.options import parameters

FOR_EVER = "public, max-age=31536000, immutable"
"""For files whose names change with their content."""

ASK_EACH_TIME = "no-cache"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:{tiles}; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def page(request: web.Request) -> web.Response:
    """The page itself."""
    config = request.app[SERVICES].config
    response = await _file(request, PAGE, ASK_EACH_TIME)
    response.headers["Content-Security-Policy"] = content_security_policy(config.console_tiles)
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response


async def asset(request: web.Request) -> web.Response:
    """One of the page's files."""
    name = request.match_info["file"]
    if name == PAGE or name not in names():
        raise NotFound(f'the console has no file "{name[:80]}"')
    return await _file(request, name, FOR_EVER)


async def settings(request: web.Request) -> web.Response:
    """What the page has to know before it asks for anything else; tells nobody's secrets."""
    services, access = request.app[SERVICES], request.app[ACCESS]
    config = services.config
    document = {
        "version": version("fixgate"),
        "remember": config.remember == "on",
        "default_model": config.default_model,
        "keys": access.keyring is not None,
        "scopes": [str(scope) for scope in access.open_to(request.headers)],
        "samples": config.console_samples is not None,
    }
    if config.console_tiles:
        document["tiles"] = {"url": config.console_tiles, "credit": config.console_tiles_credit or ""}
    return _json({name: value for name, value in document.items() if value is not None})


async def samples(request: web.Request) -> web.Response:
    """The recordings to try, with the truth where it is known."""
    found = await _samples(request)
    return _json({"samples": [one.document() for one in found.all]})


async def sample(request: web.Request) -> web.Response:
    """One of them, as an npy file."""
    found = await _samples(request)
    name = request.match_info["name"]
    content = await asyncio.to_thread(found.read, name)
    if content is None:
        raise NotFound(f'no recording "{name[:80]}" to try')
    return web.Response(body=content, content_type="application/x-npy")


async def performance_history(request: web.Request) -> web.Response:
    """Requests, times, hits, errors and the queue of the last fifteen minutes, of every gateway."""
    parameters(request.query.items(), set())
    now = time.time()
    steps, gateways, shared = await request.app[SERVICES].history_share.read(now)
    return _json(history_document(steps, gateways, shared, now))


def content_security_policy(tiles: str | None) -> str:
    """Nothing but our own files, and tiles from where the option says."""
    origin = ""
    if tiles:
        split = urlsplit(tiles.replace("{s}", "*"))
        origin = f" {split.scheme}://{split.netloc}" if split.netloc else ""
    return _POLICY.format(tiles=origin)


async def _file(request: web.Request, name: str, caching: str) -> web.Response:
    found = await asyncio.to_thread(static_file, name)
    tag = f'"{found.etag}"'
    headers = {
        "ETag": tag,
        "Cache-Control": caching,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    if tag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = found.content_type
    if found.gzipped is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=found.gzipped, headers=headers)
    return web.Response(body=found.content, headers=headers)


async def _samples(request: web.Request) -> Samples:
    parameters(request.query.items(), set())
    folder = request.app[SERVICES].config.console_samples
    if folder is None:
        raise NotFound("FIXGATE_CONSOLE_SAMPLES names no folder of recordings to try")
    return await asyncio.to_thread(find_samples, folder)


def _json(document: object) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")
