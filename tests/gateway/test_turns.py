"""Turns on the event loop."""

import asyncio
import time

from gateway.turns import Turns


class Rounds:
    """Counts the rounds of the event loop while asked to."""

    def __init__(self) -> None:
        self.count = 0
        self._again()

    def _again(self) -> None:
        self.count += 1
        self._handle = asyncio.get_running_loop().call_soon(self._again)

    def end(self) -> None:
        self._handle.cancel()


async def test_where_nobody_waits_a_turn_is_there_at_once() -> None:
    turns, rounds = Turns(), Rounds()
    before = rounds.count
    await turns.turn()
    assert rounds.count == before
    rounds.end()


async def test_one_a_round_in_the_order_of_asking() -> None:
    turns, rounds = Turns(), Rounds()
    had: list[tuple[int, int]] = []

    async def ask(number: int) -> None:
        await turns.turn()
        had.append((number, rounds.count))

    await asyncio.gather(*(ask(number) for number in range(20)))
    rounds.end()
    assert [number for number, _ in had] == list(range(20))
    assert len({turn for _, turn in had}) == 20, "two had their turn in one round"
    assert had[-1][1] - had[0][1] < 25, "rounds went by without a turn"


async def test_who_has_left_keeps_nobody_waiting_and_the_next_come_at_once_again() -> None:
    turns = Turns()
    had: list[int] = []

    async def ask(number: int) -> None:
        await turns.turn()
        had.append(number)

    asking = [asyncio.create_task(ask(number)) for number in range(6)]
    await asyncio.sleep(0)
    for number in (2, 3, 5):
        asking[number].cancel()
    await asyncio.wait(asking)
    assert had == [0, 1, 4]
    for _ in range(3):
        await asyncio.sleep(0)
    rounds = Rounds()
    before = rounds.count
    await turns.turn()
    assert rounds.count == before
    rounds.end()


async def test_the_wait_is_predicted_from_who_waits_and_how_long_rounds_take() -> None:
    turns = Turns()
    assert turns.wait_s == 0.0

    async def ask() -> None:
        await turns.turn()
        time.sleep(0.002)  # noqa: ASYNC251 - what turns are for

    asking = [asyncio.create_task(ask()) for _ in range(200)]
    await asyncio.wait(asking[:150])
    left = sum(not one.done() for one in asking)
    assert 0.001 * left < turns.wait_s < 0.01 * left
    await asyncio.wait(asking)
    assert turns.wait_s == 0.0
