"""The cache in memory: bounded, recent, and gone in time."""

import tracemalloc

import pytest

from gateway.cache.memory import ENTRY_BYTES, MemoryCache
from gateway.domain import Covariance, Fix


class Clock:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_value_comes_back() -> None:
    cache = MemoryCache[int](10 * ENTRY_BYTES, 60)
    cache.put(b"k", 7)
    assert (cache.get(b"k"), cache.get(b"other")) == (7, None)


def test_the_least_recently_used_makes_room() -> None:
    cache = MemoryCache[int](2 * ENTRY_BYTES, 60)
    cache.put(b"a", 1)
    cache.put(b"b", 2)
    cache.get(b"a")
    cache.put(b"c", 3)
    assert [cache.get(key) for key in (b"a", b"b", b"c")] == [1, None, 3]


def test_a_value_is_gone_when_its_time_is_over() -> None:
    clock = Clock()
    cache = MemoryCache[int](10 * ENTRY_BYTES, 60, clock)
    cache.put(b"k", 7)
    clock.now = 59.9
    assert cache.get(b"k") == 7
    clock.now = 60.0
    assert cache.get(b"k") is None
    assert len(cache) == 0


def test_using_a_value_does_not_prolong_it_but_putting_it_does() -> None:
    clock = Clock()
    cache = MemoryCache[int](10 * ENTRY_BYTES, 60, clock)
    cache.put(b"k", 7)
    clock.now = 50
    cache.put(b"k", 8)
    clock.now = 100
    assert cache.get(b"k") == 8
    clock.now = 110
    assert cache.get(b"k") is None


@pytest.mark.parametrize("size", [0, ENTRY_BYTES - 1])
def test_too_little_memory_keeps_nothing(size: int) -> None:
    cache = MemoryCache[int](size, 60)
    cache.put(b"k", 7)
    assert cache.get(b"k") is None
    assert len(cache) == 0


def test_an_entry_costs_no_more_than_it_is_counted_for() -> None:
    count = 20_000
    tracemalloc.start()
    try:
        cache = MemoryCache[Fix](count * ENTRY_BYTES, 60)
        for number in range(count):
            covariance = Covariance(1.5 * number, 2.5 * number, 0.5 * number)
            cache.put(number.to_bytes(32, "little"), Fix(0.1 * number, 0.2 * number, covariance))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(cache) == count
    assert ENTRY_BYTES / 2 < used / count < ENTRY_BYTES
