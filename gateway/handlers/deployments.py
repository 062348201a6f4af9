"""GET /models/{m}/deployments and POST /model/reload: what sync did, and asking it to look again."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import orjson
from aiohttp import web
from msgspec import Meta

from gateway.access.guard import caller
from gateway.errors import Conflict, NotFound, Unavailable
from gateway.handlers import arguments
from gateway.handlers import request as read
from gateway.keys import SERVICES
from gateway.services import Services
from gateway.versions import routing
from gateway.wire.memory_document import deployment_document
from gateway.wire.problem import timestamp

DEFAULT_LISTED, MAX_LISTED = 100, 1000
RELOAD_MS = 30_000
CATALOGUE_S = 3.0
"""The catalogue that a reload leads to reaches this gateway within that, if it is followed at all."""


class Reload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must be served afterwards. `force` changes nothing: every reload looks at everything anew."""

    version_id: Annotated[str, Meta(pattern="^[0-9]{1,18}$")] | Annotated[int, Meta(ge=0)] | None = None
    stage: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    force: bool = False


async def deployments(request: web.Request) -> web.Response:
    """A model's entries in the journal, newest first."""
    services = request.app[SERVICES]
    name, limit = request.match_info["model"], arguments.limit(request, DEFAULT_LISTED, MAX_LISTED)
    found = await services.deployments.of(name, limit)
    current = services.feed.current
    if not found and (current is None or name not in current.models):
        raise NotFound(f'no model "{name}", nor an entry about one in the journal')
    return _json({"model": name, "deployments": [deployment_document(one) for one in found]})


async def reload(request: web.Request) -> web.Response:
    """Make sync look at the registry now, and wait until it has."""
    services = request.app[SERVICES]
    config = services.config
    asked = await arguments.document(request, Reload, config, empty=Reload())
    until = read.deadline(request, min(RELOAD_MS, config.max_timeout_ms), config.max_timeout_ms)
    began, name = time.perf_counter(), _default_name(services)
    under_way = services.counters.of(name or "").under_way
    reply = await services.commands.ask(
        "reload",
        by=caller(request),
        timeout_s=max(until - asyncio.get_running_loop().time(), 1e-3),
    )
    if not reply.ok:
        raise Unavailable(f"sync could not reload: {reply.message}")
    await _check_served(services, asked)
    changed = {"previous_version": reply.before.get(name or ""), "new_version": reply.after.get(name or "")}
    return _json(
        {
            "success": True,
            "message": reply.message,
            **{field: str(version) for field, version in changed.items() if version is not None},
            "reload_time_ms": round((time.perf_counter() - began) * 1e3, 3),
            "requests_drained": under_way,
            "timestamp": timestamp(datetime.now(UTC)),
        }
    )


async def _check_served(services: Services, asked: Reload) -> None:
    """Raise unless the default model has the version and the stage that were asked for."""
    if asked.version_id is None and asked.stage is None:
        return
    try:
        async with asyncio.timeout(CATALOGUE_S):
            while not _is_served(services, asked):  # noqa: ASYNC110 readiness alone hears of catalogues
                await asyncio.sleep(0.05)
    except TimeoutError:
        wanted = [
            f"version {asked.version_id}" if asked.version_id is not None else "",
            f'stage or alias "{asked.stage}"' if asked.stage is not None else "",
        ]
        raise Conflict(
            f"reloaded, but the default model does not serve {' with '.join(filter(None, wanted))}: a reload "
            "serves what the registry says; GET /models/MODEL/deployments tells what was refused"
        ) from None


def _is_served(services: Services, asked: Reload) -> bool:
    name, catalog = _default_name(services), services.feed.current
    model = catalog.models.get(name) if catalog and name else None
    if model is None:
        return False
    return any(
        (asked.version_id is None or version.version == int(asked.version_id))
        and (
            asked.stage is None
            or asked.stage.lower() == (version.stage or "").lower()
            or model.aliases.get(asked.stage.lower()) == version.version
        )
        for version in model.versions
    )


def _default_name(services: Services) -> str | None:
    catalog, configured = services.feed.current, services.config.default_model
    return routing.default_name(catalog, configured) if catalog else configured


def _json(document: dict[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")
