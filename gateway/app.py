"""The application: its routes, its middleware and its lifetimes, each stated once."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from gateway.access.cors import setup_cors
from gateway.access.guard import guarded
from gateway.access.key_file import Scope
from gateway.access.policy import make_access
from gateway.board import Board
from gateway.config import Config
from gateway.handlers import (
    console,
    deployments,
    documentation,
    events,
    health,
    memory,
    models,
    predict,
    rollout,
    routing,
)
from gateway.keys import ACCESS, SERVICES, SIBLINGS
from gateway.services import Services, running
from gateway.serving.listeners import BACKLOG, Listen
from gateway.serving.server import Runner
from gateway.serving.shared_site import SharedSite
from gateway.serving.siblings import Siblings
from gateway.serving.tls import server_context
from gateway.telemetry.counters import Counters
from gateway.telemetry.report import Report, report

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEIMDALL = "/api/v1/inference"
ANALYTICS = "/api/v1/analytics"
"""Prefixes under which every path answers as well: Heimdall's clients and its dashboard ask there."""

ROUTES: tuple[tuple[str, str, Handle, Scope | None], ...] = (
    ("POST", "/predict", predict.predict, Scope.PREDICT),
    ("POST", "/predict/batch", predict.predict_batch, Scope.PREDICT),
    ("POST", "/models/{model}/predict", predict.predict, Scope.PREDICT),
    ("POST", "/models/{model}/predict/batch", predict.predict_batch, Scope.PREDICT),
    ("POST", "/models/{model}/versions/{version}/predict", predict.predict, Scope.PREDICT),
    ("POST", "/models/{model}/versions/{version}/predict/batch", predict.predict_batch, Scope.PREDICT),
    ("POST", "/models/{model}/aliases/{alias}/predict", predict.predict, Scope.PREDICT),
    ("POST", "/models/{model}/aliases/{alias}/predict/batch", predict.predict_batch, Scope.PREDICT),
    ("GET", "/models", models.models, Scope.READ),
    ("GET", "/models/{model}", models.model, Scope.READ),
    ("GET", "/models/{model}/versions/{version}", models.version, Scope.READ),
    ("GET", "/models/{model}/deployments", deployments.deployments, Scope.READ),
    ("GET", "/models/{model}/routing", routing.routing, Scope.READ),
    ("PUT", "/models/{model}/routing", routing.set_routing, Scope.ADMIN),
    ("DELETE", "/models/{model}/routing", routing.clear_routing, Scope.ADMIN),
    ("POST", "/models/{model}/promote", routing.promote, Scope.ADMIN),
    ("POST", "/models/{model}/rollback", routing.rollback, Scope.ADMIN),
    ("GET", "/models/{model}/rollout", rollout.rollout, Scope.READ),
    ("POST", "/models/{model}/rollout", rollout.start, Scope.ADMIN),
    ("PATCH", "/models/{model}/rollout", rollout.change, Scope.ADMIN),
    ("DELETE", "/models/{model}/rollout", rollout.abort, Scope.ADMIN),
    ("GET", "/model/info", models.info, Scope.READ),
    ("GET", "/model/versions", models.versions, Scope.READ),
    ("GET", "/model/performance", models.performance, Scope.READ),
    ("POST", "/model/reload", deployments.reload, Scope.ADMIN),
    ("GET", "/localizations/recent", memory.recent, Scope.READ),
    ("POST", "/feedback", memory.tell_truth, Scope.PREDICT),
    ("GET", "/health", health.health, None),
    ("GET", "/health/detailed", health.detailed, Scope.READ),
    ("GET", "/ready", health.ready, None),
    ("GET", "/startup", health.startup, None),
    ("GET", "/metrics", health.metrics, Scope.READ),
    ("GET", "/events", events.events, Scope.READ),
    ("GET", "/performance/history", console.performance_history, Scope.READ),
    ("GET", "/console", console.page, None),
    ("GET", "/console/files/{file}", console.asset, None),
    ("GET", "/console/settings", console.settings, None),
    ("GET", "/console/samples", console.samples, Scope.READ),
    ("GET", "/console/samples/{name}", console.sample, Scope.READ),
    ("GET", "/openapi.json", documentation.openapi, None),
    ("GET", "/docs", documentation.docs, None),
    ("GET", "/", health.root, None),
)
"""Method, path, handler, and the scope that an API key needs for it (None = open to everyone)."""


def make_app(
    config: Config, clock: Callable[[], float] = time.monotonic, board: Board | None = None
) -> web.Application:
    """The gateway as an application; it starts whether or not Redis and Triton are up.

    Args:
        config: every option.
        clock: that of rate limits and of the look at the file of API keys, in seconds.
        board: what all workers see, where this is one of several.

    Raises:
        ConfigError: a file that an option names cannot be used.
    """
    app = web.Application(client_max_size=config.max_body_bytes)
    access = app[ACCESS] = make_access(config, clock)
    app[SIBLINGS] = Siblings(lambda whole: _report(app[SERVICES], whole=whole))
    if config.cors_origins:
        setup_cors(app, config.cors_origins)
    for prefix in ("", HEIMDALL, ANALYTICS):
        for method, path, handle, scope in ROUTES:
            app.router.add_route(method, prefix + path, guarded(handle, scope, access))
            if method == "GET":
                app.router.add_route("HEAD", prefix + path, guarded(handle, scope, access))

    async def lifetime(app: web.Application) -> AsyncIterator[None]:
        async with running(config, board) as services:
            app[SERVICES] = services
            _count_keys(app)
            yield

    async def end_feeds(app: web.Application) -> None:
        if (live := app[SERVICES].live) is not None:
            live.close()

    app.cleanup_ctx.append(lifetime)
    app.on_shutdown.append(end_feeds)
    return app


def _report(services: Services, *, whole: bool) -> Report:
    services.ledger.settle()
    return report(services.metrics.registry, services.counters if whole else Counters())


def _count_keys(app: web.Application) -> None:
    keyring, gauge = app[ACCESS].keyring, app[SERVICES].metrics.gauge
    if keyring is not None:
        gauge("fixgate_api_keys", "API keys in force.", lambda: len(keyring))
        gauge(
            "fixgate_api_keys_stale",
            "1 while the file of API keys cannot be used and older keys stay in force.",
            lambda: keyring.stale,
        )


def make_runner(
    config: Config, clock: Callable[[], float] = time.monotonic, board: Board | None = None
) -> web.AppRunner:
    """The gateway and its server: a client that leaves cancels its request; bodies come as they were sent.

    Arguments as for `make_app`.

    Raises:
        ConfigError: a file that an option names cannot be used.
    """
    return Runner(
        make_app(config, clock, board),
        handler_cancellation=True,
        auto_decompress=False,
        access_log=None,
        shutdown_timeout=config.drain_timeout_s,
        keepalive_timeout=config.keepalive_s,
        send_timeout_s=config.send_timeout_s,
    )


def make_sites(
    runner: web.AppRunner, config: Config, listen: Listen, board: Board | None = None
) -> list[web.SockSite]:
    """Where the server listens, with TLS when the options name a certificate; `board` as for `make_app`.

    Raises:
        OSError: the address cannot be listened on.
        ConfigError: the certificate or its key cannot be used.
    """
    tls = server_context(config.tls_cert, config.tls_key) if config.tls_cert and config.tls_key else None
    if board is None:
        return [web.SockSite(runner, one, ssl_context=tls, backlog=BACKLOG) for one in listen()]
    return [SharedSite(runner, one, board, ssl_context=tls, backlog=BACKLOG) for one in listen()]
