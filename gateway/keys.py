"""The typed keys under which an application and its requests hold their state."""

from aiohttp import web

from gateway.services import Services
from gateway.stopwatch import Stopwatch

SERVICES = web.AppKey("services", Services)
REQUEST_ID = web.RequestKey("request_id", str)
WATCH = web.RequestKey("watch", Stopwatch)
