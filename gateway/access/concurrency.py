"""How many requests may be answered at once."""

from gateway.errors import Overloaded


class Concurrency:
    """Turns away what comes while `limit` requests are under way, so that bodies never fill the memory.

    To be entered for each, any number of times at once.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._under_way = 0

    def __enter__(self) -> None:
        """Take a place.

        Raises:
            Overloaded: there are as many as may be.
        """
        if self._under_way >= self._limit:
            raise Overloaded(f"{self._limit} requests are being answered, which is the most at once here")
        self._under_way += 1

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self._under_way -= 1
