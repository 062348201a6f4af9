"""Around every handler: a request id, errors as problem documents, the request's time."""

import logging
import math
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.errors import FixgateError, TooManyRequests, Unauthorized, Unavailable
from gateway.keys import REQUEST_ID, SERVICES, WATCH
from gateway.stopwatch import Stopwatch
from gateway.wire import problem
from gateway.wire.identifier import request_id

log = logging.getLogger(__name__)

ELSEWHERE = "other"
"""Route label of requests that no route takes."""

CLIENT_LEFT = 499
"""What is counted when nobody is there to be answered; nginx's number."""

PREDICTS = ("/predict", "/predict/batch")
"""How the routes end whose times and errors are watched."""


@web.middleware
async def identify_and_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id and stopwatch; count it; put both on the answer."""
    watch = request[WATCH] = Stopwatch()
    request[REQUEST_ID] = request_id(request.headers.get("X-Request-Id"))
    status = CLIENT_LEFT
    services = request.app[SERVICES]
    metrics = services.metrics
    metrics.in_progress += 1
    try:
        response = await handler(request)
        status = response.status
    finally:
        resource = request.match_info.route.resource
        route = resource.canonical if resource else ELSEWHERE
        metrics.in_progress -= 1
        seconds = watch.elapsed_ms / 1e3
        if status >= HTTPStatus.BAD_REQUEST and watch.outcome == "ok":
            watch.outcome = "ClientLeft" if status == CLIENT_LEFT else "HttpError"
        metrics.request(request.method, route, status, seconds, watch)
        if route.endswith(PREDICTS):
            services.history.request(time.time(), status, seconds)
    response.headers["X-Request-Id"] = request[REQUEST_ID]
    return response


@web.middleware
async def errors_as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error with a problem document."""
    try:
        return await handler(request)
    except FixgateError as error:
        request[WATCH].outcome = type(error).__name__
        request.app[SERVICES].metrics.refused(error)
        return _answer(request, problem.problem(error, **_place(request)), _headers(error))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _from_aiohttp(request, error)
    except Exception as error:
        log.exception("request %s failed", request[REQUEST_ID])
        request[WATCH].outcome = "InternalError"
        return _answer(request, problem.problem(error, **_place(request)))


MIDDLEWARES = (identify_and_time, errors_as_problems)
"""Outermost first."""


def _from_aiohttp(request: web.Request, error: web.HTTPException) -> web.Response:
    """Errors that aiohttp finds before or beside our handlers."""
    headers = {}
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        headers["Allow"] = allowed
        detail = f"{error.method} is not allowed here; allowed: {allowed}"
    elif error.status == HTTPStatus.NOT_FOUND:
        detail = "no such path"
    else:
        detail = HTTPStatus(error.status).description or error.reason
    name = "".join(word.capitalize() for word in HTTPStatus(error.status).phrase.split())
    return _answer(request, problem.describe(error.status, name, detail, **_place(request)), headers)


def _answer(
    request: web.Request, document: dict[str, Any], headers: Mapping[str, str] | None = None
) -> web.Response:
    if document["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
        level = logging.DEBUG if document["status"] == HTTPStatus.SERVICE_UNAVAILABLE else logging.WARNING
        log.log(level, "request %s: %d %s", request[REQUEST_ID], document["status"], document["detail"])
    return web.Response(
        body=orjson.dumps(document),
        status=document["status"],
        headers=headers,
        content_type=problem.MEDIA_TYPE,
    )


def _place(request: web.Request) -> dict[str, str]:
    return {"instance": request.rel_url.raw_path, "request_id": request[REQUEST_ID]}


def _headers(error: FixgateError) -> dict[str, str]:
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": 'Bearer realm="fixgate"'}
    if isinstance(error, TooManyRequests | Unavailable):
        return {"Retry-After": str(math.ceil(error.retry_after_s))}
    return {}
