"""The HTTP server, whose answers to what is no proper HTTP are problem documents like all others.

Who sends a head too slowly is closed by aiohttp's keep-alive timeout, which runs from the connection's
opening or the last answer; who sends a body too slowly runs into the request's deadline; who does not take
its answer is closed here.
"""

import asyncio
import logging
from typing import Any

import orjson
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from gateway.middleware import answering
from gateway.serving.dispatch import Dispatch
from gateway.wire.identifier import request_id
from gateway.wire.problem import MEDIA_TYPE, describe
from gateway.wire.show import shown

log = logging.getLogger(__name__)

_TOO_LARGE = "the request line or a header is over 8,190 bytes, or there are more than 128 headers"


LINGER_S = 3.0
"""How long what still arrives is dropped after an early answer, so that the client gets to see it."""


class Runner(web.AppRunner):
    """Runs an application on such a server.

    Args:
        app: what answers.
        send_timeout_s: when a client is closed that takes nothing more of its answer.
        options: aiohttp's.
    """

    def __init__(self, app: web.Application, *, send_timeout_s: float = 60.0, **options: Any) -> None:
        super().__init__(app, lingering_time=LINGER_S, **options)
        self._send_timeout_s = send_timeout_s

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = _Server(
            answering(self.app, Dispatch(self.app, made.request_handler)),  # type: ignore[arg-type]  # web.Request
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=made._loop,  # noqa: SLF001 aiohttp has no public way to say how errors of HTTP are answered
            **made._kwargs,  # noqa: SLF001
        )
        server.send_timeout_s = self._send_timeout_s
        return server


class _Server(web.Server):
    send_timeout_s: float

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, send_timeout_s=self.send_timeout_s, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    __slots__ = ("_left", "_send_timeout_s", "_untaken")

    def __init__(self, manager: web.Server, *, send_timeout_s: float, **options: Any) -> None:
        super().__init__(manager, **options)
        self._send_timeout_s = send_timeout_s
        self._untaken: asyncio.TimerHandle | None = None
        self._left = 0

    def pause_writing(self) -> None:
        """The client takes its answer more slowly than it is written."""
        super().pause_writing()
        self._look_later()

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._forget()

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is gone."""
        self._forget()
        super().connection_lost(exc)

    def _forget(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None

    def _look_later(self) -> None:
        if self.transport is not None:
            self._left = self.transport.get_write_buffer_size()
            self._untaken = self._loop.call_later(self._send_timeout_s, self._look)

    def _look(self) -> None:
        """Give the client up, unless it has taken some more since the last look."""
        if self.transport is None:
            return
        if self.transport.get_write_buffer_size() < self._left:
            self._look_later()
        else:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what never reached the application; the connection is closed."""
        if status >= 500:
            log.error("a connection from %s failed", request.remote, exc_info=exc)
        else:
            log.debug("no proper HTTP from %s: %s", request.remote, _told(message))
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
        detail = f"not HTTP as RFC 9112 has it: {_told(message)}"
    else:
        name, detail = "InternalError", "the gateway failed"
    return describe(status, name, detail, instance="", request_id=request_id(None))


def _told(message: str | None) -> str:
    """What aiohttp says of it, on one line whatever the client sent."""
    return shown((message or "").partition("\n")[0])
