"""GET, PUT, DELETE /models/{m}/routing; POST /models/{m}/promote, rollback: who gets the traffic."""

import contextlib
import time
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import orjson
from aiohttp import web
from msgspec import Meta

from contract.catalog import ServedModel, ServedVersion
from contract.version_record import VersionRecord
from gateway.errors import InvalidInput, Unavailable
from gateway.handlers import arguments
from gateway.handlers.command import carried_out
from gateway.handlers.models import feedback_of
from gateway.keys import SERVICES
from gateway.services import Services
from gateway.versions import routing as routes
from gateway.wire.record_document import record_document
from gateway.wire.routing_document import champion_document, routing_document

MIN_WINDOW_S, DEFAULT_WINDOW_S, MAX_WINDOW_S = 10, 3_600, 7 * 86_400
MAX_WEIGHTS = 64
MAX_EXPIRES_S = 30 * 86_400

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Weight = Annotated[float, Meta(ge=0)]


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Weights by alias or version number, for good or for so many seconds."""

    weights: Annotated[dict[Name, Weight], Meta(min_length=1, max_length=MAX_WEIGHTS)]
    expires_in_s: Annotated[float, Meta(gt=0, le=MAX_EXPIRES_S)] | None = None


class Promotion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which version; None: the candidate, or the champion before the present one."""

    version: Annotated[str, Meta(pattern="^[0-9]{1,18}$")] | Annotated[int, Meta(ge=1)] | None = None


async def routing(request: web.Request) -> web.Response:
    """The policy in force, and what each version has done with its share."""
    window_s = arguments.whole(request, "window_s", DEFAULT_WINDOW_S, MAX_WINDOW_S, least=MIN_WINDOW_S)
    return await _policy(request, window_s)


async def set_routing(request: web.Request) -> web.Response:
    """Put weights in force."""
    served_model(request)
    asked = await arguments.document(request, Policy, request.app[SERVICES].config)
    given = {name: value for name, value in msgspec.structs.asdict(asked).items() if value is not None}
    await carried_out(request, "route", arguments=given | _condition(request))
    return await _policy(request)


async def clear_routing(request: web.Request) -> web.Response:
    """Give all traffic back to the champion."""
    served_model(request)
    await carried_out(request, "route", arguments=_condition(request))
    return await _policy(request)


async def promote(request: web.Request) -> web.Response:
    """Make a version the champion."""
    return await _move(request, "promote")


async def rollback(request: web.Request) -> web.Response:
    """Make the champion before the present one the champion again."""
    return await _move(request, "rollback")


async def _move(request: web.Request, action: Any) -> web.Response:
    asked = await arguments.document(request, Promotion, request.app[SERVICES].config, empty=Promotion())
    version = None if asked.version is None else int(asked.version)
    reply = await carried_out(request, action, version=version, arguments={})
    return answer(champion_document(request.match_info["model"], reply))


def served_model(request: web.Request) -> ServedModel:
    """The model in the path.

    Raises:
        NotFound, Unavailable: it is not served; or it is not known yet what is.
    """
    return routes.find_model(request.app[SERVICES].feed.current, request.match_info["model"], None)


def answer(document: dict[str, Any], headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(body=orjson.dumps(document), headers=headers, content_type="application/json")


async def _policy(request: web.Request, window_s: int = DEFAULT_WINDOW_S) -> web.Response:
    model, services = served_model(request), request.app[SERVICES]
    document = routing_document(model, time.time())
    with contextlib.suppress(Unavailable):  # who gets the traffic is known without Redis, too
        records = await services.records.read(model.name, window_s)
        document["window_s"] = window_s
        document["versions"] = [await _version(services, model, one, records) for one in model.versions]
    return answer(document, {"ETag": f'"{model.routing_etag}"'})


async def _version(
    services: Services, model: ServedModel, one: ServedVersion, records: Mapping[int, VersionRecord]
) -> dict[str, Any]:
    told = await feedback_of(services, model.name, one)
    return {
        "version": str(one.version),
        **record_document(records.get(one.version, VersionRecord())),
        **({"feedback": told} if told else {}),
    }


def _condition(request: web.Request) -> dict[str, Any]:
    """What If-Match asks for; a weak tag matches nothing.

    Raises:
        InvalidInput: the header names no entity tag.
    """
    if "If-Match" not in request.headers:
        return {}
    tags = request.if_match
    if not tags:
        raise InvalidInput('must be * or entity tags in quotes, for example "1f9d2564b3aa"', field="If-Match")
    return {"if_match": [f"W/{tag.value}" if tag.is_weak else tag.value for tag in tags]}
