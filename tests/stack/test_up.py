"""`fixgate up`, whole: every real part, started, used, hurt and stopped as a user would.

The tests share one stack and go through its life in the order in which they stand here.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contract.cpu import cores
from stack import process
from tests.launch import free_ports

FIRST_START_S = 180.0
PATIENCE_S = 60.0


@dataclass
class Stack:
    """One `fixgate up` and what it printed so far."""

    home: Path
    options: dict[str, int]
    running: subprocess.Popen[bytes]
    output: Path

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_for(self, condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
        deadline = time.monotonic() + patience_s
        while not condition():
            problem = "ended" if self.running.poll() is not None else "took too long"
            late = self.running.poll() is not None or time.monotonic() > deadline
            assert not late, f"`fixgate up` {problem} before: {what}\n{self.text}\n{self.logs()}"
            time.sleep(0.1)

    def wait_until_ready(self) -> None:
        self.wait_for(lambda: "Ready." in self.text, "ready", FIRST_START_S)

    def logs(self) -> str:
        return "\n".join(f"{log.name}\n{process.tail(log)}" for log in (self.home / "logs").glob("*.log"))

    def groups(self) -> list[int]:
        """Process groups of the parts and of the guard: children of `fixgate up`, each a leader."""
        pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
        return [pid for pid in pids if parent_of(pid) == self.running.pid]

    def url(self, option: str, path: str) -> str:
        return f"http://127.0.0.1:{self.options[option]}{path}"

    def sends_the_printed_request(self) -> dict[str, Any]:
        """What the printed curl line does, without needing curl."""
        [line] = [line for line in self.text.splitlines() if line.strip().startswith("curl")]
        curl, header_flag, header, data_flag, data, url = shlex.split(line)
        assert (curl, header_flag, data_flag) == ("curl", "-H", "--data-binary")
        name, _, value = header.partition(": ")
        body = Path(data.removeprefix("@")).read_bytes()
        request = urllib.request.Request(url, body, {name: value})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                answered: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            error.add_note(error.read().decode())
            raise
        return answered


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose path has a space."""
    return tmp_path_factory.mktemp("up") / "my home"


@pytest.fixture(scope="module")
def options() -> dict[str, int]:
    names = ("port", "sync", "mlflow", "redis", "triton-http", "triton-grpc", "triton-metrics")
    return dict(zip(names, free_ports(len(names)), strict=True))


def start(home: Path, options: dict[str, int], *more: str) -> Stack:
    """Run `fixgate up`; some ports by option, some by environment variable."""
    by_variable = {"sync": "FIXGATE_SYNC_PORT", "redis": "FIXGATE_REDIS_PORT"}
    arguments = [
        f"--{name}-port={number}" if name != "port" else f"--port={number}"
        for name, number in options.items()
        if name not in by_variable
    ]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FIXGATE_", "MLFLOW_", "REDIS_URL"))
    }
    told = {variable: str(options[name]) for name, variable in by_variable.items()}
    home.parent.mkdir(parents=True, exist_ok=True)
    output = home.parent / f"output-{time.monotonic_ns()}"
    with output.open("wb") as file:
        running = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "cli", "up", f"--home={home}"),
                *(f"--model-repository={home.parent / 'model_repository'}", *arguments, *more),
            ],
            env={**kept, **told},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    return Stack(home, options, running, output)


@pytest.fixture(scope="module")
def stack(home: Path, options: dict[str, int]) -> Iterator[Stack]:
    """The first start, ready."""
    started = start(home, options)
    try:
        started.wait_until_ready()
        yield started
    finally:
        started.running.terminate()
        started.running.wait()


def test_a_first_start_registers_the_demo_and_answers_the_printed_request(stack: Stack) -> None:
    answer = stack.sends_the_printed_request()
    assert answer["model"] == "localization"
    assert answer["model_version"] == "1"
    assert 40 < answer["position"]["latitude"] < 50


