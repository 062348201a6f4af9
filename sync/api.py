"""The routes of sync's own port."""

import time
from typing import Any

import msgspec
from aiohttp import web

from sync import webhooks
from sync.status import describe
from sync.watch import Watch

WATCH = web.AppKey("watch", Watch)
STALE_S = 60.0


def make_app(watch: Watch) -> web.Application:
    """The application: metrics, health, readiness, status."""
    app = web.Application(client_max_size=1 << 20)
    app[WATCH] = watch
    app.add_routes(
        [
            web.get("/metrics", metrics),
            web.get("/health", health),
            web.get("/ready", ready),
            web.get("/status", status),
            web.post(webhooks.PATH, mlflow_event),
        ]
    )
    return app


async def metrics(request: web.Request) -> web.Response:
    """Prometheus' text format."""
    return web.Response(
        body=request.app[WATCH].metrics.render(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


async def health(_request: web.Request) -> web.Response:
    """The process runs."""
    return _json({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """200 once a pass has read registry and repository, and while that is not too long ago."""
    watch = request.app[WATCH]
    problem = _not_ready(watch)
    return _json({"ready": problem is None, "problem": problem}, status=200 if problem is None else 503)


async def status(request: web.Request) -> web.Response:
    """What the last pass saw: models, versions, aliases, readiness, refusals."""
    watch = request.app[WATCH]
    work = watch.reconciler.work
    return _json(
        describe(
            watch.last,
            watch.last_success,
            watch.reconciler.feed.last,
            work.quarantine.refusals,
            work.downloads,
        )
    )


async def mlflow_event(request: web.Request) -> web.Response:
    """An event of MLflow's: look now."""
    watch = request.app[WATCH]
    secret = watch.reconciler.config.webhook_secret
    body = await request.read()
    try:
        webhooks.verify(request.headers, body, secret, time.time())
    except webhooks.Forged as error:
        watch.metrics.webhook("refused")
        return _json({"error": str(error)}, status=401)
    wanted = webhooks.concerns_us(body)
    watch.metrics.webhook("taken" if wanted else "our own")
    if wanted:
        watch.look_again()
    return _json({"looking": wanted}, status=202)


def _not_ready(watch: Watch) -> str | None:
    last = watch.last
    if last is None:
        return "no pass yet"
    if watch.last_success is None:
        return "; ".join(last.seen.problems) or "the registry has not been read yet"
    age = time.time() - watch.last_success
    return f"the registry was last read {age:.0f} s ago" if age > STALE_S else None


def _json(document: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), content_type="application/json", status=status)
