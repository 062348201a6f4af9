"""Regions with a Triton that only keeps the books: what is lent, withdrawn, made and let go."""

import asyncio
import logging
from collections.abc import AsyncIterator

import numpy as np
import pytest

from gateway.triton import shared_regions
from gateway.triton.shared_memory import FOLDER, Owner, owner_of
from gateway.triton.shared_regions import LEAST_BYTES, LOSSES, Region, Regions
from gateway.triton.shared_registry import Away, Refused
from tests.gateway.waiting import settle, until

SMALL = 64


class Books:
    """A Triton's registry: names to sizes.

    reading: regions that calls read now. trouble: raised by everything.
    """

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.reading: set[str] = set()
        self.trouble: Refused | Away | None = None
        self.new_enough = True
        self.sees = True
        self.takes_anything = False

    async def supported(self) -> bool:
        self._stumble()
        return self.new_enough

    async def register(self, name: str, size: int) -> None:
        self._stumble()
        if name in self.names:
            raise Refused("already in manager")
        if not self.takes_anything and not (self.sees and (FOLDER / name).exists()):
            raise Refused("Unable to open shared memory region")
        self.names[name] = size

    async def unregister(self, name: str) -> None:
        self._stumble()
        if name in self.reading:
            raise Refused("it is currently in use")
        self.names.pop(name, None)

    async def registered(self) -> set[str]:
        self._stumble()
        return set(self.names)

    def _stumble(self) -> None:
        if self.trouble is not None:
            raise self.trouble


@pytest.fixture
def books() -> Books:
    """What Triton knows."""
    return Books()


@pytest.fixture
async def regions(books: Books, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Regions]:
    """Regions of a Triton that shares our memory; room for four of the smallest."""
    monkeypatch.setattr(shared_regions, "RETRY_S", 0.01)
    made = Regions(books, "triton", most_bytes=4 * LEAST_BYTES)
    assert await made.begin()
    assert made.usable
    yield made
    await made.close()


async def lend(regions: Regions, size: int = SMALL) -> Region:
    """A region, as soon as there is one."""
    found: list[Region] = []

    def there() -> bool:
        region = regions.take(size)
        found.extend([region] if region else [])
        return bool(found)

    await until(there)
    return found[0]


async def test_the_proof_leaves_nothing(regions: Regions, books: Books) -> None:
    assert books.names == {}
    assert regions.held_bytes == 0


async def test_a_region_is_made_when_one_is_missed_and_then_used_again(
    regions: Regions, books: Books
) -> None:
    assert regions.take(SMALL) is None
    region = await lend(regions)
    assert books.names == {region.name: region.size}
    assert not (FOLDER / region.name).exists()
    regions.give_back(region)
    assert regions.take(SMALL) is region


async def test_a_lent_region_is_lent_to_nobody_else(regions: Regions) -> None:
    lent = [await lend(regions) for _ in range(4)]
    assert len({region.name for region in lent}) == 4
    assert regions.take(SMALL) is None


async def test_the_smallest_that_is_large_enough_is_lent(regions: Regions) -> None:
    large, small = await lend(regions, 2 * LEAST_BYTES), await lend(regions)
    assert (large.size, small.size) == (2 * LEAST_BYTES, LEAST_BYTES)
    regions.give_back(small)
    regions.give_back(large)
    assert regions.take(LEAST_BYTES) is small
    assert regions.take(LEAST_BYTES + 1) is large


async def test_memory_is_bounded_and_what_is_idle_makes_room(regions: Regions, books: Books) -> None:
    for region in [await lend(regions) for _ in range(4)]:
        regions.give_back(region)
    large = await lend(regions, 4 * LEAST_BYTES)
    assert regions.held_bytes == 4 * LEAST_BYTES
    assert set(books.names) == {large.name}
    assert regions.take(SMALL) is None
    await settle()
    assert set(books.names) == {large.name}
    assert regions.take(4 * LEAST_BYTES + 1) is None


async def test_a_withdrawn_region_counts_until_triton_has_let_go_and_never_comes_back(
    regions: Regions, books: Books
) -> None:
    region = await lend(regions)
    books.reading.add(region.name)
    regions.withdraw(region)
    with pytest.raises(AssertionError, match="closed"):
        region.write([np.zeros(1, np.float32)], (1,))
    await settle()
    assert regions.held_bytes == region.size
    assert region.name in books.names
    books.reading.clear()
    await until(lambda: regions.held_bytes == 0)
    assert books.names == {}
    assert (await lend(regions)).name != region.name


async def test_a_lost_connection_ends_every_region(regions: Regions, books: Books) -> None:
    free, lent = await lend(regions), await lend(regions)
    regions.give_back(free)
    regions.end()
    assert regions.take(SMALL) is None
    await regions.begin()
    regions.give_back(lent)  # the call of before ends now
    await until(lambda: books.names == {})
    assert (await lend(regions)).name not in {free.name, lent.name}


