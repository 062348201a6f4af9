"""Work in threads."""

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from sync.errors import Unavailable
from sync.jobs import WORKERS, Finished, Jobs, apart, ending

KEY = ("loc", 1)


@pytest.fixture
def rung() -> threading.Event:
    return threading.Event()


@pytest.fixture
def jobs(rung: threading.Event) -> Iterator[Jobs]:
    made = Jobs(rung.set)
    yield made
    made.close()


def all_busy(jobs: Jobs, ended: list[bool]) -> None:
    """As many jobs that publish nothing as there are threads; each runs until it is told to end."""
    begun = threading.Semaphore(0)

    def work() -> None:
        begun.release()
        ended.append(ending().wait(60))

    for number in range(WORKERS):
        jobs.start(("busy", number), work, publishes=False)
    for _ in range(WORKERS):
        assert begun.acquire(timeout=10)


def fail() -> None:
    raise ValueError("no")


def test_a_running_job_makes_its_version_busy(jobs: Jobs) -> None:
    go = threading.Event()
    jobs.start(KEY, go.wait, publishes=False)
    assert jobs.busy == {KEY}
    assert jobs.publishing == frozenset()
    assert jobs.collect() == []
    go.set()


def test_a_publication_makes_its_model_busy_until_it_is_collected(jobs: Jobs, rung: threading.Event) -> None:
    jobs.start(KEY, lambda: "done", publishes=True)
    assert jobs.publishing == {"loc"}
    assert rung.wait(10)
    assert jobs.collect() == [Finished(KEY, "done")]
    assert (jobs.busy, jobs.publishing, jobs.collect()) == (frozenset(), frozenset(), [])


@pytest.mark.parametrize("work", [fail, partial(apart, fail)])
def test_an_error_is_what_the_job_came_to(
    jobs: Jobs, rung: threading.Event, work: Callable[[], None]
) -> None:
    jobs.start(KEY, work, publishes=False)
    assert rung.wait(10)
    (finished,) = jobs.collect()
    assert isinstance(finished.error, ValueError)


def test_a_publication_does_not_wait_for_trials(jobs: Jobs) -> None:
    all_busy(jobs, [])
    done = threading.Event()
    jobs.start(KEY, done.set, publishes=True)
    assert done.wait(10)


def test_closing_waits_for_what_runs(jobs: Jobs) -> None:
    done = threading.Event()
    started, go = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        go.wait(10)
        done.set()

    jobs.start(KEY, work, publishes=False)
    assert started.wait(10)
    go.set()
    jobs.close()
    assert done.is_set()


def test_closing_ends_what_runs_and_what_has_not_begun_never_does(jobs: Jobs) -> None:
    ended: list[bool] = []
    all_busy(jobs, ended)
    begun = threading.Event()
    jobs.start(KEY, begun.set, publishes=False)
    jobs.close()
    assert ended == [True] * WORKERS
    assert not begun.is_set()


def test_what_cannot_be_told_to_end_is_left_behind(jobs: Jobs) -> None:
    started, go = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        go.wait(60)

    jobs.start(KEY, partial(apart, work), publishes=False)
    assert started.wait(10)
    jobs.close()
    (finished,) = jobs.collect()
    assert isinstance(finished.error, Unavailable)
    go.set()


def test_outside_of_a_job_nothing_has_to_end(jobs: Jobs) -> None:
    jobs.close()
    assert not ending().is_set()
    assert apart(lambda: 1) == 1
