"""GET /openapi.json and /docs: the API described, for machines and for people."""

from functools import cache

import orjson
from aiohttp import web

from gateway.openapi.document import document
from gateway.openapi.page import CONTENT_SECURITY_POLICY, page

_SECURE = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


async def openapi(_: web.Request) -> web.Response:
    """The OpenAPI 3.1 document."""
    return web.Response(body=_json(), content_type="application/json")


async def docs(_: web.Request) -> web.Response:
    """The same as a page that needs nothing from anywhere."""
    return web.Response(body=_page(), headers=_SECURE, content_type="text/html", charset="utf-8")


@cache
def _json() -> bytes:
    return orjson.dumps(document())


@cache
def _page() -> bytes:
    return page(document()).encode()
