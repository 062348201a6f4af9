"""In front of a handler: only those go through who may."""

import functools

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.access.key_file import Scope
from gateway.keys import ACCESS


def guarded(handle: Handler, scope: Scope | None) -> Handler:
    """The handler for those who may call it; scope None = everyone, however often."""
    if scope is None:
        return handle

    @functools.wraps(handle)
    async def admitted(request: web.Request) -> web.StreamResponse:
        access = request.app[ACCESS]
        access.admit(scope, request.headers, request.remote)
        with access.concurrency.place():
            return await handle(request)

    return admitted
