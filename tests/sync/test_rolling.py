"""Policies and rollouts over real parts: commands in, the registry's tags and the gateways' catalogue out."""

import time
from typing import Any

import msgspec
import pytest
import redis

from contract import command, keys, rollout
from contract.catalog import RoutePolicy
from contract.command import Command, Reply
from contract.rollout import Rollout
from contract.version_record import FINE, VersionRecord, dump, field_name
from tests.sync import models
from tests.sync.rig import Rig, again

pytestmark = pytest.mark.stack

PLAN = {
    "steps": [50, 100],
    "every_s": 1,
    "guards": {"max_error_rate": 0.5, "max_p95_ms": None, "max_shift": None, "min_requests": 3},
}


@pytest.fixture
def both(sync_rig: Rig) -> Rig:
    """Version 1 is the champion and served; version 2 is only registered."""
    sync_rig.register_files(models.localiser(1), "champion")
    sync_rig.run_until(lambda: sync_rig.champion == 1)
    sync_rig.register_files(models.localiser(2))
    sync_rig.settle()
    return sync_rig


def ordered(rig: Rig, action: Any, version: int | None = None, **arguments: Any) -> Reply:
    """Sync's answer to a command."""
    given = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in arguments.items()}
    asked = Command(f"c-{time.time_ns()}", action, "me", 0.0, time.time() + 60, rig.name, version, given)
    with redis.Redis.from_url(rig.redis_url) as client:
        client.xadd(keys.COMMANDS, {"command": command.dump(asked)})
        rig.run_until(lambda: bool(client.exists(keys.reply(asked.id))), action)
        answer = client.lpop(keys.reply(asked.id))
    assert isinstance(answer, bytes)
    return command.parse_reply(answer)


def answers(rig: Rig, answered: int, failed: int = 0) -> None:
    """Gateways record this of version 2, from now on."""
    record = dump(VersionRecord(answered=answered, errors={"BadAnswer": failed}))
    start = FINE.start(time.time())
    with redis.Redis.from_url(rig.redis_url) as client:
        client.hset(keys.version_records(rig.name, FINE.window_s, start), field_name(2, "test"), record)


def kept(rig: Rig) -> Rollout:
    """The rollout as the registry has it."""
    return rollout.parse(rig.client.get_registered_model(rig.name).tags["fixgate.rollout"])


def policy(rig: Rig) -> RoutePolicy | None:
    return rig.served.routing if rig.served else None


def test_weights_are_in_the_registry_and_give_way_when_they_expire(both: Rig) -> None:
    rig = both
    rig.client.set_model_version_tag(rig.name, "2", "fixgate.serve", "true")
    rig.parts.watch.look_again()
    rig.run_until(lambda: rig.numbers == [1, 2])
    lasting = ordered(rig, "route", weights={"champion": 9, "2": 1})
    assert (lasting.ok, lasting.before, lasting.after) == (
        True,
        {"champion": 100.0},
        {"champion": 9.0, "2": 1.0},
    )
    assert lasting.revision == (rig.catalog.revision if rig.catalog else None)
    brief = ordered(rig, "route", weights={"2": 1}, expires_in_s=1)
    assert brief.after == {"2": 1.0}
    assert (
        '"then":{"weights":{"champion":9.0,"2":1.0}}'
        in rig.client.get_registered_model(rig.name).tags["fixgate.routing"]
    )
    rig.run_until(lambda: policy(rig) == RoutePolicy({"champion": 9.0, "2": 1.0}), "expired")
    assert (
        rig.client.get_registered_model(rig.name).tags["fixgate.routing"]
        == '{"weights":{"champion":9.0,"2":1.0}}'
    )
    routes = [(one.by.split(" ")[0], one.message) for one in rig.journal("route")]
    assert routes == [
        ("me", "champion=9 2=1 (before: champion=100)"),
        ("me", "2=1 (before: champion=9 2=1)"),
        ("expiry", "champion=9 2=1 (before: 2=1)"),
    ]


def test_a_rollout_survives_restarts_and_an_emptied_redis_and_promotes_at_its_end(both: Rig) -> None:
    rig = both
    assert ordered(rig, "rollout", 2, do="start", plan=PLAN).ok
    assert not ordered(rig, "rollout", 2, do="start", plan=PLAN).ok
    rig.run_until(lambda: policy(rig) == RoutePolicy({"champion": 50.0, "2": 50.0}), "the first step")
    answers(rig, 5)
    with redis.Redis.from_url(rig.redis_url) as client:
        client.flushall()
    rig = again(rig)
    rig.run_until(lambda: policy(rig) == RoutePolicy({"champion": 50.0, "2": 50.0}), "the catalogue again")
    assert kept(rig).step == 0
    answers(rig, 5)
    rig.run_until(lambda: kept(rig).step == 1, "the second step")
    answers(rig, 5)
    rig = again(rig)
    rig.run_until(lambda: kept(rig).phase == "promoted", "promoted")
    rig.run_until(lambda: policy(rig) is None and rig.champion == 2, "the champion's alone")
    rig.settle()
    assert rig.tags(2)["fixgate.rollout"] == "promoted: every step held"
    told = [one.message for one in rig.journal("rollout")]
    assert told == [
        "waits until the version is served; then 50, 100 %",
        "50 % of the traffic",
        "100 % of the traffic",
        "promoted: every step held",
    ]
    rig.stop()


def test_a_rollout_goes_back_at_once_when_a_guard_breaks_and_says_why(both: Rig) -> None:
    rig = both
    assert ordered(rig, "rollout", 2, do="start", plan={**PLAN, "every_s": 600}).ok
    rig.run_until(lambda: policy(rig) is not None and kept(rig).phase == "running", "the first step")
    answers(rig, 1, failed=4)
    rig.run_until(lambda: kept(rig).phase == "failed", "failed")
    assert policy(rig) is None
    assert rig.champion == 1
    rig.settle()
    why = "failed: at 50 %: error rate 80.00% of 5 (limit 50.00%, champion none)"
    assert rig.tags(2)["fixgate.rollout"] == why
    assert rig.journal("rollout")[-1].message == why
    assert b'outcome="failed"} 1.0' in rig.parts.watch.metrics.render()
    assert not ordered(rig, "rollout", do="pause").ok
