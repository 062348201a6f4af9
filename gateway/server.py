"""The HTTP server, whose answers to what is no proper HTTP are problem documents like all others."""

import logging
from typing import Any

import orjson
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from gateway.wire.identifier import request_id
from gateway.wire.problem import MEDIA_TYPE, describe
from gateway.wire.show import shown

log = logging.getLogger(__name__)

_TOO_LARGE = "the request line or a header is over 8,190 bytes, or there are more than 128 headers"


class Runner(web.AppRunner):
    """Runs an application on such a server."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=made._loop,  # noqa: SLF001 aiohttp has no public way to say how errors of HTTP are answered
            **made._kwargs,  # noqa: SLF001
        )


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what never reached the application; the connection is closed."""
        log.log(
            logging.ERROR if status >= 500 else logging.DEBUG,
            "no proper HTTP from %s: %s",
            request.remote,
            message,
            exc_info=exc,
        )
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was already begun")
        document = problem_of(status, exc, message)
        response = web.Response(
            body=orjson.dumps(document),
            status=document["status"],
            headers={"X-Request-Id": document["request_id"]},
            content_type=MEDIA_TYPE,
        )
        response.force_close()
        return response


def problem_of(status: int, exc: BaseException | None, message: str | None) -> dict[str, Any]:
    """The problem document for what aiohttp found."""
    if isinstance(exc, LineTooLong) or message == "Too many headers received":
        status, name, detail = 431, "HeadersTooLarge", _TOO_LARGE
    elif status < 500:
        name = "MalformedRequest"
        detail = f"not HTTP as RFC 9112 has it: {shown((message or '').partition(chr(10))[0])}"
    else:
        name, detail = "InternalError", "the gateway failed"
    return describe(status, name, detail, instance="", request_id=request_id(None))
