"""Keys that no two questions share, and values that are not trusted."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from gateway.cache.fixes import FixCache, KeyMaker, dump_fix, parse_fix
from gateway.cache.memory import MemoryCache
from gateway.domain import Covariance, Fix

FIX = Fix(45.0, 9.0, Covariance(4.0, 9.0, -1.5))

digests = st.text("0123456789abcdef", max_size=4)
dtypes: Any = st.sampled_from([np.dtype("<f4"), np.dtype("<c8"), np.dtype("<f8"), np.dtype("<i4")])
arrays: st.SearchStrategy[NDArray[Any]] = hnp.arrays(
    dtype=dtypes,
    shape=hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3),
    elements=st.sampled_from([0, 1]),
)
questions = st.tuples(digests, digests, arrays)
Question = tuple[str, str, NDArray[Any]]


def identity(question: Question) -> tuple[object, ...]:
    """All that a key must tell apart."""
    artifact, contract, array = question
    return artifact, contract, array.dtype.str, array.shape, array.tobytes()


@given(questions, questions)
def test_two_questions_share_a_key_only_if_they_are_the_same(one: Question, other: Question) -> None:
    keys = [KeyMaker(artifact, contract).key(array) for artifact, contract, array in (one, other)]
    assert (keys[0] == keys[1]) == (identity(one) == identity(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c", np.zeros(4, "<f4")), ("a", "bc", np.zeros(4, "<f4"))),
        (("a", "b", np.zeros((2, 3), "<f4")), ("a", "b", np.zeros((3, 2), "<f4"))),
        (("a", "b", np.zeros((2, 3), "<f4")), ("a", "b", np.zeros(6, "<f4"))),
        (("a", "b", np.zeros(4, "<f4")), ("a", "b", np.zeros(2, "<c8"))),
        (("a", "b", np.zeros(4, "<f4")), ("a", "b", np.zeros(4, "<i4"))),
    ],
    ids=["digests run together", "transposed", "flattened", "complex pairs", "same bits"],
)
def test_what_looks_alike_has_different_keys(one: Question, other: Question) -> None:
    assert KeyMaker(*one[:2]).key(one[2]) != KeyMaker(*other[:2]).key(other[2])


def test_the_memory_layout_does_not_matter() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    maker = KeyMaker("a", "b")
    assert (
        maker.key(values)
        == maker.key(np.asfortranarray(values))
        == maker.key(np.repeat(values, 2, 1)[:, ::2])
    )


def test_a_maker_can_be_used_again() -> None:
    maker = KeyMaker("a", "b")
    assert maker.key(np.zeros(3)) == maker.key(np.zeros(3)) == KeyMaker("a", "b").key(np.zeros(3))


def test_a_fix_comes_back_as_it_went() -> None:
    assert parse_fix(dump_fix(FIX)) == FIX


@given(st.binary(max_size=60))
def test_any_bytes_are_a_usable_fix_or_none(value: bytes) -> None:
    fix = parse_fix(value)
    assert fix is None or dump_fix(fix) == value


@pytest.mark.parametrize(
    "numbers",
    [
        (float("nan"), 9, 4, 9, 0),
        (45, 180, 4, 9, 0),
        (91, 9, 4, 9, 0),
        (45, 9, 0, 9, 0),
        (45, 9, 4, float("inf"), 0),
        (45, 9, 4, 9, 6),
        (45, 9, 4, 9, float("nan")),
    ],
    ids=["nan", "longitude", "latitude", "no variance", "infinite", "singular", "nan covariance"],
)
def test_an_impossible_fix_in_redis_is_a_miss(numbers: tuple[float, ...]) -> None:
    assert parse_fix(struct.pack("<2s5d", b"F1", *numbers)) is None


def test_a_fix_of_another_schema_is_a_miss() -> None:
    assert parse_fix(b"F2" + dump_fix(FIX)[2:]) is None


class Shared:
    """A second level that remembers."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, bytes], bytes] = {}

    async def get(self, model: str, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.values.get((model, key)) for key in keys]

    def put(self, model: str, values: Mapping[bytes, bytes]) -> None:
        self.values |= {(model, key): value for key, value in values.items()}

    def forget_pending(self) -> None:
        """Nothing is pending here."""


async def test_both_levels_keep_a_new_fix() -> None:
    shared = Shared()
    cache = FixCache(MemoryCache(10_000, 60), shared)
    cache.keep("m", {b"k": FIX})
    assert cache.recent(b"k") == FIX
    assert await FixCache(MemoryCache(10_000, 60), shared).find("m", [b"k", b"other"]) == {b"k": FIX}


async def test_what_the_second_level_has_is_in_memory_from_then_on() -> None:
    shared = Shared()
    shared.put("m", {b"k": dump_fix(FIX)})
    cache = FixCache(MemoryCache(10_000, 60), shared)
    await cache.find("m", [b"k"])
    assert cache.recent(b"k") == FIX


async def test_a_cleared_cache_is_forgotten_in_memory_too() -> None:
    cache = FixCache(MemoryCache(10_000, 60), Shared())
    cache.keep("m", {b"k": FIX})
    cache.forget()
    assert cache.recent(b"k") is None


async def test_garbage_in_the_second_level_is_a_miss() -> None:
    shared = Shared()
    shared.put("m", {b"k": b"garbage"})
    cache = FixCache(MemoryCache(10_000, 60), shared)
    assert await cache.find("m", [b"k"]) == {}
    assert cache.recent(b"k") is None
