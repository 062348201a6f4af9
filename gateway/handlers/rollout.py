"""GET, POST, PATCH, DELETE /models/{m}/rollout: a version's share, raised step by step while guards hold."""

from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from contract.rollout import Plan
from gateway.errors import NotFound
from gateway.handlers import arguments
from gateway.handlers.command import carried_out
from gateway.handlers.routing import answer, served_model
from gateway.keys import SERVICES
from gateway.wire.rollout_document import rollout_document


class Start(Plan, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The version that is to take the traffic, and how."""

    version: Annotated[str, Meta(pattern="^[0-9]{1,18}$")] | Annotated[int, Meta(ge=1)]

    @property
    def plan(self) -> Plan:
        """How."""
        return Plan(self.steps, self.every_s, self.guards)


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to become of the rollout under way."""

    action: Literal["pause", "resume"]


async def rollout(request: web.Request) -> web.Response:
    """The newest rollout, whether it has ended or not."""
    return _newest(request)


async def start(request: web.Request) -> web.Response:
    """Begin one."""
    served_model(request)
    asked = await arguments.document(request, Start, request.app[SERVICES].config)
    await carried_out(
        request, "rollout", version=int(asked.version), arguments={"do": "start", "plan": asked.plan}
    )
    return _newest(request)


async def change(request: web.Request) -> web.Response:
    """Stay at the present share, or go on."""
    served_model(request)
    asked = await arguments.document(request, Change, request.app[SERVICES].config)
    await carried_out(request, "rollout", arguments={"do": asked.action})
    return _newest(request)


async def abort(request: web.Request) -> web.Response:
    """Give all traffic back to the champion."""
    served_model(request)
    await carried_out(request, "rollout", arguments={"do": "abort"})
    return _newest(request)


def _newest(request: web.Request) -> web.Response:
    model = served_model(request)
    if model.rollout is None:
        raise NotFound(f'model "{model.name}" has had no rollout')
    return answer(rollout_document(model.name, model.rollout))
