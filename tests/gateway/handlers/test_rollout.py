"""Rollouts over real HTTP, with a real Redis; the test plays sync's side of the stream."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from contract.command import Command, Reply
from contract.rollout import Guards, Plan, Rollout
from gateway.config import Config
from tests.gateway import stand
from tests.gateway.conftest import ECHO, MEL, Gateway
from tests.gateway.handlers.test_deployments import sync
from tests.gateway.handlers.test_routing import asked

URL = f"/models/{MEL}/rollout"
PLAN = Plan((5.0, 100.0), 60.0, Guards(max_shift=None))
RUNNING = Rollout("r-1", 2, 1, PLAN, "me", 0.0, phase="running", since=10.0)


def under_way(config: Config, gateway: Gateway, rollout: Rollout) -> Callable[[Command], Reply]:
    """Sync, which puts this rollout into the catalogue before it answers."""

    def answer(one: Command) -> Reply:
        current = gateway.services.feed.current
        assert current is not None
        model = msgspec.structs.replace(current.models[MEL], rollout=rollout)
        catalog = msgspec.structs.replace(
            current, revision=current.revision + 1, models={**current.models, MEL: model}
        )
        stand.announce(config.redis_url, catalog, catalog.revision)
        return Reply(one.id, ok=True, message="done", revision=catalog.revision)

    return answer


async def test_a_rollout_is_begun_by_sync_and_shown(gateway: Gateway, config: Config) -> None:
    body = {"version": "2", "steps": [5, 100], "every_s": 60, "guards": {"max_shift": None}}
    async with sync(config, under_way(config, gateway, RUNNING)) as taken:
        status, told, _ = await asked(gateway, "POST", URL, json=body)
    assert status == 200
    (command,) = taken
    assert (command.action, command.model, command.version) == ("rollout", MEL, 2)
    assert msgspec.json.decode(command.arguments["do"]) == "start"
    assert msgspec.json.decode(command.arguments["plan"], type=Plan) == PLAN
    assert (await asked(gateway, "GET", URL))[1] == told
    assert told.pop("waits_for") == ["0 of 200 requests"]
    assert told == {
        "id": "r-1",
        "model": MEL,
        "version": "2",
        "champion": "1",
        "phase": "running",
        "paused": False,
        "share": 0.05,
        "step": 0,
        "steps": [5.0, 100.0],
        "every_s": 60.0,
        "guards": {"max_error_rate": 0.01, "max_p95_ms": 500.0, "max_shift": None, "min_requests": 200},
        "by": "me",
        "started_at": "1970-01-01T00:00:00.000Z",
        "step_since": "1970-01-01T00:00:10.000Z",
        "next_step_at": "1970-01-01T00:01:10.000Z",
    }


@pytest.mark.parametrize(
    ("method", "body", "do"),
    [
        ("PATCH", {"action": "pause"}, "pause"),
        ("PATCH", {"action": "resume"}, "resume"),
        ("DELETE", None, "abort"),
    ],
)
async def test_a_rollout_is_paused_resumed_and_aborted_by_sync(
    gateway: Gateway, config: Config, method: str, body: Any, do: str
) -> None:
    ended = msgspec.structs.replace(RUNNING, phase="aborted", ended_at=20.0, reason="aborted by me")
    async with sync(config, under_way(config, gateway, ended)) as taken:
        status, told, _ = await asked(gateway, method, URL, json=body)
    assert (status, told["phase"], told["share"], told["reason"]) == (200, "aborted", 0.0, "aborted by me")
    assert told["ended_at"] == "1970-01-01T00:00:20.000Z"
    assert {name: msgspec.json.decode(one) for name, one in taken[0].arguments.items()} == {"do": do}


@pytest.mark.parametrize(
    ("method", "body", "says"),
    [
        ("POST", {}, "version"),
        ("POST", {"version": "two"}, "version"),
        ("POST", {"version": 2, "steps": []}, "steps"),
        ("POST", {"version": 2, "steps": [50, 5]}, "steps must ascend"),
        ("POST", {"version": 2, "steps": [101]}, "<= 100"),
        ("POST", {"version": 2, "every_s": 0}, "every_s"),
        ("POST", {"version": 2, "guards": {"max_error_rate": 2}}, "guards.max_error_rate"),
        ("POST", {"version": 2, "guards": {"max_errors": 2}}, "max_errors"),
        ("PATCH", {}, "action"),
        ("PATCH", {"action": "stop"}, "action"),
    ],
)
async def test_a_plan_that_is_none_names_its_field(
    gateway: Gateway, method: str, body: Any, says: str
) -> None:
    status, told, _ = await asked(gateway, method, URL, json=body)
    assert (status, says in told["detail"]) == (400, True), told["detail"]


async def test_a_rollout_beside_another_is_a_conflict(gateway: Gateway, config: Config) -> None:
    async with sync(config, lambda one: Reply(one.id, ok=False, message="under way", fault="conflict")):
        status, told, _ = await asked(gateway, "POST", URL, json={"version": 2})
    assert (status, told["detail"]) == (409, "under way")


async def test_a_model_without_a_rollout_says_so(gateway: Gateway) -> None:
    status, told, _ = await asked(gateway, "GET", f"/models/{ECHO}/rollout")
    assert (status, told["detail"]) == (404, f'model "{ECHO}" has had no rollout')
