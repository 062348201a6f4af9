"""Whether the process lives, whether traffic should come, and what Prometheus wants to know."""

import time
from typing import Any

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from gateway.errors import Unavailable
from gateway.keys import SERVICES, SIBLINGS
from gateway.services import Services
from gateway.telemetry.report import exposition
from gateway.versions.readiness import Readiness


async def root(_: web.Request) -> web.Response:
    """What this service is."""
    return _json({"service": "fixgate gateway", "about": "IQ in, position and uncertainty ellipse out"})


async def health(request: web.Request) -> web.Response:
    """200 as long as the process answers at all."""
    services = request.app[SERVICES]
    return _json({"status": "healthy", "uptime_seconds": round(time.time() - services.started_at, 3)})


async def detailed(request: web.Request) -> web.Response:
    """Each dependency; 503 while this gateway is not ready."""
    services = request.app[SERVICES]
    ready = services.readiness.ready
    tritons = await services.triton.health()
    document = {
        "status": "healthy" if ready else "unhealthy",
        "ready": ready,
        "missing": list(services.readiness.missing),
        "draining": services.readiness.draining,
        "dependencies": {
            "catalogue": _catalogue(services),
            "redis_cache": {"status": _up(services.shared_cache.available)},
            "triton": [{"address": one.address, "status": _up(one.live)} for one in tritons],
        },
    }
    return _json(document, status=200 if ready else 503)


async def ready(request: web.Request) -> web.Response:
    """200 when new traffic should come here; otherwise a problem that names what is missing."""
    readiness = _staying(request.app[SERVICES])
    if readiness.missing:
        raise Unavailable(f"not ready; missing: {'; '.join(readiness.missing)}")
    return _json({"status": "ready"})


async def startup(request: web.Request) -> web.Response:
    """200 once this gateway has been ready for the first time, and from then on until it drains."""
    readiness = _staying(request.app[SERVICES])
    if not readiness.started.is_set():
        raise Unavailable(f"starting; missing: {'; '.join(readiness.missing)}")
    return _json({"status": "started"})


async def metrics(request: web.Request) -> web.Response:
    """Prometheus' text format."""
    body = exposition(await request.app[SIBLINGS].report(whole=False))
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _staying(services: Services) -> Readiness:
    if services.readiness.draining:
        raise Unavailable("draining: this gateway is about to stop")
    return services.readiness


def _catalogue(services: Services) -> dict[str, Any]:
    feed = services.feed
    if feed.current is None:
        return {"status": "missing", "following": feed.connected}
    return {
        "status": "known",
        "following": feed.connected,
        "revision": feed.revision,
        "source": feed.source,
        "age_s": round(time.time() - feed.current.written_at, 3),
    }


def _up(is_up: bool) -> str:
    return "up" if is_up else "down"


def _json(document: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")