def test_both_demo_versions_are_in_the_registry_and_served(stack: Stack) -> None:
    def versions() -> list[str]:
        return sorted(one["version"] for one in get(stack.url("port", "/models/localization"))["versions"])

    stack.wait_for(lambda: "models   done" in stack.text, "both demo versions registered")
    query = urllib.parse.urlencode({"name": "localization", "alias": "champion"})
    found = get(stack.url("mlflow", f"/api/2.0/mlflow/registered-models/alias?{query}"))
    assert found["model_version"]["version"] == "1"
    stack.wait_for(lambda: versions() == ["1", "2"], "version 2 served")


@pytest.mark.skipif(cores() < 2, reason="one core has one instance")
def test_two_instances_of_a_version_share_the_cores(stack: Stack) -> None:
    config = get(stack.url("triton-http", "/v2/models/localization/config"))
    assert [group["count"] for group in config["instance_group"]] == [2]
    assert config["parameters"]["intra_op_thread_count"]["string_value"] == str(cores() // 2)


def test_a_second_stack_on_the_same_home_is_refused(stack: Stack, home: Path) -> None:
    ports = dict(zip(stack.options, free_ports(len(stack.options)), strict=True))
    second = start(home, ports)
    assert second.running.wait(PATIENCE_S) == 1
    assert f"another `fixgate up` (process {stack.running.pid}) uses {home}" in second.text


def test_taken_ports_are_named_with_their_options(stack: Stack, tmp_path: Path) -> None:
    other = start(tmp_path / "home", stack.options)
    assert other.running.wait(PATIENCE_S) == 1
    for option, variable, number in (
        ("--port", "FIXGATE_PORT", stack.options["port"]),
        ("--sync-port", "FIXGATE_SYNC_PORT", stack.options["sync"]),
        ("--triton-grpc-port", "FIXGATE_TRITON_GRPC_PORT", stack.options["triton-grpc"]),
        ("--redis-port", "FIXGATE_REDIS_PORT", stack.options["redis"]),
    ):
        assert f"port {number} (" in other.text
        assert f"choose another with {option} or {variable}" in other.text


def test_a_part_that_is_killed_is_named_and_comes_back(stack: Stack) -> None:
    [triton] = [
        pid
        for pid in stack.groups()
        if f"--http-port={stack.options['triton-http']}".encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(triton, signal.SIGKILL)
    death = "triton   died (ended with signal SIGKILL; starting again in 1 s)"
    stack.wait_for(lambda: death in stack.text, "the death is told")
    stack.wait_for(lambda: stack.text.count("triton   ready") == 2, "Triton is back")
    assert "Started Metrics Service" in stack.text.partition(death)[2], "the last lines of its log"

    def answers() -> bool:
        try:
            return bool(stack.sends_the_printed_request())
        except urllib.error.HTTPError:
            return False

    stack.wait_for(answers, "requests are answered again")


def test_sigterm_stops_everything_in_reverse_order(stack: Stack) -> None:
    groups = stack.groups()
    assert len(groups) == 6, "five parts and the guard"
    stack.running.terminate()
    assert stack.running.wait(PATIENCE_S) == 0
    assert [group for group in groups if process.members(group)] == []
    stopped = [
        line.split()[2] for line in stack.text.splitlines() if line.endswith(" stopped") and " s  " in line
    ]
    assert stopped == ["gateway", "sync", "triton", "mlflow", "redis", "stopped"]


def test_a_second_start_takes_up_the_state_and_a_kill_leaves_no_process(
    home: Path, options: dict[str, int]
) -> None:
    again = start(home, options)
    try:
        again.wait_until_ready()
        assert again.sends_the_printed_request()["model_version"] == "1"
        again.wait_for(lambda: "models   done" in again.text, "the demo models looked for")
        served = get(again.url("port", "/models/localization"))["versions"]
        assert sorted(one["version"] for one in served) == ["1", "2"]
        groups = again.groups()
    finally:
        again.running.kill()
        again.running.wait()
    deadline = time.monotonic() + PATIENCE_S
    while any(process.members(group) for group in groups):
        assert time.monotonic() < deadline, "the guard did not stop everything"
        time.sleep(0.1)
