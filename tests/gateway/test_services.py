"""What lives as long as the process."""

import asyncio
import logging

import pytest

from gateway.config import Config
from gateway.services import _for_ever, running
from tests.gateway.waiting import until


async def test_background_work_outlives_its_own_faults(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.services.RESTART_S", 0.0)
    begun = 0

    async def faulty() -> None:
        nonlocal begun
        begun += 1
        raise ZeroDivisionError

    task = asyncio.create_task(_for_ever(faulty))
    await until(lambda: begun >= 3)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert "ZeroDivisionError" in caplog.text


async def test_nothing_is_left_behind(alone: Config, caplog: pytest.LogCaptureFixture) -> None:
    before = asyncio.all_tasks()
    with caplog.at_level(logging.ERROR):
        async with running(alone) as services:
            assert services.feed.source == "snapshot"
            assert asyncio.all_tasks() - before
        assert asyncio.all_tasks() == before
    # gRPC's poller may still speak to the closed event loop of whichever test used it before.
    ours = [one for one in caplog.records if "PollerCompletionQueue" not in one.getMessage()]
    assert not ours, caplog.text
