"""How many requests may be answered at once."""

import contextlib
from collections.abc import Iterator

from gateway.errors import Overloaded


class Concurrency:
    """Turns away what comes while `limit` requests are under way, so that bodies never fill the memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._under_way = 0

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Be one of them.

        Raises:
            Overloaded: there are as many as may be.
        """
        if self._under_way >= self._limit:
            raise Overloaded(f"{self._limit} requests are being answered, which is the most at once here")
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