async def test_a_call_of_the_lost_connection_may_still_be_reading(regions: Regions, books: Books) -> None:
    """The process at the other end may be the same: then it lets go when that call ends."""
    region = await lend(regions)
    books.reading.add(region.name)
    regions.end()
    await regions.begin()
    await settle()
    assert region.name in books.names
    books.reading.clear()
    await until(lambda: books.names == {})


@pytest.mark.parametrize(
    "change",
    [
        ("sees", False, "Unable to open"),
        ("new_enough", False, "24.09"),
        ("takes_anything", True, "what does not exist"),
        ("trouble", Refused("not here"), "not here"),
    ],
    ids=["another host", "old", "anything goes", "refuses"],
)
@pytest.mark.parametrize("insist", [True, False])
async def test_a_triton_that_does_not_share_gets_bodies_and_the_log_says_so_once(
    books: Books,
    caplog: pytest.LogCaptureFixture,
    change: tuple[str, object, str],
    insist: bool,
) -> None:
    caplog.set_level(logging.INFO)
    name, value, why = change
    setattr(books, name, value)
    level = logging.WARNING if insist else logging.INFO
    regions = Regions(books, "triton", insist=insist)
    assert await regions.begin()
    assert await regions.begin()
    assert not regions.usable
    assert regions.take(SMALL) is None
    assert [(record.levelno, why in record.message) for record in caplog.records] == [(level, True)]
    await regions.close()
    assert books.names == {}


async def test_a_triton_that_does_not_answer_is_to_be_asked_again(books: Books) -> None:
    books.trouble = Away()
    regions = Regions(books, "triton")
    assert not await regions.begin()
    assert not regions.usable
    books.trouble = None
    assert await regions.begin()
    assert regions.usable
    await regions.close()


async def test_a_name_that_triton_has_already_is_no_success(
    regions: Regions, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a dead process's: rows would be read from there."""
    owner = regions._owner
    assert owner is not None
    books.names[f"{owner.name}.{owner._made + 1}"] = LEAST_BYTES
    assert regions.take(SMALL) is None
    await until(lambda: not regions._work)
    assert regions.take(SMALL) is None
    assert regions._free == []


async def test_regions_of_dead_owners_are_seen_off_and_others_are_not(books: Books) -> None:
    living = Owner()
    others = {f"{living.name}.1", "somebody-elses"}
    books.names = dict.fromkeys({*others, "fixgate-rows-1-0123.1", "fixgate-rows-2-4567.9"}, 64)
    regions = Regions(books, "triton")
    await regions.begin()
    await until(lambda: set(books.names) == others)
    await regions.close()
    living.close()


async def test_an_owner_whose_file_is_gone_is_replaced(regions: Regions) -> None:
    first = await lend(regions)
    (FOLDER / owner_of(first.name)).unlink()
    await regions.begin()
    second = await lend(regions)
    assert owner_of(second.name) != owner_of(first.name)
    assert (FOLDER / owner_of(second.name)).exists()


async def test_no_room_is_said_once_and_not_tried_again_at_once(
    books: Books, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    regions = Regions(books, "triton", most_bytes=1 << 60)
    await regions.begin()
    made = 0
    segment = Owner.segment

    def counted(self: Owner, size: int) -> object:
        nonlocal made
        made += 1
        return segment(self, size)

    monkeypatch.setattr(Owner, "segment", counted)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            assert regions.take(1 << 50) is None
            await until(lambda: not regions._work)
    assert made == 1
    assert caplog.text.count("no room") == 1
    await regions.close()


async def test_where_there_is_no_shared_memory_there_are_bodies(books: Books) -> None:
    def nowhere() -> Owner:
        raise FileNotFoundError(2, "No such file or directory")

    regions = Regions(books, "triton", own=nowhere)
    assert await regions.begin()
    assert not regions.usable
    await regions.close()


async def test_regions_that_triton_forgets_again_and_again_are_given_up_until_it_is_connected_anew(
    regions: Regions,
) -> None:
    again = []
    for _ in range(LOSSES):
        again.append(regions.lost(await lend(regions)))
        assert not regions.usable
        await regions.begin()
    assert again == [True] * (LOSSES - 1) + [False]
    regions.forgive()
    assert regions.lost(await lend(regions))


async def test_nothing_is_left_when_it_is_closed(books: Books) -> None:
    before = asyncio.all_tasks()
    regions = Regions(books, "triton")
    await regions.begin()
    free, lent = await lend(regions), await lend(regions)
    regions.give_back(free)
    await regions.close()
    assert books.names == {}
    assert list(FOLDER.glob(f"{owner_of(lent.name)}*")) == []
    assert asyncio.all_tasks() == before


async def test_a_triton_that_is_away_does_not_hold_up_the_end(books: Books) -> None:
    regions = Regions(books, "triton")
    await regions.begin()
    region = await lend(regions)
    books.trouble = Away()
    await regions.close()
    assert list(FOLDER.glob(f"{owner_of(region.name)}*")) == []
