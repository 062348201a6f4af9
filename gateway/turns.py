"""Turns on the event loop for work that holds it for a millisecond or so.

asyncio runs all that is ready before it looks at its sockets again. With a hundred large bodies ready at once
that takes a tenth of a second, and whoever needs several such rounds, as a request does whose fix is to be
computed, waits at each of them for all the others. Given turns, one piece of such work is done a round, first
come first served: rounds are short, and all wait about as long.
"""

import asyncio
from collections import deque

_NEWEST = 1 / 64


class Turns:
    """One a round of the event loop; who asks first goes first. Made and used in one event loop."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._taken = False
        self._began = 0.0
        self._round_s = 0.0

    @property
    def wait_s(self) -> float:
        """Predicted seconds until new work would have its turn."""
        return len(self._waiting) * self._round_s

    async def turn(self) -> None:
        """Return when it is the caller's turn: at once if nobody had one in this round."""
        loop = asyncio.get_running_loop()
        if not self._taken:
            self._taken = True
            self._began = loop.time()
            loop.call_soon(self._next)
            return
        mine = loop.create_future()
        self._waiting.append(mine)
        await mine

    def _next(self) -> None:
        """A round is over: give the next one's turn to whoever still waits for it."""
        loop = asyncio.get_running_loop()
        began, self._began = self._began, loop.time()
        self._round_s += _NEWEST * (self._began - began - self._round_s)
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                loop.call_soon(self._next)
                return
        self._taken = False
