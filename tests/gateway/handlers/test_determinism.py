"""The same bytes to the same version give the same answer, whatever batch they travelled in.

As MLPerf checks accuracy under load: first each recording alone, then all of them again and again, at once,
in every form, beside other traffic, never from the cache.
"""

import asyncio
import random
from typing import Any

import numpy as np
import pytest
from aiohttp import ClientSession

from tests.gateway import stand
from tests.gateway.conftest import MEL, Gateway
from tests.gateway.handlers.test_predict import NPY, RAW, numbers, pairs, post, truth
from tests.launch import Triton

RECORDINGS = [stand.iq(seed) for seed in range(8)]
NO_CACHE = "cache_enabled=false"
TIME = {"X-Request-Timeout-Ms": "60000"}
PATHS = {1: f"/models/{MEL}/versions/1/predict", 2: f"/models/{MEL}/versions/2/predict"}


async def single(gateway: Gateway, version: int, number: int, form: int) -> list[dict[str, Any]]:
    """One recording, in one of three forms."""
    recording, path = RECORDINGS[number], PATHS[version]
    if form == 0:
        sent = (f"{path}?{NO_CACHE}", {"data": stand.npy(recording), "headers": NPY | TIME})
    elif form == 1:
        query = f"{path}?{NO_CACHE}&dtype=cf32_le&receivers=3"
        sent = (query, {"data": recording.tobytes(), "headers": RAW | TIME})
    else:
        sent = (path, {"json": {"iq_data": pairs(recording), "cache_enabled": False}, "headers": TIME})
    status, answer, _ = await post(gateway, sent[0], **sent[1])
    assert status == 200, answer
    return [answer]


async def batch(gateway: Gateway, version: int, chosen: list[int]) -> list[dict[str, Any]]:
    """Several recordings in one request."""
    body = stand.npy(np.stack([RECORDINGS[number] for number in chosen]))
    path = f"{PATHS[version]}/batch?{NO_CACHE}"
    status, answer, _ = await post(gateway, path, data=body, headers=NPY | TIME)
    assert status == 200, answer
    assert answer["failed"] == 0
    found: list[dict[str, Any]] = answer["predictions"]
    return found


async def test_an_answer_does_not_depend_on_the_batch_it_travelled_in(
    gateway: Gateway, models: dict[str, stand.Model], triton: Triton
) -> None:
    expected = {
        (version, number): numbers((await single(gateway, version, number, 0))[0])
        for version in PATHS
        for number in range(len(RECORDINGS))
    }
    for (version, number), alone in expected.items():
        model = models[MEL if version == 1 else f"{MEL}:2"]
        assert alone == pytest.approx(truth(model, RECORDINGS[number]), rel=1e-5, abs=1e-5)
    chance, asked = random.Random(3), []
    for _ in range(120):
        version, size = chance.choice([1, 1, 2]), chance.choice([1, 1, 1, 2, 5, 11])
        chosen = [chance.randrange(len(RECORDINGS)) for _ in range(size)]
        if size == 1:
            work = single(gateway, version, chosen[0], chance.randrange(3))
        else:
            work = batch(gateway, version, chosen)
        asked.append((version, chosen, work))
    answers = await asyncio.gather(*(work for *_, work in asked))
    for (version, chosen, _), found in zip(asked, answers, strict=True):
        for number, one in zip(chosen, found, strict=True):
            assert one["model_version"] == str(version)
            assert numbers(one) == pytest.approx(expected[version, number], rel=1e-5, abs=1e-5)
    assert await rows_of_calls(triton) >= {1, stand.MAX_BATCH}


async def rows_of_calls(triton: Triton) -> set[int]:
    """How many rows the executions had, as Triton counted them."""
    async with (
        ClientSession() as session,
        session.get(f"http://{triton.http}/v2/models/{MEL}/stats") as response,
    ):
        stats = await response.json()
    return {one["batch_size"] for version in stats["model_stats"] for one in version["batch_stats"]}
