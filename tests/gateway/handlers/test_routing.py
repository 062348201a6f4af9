"""Policies, promotions and rollbacks over real HTTP, with a real Redis; the test plays sync's side."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from contract import keys
from contract.catalog import RoutePolicy
from contract.command import Command, Fault, Reply
from contract.version_record import FINE, VersionRecord, dump, field_name
from gateway.config import Config
from gateway.redis_client import connect
from tests.gateway import stand
from tests.gateway.conftest import ECHO, MEL, Gateway, StartGateway
from tests.gateway.handlers.test_deployments import sync

URL = f"/models/{MEL}/routing"
LASTING = RoutePolicy({"champion": 9.0})


def putting(
    config: Config, gateway: Gateway, policy: RoutePolicy | None, etag: str
) -> Callable[[Command], Reply]:
    """Sync, which puts this policy into the catalogue before it answers."""

    def answer(one: Command) -> Reply:
        current = gateway.services.feed.current
        assert current is not None
        model = msgspec.structs.replace(current.models[MEL], routing=policy, routing_etag=etag)
        catalog = msgspec.structs.replace(
            current, revision=current.revision + 1, models={**current.models, MEL: model}
        )
        stand.announce(config.redis_url, catalog, catalog.revision)
        return Reply(one.id, ok=True, message="done", revision=catalog.revision)

    return answer


async def asked(gateway: Gateway, method: str, url: str = URL, **options: Any) -> tuple[int, Any, str | None]:
    """Status, document and ETag."""
    async with gateway.client.request(method, url, **options) as response:
        return response.status, await response.json(), response.headers.get("ETag")


async def test_without_a_policy_the_champion_takes_all(gateway: Gateway) -> None:
    status, told, etag = await asked(gateway, "GET")
    assert (status, etag) == (200, f'"{told["etag"]}"')
    assert (told["source"], told["weights"]) == ("champion", {"champion": 100.0})
    assert (told["shares"], told["aliases"]) == ({"1": 1.0}, {"champion": "1", "candidate": "2"})


async def test_weights_are_sent_to_sync_and_answered_once_they_are_followed(
    gateway: Gateway, config: Config
) -> None:
    policy = RoutePolicy({"champion": 3.0, "candidate": 1.0}, expires_at=4e9, then=LASTING)
    body = {"weights": {"champion": 3, "candidate": 1}, "expires_in_s": 60}
    async with sync(config, putting(config, gateway, policy, "new")) as taken:
        status, told, etag = await asked(gateway, "PUT", json=body, headers={"If-Match": '"old", W/"weak"'})
    assert (status, etag) == (200, '"new"')
    assert told["source"] == "temporary"
    assert told["weights"] == {"champion": 3.0, "candidate": 1.0}
    assert told["then"] == {"champion": 9.0}
    assert told["expires_at"] == "2096-10-02T07:06:40.000Z"
    assert told["shares"] == {"1": 0.75, "2": 0.25}
    (command,) = taken
    assert (command.action, command.model) == ("route", MEL)
    arguments = {name: msgspec.json.decode(value) for name, value in command.arguments.items()}
    assert arguments == {
        "weights": {"champion": 3.0, "candidate": 1.0},
        "expires_in_s": 60.0,
        "if_match": ["old", "W/weak"],
    }


async def test_taking_the_policy_away_leaves_the_champion_alone(gateway: Gateway, config: Config) -> None:
    async with sync(config, putting(config, gateway, None, "none")) as taken:
        status, told, etag = await asked(gateway, "DELETE")
    assert (status, etag, told["source"]) == (200, '"none"', "champion")
    assert taken[0].arguments == {}


@pytest.mark.parametrize(
    ("body", "headers", "says"),
    [
        ({}, {}, "weights"),
        ({"weights": {}}, {}, "weights"),
        ({"weights": {"champion": -1}}, {}, "weights[...]"),
        ({"weights": {"champion": "all"}}, {}, "weights[...]"),
        ({"weights": {"champion": 1}, "expires_in_s": 0}, {}, "expires_in_s"),
        ({"weights": {"champion": 1}, "expires_in_s": 1e9}, {}, "2592000"),
        ({"weights": {"champion": 1}, "for": 1}, {}, "for"),
        ({"weights": {"champion": 1}}, {"If-Match": "abc"}, "If-Match"),
    ],
)
async def test_a_policy_that_is_none_names_its_field(
    gateway: Gateway, body: Any, headers: dict[str, str], says: str
) -> None:
    status, told, _ = await asked(gateway, "PUT", json=body, headers=headers)
    assert (status, says in told["detail"]) == (400, True), told["detail"]


@pytest.mark.parametrize(
    ("fault", "status"),
    [("invalid", 400), ("not_found", 404), ("conflict", 409), ("precondition", 412), ("unavailable", 503)],
)
async def test_why_sync_refuses_is_the_status(
    gateway: Gateway, config: Config, fault: Fault, status: int
) -> None:
    async with sync(config, lambda one: Reply(one.id, ok=False, message="because", fault=fault)):
        got, told, _ = await asked(gateway, "PUT", json={"weights": {"champion": 1}})
    assert (got, told["detail"]) == (status, "because")


async def test_a_change_that_this_gateway_does_not_hear_of_is_no_success(
    gateway: Gateway, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.handlers.command.CATALOGUE_S", 0.1)
    async with sync(config, lambda one: Reply(one.id, ok=True, message="done", revision=10**15)):
        status, told, _ = await asked(gateway, "DELETE")
    assert (status, "has not heard of catalogue revision" in told["detail"]) == (503, True)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_model_that_is_not_served_has_no_policy(gateway: Gateway, method: str) -> None:
    status, told, _ = await asked(gateway, method, "/models/none/routing")
    assert (status, 'no model "none"' in told["detail"]) == (404, True)


@pytest.mark.parametrize(("action", "body", "version"), [("promote", {"version": "2"}, 2),
                                                         ("promote", None, None),
                                                         ("rollback", {"version": 1}, 1)])  # fmt: skip
async def test_the_champion_is_moved_by_sync(
    gateway: Gateway, config: Config, action: str, body: Any, version: int | None
) -> None:
    def moved(one: Command) -> Reply:
        return Reply(one.id, ok=True, message="done", before={MEL: 1}, after={MEL: 2})

    async with sync(config, moved) as taken:
        status, told, _ = await asked(gateway, "POST", f"/models/{MEL}/{action}", json=body)
    assert status == 200
    assert told == {"model": MEL, "message": "done", "previous_version": "1", "version": "2"}
    assert (taken[0].action, taken[0].model, taken[0].version) == (action, MEL, version)


async def recorded(gateway: Gateway, version: int, **counts: Any) -> None:
    """Some gateway recorded this of a version just now."""
    name = keys.version_records(MEL, FINE.window_s, FINE.start(time.time()))
    async with connect(gateway.services.config.redis_url, max_connections=1) as client:
        await client.hset(name, field_name(version, "other"), dump(VersionRecord(**counts)))


async def test_what_became_of_each_versions_traffic_is_told(gateway: Gateway) -> None:
    await recorded(gateway, 2, answered=8, errors={"BadAnswer": 2, "InvalidInput": 5})
    _, told, _ = await asked(gateway, "GET", f"{URL}?window_s=60")
    assert told["window_s"] == 60
    first, second = told["versions"]
    assert first == {"version": "1", "requests": 0, "errors": {}, "fell_back": 0}
    assert second == {
        "version": "2",
        "requests": 15,
        "errors": {"BadAnswer": 2, "InvalidInput": 5},
        "fell_back": 0,
        "error_rate": 0.2,
    }


@pytest.mark.parametrize("query", ["window_s=9", "window_s=604801", "window_s=an hour", "limit=1"])
async def test_a_window_that_is_none_is_refused(gateway: Gateway, query: str) -> None:
    status, told, _ = await asked(gateway, "GET", f"{URL}?{query}")
    assert (status, query.partition("=")[0] in told["detail"]) == (400, True)


async def test_without_sync_nothing_is_changed(start_gateway: StartGateway, alone: Config) -> None:
    gateway = await start_gateway(alone)
    url = f"/models/{ECHO}/routing"
    status, told, _ = await asked(gateway, "GET", url)
    assert (status, told["shares"], "versions" in told) == (200, {"1": 1.0}, False)
    status, told, _ = await asked(gateway, "PUT", url, json={"weights": {"champion": 1}})
    assert (status, "Redis, which does not answer" in told["detail"]) == (503, True)
