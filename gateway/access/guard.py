"""In front of a handler: only those go through who may."""

import functools

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.access.key_file import Scope
from gateway.keys import ACCESS, KEY_NAME


def caller(request: web.Request) -> str:
    """Who asks, for records that are kept: the name of the API key, or the client's address without keys."""
    name = request.get(KEY_NAME)
    return f"gateway, for {f'key {name}' if name else request.remote or 'a client'}"


def guarded(handle: Handler, scope: Scope | None) -> Handler:
    """The handler for those who may call it; scope None = everyone, however often."""
    if scope is None:
        return handle

    @functools.wraps(handle)
    async def admitted(request: web.Request) -> web.StreamResponse:
        access = request.app[ACCESS]
        name = access.admit(scope, request.headers, request.remote)
        if name is not None:
            request[KEY_NAME] = name
        with access.concurrency.place():
            return await handle(request)

    return admitted
