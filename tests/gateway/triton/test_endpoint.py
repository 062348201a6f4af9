"""Breakers, retries and shared memory against servers that do what a real Triton cannot be told to."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest

from gateway.domain import Float, Lane, RawOutputs
from gateway.errors import BadAnswer, FixgateError, Unavailable
from gateway.triton import endpoint as triton_endpoint
from gateway.triton.breaker import FAILURES, Breaker
from gateway.triton.endpoints import Triton
from tests.gateway import stand
from tests.gateway.triton.sharing_triton import SharingTriton, sharing_triton
from tests.gateway.waiting import settle, until
from tests.launch import free_ports

ECHO = stand.echo_model("echo")


def lane(version: int = 1) -> Lane:
    """Where rows of five go."""
    return Lane("echo", version, "x", (5,), ECHO.contract.output)


def rows(value: float, count: int = 1) -> list[Float]:
    """Rows that are like no other's."""
    return [np.full(5, value, np.float32) for _ in range(count)]


def right(answer: RawOutputs, value: float) -> bool:
    """Whether an answer is to those rows."""
    return bool((np.hstack(answer) == np.float32(value)).all())


@pytest.fixture
async def server() -> AsyncIterator[SharingTriton]:
    """A Triton in name only."""
    async with sharing_triton() as running:
        yield running


@pytest.fixture
async def client(server: SharingTriton) -> AsyncIterator[Triton]:
    """A client that shares memory with it."""
    client = Triton([server.address], shared_memory="on")
    await until(lambda: client.status()[0].shared_memory)
    yield client
    server.gate.set()
    await client.close()


async def in_memory(client: Triton, server: SharingTriton) -> None:
    """Call until a call went through shared memory."""
    before = len(server.read_from)

    async def did() -> bool:
        assert right(await client.infer(lane(), rows(1)), 1)
        return len(server.read_from) > before

    await until(did)


async def test_a_call_that_was_given_up_keeps_its_region_until_triton_has_answered(
    client: Triton, server: SharingTriton
) -> None:
    """Triton looks at the rows long after their request is gone: nobody else's may be there by then."""
    await in_memory(client, server)
    server.gate.clear()
    first = asyncio.create_task(client.infer(lane(), rows(2)))
    await until(lambda: server.held == 1)
    first.cancel()
    await asyncio.wait([first])
    others = [asyncio.create_task(client.infer(lane(), rows(value))) for value in (3, 4, 5)]
    await until(lambda: server.held == 4)
    [used] = [name for name, readers in server.readers.items() if name and readers][:1]
    assert np.frombuffer(server.regions[used][:20], np.float32).tolist() == [2.0] * 5
    server.gate.set()
    for value, answer in zip((3, 4, 5), await asyncio.gather(*others), strict=True):
        assert right(answer, value)
    await until(lambda: client.status()[0].lingering == 0)


async def test_under_pressure_rows_go_in_bodies_and_every_answer_is_its_own(
    client: Triton, server: SharingTriton
) -> None:
    await in_memory(client, server)
    server.gate.clear()
    calls = [asyncio.create_task(client.infer(lane(), rows(value, 1 + value % 3))) for value in range(40)]
    await until(lambda: server.held == 40)
    server.gate.set()
    for value, answer in enumerate(await asyncio.gather(*calls)):
        assert len(answer.positions) == 1 + value % 3
        assert right(answer, value)


async def test_a_region_that_triton_has_forgotten_costs_no_request_and_is_made_anew(
    client: Triton, server: SharingTriton
) -> None:
    await in_memory(client, server)
    old = set(server.read_from)
    server.regions.clear()
    assert right(await client.infer(lane(), rows(7)), 7)
    await until(lambda: client.status()[0].shared_memory)
    await in_memory(client, server)
    assert server.read_from[-1] not in old


async def test_calls_given_up_are_limited_and_the_version_comes_back_by_itself(
    client: Triton, server: SharingTriton
) -> None:
    server.gate.clear()
    for count in range(1, triton_endpoint.LINGERING + 1):
        call = asyncio.create_task(client.infer(lane(), rows(1)))
        await until(lambda count=count: server.held == count)
        call.cancel()
        await asyncio.wait([call])
    assert not client.available("echo", 1)
    assert client.available("echo", 2)
    with pytest.raises(Unavailable, match="cannot keep up"):
        await client.infer(lane(), rows(1))
    server.gate.set()
    await until(lambda: client.available("echo", 1))
    assert right(await client.infer(lane(), rows(2)), 2)


