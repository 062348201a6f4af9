"""How `fixgate up` ends when a part does not play along; small processes stand in for the parts."""

import functools
import io
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from stack import process, supervisor
from stack import up as up_module
from stack.part import Part
from tests.stack.test_parts import options

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('up', 'w'); time.sleep(600)"


def part(folder: Path, program: str) -> Part:
    return Part(
        name="redis",
        command=(sys.executable, "-c", program),
        folder=folder,
        address="redis://127.0.0.1:6380",
        ready=(folder / "up").exists,
        stop_timeout_s=600,
    )


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No ports to check, and little patience."""
    patience = functools.partial(supervisor.Patience, first_s=0.01, attempts=2)
    monkeypatch.setattr(supervisor, "Patience", patience)
    monkeypatch.setattr(up_module, "check", lambda _: None)


@pytest.mark.usefixtures("hasty")
def test_a_part_that_keeps_dying_ends_it_with_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = part(tmp_path, "print('disk full', flush=True); raise SystemExit(3)")
    monkeypatch.setattr(up_module, "parts", lambda _: [dying])
    output = io.StringIO()
    assert up_module.up(options(tmp_path), Console(file=output)) == 1
    log = tmp_path / "logs" / "redis.log"
    assert f"redis ended with status 3, 2 times in a row; its log: {log}" in output.getvalue()
    assert "    disk full" in output.getvalue()


@pytest.mark.usefixtures("hasty")
def test_a_second_signal_kills_what_does_not_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up_module, "parts", lambda _: [part(tmp_path, DEAF)])
    output = io.StringIO()

    def twice() -> None:
        for seen in ("redis    ready", "redis    stopping"):
            while seen not in output.getvalue():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGTERM)

    user = threading.Thread(target=twice, daemon=True)
    user.start()
    assert up_module.up(options(tmp_path, redis_url="redis://:secret@there"), Console(file=output)) == 0
    user.join()
    assert "using the Redis at redis://:***@there" in output.getvalue()
    assert "redis    stopped" in output.getvalue()


@pytest.mark.usefixtures("hasty")
def test_the_last_runs_logs_stay_beside_the_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up_module, "parts", lambda _: [part(tmp_path, "raise SystemExit(1)")])
    log = tmp_path / "logs" / "redis.log"
    log.parent.mkdir()
    log.write_text("the last run\n")
    up_module.up(options(tmp_path), Console(file=io.StringIO()))
    assert log.with_suffix(".log.1").read_text() == "the last run\n"
    assert "the last run" not in process.tail(log)
