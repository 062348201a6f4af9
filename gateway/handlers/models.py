"""GET /models… and /model/…: what is served."""

import time
from typing import Any

import orjson
from aiohttp import web

from contract.catalog import Catalog, ServedModel, ServedVersion
from gateway.errors import Unavailable
from gateway.handlers import request as read
from gateway.kept import feedback
from gateway.keys import SERVICES, SIBLINGS
from gateway.services import Services
from gateway.telemetry.counters import ModelCount
from gateway.telemetry.report import count_of
from gateway.versions import routing
from gateway.wire.model_document import (
    Health,
    info_document,
    model_document,
    performance_document,
    version_document,
)


async def models(request: web.Request) -> web.Response:
    """Every model with its versions."""
    services = request.app[SERVICES]
    catalog = _catalog(services)
    default = routing.default_name(catalog, services.config.default_model)
    now = time.time()
    served = [model_document(catalog.models[name], default, now) for name in sorted(catalog.models)]
    return _json({"revision": catalog.revision, "models": served})


async def model(request: web.Request) -> web.Response:
    """One model with its versions."""
    services = request.app[SERVICES]
    default = routing.default_name(_catalog(services), services.config.default_model)
    return _json(model_document(_model(services, request.match_info["model"]), default, time.time()))


async def version(request: web.Request) -> web.Response:
    """One version."""
    served = _model(request.app[SERVICES], request.match_info["model"])
    chosen = routing.pinned(served, read.version_number(request.match_info["version"]))
    document = version_document(served, chosen, time.time())
    if told := await feedback_of(request.app[SERVICES], served.name, chosen):
        document["feedback"] = told
    return _json(document)


async def info(request: web.Request) -> web.Response:
    """The default model and what this gateway has done with it."""
    services = request.app[SERVICES]
    served = _model(services, None)
    now = time.time()
    document = info_document(
        served,
        _leading(served, now),
        await _count(request, served.name),
        health=_health(services),
        now=now,
        uptime_s=now - services.started_at,
    )
    return _json(document)


async def performance(request: web.Request) -> web.Response:
    """How the default model fares in this gateway."""
    services = request.app[SERVICES]
    served = _model(services, None)
    now = time.time()
    document = performance_document(
        served,
        _leading(served, now),
        await _count(request, served.name),
        now=now,
        uptime_s=now - services.started_at,
    )
    return _json(document)


async def versions(request: web.Request) -> web.Response:
    """The default model's versions."""
    served = _model(request.app[SERVICES], None)
    now = time.time()
    return _json(
        {
            "model_name": served.name,
            "active_version": str(_leading(served, now).version),
            "versions": [version_document(served, one, now) for one in served.versions],
        }
    )


async def feedback_of(services: Services, model: str, one: ServedVersion) -> dict[str, Any] | None:
    """What truths say of a version as it is served now; None without any, or while Redis is away."""
    if services.remembered is None:
        return None
    try:
        return feedback.summary(await services.remembered.sums(model, one.version, one.edition))
    except Unavailable:
        return None


async def _count(request: web.Request, model: str) -> ModelCount:
    """What all workers have done with a model."""
    services, siblings = request.app[SERVICES], request.app[SIBLINGS]
    if siblings.alone:
        services.ledger.settle()
        return services.counters.of(model)
    return count_of(await siblings.report(), model)


def _catalog(services: Services) -> Catalog:
    if services.feed.current is None:
        raise Unavailable("no catalogue yet: it is not known which models are served")
    return services.feed.current


def _model(services: Services, name: str | None) -> ServedModel:
    return routing.find_model(services.feed.current, name, services.config.default_model)


def _leading(served: ServedModel, now: float) -> ServedVersion:
    """The version with the largest share, else the newest."""
    taken = routing.shares(served, now)
    number = max(taken, key=lambda one: taken[one]) if taken else served.versions[-1].version
    return routing.pinned(served, number)


def _health(services: Services) -> Health:
    if not services.readiness.ready:
        return "unhealthy"
    whole = services.feed.connected and services.shared_cache.available
    return "healthy" if whole else "degraded"


def _json(document: dict[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")
