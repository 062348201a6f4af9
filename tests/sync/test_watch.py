"""The loop of passes."""

import logging
from typing import Any, cast

import pytest

from sync.errors import RepositoryUnavailable
from sync.metrics import Metrics
from sync.observation import Observation
from sync.reconcile import Reconciler, Report
from sync.watch import Bell, Watch
from tests.sync.makers import live


def report(*problems: str, fresh: bool = True, idle: bool = True) -> Report:
    seen = Observation(7.0, (), fresh, {}, live(), {}, problems)
    return Report(seen, 0.0, idle=idle, settled=idle, changed=False)


class FakeReconciler:
    """Gives the reports that it was given, then stops the loop."""

    def __init__(self, bell: Bell, *reports: Report | Exception) -> None:
        self.bell = bell
        self.reports = list(reports)
        self.feed = type("Feed", (), {"last": None})
        self.work = type("Work", (), {"quarantine": type("Quarantine", (), {"refusals": ()})})

    def run_pass(self) -> Report:
        one = self.reports.pop(0)
        if not self.reports:
            self.bell.stop()
        if isinstance(one, Exception):
            raise one
        return one


def watch(*reports: Report | Exception, **options: Any) -> tuple[Watch, FakeReconciler]:
    bell = Bell()
    fake = FakeReconciler(bell, *reports)
    return Watch(cast(Reconciler, fake), bell, Metrics(), 0.001, **options), fake


def test_passes_go_on_until_the_loop_is_stopped() -> None:
    loop, fake = watch(report(), report(), report())
    loop.run()
    assert fake.reports == []


def test_the_loop_goes_on_after_a_pass_that_could_not_be_finished() -> None:
    loop, _ = watch(RepositoryUnavailable("disk gone"), report())
    loop.run()
    assert loop.last == report()


def test_the_loop_goes_on_after_an_error_that_nobody_thought_of(caplog: pytest.LogCaptureFixture) -> None:
    loop, _ = watch(KeyError("surprise"), report())
    loop.run()
    assert loop.last == report()
    assert "nobody thought of" in caplog.text


def test_so_it_does_when_what_comes_before_a_pass_fails(caplog: pytest.LogCaptureFixture) -> None:
    trouble = iter([KeyError("surprise")])

    def before() -> None:
        for error in trouble:
            raise error

    loop, _ = watch(report(), report(), before_pass=before)
    loop.run()
    assert loop.last == report()
    assert "nobody thought of" in caplog.text


def test_a_success_is_a_pass_that_read_the_registry() -> None:
    loop, _ = watch(report(), report(fresh=False))
    loop.run()
    assert loop.last_success == 7.0
    loop, _ = watch(report(fresh=False), report(fresh=False))
    loop.run()
    assert loop.last_success is None


@pytest.mark.parametrize(
    ("reports", "left"),
    [
        ((report(idle=False), report(), report()), 1),
        ((report(fresh=False, idle=False), report()), 1),
        ((RepositoryUnavailable("gone"), report()), 1),
    ],
)
def test_once_ends_when_nothing_is_left_to_do_or_nothing_can_be_seen(
    reports: tuple[Report | Exception, ...], left: int
) -> None:
    loop, fake = watch(*reports)
    loop.run(once=True)
    assert len(fake.reports) == left


def test_what_is_wrong_is_said_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    loop, _ = watch(report("MLflow is down"), report("MLflow is down"), report(), report())
    with caplog.at_level(logging.INFO):
        loop.run()
    assert [record.message for record in caplog.records] == ["MLflow is down", "no longer: MLflow is down"]


def test_before_and_after_each_pass_someone_is_called() -> None:
    calls: list[str] = []
    loop, _ = watch(
        report(),
        report(),
        before_pass=lambda: calls.append("before"),
        after_pass=lambda _report: calls.append("after"),
    )
    loop.run()
    assert calls == ["before", "after"] * 2


def test_a_rung_bell_ends_the_wait() -> None:
    bell = Bell()
    bell.ring()
    bell.wait(60)
    assert not bell.rung(0)
    assert not bell.pause(0)
    bell.stop()
    assert bell.pause(60)
    assert bell.stopped
