"""In front of a handler: only those go through who may."""

import functools

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.access.key_file import Scope
from gateway.access.policy import Access
from gateway.keys import KEY_NAME


def caller(request: web.Request) -> str:
    """Who asks, for records that are kept: the name of the API key, or the client's address without keys."""
    name = request.get(KEY_NAME)
    return f"gateway, for {f'key {name}' if name else request.remote or 'a client'}"


def guarded(handle: Handler, scope: Scope | None, access: Access) -> Handler:
    """The handler for those whom `access` lets in; scope None = everyone, however often."""
    if scope is None:
        return handle

    @functools.wraps(handle)
    async def admitted(request: web.Request) -> web.StreamResponse:
        name = access.admit(scope, request.headers, request.remote if access.rate else None)
        if name is not None:
            request[KEY_NAME] = name
        with access.concurrency:
            return await handle(request)

    return admitted
