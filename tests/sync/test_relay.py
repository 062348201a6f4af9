"""Signals are carried out beside the main thread, whatever lock that holds."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from sync.relay import relay

NUMBERS = (signal.SIGHUP, signal.SIGUSR1)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    handlers = [(number, signal.getsignal(number)) for number in NUMBERS]
    yield
    for number, handler in handlers:
        signal.signal(number, handler)


def test_an_action_may_take_a_lock_that_the_main_thread_holds() -> None:
    lock, done = threading.Lock(), threading.Event()

    def action() -> None:
        with lock:
            done.set()

    relay({signal.SIGHUP: action})
    with lock:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not done.is_set()
    assert done.wait(10)


def test_each_signal_has_its_own_action_and_the_last_one_given_counts() -> None:
    said: list[str] = []
    told = threading.Semaphore(0)

    def say(word: str) -> None:
        said.append(word)
        told.release()

    relay({signal.SIGHUP: lambda: say("old"), signal.SIGUSR1: lambda: say("other")})
    relay({signal.SIGHUP: lambda: say("new")})
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGHUP):
        os.kill(os.getpid(), number)
        assert told.acquire(timeout=10)
    assert said == ["new", "other", "new"]
