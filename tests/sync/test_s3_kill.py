"""A kill between any two writes to object storage: what is named is whole, and the next process finishes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from sync import pbtxt
from sync.plan import Clear, Situation, plan
from sync.publication import Publisher, retire
from sync.repository import Live
from sync.s3_repository import S3Repository
from sync.s3_url import S3Url
from sync.triton import Triton
from tests.object_store import ObjectStore
from tests.sync import makers
from tests.sync.fakes import FakeTriton, staged
from tests.sync.makers import SETTINGS, registered
from tests.sync.s3_steps import Killed, Steps, opened

pytestmark = pytest.mark.stack

FILES = ("fixgate.json", "fixgate.npz", "model.onnx")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Triton polls here."""
    monkeypatch.setattr("sync.s3_repository._a_second_has_passed", lambda _listing: True)


@dataclass
class Process:
    """A sync that does as it is told, until it is killed."""

    repository: S3Repository
    steps: Steps

    def publish(self, number: int) -> None:
        """What a pass does for a version that is wanted."""
        model = self.repository.observe().models.get("loc")
        folder = None
        if model is None or number not in model.versions:
            folder = staged(self.repository, number)
            (folder / "model.onnx").write_bytes(b"graph")
        tritons = cast(tuple[Triton, ...], (FakeTriton(self.repository),))
        publisher = Publisher(self.repository, tritons, 5.0, lambda _seconds: False)
        publisher.publish("loc", number, makers.record(registered(number)), folder, SETTINGS)

    def retire(self, *numbers: int) -> None:
        """What a pass does for versions that are not wanted."""
        model = self.repository.observe().models.get("loc")
        if gone := tuple(one for one in numbers if model and one in model.versions):
            retire(self.repository, "loc", gone)

    def clear(self) -> Live:
        """What a pass does first; then what stands."""
        for action in plan({}, self.repository.observe(), Situation()):
            assert isinstance(action, Clear)
            self.repository.clear(action.model)
        return self.repository.observe()


Work = Callable[[Process], None]


@dataclass(frozen=True)
class Case:
    """Versions that stand before, what is done, and what stands after."""

    before: tuple[int, ...]
    work: Work
    after: tuple[int, ...]
    writes: int


CASES = {
    "first version": Case((), lambda one: one.publish(1), (1,), 4),
    "second version": Case((1,), lambda one: one.publish(2), (1, 2), 4),
    "one retired": Case((1, 2), lambda one: one.retire(1), (2,), 4),
    "two retired": Case((1, 2, 3), lambda one: one.retire(1, 2), (3,), 7),
    "model retired": Case((1, 2), lambda one: one.retire(1, 2), (), 7),
}


def check_servable(store: ObjectStore, url: S3Url, started: set[int]) -> None:
    """Every version that the config names is whole; without a config there is nothing to serve."""
    keys = set(store.keys(url))
    if "loc/config.pbtxt" in keys:
        body = store.client.get_object(Bucket=url.bucket, Key=f"{url.prefix}/loc/config.pbtxt")["Body"].read()
        named = pbtxt.parse(body.decode()).versions
        assert named
        assert {f"loc/{number}/{name}" for number in named for name in FILES} <= keys
        assert set(named) <= started


def processes(url: S3Url, folder: Path) -> Iterator[Process]:
    number = 0
    while True:
        number += 1
        yield Process(*opened(url, folder / f"staging-{number}"))


@pytest.mark.parametrize("name", CASES)
def test_a_kill_before_any_write_leaves_what_is_served_and_the_next_process_finishes(
    store: ObjectStore, tmp_path: Path, name: str
) -> None:
    case = CASES[name]
    for left in range(case.writes + 1):
        url = store.new_prefix()
        process = processes(url, tmp_path)
        first = next(process)
        for number in case.before:
            first.publish(number)
        first.steps.left = left
        if left < case.writes:
            with pytest.raises(Killed):
                case.work(first)
        else:
            case.work(first)
        check_servable(store, url, {*case.before, *case.after})
        second = next(process)
        seen = second.clear()
        assert (seen.unfinished, seen.foreign) == ((), ())
        check_servable(store, url, {*case.before, *case.after})
        case.work(second)
        model = second.repository.observe().models.get("loc")
        assert (model.configured if model else frozenset()) == frozenset(case.after)
        whole = [f"loc/{number}/{file}" for number in case.after for file in FILES]
        assert store.keys(url) == [*whole, *(["loc/config.pbtxt"] if case.after else [])]


def test_a_process_killed_while_it_clears_up_is_finished_by_the_one_after(
    store: ObjectStore, tmp_path: Path
) -> None:
    url = store.new_prefix()
    process = processes(url, tmp_path)
    first = next(process)
    first.steps.left = 3
    with pytest.raises(Killed):
        first.publish(1)
    for left in (1, 1):
        other = next(process)
        other.steps.left = left
        with pytest.raises(Killed):
            other.clear()
    last = next(process)
    assert last.clear() == Live()
    assert store.keys(url) == []
