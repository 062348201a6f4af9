"""A server of ours around a handful of routes, without Redis, Triton or a catalogue."""

from types import SimpleNamespace
from typing import Any, cast

from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.keys import SERVICES
from gateway.services import Services
from gateway.serving.server import Runner
from gateway.telemetry.ledger import Ledger
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.request_log import RequestLog


class Server(TestServer):
    """On our own runner."""

    async def _make_runner(self, **options: Any) -> web.BaseRunner:
        return Runner(self.app, send_timeout_s=5.0, **options)


def bare_application() -> web.Application:
    """An application with what goes around every handler, and no route."""
    app, metrics = web.Application(), Metrics()
    services = SimpleNamespace(
        metrics=metrics,
        ledger=Ledger([metrics]),
        request_log=RequestLog(10),
        tracing=None,
        readiness=SimpleNamespace(draining=False),
    )
    app[SERVICES] = cast(Services, services)
    return app
