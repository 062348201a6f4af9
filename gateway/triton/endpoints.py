"""Triton: calls with stacked rows, version readiness, and what its errors mean to us.

One or more Tritons that serve the same repository; what concerns one of them is in triton_endpoint.py.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import NamedTuple

from gateway.domain import Float, Lane, RawOutputs
from gateway.errors import Unavailable
from gateway.triton.call import NotReached, named
from gateway.triton.endpoint import Endpoint, SharedMemory, Status


class Health(NamedTuple):
    """What one endpoint says of itself."""

    address: str
    live: bool


class Triton:
    """One or more Tritons that serve the same repository. Made inside the running event loop."""

    def __init__(
        self, addresses: Sequence[str], *, http: Sequence[str] = (), shared_memory: SharedMemory = "off"
    ) -> None:
        """`addresses` are gRPC's; `http`, if given, the same Tritons' HTTP: then that carries the calls."""
        pairs = zip(addresses, http or ("",) * len(addresses), strict=True)
        self._endpoints = [Endpoint(address, over_http, shared_memory) for address, over_http in pairs]

    async def infer(self, lane: Lane, rows: Sequence[Float]) -> RawOutputs:
        """One call, on the endpoint that has the fewest under way.

        If that one is not reached, or lost before it answers, the call is made once more, elsewhere if there
        is an elsewhere. It may then have been run twice, which does no harm: a model keeps nothing of a call.

        Args:
            rows: float32 arrays of `lane.shape`, at least one.

        Returns:
            Tensors whose first axis runs over the rows.

        Raises:
            Unavailable: no Triton reached, it does not have the version ready, or the version fails there.
            BadAnswer: it refused the tensors, failed to run the model, or answered with something else.
        """
        first = self._choose(lane)
        try:
            return await first.infer(lane, rows)
        except NotReached:
            pass
        try:
            return await self._choose(lane, rather_not=first).infer(lane, rows)
        except NotReached as error:
            raise Unavailable(
                f"{named(lane)} is not ready in Triton, or Triton cannot be reached", version_away=True
            ) from error.__cause__

    def available(self, model: str, version: int) -> bool:
        """Whether any Triton takes calls to a version; to ask is what makes a broken one be tried again."""
        taken = False
        for endpoint in self._endpoints:
            taken = endpoint.takes(model, version) or taken
        return taken

    def status(self) -> tuple[Status, ...]:
        """Every endpoint as it stands, with its breakers."""
        return tuple(endpoint.status() for endpoint in self._endpoints)

    async def version_ready(self, model: str, version: int, *, timeout_s: float = 1.0) -> bool | None:
        """Whether any Triton has this very version ready; asks the version, never the server.

        Returns:
            None when no Triton said anything, which says nothing about the version.
        """
        answers = await asyncio.gather(
            *(one.channel.version_ready(model, version, timeout_s) for one in self._endpoints)
        )
        told = [answer for answer in answers if answer is not None]
        return any(told) if told else None

    async def health(self, *, timeout_s: float = 1.0) -> list[Health]:
        """Which Tritons are up."""
        live = await asyncio.gather(*(one.channel.live(timeout_s) for one in self._endpoints))
        return [Health(one.address, is_live) for one, is_live in zip(self._endpoints, live, strict=True)]

    async def close(self) -> None:
        """Close the channels; calls under way have a moment to end."""
        await asyncio.gather(*(endpoint.close() for endpoint in self._endpoints))

    def _choose(self, lane: Lane, rather_not: Endpoint | None = None) -> Endpoint:
        taking = [one for one in self._endpoints if one.takes(lane.model, lane.version)]
        if not taking:
            raise Unavailable(
                f"{named(lane)} fails in Triton, or cannot keep up; it is tried again soon", version_away=True
            )
        # Equals by lot: turns would fall into step with clients that ask again as soon as they are answered.
        lots = random.sample(taking, len(taking))  # nosec B311
        return min(lots, key=lambda one: (one is rather_not, *one.distance))
