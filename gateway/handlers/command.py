"""Have sync carry something out, and wait until this gateway goes by what came of it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from contract.command import Action, Fault, Reply
from gateway.access.guard import caller
from gateway.errors import Conflict, FixgateError, InvalidInput, NotFound, PreconditionFailed, Unavailable
from gateway.handlers import request as read
from gateway.keys import SERVICES
from gateway.services import Services

LONGEST_MS = 30_000
CATALOGUE_S = 3.0
"""The catalogue that a command leads to reaches this gateway within that, if it is followed at all."""

FAULTS: Mapping[Fault | None, type[FixgateError]] = {
    "invalid": InvalidInput,
    "not_found": NotFound,
    "conflict": Conflict,
    "precondition": PreconditionFailed,
    "unavailable": Unavailable,
    None: Unavailable,
}
"""Sync's reasons as ours."""


async def carried_out(
    request: web.Request, action: Action, *, version: int | None = None, arguments: Mapping[str, Any]
) -> Reply:
    """Sync's answer to a command for the model in the path, once this gateway follows it.

    Raises:
        InvalidInput, NotFound, Conflict, PreconditionFailed: sync's reason not to carry it out.
        Unavailable: sync, Redis or the registry does not answer.
    """
    services = request.app[SERVICES]
    longest = services.config.max_timeout_ms
    until = read.deadline(request, min(LONGEST_MS, longest), longest)
    reply = await services.commands.ask(
        action,
        by=caller(request),
        timeout_s=max(until - asyncio.get_running_loop().time(), 1e-3),
        model=request.match_info["model"],
        version=version,
        arguments={name: msgspec.Raw(msgspec.json.encode(value)) for name, value in arguments.items()},
    )
    if not reply.ok:
        raise FAULTS[reply.fault](reply.message)
    await _followed(services, reply.revision)
    return reply


async def _followed(services: Services, revision: int) -> None:
    try:
        async with asyncio.timeout(CATALOGUE_S):
            while services.feed.revision < revision:  # noqa: ASYNC110 readiness alone hears of catalogues
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise Unavailable(
            f"done, but this gateway has not heard of catalogue revision {revision} yet: ask it again"
        ) from None
