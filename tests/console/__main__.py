"""The console in a browser: `python -m tests.console` starts the real stack and runs Node's tests on it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from contract import keys
from gateway.access import key_file
from gateway.access.key_file import Scope
from tests.console.crowd import crowd
from tests.gateway.gateway_process import gateway_process
from tests.launch import free_ports

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "demo" / "samples"
START_S = 240
STOP_S = 60
PORTS = ("port", "sync-port", "triton-http-port", "triton-grpc-port", "triton-metrics-port", "mlflow-port",
         "redis-port")  # fmt: skip


def main() -> int:
    """Returns the tests' exit status."""
    with tempfile.TemporaryDirectory(prefix="fixgate-console-") as folder, _stack(Path(folder)) as ports:
        home, redis_url = Path(folder), f"redis://127.0.0.1:{ports['redis-port']}"
        environment = {
            "FIXGATE_TRITON_GRPC": f"127.0.0.1:{ports['triton-grpc-port']}",
            "FIXGATE_DEFAULT_MODEL": "localization",
            "FIXGATE_CONSOLE_SAMPLES": str(SAMPLES),
            "FIXGATE_REDIS_URL": f"{redis_url}/0",
        }
        key = _make_key(home / "keys.jsonl")
        _fill_with_crowd(redis_url)
        keyed = {**environment, "FIXGATE_API_KEYS_FILE": str(home / "keys.jsonl")}
        forgetful = {**environment, "FIXGATE_REMEMBER": "off"}
        crowded = {**environment, "FIXGATE_REDIS_URL": f"{redis_url}/1"}
        with (
            gateway_process(home / "keyed", keyed) as keyed_url,
            gateway_process(home / "forgetful", forgetful) as forgetful_url,
            gateway_process(home / "crowded", crowded) as crowded_url,
        ):
            told = {
                "main": f"http://127.0.0.1:{ports['port']}",
                "port": ports["port"],
                "keyed": keyed_url,
                "key": key,
                "forgetful": forgetful_url,
                "crowded": crowded_url,
                "artifacts": str(ROOT / "build" / "console"),
            }
            tests = sorted(str(one) for one in Path(__file__).parent.glob("*.test.mjs"))
            options = ["--test", "--test-concurrency=1", "--test-reporter=spec", *sys.argv[1:]]
            return subprocess.run(
                ["node", *options, *tests],  # noqa: S607 as the shell finds it
                env={**os.environ, "FIXGATE_CONSOLE_TEST": json.dumps(told)},
                check=False,
            ).returncode


@contextlib.contextmanager
def _stack(home: Path) -> Iterator[dict[str, int]]:
    """`fixgate up` with the demo's models on free ports, once both versions are served."""
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    options = [part for name, port in ports.items() for part in (f"--{name}", str(port))]
    folders = ["--home", str(home / "home"), "--model-repository", str(home / "model_repository")]
    log = home / "up.log"
    with log.open("w") as output:
        running = subprocess.Popen(
            [str(Path(sys.executable).with_name("fixgate")), "up", *options, *folders],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_served(ports["port"], running, log)
            yield ports
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(STOP_S)


def _wait_until_served(port: int, running: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if running.poll() is not None:
            break
        with contextlib.suppress(OSError, ValueError):
            url = f"http://127.0.0.1:{port}/models/localization"
            with urllib.request.urlopen(url, timeout=5) as answer:
                if len(json.load(answer)["versions"]) == 2:
                    return
        time.sleep(0.3)
    raise SystemExit(f"the stack did not start:\n{log.read_text()[-3000:]}")


def _make_key(path: Path) -> str:
    key, stored = key_file.make_key("console", list(Scope))
    key_file.add(path, stored)
    return key


def _fill_with_crowd(redis_url: str) -> None:
    """A second database with the same catalogue and a crowd of fixes all over the world."""
    with redis.Redis.from_url(f"{redis_url}/0") as first, redis.Redis.from_url(f"{redis_url}/1") as second:
        document: Any = first.get(keys.CATALOG)
        second.set(keys.CATALOG, document)
        crowd(second)


if __name__ == "__main__":
    sys.exit(main())
