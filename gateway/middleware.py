"""Around every handler: a request id, errors as problem documents, the request's time."""

import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

from gateway.errors import FixgateError, TooManyRequests, Unauthorized, Unavailable
from gateway.keys import REQUEST_ID, SERVICES, WATCH
from gateway.serving.answer import Answer
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.stopwatch import Stopwatch
from gateway.wire import problem
from gateway.wire.identifier import request_id

log = logging.getLogger(__name__)

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]

ELSEWHERE = "other"
"""Route label of requests that no route takes."""

CLIENT_LEFT = 499
"""What is counted when nobody is there to be answered; nginx's number."""


def answering(app: web.Application, handle: Handle) -> Handle:
    """`handle`, the application's way from request to answer, with all that around it.

    It stands outside the application and is no middleware of it: around every request of an application that
    has any, aiohttp lays two more coroutines.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        services = app[SERVICES]
        tracing = services.tracing
        watch = Stopwatch() if tracing is None else tracing.begin(request.method, request.headers)
        identifier = request_id(request.headers.get("X-Request-Id"))
        request[WATCH], request[REQUEST_ID] = watch, identifier
        metrics = services.metrics
        status, sent = CLIENT_LEFT, 0
        metrics.in_progress += 1
        try:
            try:
                response = await handle(request)
            except Exception as error:  # noqa: BLE001 it is answered and logged
                response = _told(request, error, metrics)
            status = response.status
            sent = response.size if isinstance(response, Answer) else response.content_length or 0
        finally:
            route = watch.route or ELSEWHERE
            metrics.in_progress -= 1
            at, seconds = time.time(), watch.elapsed_ms / 1e3
            if status >= 400 and watch.outcome == "ok":
                watch.outcome = "ClientLeft" if status == CLIENT_LEFT else "HttpError"
            services.ledger.request(request.method, route, status, at=at, seconds=seconds, watch=watch)
            services.request_log.answered(
                identifier, request.method, route, status, seconds=seconds, watch=watch, sent=sent
            )
            if tracing is not None:
                tracing.end(watch, identifier, request.method, route, status)
        response.headers["X-Request-Id"] = identifier
        if services.readiness.draining:
            response.force_close()
        return response

    return answer


def _told(request: web.Request, error: Exception, metrics: Metrics) -> web.StreamResponse:
    """An error as a problem document."""
    if isinstance(error, FixgateError):
        request[WATCH].outcome = type(error).__name__
        metrics.refused(error)
        return _answer(request, problem.problem(error, **_place(request)), _headers(error))
    if isinstance(error, web.HTTPException):
        if error.status < HTTPStatus.BAD_REQUEST:
            raise error
        return _from_aiohttp(request, error)
    log.error("request %s failed", request[REQUEST_ID], exc_info=error)
    request[WATCH].outcome = "InternalError"
    return _answer(request, problem.problem(error, **_place(request)))


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
    return Answer(
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
