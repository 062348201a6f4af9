"""How many requests at once."""

import pytest

from gateway.access.concurrency import Concurrency
from gateway.errors import Unavailable


def test_a_place_is_free_again_however_its_request_ended() -> None:
    concurrency = Concurrency(2)
    for error in (RuntimeError, KeyboardInterrupt, Unavailable):
        with pytest.raises(error), concurrency, concurrency:
            raise error("")
    with concurrency, concurrency, pytest.raises(Unavailable, match="2 requests"):
        concurrency.__enter__()
