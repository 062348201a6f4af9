"""Two of each behind a real proxy: one killed costs nothing that the other can answer; work is shared."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.deploy.scaled import Copy, Scaled, scaled
from tests.faults.load import CLIENTS, Load, load
from tests.gateway.waiting import until

pytestmark = pytest.mark.stack

REQUESTS = 4000
EVENLY = 0.1
LOST = {0, 502, 503}
"""What a client sees whose request was at a gateway that died: no answer, or the proxy's."""


@pytest.fixture(scope="module")
def twice(haproxy: Path, mlflow_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scaled]:
    with scaled(tmp_path_factory.mktemp("scaled"), haproxy, mlflow_uri) as made:
        yield made


def counts(copies: Sequence[Copy], metric: str) -> list[float]:
    return [copy.count(metric) for copy in copies]


def even(before: list[float], after: list[float]) -> bool:
    """Whether all have done the same since, to a tenth."""
    done = [new - old for old, new in zip(before, after, strict=True)]
    mean = sum(done) / len(done)
    return mean > 0 and all(abs(one - mean) <= EVENLY * mean for one in done)


def assert_only_in_flight_were_lost(seen: Load, dead_at: float) -> None:
    """Of all requests, at most those that had been begun before something was dead got no answer."""
    lost = [one for one in seen.answers if one.status != 200]
    assert len(lost) <= CLIENTS, seen.statuses
    assert all(one.began <= dead_at for one in lost), (dead_at, lost)


async def test_work_is_shared_evenly(twice: Scaled) -> None:
    """Whichever other work slows down gets less meanwhile; so it is waited for until they are even."""
    shares = (
        (twice.tritons, "nv_inference_count"),
        (twice.tritons, "nv_inference_exec_count"),
        (twice.gateways, "fixgate_predictions_total"),
    )
    before = [counts(*share) for share in shares]
    async with load(twice.url) as clients:
        await clients.answered(200, REQUESTS, within_s=120)
        for share, then in zip(shares, before, strict=True):
            await until(lambda share=share, then=then: even(then, counts(*share)), within_s=60)


@pytest.mark.parametrize("number", [0, 1])
async def test_a_triton_killed_and_come_back_costs_no_request(number: int, twice: Scaled) -> None:
    killed = twice.tritons[number]
    async with load(twice.url) as clients:
        await clients.answered(200, 300)
        await asyncio.to_thread(killed.held.kill)
        await clients.answered(200, 300)
        await asyncio.to_thread(killed.held.start)
        await until(lambda: killed.count("nv_inference_count") > 0)
        await clients.answered(200, 300)


@pytest.mark.parametrize("number", [0, 1])
async def test_a_gateway_killed_costs_at_most_what_was_in_flight_there(number: int, twice: Scaled) -> None:
    killed = twice.gateways[number]
    async with load(twice.url, allowed=LOST) as clients:
        await clients.answered(200, 300)
        await asyncio.to_thread(killed.held.kill)
        dead_at = time.monotonic()
        await clients.answered(200, 300)
        await asyncio.to_thread(killed.held.start)
        await until(lambda: killed.count("fixgate_predictions_total") > 0)
        await clients.answered(200, 300)
    assert_only_in_flight_were_lost(clients, dead_at)


async def test_both_gateways_follow_one_catalogue_and_change_versions_without_a_lost_request(
    twice: Scaled,
) -> None:
    before, _ = twice.published()
    async with load(twice.url) as clients:
        await clients.answered(200, 100)
        number = await asyncio.to_thread(twice.register)
        await asyncio.to_thread(twice.promote, number)
        await until(lambda: twice.published()[1] == number)
        assert twice.ready(number) == [True, True]
        revision, _ = twice.published()
        await until(lambda: twice.followed() == [revision, revision])
        await clients.answered(200, 100)
    assert revision > before
