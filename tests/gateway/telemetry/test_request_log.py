"""One line for each request, within limits."""

import logging
from typing import Any

import pytest

from gateway.telemetry.request_log import RequestLog
from gateway.telemetry.stopwatch import Stopwatch


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def ask(log: RequestLog, status: int = 200, route: str = "/predict", outcome: str = "ok") -> None:
    watch = Stopwatch()
    watch.model, watch.version, watch.cache, watch.outcome, watch.received = "m", "3", "hit", outcome, 512
    watch.enter("triton")
    log.answered("id-1", "POST", route, status, seconds=0.0123, watch=watch, sent=321)


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (record.levelname, record.getMessage(), getattr(record, "fields", {}))
        for record in caplog.records
        if record.name == "gateway.request"
    ]


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_a_line_tells_what_became_of_a_request(caplog: pytest.LogCaptureFixture) -> None:
    ask(RequestLog(10, Clock()))
    ((level, message, fields),) = lines(caplog)
    assert (level, message) == ("INFO", "POST /predict 200")
    stages = fields.pop("stages_ms")
    assert set(stages) == {"read", "triton"}
    assert fields == {
        "request_id": "id-1", "model": "m", "version": "3", "cache": "hit", "outcome": "ok",
        "duration_ms": 12.3, "received_bytes": 512, "sent_bytes": 321,
    }  # fmt: skip


def test_no_second_has_more_lines_than_allowed_and_the_next_line_tells_how_many_are_missing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    log = RequestLog(2, clock)
    for _ in range(5):
        ask(log)
    assert len(lines(caplog)) == 2
    clock.now = 1.5
    ask(log)
    ask(log)
    assert [line[2].get("left_out") for line in lines(caplog)] == [None, None, 3, None]


def test_failures_have_room_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    log = RequestLog(1, Clock())
    for _ in range(3):
        ask(log)
        ask(log, 502, outcome="BadAnswer")
    assert [line[:2] for line in lines(caplog)] == [
        ("INFO", "POST /predict 200"),
        ("WARNING", "POST /predict 502"),
    ]


def test_probes_are_logged_only_when_they_fail(caplog: pytest.LogCaptureFixture) -> None:
    log = RequestLog(10, Clock())
    ask(log, route="/ready")
    assert lines(caplog) == []
    ask(log, 503, route="/ready", outcome="Unavailable")
    assert [line[0] for line in lines(caplog)] == ["INFO"]


def test_with_none_allowed_there_are_none(caplog: pytest.LogCaptureFixture) -> None:
    log = RequestLog(0, Clock())
    ask(log)
    ask(log, 500, outcome="InternalError")
    assert lines(caplog) == []
