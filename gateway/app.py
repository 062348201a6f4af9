"""The application: its routes, its middleware and its lifetimes, each stated once."""

from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from gateway.config import Config
from gateway.handlers import health, models, predict
from gateway.keys import SERVICES
from gateway.middleware import MIDDLEWARES
from gateway.services import running

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEIMDALL = "/api/v1/inference"
"""Prefix under which every path answers as well."""

ROUTES: tuple[tuple[str, str, Handle], ...] = (
    ("POST", "/predict", predict.predict),
    ("POST", "/predict/batch", predict.predict_batch),
    ("POST", "/models/{model}/predict", predict.predict),
    ("POST", "/models/{model}/predict/batch", predict.predict_batch),
    ("POST", "/models/{model}/versions/{version}/predict", predict.predict),
    ("POST", "/models/{model}/versions/{version}/predict/batch", predict.predict_batch),
    ("POST", "/models/{model}/aliases/{alias}/predict", predict.predict),
    ("POST", "/models/{model}/aliases/{alias}/predict/batch", predict.predict_batch),
    ("GET", "/models", models.models),
    ("GET", "/models/{model}", models.model),
    ("GET", "/models/{model}/versions/{version}", models.version),
    ("GET", "/model/info", models.info),
    ("GET", "/model/versions", models.versions),
    ("GET", "/health", health.health),
    ("GET", "/health/detailed", health.detailed),
    ("GET", "/ready", health.ready),
    ("GET", "/startup", health.startup),
    ("GET", "/metrics", health.metrics),
    ("GET", "/", health.root),
)


def make_app(config: Config) -> web.Application:
    """The gateway as an application; it starts whether or not Redis and Triton are up."""
    app = web.Application(middlewares=MIDDLEWARES, client_max_size=config.max_body_bytes)
    for prefix in ("", HEIMDALL):
        for method, path, handle in ROUTES:
            app.router.add_route(method, prefix + path, handle)
            if method == "GET":
                app.router.add_route("HEAD", prefix + path, handle)

    async def lifetime(app: web.Application) -> AsyncIterator[None]:
        async with running(config) as services:
            app[SERVICES] = services
            yield

    app.cleanup_ctx.append(lifetime)
    return app


def make_runner(config: Config) -> web.AppRunner:
    """The gateway and its server: a client that leaves cancels its request; bodies come as they were sent."""
    return web.AppRunner(
        make_app(config),
        handler_cancellation=True,
        auto_decompress=False,
        access_log=None,
        shutdown_timeout=config.drain_timeout_s,
    )
