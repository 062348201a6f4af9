"""Reloads and the journal over real HTTP, with a real Redis; the test plays sync's side of the stream."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from contract import command, deployment, keys
from contract.command import Command, Reply
from contract.deployment import Deployment
from gateway.config import Config
from gateway.redis_client import connect
from tests.gateway import stand
from tests.gateway.conftest import ECHO, MEL, Gateway, StartGateway
from tests.gateway.waiting import until

Answer = Callable[[Command], Reply | bytes]


@contextlib.asynccontextmanager
async def sync(config: Config, answer: Answer) -> AsyncIterator[list[Command]]:
    """Answers commands as sync does; yields those it was given."""
    taken: list[Command] = []
    client = connect(config.redis_url, max_connections=2)

    async def work() -> None:
        last = b"0"
        while True:
            heard: Any = await client.xread({keys.COMMANDS: last}, block=100)
            for entry, fields in heard[0][1] if heard else ():
                last = entry
                taken.append(one := command.parse_command(fields[b"command"]))
                told = answer(one)
                reply = told if isinstance(told, bytes) else command.dump(told)
                await client.lpush(keys.reply(one.id), reply)

    task = asyncio.create_task(work())
    try:
        yield taken
    finally:
        task.cancel()
        await asyncio.wait([task])
        await client.aclose()


def done(one: Command) -> Reply:
    """The champion moved from 1 to 2."""
    return Reply(one.id, ok=True, message="done", before={MEL: 1}, after={MEL: 2})


async def reload(gateway: Gateway, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Status and answer."""
    async with gateway.client.post("/model/reload", json=body or {}, headers=headers) as response:
        return response.status, await response.json()


async def test_a_reload_is_carried_out_by_sync(gateway: Gateway, config: Config) -> None:
    before = time.time()
    async with sync(config, done) as taken:
        status, told = await reload(gateway)
    assert status == 200
    assert told.pop("reload_time_ms") > 0
    assert told.pop("timestamp").endswith("Z")
    assert told == {
        "success": True,
        "message": "done",
        "previous_version": "1",
        "new_version": "2",
        "requests_drained": 0,
    }
    (asked,) = taken
    assert (asked.action, asked.model, asked.version) == ("reload", None, None)
    assert before <= asked.issued_at < asked.expires_at <= time.time() + 30
    assert asked.by.startswith("gateway, for 127.0.0.1")


async def test_a_body_may_be_missing(gateway: Gateway, config: Config) -> None:
    async with sync(config, done), gateway.client.post("/model/reload") as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "wanted",
    [{"version_id": "2"}, {"version_id": 1, "stage": "Champion"}, {"stage": "candidate", "force": True}],
)
async def test_what_was_wanted_is_served(gateway: Gateway, config: Config, wanted: Any) -> None:
    async with sync(config, done):
        assert (await reload(gateway, wanted))[0] == 200


async def test_what_was_wanted_and_is_not_served_is_a_conflict(
    gateway: Gateway, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.handlers.deployments.CATALOGUE_S", 0.1)
    for wanted, says in (
        ({"version_id": "9"}, "version 9"),
        ({"stage": "none"}, 'alias "none"'),
        ({"version_id": 1, "stage": "candidate"}, 'version 1 with stage or alias "candidate"'),
    ):
        async with sync(config, done):
            status, told = await reload(gateway, wanted)
        assert (status, says in told["detail"]) == (409, True)


async def test_a_version_that_the_reload_brings_is_waited_for(gateway: Gateway, config: Config) -> None:
    """Sync's answer may overtake its catalogue."""
    current = gateway.services.feed.current
    assert current is not None
    models = dict(current.models)
    third = stand.mel_model(MEL, 3).served()
    models[MEL] = stand.served_model(*models[MEL].versions, third, name=MEL)
    async with sync(config, done) as taken:
        asking = asyncio.create_task(reload(gateway, {"version_id": "3"}))
        await until(lambda: bool(taken))
        newer = stand.catalogue(*models.values(), revision=2, default=MEL)
        stand.announce(config.redis_url, newer, revision=2)
        assert (await asking)[0] == 200


async def test_without_sync_a_reload_says_so(gateway: Gateway) -> None:
    status, told = await reload(gateway, **{"X-Request-Timeout-Ms": "200"})
    assert status == 503
    assert "sync did not answer within" in told["detail"]


async def test_what_sync_cannot_do_is_told(gateway: Gateway, config: Config) -> None:
    async with sync(config, lambda one: Reply(one.id, ok=False, message="the registry is away")):
        status, told = await reload(gateway)
    assert (status, told["detail"]) == (503, "sync could not reload: the registry is away")


async def test_an_answer_that_is_none_is_told(gateway: Gateway, config: Config) -> None:
    async with sync(config, lambda _: b"{}"):
        status, told = await reload(gateway)
    assert (status, "sync's answer cannot be read" in told["detail"]) == (503, True)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"version_id": "x"}, "version_id"),
        ({"force": 1}, "force"),
        ({"model": "m"}, "model"),
        ([1], "object"),
    ],
)
async def test_a_reload_that_is_none_is_refused(gateway: Gateway, body: Any, says: str) -> None:
    status, told = await reload(gateway, body)
    assert (status, says in told["detail"]) == (400, True)


async def test_the_journal_lists_one_models_entries_newest_first(gateway: Gateway, config: Config) -> None:
    entries = [
        Deployment(at=1.5, event="publish", model=MEL, version=1, digest="d", duration_s=2.0),
        Deployment(at=2.0, event="publish", model="other", version=1),
        Deployment(at=3.0, event="switch", model=MEL, version=2, alias="champion", previous=1, by="ops"),
    ]
    async with connect(config.redis_url, max_connections=1) as client:
        for entry in entries:
            await client.xadd(keys.JOURNAL, {"entry": deployment.dump(entry)})
        await client.xadd(keys.JOURNAL, {"entry": b"not one"})
    async with gateway.client.get(f"/models/{MEL}/deployments") as response:
        found = await response.json()
    assert found["model"] == MEL
    switch, publish = found["deployments"]
    assert switch == {
        "timestamp": "1970-01-01T00:00:03.000Z", "event": "switch", "model": MEL, "version": "2",
        "alias": "champion", "previous": "1", "by": "ops",
    }  # fmt: skip
    assert (publish["event"], publish["timestamp"], publish["duration_s"]) == (
        "publish",
        "1970-01-01T00:00:01.500Z",
        2.0,
    )
    async with gateway.client.get(f"/models/{MEL}/deployments?limit=1") as response:
        assert (await response.json())["deployments"] == [switch]
    async with gateway.client.get("/models/other/deployments") as response:
        assert len((await response.json())["deployments"]) == 1  # retired models keep their history
    async with gateway.client.get(f"/models/{ECHO}/deployments") as response:
        assert (await response.json())["deployments"] == []


async def test_a_journal_of_nothing_is_not_found(gateway: Gateway) -> None:
    async with gateway.client.get("/models/none/deployments") as response:
        assert response.status == 404
    async with gateway.client.get(f"/models/{MEL}/deployments?limit=0") as response:
        assert response.status == 400


async def test_without_redis_both_say_so(start_gateway: StartGateway, alone: Config) -> None:
    gateway = await start_gateway(alone)
    async with gateway.client.get(f"/models/{ECHO}/deployments") as response:
        assert (response.status, "Redis" in (await response.json())["detail"]) == (503, True)
    status, told = await reload(gateway)
    assert (status, "Redis, which does not answer" in told["detail"]) == (503, True)
