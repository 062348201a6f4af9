"""The typed keys under which an application and its requests hold their state."""

from aiohttp import web

from gateway.access.policy import Access
from gateway.services import Services
from gateway.serving.siblings import Siblings
from gateway.telemetry.stopwatch import Stopwatch

ACCESS = web.AppKey("access", Access)
SERVICES = web.AppKey("services", Services)
SIBLINGS = web.AppKey("siblings", Siblings)
KEY_NAME = web.RequestKey("key_name", str)
REQUEST_ID = web.RequestKey("request_id", str)
WATCH = web.RequestKey("watch", Stopwatch)
