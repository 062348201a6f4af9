"""Starting, waiting for and stopping one part; what its log and its end look like."""

import subprocess
import sys
from pathlib import Path

import pytest

from stack import process
from stack.part import Part


def part(folder: Path, program: str, **changes: object) -> Part:
    fields = {
        "name": "p",
        "command": (sys.executable, "-c", program),
        "folder": folder,
        "address": "",
        "ready": lambda: False,
    }
    return Part(**{**fields, **changes})  # type: ignore[arg-type]


def test_environment_is_added_and_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAKEN", "1")
    monkeypatch.setenv("KEPT", "2")
    program = "import os; print(os.environ.get('TAKEN'), os.environ['KEPT'], os.environ['ADDED'])"
    one = part(tmp_path, program, ready=None, environment={"TAKEN": None, "ADDED": "3"})
    log = tmp_path / "logs" / "p.log"
    process.wait_until_ready(one, process.start(one, log), log)
    assert log.read_text() == "None 2 3\n"


def test_an_early_end_is_told_with_the_log(tmp_path: Path) -> None:
    one = part(tmp_path, "import sys; sys.stderr.write('disk full\\n'); raise SystemExit(4)")
    log = tmp_path / "p.log"
    with pytest.raises(process.StartFailed, match=r"p ended with status 4\n    disk full"):
        process.wait_until_ready(one, process.start(one, log), log)


def test_a_part_that_is_late_is_stopped(tmp_path: Path) -> None:
    one = part(tmp_path, "import time; time.sleep(600)", start_timeout_s=0.1)
    running = process.start(one, tmp_path / "p.log")
    with pytest.raises(process.StartFailed, match=r"p was not ready in 0\.1 s"):
        process.wait_until_ready(one, running, tmp_path / "p.log")
    assert process.members(running.pid) == []


def test_a_part_that_does_not_listen_is_killed_when_patience_ends(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('up', 'w'); time.sleep(600)"
    )
    one = part(tmp_path, deaf, ready=(tmp_path / "up").exists)
    running = process.start(one, tmp_path / "p.log")
    process.wait_until_ready(one, running, tmp_path / "p.log")
    process.stop(running, 0.1)
    assert process.ending(running.returncode) == "signal SIGKILL"
    assert process.members(running.pid) == []


def test_the_last_lines_of_a_log_and_of_none(tmp_path: Path) -> None:
    log = tmp_path / "p.log"
    assert process.tail(log) == "    (no log)"
    log.write_bytes(b"".join(b"line %d\n" % n for n in range(10_000)) + b"caf\xc3")
    assert process.tail(log, 2).splitlines() == ["    line 9999", "    caf\N{REPLACEMENT CHARACTER}"]


def test_endings_are_named() -> None:
    assert process.ending(3) == "status 3"
    assert process.ending(-9) == "signal SIGKILL"


def test_a_process_that_nobody_has_reaped_is_no_member() -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    try:
        process.end_group(dead.pid, 10)
        assert process.members(dead.pid) == []
        assert Path(f"/proc/{dead.pid}").exists()
    finally:
        dead.wait()