async def test_calls_that_are_never_answered_open_the_breaker_and_an_answer_closes_it(
    client: Triton, server: SharingTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton_endpoint, "GIVEN_UP_S", 0.0)
    server.gate.clear()
    for count in range(1, FAILURES + 1):
        call = asyncio.create_task(client.infer(lane(), rows(1)))
        await until(lambda count=count: server.held == count)
        call.cancel()
        await asyncio.wait([call])
    assert client.status()[0].breakers == (Breaker("echo", 1, "open"),)
    assert not client.available("echo", 1)
    server.gate.set()
    await until(lambda: client.available("echo", 1))
    assert client.status()[0].breakers == ()


async def test_a_call_that_is_never_answered_ends_at_last_and_its_region_is_not_used_again(
    client: Triton, server: SharingTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton_endpoint, "LINGER_S", 0.0)
    await in_memory(client, server)
    used = server.read_from[-1]
    server.gate.clear()
    call = asyncio.create_task(client.infer(lane(), rows(1)))
    await until(lambda: server.held == 1)
    call.cancel()
    await asyncio.wait([call])
    await until(lambda: client.status()[0].in_flight == 0)
    await until(lambda: server.held == 0)  # it has heard too, and will not look at these rows any more
    server.gate.set()
    await until(lambda: used not in server.regions)
    await in_memory(client, server)
    assert server.read_from.count(used) == 1


async def broken(client: Triton, version: int) -> FixgateError:
    """Fail a version until its breaker opens."""
    for _ in range(FAILURES):
        assert client.available("echo", version)
        with pytest.raises(FixgateError) as caught:
            await client.infer(lane(version), rows(1))
    return caught.value


async def test_a_failing_version_is_left_alone_and_tried_with_zeros_until_it_answers(
    client: Triton, server: SharingTriton
) -> None:
    server.fails["1"] = grpc.StatusCode.INTERNAL
    assert isinstance(await broken(client, 1), BadAnswer)
    asked = len(server.asked)
    assert not client.available("echo", 1)
    with pytest.raises(Unavailable, match="fails in Triton"):
        await client.infer(lane(1), rows(1))
    assert len(server.asked) == asked
    assert right(await client.infer(lane(2), rows(2)), 2)
    await until(lambda: not client.available("echo", 1) and server.asked.count("1") > FAILURES + 1)
    assert not client.available("echo", 1)
    server.fails.clear()
    await until(lambda: client.available("echo", 1))
    assert right(await client.infer(lane(1), rows(3)), 3)
    assert client.status()[0].breakers == ()


async def test_input_that_a_model_refuses_opens_no_breaker(client: Triton, server: SharingTriton) -> None:
    """Otherwise one client could take a version away from all."""
    server.fails["1"] = grpc.StatusCode.INVALID_ARGUMENT
    await broken(client, 1)
    await broken(client, 1)
    assert client.available("echo", 1)


