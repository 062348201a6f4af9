"""From a request to its handler: aiohttp finds the way, which is remembered by method and path."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp import web
from aiohttp.web_urldispatcher import UrlMappingMatchInfo

from gateway.keys import WATCH

REMEMBERED = 1024
"""Ways that are known at once, of paths that are not too long."""

LONGEST = 512


class _Way(NamedTuple):
    info: UrlMappingMatchInfo
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    route: str


class Dispatch:
    """Handles requests as the application would; walking its routes takes longer than most answers' parts."""

    def __init__(
        self, app: web.Application, handle: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> None:
        """`handle`: the application's own way."""
        self._app = app
        self._handle = handle
        self._ways: dict[tuple[str, str], _Way] = {}

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """The answer; raises what the handler raises."""
        place = (request.method, request.rel_url.raw_path)
        way = self._ways.get(place)
        if way is None or "Expect" in request.headers:
            return await self._find(place, request)
        request._match_info = way.info  # noqa: SLF001 where handlers find it, after aiohttp's own way too
        request[WATCH].route = way.route
        return await way.handler(request)

    async def _find(self, place: tuple[str, str], request: web.Request) -> web.StreamResponse:
        try:
            return await self._handle(request)
        finally:
            info = request.match_info
            resource = info.route.resource
            if info.http_exception is None and resource is not None:
                request[WATCH].route = resource.canonical
                if len(place[1]) <= LONGEST:
                    while len(self._ways) >= REMEMBERED:
                        del self._ways[next(iter(self._ways))]
                    self._ways[place] = self._way(info, resource.canonical)

    def _way(self, info: UrlMappingMatchInfo, route: str) -> _Way:
        """The same for every request that goes there: nobody changes what was matched."""
        matched = UrlMappingMatchInfo(dict(info), info.route)
        matched.add_app(self._app)
        matched.freeze()
        return _Way(matched, info.route.handler, route)
