"""GET, POST, PATCH, DELETE /models/{m}/rollout: a version's share, raised step by step while guards hold."""

import time
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from contract.guards import Evidence, judge, window
from contract.rollout import Plan, Rollout
from contract.version_record import VersionRecord
from gateway.errors import NotFound, Unavailable
from gateway.handlers import arguments
from gateway.handlers.command import carried_out
from gateway.handlers.routing import answer, served_model
from gateway.keys import SERVICES
from gateway.services import Services
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
    return await _newest(request)


async def start(request: web.Request) -> web.Response:
    """Begin one."""
    served_model(request)
    asked = await arguments.document(request, Start, request.app[SERVICES].config)
    await carried_out(
        request, "rollout", version=int(asked.version), arguments={"do": "start", "plan": asked.plan}
    )
    return await _newest(request)


async def change(request: web.Request) -> web.Response:
    """Stay at the present share, or go on."""
    served_model(request)
    asked = await arguments.document(request, Change, request.app[SERVICES].config)
    await carried_out(request, "rollout", arguments={"do": asked.action})
    return await _newest(request)


async def abort(request: web.Request) -> web.Response:
    """Give all traffic back to the champion."""
    served_model(request)
    await carried_out(request, "rollout", arguments={"do": "abort"})
    return await _newest(request)


async def _newest(request: web.Request) -> web.Response:
    model = served_model(request)
    if model.rollout is None:
        raise NotFound(f'model "{model.name}" has had no rollout')
    waits_for = await _waits_for(request.app[SERVICES], model.name, model.rollout)
    return answer(rollout_document(model.name, model.rollout, waits_for))


async def _waits_for(services: Services, model: str, rollout: Rollout) -> tuple[str, ...]:
    """What has to come before the next step, besides time; nothing while it cannot be known."""
    if rollout.phase != "running":
        return ()
    now = time.time()
    try:
        step = await services.records.read(model, now - window(rollout.since, now)[0])
        whole = await services.records.read(model, now - window(rollout.started_at, now)[0])
    except Unavailable:
        return ()
    nothing = VersionRecord()
    evidence = Evidence(
        version=step.get(rollout.version, nothing),
        champion=step.get(rollout.champion, nothing),
        since_start=whole.get(rollout.version, nothing),
    )
    return judge(rollout.plan.guards, evidence).missing
