"""Commands come from a real Redis stream exactly as often as they have to."""

import threading
from collections.abc import Iterator

import pytest
import redis

from contract import command, keys
from contract.command import Command, Reply
from sync.commands import Inbox, Received


@pytest.fixture
def client(empty_redis: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(empty_redis) as made:
        yield made


class Box:
    """An inbox, and its commands as they come."""

    def __init__(self, url: str) -> None:
        self._rung = threading.Event()
        self.inbox = Inbox(url, self._rung.set)
        self.inbox.start()

    def next(self) -> Received:
        """The next command, waited for."""
        while True:
            taken = self.inbox.take()
            if taken:
                assert len(taken) == 1
                return taken[0]
            assert self._rung.wait(20), "no command came"
            self._rung.clear()


@pytest.fixture
def box(empty_redis: str) -> Iterator[Box]:
    made = Box(empty_redis)
    yield made
    made.inbox.stop()


def send(client: redis.Redis, number: int, **fields: object) -> Command:
    one = Command(f"c-{number}", "reload", "me", 1.0, 2.0, **fields)  # type: ignore[arg-type]
    client.xadd(keys.COMMANDS, {"command": command.dump(one)})
    return one


def test_a_command_is_received_and_answered_by_its_id(box: Box, client: redis.Redis) -> None:
    sent = send(client, 1)
    received = box.next()
    assert received.command == sent
    box.inbox.answer(received, Reply("c-1", ok=True, message="done"))
    answer = client.blpop([keys.reply("c-1")], timeout=10)
    assert isinstance(answer, (list, tuple))
    assert isinstance(answer[1], bytes)
    assert command.parse_reply(answer[1]) == Reply("c-1", ok=True, message="done")
    assert client.xlen(keys.COMMANDS) == 0


def test_an_answer_nobody_fetches_expires(box: Box, client: redis.Redis) -> None:
    send(client, 1)
    box.inbox.answer(box.next(), Reply("c-1", ok=True, message=""))
    ttl = client.ttl(keys.reply("c-1"))
    assert isinstance(ttl, int)
    assert 0 < ttl <= 300


def test_a_command_that_was_not_answered_comes_to_the_next_process(
    empty_redis: str, client: redis.Redis
) -> None:
    first = Box(empty_redis)
    sent = send(client, 1)
    assert first.next().command == sent
    first.inbox.stop()
    second = Box(empty_redis)
    assert second.next().command == sent
    send(client, 2)
    assert second.next().command.id == "c-2"
    second.inbox.stop()


def test_an_answered_command_does_not_come_again(empty_redis: str, client: redis.Redis) -> None:
    first = Box(empty_redis)
    send(client, 1)
    first.inbox.answer(first.next(), Reply("c-1", ok=True, message=""))
    first.inbox.stop()
    second = Box(empty_redis)
    send(client, 2)
    assert second.next().command.id == "c-2"
    second.inbox.stop()


def test_what_is_no_command_is_passed_over(box: Box, client: redis.Redis) -> None:
    client.xadd(keys.COMMANDS, {"command": "{"})
    client.xadd(keys.COMMANDS, {"other": "x"})
    send(client, 3)
    assert box.next().command.id == "c-3"
    pending = client.xpending(keys.COMMANDS, "sync")
    assert isinstance(pending, dict)
    assert pending["pending"] == 1


def test_commands_go_on_after_redis_has_lost_everything(box: Box, client: redis.Redis) -> None:
    send(client, 1)
    box.inbox.answer(box.next(), Reply("c-1", ok=True, message=""))
    client.flushall()
    send(client, 2)
    assert box.next().command.id == "c-2"


def test_an_answer_that_could_not_be_given_is_given_when_the_command_comes_again(
    box: Box, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(client, 1)
    received = box.next()
    with monkeypatch.context() as broken:
        broken.setattr(box.inbox._redis, "pipeline", _down)
        box.inbox.answer(received, Reply("c-1", ok=True, message=""))
    again = box.next()
    assert again == received
    box.inbox.answer(again, Reply("c-1", ok=True, message=""))
    assert client.llen(keys.reply("c-1")) == 1


def _down(**_options: object) -> object:
    raise redis.ConnectionError("gone")


def test_without_redis_stopping_is_quick() -> None:
    inbox = Inbox("redis://127.0.0.1:1/0", lambda: None)
    inbox.start()
    inbox.stop()
    assert inbox.take() == []
