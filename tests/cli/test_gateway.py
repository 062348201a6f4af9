"""`fixgate gateway` as a process, where nothing of the control plane is installed."""

import os
import subprocess
import sys
from pathlib import Path

from stack import process
from stack.part import Part, http_ok
from tests.cli.test_main import CONTROL_PLANE, WITHOUT, run_without
from tests.launch import free_ports


def test_help_explains_every_option() -> None:
    from gateway.config import Config

    text = run_without(CONTROL_PLANE, "gateway", "--help").stdout
    assert [name for name in Config.__struct_fields__ if name not in text] == []


def test_it_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    port, redis = free_ports(2)
    part = Part(
        name="gateway",
        command=(sys.executable, "-c", WITHOUT.format(names=CONTROL_PLANE, arguments=("gateway",))),
        folder=tmp_path,
        address="",
        ready=lambda: http_ok(port, "/health"),
        environment={
            "FIXGATE_PORT": str(port),
            "FIXGATE_HOME": str(tmp_path),
            "FIXGATE_REDIS_URL": f"redis://127.0.0.1:{redis}",
        },
    )
    log = tmp_path / "gateway.log"
    running = process.start(part, log)
    try:
        process.wait_until_ready(part, running, log)
    finally:
        process.stop(running, 30)
    assert running.returncode == 0, process.tail(log)


def test_an_option_that_cannot_be_used_is_named() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "cli", "gateway"],
        env={**os.environ, "FIXGATE_PORT": "none"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "FIXGATE_PORT" in ended.stderr