async def test_garbage_is_a_bad_answer_and_counts_as_a_failure(
    client: Triton, server: SharingTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def garbage(*_: object, **__: object) -> bytes:
        return b"\xff\xff\xff"

    monkeypatch.setattr(client._endpoints[0].channel, "_model_infer", garbage)
    with pytest.raises(BadAnswer, match="something else than a message"):
        await client.infer(lane(), rows(1))
    assert client.status()[0].breakers == (Breaker("echo", 1, "closed"),)


async def test_a_lost_connection_is_tried_once_more_elsewhere(
    server: SharingTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call is under way on the first when that dies; the second answers, then and from then on."""
    monkeypatch.setattr("gateway.triton.endpoints.random.sample", lambda equals, _: equals)
    async with sharing_triton() as dying:
        client = Triton([dying.address, server.address])
        await until(lambda: all(one.connected for one in client.status()))
        dying.gate.clear()
        call = asyncio.create_task(client.infer(lane(), rows(5)))
        await until(lambda: dying.held == 1)
        assert server.asked == []
        dying.fails["1"] = grpc.StatusCode.UNAVAILABLE
        dying.gate.set()
        assert right(await call, 5)
        assert server.asked == ["1"]
    assert right(await client.infer(lane(), rows(6)), 6)
    await client.close()


async def test_it_is_tried_once_more_and_no_oftener(server: SharingTriton) -> None:
    async with sharing_triton() as other:
        client = Triton([server.address, other.address])
        await until(lambda: all(one.connected for one in client.status()))
        for one in (server, other):
            one.fails["1"] = grpc.StatusCode.UNAVAILABLE
        with pytest.raises(Unavailable, match="cannot be reached"):
            await client.infer(lane(), rows(1))
        assert (server.asked, other.asked) == (["1"], ["1"])
        await client.close()


async def test_only_a_triton_that_was_not_reached_makes_for_another_try(server: SharingTriton) -> None:
    async with sharing_triton() as other:
        client = Triton([server.address, other.address])
        await until(lambda: all(one.connected for one in client.status()))
        for one in (server, other):
            one.fails["1"] = grpc.StatusCode.INTERNAL
        with pytest.raises(BadAnswer):
            await client.infer(lane(), rows(1))
        assert server.asked + other.asked == ["1"]
        await client.close()


async def test_a_version_that_fails_on_one_is_answered_by_the_other(server: SharingTriton) -> None:
    async with sharing_triton() as other:
        client = Triton([server.address, other.address])
        await until(lambda: all(one.connected for one in client.status()))
        server.fails["1"] = grpc.StatusCode.INTERNAL
        failed = 0
        while failed < FAILURES:  # whose turn it is, is by lot
            try:
                assert right(await client.infer(lane(), rows(1)), 1)
            except BadAnswer:
                failed += 1
        assert client.available("echo", 1)
        assert right(await client.infer(lane(), rows(2)), 2)
        other.fails["1"] = grpc.StatusCode.INTERNAL
        for _ in range(FAILURES):
            with pytest.raises(BadAnswer):
                await client.infer(lane(), rows(1))
        assert not client.available("echo", 1)
        await client.close()


async def test_the_endpoint_with_fewest_under_way_gets_the_call(server: SharingTriton) -> None:
    async with sharing_triton() as other:
        client = Triton([server.address, other.address])
        await until(lambda: all(one.connected for one in client.status()))
        for one in (server, other):
            one.gate.clear()
        calls = [asyncio.create_task(client.infer(lane(), rows(value))) for value in range(6)]
        await until(lambda: (server.held, other.held) == (3, 3))
        for one in (server, other):
            one.gate.set()
        await asyncio.gather(*calls)
        await client.close()


async def test_another_process_at_the_address_starts_with_closed_breakers_and_new_regions() -> None:
    port = free_ports(1)[0]
    async with sharing_triton(port) as first:
        client = Triton([first.address], shared_memory="on")
        await until(lambda: client.status()[0].shared_memory)
        await in_memory(client, first)
        first.fails["1"] = grpc.StatusCode.INTERNAL
        await broken(client, 1)
    await until(lambda: not client.status()[0].connected)
    assert not client.status()[0].shared_memory
    async with sharing_triton(port) as second:
        await until(lambda: client.status()[0].shared_memory)
        assert client.available("echo", 1)
        await in_memory(client, second)
        assert not set(first.read_from) & set(second.read_from)
        await client.close()


@pytest.mark.parametrize("mode", ["auto", "off"])
async def test_a_triton_on_another_host_gets_bodies(server: SharingTriton, mode: str) -> None:
    server.sees = mode == "off"
    client = Triton([server.address], shared_memory=mode)  # type: ignore[arg-type]
    await until(lambda: client.status()[0].connected)
    for value in range(5):
        assert right(await client.infer(lane(), rows(value)), value)
    assert server.read_from == []
    await client.close()
    assert server.regions == {}


async def test_the_end_lets_calls_under_way_finish(client: Triton, server: SharingTriton) -> None:
    server.gate.clear()
    call = asyncio.create_task(client.infer(lane(), rows(4)))
    await until(lambda: server.held == 1)
    closing = asyncio.create_task(client.close())
    await settle()
    server.gate.set()
    assert right(await call, 4)
    await closing


async def test_what_waits_over_http_fails_when_the_channel_says_that_triton_is_away() -> None:
    """A peer that went without a word never ends its HTTP connections."""
    ended = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1 << 16):
            pass
        ended.set()
        writer.close()

    listener = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with sharing_triton() as server:
        client = Triton([server.address], http=["{}:{}".format(*listener.sockets[0].getsockname())])
        await until(lambda: client.status()[0].connected)
        call = asyncio.create_task(client.infer(lane(), rows(1)))
        await until(lambda: len(client._endpoints[0]._http._pool._all) == 1)  # type: ignore[union-attr]
        assert not ended.is_set()
    async with asyncio.timeout(30):
        await ended.wait()
    call.cancel()
    await client.close()
    listener.close()
    await listener.wait_closed()


async def test_the_end_waits_for_calls_under_way_but_not_for_ever(
    client: Triton, server: SharingTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton_endpoint, "CLOSE_S", 0.1)
    await in_memory(client, server)
    server.gate.clear()
    call = asyncio.create_task(client.infer(lane(), rows(1)))
    await until(lambda: server.held == 1)
    await client.close()
    with pytest.raises(Unavailable, match="ending"):
        await call
    assert client.status()[0].in_flight == 0
    assert [task for task in asyncio.all_tasks() if server.address in task.get_name()] == []
