"""Cross-origin requests from browsers, by one policy for all paths.

Own code, because aiohttp-cors is configured route by route, adds an OPTIONS route to each, and leaves the
headers off answers that no route gave (404, 405), whose reason a page could then not read.
"""

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.errors import Forbidden

ANY = "*"
ALLOW_HEADERS = (
    "Authorization, X-API-Key, Content-Type, Content-Encoding, If-Match, Last-Event-ID, "
    "X-Model-Version, X-Request-Id, X-Request-Timeout-Ms, traceparent, tracestate"
)
EXPOSE_HEADERS = (
    "ETag, Retry-After, Server-Timing, WWW-Authenticate, "
    "X-Cache, X-Fallback-From, X-Model-Version, X-Request-Id"
)
PREFLIGHT_AGE_S = 7200
"""The longest that Chromium keeps one."""


def setup_cors(app: web.Application, origins: tuple[str, ...]) -> None:
    """Let pages of these origins (`*`: all) call; no credentials but those that a page sends itself."""

    def allowed(origin: str | None) -> bool:
        return origin is not None and (ANY in origins or origin in origins)

    async def tell_browsers(request: web.Request, response: web.StreamResponse) -> None:
        if ANY not in origins:
            response.headers.add("Vary", "Origin")
        origin = request.headers.get("Origin")
        if origin is not None and allowed(origin):
            response.headers["Access-Control-Allow-Origin"] = ANY if ANY in origins else origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSE_HEADERS

    @web.middleware
    async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        refused = request.match_info.http_exception
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not asks or not isinstance(refused, web.HTTPMethodNotAllowed):
            return await handler(request)
        if not allowed(request.headers.get("Origin")):
            raise Forbidden("pages of this origin may not call: it is not in FIXGATE_CORS_ORIGINS")
        headers = {
            "Access-Control-Allow-Methods": ", ".join(sorted(refused.allowed_methods)),
            "Access-Control-Allow-Headers": ALLOW_HEADERS,
            "Access-Control-Max-Age": str(PREFLIGHT_AGE_S),
        }
        return web.Response(status=204, headers=headers)

    app.on_response_prepare.append(tell_browsers)
    app.middlewares.append(preflight)
